"""From a configuration to a trained model in a run folder.

RUN/config.toml      every option of the run; itself a recipe
RUN/files.json       SHA-256 of config.toml and of the files that it names
RUN/metrics.jsonl    one line per event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` resumes from
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from rich.console import Console

from seq2see.config import Config, to_toml
from seq2see.console import Terminal, say_to
from seq2see.data import Examples, Pair
from seq2see.data.options import TableOptions, known_columns
from seq2see.errors import ConfigError, did_you_mean
from seq2see.inference.loading import load
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import find_device
from seq2see.model import Blueprint, max_positions
from seq2see.printable import quoted
from seq2see.run.card import card_text
from seq2see.run.changes import DataFingerprint, fingerprint
from seq2see.run.checkpoint_content import facts_of
from seq2see.run.first_look import read_request
from seq2see.run.folder import METRICS, MODEL, is_run, naming_what_remains, stored_config
from seq2see.run.length_penalty import keep_length_penalty
from seq2see.run.memory import require_memory
from seq2see.run.network_trainer import NetworkTrainer, TrainingJob
from seq2see.run.pairs import RunData
from seq2see.run.plan import RunPlan
from seq2see.run.plan_notes import leak_lines
from seq2see.run.planning import plan_run
from seq2see.run.progress import Display, MetricsLog, OutputWatch
from seq2see.run.record import other_files
from seq2see.run.resume import ResumeOptions, RunContext, RunStart, make_folder, new_run, resume_run, resumed_state
from seq2see.run.scratch_trainer import ScratchTrainer
from seq2see.run.signals import stop_on_signal
from seq2see.run.state import as_many_threads
from seq2see.run.torch_trainer import TorchTrainer
from seq2see.storage.saved_model import FORMAT, save_model
from seq2see.training import (
    INTERRUPTED,
    Callback,
    Event,
    Finished,
    TrainingProgress,
    TrainingState,
    joined,
    num_processes,
)
from seq2see.version import __version__

TRAINERS: dict[str, NetworkTrainer[Any]] = {"torch": TorchTrainer(), "scratch": ScratchTrainer()}
"""By the name of their engine."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    folder: Path
    finished: Finished
    example: str
    """Arguments of `seq2see predict` to try it with."""

    def load(self, device: str = "auto") -> Predictor:
        """Its best model."""
        return load(self.folder, device=device)


