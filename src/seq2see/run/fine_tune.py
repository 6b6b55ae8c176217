"""Fine-tuning: a run that starts from a pretrained model, whose vocabularies and tables are extended for the new pairs.

Old tokens keep their ids, and old rows of the tables and of the optimizer's moments keep their values. Only a new run
needs this; a resumed run continues from its own checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2see.config import Config, option
from seq2see.data import Examples, Pair
from seq2see.data.options import TableOptions, flags_of, known_from
from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.inference.loading import members_of
from seq2see.inference.notes import Seen
from seq2see.model import Blueprint, ModelOptions, Seq2Seq, resolve, to_options
from seq2see.run.changes import option_changes
from seq2see.run.checkpoint_content import has_moments_of
from seq2see.run.folder import CHECKPOINTS, CONFIG, MODEL, is_within, stored_config
from seq2see.storage.checkpoints import Checkpoint, checkpoints, load_checkpoint, update_of
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.text import EOS, FIELD_BREAK, SPECIALS, Codec, Codecs, Fields, Protected
from seq2see.text.alignment import STEP_TOKEN
from seq2see.text.building import joint_codecs, vocabulary_limits
from seq2see.text.options import TextOptions
from seq2see.training import TrainingProgress, TrainingState
from seq2see.training.adam import MOMENTS, STEP

FROM_OPTION = "--from (training.start_from)"
"""The name of the option in errors."""
TRAIN_NEW = "leave it out, or train a new model without --from"
VOCABULARY_OPTIONS = ("source", "target", "normalization", "case", "truncate", "protect", "joint", "subword_size")
"""Options of `text` that made the vocabularies; the others only control what is added to them."""
MAX_LISTED_TOKENS = 8
"""How many added tokens are listed."""
FEW_TARGETS, FEWEST_KNOWN = 5, 0.05
"""Fewer targets may have new symbols by chance; the share of all that has to be known."""
BLOCK_IDS = 2**20
"""Ids read at a time."""


@dataclass(frozen=True)
class Pretrained:
    """A model to fine-tune, and what is known about the run that trained it."""

    path: Path
    saved: SavedModel
    blueprint: Blueprint
    config: Config | None
    """The configuration of its run; None for a model without a run."""
    checkpoint: Checkpoint | None
    """The newest of its run."""

    @property
    def codecs(self) -> Codecs:
        """Its source and target codec."""
        return self.saved.source_codec, self.saved.target_codec

    @property
    def columns(self) -> TableOptions:
        """The columns of the table that it was trained on."""
        return known_from(self.saved.config.get("columns"))

    @property
    def max_length(self) -> int:
        """Limit on generated target tokens; shorter new pairs don't lower it."""
        return int(self.saved.config["max_length"])

    @property
    def seen(self) -> dict[str, Any]:
        """What its config.json says of its training texts: the longest of each side, the bytes that occurred, and the
        fields that were never empty.
        """
        sides = {"source": self.saved.source_codec, "target": self.saved.target_codec}
        trained = self.saved.config.get("trained")
        found = {side: Seen.of(trained, codec, side) for side, codec in sides.items() if codec is not None}
        return {
            "longest": {side: seen.longest for side, seen in found.items() if seen.longest},
            "tokens": {side: sorted(seen.tokens) for side, seen in found.items() if seen.tokens},
            "filled": sorted(found["source"].filled) if "source" in found else [],
        }


# --- the model ------------------------------------------------------------------------------------------------


def read_pretrained(config: Config, folder: Path, given: Collection[str]) -> tuple[Pretrained, Config]:
    """The model to fine-tune, and the configuration of the run in `folder` adapted to it.

    CheckpointError if the model or its optimizer state is missing or damaged, ConfigError for options that conflict
    with the model.
    """
    assert config.training.start_from
    path = Path(config.training.start_from)
    if is_within(path, folder):
        fix = "choose another folder (--out, out=…)"
        raise ConfigError(f"{path} is in the run folder and would be replaced", where=FROM_OPTION, fix=fix)
    saved = load_one(path)
    blueprint = saved.blueprint
    is_run = (path / CONFIG).exists()
    before = stored_config(path) if is_run else None
    pretrained = Pretrained(path, saved, blueprint, before, newest_checkpoint(path, saved) if is_run else None)
    model, text = model_options_of(pretrained, config, given), text_options_of(pretrained, config, given)
    training = config.training
    if training.optimizer is None and pretrained.checkpoint and before:  # whose moments are kept
        training = replace(training, optimizer=before.training.optimizer)
    return pretrained, replace(config, model=model, text=text, training=training)


