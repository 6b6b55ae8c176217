"""The search for the answers to one batch of texts, as the user's options say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2see.data.batch import Batch
from seq2see.inference.constraints import choose_of, filters_of, max_lengths, phrases_of
from seq2see.inference.engine import Engine
from seq2see.inference.options import GenerationOptions
from seq2see.inference.rules import Rules
from seq2see.inference.top_tokens import with_choices
from seq2see.inference.watching import Watched
from seq2see.search import (
    Filter,
    Forbid,
    Hypothesis,
    Recorder,
    State,
    States,
    Step,
    diverse_beam_search,
    ensemble,
    generate,
    merged,
)
from seq2see.text import BOS, EOS, PAD, UNK, Codec, has_subwords

NOTHING = Hypothesis([], -math.inf, -math.inf, False, None)
"""The result of a search in which nothing satisfies the options."""

MOST_STAGES = 64
"""Of progress with phrases for which there is a hypothesis each; more would take too long."""

NEVER_GENERATED = (PAD, UNK, BOS)


def search(
    members: Sequence[Engine],
    codec: Codec,
    batch: Batch,
    numbers: np.ndarray,
    options: GenerationOptions,
    rules: Sequence[Rules],
    *,
    num_hypotheses: int,
    max_length: int,
    max_positions: int | None,
    most_rows: int,
    with_attention: bool,
    watched: Watched | None = None,
    recorder: Recorder | None = None,
) -> list[list[Hypothesis]]:
    """The hypotheses of each text, best first; at least one, which may be empty.

    `codec` is that of the targets, `numbers` [B] identify the texts to a sampler across batches, and `max_length` is
    the model's own. Of each text `num_hypotheses` are followed side by side: more than 1 is a beam. Phrases that have
    to occur need one too, of any width (see `num_with_phrases`): all of the `rules` [B] have some, or none has. At most
    `most_rows` hypotheses are drawn side by side. With `watched`, its watch looks on; a `recorder` is told of the steps
    of a beam.
    """
    prompt, source_lengths = batch.target.ids, batch.source.lengths
    states = [member.start(batch.source, batch.decoder_input) for member in members]
    step: Step[Any] = members[0].step
    start: State = states[0]
    if len(states) > 1:
        step, start = ensemble([member.step for member in members]), States(tuple(states))
    if not with_attention and not options.coverage_penalty:
        step = without_weights(step)
    limits = max_lengths(options, rules, source_lengths, max_length)
    if max_positions is not None:
        limits = np.minimum(limits, max_positions - prompt.shape[1])
    has_room = limits >= np.array([rule.num_fixed for rule in rules])
    num_steps = np.zeros_like(limits) if codec.step is None else source_lengths - 1
    filters: list[Filter] = [
        Forbid(NEVER_GENERATED),
        *filters_of(options, rules, codec, source_lengths, limits, prompts=prompt),
    ]
    wanted = options.num_candidates
    choose = choose_of(options)
    if watched is not None:
        filters.append(watched)
        choose = watched.choosing(choose)
    first: int | np.ndarray = prompt[:, -1] if prompt.shape[1] else BOS
    every = np.arange(len(limits))
    hidden = NEVER_GENERATED if codec.step is None else (*NEVER_GENERATED, codec.step)
    unread = start.select(every, every) if options.top_tokens else start  # a step consumes its state

    def finished(found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        if options.top_tokens:
            found = with_choices(found, step, unread, first, options.top_tokens, hidden)
        return [[written(each, codec.step) for each in own] for own in found]

    if num_hypotheses > 1 or rules[0].contain:
        found = diverse_beam_search(
            step,
            start,
            num_hypotheses=num_hypotheses,
            # Some of these may be the same text, aligned or segmented in another way.
            n_best=num_hypotheses if wanted > 1 and is_ambiguous(codec) else wanted,
            groups=options.beam_groups,
            diversity=options.diversity,
            first=first,
            eos=EOS,
            max_lengths=limits + num_steps,
            length_penalty=options.length_penalty or 0.0,
            coverage_penalty=options.coverage_penalty,
            source_lengths=source_lengths,
            filters=filters,
            phrases=phrases_of(rules, has_room),
            transducer_step=codec.step,
            num_steps=num_steps,
            recorder=recorder,
        )
        found = finished(found)
        if not options.mbr:
            found = [distinct(own, codec)[:wanted] for own in found]
        return [each if each and room else [NOTHING] for each, room in zip(found, has_room.tolist(), strict=True)]
    drawn = [list[Hypothesis]() for _ in limits]
    together = max(1, most_rows // len(limits))
    for draw in range(0, wanted, together):
        count = min(together, wanted - draw)
        more = generate(
            step,
            start if count == wanted else start.select(every, every),  # a step consumes its state
            first=first,
            eos=EOS,
            max_lengths=limits + num_steps,
            choose=choose,
            filters=filters,
            row_numbers=numbers,
            count=count,
            first_draw=draw,
        )
        of_row = [more[row * count :][:count] for row in range(len(limits))]
        for row, limit in enumerate((limits + num_steps).tolist()):
            of_row[row] = [each if is_whole(each, limit) else NOTHING for each in of_row[row]]
        for own, new in zip(drawn, finished(of_row), strict=True):
            own += new
    return [each if room else [NOTHING] for each, room in zip(drawn, has_room.tolist(), strict=True)]


def num_with_phrases(options: GenerationOptions, rules: Rules) -> int:
    """The hypotheses that are followed where the phrases of these rules have to occur.

    At least one for each stage of progress with the phrases, so that the best of those that haven't begun one stays in
    the beam while others complete it. With fewer, a phrase is written as soon as possible, wherever that is. It is a
    power of two, so that texts with phrases of similar length share a batch. Where an answer has room for the longest
    phrase and no more, there is no place to choose, and the beam is as wide as it was asked for.
    """
    if rules.max_length == rules.num_fixed:
        return options.beam
    stages = min(1 + sum(map(len, rules.contain)), MOST_STAGES)
    of_group = max(options.beam // options.beam_groups, 1 << (stages - 1).bit_length())
    return options.beam_groups * of_group


def occur(phrases: Sequence[Sequence[int]], ids: Sequence[int]) -> bool:
    """Whether each phrase occurs among the ids."""
    starts = range(len(ids))
    return all(any(tuple(ids[i : i + len(phrase)]) == tuple(phrase) for i in starts) for phrase in phrases)


def best_of(found: Sequence[Sequence[Hypothesis]], codec: Codec, options: GenerationOptions) -> list[Hypothesis]:
    """The best different hypotheses of several beams, as many as are wanted."""
    best = merged(found)
    best = [each for each in best if each is not NOTHING] or best
    return best if options.mbr else distinct(best, codec)[: options.num_candidates]


def is_whole(hypothesis: Hypothesis, limit: int) -> bool:
    """Whether it ended or is as long as it may be; otherwise no token was left that satisfies the options."""
    return hypothesis.finished or len(hypothesis.ids) == limit


def written(hypothesis: Hypothesis, step: int | None) -> Hypothesis:
    """The hypothesis without a transducer's STEPs, whose log-probabilities are part of that of the next token."""
    if step is None or step not in hypothesis.ids:
        return hypothesis
    kept = [position for position, number in enumerate(hypothesis.ids) if number != step]
    if not kept:
        return hypothesis._replace(ids=[], weights=None, token_log_probs=(), choices=())
    sums = np.add.reduceat(np.array(hypothesis.token_log_probs), [0, *(position + 1 for position in kept[:-1])])
    return hypothesis._replace(
        ids=[hypothesis.ids[position] for position in kept],
        weights=None if hypothesis.weights is None else hypothesis.weights[kept],
        token_log_probs=tuple(sums.tolist()),
        choices=tuple(hypothesis.choices[position] for position in kept) if hypothesis.choices else (),
    )


def is_ambiguous(codec: Codec) -> bool:
    """Whether different sequences of ids may be the same text: by their STEPs, or as subwords."""
    return codec.step is not None or has_subwords(codec.tokenizer.unit)


def distinct(hypotheses: Sequence[Hypothesis], codec: Codec) -> list[Hypothesis]:
    """The first of each text, in their order."""
    if len(hypotheses) < 2 or not is_ambiguous(codec):
        return list(hypotheses)
    found: dict[str, Hypothesis] = {}
    for each in hypotheses:
        found.setdefault(codec.decode(each.ids), each)
    return list(found.values())


def without_weights(step: Step[Any]) -> Step[Any]:
    """The step without attention weights, which a search would keep for every token until the end."""

    def blind(ids: np.ndarray, state: Any) -> tuple[Any, Any, None]:
        log_probs, state, _ = step(ids, state)
        return log_probs, state, None

    return blind
