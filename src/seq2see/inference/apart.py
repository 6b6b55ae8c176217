"""Requests read one by one, so that each can be answered in any company: what a service puts into its queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from seq2see.data import Examples, Pair
from seq2see.inference.answering import answer_batches
from seq2see.inference.asking import Asked
from seq2see.inference.checking import require_known
from seq2see.inference.options import PER_TEXT, BatchOptions, GenerationArguments, GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.reading import Readable, read_pairs
from seq2see.inference.results import PairScore, Prediction, unscored
from seq2see.inference.scoring import score_examples
from seq2see.inference.watching import Watch


class Questions(NamedTuple):
    """The texts of a call, each apart."""

    options: GenerationOptions
    each: list[Asked]
    notes: list[str]
    """What of the texts is unlike the training data, and of a glossary can't be written."""


def questions_of(
    model: Predictor,
    texts: Sequence[str],
    arguments: Mapping[str, Any],
    go_on: Callable[[], None] = lambda: None,
) -> Questions:
    """The texts with the arguments of `predict`. ConfigError and DataError as there; `go_on` may raise, text by text.

    A text that can't be answered is one of them, with its error, unless the option `strict` is set.
    """
    options, changes = known_options(arguments)
    options, maker, requests = model._asked(texts, options, changes, where="predict")
    notes, each = model._notes(), list[Asked]()
    for row, request in enumerate(requests):
        go_on()
        asked = model._read([request], options, maker, first_row=row)
        if options.strict and asked.read.refused:
            raise asked.read.refused[0]
        asked.examine(notes)
        each.append(asked)
    return Questions(options, each, notes.lines() + maker.notes.lines())


def known_options(arguments: Mapping[str, Any]) -> tuple[GenerationOptions | None, GenerationArguments]:
    """The options that these arguments are, made once, and no others; or none, and the arguments.

    The latter for constraints, which may have one value per text, and for options that can't be a key. Checking the
    options of a request anew takes as long as reading its text.
    """
    try:
        if not any(name in arguments for name in PER_TEXT):
            return _options(tuple(sorted((name, type(value), value) for name, value in arguments.items()))), {}
    except TypeError:  # not hashable, or not comparable: a glossary, or a mistake
        pass
    return None, dict(arguments)  # type: ignore[return-value]


@lru_cache(maxsize=256)
def _options(arguments: tuple[tuple[str, type, Any], ...]) -> GenerationOptions:
    require_known([name for name, _, _ in arguments], GenerationOptions, where="predict")
    return GenerationOptions(**{name: value for name, _, value in arguments})


@lru_cache(maxsize=256)
def as_searched(options: GenerationOptions) -> GenerationOptions:
    """What a search sees of the options: texts for which this is equal can be answered together.

    The others are in the rules of each text, or were read with it.
    """
    return replace(
        options,
        min_length=None,
        max_length=None,
        prefix="",
        forbid=(),
        contain=(),
        placeholders="",
        glossary=None,
        max_input_length=None,
        strict=False,
        batch_size=64,
    )


def answers_to(
    model: Predictor,
    questions: Sequence[Asked],
    options: GenerationOptions,
    *,
    with_attention: bool,
    watch: Watch,
) -> Iterator[list[tuple[int, Prediction]]]:
    """The answers of each batch, with the numbers of their questions among these; the options are `as_searched`."""
    return answer_batches(
        model,
        Asked.joined(questions),
        _side_by_side(options, len(questions)),
        with_attention=with_attention,
        watch=watch,
    )


@lru_cache(maxsize=1024)
def _side_by_side(options: GenerationOptions, number: int) -> GenerationOptions:
    """The options by which this many texts are one batch, if they fit into memory."""
    return replace(options, batch_size=number * (options.num_candidates if options.sample else 1))


class PairRead(NamedTuple):
    """A pair to be scored, as the network reads it."""

    pair: Pair
    read: Readable


def pairs_apart(
    model: Predictor, pairs: Sequence[Pair], options: BatchOptions, go_on: Callable[[], None] = lambda: None
) -> tuple[list[PairRead], list[str]]:
    """The pairs, each apart, and notes on them. DataError with `strict` for one that can't be read."""
    codecs = (model.source_codec, model.target_codec)
    limits, notes = model.input_limits(options.max_input_length), model._notes("scores")
    each = list[PairRead]()
    for row, pair in enumerate(pairs):
        go_on()
        place = f"pair {row + 1}"
        sources = None if model.source_codec is None else [pair.source]
        read = read_pairs(sources, [pair.target or ""], codecs, limits, [place])
        if options.strict and read.refused:
            raise read.refused[0]
        if model.source_codec is not None and read.rows:
            notes.add([pair.source], [read.examples.source(0)[:-1]], [place])
        each.append(PairRead(pair, read))
    return each, notes.lines()


def scores_of(model: Predictor, pairs: Sequence[PairRead]) -> list[PairScore]:
    """The score of each pair, in order."""
    readable = [each for each in pairs if each.read.rows]
    found: Iterator[PairScore] = iter(())
    if readable:
        examples = Examples.joined([each.read.examples for each in readable])
        own = [each.pair for each in readable]
        found = iter(score_examples(model.members, examples, own, model.target_codec, len(own)))
    return [next(found) if each.read.rows else unscored(each.read.refused[0]) for each in pairs]