def architecture_at(path: Path) -> str:
    """The architecture of the model at `path`."""
    return load_one(path).blueprint.name


def load_one(path: Path) -> SavedModel:
    """The model at `path`. ConfigError for a folder of several."""
    members = members_of(path)
    if members != [path]:
        what = f"{path} holds {len(members)} models, and one is fine-tuned"
        raise ConfigError(what, where=FROM_OPTION, fix=f"choose one of them: --from {members[0]}")
    return load_model(path)


def newest_checkpoint(run: Path, saved: SavedModel) -> Checkpoint | None:
    """The newest checkpoint of a run, if any. CheckpointError if it is damaged or belongs to another model."""
    if not checkpoints(run / CHECKPOINTS):
        return None
    fix = f"use the model alone, without the optimizer state: --from {run / MODEL}"
    try:
        checkpoint = load_checkpoint(run / CHECKPOINTS)
    except CheckpointError as error:
        raise CheckpointError(error.what, where=error.where, fix=fix) from error
    found = {
        name.removeprefix("optimizer."): array.shape
        for name, array in checkpoint.tensors.items()
        if name.startswith("optimizer.")
    }
    fits = has_moments_of({name: array.shape for name, array in saved.tensors.items()}, found)
    if not fits or checkpoint.codecs not in (None, (saved.source_codec, saved.target_codec)):
        raise CheckpointError("belongs to a different model", where=str(checkpoint.folder), fix=fix)
    return checkpoint


def model_options_of(pretrained: Pretrained, config: Config, given: Collection[str]) -> ModelOptions:
    """The model's options. Only dropout may be set differently; ConfigError for any other difference."""
    blueprint = pretrained.blueprint
    own = to_options(blueprint)
    layers = {"encoder_layers": blueprint.encoder_layers, "decoder_layers": blueprint.decoder_layers}
    asked = {item.name: getattr(config.model, item.name) for item in fields(ModelOptions)}
    if not is_set("model.dropout", config, given):
        asked["dropout"] = None
    asked = {name: value for name, value in asked.items() if value is not None}
    for name, value in asked.items():
        there = layers.get(name, getattr(own, name))
        if name != "dropout" and there not in (None, value):
            what = f"must be {there!r}, as in the pretrained model, not {value!r}"
            raise ConfigError(what, where=f"model.{name}", fix=TRAIN_NEW)
    merged = replace(own, **{name: value for name, value in asked.items() if name not in layers})
    resolve(merged)  # ConfigError for options that this architecture doesn't use
    return merged


def text_options_of(pretrained: Pretrained, config: Config, given: Collection[str]) -> TextOptions:
    """The text options that made the vocabularies. ConfigError for options that would make others."""
    there = stored_text_options(pretrained)
    for item in fields(TextOptions):
        key = f"text.{item.name}"
        if not is_set(key, config, given):
            continue
        asked, own = option(config, key), getattr(there, item.name)
        if item.name not in VOCABULARY_OPTIONS:
            there = replace(there, **{item.name: asked})
        elif asked != own:
            what = f"must be {own!r}, as in the vocabularies of the pretrained model, not {asked!r}"
            raise ConfigError(what, where=key, fix=TRAIN_NEW)
    return there


def stored_text_options(pretrained: Pretrained) -> TextOptions:
    """The text options that follow from the vocabularies; the others come from the run, if there is one."""
    source, target = pretrained.codecs
    known = pretrained.config.text if pretrained.config else TextOptions()
    is_one = source is not None and replace(source, truncate=None) == target and not target.tokenizer.alphabet
    known_options: dict[str, Any] = {
        "source": source.tokenizer.unit if source else None,
        "target": target.tokenizer.name,
        "normalization": target.tokenizer.normalization,
        "case": source.tokenizer.case if source else "keep",
        "truncate": source.truncate if source else None,
        "protect": target.tokenizer.pattern if isinstance(target.tokenizer, Protected) else None,
        "joint": known.joint if pretrained.config else is_one or pretrained.blueprint.tie == "all",
    }
    return replace(known, **known_options)


