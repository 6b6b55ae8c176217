"""From a configuration to a trained model: everything wired together, and a run folder that holds it all.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import math
import shlex
import signal
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from peeky import __version__
from peeky.by_hand import as_by_hand, network_of, train_by_hand
from peeky.card import card_text
from peeky.changes import option_changes, pair_changes, require_same_options, require_same_pairs, trace
from peeky.checkpoint import FORMAT, save_model
from peeky.checkpoints import Checkpoint, load_checkpoint, set_aside
from peeky.config import Config
from peeky.data import Examples, Pair
from peeky.errors import ConfigError, did_you_mean
from peeky.folder import (
    CHECKPOINTS,
    METRICS,
    MODEL,
    clean_run,
    prepare,
    require_free,
    set_options,
    stored_config,
    write_config,
)
from peeky.loading import load
from peeky.model import Blueprint, Seq2Seq, build, longest, resolve
from peeky.planning import Plan, plan_run
from peeky.prediction import Prediction
from peeky.predictor import Model, UnknownTextWarning
from peeky.progress import Display, MetricsLog, say_to
from peeky.scratch import Seq2seq
from peeky.torch_engine import TorchEngine, find_device
from peeky.training import (
    Evaluation,
    Event,
    Finished,
    Listener,
    Progress,
    Sample,
    Trainer,
    TrainingState,
    Tried,
    choose_precision,
)
from peeky.training_state import config_of, save_state, state_of, to_numpy, trace_of, versions_said

TRAINING_ENGINES = ("torch", "scratch")
ENOUGH_DEV_PAIRS = 100
"""From here on a dev set answered without a mistake is a reason to stop; fewer pairs are answered by luck."""
SAMPLES = 3
"""Predictions shown at each evaluation."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    folder: Path
    finished: Finished
    example: str
    """Arguments of `peeky predict` to try it with."""

    def load(self, device: str = "auto") -> Model:
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
    force: bool = False,
    console: Console | None = None,
    listeners: Sequence[Listener] = (),
) -> Trained:
    """Train the configured model on its files (or on `pairs`) and leave everything in `folder`.

    `resume` goes on with the run that is there, `force` replaces it; without either a folder that exists is refused.
    `given` are the keys that someone set: a run is not resumed with other values of these than it was started with,
    nor with other pairs; `allow_changes` goes on with other pairs and with other options of data and training, the
    vocabularies and the model staying what they are. `fallback_previous` goes on from the newest checkpoint that is
    intact where a newer one is damaged.
    `engine` is torch, or scratch for the models written by hand in NumPy, which can't be resumed.
    """
    if engine not in TRAINING_ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", where="engine", fix=did_you_mean(engine, TRAINING_ENGINES))
    console = console or Console(stderr=True)
    say = say_to(console)
    # What is wrong with the model is said before all else.
    if resolve(config.model).tie == "all" and not config.text.joint:
        raise ConfigError(
            "one table for both sides needs one vocabulary for both", where="model.tie", fix="set text.joint=true too"
        )
    by_hand = engine == "scratch"
    if by_hand and device not in ("auto", "cpu"):
        raise ConfigError(f"the models by hand don't calculate on {device}", where="--device", fix="leave it out")
    where = find_device(device)
    if resume and force:
        raise ConfigError("a run can't be resumed and replaced", where="--resume --force", fix="give one of the two")
    if not resume and (fallback_previous or allow_changes):
        which = "--fallback-previous" if fallback_previous else "--allow-changes"
        raise ConfigError("only a run that is resumed can do so", where=which, fix="add --resume, or leave it out")
    if by_hand and resume:
        raise ConfigError("a run by hand keeps no checkpoints", where="--resume", fix="train again with --force")
    checkpoint: Checkpoint | None = None
    changed = False
    if resume:
        checkpoint, config, changed = take_up(folder, config, given, fallback_previous, allow_changes)
    else:
        require_free(folder, force=force)
    if by_hand:
        config = as_by_hand(config, given)
    plan = plan_run(config, pairs, dev_pairs, codecs=checkpoint.codecs if checkpoint else None, given=given)
    if by_hand:
        plan = replace(plan, config=as_by_hand(plan.config, ()))
    config, training, blueprint = plan.config, plan.config.training, plan.blueprint
    if training.precision == "auto":
        training = replace(training, precision=choose_precision(where, blueprint.width))
        config = replace(config, training=training)
    network: Seq2Seq | Seq2seq
    if by_hand:
        network = network_of(blueprint, plan.sizes, training.seed)
    else:
        torch.manual_seed(training.seed)
        network = build(blueprint, plan.sizes)
    num_parameters = sum(math.prod(tensor.shape) for tensor in network.tensors().values())
    for line in plan.said:
        say(line)
    place = "by hand in NumPy" if by_hand else f"{training.precision} on {where}"
    say(f"{blueprint.name}: {num_parameters:,} parameters, {place}; run folder {folder}")

    corpus = plan.data.corpus
    dev_examples = Examples.encode(plan.data.dev, *plan.codecs)
    trained_on = trace(plan.examples, dev_examples, corpus=corpus.digest if corpus else "")
    state: TrainingState | None = None
    if checkpoint:
        before = trace_of(checkpoint)
        others = pair_changes(before, trained_on, plan.data.train, plan.data.dev)
        if not allow_changes:
            require_same_pairs(others, where=str(folder))
        for line in (*damage_said(checkpoint), *versions_said(checkpoint)):
            say(line)
        state = state_of(checkpoint)
        if others:
            say(f"note: the pairs are not those the run was started with: {others}")
        if others and not np.array_equal(before.dev, trained_on.dev):
            say("note: dev is another one: which model is the best is decided anew")
            state.progress.update(best={}, best_update=0, evaluations_without_better=0, evaluations_without_mistake=0)
        set_aside(checkpoint)
        if changed:
            write_config(folder, config)
    else:
        prepare(folder, config)

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
        display = stack.enter_context(Display(console, training.max_updates))
        stop = stack.enter_context(stop_on_signal(say))
        log = MetricsLog(folder / METRICS, from_update=state.progress["update"] if state else 0)
        listen = to_all((log, display, *listeners, *([lambda _: corpus.release()] if corpus else [])))
        if isinstance(network, Seq2seq):
            finished = train_by_hand(plan, network, save_best=save_best, listen=listen, stop=stop)
        else:
            predictor = Model(
                TorchEngine(network, longest=longest(blueprint)), *plan.codecs, max_length=plan.max_length
            )
            unknown = plan.unknown_on_dev
            trainer = Trainer(
                network,
                plan.examples,
                training,
                device=where,
                evaluate=lambda _: try_on(predictor, plan.dev)._replace(unknown=unknown),
                save_best=lambda network, progress: save_best(to_numpy(network.tensors()), progress),
                save_checkpoint=lambda state: save_state(folder, state, plan.codecs, trained_on, config),
                listen=listen,
                stop=stop,
                stop_when_perfect=len(plan.dev) >= ENOUGH_DEV_PAIRS,
                recut=plan.recut,
                workers=config.data.workers,
            )
            if state:
                trainer.restore(state)
                say(f"goes on after update {state.progress['update']:,}")
            finished = trainer.run()
    return Trained(folder, finished, example_of(plan))