def train(
    config: Config,
    folder: Path,
    *,
    given: Collection[str] = (),
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
    data: RunData | None = None,
    engine: str = "torch",
    device: str = "auto",
    resume: bool = False,
    fallback_previous: bool = False,
    allow_changes: bool = False,
    auto_resume: bool = False,
    force: bool = False,
    console: Console | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trained:
    """Train the configured model on its files (or on `pairs`) and write everything to `folder`.

    `resume` resumes the run in the folder, `force` replaces it; without either, an existing folder is refused.
    `given` are the keys that were set explicitly: a run is not resumed with other values of these than it was started
    with, nor with other pairs. `allow_changes` permits other pairs and other options of data and training; model and
    vocabularies never change. `fallback_previous` resumes from the newest intact checkpoint if a newer one is damaged.
    `auto_resume` resumes if there is a checkpoint, and starts a new run otherwise. `engine` is torch, or scratch for
    the models written in NumPy, which can't be resumed. `data` is what `read_first` has read for a new run.
    """
    trainer = find_trainer(engine)
    resume_options = ResumeOptions(resume, fallback_previous, allow_changes, auto_resume, force)
    resume_options.require_consistent()
    trainer.require_supported(
        config, given, device=device, resume_flag=resume_options.flag, num_processes=num_processes()
    )
    timeout = config.training.timeout
    if (resume or auto_resume) and "training.timeout" not in given and is_run(folder):
        timeout = stored_config(folder).training.timeout
    with ExitStack() as stack, joined(find_device(device), timeout) as world:
        console = console or Terminal(stderr=True)
        say = say_to(console) if world.is_first else say_nothing
        context = RunContext(world, world.local_device(find_device(device)), folder, resume_options, stack, say)
        context.decide()
        start = resume_run(context, config, given) if context.resume_options.resume else new_run(context, config, given)
        stack.enter_context(as_many_threads(start.checkpoint))
        if start.checkpoint:
            data = None
        elif data is None:
            data = read_request(
                trainer.preset(start.config),
                folder,
                pairs,
                dev_pairs,
                force=context.resume_options.force,
                known=start.pretrained.columns if start.pretrained else TableOptions(),
            )
        plan = make_plan(context, start, trainer, given, pairs, dev_pairs, data)
        network = trainer.build(plan, context)
        size = sum(math.prod(tensor.shape) for tensor in network.tensors().values())
        say_plan(context, plan, f"{size:,} parameters, {trainer.description(plan, context)}")
        require_memory(context, plan, network)
        trained_on = require_same_everywhere(context, start, plan)
        state = resumed_state(context, start, plan.config, plan.data, trained_on) if start.checkpoint else None
        if not state:
            make_folder(context, plan.config)
        with callbacks_of(context, plan, state, console, callbacks) as (callback, stop):
            save_best = best_model_saver(context, plan, size)
            job = TrainingJob(
                context,
                plan,
                trained_on,
                start.pretrained,
                state,
                start.differs(trained_on),
                save_best,
                callback,
                stop,
            )
            finished = trainer.run(network, job)
            is_done = world.is_first and finished.reason != INTERRUPTED
            if is_done and plan.config.training.choose_length_penalty:
                tried = keep_length_penalty(
                    folder / MODEL,
                    plan.dev,
                    plan.config.training.metric or "loss",
                    device=context.device.type,
                    stop=stop,
                )
                if tried is not None:
                    say(tried.line())
                elif stop():
                    finished = replace(finished, reason=INTERRUPTED)  # to be chosen when the run is resumed
        world.wait()  # until rank 0 has written the model, no other process can load it
    return Trained(folder, finished, example_of(plan))


def find_trainer(engine: str) -> NetworkTrainer[Any]:
    """The trainer of that name. ConfigError if it is unknown."""
    if engine not in TRAINERS:
        raise ConfigError(f"unknown engine {engine!r}", where="engine", fix=did_you_mean(engine, TRAINERS))
    return TRAINERS[engine]


def make_plan(
    context: RunContext,
    start: RunStart,
    trainer: NetworkTrainer[Any],
    given: Collection[str],
    pairs: Sequence[Pair] | None,
    dev_pairs: Sequence[Pair] | None,
    data: RunData | None,
) -> RunPlan:
    """Everything that is decided before the first update."""
    checkpoint = start.checkpoint
    plan = plan_run(
        trainer.preset(start.config),
        pairs,
        dev_pairs,
        data=data,
        codecs=checkpoint.codecs if checkpoint else None,
        given=given,
        pretrained=start.pretrained,
        min_max_length=facts_of(checkpoint).max_length if checkpoint else 0,
        seen_before=asdict(facts_of(checkpoint).seen) if checkpoint else {},
        record_before=start.record,
        device=context.device,
        world=context.world,
    )
    return trainer.complete(plan, context)


def say_plan(context: RunContext, plan: RunPlan, description: str) -> None:
    """Print what was decided; `description` is size, precision and device."""
    for line in [*plan.notes, *(leak_lines(plan) if context.world.is_first else ())]:
        context.say(line)
    processes = context.world.description(plan.config.training.shard)
    context.say(f"{plan.blueprint.name}: {description}{processes}; run folder {context.folder}")


def require_same_everywhere(context: RunContext, start: RunStart, plan: RunPlan) -> DataFingerprint:
    """The fingerprint of the data. WorldError if data, options or initial weights differ between the processes."""
    corpus, world = plan.data.corpus, context.world
    dev_examples = Examples.encode(plan.data.dev, *plan.codecs)
    trained_on = fingerprint(plan.examples, dev_examples, corpus=corpus.digest if corpus else "")
    weights = start.weights_digest() if world.size > 1 else ""
    world.require_same(pairs=trained_on.digest, options=to_toml(plan.config), weights=weights)
    return trained_on


def best_model_saver(
    context: RunContext, plan: RunPlan, num_parameters: int
) -> Callable[[Mapping[str, np.ndarray], TrainingProgress], None]:
    """A function that writes RUN/model/."""

    def save_best(tensors: Mapping[str, np.ndarray], progress: TrainingProgress) -> None:
        with naming_what_remains(context.folder):
            save_model(
                context.folder / MODEL,
                config=model_config(
                    plan.blueprint,
                    plan.max_length,
                    progress,
                    len(plan.data.train),
                    plan.seen,
                    {**known_columns(TableOptions(**plan.data.columns)), **known_columns(plan.config.data)},
                    plan.config.training.no_repeat,
                    plan.config.training.metric,
                ),
                tensors=tensors,
                source_codec=plan.source_codec,
                target_codec=plan.target_codec,
                card=card_text(
                    plan.blueprint,
                    plan.codecs,
                    num_parameters,
                    progress,
                    plan.data.train,
                    plan.longest,
                    other_files(plan.config),
                ),
                record=plan.record,
            )

    return save_best


@contextmanager
def callbacks_of(
    context: RunContext, plan: RunPlan, state: TrainingState | None, console: Console, callbacks: Sequence[Callback]
) -> Iterator[tuple[Callback, Callable[[], bool]]]:
    """One callback for log, display and the caller's `callbacks` (rank 0 only), and whether to stop."""
    training, corpus = plan.config.training, plan.data.corpus
    assert training.max_updates
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signal(context.say, is_launched=context.world.size > 1))
        used: list[Callback] = [lambda _: corpus.release()] if corpus else []
        if context.world.is_first:
            display = stack.enter_context(Display(console, training.max_updates))
            before = TrainingProgress() if state is None else state.progress_so_far()
            has_mean = before.averaged_at == before.update
            log = MetricsLog(context.folder / METRICS, from_update=before.update, has_mean=has_mean)
            if log.damaged:
                lines = "line" if len(log.damaged) == 1 else "lines"
                numbers = ", ".join(map(str, log.damaged[:5])) + (", …" if len(log.damaged) > 5 else "")
                context.say(f"note: {log.path}: left out {len(log.damaged):,} damaged {lines} ({numbers})")
            used = [OutputWatch(log), log, display, *callbacks, *used]

        def callback(event: Event) -> None:
            for each in used:
                each(event)

        yield callback, stop


