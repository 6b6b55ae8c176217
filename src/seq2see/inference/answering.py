"""Answers of a model to texts that have been read: batches, their search, and what was found as predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seq2see.data import Examples, collate
from seq2see.data.values import ValueSpan, spans_of, token_names
from seq2see.inference.asking import Asked
from seq2see.inference.batching import batches_of_equal, rows_at_most, source_costs
from seq2see.inference.options import GenerationOptions
from seq2see.inference.results import EMPTY, BeamCandidate, Prediction, TokenChoice, unanswered
from seq2see.inference.risk import least_risk
from seq2see.inference.rules import Rules
from seq2see.inference.searching import best_of, num_with_phrases, occur, search
from seq2see.inference.watching import Watch, Watched
from seq2see.search import Considered, Hypothesis, Recorder
from seq2see.text import Codec

if TYPE_CHECKING:
    from seq2see.inference.predictor import Predictor


def answers_of(
    model: Predictor, asked: Asked, options: GenerationOptions, *, with_attention: bool = True
) -> list[Prediction]:
    """The answers to all requests, in their order."""
    predictions = [EMPTY] * len(asked.requests)
    for batch in answer_batches(model, asked, options, with_attention=with_attention):
        for row, prediction in batch:
            predictions[row] = prediction
    return predictions


def answer_batches(
    model: Predictor,
    asked: Asked,
    options: GenerationOptions,
    *,
    with_attention: bool = True,
    watch: Watch | None = None,
) -> Iterator[list[tuple[int, Prediction]]]:
    """The answers of each batch with the rows of their requests. A `watch` looks on, and may give some up.

    All texts are answered without the phrases that have to occur first: an answer that has them anyway is kept.
    """
    is_read = set(asked.read.rows)
    refused = {row: unanswered(error) for row, error in asked.read.refused.items()}
    if at_once := [(row, refused.get(row, EMPTY)) for row in range(len(asked.requests)) if row not in is_read]:
        yield at_once
    searches = Searches(model, asked, options, with_attention, watch)
    lacking: dict[int, Found] = {}
    for found in searches.without_phrases():
        lacking |= {each.example: each for each in found if searches.lacks_phrases(each)}
        if kept := [each for each in found if each.example not in lacking]:
            yield searches.answers(kept)
    for found in searches.with_phrases(lacking):
        yield searches.answers(found)


class Found(NamedTuple):
    """What a search has found for one text."""

    example: int
    """Its index among the texts that have been read."""
    hypotheses: Sequence[Hypothesis]
    """Best first; at least one."""
    steps: Sequence[Sequence[Considered]]
    """Those of its beam, where they are recorded."""
    is_given_up: bool


@dataclass(frozen=True)
class Searches:
    """The searches for the answers to texts that have been read, batch by batch."""

    model: Predictor
    asked: Asked
    options: GenerationOptions
    with_attention: bool
    watch: Watch | None

    def without_phrases(self) -> Iterator[list[Found]]:
        """What is found for each text where no phrase has to occur."""
        rules = self.rules
        has_phrases = np.array([bool(each.contain) for each in rules], dtype=np.int64)
        kinds = 2 * self.asked.read.examples.target_lengths + has_phrases  # prompts of one length: see `search`
        width = self.options.num_hypotheses
        for examples in self._batches(np.arange(len(rules)), kinds, width):
            free = [rules[example]._replace(contain=()) for example in examples]
            yield self._found(examples, free, width, shows_tokens=not has_phrases[examples[0]])

    def lacks_phrases(self, found: Found) -> bool:
        """Whether an answer is without a phrase that has to occur, and somebody waits for it."""
        phrases = self.rules[found.example].contain
        return not found.is_given_up and not all(occur(phrases, each.ids) for each in found.hypotheses)

    def with_phrases(self, before: Mapping[int, Found]) -> Iterator[list[Found]]:
        """What is found for these where phrases have to occur, and those found before that have them."""
        rules, prompts = self.rules, self.asked.read.examples.target_lengths
        widths = np.array([num_with_phrases(self.options, each) for each in rules], dtype=np.int64)
        lacking = np.array(list(before), dtype=np.int64)
        for width in sorted(set(widths[lacking].tolist())):
            for examples in self._batches(lacking[widths[lacking] == width], prompts, width):
                own = [rules[example] for example in examples]
                found = self._found(examples, own, width, shows_tokens=False)
                yield [each._replace(hypotheses=self._best(each, before[each.example])) for each in found]

    def answers(self, found: Sequence[Found]) -> list[tuple[int, Prediction]]:
        """What was found as answers, with the rows of their requests."""
        rows = self.asked.read.rows
        return [(rows[each.example], answer_of(self.model, self.asked, each, self.options)) for each in found]

    @cached_property
    def rules(self) -> list[Rules]:
        """The rules of each text that has been read."""
        return [self.asked.rules[row] for row in self.asked.read.rows]

    @cached_property
    def _most_rows(self) -> int:
        return rows_at_most(len(self.model.target_codec.vocabulary))

    def _batches(self, which: np.ndarray, kinds: np.ndarray, num_hypotheses: int) -> Iterator[np.ndarray]:
        """These examples in batches of one kind each."""
        lengths = self.asked.read.examples.source_lengths
        order = which[np.lexsort((-lengths[which], kinds[which]))]
        num_sentences = min(self.options.num_sentences, self._most_rows // num_hypotheses)
        return batches_of_equal(kinds, order, max(1, num_sentences), source_costs(lengths))

    def _found(
        self, examples: np.ndarray, rules: Sequence[Rules], num_hypotheses: int, *, shows_tokens: bool
    ) -> list[Found]:
        recorder = Recorder() if self.options.beam_steps else None
        rows = np.array([self.asked.read.rows[example] for example in examples])
        watched = None if self.watch is None else Watched(self.watch, rows, shows_tokens=shows_tokens)
        found = search(
            self.model.members,
            self.model.target_codec,
            collate(self.asked.read.examples, examples),
            np.array([self.asked.numbers[row] for row in rows]),
            self.options,
            rules,
            num_hypotheses=num_hypotheses,
            max_length=self.model.max_length,
            max_positions=self.model.max_positions,
            most_rows=self._most_rows,
            with_attention=self.with_attention,
            watched=watched,
            recorder=recorder,
        )
        steps = [() if recorder is None else recorder.steps_of(i, self.options.beam_groups) for i in range(len(rows))]
        gone = [watched is not None and row in watched.gone for row in rows.tolist()]
        return list(map(Found, examples.tolist(), found, steps, gone))

    def _best(self, found: Found, before: Found) -> list[Hypothesis]:
        phrases = self.rules[found.example].contain
        kept = [each for each in before.hypotheses if occur(phrases, each.ids)]
        return best_of([kept, found.hypotheses], self.model.target_codec, self.options)


def answer_of(model: Predictor, asked: Asked, found: Found, options: GenerationOptions) -> Prediction:
    """The best hypothesis as the answer, with the others as its alternatives."""
    index, prompt = found.example, asked.prompt(found.example)
    candidates = [
        prediction_of(model, asked.read.examples, index, hypothesis, prompt, is_penalized=options.is_penalized)
        for hypothesis in found.hypotheses
    ]
    if options.mbr:
        ranked = least_risk(candidates, options.mbr, are_samples=options.sample)
        candidates = ranked[: options.n_best]
    best, *others = candidates
    if others or found.steps:
        steps = beam_steps_of(model.target_codec, found.steps)
        best = replace(best, alternatives=tuple(others), beam_steps=steps)
    return best


def prediction_of(
    model: Predictor,
    examples: Examples,
    index: int,
    hypothesis: Hypothesis,
    prompt: str = "",
    *,
    is_penalized: bool = False,
) -> Prediction:
    """The hypothesis as the answer to the source of this example."""
    source, weights = examples.source(index), hypothesis.weights
    tokens, spans = list[str](), tuple[ValueSpan, ...]()
    if model.source_codec is not None:
        values = (each.arrays[index] for each in examples.sources.values)
        spans = spans_of(model.source_codec, source.tolist(), values)
        tokens = token_names(model.source_codec, source.tolist(), spans)
    return Prediction(
        model.target_codec.decode(hypothesis.ids, after=prompt),
        tokens,
        model.target_codec.tokens(hypothesis.ids),
        hypothesis.log_prob,
        hypothesis.score if is_penalized else hypothesis.log_prob / max(1, len(hypothesis.ids)),
        None if weights is None else weights[:, : len(source)],
        hypothesis.finished,
        hypothesis.token_log_probs,
        top_tokens=choices_of(model, hypothesis, prompt),
        source_values=spans,
    )


def choices_of(model: Predictor, hypothesis: Hypothesis, prompt: str) -> tuple[tuple[TokenChoice, ...], ...]:
    """The most probable tokens at each place, each with the answer up to it."""
    codec, ids = model.target_codec, hypothesis.ids

    def choice(position: int, number: int, log_prob: float) -> TokenChoice:
        return TokenChoice(codec.tokens([number])[0], log_prob, codec.decode([*ids[:position], number], after=prompt))

    return tuple(
        tuple(choice(position, *each) for each in choices) for position, choices in enumerate(hypothesis.choices)
    )


def beam_steps_of(codec: Codec, steps: Sequence[Sequence[Considered]]) -> tuple[tuple[BeamCandidate, ...], ...]:
    """What a beam search considered, with tokens for ids."""

    def candidate(each: Considered) -> BeamCandidate:
        token = "<step>" if each.id == codec.step else codec.tokens([each.id])[0]
        return BeamCandidate(token, each.parent, each.log_prob, each.score, each.fate)

    return tuple(tuple(map(candidate, own)) for own in steps)
