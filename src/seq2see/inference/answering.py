"""Answers of a model to texts that have been read: batches, their search, and what was found as predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seq2see.data import Examples, collate
from seq2see.data.values import ValueSpan, spans_of, token_names
from seq2see.inference.asking import Asked
from seq2see.inference.batching import batches_of_equal, rows_at_most, source_costs
from seq2see.inference.options import GenerationOptions
from seq2see.inference.results import EMPTY, BeamCandidate, Prediction, TokenChoice, unanswered
from seq2see.inference.risk import least_risk
from seq2see.inference.searching import needs_beam, search
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
    """The answers of each batch with the rows of their requests. A `watch` looks on, and may give some up."""
    is_read = set(asked.read.rows)
    refused = {row: unanswered(error) for row, error in asked.read.refused.items()}
    if at_once := [(row, refused.get(row, EMPTY)) for row in range(len(asked.requests)) if row not in is_read]:
        yield at_once
    examples, rows = asked.read.examples, asked.read.rows
    prompts = examples.target_lengths
    rules = [asked.rules[row] for row in rows]
    # Prompts of one length, and either all with phrases that have to occur or none: see `search`.
    kinds = 2 * prompts + np.array([needs_beam(options, rule) for rule in rules], dtype=np.int64)
    order = np.lexsort((-examples.source_lengths, kinds))
    most_rows = rows_at_most(len(model.target_codec.vocabulary))
    num_sentences = min(options.num_sentences, most_rows // options.num_hypotheses)
    costs = source_costs(examples.source_lengths)
    for indices in batches_of_equal(kinds, order, max(1, num_sentences), costs):
        recorder = Recorder() if options.beam_steps else None
        answers = search(
            model.members,
            model.target_codec,
            collate(examples, indices),
            np.array([asked.numbers[rows[index]] for index in indices]),
            options,
            [rules[index] for index in indices],
            max_length=model.max_length,
            max_positions=model.max_positions,
            most_rows=most_rows,
            with_attention=with_attention,
            watched=None if watch is None else Watched(watch, np.array([rows[index] for index in indices])),
            recorder=recorder,
        )
        batch = []
        for number, (index, found) in enumerate(zip(indices.tolist(), answers, strict=True)):
            prompt = asked.prompt(index)
            candidates = [
                prediction_of(model, examples, index, hypothesis, prompt, is_penalized=options.is_penalized)
                for hypothesis in found
            ]
            if options.mbr:
                ranked = least_risk(candidates, options.mbr, are_samples=options.sample)
                candidates = ranked[: options.n_best]
            best, *others = candidates
            steps = () if recorder is None else recorder.steps_of(number, options.beam_groups)
            if others or steps:
                best = replace(best, alternatives=tuple(others), beam_steps=beam_steps_of(model.target_codec, steps))
            batch.append((rows[index], best))
        yield batch


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
