"""From a configuration to a trained model: everything wired together, and a run folder that holds it all.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from seq2see.config import Config, to_toml
from seq2see.console import say_to
from seq2see.data import Examples, Pair
from seq2see.errors import ConfigError, did_you_mean
from seq2see.inference.loading import load
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine, find_device
from seq2see.model import Blueprint, Seq2Seq, build, max_positions
from seq2see.run.card import card_text
from seq2see.run.changes import fingerprint
from seq2see.run.dev import evaluate_on_dev
from seq2see.run.fine_tune import FROM
from seq2see.run.folder import METRICS, MODEL, is_run, stored_config
from seq2see.run.plan import RunPlan, plan_run
from seq2see.run.progress import Display, MetricsLog
from seq2see.run.resume import Network, ResumeOptions, RunContext, RunStart, begin, first_state, next_state, resume_run
from seq2see.run.scratch_trainer import as_by_hand, network_of, train_by_hand
from seq2see.run.signals import stop_on_signal
from seq2see.run.state import save_state, to_numpy
from seq2see.scratch import ScratchSeq2Seq
from seq2see.storage.saved_model import FORMAT, save_model
from seq2see.training import (
    Evaluation,
    Event,
    Finished,
    Listener,
    Progress,
    Trainer,
    TrainingState,
    World,
    choose_precision,
    joined,
    require_precision,
)
from seq2see.version import __version__

TRAINING_ENGINES = ("torch", "scratch")
ENOUGH_DEV_PAIRS = 100
"""From here on a dev set answered without a mistake is a reason to stop; fewer pairs are answered by luck."""


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
    engine: str = "torch",
    device: str = "auto",
    resume: bool = False,
    fallback_previous: bool = False,
    allow_changes: bool = False,
    auto_resume: bool = False,
    force: bool = False,
    console: Console | None = None,
    listeners: Sequence[Listener] = (),
) -> Trained:
    """Train the configured model on its files (or on `pairs`) and leave everything in `folder`.

    `resume` goes on with the run that is there, `force` replaces it; without either a folder that exists is refused.
    `given` are the keys that someone set: a run is not resumed with other values of these than it was started with,
    nor with other pairs; `allow_changes` goes on with other pairs and with other options of data and training, the
    vocabularies and the model staying what they are. `fallback_previous` goes on from the newest checkpoint that is
    intact where a newer one is damaged. `auto_resume` resumes if there is something to resume, and starts otherwise.
    `engine` is torch, or scratch for the models written by hand in NumPy, which can't be resumed.
    """
    if engine not in TRAINING_ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", where="engine", fix=did_you_mean(engine, TRAINING_ENGINES))
    if config.training.start_from and engine == "scratch":
        raise ConfigError("a model by hand starts from nothing", where=FROM, fix="leave it out")
    by_hand = engine == "scratch"
    if by_hand and device not in ("auto", "cpu"):
        raise ConfigError(f"the models by hand don't calculate on {device}", where="--device", fix="leave it out")
    resume_options = ResumeOptions(resume, fallback_previous, allow_changes, auto_resume, force)
    resume_options.require_sense(by_hand=by_hand)
    timeout = config.training.timeout
    if (resume or auto_resume) and "training.timeout" not in given and is_run(folder):
        timeout = stored_config(folder).training.timeout
    with ExitStack() as held, joined(find_device(device), timeout) as world:
        if by_hand and world.size > 1:
            fix = "start it without torchrun, or train with --engine torch"
            raise ConfigError("the models by hand are trained by one process", where="--engine scratch", fix=fix)
        console = console or Console(stderr=True)
        context = RunContext(world, folder, resume_options, held, say_to(console) if world.is_first else nothing_said)
        context.settle()
        begun = resume_run(context, config, given) if context.resume_options.resume else begin(context, config, given)
        if by_hand:
            begun = replace(begun, config=as_by_hand(begun.config, given))
        plan = planned(begun, world, world.place(find_device(device)), given, pairs, dev_pairs, by_hand=by_hand)
        return train_planned(
            context, begun, plan, world.place(find_device(device)), console, listeners, by_hand=by_hand
        )


def planned(
    begun: RunStart,
    world: World,
    device: torch.device,
    given: Collection[str],
    pairs: Sequence[Pair] | None,
    dev_pairs: Sequence[Pair] | None,
    *,
    by_hand: bool,
) -> RunPlan:
    """All that is settled before the first update, the precision too."""
    checkpoint = begun.checkpoint
    plan = plan_run(
        begun.config,
        pairs,
        dev_pairs,
        codecs=checkpoint.codecs if checkpoint else None,
        given=given,
        start=begun.start,
        max_length_before=checkpoint.progress.get("max_length", 0) if checkpoint else 0,
        device=device,
        world=world,
    )
    config = as_by_hand(plan.config, ()) if by_hand else plan.config
    if config.training.precision == "auto":
        precision = world.from_first(choose_precision(device, plan.blueprint))
        config = replace(config, training=replace(config.training, precision=precision))
    return replace(plan, config=config)


def train_planned(
    context: RunContext,
    begun: RunStart,
    plan: RunPlan,
    device: torch.device,
    console: Console,
    listeners: Sequence[Listener],
    *,
    by_hand: bool,
) -> Trained:
    """Train as it is planned, on each process of the world: the first alone writes and speaks."""
    world, folder, say = context.world, context.folder, context.say
    config, training, blueprint = plan.config, plan.config.training, plan.blueprint
    network: Network
    if by_hand:
        network = network_of(blueprint, plan.sizes, training.seed)
    else:
        torch.manual_seed(training.seed)
        network = build(blueprint, plan.sizes)
        require_precision(training.precision, device, network)
    num_parameters = sum(math.prod(tensor.shape) for tensor in network.tensors().values())
    for line in plan.said:
        say(line)
    place = "by hand in NumPy" if by_hand else f"{training.precision} on {device}"
    say(f"{blueprint.name}: {num_parameters:,} parameters, {place}{world.said(training.shard)}; run folder {folder}")

    corpus = plan.data.corpus
    dev_examples = Examples.encode(plan.data.dev, *plan.codecs)
    trained_on = fingerprint(plan.examples, dev_examples, corpus=corpus.digest if corpus else "")
    world.require_same(pairs=trained_on.digest, options=to_toml(config), weights=begun.digest if world.size > 1 else "")
    if begun.checkpoint:
        state: TrainingState | None = next_state(context, begun, config, plan.data, trained_on)
    else:
        state = first_state(context, begun.start, config, network)

    def save_best(tensors: Mapping[str, np.ndarray], progress: Progress) -> None:
        save_model(
            folder / MODEL,
            config=model_config(blueprint, plan.max_length, progress, len(plan.data.train)),
            tensors=tensors,
            source_codec=plan.source_codec,
            target_codec=plan.target_codec,
            card=card_text(blueprint, plan.codecs, num_parameters, progress, plan.data.train),
        )

    with ExitStack() as stack:
        assert training.max_updates
        stop = stack.enter_context(stop_on_signal(say, is_launched=world.size > 1))
        hears: list[Listener] = [lambda _: corpus.release()] if corpus else []
        if world.is_first:
            display = stack.enter_context(Display(console, training.max_updates))
            before = Progress() if state is None else state.progress_so_far()
            has_mean = before.averaged_at == before.update
            log = MetricsLog(folder / METRICS, from_update=before.update, has_mean=has_mean)
            hears = [log, display, *listeners, *hears]
        listen = to_all(hears)
        if isinstance(network, ScratchSeq2Seq):
            finished = train_by_hand(plan, network, save_best=save_best, listen=listen, stop=stop)
        else:
            unknown = plan.unknown_on_dev

            def evaluate(network: Seq2Seq) -> Evaluation:
                engine = TorchEngine(network, max_positions=max_positions(blueprint))
                model = Predictor(engine, *plan.codecs, max_length=plan.max_length)
                return evaluate_on_dev(model, plan.dev, world)._replace(unknown=unknown)

            trainer = Trainer(
                network,
                plan.examples,
                training,
                device=device,
                evaluate=evaluate,
                save_best=lambda network, progress: save_best(to_numpy(network.tensors()), progress),
                save_checkpoint=lambda state: save_state(
                    folder, state, plan.codecs, trained_on, config, plan.max_length, processes=world.size
                ),
                listen=listen,
                stop=stop,
                stop_when_perfect=len(plan.dev) >= ENOUGH_DEV_PAIRS,
                epoch_examples=plan.epoch_examples,
                world=world,
                workers=config.data.workers,
            )
            if state:
                trainer.restore(state)
            if state and begun.checkpoint:
                say(f"goes on after update {state.progress['update']:,}")
            finished = trainer.run(tried_first=begun.start is not None)
        world.wait()  # Until the first has written it, there is no model that another could load.
    return Trained(folder, finished, example_of(plan))


def nothing_said(line: str) -> None:
    """What a process says that is not the first."""


def example_of(plan: RunPlan) -> str:
    """Arguments of `seq2see predict` to try the model with."""
    first = plan.data.train[0]
    return shlex.quote(first.source) if plan.source_codec else f"{shlex.quote((first.target or '')[:3])} --sample"


def to_all(listeners: Sequence[Listener]) -> Listener:
    """A listener that passes everything on to all of these."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


def model_config(blueprint: Blueprint, max_length: int, progress: Progress, num_pairs: int) -> dict[str, Any]:
    """config.json: what is needed to build the model again, and where it comes from."""
    return {
        "format": FORMAT,
        "seq2see": __version__,
        "model": asdict(blueprint),
        "max_length": min(max_length, max_positions(blueprint) or max_length),
        "trained": {"pairs": num_pairs, "updates": progress.update, "dev": progress.best},
    }
