"""From a configuration to a trained model: everything wired together, and a run folder that holds it all.

RUN/config.toml      what was trained on what, nothing left open; itself a recipe
RUN/metrics.jsonl    one line an event
RUN/model/           the best model: what ships
RUN/checkpoints/     what `--resume` goes on from
"""

from __future__ import annotations

import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from peeky import __version__
from peeky.card import card_text
from peeky.checkpoint import FORMAT, load_checkpoint, save_checkpoint, save_model
from peeky.config import Config, make_config, read_toml, to_toml
from peeky.data import Columns, Examples, Pair, read_pairs, split_dev
from peeky.errors import CheckpointError, ConfigError
from peeky.model import DEFAULT, Blueprint, Seq2Seq, Sizes, build, find, resolve
from peeky.predictor import Model, UnknownTextWarning, find_device, load
from peeky.progress import Display, MetricsLog, say_to
from peeky.recipe import build_codecs, choose_model, choose_text, choose_training
from peeky.training import (
    Evaluation,
    Event,
    Finished,
    Listener,
    Progress,
    Sample,
    Trainer,
    TrainingState,
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

    def load(self, device: str = "auto") -> Model:
        """Its best model."""
        return load(self.folder, device=device)


def train(
    config: Config,
    folder: Path,
    *,
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
    """
    console = console or Console(stderr=True)
    say = say_to(console)
    has_source = find(resolve(config.model).name).has_source  # what is wrong with the model is said before all else
    where = find_device(device)
    if resume and force:
        raise ConfigError("a run can't be resumed and replaced", where="--resume --force", fix="give one of the two")
    if resume:
        config = resumed_config(config, folder)
    else:
        require_free(folder, force=force)
    data = read_data(config, pairs, dev_pairs, has_source=has_source)
    text, said_text = choose_text(config.text, data.train, has_source=has_source)
    source_codec, target_codec = build_codecs(text, data.train, has_source=has_source)
    examples = Examples.encode(data.train, source_codec, target_codec)
    model, said_model = choose_model(config.model, len(data.train))
    training, said_training = choose_training(config.training, examples, has_source=has_source)
    if training.precision == "auto":
        training = replace(training, precision=choose_precision(where, resolve(model).width))
    config = replace(config, text=text, model=model, training=training)

    blueprint = resolve(model)
    sizes = Sizes(len(source_codec.vocabulary) if source_codec else 0, len(target_codec.vocabulary))
    torch.manual_seed(training.seed)
    network = build(blueprint, sizes)
    predictor = Model(
        network, source_codec, target_codec, max_length=hard_maximum(examples.target_lengths), name=blueprint.name
    )
    for line in [*data.said, *said_text, *said_model, *said_training]:
        say(line)
    say(
        f"{blueprint.name}: {predictor.num_parameters:,} parameters, {training.precision} on {where}; "
        f"run folder {folder}"
    )

    prepare_folder(folder, config, resume=resume)
    dev = spread(data.dev, DEV_PAIRS)
    checkpoint_folder = folder / "checkpoints"

    def save_best(network: Seq2Seq, progress: Progress) -> None:
        save_model(
            folder / "model",
            config=model_config(blueprint, predictor, progress, len(data.train)),
            tensors=to_numpy(network.state_dict()),
            source_codec=source_codec,
            target_codec=target_codec,
            card=card_text(blueprint, predictor, progress, data.train),
        )

    def save_state(state: TrainingState) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in state.model.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
        save_checkpoint(checkpoint_folder, state.progress["update"], to_numpy(tensors), state.progress)

    with ExitStack() as stack:
        assert training.max_updates
        display = stack.enter_context(Display(console, training.max_updates))
        stop = stack.enter_context(stop_on_signal(say))
        state = stored_state(checkpoint_folder) if resume else None
        log = MetricsLog(folder / "metrics.jsonl", from_update=state.progress["update"] if state else 0)
        trainer = Trainer(
            network,
            examples,
            training,
            device=where,
            evaluate=lambda _: try_on(predictor, dev),
            save_best=save_best,
            save_checkpoint=save_state,
            listen=to_all((log, display, *listeners)),
            stop=stop,
            stop_when_perfect=len(dev) >= ENOUGH_DEV_PAIRS,
        )
        if state:
            trainer.restore(state)
            say(f"goes on after update {state.progress['update']:,}")
        finished = trainer.run()
    return Trained(folder, finished)


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


def to_numpy(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Copies on the CPU, independent of what training does next."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def stored_state(folder: Path) -> TrainingState:
    """The newest checkpoint as the trainer wants it."""
    arrays, progress = load_checkpoint(folder)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

    return TrainingState(part("model."), part("optimizer."), progress)


def require_free(folder: Path, *, force: bool) -> None:
    """Refuse a folder that exists, unless forced; what isn't a run is never replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / "config.toml").exists():
        raise ConfigError("exists and is not a peeky run", where=str(folder), fix="choose another folder with --out")
    if not force:
        raise ConfigError(
            "this run exists already",
            where=str(folder),
            fix="go on with it (--resume), replace it (--force), or choose another folder (--out)",
        )


def prepare_folder(folder: Path, config: Config, *, resume: bool) -> None:
    """Make the run folder, empty but for config.toml."""
    if resume:
        return
    try:
        for name in ("model", "checkpoints"):
            shutil.rmtree(folder / name, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(to_toml(config), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"can't be made: {error.strerror}", where=str(folder), fix="choose another folder with --out"
        ) from None


def resumed_config(config: Config, folder: Path) -> Config:
    """The configuration that the run was started with; a different one is refused."""
    path = folder / "config.toml"
    if not path.exists():
        raise CheckpointError("there is no run to resume", where=str(folder), fix="leave out --resume to start one")
    stored = make_config(read_toml(path), {}, where=str(path))
    for section in ("data", "text", "model", "training"):
        given, kept, usual = (asdict(getattr(c, section)) for c in (config, stored, Config()))
        for key, value in given.items():
            if value not in (kept[key], usual[key]):
                raise ConfigError(
                    f"is {value!r} now, the run was started with {kept[key]!r}",
                    where=f"{section}.{key}",
                    fix="resume with the options the run was started with, or start a new run with --out",
                )
    return stored


def first_source(folder: Path) -> str:
    """The first source that the run in `folder` was trained on."""
    stored = make_config(read_toml(folder / "config.toml"), {})
    columns: Columns = "pairs" if find(stored.model.name or DEFAULT).has_source else "target"
    return read_pairs([Path(path) for path in stored.data.train], columns=columns, skip_bad=True).pairs[0].source


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
