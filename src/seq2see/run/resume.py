"""How a run begins: as a new one, from a model that was trained before, or from where a run was stopped.

The process that is the first of its world holds the run folder from here on and changes what is in it; all read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from seq2see.config import Config
from seq2see.errors import ConfigError
from seq2see.model import Seq2Seq, resolve
from seq2see.run.changes import DataFingerprint, option_changes, pair_changes, require_same_options, require_same_pairs
from seq2see.run.fine_tune import Pretrained, read_pretrained, state_at
from seq2see.run.folder import (
    CHECKPOINTS,
    clean_run,
    has_checkpoint,
    has_ended,
    is_run,
    prepare,
    require_free,
    set_options,
    stored_config,
    write_config,
)
from seq2see.run.pairs import Data
from seq2see.run.state import config_of, fingerprint_of, processes_said, state_of, versions_said
from seq2see.scratch import ScratchSeq2Seq
from seq2see.storage.checkpoints import Checkpoint, load_checkpoint, set_aside
from seq2see.storage.locks import locked
from seq2see.training import KEPT, TrainingState, World

Network = Seq2Seq | ScratchSeq2Seq
"""Of torch, or by hand."""


@dataclass(frozen=True)
class ResumeOptions:
    """What to do about a run folder that is there: go on with it, and in which ways, or replace it."""

    resume: bool = False
    fallback_previous: bool = False
    allow_changes: bool = False
    auto_resume: bool = False
    force: bool = False

    def require_sense(self, *, by_hand: bool) -> None:
        """Refuse wishes at odds with one another."""
        which = "--resume" if self.resume else "--auto-resume"
        resumes = self.resume or self.auto_resume
        if resumes and self.force:
            fix = "give one of the two"
            raise ConfigError("a run can't be resumed and replaced", where=f"{which} --force", fix=fix)
        if by_hand and resumes:
            raise ConfigError("a run by hand keeps no checkpoints", where=which, fix="train again with --force")
        if not resumes and (self.fallback_previous or self.allow_changes):
            which = "--fallback-previous" if self.fallback_previous else "--allow-changes"
            raise ConfigError("only a run that is resumed can do so", where=which, fix="add --resume, or leave it out")


@dataclass
class RunContext:
    """Where a run takes place."""

    world: World
    folder: Path
    resume_options: ResumeOptions
    held: ExitStack
    """Ends with the run."""
    say: Callable[[str], None]
    is_locked: bool = False

    def lock(self) -> None:
        """Nobody else trains in the folder from here on: it is for the first process to see to this."""
        if self.world.is_first and not self.is_locked:
            self.held.enter_context(locked(self.folder, self.say))
            self.is_locked = True

    def settle(self) -> None:
        """Decide what to do with a run that is there, where that was left open.

        What `torchrun` starts once more goes on, whatever the command said the first time. Who trains there may end
        just now: so nobody else does when this is decided.
        """
        resume_options = self.resume_options
        is_open = resume_options.auto_resume or self.world.restarts > 0
        if (is_open or resume_options.resume or resume_options.force) and is_run(self.folder):
            self.lock()
        can_go_on = is_open and has_checkpoint(self.folder)
        begun = is_open and not can_go_on and is_run(self.folder) and not has_ended(self.folder)
        can_go_on, begun = self.world.from_first([can_go_on, begun])
        if begun and not resume_options.force:
            self.say(f"note: {self.folder} was begun and has no checkpoint yet: it is begun anew")
        self.resume_options = replace(
            resume_options, resume=resume_options.resume or can_go_on, force=resume_options.force or begun
        )


@dataclass(frozen=True)
class RunStart:
    """What a run begins with."""

    config: Config
    start: Pretrained | None = None
    """The model that it trains further."""
    checkpoint: Checkpoint | None = None
    """What it goes on from."""
    changed: bool = False
    """Whether it goes on with another configuration than before."""

    @property
    def digest(self) -> str:
        """What weights it begins with: a hash, nothing where they are drawn."""
        tensors = self.checkpoint.tensors if self.checkpoint else self.start.saved.tensors if self.start else {}
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(np.ascontiguousarray(tensors[name]).data)
        return digest.hexdigest()

    def __post_init__(self) -> None:
        # What is wrong with the model is said before all else.
        if resolve(self.config.model).tie == "all" and not self.config.text.joint:
            raise ConfigError(
                "one table for both sides needs one vocabulary for both",
                where="model.tie",
                fix="set text.joint=true too",
            )


def begin(context: RunContext, config: Config, given: Collection[str]) -> RunStart:
    """A run that was not there, from nothing or from the model that the configuration names."""
    start = None
    if config.training.start_from:
        start, config = read_pretrained(config, context.folder, given)
    require_free(context.folder, force=context.resume_options.force)
    return RunStart(config, start)


def resume_run(context: RunContext, config: Config, given: Collection[str]) -> RunStart:
    """A run that is there, from its checkpoint, with those options of `config` that are `given`."""
    stored = stored_config(context.folder)
    context.lock()
    if context.world.is_first:
        clean_run(context.folder)
    context.world.wait()
    checkpoint = load_checkpoint(
        context.folder / CHECKPOINTS, fallback_previous=context.resume_options.fallback_previous
    )
    wanted = set_options(stored, config, given)
    changes = option_changes(config_of(checkpoint), wanted)
    require_same_options(changes, allow=context.resume_options.allow_changes)
    if "training.max_epochs" in changes and "training.max_updates" not in changes:
        # How many updates that is follows from the epochs, as in a new run.
        wanted = replace(wanted, training=replace(wanted.training, max_updates=None))
    return RunStart(wanted, None, checkpoint, bool(changes))


def first_state(
    context: RunContext, start: Pretrained | None, config: Config, network: Network
) -> TrainingState | None:
    """What a new run starts with, None where that is a new network; its folder is made."""
    state = state_at(start, network) if start and isinstance(network, Seq2Seq) else None
    context.lock()
    if context.world.is_first:
        require_free(context.folder, force=context.resume_options.force)
        prepare(context.folder, config)
    return state


def next_state(
    context: RunContext, begun: RunStart, config: Config, data: Data, trained_on: DataFingerprint
) -> TrainingState:
    """What a run that is taken up goes on from, and what is to be said about it. CheckpointError for other pairs."""
    checkpoint, say = begun.checkpoint, context.say
    assert checkpoint
    before = fingerprint_of(checkpoint)
    others = pair_changes(before, trained_on, data.train, data.dev)
    if not context.resume_options.allow_changes:
        require_same_pairs(others, where=str(context.folder))
    notes = damage_said(checkpoint), versions_said(checkpoint), processes_said(checkpoint, context.world.size)
    for line in chain(*notes):
        say(line)
    state = state_of(checkpoint)
    if others:
        say(f"note: the pairs are not those the run was started with: {others}")
    if others and not np.array_equal(before.dev, trained_on.dev):
        say("note: dev is another one: which model is the best is decided anew")
        state.progress.update(best={}, best_update=0, evaluations_without_better=0, evaluations_without_mistake=0)
        state.progress.update({"evaluated_at": 0, "averaged_at": 0, KEPT: {}})
    if context.world.is_first:
        set_aside(checkpoint)
        if begun.changed:
            write_config(context.folder, config)
    return state


def damage_said(checkpoint: Checkpoint) -> list[str]:
    """What to say of the checkpoints that were passed over."""
    return [f"note: {error.where} {error.what}; it is passed over and set aside" for error in checkpoint.damaged]
