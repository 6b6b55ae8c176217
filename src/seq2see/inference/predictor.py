"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from seq2see.data import Examples, Pair, Sequences, collate
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.errors import ConfigError, DataError
from seq2see.inference.batching import batches_of_equal, chunks_of, require_room
from seq2see.inference.checking import require_known, require_type, texts_of, with_options
from seq2see.inference.constraints import choose_of, filters_of, max_lengths, num_fixed, phrases_of
from seq2see.inference.engine import Engine
from seq2see.inference.notes import InputNotes, Seen, UnknownTextWarning
from seq2see.inference.options import BatchOptions, Count, GenerationArguments, GenerationOptions
from seq2see.inference.results import EMPTY, PairScore, Prediction, loss_of
from seq2see.inference.scoring import score_examples, unknown_note
from seq2see.search import Filter, Forbid, Hypothesis, State, States, Step, beam_search, ensemble, generate
from seq2see.text import BOS, EOS, PAD, UNK, Codec

NOTHING = Hypothesis([], -math.inf, -math.inf, False, None)
"""The result of a search in which nothing satisfies the options."""

NEVER_GENERATED = (PAD, UNK, BOS)


class Predictor:
    """A trained model: `predict` answers texts, `score` gives the probability of known targets.

    Texts are answered in batches of similar length; neither the batch size nor the order of texts changes an answer.
    """

    def __init__(
        self,
        engine: Engine,
        source_codec: Codec | None,
        target_codec: Codec,
        *,
        max_length: int,
        name: str = "",
        others: Sequence[Engine] = (),
        paths: Sequence[Path] = (),
        seen: Seen = Seen(),  # noqa: B008 (frozen)
        record: SourceRecord = NO_RECORD,
    ) -> None:
        self.engine = engine
        self.members = (engine, *others)
        """The networks of an ensemble, whose probabilities are averaged; one for a single model."""
        self.source_codec = source_codec
        self.target_codec = target_codec
        self.max_positions = min(
            (member.max_positions for member in self.members if member.max_positions), default=None
        )
        """The largest length of a text, EOS counted, for a model with learned positions; else None."""
        self.max_length = min(max_length, self.max_positions or max_length)
        self.name = name
        self.paths = tuple(paths)
        """The folders or files that it was loaded from; none for a model made in a program."""
        self.seen = seen
        """What it read in training; texts unlike that are warned of."""
        self.record = record
        """The sources that it was trained on, as hashes: see `has_seen`."""

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        return any(member.has_attention for member in self.members)

    @property
    def num_parameters(self) -> int:
        """The number of parameters, summed over an ensemble."""
        return sum(member.num_parameters for member in self.members)

    @with_options(GenerationOptions)
    def predict(
        self,
        texts: str | Iterable[str],
        options: GenerationOptions | None = None,
        **changes: Unpack[GenerationArguments],
    ) -> list[Prediction]:
        """One prediction per text, in the order of the texts; an empty text gets an empty answer.

        The keyword arguments are the fields of `GenerationOptions`: greedy search by default, beam search with `beam`,
        sampling with `sample`; `n_best` answers per text, the others in `alternatives`. A language model continues each
        text, and begins one where it is empty. Texts may be any iterable of str, such as a column of a data frame.
        Warns of texts unlike the training data (`UnknownTextWarning`). Raises ConfigError for options that are invalid
        or unsupported by this model, DataError for a text that isn't a str.
        """
        chosen = self._chosen(options, changes, where="predict")
        given = list(texts_of(texts))
        examples, rows = self._readable(given)
        notes = self._notes()
        self._examine(notes, given, rows, examples)
        notes.warn(stacklevel=2)
        return self._answer(given, rows, examples, chosen)

    @with_options(GenerationOptions)
    def stream(
        self,
        texts: Iterable[str],
        options: GenerationOptions | None = None,
        *,
        chunk_size: int = 2048,
        with_attention: bool = True,
        **changes: Unpack[GenerationArguments],
    ) -> Iterator[tuple[str, Prediction]]:
        """As `predict`, but lazily, for texts without end: each text with its prediction, in order.

        `chunk_size` texts are read and answered at a time, so that those of similar length share a batch; it changes no
        answer, not even a random one. Without `with_attention` predictions have no weights, which saves memory for long
        texts. Invalid options are refused at once, before the first text is read. Warnings come once the texts end, or
        with a `chunk_size` of 1 at once.
        """
        require_type("chunk_size", chunk_size, Count)
        chosen = self._chosen(options, changes, where="stream")
        return self._stream(texts_of(texts), chosen, chunk_size, with_attention=with_attention)

    def _chosen(
        self, options: GenerationOptions | None, changes: GenerationArguments, *, where: str
    ) -> GenerationOptions:
        """The options with these changes. ConfigError for what is unknown, invalid or unsupported by this model."""
        require_known(changes, GenerationOptions, where=where)
        if options is not None and not isinstance(options, GenerationOptions):
            fix = f"give all texts as one list, and options by name: {where}(texts, beam=5)"
            raise ConfigError(f"must be GenerationOptions, not {options!r}", where="options", fix=fix)
        chosen = GenerationOptions(**{**(vars(options) if options else {}), **changes})
        self._check(chosen)
        return chosen

    def _stream(
        self, texts: Iterable[str], options: GenerationOptions, chunk_size: int, *, with_attention: bool
    ) -> Iterator[tuple[str, Prediction]]:
        first_row, notes = 0, self._notes()
        for chunk in chunks_of(texts, chunk_size):
            examples, rows = self._readable(chunk)
            self._examine(notes, chunk, rows, examples, first_row=first_row)
            if chunk_size == 1:
                notes.warn(stacklevel=2)
            answers = self._answer(chunk, rows, examples, options, first_row=first_row, with_attention=with_attention)
            yield from zip(chunk, answers, strict=True)
            first_row += len(chunk)
        notes.warn(stacklevel=2)

    def _check(self, options: GenerationOptions) -> None:
        """ConfigError for options that this model doesn't support, whatever the texts are."""
        if self.source_codec is None:
            if options.prefix:
                what = "unsupported by a language model, which continues its text"
                raise ConfigError(what, where="prefix", fix="give the prefix as the text")
            for name in ("min_ratio", "max_ratio"):
                if getattr(options, name) is not None:
                    fix = f"use {name.replace('ratio', 'length')}"
                    raise ConfigError("unsupported by a language model, which has no source", where=name, fix=fix)
        if options.coverage_penalty and not self.has_attention:
            raise ConfigError("needs a model with attention", where="coverage_penalty", fix="use 0, or another model")
        fixed, most = num_fixed(options, self.target_codec), options.max_length or self.max_length
        if self.max_positions is not None:
            most = min(most, self.max_positions)
            if (options.min_length or 0) > self.max_positions:
                what = f"must be at most the model's {self.max_positions} positions, not {options.min_length}"
                raise ConfigError(what, where="min_length", fix=f"give {self.max_positions} or less")
        if fixed > most:
            raise ConfigError(
                f"its {fixed - 1} tokens and EOS are more than the longest answer has, {most}",
                where="prefix" if options.prefix else "contain",
                fix=f"give a max_length of at least {fixed}, or a shorter text",
            )

    def _readable(self, texts: Sequence[str]) -> tuple[Examples, list[int]]:
        """What the network reads, and the rows of the texts: a blank one has an empty answer, but begins a prompt."""
        rows = [row for row, text in enumerate(texts) if self.source_codec is None or text.strip()]
        return self._examples([texts[row] for row in rows]), rows

    def _notes(self) -> InputNotes:
        return InputNotes(self.source_codec or self.target_codec, self.seen)

    def _examine(
        self, notes: InputNotes, texts: Sequence[str], rows: Sequence[int], examples: Examples, *, first_row: int = 0
    ) -> None:
        """Note what is unlike the training data in the rows that the network reads."""
        ids = [
            examples.target(index) if self.source_codec is None else examples.source(index)[:-1]
            for index in range(len(rows))
        ]
        notes.add([texts[row] for row in rows], ids, [f"text {first_row + row + 1}" for row in rows])

    def _answer(
        self,
        texts: Sequence[str],
        rows: Sequence[int],
        examples: Examples,
        options: GenerationOptions,
        *,
        first_row: int = 0,
        with_attention: bool = True,
    ) -> list[Prediction]:
        """The answers to all texts, of which the examples are the given rows; they are numbered from `first_row`."""
        is_prompt = self.source_codec is None
        require_room(self.max_positions, examples, [f"text {first_row + row + 1}" for row in rows], room=1)
        prompts = examples.target_lengths
        order = np.lexsort((-examples.source_lengths, prompts))
        predictions = [EMPTY] * len(texts)
        for indices in batches_of_equal(prompts, order, options.num_sentences):
            numbers = np.array([first_row + rows[index] for index in indices])
            answers = self._search(examples, indices, numbers, options, with_attention=with_attention)
            for index, found in zip(indices.tolist(), answers, strict=True):
                prompt = texts[rows[index]] if is_prompt else ""
                best, *others = [self._prediction(examples, index, hypothesis, prompt, options) for hypothesis in found]
                predictions[rows[index]] = replace(best, alternatives=tuple(others))
        return predictions

    def _examples(self, texts: Sequence[str]) -> Examples:
        """What the network reads: sources, or the prompts of a language model, with which its targets begin."""
        none = Sequences.empty(len(texts))
        if self.source_codec is None:
            return Examples(none, Sequences.encode(self.target_codec, texts, end=False))
        return Examples(Sequences.encode(self.source_codec, texts), none)

    def _search(
        self,
        examples: Examples,
        indices: np.ndarray,
        numbers: np.ndarray,
        options: GenerationOptions,
        *,
        with_attention: bool,
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each text, best first; at least one, which may be empty."""
        batch = collate(examples, indices)
        prompt, source_lengths = batch.target.ids, batch.source.lengths
        states = [member.start(batch.source, batch.decoder_input) for member in self.members]
        step: Step[Any] = self.engine.step
        start: State = states[0]
        if len(states) > 1:
            step, start = ensemble([member.step for member in self.members]), States(tuple(states))
        if not with_attention and not options.coverage_penalty:
            step = without_weights(step)
        limits = max_lengths(options, source_lengths, self.max_length)
        if self.max_positions is not None:
            limits = np.minimum(limits, self.max_positions - prompt.shape[1])
        has_room = limits >= num_fixed(options, self.target_codec)
        filters: list[Filter] = [
            Forbid(NEVER_GENERATED),
            *filters_of(options, self.target_codec, source_lengths, limits, prompts=prompt),
        ]
        first: int | np.ndarray = prompt[:, -1] if prompt.shape[1] else BOS
        if not options.is_ranked:
            found = generate(
                step,
                start,
                first=first,
                eos=EOS,
                max_lengths=limits,
                choose=choose_of(options),
                filters=filters,
                row_numbers=numbers,
                count=options.n_best,
            )
            own_limits = limits.repeat(options.n_best).tolist()
            # A row that stopped before EOS and before its limit had no token left that satisfies the options.
            kept = [
                each if each.finished or len(each.ids) == n else NOTHING
                for each, n in zip(found, own_limits, strict=True)
            ]
            drawn = [kept[start : start + options.n_best] for start in range(0, len(kept), options.n_best)]
            return [each if room else [NOTHING] for each, room in zip(drawn, has_room.tolist(), strict=True)]
        ranked = beam_search(
            step,
            start,
            num_hypotheses=options.beam,
            n_best=options.n_best,
            first=first,
            eos=EOS,
            max_lengths=limits,
            length_penalty=options.length_penalty,
            coverage_penalty=options.coverage_penalty,
            source_lengths=source_lengths,
            filters=filters,
            phrases=phrases_of(options, self.target_codec, has_room),
        )
        return [each if each and room else [NOTHING] for each, room in zip(ranked, has_room.tolist(), strict=True)]

    def _prediction(
        self, examples: Examples, index: int, hypothesis: Hypothesis, prompt: str, options: GenerationOptions
    ) -> Prediction:
        source, weights = examples.source(index), hypothesis.weights
        return Prediction(
            self.target_codec.decode(hypothesis.ids, after=prompt),
            self.source_codec.tokens(source) if self.source_codec is not None else [],
            self.target_codec.tokens(hypothesis.ids),
            hypothesis.log_prob,
            hypothesis.score if options.is_penalised else hypothesis.log_prob / max(1, len(hypothesis.ids)),
            None if weights is None else weights[:, : len(source)],
            hypothesis.finished,
            hypothesis.token_log_probs,
        )

    def loss(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> float:
        """The loss in nats per target token, EOS counted, with teacher forcing. DataError without pairs.

        Tokens that are not in the target vocabulary are left out, with an UnknownTextWarning; see `score`.
        """
        if not pairs:
            raise DataError("there are no pairs", where="loss", fix="give at least one")
        return loss_of(self.score(pairs, batch_size=batch_size))

    def score(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> list[PairScore]:
        """The log-probability of each target, in the order of the pairs; equal to that of a search that finds it.

        A target of subwords is segmented as in training; a search may find the same text in another segmentation, which
        has another log-probability. A target with tokens that are not in the target vocabulary can't be generated: its
        log-probability is -inf, it names them in `unknown`, and there is an UnknownTextWarning, as there is for sources
        unlike the training data.
        """
        BatchOptions(batch_size)
        for number, pair in enumerate(pairs, start=1):
            if pair.target is None:
                raise DataError(
                    "the target is missing", where=pair.origin or f"pair {number}", fix="give a target to score"
                )
        examples = Examples.encode(pairs, self.source_codec, self.target_codec)
        places = [pair.origin or f"pair {number}" for number, pair in enumerate(pairs, start=1)]
        if self.source_codec is not None:
            notes = self._notes()
            sources = [examples.source(index)[:-1] for index in range(len(pairs))]
            notes.add([pair.source for pair in pairs], sources, places)
            notes.warn(stacklevel=2)
        require_room(self.max_positions, examples, places)
        scores = score_examples(self.members, examples, pairs, self.target_codec, batch_size)
        if note := unknown_note(scores):
            warnings.warn(note, UnknownTextWarning, stacklevel=2)
        return scores

    def has_seen(self, texts: str | Iterable[str]) -> list[bool | None]:
        """Whether the model was trained on each source (a language model: text), or one that it was fine-tuned from.

        None where that is unknown: the model has no record of its training sources, or not of all of them.
        """
        codec = self.source_codec or self.target_codec
        known = self.record.train.contains(map(codec.normalise, texts_of(texts)))
        return [True if each else False if self.record.is_complete else None for each in known]


def without_weights(step: Step[Any]) -> Step[Any]:
    """The step without attention weights, which a search would keep for every token until the end."""

    def blind(ids: np.ndarray, state: Any) -> tuple[Any, Any, None]:
        log_probs, state, _ = step(ids, state)
        return log_probs, state, None

    return blind
