"""A model evaluated on pairs."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import fields

from seq2see.data import Pair
from seq2see.data.source_record import SourceRecord, source_texts
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation.items import LENGTH, Item, items_of, slices_by_label, slices_by_length, slices_by_training
from seq2see.evaluation.options import EvaluationOptions
from seq2see.evaluation.report import EvaluationReport, Outputs, Overlap, assess
from seq2see.evaluation.seen import SEEN, slices_by_seen
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import BatchOptions, GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.metrics import METRICS, SPELLING, are_single_words, computable, find_metrics, metrics_for
from seq2see.text import FIELD_BREAK, UNK, Codec, Fields

FEW = 5
"""Targets of which all may be unknown by chance."""
WER_OF_SYMBOLS = (
    "edits over the symbols of the targets, as in a phone error rate; the word error rate of papers on pronunciation, "
    "the share of wrong words, is 1 - exact match"
)
"""What WER is where each symbol is a word to it."""
SHOWN = 8
"""Tokens that a message names."""


def evaluate(
    predictor: Predictor,
    pairs: Sequence[Pair],
    request: EvaluationOptions | None = None,
    *,
    labels: Sequence[str] = (),
    keys: Sequence[Hashable] | None = None,
) -> EvaluationReport:
    """The scores of a model on these pairs, as `seq2see evaluate` computes them; no run folder is needed.

    `labels` are the values of the column `request.by`, one per pair. Pairs with the same source, or the same of `keys`,
    are one item with several references. Items that the model was trained on are counted
    and scored separately, if it has a record of its training sources. Raises DataError without pairs, and UserError if
    a package that a metric needs isn't installed.
    """
    request = request or EvaluationOptions()
    if not pairs:
        raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
    require_predictions(predictor, request)
    targets = [pair.target or "" for pair in pairs]
    names, missing = metrics_of(predictor, request, pairs)
    for name in names:
        METRICS[name]([], [])  # raises before a long search if a package is missing
    items = items_of(pairs, labels, group=request.group, keys=keys)
    slices = slices_by_label(items, request.by or "label")
    codecs = (predictor.source_codec, predictor.target_codec)
    texts = list(source_texts([pairs[item.rows[0]] for item in items], codecs))
    is_known, was_dev = seen_before(predictor.record, texts)
    if request.by == SEEN:
        slices = slices_by_seen(predictor.record, texts, was_dev, predictor.table.source)
    if predictor.record.is_complete and (request.by != SEEN or predictor.record.fields):
        slices = [*slices_by_training(is_known, was_dev), *slices]
    if predictor.source_codec is not None:
        fewest = 1 if request.by == LENGTH else 2
        slices += slices_by_length(*lengths_of(items, predictor.source_codec), fewest=fewest)
    return assess(
        items,
        outputs_of(predictor, pairs, items, request),
        metrics=names,
        titles={"exact_match": "accuracy"} if are_single_words(predictor.target_codec.tokenizer.name, targets) else {},
        notes={"wer": WER_OF_SYMBOLS} if predictor.target_codec.tokenizer.name == "symbols" else {},
        slices=slices,
        overlap=Overlap(sum(is_known), sum(was_dev), predictor.record.is_complete),
        missing=missing,
        samples=request.samples,
        seed=request.seed,
    )


def require_known_targets(predictor: Predictor, pairs: Sequence[Pair]) -> None:
    """DataError if the model knows no token of any target, as where they are another column than in training.

    Its loss would be that of EOS alone. A few targets may be unknown words.
    """
    codec = predictor.target_codec
    targets = [pair.target or "" for pair in pairs]
    if len(pairs) < FEW or any(id_ != UNK for target in targets for id_ in codec.encode(target, end=False)):
        return
    tokens = [token for token in codec.vocabulary.tokens if codec.vocabulary.id(token) != codec.step]
    raise DataError(
        f"no token of the {len(pairs):,} targets is one that the model was trained on: the first target is "
        f"{targets[0]!r:.80}, and the model writes {' '.join(tokens[:SHOWN])}{' …' if len(tokens) > SHOWN else ''}",
        where=pairs[0].origin,
        fix="name the columns that it was trained on: --source … --target …; or write the targets as in training",
    )


def seen_before(record: SourceRecord, texts: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """For each source whether the model was trained on it, and if not, whether it was among its dev pairs."""
    is_known, was_dev = (each.contains(texts) for each in (record.train, record.dev))
    return is_known, [dev and not known for dev, known in zip(was_dev, is_known, strict=True)]


def metrics_of(predictor: Predictor, request: EvaluationOptions, pairs: Sequence[Pair]) -> tuple[tuple[str, ...], str]:
    """The metrics to compute, and which of the defaults can't be computed here. ConfigError for an unknown name.

    By default they are those that suit the pairs, after that which selected the model in training.
    """
    if request.metrics is not None:
        return find_metrics(request.metrics), ""
    if predictor.source_codec is None:
        return (), ""
    targets, sources = [pair.target or "" for pair in pairs], [pair.source for pair in pairs]
    usual = metrics_for(predictor.target_codec.tokenizer.name, targets, sources)
    own = [predictor.metric] if predictor.metric in METRICS and predictor.metric not in usual else []
    return computable([*own, *usual])


def require_predictions(predictor: Predictor, request: EvaluationOptions) -> None:
    """ConfigError if metrics of predictions are requested for a language model."""
    if predictor.source_codec is None and request.metrics:
        raise ConfigError(
            f"{predictor.name} is a language model: it has a loss and a perplexity, but no predictions to score",
            where="metrics",
            fix="leave it out",
        )
    if predictor.source_codec is None and request.by == LENGTH:
        what = f"{predictor.name} is a language model, which has no sources to group by length"
        raise ConfigError(what, where="by", fix="leave it out")


def lengths_of(items: Sequence[Item], codec: Codec) -> tuple[list[int], str]:
    """The length of each source, and its unit: characters, symbols or words; of several fields, tokens."""
    name = codec.tokenizer.name
    if isinstance(codec.tokenizer, Fields):
        return [len(codec.encode(item.source, end=False)) - item.source.count(FIELD_BREAK) for item in items], "tokens"
    if name in SPELLING:
        return [len(codec.normalize(item.source)) for item in items], "characters"
    return [len(item.source.split()) for item in items], "symbols" if name == "symbols" else "words"


def outputs_of(
    predictor: Predictor, pairs: Sequence[Pair], items: Sequence[Item], request: EvaluationOptions
) -> Outputs:
    """One prediction per item, and the log-probability of every given target.

    What can't be read has an empty prediction, or no part in the loss, and the library warns of it.
    """
    reading = {field.name: getattr(request, field.name) for field in fields(BatchOptions)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)  # the report says what targets lack, `predict` the rest
        scores = predictor.score(pairs, **reading)
    counted = [score.counted for score in scores]
    unknown = tuple(score.unknown for score in scores)
    predictions = None
    if predictor.source_codec is not None:
        sources = [item.source for item in items]
        asked = {name: getattr(request, name) for name in ("beam", "length_penalty", "mbr")}
        search = GenerationOptions(**asked, **reading)
        found = predictor.predict(sources, search)
        predictions = tuple(prediction.text for prediction in found)
    return Outputs(
        predictions,
        tuple(tuple(map(predictor.target_codec.normalize, item.references)) for item in items),
        tuple(log_prob for log_prob, _ in counted),
        tuple(num_tokens for _, num_tokens in counted),
        unknown if any(unknown) else (),
    )
