"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from peeky.checkpoint import load_model
from peeky.data import Examples, Pair
from peeky.data.batch import collate
from peeky.errors import ConfigError, DataError, did_you_mean
from peeky.model import Blueprint, DecoderState, Seq2Seq, Sizes, build
from peeky.search import Choose, Hypothesis, Sampler, beam_search, generate, greedy
from peeky.text import BOS, EOS, PAD, UNK, Codec
from peeky.training import corpus_loss

NEVER_GENERATED = (PAD, UNK, BOS)


class UnknownTextWarning(UserWarning):
    """Some input has symbols that the model has never seen, or is not normalised as its training data were."""


class Prediction(NamedTuple):
    """What the model answers to one text."""

    text: str
    """For a language model: the given text, continued."""
    source_tokens: list[str]
    """The columns of `weights`; EOS closes them, because the model may look at it too."""
    target_tokens: list[str]
    """The generated tokens, the rows of `weights`; ends with EOS unless the hard maximum was reached."""
    log_prob: float
    """Summed over the generated tokens, in nats."""
    score: float
    """`log_prob` per generated token: what can be compared between texts of unequal length."""
    weights: np.ndarray | None
    """Where the decoder looked, [T S], each row summing to 1; None for models without attention."""
    finished: bool
    """False if the hard maximum came before EOS."""


EMPTY = Prediction("", [], [], 0.0, 0.0, None, True)
"""The answer to an empty text."""


