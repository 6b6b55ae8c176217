"""How a run begins: as a new run, from a pretrained model, or resumed from a checkpoint.

From here on rank 0 holds the lock on the run folder and is the only process that writes to it; all processes read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from seq2see.config import Config
from seq2see.data.source_record import NO_SOURCES, SourceRecord
from seq2see.errors import ConfigError
from seq2see.run.changes import DataFingerprint, option_changes, pair_changes, require_same_options, require_same_pairs
from seq2see.run.checkpoint_content import fingerprint_of
from seq2see.run.fine_tune import Pretrained, read_pretrained
from seq2see.run.first_look import require_model
from seq2see.run.folder import (
    CHECKPOINTS,
    clean_run,
    has_checkpoint,
    has_finished,
    is_run,
    make_run_folder,
    require_free,
    stored_config,
    with_given_options,
    write_config,
)
from seq2see.run.pairs import RunData
from seq2see.run.record import write_record
from seq2see.run.state import config_of, process_notes, record_of, thread_notes, training_state_of, version_notes
from seq2see.storage.checkpoints import Checkpoint, load_checkpoint, mark_damaged
from seq2see.storage.locks import MAX_WAIT_SECONDS, locked
from seq2see.training import KEPT, TrainingState, World

OTHER_GROUP = "--resume --set data.group=1 --allow-changes"
"""How a run is resumed whose dev pairs were set aside by their first source column."""


@dataclass(frozen=True)
class ResumeOptions:
    """What to do with an existing run folder: resume it, and how, or replace it."""

    resume: bool = False
    fallback_previous: bool = False
    allow_changes: bool = False
    auto_resume: bool = False
    force: bool = False

    @property
    def flag(self) -> str:
        """The flag that asks to resume, or an empty string."""
        return "--resume" if self.resume else "--auto-resume" if self.auto_resume else ""

    def require_consistent(self) -> None:
        """ConfigError for conflicting options."""
        if self.flag and self.force:
            what = "a run can't be both resumed and replaced"
            raise ConfigError(what, where=f"{self.flag} --force", fix="give one of the two")
        if not self.flag and (self.fallback_previous or self.allow_changes):
            which = "--fallback-previous" if self.fallback_previous else "--allow-changes"
            raise ConfigError(
                "requires --resume or --auto-resume", where=which, fix="add --resume (resume=True), or leave it out"
            )


@dataclass
class RunContext:
    """Where a run takes place: its processes, this process's device, and its folder."""

    world: World
    device: torch.device
    folder: Path
    resume_options: ResumeOptions
    stack: ExitStack
    """Closed at the end of the run; holds the lock."""
    say: Callable[[str], None]
    is_locked: bool = False

    def lock(self) -> None:
        """Lock the folder against other runs (rank 0 only).

        A process that is about to end is waited for, unless its run would be replaced as soon as it is finished.
        """
        if self.world.is_first and not self.is_locked:
            replaces = self.resume_options.force and not self.world.restarts
            max_wait = 0 if replaces else MAX_WAIT_SECONDS
            self.stack.enter_context(locked(self.folder, self.say, max_wait=max_wait))
            self.is_locked = True

    def decide(self) -> None:
        """Decide whether to resume, if that was left open.

        A job restarted by `torchrun` is always resumed, whatever the command says. The folder is locked first, because
        a run in it may be about to end.
        """
        asked = self.resume_options
        is_open = asked.auto_resume or self.world.restarts > 0
        if (is_open or asked.resume or asked.force) and is_run(self.folder):
            self.lock()
        can_resume = is_open and has_checkpoint(self.folder)
        is_unfinished = is_open and not can_resume and is_run(self.folder) and not has_finished(self.folder)
        can_resume, is_unfinished = self.world.from_first([can_resume, is_unfinished])
        if is_unfinished and not asked.force:
            self.say(f"note: {self.folder} holds a run without a checkpoint: it is restarted from the beginning")
        self.resume_options = replace(asked, resume=asked.resume or can_resume, force=asked.force or is_unfinished)


