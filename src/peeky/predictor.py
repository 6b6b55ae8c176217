"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from peeky.checkpoint import load_model
from peeky.data import Examples, Pair
from peeky.data.batch import collate
from peeky.errors import CheckpointError, ConfigError, DataError, did_you_mean
from peeky.generation import Generation
from peeky.model import Decoder, DecoderState, Seq2Seq, Sizes, longest, read_blueprint, restore
from peeky.model.readers import Attend
from peeky.model.transformer import CrossAttention
from peeky.prediction import EMPTY, PairScore, Prediction
from peeky.search import Filter, Forbid, Hypothesis, States, Step, beam_search, ensemble, generate
from peeky.text import BOS, EOS, PAD, UNK, Codec
from peeky.training import target_log_probs

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


class Model:
    """A trained model: `predict` answers texts, `evaluate` holds it to known targets.

    Texts are answered in batches of similar length; neither the size of the batches nor their order changes an answer.
    """

    def __init__(
        self,
        network: Seq2Seq,
        source_codec: Codec | None,
        target_codec: Codec,
        *,
        max_length: int,
        name: str = "",
        longest: int | None = None,
        others: Sequence[Seq2Seq] = (),
    ) -> None:
        self.network = network
        self.members = (network, *others)
        """All networks of an ensemble, which answer as one: the mean of their probabilities."""
        self.source_codec = source_codec
        self.target_codec = target_codec
        self.max_length = min(max_length, longest or max_length)
        self.name = name
        self.longest = longest
        """The most tokens of a text, EOS counted, where the positions are learnt ones."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.decoder.output.weight.device

    @property
    def looks(self) -> bool:
        """Whether there is attention to show."""
        kinds = (Attend, CrossAttention)
        return any(isinstance(part, kinds) for member in self.members for part in member.modules())

    @property
    def num_parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(parameter.numel() for member in self.members for parameter in member.parameters())

    def predict(self, texts: str | Sequence[str], **options: Any) -> list[Prediction]:
        """One prediction a text, in the order of the texts; an empty text gets an empty answer.

        `options` are those of `Generation`: greedy, or with a `beam` of several hypotheses, or with `sample` drawn at
        random; `n_best` answers of each text, the others in `alternatives`. A language model continues each text; an
        empty one it begins itself. Raises ConfigError for options that can't be.
        """
        for name in options:
            if name not in Generation.__dataclass_fields__:
                fix = did_you_mean(name, Generation.__dataclass_fields__)
                raise ConfigError(f"there is no option {name!r}", where="predict", fix=fix)
        generation = Generation(**options)
        given = [texts] if isinstance(texts, str) else list(texts)
        for number, text in enumerate(given, start=1):
            if not isinstance(text, str):
                raise DataError(f"{text!r} is not a text", where=f"text {number}", fix="give a str, or a list of them")
        self._check(generation)
        return self._answer(given, generation)

    def stream(
        self, texts: Iterable[str], options: Generation, *, chunk_size: int = 2048
    ) -> Iterator[list[tuple[str, Prediction]]]:
        """As `predict`, for texts without end: each text with its answer, a chunk as soon as it is full.

        Which chunk a text comes in changes nothing, not even what is drawn at random. Options that this model can't
        follow are refused at once, before the first text is asked for.
        """
        self._check(options)
        return self._stream(texts, options, chunk_size)

    def _stream(
        self, texts: Iterable[str], options: Generation, chunk_size: int
    ) -> Iterator[list[tuple[str, Prediction]]]:
        first_row = 0
        iterator = iter(texts)
        while chunk := list(islice(iterator, chunk_size)):
            yield list(zip(chunk, self._answer(chunk, options, first_row=first_row), strict=True))
            first_row += len(chunk)

    def _check(self, options: Generation) -> None:
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
        if options.coverage_penalty and not self.looks:
            raise ConfigError("this model has no attention, it covers nothing", where="coverage_penalty", fix="use 0")
        fixed, most = options.num_fixed(self.target_codec), options.max_length or self.max_length
        if fixed > most:
            raise ConfigError(
                f"{fixed - 1} tokens and the end don't fit into an answer of at most {most}",
                where="prefix" if options.prefix else "contain",
                fix=f"give a max_length of {fixed} or more, or a shorter text",
            )

    def _answer(self, texts: Sequence[str], options: Generation, *, first_row: int = 0) -> list[Prediction]:
        is_prompt = self.source_codec is None
        rows = [row for row, text in enumerate(texts) if is_prompt or text.strip()]
        self._warn_of_unknown([texts[row] for row in rows])
        examples = self._examples([Pair(texts[row], None, f"text {first_row + row + 1}") for row in rows])
        self.require_room(examples, [f"text {first_row + row + 1}" for row in rows], room=1)
        prompts = examples.target_lengths
        order = np.lexsort((-examples.source_lengths, prompts))
        predictions = [EMPTY] * len(texts)
        with torch.inference_mode():
            for member in self.members:
                member.eval()
            for indices in batches_of_equal(prompts, order, options.batch_size):
                numbers = torch.tensor([first_row + rows[index] for index in indices])
                answers = self._search(examples, indices, numbers, options)
                for index, found in zip(indices.tolist(), answers, strict=True):
                    prompt = texts[rows[index]] if is_prompt else ""
                    best, *others = [self._prediction(examples, index, hypothesis, prompt) for hypothesis in found]
                    predictions[rows[index]] = best._replace(alternatives=tuple(others))
        return predictions

    def require_room(self, examples: Examples, places: Sequence[str], *, room: int = 0) -> None:
        """DataError for the first text that is longer than a model with learnt positions can read.

        Behind a target there has to be `room` for tokens to come.
        """
        for lengths in (examples.source_lengths, examples.target_lengths + room):
            if self.longest is not None and (long := np.flatnonzero(lengths > self.longest)).size:
                raise DataError(
                    f"{lengths[long[0]]:,} tokens with the end, and the model's positions stop at {self.longest:,}",
                    where=places[long[0]],
                    fix="shorten the text, or train with a larger model.longest or other model.positions",
                )

    def _examples(self, pairs: Sequence[Pair]) -> Examples:
        """What the network reads; a language model's prompts are the beginnings of its targets, EOS taken off."""
        if self.source_codec is not None:
            return Examples.encode(pairs, self.source_codec, self.target_codec)
        prompts = Examples.encode(
            [pair._replace(source="", target=pair.source) for pair in pairs], None, self.target_codec
        )
        kept = np.delete(prompts.target_ids, prompts.target_offsets[1:] - 1)
        return replace(prompts, target_ids=kept, target_offsets=prompts.target_offsets - np.arange(len(pairs) + 1))

    def _search(
        self, examples: Examples, indices: np.ndarray, numbers: Tensor, options: Generation
    ) -> list[list[Hypothesis]]:
        """For each text what was found, best first; at least one, which may be empty."""
        batch = collate(examples, indices).to(self.device)
        prompt = batch.target.ids
        steps, states = [], []
        for member in self.members:
            state = member.decoder.start(member.encode(batch.source))
            if prompt.size(1):
                _, state, _ = member.decoder(batch.decoder_input, state)
            steps.append(step_of(member.decoder))
            states.append(state)
        step: Step[Any] = steps[0] if len(steps) == 1 else ensemble(steps)
        start: Any = states[0] if len(steps) == 1 else States(tuple(states))
        max_lengths = options.max_lengths(batch.source.lengths, self.max_length)
        if self.longest is not None:
            max_lengths = max_lengths.clamp(max=self.longest - prompt.size(1))
        has_room = max_lengths >= options.num_fixed(self.target_codec)
        filters: list[Filter] = [
            Forbid(NEVER_GENERATED),
            *options.filters(self.target_codec, batch.source.lengths, max_lengths),
        ]
        first = prompt[:, -1] if prompt.size(1) else BOS
        if not options.is_ranked:
            found = generate(
                step,
                start,
                first=first,
                eos=EOS,
                max_lengths=max_lengths,
                choose=options.choose,
                filters=filters,
                row_numbers=numbers.to(self.device),
                count=options.n_best,
            )
            drawn = [found[start : start + options.n_best] for start in range(0, len(found), options.n_best)]
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
            source_lengths=batch.source.lengths,
            filters=filters,
            phrases=options.phrases(self.target_codec, has_room),
        )
        return [each if each and room else [NOTHING] for each, room in zip(ranked, has_room.tolist(), strict=True)]

    def _prediction(self, examples: Examples, index: int, hypothesis: Hypothesis, prompt: str) -> Prediction:
        source, weights = examples.source(index), hypothesis.weights
        return Prediction(
            self.target_codec.decode(hypothesis.ids, after=prompt),
            self.source_codec.tokens(source) if self.source_codec is not None else [],
            self.target_codec.tokens(hypothesis.ids),
            hypothesis.log_prob,
            hypothesis.log_prob / max(1, len(hypothesis.ids)),
            None if weights is None else weights[:, : len(source)].numpy(),
            hypothesis.finished,
        )

    def evaluate(self, pairs: Sequence[Pair], *, beam: int = 1, batch_size: int = 64) -> Scores:
        """Exact match and loss on pairs whose targets are known; for a language model the loss alone."""
        Generation(beam=beam, batch_size=batch_size)
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
        scores = self.score(pairs, batch_size=batch_size)
        return -sum(score.log_prob for score in scores) / sum(score.num_tokens for score in scores)

    def score(self, pairs: Sequence[Pair], *, batch_size: int = 64) -> list[PairScore]:
        """How probable the model finds each given target, in the order of the pairs: what a search says of it, too."""
        Generation(batch_size=batch_size)
        for number, pair in enumerate(pairs, start=1):
            if pair.target is None:
                raise DataError("there is no target", where=pair.origin or f"pair {number}", fix="give one to score")
        examples = Examples.encode(pairs, self.source_codec, self.target_codec)
        self.require_room(examples, [pair.origin or f"pair {number}" for number, pair in enumerate(pairs, start=1)])
        order = np.lexsort((examples.target_lengths, examples.source_lengths))
        totals = np.zeros(len(pairs))
        with torch.inference_mode():
            for member in self.members:
                member.eval()
            for start in range(0, len(order), batch_size):
                indices = order[start : start + batch_size]
                batch = collate(examples, indices).to(self.device)
                each = torch.stack([target_log_probs(member, batch) for member in self.members]).double()
                mean = each.logsumexp(0) - math.log(len(self.members))
                totals[indices] = [float(own.sum()) for own in torch.split(mean, batch.target.lengths.tolist())]
        lengths = examples.target_lengths.tolist()
        return [PairScore(*each) for each in zip(totals.tolist(), (totals / lengths).tolist(), lengths, strict=True)]

    def _warn_of_unknown(self, texts: Sequence[str]) -> None:
        """Say which symbols were never seen in training, and which texts are in another Unicode form."""
        codec = self.source_codec or self.target_codec
        unknown = Counter(token for text in texts for token in set(codec.unknown(text)))
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