@dataclass(frozen=True)
class Generation:
    """How answers are looked for. Raises ConfigError for what can't be."""

    beam: int = 1
    batch_size: int = 128
    sample: bool = False
    temperature: float = 1.0
    seed: int = 0
    max_length: int | None = None

    def __post_init__(self) -> None:
        for option, value in (("beam", self.beam), ("batch_size", self.batch_size), ("max_length", self.max_length)):
            if value is not None and value < 1:
                raise ConfigError(f"{value} is too small", where=option, fix=f"give a {option} of 1 or more")
        if self.sample and self.beam > 1:
            raise ConfigError(
                f"sampling draws one hypothesis, a beam of {self.beam} keeps several", fix="choose one of the two"
            )
        if not self.sample and (self.temperature, self.seed) != (1.0, 0):
            raise ConfigError(
                "a temperature or a seed changes nothing without sampling",
                where="temperature, seed",
                fix="add --sample (sample=True), or leave them out",
            )
        Sampler(self.temperature, self.seed)  # refuses what it can't use

    @property
    def choose(self) -> Choose:
        """How the next token is chosen where there is no beam."""
        return Sampler(self.temperature, self.seed) if self.sample else greedy


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
        self, network: Seq2Seq, source_codec: Codec | None, target_codec: Codec, *, max_length: int, name: str = ""
    ) -> None:
        self.network = network
        self.source_codec = source_codec
        self.target_codec = target_codec
        self.max_length = max_length
        self.name = name

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.decoder.output.weight.device

    @property
    def num_parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def predict(
        self,
        texts: str | Sequence[str],
        *,
        beam: int = 1,
        batch_size: int = 128,
        sample: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
        max_length: int | None = None,
    ) -> list[Prediction]:
        """One prediction a text, in the order of the texts; an empty text gets an empty answer.

        Greedy, or with a `beam` of several hypotheses, or with `sample` drawn at random from the model's distribution
        sharpened by `temperature`. `max_length` is the hard maximum in target tokens. A language model continues each
        text; an empty one it begins itself. Raises ConfigError for options that can't be.
        """
        options = Generation(beam, batch_size, sample, temperature, seed, max_length)
        given = [texts] if isinstance(texts, str) else list(texts)
        for number, text in enumerate(given, start=1):
            if not isinstance(text, str):
                raise DataError(f"{text!r} is not a text", where=f"text {number}", fix="give a str, or a list of them")
        return self._answer(given, options, first_row=0)

    def stream(
        self, texts: Iterable[str], options: Generation, *, chunk_size: int = 1024
    ) -> Iterator[list[Prediction]]:
        """As `predict`, for texts without end: the predictions of each chunk as soon as it is full."""
        first_row = 0
        iterator = iter(texts)
        while chunk := list(islice(iterator, chunk_size)):
            yield self._answer(chunk, options, first_row=first_row)
            first_row += len(chunk)

    def _answer(self, texts: Sequence[str], options: Generation, *, first_row: int) -> list[Prediction]:
        rows = [row for row, text in enumerate(texts) if text.strip() or self.source_codec is None]
        self._warn_of_unknown([texts[row] for row in rows])
        examples = self._examples([Pair(texts[row], None, f"text {row + 1}") for row in rows])
        prompts = examples.target_lengths
        order = np.lexsort((-examples.source_lengths, prompts))
        predictions = [EMPTY] * len(texts)
        with torch.inference_mode():
            self.network.eval()
            for indices in batches_of_equal(prompts, order, options.batch_size):
                numbers = torch.tensor([first_row + rows[index] for index in indices])
                found = self._search(examples, indices, numbers, options)
                for index, hypothesis in zip(indices.tolist(), found, strict=True):
                    prompt = "" if self.source_codec is not None else texts[rows[index]]
                    predictions[rows[index]] = self._prediction(examples, index, hypothesis, prompt)
        return predictions

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
    ) -> list[Hypothesis]:
        decoder, device = self.network.decoder, self.device
        batch = collate(examples, indices).to(device)
        state = decoder.start(self.network.encode(batch.source))
        prompt = batch.target.ids
        if prompt.size(1):
            _, state, _ = decoder(batch.decoder_input, state)
        first = prompt[:, -1] if prompt.size(1) else BOS
        max_lengths = torch.full((len(indices),), options.max_length or self.max_length, device=device)
        if options.beam > 1:
            ranked = beam_search(
                self._step,
                state,
                num_hypotheses=options.beam,
                first=first,
                eos=EOS,
                max_lengths=max_lengths,
                forbidden=NEVER_GENERATED,
            )
            return [hypotheses[0] for hypotheses in ranked]
        return generate(
            self._step,
            state,
            first=first,
            eos=EOS,
            max_lengths=max_lengths,
            choose=options.choose,
            forbidden=NEVER_GENERATED,
            row_numbers=numbers.to(device),
        )

    def _step(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        logits, state, weights = self.network.decoder(ids[:, None], state)
        return logits[:, 0].log_softmax(-1), state, None if weights is None else weights[:, 0]

    def _prediction(self, examples: Examples, index: int, hypothesis: Hypothesis, prompt: str) -> Prediction:
        source, weights = examples.source(index), hypothesis.weights
        return Prediction(
            self.target_codec.decode(hypothesis.ids, after=prompt),
            self.source_codec.tokens(source) if self.source_codec is not None else [],
            self.target_codec.tokens(hypothesis.ids),
            hypothesis.log_prob,
            hypothesis.log_prob / len(hypothesis.ids),
            None if weights is None else weights[:, : len(source)].numpy(),
            hypothesis.finished,
        )

    def evaluate(self, pairs: Sequence[Pair], *, beam: int = 1, batch_size: int = 128) -> Scores:
        """Exact match and loss on pairs whose targets are known; for a language model the loss alone."""
        Generation(beam, batch_size)
        if not pairs:
            raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
        loss = self.loss(pairs, batch_size=batch_size)
        if self.source_codec is None:
            return Scores(len(pairs), None, loss, [])
        predictions = self.predict([pair.source for pair in pairs], beam=beam, batch_size=batch_size)
        targets = [self.target_codec.normalise(pair.target or "") for pair in pairs]
        right = sum(prediction.text == target for prediction, target in zip(predictions, targets, strict=True))
        return Scores(len(pairs), right / len(pairs), loss, predictions)

    def loss(self, pairs: Sequence[Pair], *, batch_size: int = 128) -> float:
        """Nats per target token on these pairs, EOS counted, teacher-forced."""
        examples = Examples.encode(pairs, self.source_codec, self.target_codec)
        order = np.lexsort((examples.target_lengths, examples.source_lengths))
        batches = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
        return corpus_loss(self.network, (collate(examples, rows).to(self.device) for rows in batches))

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


def batches_of_equal(lengths: np.ndarray, order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The indices in `order`, which is sorted by `lengths`, in batches each of one length."""
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, borders):
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


def load(path: str | Path, *, device: str = "auto") -> Model:
    """The model of a run, or of its `model/` folder alone.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged.
    """
    saved = load_model(Path(path))
    sizes = Sizes(len(saved.source_codec.vocabulary) if saved.source_codec else 0, len(saved.target_codec.vocabulary))
    with torch.random.fork_rng(devices=[]):  # initial values are drawn and thrown away; the caller's numbers stay
        network = build(Blueprint(**saved.config["model"]), sizes)
    network.load_tensors({name: torch.from_numpy(tensor) for name, tensor in saved.tensors.items()})
    return Model(
        network.to(find_device(device)).eval(),
        saved.source_codec,
        saved.target_codec,
        max_length=saved.config["max_length"],
        name=saved.config["model"]["name"],
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
