"""All that a report is made of: a run's configuration and course, its model, and how it does on pairs."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seq2see.config import Config, make_config, read_toml
from seq2see.curves.history import History, read_history
from seq2see.data import Pair, read_pairs
from seq2see.data.split import DEV_PAIRS, spread
from seq2see.errors import ConfigError, UserError
from seq2see.evaluation import Report, Request, evaluate
from seq2see.evaluation.training_data import key_of, known_texts
from seq2see.inference.loading import load
from seq2see.inference.predictor import Predictor, UnknownTextWarning
from seq2see.inference.results import Prediction
from seq2see.pages.advice import Evidence
from seq2see.run.folder import CONFIG
from seq2see.run.pairs import RunData, read_data
from seq2see.storage.saved_model import find_model_folder, load_model

TRAIN_SAMPLE = 300
"""Training pairs that the model is tried on too, to see what it knows by heart."""
PICTURED, LONGEST = 4, 40
"""Sentences whose attention is shown, and their tokens at most."""


@dataclass(frozen=True)
class Gathered:
    """What is known of a run."""

    run: str
    config: Config
    blueprint: dict[str, Any]
    """The model's own options, nothing left open."""
    trained: dict[str, Any]
    """What config.json says of its training: pairs, updates, dev metrics."""
    model: Predictor
    num_bytes: int
    """Of the model folder."""
    written: float
    """When, in seconds since 1970."""
    history: History
    report: Report
    request: Request
    tested_on: str
    """In words: the dev pairs, or the names of the files."""
    num_left_out: int
    num_dev: int | None
    """None where the data are no longer there."""
    train_loss: float | None
    """Nats per target token of some training pairs; likewise."""
    attention: tuple[Prediction, ...]
    unseen: tuple[str, ...]
    """Symbols of the items' sources that the vocabulary lacks, the most frequent first."""
    num_unseen: int
    """Items with such a symbol."""
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What targets are made of."""
        return self.model.target_codec.tokenizer.name

    def evidence(self) -> Evidence:
        """What the rules for advice look at."""
        measured = next(iter(self.report.measured.values()))
        return Evidence(
            dev_loss=self.history.dev_loss,
            end=self.history.end.reason if self.history.end else None,
            max_updates=self.config.training.max_updates or 0,
            width=self.blueprint["width"],
            dropout=self.blueprint["dropout"],
            has_attention=self.model.has_attention,
            direction=self.blueprint["direction"],
            train_loss=self.train_loss,
            loss=self.report.loss,
            count=self.report.count,
            num_known=self.report.num_known,
            unseen=self.unseen,
            num_unseen=self.num_unseen,
            scale=measured.scale if self.model.source_codec else None,
            by_length=[part for part in self.report.slices if part.by == "length"],
            alarms=self.history.alarms,
        )


def gather(
    run: Path,
    test: Sequence[Path] = (),
    request: Request | None = None,
    *,
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
) -> Gathered:
    """Read the run and try its model on the test files, or else on the dev pairs it was chosen by.

    Raises CheckpointError for what is no whole run folder, and ConfigError where there are no pairs to try it on.
    """
    request = request or Request()
    history = read_history(run)
    config = make_config(read_toml(run / CONFIG), {}, where=str(run / CONFIG))
    saved = load_model(run)
    model = load(run, engine=engine, device=device)
    has_source = model.source_codec is not None
    columns: Literal["pairs", "target"] = "pairs" if has_source else "target"
    notes = []
    data: RunData | None = None
    try:
        data = read_data(config, None, None, has_source=has_source)
    except UserError as error:
        if not test:
            fix = "name a file of pairs to try the model on: --test test.tsv"
            raise ConfigError(f"its dev pairs can't be read: {error.what}", where=error.where, fix=fix) from None
        notes.append(f"The training data can't be read, so nothing is compared with them: {error.what}")
    if data and data.corpus:
        notes.append("Which texts are known from training can't be told: a prepared corpus holds ids and no texts.")
    labels: Sequence[str] = ()
    pairs: Sequence[Pair]
    known = None
    num_left_out = 0
    if test:
        found = read_pairs(list(test), columns=columns, skip_bad=skip_bad, label=request.by)
        pairs, labels, num_left_out = found.pairs, found.labels, found.skipped
        known = known_texts(config, has_source=has_source).texts if data else None
        tested_on = ", ".join(map(str, test))
    else:
        assert data is not None
        pairs, tested_on = spread(data.dev, DEV_PAIRS), "the dev pairs"
        known = None if data.corpus else frozenset(map(key_of, data.train))
        notes.append("The dev pairs decided which model was kept, so its figures on them are a little too good.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)  # the page says it in its own place
        report = evaluate(model, pairs, request, labels=labels, known=known)
        attention = look(model, [item.source for item in report.items])
        train_loss = model.loss(spread(data.train, TRAIN_SAMPLE)) if data else None
    unseen, num_unseen = unknown_symbols(model, report)
    folder = find_model_folder(run)
    return Gathered(
        run=str(run),
        config=config,
        blueprint=saved.config["model"],
        trained=saved.config.get("trained", {}),
        model=model,
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        written=max(path.stat().st_mtime for path in folder.iterdir()),
        history=history,
        report=report,
        request=request,
        tested_on=tested_on,
        num_left_out=num_left_out,
        num_dev=len(data.dev) if data else None,
        train_loss=train_loss,
        attention=attention,
        unseen=unseen,
        num_unseen=num_unseen,
        notes=tuple(notes),
    )


def look(model: Predictor, sources: Sequence[str]) -> tuple[Prediction, ...]:
    """The answers, with attention, to a few sources that are spread over the file and not too long."""
    if not model.has_attention or model.source_codec is None:
        return ()
    codec = model.source_codec
    fitting = [Pair(source, None, "") for source in sources if 0 < len(codec.encode(source)) <= LONGEST]
    answers = model.predict([pair.source for pair in spread(fitting, PICTURED)])
    return tuple(each for each in answers if each.target_tokens and len(each.target_tokens) <= LONGEST)


def unknown_symbols(model: Predictor, report: Report) -> tuple[tuple[str, ...], int]:
    """Tokens of the sources that training never had, the most frequent first, and how many items have some."""
    if model.source_codec is None:
        return (), 0
    each = [set(model.source_codec.unknown(item.source)) for item in report.items]
    counts = Counter(token for tokens in each for token in tokens)
    return tuple(token for token, _ in counts.most_common()), sum(map(bool, each))
