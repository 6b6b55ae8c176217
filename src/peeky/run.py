"""From a configuration to a trained model: everything wired together, and a run folder that holds it all.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import shlex
import signal
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from peeky import __version__
from peeky.card import card_text
from peeky.checkpoint import FORMAT, load_codecs, save_model
from peeky.config import Config
from peeky.data import Examples, Pair, read_pairs, split_dev
from peeky.errors import ConfigError
from peeky.folder import (
    CHECKPOINTS,
    METRICS,
    MODEL,
    fingerprint,
    load_state,
    prepare,
    require_free,
    require_same,
    save_state,
    stored_config,
    to_numpy,
)
from peeky.loading import load
from peeky.model import Blueprint, Seq2Seq, Sizes, build, find, longest, resolve
from peeky.predictor import Model, UnknownTextWarning
from peeky.progress import Display, MetricsLog, say_to
from peeky.recipe import (
    SENTENCE_UNITS,
    build_codecs,
    choose_model,
    choose_text,
    choose_training,
    recut_of,
    vocabulary_lines,
)
from peeky.text import UNK
from peeky.torch_engine import TorchEngine, find_device
from peeky.training import (
    Evaluation,
    Event,
    Finished,
    Listener,
    Progress,
    Sample,
    Trainer,
    choose_precision,
)

DEV_PAIRS = 1000
"""At most so many pairs of dev are tried while training."""
ENOUGH_DEV_PAIRS = 100
"""From here on a dev set answered without a mistake is a reason to stop; fewer pairs are answered by luck."""
SAMPLES = 3
"""Predictions shown at each evaluation."""


@dataclass(frozen=True)
class Data:
    """Training and dev pairs, and what there is to say about them."""

    train: list[Pair]
    dev: list[Pair]
    said: list[str]


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
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    console: Console | None = None,
    listeners: Sequence[Listener] = (),
) -> Trained:
    """Train the configured model on its files (or on `pairs`) and leave everything in `folder`.

    `resume` goes on with the run that is there, `force` replaces it; without either a folder that exists is refused.
    `given` are the keys that someone set: a run is not resumed with other values of these than it was started with.
    """
    console = console or Console(stderr=True)
    say = say_to(console)
    # What is wrong with the model is said before all else.
    if resolve(config.model).tie == "all" and not config.text.joint:
        raise ConfigError(
            "one table for both sides needs one vocabulary for both", where="model.tie", fix="set text.joint=true too"
        )
    where = find_device(device)
    if resume and force:
        raise ConfigError("a run can't be resumed and replaced", where="--resume --force", fix="give one of the two")
    if resume:
        stored = stored_config(folder)
        require_same(config, stored, given)
        config = stored
    else:
        require_free(folder, force=force)
    has_source = find(resolve(config.model).name).has_source
    data = read_data(config, pairs, dev_pairs, has_source=has_source)
    text, said_text = choose_text(config.text, data.train, has_source=has_source)
    stored_codecs = load_codecs(folder / CHECKPOINTS) if resume else None
    codecs = stored_codecs or build_codecs(text, data.train, has_source=has_source)
    source_codec, target_codec = codecs
    examples = Examples.encode(data.train, source_codec, target_codec)
    recut = recut_of(text, data.train, codecs, seed=config.training.seed)
    said_text += [*vocabulary_lines(text, codecs), *unknown_lines(examples)]
    model, said_model = choose_model(config.model, len(data.train))
    training, said_training = choose_training(
        config.training, examples, can_match=has_source and text.target not in SENTENCE_UNITS, recut=recut
    )
    if training.precision == "auto":
        training = replace(training, precision=choose_precision(where, resolve(model).width))
    config = replace(config, text=text, model=model, training=training)

    blueprint = resolve(model)
    sizes = Sizes(len(source_codec.vocabulary) if source_codec else 0, len(target_codec.vocabulary))
    torch.manual_seed(training.seed)
    network = build(blueprint, sizes)
    predictor = Model(
        TorchEngine(network, longest=longest(blueprint)),
        source_codec,
        target_codec,
        max_length=hard_maximum(examples.target_lengths),
        name=blueprint.name,
    )
    dev = spread(data.dev, DEV_PAIRS)
    for pairs_of, encoded in ((data.train, examples), (dev, Examples.encode(dev, source_codec, target_codec))):
        predictor.require_room(encoded, [pair.origin for pair in pairs_of])
    for line in [*data.said, *said_text, *said_model, *said_training]:
        say(line)
    say(
        f"{blueprint.name}: {predictor.num_parameters:,} parameters, {training.precision} on {where}; "
        f"run folder {folder}"
    )

    data_hash = fingerprint(examples, codecs, data.dev)
    if not resume:
        prepare(folder, config)

    def save_best(network: Seq2Seq, progress: Progress) -> None:
        save_model(
            folder / MODEL,
            config=model_config(blueprint, predictor, progress, len(data.train)),
            tensors=to_numpy(network.tensors()),
            source_codec=source_codec,
            target_codec=target_codec,
            card=card_text(blueprint, predictor, progress, data.train),
        )

    with ExitStack() as stack:
        assert training.max_updates
        display = stack.enter_context(Display(console, training.max_updates))
        stop = stack.enter_context(stop_on_signal(say))
        state = load_state(folder, data_hash) if resume else None
        log = MetricsLog(folder / METRICS, from_update=state.progress["update"] if state else 0)
        trainer = Trainer(
            network,
            examples,
            training,
            device=where,
            evaluate=lambda _: try_on(predictor, dev),
            save_best=save_best,
            save_checkpoint=lambda state: save_state(folder, state, codecs, data_hash),
            listen=to_all((log, display, *listeners)),
            stop=stop,
            stop_when_perfect=len(dev) >= ENOUGH_DEV_PAIRS,
            recut=recut,
        )
        if state:
            trainer.restore(state)
            say(f"goes on after update {state.progress['update']:,}")
        finished = trainer.run()
    first = data.train[0]
    example = shlex.quote(first.source) if has_source else f"{shlex.quote((first.target or '')[:3])} --sample"
    return Trained(folder, finished, example)


def read_data(
    config: Config, pairs: Sequence[Pair] | None, dev_pairs: Sequence[Pair] | None, *, has_source: bool
) -> Data:
    """The pairs given, or those of the configured files; without dev a part of train is set aside."""
    said: list[str] = []

    def read(paths: Sequence[str], name: str) -> list[Pair]:
        found = read_pairs(
            [Path(path) for path in paths], columns="pairs" if has_source else "target", skip_bad=config.data.skip_bad
        )
        if found.skipped:
            first = found.problems[0]
            said.append(
                f"{name}: left out {found.skipped:,} lines that can't be used, first {first.origin}: {first.what}"
            )
        if found.num_not_normalised and config.text.normalization != "none":
            said.append(
                f"{name}: {found.num_not_normalised:,} pairs were not in Unicode form NFC; "
                f"all text is brought to {config.text.normalization}"
            )
        return found.pairs

    if pairs is None and not config.data.train:
        raise ConfigError("no training data were given", where="data.train", fix="name a file: peeky train pairs.tsv")
    train = list(pairs) if pairs is not None else read(config.data.train, "train")
    if dev_pairs is not None or config.data.dev:
        dev = list(dev_pairs) if dev_pairs is not None else read(config.data.dev, "dev")
        said.insert(0, f"data: {len(train):,} pairs to train on, {len(dev):,} dev pairs")
        sources = {pair.source or pair.target for pair in train}
        shared = sum((pair.source or pair.target) in sources for pair in dev)
        if shared:
            said.append(f"note: {shared:,} of the {len(dev):,} dev pairs have a source that is also in train")
    else:
        total = len(train)
        train, dev = split_dev(train, seed=config.training.seed, share=config.data.dev_share, most=DEV_PAIRS)
        kind = "sources" if has_source else "lines"
        said.insert(
            0,
            f"data: {total:,} pairs, of which {len(dev):,} are set aside as dev "
            f"(by distinct {kind}, seed {config.training.seed})",
        )
    return Data(train, dev, said)


def unknown_lines(examples: Examples) -> list[str]:
    """What to say of tokens that the vocabularies leave out."""
    shares = {"source": examples.source_ids == UNK, "target": examples.target_ids == UNK}
    return [
        f"{side}: {100 * unknown.mean():.1f} % of the tokens are too rare for the vocabulary and read as unknown "
        "(text.max_vocabulary, text.min_count)"
        for side, unknown in shares.items()
        if unknown.any()
    ]


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
    return Evaluation({"exact_match": scores.exact_match, "loss": scores.loss}, samples)


def spread(pairs: list[Pair], most: int) -> list[Pair]:
    """At most so many pairs, evenly spread over the list: files are often sorted."""
    return pairs if len(pairs) <= most else [pairs[i * len(pairs) // most] for i in range(most)]


def hard_maximum(target_lengths: np.ndarray) -> int:
    """Target tokens after which generation stops in any case: well beyond the longest target seen in training."""
    return int(target_lengths.max() * 3 // 2 + 10)


def model_config(blueprint: Blueprint, model: Model, progress: Progress, num_pairs: int) -> dict[str, Any]:
    """config.json: what is needed to build the model again, and where it comes from."""
    return {
        "format": FORMAT,
        "peeky": __version__,
        "model": asdict(blueprint),
        "max_length": model.max_length,
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