def step_of(decoder: Decoder) -> Step[DecoderState]:
    """What a search asks of a decoder."""

    def step(ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        logits, state, weights = decoder(ids[:, None], state)
        return logits[:, 0].log_softmax(-1), state, None if weights is None else weights[:, 0]

    return step


def batches_of_equal(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The indices in `order`, which is sorted by `lengths`, in batches each of one length."""
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, borders):
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


def load(path: str | Path | Sequence[str | Path], *, device: str = "auto") -> Model:
    """The model of a run, of its `model/` folder alone, or of a packed file; of several, an ensemble.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged, and ConfigError for
    models that don't share their vocabularies.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    if not paths:
        raise ConfigError("no run was named", where="load", fix="name one, or several for an ensemble")
    target = find_device(device)
    models = [_load_one(each, target) for each in paths]
    first, *others = models
    for place, other in zip(paths[1:], others, strict=True):
        if (other.source_codec, other.target_codec) != (first.source_codec, first.target_codec):
            raise ConfigError(
                f"its vocabulary is not that of {paths[0]}",
                where=str(place),
                fix="an ensemble's members are trained on the same data with the same text options",
            )
    if not others:
        return first
    return Model(
        first.network,
        first.source_codec,
        first.target_codec,
        max_length=max(model.max_length for model in models),
        name=" + ".join(model.name for model in models),
        longest=min((model.longest for model in models if model.longest), default=None),
        others=[model.network for model in others],
    )


def _load_one(path: Path, device: torch.device) -> Model:
    saved = load_model(path)
    sizes = Sizes(len(saved.source_codec.vocabulary) if saved.source_codec else 0, len(saved.target_codec.vocabulary))
    tensors = {name: torch.from_numpy(tensor) for name, tensor in saved.tensors.items()}
    try:
        blueprint = read_blueprint(saved.config["model"])
        network = restore(blueprint, sizes, tensors)
    except (ConfigError, ValueError) as error:
        what = f"holds no model that can be built: {str(error).splitlines()[0]}"
        raise CheckpointError(what, where=saved.origin, fix="copy it again from where it was made") from error
    return Model(
        network.to(device).eval(),
        saved.source_codec,
        saved.target_codec,
        max_length=saved.config["max_length"],
        name=blueprint.name,
        longest=longest(blueprint),
    )


def find_device(name: str) -> torch.device:
    """`auto` is CUDA or MPS where there is one, else the CPU; ConfigError for one that this machine lacks."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if name not in available:
        raise ConfigError(
            f"there is no device {name!r}", where="--device", fix=did_you_mean(name, ["auto", *available])
        )
    if not available[name]:
        raise ConfigError(f"this machine (or its PyTorch) has no {name}", where="--device", fix="use --device cpu")
    return torch.device(name)
