"""The data behind a report: a run's configuration and training history, its model, and its evaluation."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2see.blueprint import Blueprint
from seq2see.config import Config, make_config, read_toml
from seq2see.curves.history import History, read_history
from seq2see.data import Pair
from seq2see.data.options import TableOptions
from seq2see.data.split import sample_evenly
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions, EvaluationReport, evaluate
from seq2see.evaluation.scoring import require_known_targets
from seq2see.inference.loading import load
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.pair_files import read_for
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import Prediction
from seq2see.pages.advice import Evidence
from seq2see.run.folder import CONFIG
from seq2see.run.pairs import RunData, dev_sample, read_run_data
from seq2see.run.record import without_folders
from seq2see.run.setup import setup_of
from seq2see.storage.saved_model import find_model_folder, load_model

TRAIN_SAMPLE = 300
"""Training pairs that are also scored, to detect overfitting."""
ATTENTION_EXAMPLES, LONGEST = 4, 40
"""Sentences whose attention is shown, and their maximum number of tokens."""


@dataclass(frozen=True)
class ReportData:
    """Everything that the report of a run shows."""

    run: str
    config: Config
    blueprint: Blueprint
    """The model's options, fully resolved."""
    trained: dict[str, Any]
    """Training facts from config.json: pairs, updates, dev metrics."""
    model: Predictor
    num_bytes: int
    """Of the model folder."""
    written: float
    """Modification time, in seconds since 1970."""
    history: History
    report: EvaluationReport
    request: EvaluationOptions
    tested_on: str
    """A description: "the dev pairs", or the file names."""
    num_left_out: int
    num_dev: int | None
    """None if the data can no longer be read."""
    train_loss: float | None
    """Nats per target token on a sample of the training pairs; None likewise."""
    attention: tuple[Prediction, ...]
    unknown: tuple[str, ...]
    """Unknown symbols in the sources, most frequent first."""
    num_unknown: int
    """Items with unknown symbols."""
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The tokenizer of the targets."""
        return self.model.target_codec.tokenizer.name

    def evidence(self) -> Evidence:
        """The input of the rules for advice."""
        measured = next(iter(self.report.measured.values()))
        return Evidence(
            dev_loss=self.history.dev_loss,
            end=self.history.end.reason if self.history.end else None,
            setup=setup_of(
                self.config,
                self.blueprint,
                (self.model.source_codec, self.model.target_codec),
                num_pairs=self.trained.get("pairs", 0),
                has_attention=self.model.has_attention,
            ),
            beam=self.request.beam,
            train_loss=self.train_loss,
            loss=self.report.loss,
            count=self.report.count,
            num_known=self.report.overlap.train,
            unknown=self.unknown,
            num_unknown=self.num_unknown,
            scale=measured.scale if self.model.source_codec else None,
            by_length=[part for part in self.report.slices if part.by == "length"],
            warnings=self.history.warnings,
        )


def collect_report_data(
    run: Path,
    test: Sequence[Path] = (),
    request: EvaluationOptions | None = None,
    *,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
) -> ReportData:
    """Read the run and evaluate its model on the test files, by default on the dev pairs.

    Raises CheckpointError for an incomplete run folder, and ConfigError if there are no pairs to evaluate on.
    """
    request = request or EvaluationOptions()
    history = read_history(run)
    config = make_config(read_toml(run / CONFIG), {}, where=str(run / CONFIG))
    saved = load_model(run)
    model = load(run, engine=engine, device=device)
    has_source = model.source_codec is not None
    notes = []
    data: RunData | None = None
    try:
        codecs = (model.source_codec, model.target_codec)
        fix = "name a file to evaluate on: --test test.tsv"
        data = read_run_data(run, has_source=has_source, fix=fix, codecs=codecs)
    except ConfigError as error:
        if not test:
            raise
        notes.append(f"No loss on training pairs: {error.what} ({Path(error.where).name}).")
    labels: Sequence[str] = ()
    pairs: Sequence[Pair]
    num_left_out = 0
    if test:
        found = read_for(model, list(test), table=table, label=request.label, skip_bad=skip_bad)
        require_known_targets(model, found.pairs)
        if found.format is not None and (said := found.format.describe()):
            notes.append(f"The test file was read as {said}.")
        pairs, labels, num_left_out = found.pairs, found.labels, found.skipped
        tested_on = ", ".join(path.name for path in test)
    else:
        assert data is not None
        pairs, tested_on = dev_sample(data), "the dev pairs"
        if not model.record.is_complete:  # otherwise the scores say it
            notes.append("The best checkpoint was selected on the dev pairs: scores on them are slightly optimistic.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)  # the page has a section for them
        report = evaluate(model, pairs, request, labels=labels)
        attention = attention_examples(model, [item.source for item in report.items])
        train_loss = model.loss(sample_evenly(data.train, TRAIN_SAMPLE)) if data else None
    unknown, num_unknown = unknown_symbols(model, report)
    folder = find_model_folder(run)
    return ReportData(
        run=str(run),
        config=without_folders(config),
        blueprint=saved.blueprint,
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
        unknown=unknown,
        num_unknown=num_unknown,
        notes=tuple(notes),
    )


def attention_examples(model: Predictor, sources: Sequence[str]) -> tuple[Prediction, ...]:
    """Predictions with attention for a few sources that are not too long, evenly spread over the file."""
    if not model.has_attention or model.source_codec is None:
        return ()
    codec = model.source_codec
    fitting = [Pair(source, None, "") for source in sources if 0 < len(codec.encode(source)) <= LONGEST]
    predictions = model.predict([pair.source for pair in sample_evenly(fitting, ATTENTION_EXAMPLES)])
    return tuple(each for each in predictions if each.target_tokens and len(each.target_tokens) <= LONGEST)


def unknown_symbols(model: Predictor, report: EvaluationReport) -> tuple[tuple[str, ...], int]:
    """Unknown tokens in the sources, most frequent first, and the number of items that have any."""
    if model.source_codec is None:
        return (), 0
    each = [set(model.source_codec.unknown(item.source)) for item in report.items]
    counts = Counter(token for tokens in each for token in tokens)
    return tuple(token for token, _ in counts.most_common()), sum(map(bool, each))
