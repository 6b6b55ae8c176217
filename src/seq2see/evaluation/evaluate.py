"""A model, or several, held to a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from seq2see.config import Config
from seq2see.data import Pair, PairFile, read_pairs
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation.comparison import Group, against_first, groups_of_seeds
from seq2see.evaluation.errors_file import ranking_of, require_place, write_errors
from seq2see.evaluation.items import Item, items_of, parts_by_label, parts_by_length, parts_by_training
from seq2see.evaluation.report import Answers, Report, assess
from seq2see.evaluation.training_data import Known, config_of, key_of, known_texts
from seq2see.inference.loading import load
from seq2see.inference.options import GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.metrics import METRICS, SAMPLES, Difference, computable, find_metrics, levenshtein, metrics_for
from seq2see.text import Codec

FEWEST_SAMPLES = 100
"""Below this the ends of an interval rest on a sample or two."""
SPELLING = ("characters", "graphemes", "bytes")


@dataclass(frozen=True)
class Request:
    """What a person asks of an evaluation."""

    metrics: tuple[str, ...] | None = None
    """By name; what suits the target where nothing is said."""
    by: str | None = None
    """A further column of the test file: its number, name or key."""
    group: bool = True
    """Whether lines with the same source are one item with several references."""
    beam: int = 1
    batch_size: int = 64
    samples: int = SAMPLES
    """Sets drawn for intervals and p-values."""
    seed: int = 0

    def __post_init__(self) -> None:
        GenerationOptions(beam=self.beam, batch_size=self.batch_size)
        if self.metrics is not None:
            object.__setattr__(self, "metrics", find_metrics(self.metrics))
        if self.samples < FEWEST_SAMPLES:
            fix = f"give {FEWEST_SAMPLES} or more; 1,000 is usual"
            raise ConfigError(f"{self.samples} are too few for an interval", where="samples", fix=fix)
        if self.seed < 0:
            raise ConfigError(f"{self.seed} is below 0", where="seed", fix="give 0 or more")


@dataclass(frozen=True)
class Evaluation:
    """Of one model or several on the same items."""

    runs: tuple[str, ...]
    reports: tuple[Report, ...]
    request: Request
    ranked_by: str
    """The metric by which the table of errors is sorted; empty without one."""
    num_left_out: int = 0
    """Lines of the test file that couldn't be used."""
    against_first: tuple[dict[str, Difference], ...] = ()
    """How each differs from the first, by metric; empty for the first."""
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    """Why something wasn't compared with the training data."""
    lacking: str = ""
    """Why some metric that suits the data was left out."""


def evaluate(
    model: Predictor,
    pairs: Sequence[Pair],
    request: Request | None = None,
    *,
    labels: Sequence[str] = (),
    known: frozenset[str] | None = None,
) -> Report:
    """The report of a model on these pairs.

    `labels` are those of `request.by`, one a pair; `known` are the texts of the training data, as `key_of` gives them:
    items among them are counted and scored apart. Raises DataError without pairs and UserError without the packages
    that the metrics need.
    """
    request = request or Request()
    if not pairs:
        raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
    require_answers(model, request)
    suited = computable(metrics_for(model.target_codec.tokenizer.name))[0] if model.source_codec else ()
    names = request.metrics or suited
    for name in names:
        METRICS[name]([], [])  # what a metric needs and lacks is said before a long search
    items = items_of(pairs, labels, group=request.group)
    parts = parts_by_label(items, request.by or "label")
    num_known = None
    if known is not None:
        is_known = [key_of(pairs[item.rows[0]]) in known for item in items]
        num_known = sum(is_known)
        parts = [*parts_by_training(is_known), *parts]
    if model.source_codec is not None:
        parts += parts_by_length(*lengths_of(items, model.source_codec))
    answers = answers_of(model, pairs, items, request)
    return assess(
        items,
        answers,
        metrics=names,
        parts=parts,
        num_known=num_known,
        samples=request.samples,
        seed=request.seed,
    )


def require_answers(model: Predictor, request: Request) -> None:
    """ConfigError where metrics of answers are asked of a language model, which gives none."""
    if model.source_codec is None and request.metrics:
        raise ConfigError(
            f"{model.name} is a language model: it has a loss and a perplexity, and no answers to measure",
            where="--metrics",
            fix="leave it out",
        )