def say_nothing(line: str) -> None:
    """What processes other than rank 0 print."""


def example_of(plan: RunPlan) -> str:
    """Arguments of `seq2see predict` to try the model with."""
    first = plan.data.train[0]
    if "\t" in first.source:  # a terminal would complete a name at a TAB
        escaped = first.source.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t")
        return f"$'{escaped}'"
    return quoted(first.source) if plan.source_codec else f"{quoted((first.target or '')[:3])} --sample"


def model_config(
    blueprint: Blueprint,
    max_length: int,
    progress: TrainingProgress,
    num_pairs: int,
    seen: Mapping[str, Any] = MappingProxyType({}),
    columns: Mapping[str, Any] = MappingProxyType({}),
    no_repeat: int | None = None,
    metric: str | None = None,
) -> dict[str, Any]:
    """The content of config.json: what is needed to rebuild the model, and how it was trained; see `RunPlan.seen`.

    `columns` are those of the table that it was trained on, if it was one; `no_repeat` is that of its answers, and
    `metric` selected it on dev.
    """
    return {
        "format": FORMAT,
        "seq2see": __version__,
        "model": asdict(blueprint),
        "max_length": min(max_length, max_positions(blueprint) or max_length),
        "trained": {"pairs": num_pairs, "updates": progress.update, "dev": progress.best, **seen},
        **({"columns": dict(columns)} if columns else {}),
        **({"no_repeat": no_repeat} if no_repeat else {}),
        **({"metric": metric} if metric not in (None, "loss") else {}),
    }