def is_set(key: str, config: Config, given: Collection[str]) -> bool:
    """Whether the option was set explicitly."""
    return key in given or option(config, key) != option(Config(), key)


# --- extended --------------------------------------------------------------------------------------------------------


def require_same_columns(pretrained: Pretrained, columns: TableOptions) -> None:
    """ConfigError for a table of which several columns are the source, if the model reads one column as one text."""
    source, number = pretrained.codecs[0], len(columns.source)
    if source and not isinstance(source.tokenizer, Fields) and 1 < number != len(pretrained.columns.source):
        one = replace(columns, source=columns.source[:1], names=())
        fix = f"choose one: {' '.join(flags_of(one))}"
        raise ConfigError(f"the model reads 1 source column, found {number}", where="--source", fix=fix)


def require_known_symbols(pretrained: Pretrained, pairs: Sequence[Pair]) -> None:
    """DataError for targets of symbols of which the model knows hardly any, as where they are written otherwise."""
    codec = pretrained.codecs[1]
    if codec.tokenizer.name != "symbols" or len(pairs) < FEW_TARGETS:
        return
    known, num, num_known = set(codec.vocabulary.tokens) - {STEP_TOKEN}, 0, 0
    for pair in pairs:
        tokens = codec.tokenizer.split(pair.target or "")
        num, num_known = num + len(tokens), num_known + sum(token in known for token in tokens)
    if num_known >= FEWEST_KNOWN * num:
        return
    written = [token for token in codec.vocabulary.tokens if token in known][:MAX_LISTED_TOKENS]
    what = (
        f"of the {num:,} symbols of the new targets the model knows {num_known or 'none'}: the first target is "
        f"{pairs[0].target!r:.80}, and the model writes {' '.join(written)}{' …' if len(known) > len(written) else ''}"
    )
    fix = "write the targets as in training, with blanks between symbols; or train a new model, without --from"
    raise DataError(what, where=pairs[0].origin, fix=fix)


def extended_codecs(pretrained: Pretrained, options: TextOptions, pairs: Sequence[Pair]) -> Codecs:
    """The codecs extended by the tokens of the pairs."""

    def grown(codec: Codec, texts: Sequence[str]) -> Codec:
        return codec.grown(texts, **vocabulary_limits(options, codec.tokenizer.name))

    source, target = pretrained.codecs
    sources, targets = [pair.source for pair in pairs], [pair.target or "" for pair in pairs]
    if options.joint:
        return joint_codecs(grown(target, [*sources, *targets]), options.truncate)
    return grown(source, sources) if source else None, grown(target, targets)


def initial_state(pretrained: Pretrained, network: Seq2Seq) -> TrainingState:
    """The state before the first update; `network` is a new model with the extended vocabularies.

    New rows of the tables keep the initial values of `network`, and their moments are zero.
    """
    fresh = network.tensors()
    model = {name: with_first_rows(pretrained.saved.tensors[name], tensor) for name, tensor in fresh.items()}
    optimizer: dict[str, Tensor] = {}
    if pretrained.checkpoint:
        stored = {name.removeprefix("optimizer."): array for name, array in pretrained.checkpoint.tensors.items()}
        for name, tensor in fresh.items():
            optimizer[f"{STEP}.{name}"] = torch.from_numpy(stored[f"{STEP}.{name}"])
            for key in MOMENTS:
                if f"{key}.{name}" in stored:
                    optimizer[f"{key}.{name}"] = with_first_rows(stored[f"{key}.{name}"], torch.zeros_like(tensor))
    return TrainingState(model, optimizer, asdict(TrainingProgress()))


def with_first_rows(rows: np.ndarray, tensor: Tensor) -> Tensor:
    """A copy of the tensor with `rows` as its first rows."""
    assert rows.shape[1:] == tuple(tensor.shape[1:])
    both = tensor.clone()
    both[: len(rows)] = torch.from_numpy(rows)
    return both


# --- what to print --------------------------------------------------------------------------------------------


