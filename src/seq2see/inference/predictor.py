"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from seq2see.data.options import TableOptions
from seq2see.data.source_record import NO_RECORD, SourceRecord
from seq2see.data.values import identity_of
from seq2see.errors import ConfigError, DataError
from seq2see.inference.answering import answers_of
from seq2see.inference.asking import Asked
from seq2see.inference.batching import chunks_of
from seq2see.inference.checking import require_known, require_type, texts_of, with_options
from seq2see.inference.engine import Engine
from seq2see.inference.notes import InputNotes, Seen, UnknownTextWarning
from seq2see.inference.options import BatchOptions, Count, GenerationArguments, GenerationOptions
from seq2see.inference.reading import (
    LARGEST_INPUT_LENGTH,
    USUAL_INPUT_LENGTH,
    InputLimits,
    Readable,
    Refusals,
    read_pairs,
)
from seq2see.inference.requests import Request, requests_of, split_per_text
from seq2see.inference.results import PairScore, Prediction, loss_of, unscored
from seq2see.inference.rules import RuleMaker
from seq2see.inference.scoring import score_examples, unknown_note
from seq2see.text import Codec, Fields

if TYPE_CHECKING:  # a program that only predicts reads no files of pairs
    from seq2see.data import Pair
    from seq2see.data.given import Source


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
        length_penalty: float = 0.0,
        no_repeat: int | None = None,
        metric: str = "",
        name: str = "",
        others: Sequence[Engine] = (),
        paths: Sequence[Path] = (),
        seen: Seen = Seen(),  # noqa: B008 (frozen)
        record: SourceRecord = NO_RECORD,
        table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
        card: str = "",
    ) -> None:
        self.engine = engine
        self.members = (engine, *others)
        """The networks of an ensemble, whose probabilities are averaged; one for a single model."""
        self.source_codec = with_columns(source_codec, table.source)
        self.target_codec = target_codec
        self.max_positions = min(
            (member.max_positions for member in self.members if member.max_positions), default=None
        )
        """The largest length of a text, EOS counted, for a model with learned positions; else None."""
        self.max_length = min(max_length, self.max_positions or max_length)
        self.length_penalty = length_penalty
        """What a beam ranks with unless an option says otherwise."""
        self.no_repeat = no_repeat
        """The n-grams that answers don't repeat unless an option says otherwise; None: any may be repeated."""
        self.metric = metric
        """The metric that selected it on dev; empty for the loss."""
        self.name = name
        self.paths = tuple(paths)
        """The folders or files that it was loaded from; none for a model made in a program."""
        self.seen = seen
        """What it read in training; texts unlike that are warned of."""
        self.record = record
        """The sources that it was trained on, as hashes: see `has_seen`."""
        self.table = table
        """The columns of the table that it was trained on, which are read of other tables too."""
        self.card = card
        """The model card, README.md; empty for a model made in a program."""

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to show."""
        return any(member.has_attention for member in self.members)

    @property
    def num_parameters(self) -> int:
        """The number of parameters, summed over an ensemble."""
        return sum(member.num_parameters for member in self.members)

    @with_options(GenerationOptions, GenerationArguments)
    def predict(
        self,
        texts: str | Iterable[Source],
        options: GenerationOptions | None = None,
        **changes: Unpack[GenerationArguments],
    ) -> list[Prediction]:
        """One prediction per text, in the order of the texts; an empty text gets an empty answer.

        The keyword arguments are the fields of `GenerationOptions`: greedy search by default, beam search with `beam`,
        sampling with `sample`; `n_best` answers per text, the others in `alternatives`. A language model continues each
        text, and begins one where it is empty. Texts may be any iterable of str, such as a column of a data frame.

        The options of `Constraints` may have one value per text: `prefix=["a", None]`, `max_length=[9, 12]`. A list of
        texts as `contain` or `forbid` holds for all answers, a list of lists has one per text:
        `contain=[["a", "b"], None]`. They come on top of those for all, whose prefix and lengths they replace.

        A text that can't be answered, because it is too long or its constraints can't be met, has an empty answer whose
        `error` says why; with `strict` it raises DataError instead, before anything is computed. Warns of such texts
        (`UnansweredTextWarning`), and of texts unlike the training data and terms of the glossary that can't be written
        (`UnknownTextWarning`). Raises ConfigError for options that are invalid or unsupported by this model, DataError
        for a text that isn't a str.
        """
        chosen, maker, each_request = self._asked(texts, options, changes, where="predict")
        requests = list(each_request)
        notes, refusals = self._notes(), Refusals("texts without an answer", strict=chosen.strict)
        asked = self._read(requests, chosen, maker)
        refusals.add(asked.read, len(requests))
        asked.examine(notes)
        for each in (notes, maker.notes, refusals):
            each.warn(stacklevel=2)
        return answers_of(self, asked, chosen)

    @with_options(GenerationOptions, GenerationArguments)
    def stream(
        self,
        texts: Iterable[Source],
        options: GenerationOptions | None = None,
        *,
        chunk_size: int = 2048,
        with_attention: bool = True,
        **changes: Unpack[GenerationArguments],
    ) -> Iterator[tuple[str, Prediction]]:
        """As `predict`, but lazily, for texts without end: each text with its prediction, in order.

        `chunk_size` texts are read and answered at a time, so that those of similar length share a batch; it changes no
        answer, not even a random one. What has one value per text may be any iterable too. Without `with_attention`
        predictions have no weights, which saves memory for long texts. Invalid options are refused at once, before the
        first text is read. Warnings come once the texts end, or with a `chunk_size` of 1 at once. With `strict`, the
        texts before one that can't be answered are answered.
        """
        require_type("chunk_size", chunk_size, Count)
        chosen, maker, requests = self._asked(texts, options, changes, where="stream")
        return self._stream(requests, chosen, maker, chunk_size, with_attention=with_attention)

    def _asked(
        self,
        texts: str | Iterable[Source],
        options: GenerationOptions | None,
        changes: GenerationArguments,
        *,
        where: str,
    ) -> tuple[GenerationOptions, RuleMaker, Iterable[Request]]:
        """The options with these changes, and the texts with what is asked of each alone.

        ConfigError for what is unknown, invalid or unsupported by this model.
        """
        require_known(changes, GenerationOptions, where=where)
        if options is not None and not isinstance(options, GenerationOptions):
            fix = f"give all texts as one list, and options by name: {where}(texts, beam=5)"
            raise ConfigError(f"must be GenerationOptions, not {options!r}", where="options", fix=fix)
        shared, per_text = split_per_text(changes)
        chosen = options
        if chosen is None or shared:
            chosen = GenerationOptions(**{**(vars(options) if options else {}), **shared})
        chosen = self._completed(chosen)
        maker = self._rule_maker(chosen)
        if per_text:
            maker.require_supported(per_text)
        number = 1 if isinstance(texts, str) else len(texts) if isinstance(texts, Sized) else None
        return chosen, maker, requests_of(texts_of(texts), per_text, number)

    def _completed(self, options: GenerationOptions) -> GenerationOptions:
        """The options with what the model was told in training, where they don't say otherwise."""
        if options.no_repeat is None and self.no_repeat:
            options = replace(options, no_repeat=self.no_repeat)
        if options.beam == 1 or options.length_penalty is not None:
            return options
        return replace(options, length_penalty=self.length_penalty)

    def _rule_maker(self, options: GenerationOptions) -> RuleMaker:
        """ConfigError for options that this model doesn't support, whatever the texts are."""
        if options.coverage_penalty and not self.has_attention:
            raise ConfigError("needs a model with attention", where="coverage_penalty", fix="use 0, or another model")
        if options.coverage_penalty and self.target_codec.step is not None:
            what = "has no effect on a transducer, which reads every source token"
            raise ConfigError(what, where="coverage_penalty", fix="leave it out")
        if options.mbr:
            from seq2see.metrics import METRICS

            METRICS[options.mbr]([], [])  # raises if its package is missing
        return RuleMaker(
            options,
            self.source_codec,
            self.target_codec,
            max_length=self.max_length,
            max_positions=self.max_positions,
        )

    def _stream(
        self,
        requests: Iterable[Request],
        options: GenerationOptions,
        maker: RuleMaker,
        chunk_size: int,
        *,
        with_attention: bool,
    ) -> Iterator[tuple[str, Prediction]]:
        first_row, notes, refusals = 0, self._notes(), Refusals("texts without an answer")
        for chunk in chunks_of(requests, chunk_size):
            asked = self._read(chunk, options, maker, first_row=first_row)
            error = None
            if options.strict and asked.read.refused:
                first = min(asked.read.refused)
                error, chunk = asked.read.refused[first], chunk[:first]
                asked = self._read(chunk, options, maker, first_row=first_row)
            else:
                asked.examine(notes)
                refusals.add(asked.read, len(chunk))
            if chunk_size == 1 and error is None:
                for each in (notes, maker.notes, refusals):
                    each.warn(stacklevel=2)
            answers = answers_of(self, asked, options, with_attention=with_attention)
            yield from zip([request.text for request in chunk], answers, strict=True)
            if error is not None:
                raise error
            first_row += len(chunk)
        for each in (notes, maker.notes, refusals):
            each.warn(stacklevel=2)

    def input_limits(self, max_input_length: int | None = None) -> InputLimits:
        """The longest text that is read; by default 10,000 tokens, or twice the longest in training."""
        usual = max(USUAL_INPUT_LENGTH, min(2 * (self.seen.longest or 0), LARGEST_INPUT_LENGTH))
        return InputLimits(max_input_length or usual, self.max_positions)

    def _read(
        self, requests: Sequence[Request], options: GenerationOptions, maker: RuleMaker, *, first_row: int = 0
    ) -> Asked:
        codec, limits = self.source_codec or self.target_codec, self.input_limits(options.max_input_length)
        return Asked.of(requests, maker, codec, limits, is_prompt=self.source_codec is None, first_row=first_row)

    def _notes(self, results: str = "answers") -> InputNotes:
        return InputNotes(self.source_codec or self.target_codec, self.seen, self.source_codec is not None, results)

    def loss(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> float:
        """The loss in nats per target token, EOS counted, with teacher forcing. DataError without pairs to score.

        Pairs that can't be scored and tokens that are not in the target vocabulary are left out, with a warning: see
        `score`.
        """
        return loss_of(self.score(pairs, batch_size=batch_size))

    def score(
        self,
        pairs: Sequence[Pair],
        *,
        batch_size: int = 64,
        max_input_length: int | None = None,
        strict: bool = False,
    ) -> list[PairScore]:
        """The log-probability of each target, in the order of the pairs; equal to that of a search that finds it.

        A target of subwords is segmented as in training; a search may find the same text in another segmentation, which
        has another log-probability. A target with tokens that are not in the target vocabulary can't be generated: its
        log-probability is -inf, it names them in `unknown`, and there is an UnknownTextWarning, as there is for sources
        unlike the training data. A pair that can't be scored, because a side is longer than `max_input_length` tokens
        or than the model's positions, has NaN, its `error` says why, and there is an
        UnansweredTextWarning; with `strict` it raises DataError instead.
        """
        options = BatchOptions(batch_size, max_input_length, strict)
        places = [pair.origin or f"pair {number}" for number, pair in enumerate(pairs, start=1)]
        read = read_given(self, pairs, places, options, wanted="a score", stacklevel=3)
        readable = [pairs[row] for row in read.rows]
        found = score_examples(self.members, read.examples, readable, self.target_codec, options.batch_size)
        if note := unknown_note([score.unknown for score in found], "so their log-probability is -inf"):
            warnings.warn(note, UnknownTextWarning, stacklevel=2)
        scores = [unscored(read.refused[row]) if row in read.refused else None for row in range(len(pairs))]
        own = iter(found)
        return [next(own) if score is None else score for score in scores]

    def has_seen(self, texts: str | Iterable[Source]) -> list[bool | None]:
        """Whether the model was trained on each source (a language model: text), or one that it was fine-tuned from.

        None where that is unknown: the model has no record of its training sources, or not of all of them.
        """
        codec = self.source_codec or self.target_codec
        known = self.record.train.contains(identity_of(codec, text) for text in texts_of(texts))
        return [True if each else False if self.record.is_complete else None for each in known]


def with_columns(codec: Codec | None, columns: tuple[str, ...]) -> Codec | None:
    """A codec of several fields that knows how the user calls them."""
    if codec is None or not isinstance(codec.tokenizer, Fields):
        return codec
    return replace(codec, tokenizer=replace(codec.tokenizer, columns=columns))


def stream_requests(
    model: Predictor,
    requests: Iterable[Request],
    options: GenerationOptions,
    *,
    chunk_size: int = 2048,
    with_attention: bool = True,
) -> Iterator[tuple[str, Prediction]]:
    """As `Predictor.stream`, for texts that are read together with their constraints, such as the lines of a file."""
    chosen = model._completed(options)
    return model._stream(requests, chosen, model._rule_maker(chosen), chunk_size, with_attention=with_attention)


def read_given(
    model: Predictor,
    pairs: Sequence[Pair],
    places: Sequence[str],
    options: BatchOptions,
    *,
    wanted: str,
    stacklevel: int,
) -> Readable:
    """Pairs with targets as ids, and those that can't be read.

    It warns of these, which are without what is `wanted`, and of sources unlike the training data, at this level above.
    DataError for a missing target, and with `strict` for a pair that can't be read.
    """
    for pair, place in zip(pairs, places, strict=True):
        if pair.target is None:
            raise DataError("the target is missing", where=place, fix="give a target")
    read = read_pairs(
        None if model.source_codec is None else [pair.source for pair in pairs],
        [pair.target or "" for pair in pairs],
        (model.source_codec, model.target_codec),
        model.input_limits(options.max_input_length),
        places,
    )
    refusals = Refusals(f"pairs without {wanted}", strict=options.strict)
    refusals.add(read, len(pairs))
    if model.source_codec is not None:
        notes = model._notes(f"{wanted.split()[-1]}s")
        sources = [read.examples.source(index)[:-1] for index in range(len(read.rows))]
        notes.add([pairs[row].source for row in read.rows], sources, [places[row] for row in read.rows])
        notes.warn(stacklevel=stacklevel + 1)
    refusals.warn(stacklevel=stacklevel + 1)
    return read
