"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seq2see.data import Examples, Pair, Sequences, collate
from seq2see.errors import ConfigError, DataError, did_you_mean
from seq2see.inference.batching import batches_of_equal, chunks_of, require_room
from seq2see.inference.engine import Engine
from seq2see.inference.options import GenerationOptions
from seq2see.inference.results import EMPTY, PairScore, Prediction, loss_of
from seq2see.search import Filter, Forbid, Hypothesis, State, States, Step, beam_search, ensemble, generate, log_mean
from seq2see.text import BOS, EOS, PAD, UNK, Codec

NOTHING = Hypothesis([], -math.inf, -math.inf, False, None)
"""What a search found where nothing keeps to what was asked for."""

NEVER_GENERATED = (PAD, UNK, BOS)


class UnknownTextWarning(UserWarning):
    """Some input has symbols that the model has never seen, or is not normalised as its training data were."""


@dataclass(frozen=True)
class Scores:
    """How well a model does on pairs whose targets are known."""

    count: int
    exact_match: float | None
    """Share of the pairs whose prediction is the target, 0..1; None for a language model."""
    loss: float
    """Nats per target token, teacher-forced."""
    predictions: list[Prediction]


class Predictor:
    """A trained model: `predict` answers texts, `evaluate` holds it to known targets.

    Texts are answered in batches of similar length; neither the size of the batches nor their order changes an answer.
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
    ) -> None:
        self.engine = engine
        self.members = (engine, *others)
        """All networks of an ensemble, which answer as one: the mean of their probabilities."""
        self.source_codec = source_codec
        self.target_codec = target_codec
        self.max_positions = min(
            (member.max_positions for member in self.members if member.max_positions), default=None
        )
        """The most tokens of a text, EOS counted, where the positions are learnt ones."""
        self.max_length = min(max_length, self.max_positions or max_length)
        self.name = name

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        return any(member.has_attention for member in self.members)

    @property
    def num_parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(member.num_parameters for member in self.members)

    def predict(self, texts: str | Sequence[str], **options: Any) -> list[Prediction]:
        """One prediction a text, in the order of the texts; an empty text gets an empty answer.

        `options` are those of `GenerationOptions`: greedy, a `beam` of several hypotheses, or `sample` drawn at
        random; `n_best` answers of each text, the others in `alternatives`. A language model continues each text; an
        empty one it begins itself. Raises ConfigError for options that can't be.
        """
        for name in options:
            if name not in GenerationOptions.__dataclass_fields__:
                fix = did_you_mean(name, GenerationOptions.__dataclass_fields__)
                raise ConfigError(f"there is no option {name!r}", where="predict", fix=fix)
        generation = GenerationOptions(**options)
        given = [texts] if isinstance(texts, str) else list(texts)
        for number, text in enumerate(given, start=1):
            if not isinstance(text, str):
                raise DataError(f"{text!r} is not a text", where=f"text {number}", fix="give a str, or a list of them")
        self._check(generation)
        return self._answer(given, generation)

    def stream(
        self, texts: Iterable[str], options: GenerationOptions, *, chunk_size: int = 2048, looked: bool = True
    ) -> Iterator[list[tuple[str, Prediction]]]:
        """As `predict`, for texts without end: each text with its answer, a chunk as soon as it is full.

        Without `looked` the answers don't say where the model looked, which of long texts takes much memory.

        Which chunk a text comes in changes nothing, not even what is drawn at random. Options that this model can't
        follow are refused at once, before the first text is asked for.
        """
        self._check(options)
        return self._stream(texts, options, chunk_size, looked=looked)

    def _stream(
        self, texts: Iterable[str], options: GenerationOptions, chunk_size: int, *, looked: bool
    ) -> Iterator[list[tuple[str, Prediction]]]:
        first_row, told = 0, set[str]()
        for chunk in chunks_of(texts, chunk_size):
            answers = self._answer(chunk, options, first_row=first_row, told=told, looked=looked)
            yield list(zip(chunk, answers, strict=True))
            first_row += len(chunk)

    def _check(self, options: GenerationOptions) -> None:
        """ConfigError for options that this model can't follow, whatever the texts are."""
        if self.source_codec is None:
            if options.prefix:
                raise ConfigError(
                    "a language model continues the text it is given", where="prefix", fix="give it as the text itself"
                )
            for name in ("min_ratio", "max_ratio"):
                if getattr(options, name) is not None:
                    fix = f"use {name.replace('ratio', 'length')}"
                    raise ConfigError("a language model has no source to be relative to", where=name, fix=fix)
        if options.coverage_penalty and not self.has_attention:
            raise ConfigError("this model has no attention, it covers nothing", where="coverage_penalty", fix="use 0")
        fixed, most = options.num_fixed(self.target_codec), options.max_length or self.max_length
        if self.max_positions is not None:
            most = min(most, self.max_positions)
            if (options.min_length or 0) > self.max_positions:
                raise ConfigError(
                    f"{options.min_length} tokens are more than the model's {self.max_positions} positions",
                    where="min_length",
                    fix=f"give {self.max_positions} or less",
                )
        if fixed > most:
            raise ConfigError(
                f"{fixed - 1} tokens and the end don't fit into an answer of at most {most}",
                where="prefix" if options.prefix else "contain",
                fix=f"give a max_length of {fixed} or more, or a shorter text",
            )

    def _answer(
        self,
        texts: Sequence[str],
        options: GenerationOptions,
        *,
        first_row: int = 0,
        told: set[str] | None = None,
        looked: bool = True,
    ) -> list[Prediction]:
        """The answers; rows are counted from `first_row`, and of unknown symbols those `told` are not told again."""
        is_prompt = self.source_codec is None
        rows = [row for row, text in enumerate(texts) if is_prompt or text.strip()]
        self._warn_of_unknown([texts[row] for row in rows], set() if told is None else told)
        examples = self._examples([Pair(texts[row], None, f"text {first_row + row + 1}") for row in rows])
        require_room(self.max_positions, examples, [f"text {first_row + row + 1}" for row in rows], room=1)
        prompts = examples.target_lengths
        order = np.lexsort((-examples.source_lengths, prompts))
        predictions = [EMPTY] * len(texts)
        for indices in batches_of_equal(prompts, order, options.num_sentences):
            numbers = np.array([first_row + rows[index] for index in indices])
            answers = self._search(examples, indices, numbers, options, looked=looked)
            for index, found in zip(indices.tolist(), answers, strict=True):
                prompt = texts[rows[index]] if is_prompt else ""
                best, *others = [self._prediction(examples, index, hypothesis, prompt, options) for hypothesis in found]
                predictions[rows[index]] = best._replace(alternatives=tuple(others))
        return predictions

    def _examples(self, pairs: Sequence[Pair]) -> Examples:
        """What the network reads; a language model's prompts are the beginnings of its targets, EOS taken off."""
        if self.source_codec is not None:
            return Examples.encode(pairs, self.source_codec, self.target_codec)
        prompts = Examples.encode(
            [pair._replace(source="", target=pair.source) for pair in pairs], None, self.target_codec
        )
        kept = np.delete(prompts.target_ids, prompts.target_offsets[1:] - 1)
        return replace(prompts, targets=Sequences(kept, prompts.target_offsets - np.arange(len(pairs) + 1)))

    def _search(
        self, examples: Examples, indices: np.ndarray, numbers: np.ndarray, options: GenerationOptions, *, looked: bool
    ) -> list[list[Hypothesis]]:
        """For each text what was found, best first; at least one, which may be empty."""
        batch = collate(examples, indices)
        prompt, source_lengths = batch.target.ids, batch.source.lengths
        states = [member.start(batch.source, batch.decoder_input) for member in self.members]
        step: Step[Any] = self.engine.step
        start: State = states[0]
        if len(states) > 1:
            step, start = ensemble([member.step for member in self.members]), States(tuple(states))
        if not looked and not options.coverage_penalty:
            step = without_weights(step)
        max_lengths = options.max_lengths(source_lengths, self.max_length)
        if self.max_positions is not None:
            max_lengths = np.minimum(max_lengths, self.max_positions - prompt.shape[1])
        has_room = max_lengths >= options.num_fixed(self.target_codec)
        filters: list[Filter] = [
            Forbid(NEVER_GENERATED),
            *options.filters(self.target_codec, source_lengths, max_lengths, prompts=prompt),
        ]
        first: int | np.ndarray = prompt[:, -1] if prompt.shape[1] else BOS
        if not options.is_ranked:
            found = generate(
                step,
                start,
                first=first,
                eos=EOS,
                max_lengths=max_lengths,
                choose=options.choose,
                filters=filters,
                row_numbers=numbers,
                count=options.n_best,
            )
            limits = max_lengths.repeat(options.n_best).tolist()
            # What stopped of itself before its end had nothing left that keeps to what was asked for.
            kept = [
                each if each.finished or len(each.ids) == n else NOTHING for each, n in zip(found, limits, strict=True)
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
            max_lengths=max_lengths,
            length_penalty=options.length_penalty,
            coverage_penalty=options.coverage_penalty,
            source_lengths=source_lengths,
            filters=filters,
            phrases=options.phrases(self.target_codec, has_room),
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
        )

    def evaluate(self, pairs: Sequence[Pair], *, beam: int = 1, batch_size: int = 64) -> Scores:
        """Exact match and loss on pairs whose targets are known; for a language model the loss alone."""
        GenerationOptions(beam=beam, batch_size=batch_size)
        if not pairs:
            raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
        loss = self.loss(pairs, batch_size=batch_size)
        if self.source_codec is None:
            return Scores(len(pairs), None, loss, [])
        predictions = self.predict([pair.source for pair in pairs], beam=beam, batch_size=batch_size)
        targets = [self.target_codec.normalise(pair.target or "") for pair in pairs]
        right = sum(prediction.text == target for prediction, target in zip(predictions, targets, strict=True))
        return Scores(len(pairs), right / len(pairs), loss, predictions)

    def loss(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> float:
        """Nats per target token on these pairs, EOS counted, teacher-forced."""
        if not pairs:
            raise DataError("there are no pairs, so there is no loss", fix="give at least one")
        return loss_of(self.score(pairs, batch_size=batch_size))

    def score(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> list[PairScore]:
        """How probable the model finds each given target, in the order of the pairs: what a search says of it, too.

        A target of subwords is cut as in training; a search that spells the same text in other pieces says otherwise.
        """
        GenerationOptions(batch_size=batch_size)
        for number, pair in enumerate(pairs, start=1):
            if pair.target is None:
                raise DataError("there is no target", where=pair.origin or f"pair {number}", fix="give one to score")
        examples = Examples.encode(pairs, self.source_codec, self.target_codec)
        require_room(
            self.max_positions,
            examples,
            [pair.origin or f"pair {number}" for number, pair in enumerate(pairs, start=1)],
        )
        order = np.lexsort((examples.target_lengths, examples.source_lengths))
        totals = np.zeros(len(pairs))
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            batch = collate(examples, indices)
            each = [member.target_log_probs(batch).astype(np.float64) for member in self.members]
            mean = each[0] if len(each) == 1 else log_mean(each)
            ends = batch.target.lengths.cumsum()
            totals[indices] = [own.sum() for own in np.split(mean, ends[:-1])]
        lengths = examples.target_lengths.tolist()
        return [PairScore(*each) for each in zip(totals.tolist(), (totals / lengths).tolist(), lengths, strict=True)]

    def _warn_of_unknown(self, texts: Sequence[str], told: set[str]) -> None:
        """Say which symbols were never seen in training, but for those told already, and which texts aren't normal."""
        codec = self.source_codec or self.target_codec
        unknown = Counter(token for text in texts for token in set(codec.unknown(text)) - told)
        told.update(unknown)
        if unknown:
            shown = ", ".join(f"{token!r} in {count}" for token, count in unknown.most_common(5))
            more = f", and {len(unknown) - 5} others" if len(unknown) > 5 else ""
            warnings.warn(
                f"the model has never seen some symbols of the input (number of texts with them: {shown}{more})",
                UnknownTextWarning,
                stacklevel=4,
            )
        form = codec.tokenizer.normalization
        others = 0 if form == "none" else sum(not unicodedata.is_normalized(form, text) for text in texts)
        if others:
            warnings.warn(
                f"{others:,} of {len(texts):,} texts were not in Unicode form {form}, which the model was trained on; "
                "they were brought to it",
                UnknownTextWarning,
                stacklevel=4,
            )


def without_weights(step: Step[Any]) -> Step[Any]:
    """The step that doesn't say where it looked: a search keeps that of every id until the end."""

    def blind(ids: np.ndarray, state: Any) -> tuple[Any, Any, None]:
        log_probs, state, _ = step(ids, state)
        return log_probs, state, None

    return blind