def pretrained_lines(pretrained: Pretrained, codecs: Codecs, examples: Examples, optimizer: str | None) -> list[str]:
    """What to print about the model, its vocabularies and the optimizer, by its name."""
    stored_as = pretrained.saved.config.get("weights", "float32")
    lines = [f"fine-tuning {pretrained.path}: {pretrained.blueprint.name}, weights in {stored_as}"]
    (source_before, target_before), (source, target) = pretrained.codecs, codecs
    if source and source.vocabulary is target.vocabulary:
        both = used_ids(target, examples.source_ids, examples.target_ids)
        lines.append(vocabulary_line("both sides", target_before, target, both))
    else:
        if source_before and source:
            lines.append(vocabulary_line("source", source_before, source, used_ids(source, examples.source_ids)))
        lines.append(vocabulary_line("target", target_before, target, used_ids(target, examples.target_ids)))
    if pretrained.checkpoint:
        update = update_of(pretrained.checkpoint.folder)
        kept = f"optimizer: moments of update {update:,} kept, zero for new tokens"
        before = pretrained.config.training.optimizer if pretrained.config else None
        if before == "muon" and optimizer != "muon":
            kept += f"; {optimizer} starts without those of the matrices that muon updated"
        lines.append(kept)
    else:
        why = "has no checkpoint" if pretrained.config else "is a model without its run"
        lines.append(f"optimizer: starts without moments, since {pretrained.path} {why}")
    return lines


def used_ids(codec: Codec, *sides: np.ndarray) -> np.ndarray:
    """Which ids of a vocabulary occur; the ids of a corpus are on disk, so they are read in blocks."""
    is_used = np.zeros(len(codec.vocabulary), bool)
    for ids in sides:
        for first in range(0, len(ids), BLOCK_IDS):
            is_used[ids[first : first + BLOCK_IDS]] = True
    return np.flatnonzero(is_used)


def filled_fields(codec: Codec, ids: np.ndarray) -> list[int]:
    """The numbers of the fields that are empty in none of the sources with these ids; nothing if there is one field."""
    if not isinstance(codec.tokenizer, Fields):
        return []
    number, ends = len(codec.tokenizer.parts), (EOS, codec.vocabulary.id(FIELD_BREAK))
    empty, num_ends, is_after_end = set[int](), 0, True
    for first in range(0, len(ids), BLOCK_IDS):
        is_end = np.isin(ids[first : first + BLOCK_IDS], ends)
        is_empty = is_end & np.concatenate([[is_after_end], is_end[:-1]])
        empty.update(((num_ends + is_end.cumsum()[is_empty] - 1) % number).tolist())
        num_ends, is_after_end = num_ends + int(is_end.sum()), bool(is_end[-1])
    return [at + 1 for at in range(number) if at not in empty]


def vocabulary_line(side: str, before: Codec, now: Codec, used: np.ndarray) -> str:
    """What was added to a vocabulary, and how many old tokens don't occur in the new pairs."""
    first, last = len(SPECIALS), len(before.vocabulary)
    tokens, added = last - first, now.vocabulary.tokens[last - first :]
    unused = tokens - int(((used >= first) & (used < last)).sum())
    named = ", ".join(map(repr, added[:MAX_LISTED_TOKENS])) + (", …" if len(added) > MAX_LISTED_TOKENS else "")
    is_or_are = "is" if unused == 1 else "are"
    more = f"{count_of(len(added))} added ({named})" if added else "no tokens added"
    return f"{side}: {more}; {unused:,} of the {tokens:,} old tokens {is_or_are} not in the new pairs"


def count_of(count: int) -> str:
    """Such as "1 token" or "2 tokens"."""
    return f"{count:,} token{'' if count == 1 else 's'}"


def shown_value(value: object) -> str:
    """The value of an option for the terminal."""
    return "not set" if value is None else str(value)


def options_line(pretrained: Pretrained, config: Config) -> list[str]:
    """The training options that differ from those of the model's run, as a list of one line or none."""
    if not pretrained.config:
        return []
    changes = option_changes(pretrained.config, config)
    changed = [
        f"{key.removeprefix('training.')} {shown_value(now)} (was {shown_value(before)})"
        for key, (before, now) in changes.items()
        if key.startswith("training.") and key != "training.start_from" and now != "auto"
    ]
    return [f"training options changed: {', '.join(changed)}"] if changed else []
