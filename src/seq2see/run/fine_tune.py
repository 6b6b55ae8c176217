"""What a run starts from where that is a model: its vocabularies grow by what the new pairs have, its tables by rows.

What was there keeps its place: no token changes its number, no row of a table or of the optimizer's moments its value.
Only the beginning of a run needs this; a run that is taken up again goes on from its own checkpoint.
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
from seq2see.errors import CheckpointError, ConfigError
from seq2see.inference.loading import engine_maker, model_of
from seq2see.model import Blueprint, ModelOptions, Seq2Seq, read_blueprint, resolve, to_options
from seq2see.run.changes import option_changes
from seq2see.run.folder import CHECKPOINTS, CONFIG, MODEL, stored_config
from seq2see.storage.checkpoints import Checkpoint, checkpoints, load_checkpoint, update_of
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.text import SPECIALS, Codec, Codecs
from seq2see.text.building import vocabulary_limits
from seq2see.text.options import TextOptions
from seq2see.training import Progress, TrainingState

FROM = "--from (training.start_from)"
"""How the option is called in errors."""
ALONE = "leave it out, or train a new model without --from"
KEPT_TEXT = ("source", "target", "normalization", "joint", "subword_size")
"""Options of the text that made the vocabularies; the others only decide on what is added to them."""
MOMENTS, STEP = ("exp_avg", "exp_avg_sq"), "step"
"""What Adam remembers of a parameter."""
SHOWN = 8
"""Added tokens that are named."""
BLOCK = 2**20
"""Ids looked at at once."""


@dataclass(frozen=True)
class Pretrained:
    """A model to start from, and what there is of the run that made it."""

    path: Path
    saved: SavedModel
    blueprint: Blueprint
    config: Config | None
    """That of its run; None of a model without one."""
    checkpoint: Checkpoint | None
    """The newest of its run."""

    @property
    def codecs(self) -> Codecs:
        """The vocabularies that it has."""
        return self.saved.source_codec, self.saved.target_codec

    @property
    def max_length(self) -> int:
        """Target tokens that its answers may have: a run on shorter ones doesn't take this away."""
        return int(self.saved.config["max_length"])


# --- what is there ------------------------------------------------------------------------------------------------


def read_pretrained(config: Config, folder: Path, given: Collection[str]) -> tuple[Pretrained, Config]:
    """What the configuration of the run in `folder` wants to start from, and the configuration as it follows from that.

    CheckpointError for a model or an optimizer's state that is missing or damaged, ConfigError for options that are at
    odds with the model.
    """
    assert config.training.start_from
    path = Path(config.training.start_from)
    if path.resolve().is_relative_to(folder.resolve()):
        fix = "choose another folder with --out"
        raise ConfigError(f"{path} is the run folder itself, or in it: it would be replaced", where=FROM, fix=fix)
    saved = load_model(path)
    model_of(saved, engine_maker("torch", "cpu"))  # is built once, so that no tensor is another than it should be
    blueprint = read_blueprint(saved.config["model"])
    is_run = (path / CONFIG).exists()
    before = stored_config(path) if is_run else None
    start = Pretrained(path, saved, blueprint, before, newest_of(path, saved) if is_run else None)
    return start, replace(config, model=model_like(start, config, given), text=text_like(start, config, given))


def architecture_at(path: Path) -> str:
    """The architecture of a model that could be started from."""
    saved = load_model(path)
    return str(saved.config["model"].get("name"))


def newest_of(run: Path, saved: SavedModel) -> Checkpoint | None:
    """The newest checkpoint of a run, where it has any. CheckpointError where it is damaged, or of another model."""
    if not checkpoints(run / CHECKPOINTS):
        return None
    fix = f"start from the model alone, without the optimizer's state: --from {run / MODEL}"
    try:
        checkpoint = load_checkpoint(run / CHECKPOINTS)
    except CheckpointError as error:
        raise CheckpointError(error.what, where=error.where, fix=fix) from error
    found = {name: array.shape for name, array in checkpoint.tensors.items() if name.startswith("optimizer.")}
    wanted = {f"optimizer.{STEP}.{name}": () for name in saved.tensors}
    wanted |= {f"optimizer.{key}.{name}": array.shape for name, array in saved.tensors.items() for key in MOMENTS}
    if found != wanted or checkpoint.codecs not in (None, (saved.source_codec, saved.target_codec)):
        raise CheckpointError("is not of the model beside it", where=str(checkpoint.folder), fix=fix)
    return checkpoint


def model_like(start: Pretrained, config: Config, given: Collection[str]) -> ModelOptions:
    """The options of the model that is there; of those set otherwise only dropout is another, all else is refused."""
    own = to_options(start.blueprint)
    asked = {item.name: getattr(config.model, item.name) for item in fields(ModelOptions)}
    if not is_set("model.dropout", config, given):
        asked["dropout"] = None
    asked = {name: value for name, value in asked.items() if value is not None}
    for name, value in asked.items():
        there = getattr(own, name)
        if name != "dropout" and there not in (None, value):
            what = f"{value!r} is at odds with the model that the run starts from, whose {name} is {there!r}"
            raise ConfigError(what, where=f"model.{name}", fix=ALONE)
    asked_for = replace(own, **asked)
    resolve(asked_for)  # refuses what such a model makes no use of
    return asked_for


def text_like(start: Pretrained, config: Config, given: Collection[str]) -> TextOptions:
    """The options of the text that the model's vocabularies were made with; what would make others is refused."""
    there = text_of(start)
    for item in fields(TextOptions):
        key = f"text.{item.name}"
        if not is_set(key, config, given):
            continue
        asked, own = option(config, key), getattr(there, item.name)
        if item.name not in KEPT_TEXT:
            there = replace(there, **{item.name: asked})
        elif asked != own:
            what = f"{asked!r} is at odds with the model that the run starts from, whose vocabularies have {own!r}"
            raise ConfigError(what, where=key, fix=ALONE)
    return there


