"""`seq2see pack`: a model stored compactly for shipping, and compared with the original.

RUN ──▶ SavedModel ──▶ other weights ──▶ packed model on NumPy
             │                               │
             └─▶ original model ─────────────┴─▶ same predictions? ──▶ card ──▶ model.seq2see
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from seq2see.console import counted
from seq2see.data import Pair
from seq2see.data.given import pairs_of
from seq2see.data.options import TableOptions, known_from
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.errors import ConfigError
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import engine_maker, members_of, model_of
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import loss_of
from seq2see.run.folder import CONFIG, MODEL
from seq2see.run.pairs import dev_sample, read_run_data
from seq2see.storage.archive import SUFFIX
from seq2see.storage.files import require_place
from seq2see.storage.saved_model import find_model_folder, load_model, write_packed
from seq2see.storage.weights import as_weights, read_weights, write_weights
from seq2see.text import Codecs

HEADING = "## Packed"
"""The heading of the packing section in a card."""


@dataclass(frozen=True)
class ParityReport:
    """The outputs of a model before and after packing, compared on the same pairs."""

    count: int
    engines: tuple[str, str]
    """Names of the engines before and after."""
    loss: tuple[float, float]
    """Nats per target token, before and after."""
    largest_difference: float
    """Between the log-probabilities of the same target before and after, in nats."""
    same: int | None = None
    """Sources with identical predictions; None for a language model, which has no sources."""
    exact_match: tuple[float, float] | None = None
    """Before and after, 0..1; None for a language model."""

    def lines(self) -> list[str]:
        """For the terminal and the card."""
        found = [
            "checked on {}, before packing (engine {}) and after (engine {})".format(
                counted(self.count, "pair"), *self.engines
            )
        ]
        if self.same is not None and self.exact_match is not None:
            found.append(f"identical predictions: {self.same:,} of {self.count:,} (greedy)")
            found.append("exact match: {:.2f} % before, {:.2f} % after".format(*(100 * x for x in self.exact_match)))
        found.append("loss: {:.4f} before, {:.4f} after, nats per target token".format(*self.loss))
        found.append(f"largest difference in the log-probability of a target: {self.largest_difference:.2g} nats")
        return found


@dataclass(frozen=True)
class PackedModel:
    """A packed model and its comparison with the original."""

    path: Path
    size: int
    """In bytes."""
    parity: ParityReport
    record: SourceRecord
    """The record of training sources in it."""

    def lines(self) -> list[str]:
        """What packing changed, for the terminal."""
        return [*self.parity.lines(), *record_lines(self.record)]


def pack_run(
    run: Path,
    out: Path,
    *,
    weights: str = "float32",
    data: Sequence[Path] | Sequence[Pair] = (),
    hashes: bool = True,
) -> PackedModel:
    """Write the model of `run` to `out` (a single file if that ends in .seq2see), with a card on what packing changed.

    The packed model is compared with the original on the pairs of `data`, by default the dev pairs of the run. Without
    `hashes` it has no record of its training sources. Raises ConfigError if there are no pairs to compare on, and
    CheckpointError if the model can't be read or written.
    """
    chosen = as_weights(weights)
    require_ending(out)
    require_place(out)
    saved = load_model(run)
    if not hashes:
        saved = saved._replace(record=NO_RECORD)
    source = run if run.is_file() else find_model_folder(run)
    if out.exists() and out.samefile(source):
        raise ConfigError("is the model that would be packed", where=str(out), fix="choose another -o")
    known = known_from(saved.config.get("columns"))
    pairs = pairs_to_compare(run, data, (saved.source_codec, saved.target_codec), known)
    tensors = read_weights(write_weights(saved.tensors, chosen), chosen, where=saved.origin)
    after = model_of(saved._replace(tensors=tensors), make_numpy_engine)
    before = model_of(saved, engine_maker("torch" if find_spec("torch") else "numpy", "cpu"))
    parity = parity_of(before, after, pairs)
    lines = [f"weights: {chosen}", *parity.lines(), *record_lines(saved.record)]
    card = saved.card.partition(HEADING)[0].rstrip() + "\n\n" + "\n".join([HEADING, "", *(f"- {x}" for x in lines), ""])
    return PackedModel(out, write_packed(out, saved, weights=chosen, card=card), parity, saved.record)


def pack_runs(
    run: Path,
    out: Path,
    *,
    weights: str = "float32",
    data: Sequence[Path] | Sequence[Pair] = (),
    hashes: bool = True,
) -> list[PackedModel]:
    """As `pack_run`; a folder of several, as `train --seeds` makes it, becomes a folder of as many packed files."""
    members = members_of(run)
    if members == [run]:
        return [pack_run(run, out, weights=weights, data=data, hashes=hashes)]
    if out.suffix == SUFFIX:
        what = f"is one file, which holds one model, and {run} has {len(members)}"
        fix = f"name a folder for them (-o {out.stem}), or train one model on their answers: seq2see distill {run}"
        raise ConfigError(what, where=str(out), fix=fix)
    require_ending(out)
    places = [out / f"{member.name.removesuffix(SUFFIX)}{SUFFIX}" for member in members]
    return [
        pack_run(member, place, weights=weights, data=data, hashes=hashes)
        for member, place in zip(members, places, strict=True)
    ]


def record_lines(record: SourceRecord) -> list[str]:
    """How many hashes of training sources a model holds, and their size; nothing if it holds none."""
    if record == NO_RECORD:
        return []
    size = len(record.to_bytes())
    return [f"hashes of {record.train.count:,} training sources: {size / 1000:,.1f} kB, which tell seen from new texts"]


def require_ending(out: Path) -> None:
    """ConfigError for the ending of another format. A number is no ending: `model-1.2` is the name of a folder."""
    if re.fullmatch(r"\.[a-z]\w*", out.suffix, re.IGNORECASE) and out.suffix != SUFFIX:
        fix = f"use {SUFFIX} for one file ({out.stem}{SUFFIX}), or no ending for a folder ({out.stem})"
        raise ConfigError(f"unsupported format {out.suffix}", where=str(out), fix=fix)


def pairs_to_compare(
    run: Path, data: Sequence[Path] | Sequence[Pair], codecs: Codecs, known: TableOptions
) -> Sequence[Pair]:
    """The pairs given, or those of the files, with the `known` columns; by default the dev pairs of the run."""
    has_source = codecs[0] is not None
    if data:
        return pairs_of(data, has_source=has_source, known=known)
    fix = "give pairs: --data dev.tsv, or in Python data=pairs"
    if not (run / MODEL).is_dir() or not (run / CONFIG).is_file():
        raise ConfigError("is a model without its run, so its dev pairs are unknown", where=str(run), fix=fix)
    return dev_sample(read_run_data(run, has_source=has_source, fix=fix, codecs=codecs))


def parity_of(before: Predictor, after: Predictor, pairs: Sequence[Pair]) -> ParityReport:
    """Both models compared: log-probabilities of the same targets, and predictions for the same sources."""
    both = (before, after)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        scores = [model.score(pairs) for model in both]
    differences = [abs(one.counted[0] - other.counted[0]) for one, other in zip(*scores, strict=True)]
    parity = ParityReport(
        len(pairs),
        (before.engine.name, after.engine.name),
        (loss_of(scores[0]), loss_of(scores[1])),
        max(differences, default=0.0),
    )
    if before.source_codec is None:
        return parity
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        predictions = [model.predict([pair.source for pair in pairs]) for model in both]
    targets = [before.target_codec.normalize(pair.target or "") for pair in pairs]
    right = [
        sum(prediction.text == target for prediction, target in zip(own, targets, strict=True)) / len(pairs)
        for own in predictions
    ]
    same = sum(one.target_tokens == other.target_tokens for one, other in zip(*predictions, strict=True))
    return replace(parity, same=same, exact_match=(right[0], right[1]))