@dataclass(frozen=True)
class RunStart:
    """What a run begins with."""

    config: Config
    pretrained: Pretrained | None = None
    """The model to fine-tune."""
    checkpoint: Checkpoint | None = None
    """The checkpoint to resume from."""
    changed: bool = False
    """Whether a resumed run has other options than before."""

    def __post_init__(self) -> None:
        require_model(self.config)  # its errors come before all others

    @property
    def record(self) -> SourceRecord:
        """The sources that its weights have been trained on."""
        if self.checkpoint:
            return record_of(self.checkpoint)
        return self.pretrained.saved.record if self.pretrained else NO_SOURCES

    def differs(self, trained_on: DataFingerprint) -> bool:
        """Whether a resumed run has other options, or other pairs than these, from now on."""
        return self.checkpoint is not None and (
            self.changed or fingerprint_of(self.checkpoint).digest != trained_on.digest
        )

    def weights_digest(self) -> str:
        """SHA-256 of the weights that the run begins with; the same for all randomly initialized runs."""
        tensors = (
            self.checkpoint.tensors if self.checkpoint else self.pretrained.saved.tensors if self.pretrained else {}
        )
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(np.ascontiguousarray(tensors[name]).data)
        return digest.hexdigest()


def new_run(context: RunContext, config: Config, given: Collection[str]) -> RunStart:
    """A new run, from the pretrained model that the configuration names, if any."""
    pretrained = None
    if config.training.start_from:
        pretrained, config = read_pretrained(config, context.folder, given)
    return RunStart(config, pretrained)


def resume_run(context: RunContext, config: Config, given: Collection[str]) -> RunStart:
    """The run in the folder, from its checkpoint, with those options of `config` that are `given`."""
    stored = stored_config(context.folder)
    context.lock()
    if context.world.is_first:
        clean_run(context.folder)
    context.world.wait()
    checkpoint = load_checkpoint(
        context.folder / CHECKPOINTS, fallback_previous=context.resume_options.fallback_previous
    )
    wanted = with_given_options(stored, config, given)
    changes = option_changes(config_of(checkpoint), wanted)
    require_same_options(changes, allow=context.resume_options.allow_changes)
    if "training.max_epochs" in changes and "training.max_updates" not in changes:
        # The number of updates follows from the epochs, as in a new run.
        wanted = replace(wanted, training=replace(wanted.training, max_updates=None))
    return RunStart(wanted, None, checkpoint, bool(changes))


def make_folder(context: RunContext, config: Config) -> None:
    """Lock and make the folder of a new run (rank 0 only)."""
    context.lock()
    if context.world.is_first:
        require_free(context.folder, force=context.resume_options.force)
        make_run_folder(context.folder, config)
        write_record(context.folder)


def resumed_state(
    context: RunContext, start: RunStart, config: Config, data: RunData, trained_on: DataFingerprint
) -> TrainingState:
    """The state to resume from; prints what differs from the run so far. CheckpointError if the pairs differ."""
    checkpoint, say = start.checkpoint, context.say
    assert checkpoint
    before = fingerprint_of(checkpoint)
    changes = pair_changes(before, trained_on, data.train, data.dev)
    if not context.resume_options.allow_changes:
        # Before it was stored, what groups the pairs was decided anew, and by the first column.
        is_decided_now = start.config.data.group is None and config.data.group is not None
        also = f"; a run of an earlier version may have been split otherwise: {OTHER_GROUP}" if is_decided_now else ""
        require_same_pairs(changes, where=str(context.folder), also=also)
    notes = (
        damage_notes(checkpoint),
        version_notes(checkpoint),
        process_notes(checkpoint, context.world.size),
        thread_notes(checkpoint),
    )
    for line in chain(*notes):
        say(line)
    state = training_state_of(checkpoint)
    if changes:
        say(f"note: the pairs differ from those that the run was started with: {changes}")
    if changes and not np.array_equal(before.dev, trained_on.dev):
        say("note: the dev pairs have changed: the best model so far no longer counts")
        state.progress.update(best={}, best_update=0, evaluations_without_better=0, evaluations_without_mistake=0)
        state.progress.update({"evaluated_at": 0, "averaged_at": 0, KEPT: {}})
    if context.world.is_first:
        mark_damaged(checkpoint)
        if start.changed:
            write_config(context.folder, config)
        write_record(context.folder)
    return state


def damage_notes(checkpoint: Checkpoint) -> list[str]:
    """One line for each damaged checkpoint that was skipped."""
    return [f"note: {error.where} {error.what}; it is skipped and renamed" for error in checkpoint.damaged]