def take_up(
    folder: Path, config: Config, given: Collection[str], fallback_previous: bool, allow_changes: bool
) -> tuple[Checkpoint, Config, bool]:
    """What a run goes on from, with which configuration, and whether that is another than it was started with."""
    stored = stored_config(folder)
    clean_run(folder)
    checkpoint = load_checkpoint(folder / CHECKPOINTS, fallback_previous=fallback_previous)
    wanted = set_options(stored, config, given)
    changes = option_changes(config_of(checkpoint), wanted)
    require_same_options(changes, allow=allow_changes)
    if "training.max_epochs" in changes and "training.max_updates" not in changes:
        # How many updates that is follows from the epochs, as in a new run.
        wanted = replace(wanted, training=replace(wanted.training, max_updates=None))
    return checkpoint, wanted, bool(changes)


def damage_said(checkpoint: Checkpoint) -> list[str]:
    """What to say of the checkpoints that were passed over."""
    return [f"note: {error.where} {error.what}; it is passed over and set aside" for error in checkpoint.damaged]


def example_of(plan: Plan) -> str:
    """Arguments of `peeky predict` to try the model with."""
    first = plan.data.train[0]
    return shlex.quote(first.source) if plan.source_codec else f"{shlex.quote((first.target or '')[:3])} --sample"


def to_all(listeners: Sequence[Listener]) -> Listener:
    """A listener that passes everything on to all of these."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


def try_on(model: Model, dev: Sequence[Pair]) -> Evaluation:
    """Exact match (where there is a source) and loss on dev, and the first few predictions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        scores = model.evaluate(dev)
    samples = tuple(
        Sample(pair.source, prediction.text, model.target_codec.normalise(pair.target or ""))
        for pair, prediction in zip(dev[:SAMPLES], scores.predictions, strict=False)
    )
    if scores.exact_match is None:
        drawn = model.predict([""] * SAMPLES, sample=True)
        return Evaluation({"loss": scores.loss}, tuple(Sample("", prediction.text, "") for prediction in drawn))
    tried = tuple(tried_of(model, pair, prediction) for pair, prediction in zip(dev, scores.predictions, strict=True))
    return Evaluation({"exact_match": scores.exact_match, "loss": scores.loss}, samples, tried)


def tried_of(model: Model, pair: Pair, prediction: Prediction) -> Tried:
    """A pair of dev with its answer, in the same normal form."""
    codec, target = model.target_codec, pair.target or ""
    return Tried(
        codec.normalise(pair.source),
        prediction.text,
        codec.normalise(target),
        tuple(prediction.target_tokens[: len(prediction.target_tokens) - prediction.finished]),
        len(codec.encode(target)) - 1,
        prediction.finished,
    )


def model_config(blueprint: Blueprint, max_length: int, progress: Progress, num_pairs: int) -> dict[str, Any]:
    """config.json: what is needed to build the model again, and where it comes from."""
    return {
        "format": FORMAT,
        "peeky": __version__,
        "model": asdict(blueprint),
        "max_length": min(max_length, longest(blueprint) or max_length),
        "trained": {"pairs": num_pairs, "updates": progress.update, "dev": progress.best},
    }


@contextmanager
def stop_on_signal(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """A function that says whether to stop: after the first Ctrl-C or SIGTERM; a second ends at once."""
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        # A signal that comes while a line is being written: the streams can't be entered twice.
        with suppress(RuntimeError):
            say("stopping after this update; once more to stop at once")

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # only the main thread can listen to signals
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