def lengths_of(items: Sequence[Item], codec: Codec) -> tuple[list[int], str]:
    """How long each source is, in characters, symbols or words, and which of them."""
    name = codec.tokenizer.name
    if name in SPELLING:
        return [len(codec.normalise(item.source)) for item in items], "characters"
    return [len(item.source.split()) for item in items], "symbols" if name == "symbols" else "words"


def answers_of(model: Predictor, pairs: Sequence[Pair], items: Sequence[Item], request: Request) -> Answers:
    """One prediction an item, and how probable every given target is."""
    scores = model.score(pairs, batch_size=request.batch_size)
    predictions = None
    if model.source_codec is not None:
        sources = [item.source for item in items]
        found = model.predict(sources, beam=request.beam, batch_size=request.batch_size)
        predictions = tuple(prediction.text for prediction in found)
    return Answers(
        predictions,
        tuple(tuple(map(model.target_codec.normalise, item.references)) for item in items),
        tuple(score.log_prob for score in scores),
        tuple(score.num_tokens for score in scores),
    )


def evaluate_runs(
    runs: Sequence[Path],
    files: Sequence[Path],
    request: Request,
    *,
    ensemble: bool = False,
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
    errors: Path | None = None,
) -> Evaluation:
    """Each run, or all of them as one ensemble, on a test file; the wrong answers of a single one to `errors`.

    Runs are compared in the metrics that suit the first of them.
    """
    if ensemble and len(runs) == 1:
        raise ConfigError("one run is no ensemble", where="--ensemble", fix="name two runs or more, or leave it out")
    if errors is not None:
        if len(runs) > 1 and not ensemble:
            raise ConfigError("several runs have several tables of errors", where="--errors", fix="name one run")
        require_place(errors, files)
        levenshtein("the table of errors")
    found: PairFile | None = None
    lacking = ""
    columns: Literal["pairs", "target"] = "pairs"
    reports: list[Report] = []
    configs: list[Config | None] = []
    known: list[Known] = []
    codecs: list[Codec] = []
    for members in [list(runs)] if ensemble else [[run] for run in runs]:
        model = load(members, engine=engine, device=device)
        own: Literal["pairs", "target"] = "pairs" if model.source_codec else "target"
        if found is not None and own != columns:
            fix = "evaluate language models by themselves, on text in one column"
            raise ConfigError(
                "a language model and one with sources can't share a table", where=str(members[0]), fix=fix
            )
        require_answers(model, request)
        if errors is not None and model.source_codec is None:
            raise ConfigError("a language model has no wrong answers", where="--errors", fix="leave it out")
        if found is None:
            columns = own
            found = read_pairs(files, columns=columns, skip_bad=skip_bad, label=request.by)
            if request.metrics is None and model.source_codec:
                suited, lacking = computable(metrics_for(model.target_codec.tokenizer.name))
                request = replace(request, metrics=suited)
        configs.append(config_of(members[0]))
        others = [known_of([config_of(other)], [], columns=columns) for other in members[1:]]
        known.append(joined([known_of(configs, known, columns=columns), *others]))
        reports.append(evaluate(model, found.pairs, request, labels=found.labels, known=known[-1].texts))
        codecs.append(model.target_codec)
    assert found is not None
    if errors is not None:
        write_errors(errors, reports[0], codecs[0].tokenizer.name)
    return Evaluation(
        runs=tuple(map(str, runs)) if not ensemble else (" + ".join(map(str, runs)),),
        reports=tuple(reports),
        request=request,
        ranked_by=ranking_of(reports[0], codecs[0].tokenizer.name).scale.title if errors is not None else "",
        num_left_out=found.skipped,
        against_first=tuple(against_first(reports, samples=request.samples, seed=request.seed)),
        groups=tuple(groups_of_seeds(reports, configs)),
        notes=tuple(dict.fromkeys(each.why_not for each in known if each.why_not)),
        lacking=lacking,
    )


def joined(known: Sequence[Known]) -> Known:
    """What any member of an ensemble knows; nothing can be said where that of one is not to be had."""
    for each in known:
        if each.texts is None:
            return each
    return Known(frozenset().union(*(each.texts or () for each in known)), "")


def known_of(configs: Sequence[Config | None], known: Sequence[Known], *, columns: str) -> Known:
    """What the last of the runs knows; files that an earlier run named too are read once."""
    last = configs[-1]
    for config, texts in zip(configs, known, strict=False):
        if config is not None and last is not None and config.data == last.data:
            return texts
    return known_texts(last, has_source=columns == "pairs")