def text_of(start: Pretrained) -> TextOptions:
    """The options that its vocabularies tell of, and where there is a run those that they don't."""
    source, target = start.codecs
    known = start.config.text if start.config else TextOptions()
    is_joint = start.blueprint.tie == "all" or (source == target and not target.tokenizer.alphabet)
    told: dict[str, Any] = {
        "source": source.tokenizer.name if source else None,
        "target": target.tokenizer.name,
        "normalization": target.tokenizer.normalization,
        "joint": known.joint if start.config else is_joint,
    }
    return replace(known, **told)


def is_set(key: str, config: Config, given: Collection[str]) -> bool:
    """Whether someone has set the option."""
    return key in given or option(config, key) != option(Config(), key)


# --- grown --------------------------------------------------------------------------------------------------------


def grown_codecs(start: Pretrained, options: TextOptions, pairs: Sequence[Pair]) -> Codecs:
    """The codecs with the tokens that the pairs have and they lack; the same one twice where it is joint."""

    def grown(codec: Codec, texts: Sequence[str]) -> Codec:
        return codec.grown(texts, **vocabulary_limits(options, codec.tokenizer.name))

    source, target = start.codecs
    sources, targets = [pair.source for pair in pairs], [pair.target or "" for pair in pairs]
    if options.joint:
        both = grown(target, [*sources, *targets])
        return both, both
    return grown(source, sources) if source else None, grown(target, targets)


def state_at(start: Pretrained, network: Seq2Seq) -> TrainingState:
    """The state before the first update of the new run; `network` is as a new model of the grown vocabularies would be.

    Of the tables the rows that are new keep what they have in it, and have no moments yet.
    """
    fresh = network.tensors()
    model = {name: with_rows(start.saved.tensors[name], tensor) for name, tensor in fresh.items()}
    optimizer: dict[str, Tensor] = {}
    if start.checkpoint:
        stored = {name.removeprefix("optimizer."): array for name, array in start.checkpoint.tensors.items()}
        for name, tensor in fresh.items():
            optimizer[f"{STEP}.{name}"] = torch.from_numpy(stored[f"{STEP}.{name}"])
            for key in MOMENTS:
                optimizer[f"{key}.{name}"] = with_rows(stored[f"{key}.{name}"], torch.zeros_like(tensor))
    return TrainingState(model, optimizer, asdict(Progress()))


def with_rows(rows: np.ndarray, tensor: Tensor) -> Tensor:
    """A tensor whose first rows are these, and whose others are those of `tensor`."""
    assert rows.shape[1:] == tuple(tensor.shape[1:])
    both = tensor.clone()
    both[: len(rows)] = torch.from_numpy(rows)
    return both


# --- what is different --------------------------------------------------------------------------------------------


def pretrained_lines(start: Pretrained, codecs: Codecs, examples: Examples) -> list[str]:
    """What to say of the model, of its vocabularies beside the new pairs, and of the optimizer."""
    stored_as = start.saved.config.get("weights", "float32")
    said = [f"starts from {start.path}: {start.blueprint.name}, weights in {stored_as}"]
    (source_before, target_before), (source, target) = start.codecs, codecs
    if source is target:
        both = used_ids(target, examples.source_ids, examples.target_ids)
        said.append(tokens_line("both sides", target_before, target, both))
    else:
        if source_before and source:
            said.append(tokens_line("source", source_before, source, used_ids(source, examples.source_ids)))
        said.append(tokens_line("target", target_before, target, used_ids(target, examples.target_ids)))
    if start.checkpoint:
        update = update_of(start.checkpoint.folder)
        said.append(f"optimizer: its moments are kept, those of update {update:,}; they are zero for new tokens")
    else:
        why = "has no checkpoint" if start.config else "is a model without its run"
        said.append(f"optimizer: begins anew, since {start.path} {why}")
    return said


def used_ids(codec: Codec, *sides: np.ndarray) -> np.ndarray:
    """Which ids of a vocabulary occur; of a corpus the ids are on the disk, and are gone through in blocks."""
    is_used = np.zeros(len(codec.vocabulary), bool)
    for ids in sides:
        for start in range(0, len(ids), BLOCK):
            is_used[ids[start : start + BLOCK]] = True
    return np.flatnonzero(is_used)


def tokens_line(side: str, before: Codec, now: Codec, used: np.ndarray) -> str:
    """What was added to a vocabulary, and how much of it the new pairs don't have."""
    first, last = len(SPECIALS), len(before.vocabulary)
    tokens, added = last - first, now.vocabulary.tokens[last - first :]
    unused = tokens - int(((used >= first) & (used < last)).sum())
    named = ", ".join(map(repr, added[:SHOWN])) + (", …" if len(added) > SHOWN else "")
    more = f"{count_of(len(added))} added ({named})" if added else "no token added"
    return f"{side}: {more}; of the {tokens:,} that were there, {unused:,} are not in the new pairs"


def count_of(count: int) -> str:
    """ "1 token", "2 tokens"."""
    return f"{count:,} token{'' if count == 1 else 's'}"


def options_line(start: Pretrained, config: Config) -> list[str]:
    """The options of training that are others than in the run that made the model; a line, or none."""
    if not start.config:
        return []
    changes = option_changes(start.config, config)
    told = [
        f"{key.removeprefix('training.')} {now} (was {before})"
        for key, (before, now) in changes.items()
        if key.startswith("training.") and key != "training.start_from" and now != "auto"
    ]
    return [f"training, other than in that run: {', '.join(told)}"] if told else []
