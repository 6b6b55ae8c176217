"""README.md of a model folder: what the model is and how it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from seq2see.console import counted
from seq2see.data import Pair
from seq2see.data.values import without_folders
from seq2see.model import ARCHITECTURES, Blueprint
from seq2see.printable import markdown_code
from seq2see.run.progress import metrics_text
from seq2see.text import Codec, Codecs, Protected
from seq2see.training import TrainingProgress


def protected_text(codec: Codec) -> str:
    """Which units of its texts stay whole, if any."""
    tokenizer = codec.tokenizer
    return f", whole units {markdown_code(tokenizer.pattern)}" if isinstance(tokenizer, Protected) else ""


def card_text(
    blueprint: Blueprint,
    codecs: Codecs,
    num_parameters: int,
    progress: TrainingProgress,
    train: Sequence[Pair],
    longest: Mapping[str, int],
    others: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The content of README.md; `longest` is the number of tokens of the longest text of each side.

    `others` are the files that training began with beside the pairs, by their options.
    """
    source, target = codecs
    sides = [("source", source)] if source else []
    depth = "per side" if blueprint.encoder_layers == blueprint.decoder_layers else "(encoder + decoder)"
    layers = "layer" if blueprint.layers == "1" else "layers"
    text = [
        f"- {side}: {codec.tokenizer.title}, {len(codec.vocabulary):,} tokens, "
        f"Unicode {codec.tokenizer.normalization}{', lower-cased' if codec.tokenizer.case == 'fold' else ''}"
        f"{protected_text(codec)}; "
        f"texts of at most {counted(longest[side], 'token')}"
        for side, codec in [*sides, ("target", target)]
    ]
    file = Path(train[0].origin.rpartition(":")[0]).name
    origin = markdown_code(file) if file else "pairs given in a program"
    example = without_folders(source, train[0].source) if source else ""
    return "\n".join(
        [
            f"# A {blueprint.name} model made with Seq2See",
            "",
            f"{ARCHITECTURES[blueprint.name].summary.capitalize()}; {num_parameters:,} parameters, "
            f"width {blueprint.width}, {blueprint.layers} {layers} {depth}.",
            "",
            f"- trained on {counted(len(train), 'pair')} ({origin}), {counted(progress.update, 'update')}",
            f"- {metrics_text(progress.best)} (greedy, while training)" if progress.best else "- not evaluated",
            *(f"- began with {markdown_code(Path(path).name)} ({key})" for key, path in others.items()),
            *text,
            "",
            "    import seq2see",
            '    model = seq2see.load("path/to/this/folder")',
            f"    model.predict([{example!r}])[0].text",
            "",
        ]
    )
