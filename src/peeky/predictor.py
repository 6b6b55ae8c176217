"""Text in, predictions out: a trained model together with its vocabularies."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from peeky.checkpoint import load_model
from peeky.data import Examples, Pair
from peeky.data.batch import collate
from peeky.errors import ConfigError, DataError, did_you_mean
from peeky.model import Blueprint, DecoderState, Seq2Seq, Sizes, build
from peeky.search import Hypothesis, Sampler, beam_search, generate, greedy
from peeky.text import BOS, EOS, PAD, UNK, Codec
from peeky.training import corpus_loss

NEVER_GENERATED = (PAD, UNK, BOS)


class UnknownTextWarning(UserWarning):
    """Some input has symbols that the model has never seen, or is not normalised as its training data were."""


class Prediction(NamedTuple):
    """What the model answers to one text."""

    text: str
    source_tokens: list[str]
    """The columns of `weights`; EOS closes them, because the model may look at it too."""
    target_tokens: list[str]
    """The rows of `weights`; ends with EOS unless the hard maximum was reached."""
    log_prob: float
    """Summed over the target tokens, in nats."""
    score: float
    """`log_prob` per target token: what can be compared between texts of unequal length."""
    weights: np.ndarray | None
    """Where the decoder looked, [T S], each row summing to 1; None for models without attention."""
    finished: bool
    """False if the hard maximum came before EOS."""


@dataclass(frozen=True)
class Scores:
    """How well a model does on pairs whose targets are known."""

    count: int
    exact_match: float
    """Share of the pairs whose prediction is the target, 0..1."""
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
        sharpened by `temperature`. `max_length` is the hard maximum in target tokens. A language model ignores what the
        texts say: it writes one continuation of nothing for each.
        """
        if isinstance(texts, str):
            texts = [texts]
        for option, value in (("beam", beam), ("batch_size", batch_size), ("max_length", max_length or 1)):
            if value < 1:
                raise ConfigError(f"{value} is too small", where=option, fix=f"give a {option} of 1 or more")
        if sample and beam > 1:
            raise ConfigError("sampling draws one hypothesis, a beam keeps several", fix="choose one of the two")
        choose = Sampler(temperature, seed) if sample else None
        pairs = [Pair(text, None, f"text {number}") for number, text in enumerate(texts, start=1)]
        answered = [i for i, pair in enumerate(pairs) if pair.source.strip() or self.source_codec is None]
        self._warn_of_unknown([pairs[i] for i in answered])
        examples = Examples.encode([pairs[i] for i in answered], self.source_codec, self.target_codec)
        predictions = [Prediction("", [], [], 0.0, 0.0, None, True)] * len(pairs)
        order = np.argsort(-examples.source_lengths, kind="stable")
        with torch.inference_mode():
            self.network.eval()
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                numbers = torch.tensor([answered[row] for row in rows])
                found = self._search(examples, rows, numbers, beam, choose, max_length or self.max_length)
                for row, hypothesis in zip(rows, found, strict=True):
                    predictions[answered[row]] = self._prediction(examples.source(int(row)), hypothesis)
        return predictions

    def _search(
        self,
        examples: Examples,
        rows: np.ndarray,
        numbers: Tensor,
        beam: int,
        choose: Sampler | None,
        max_length: int,
    ) -> list[Hypothesis]:
        batch = collate(examples, rows).to(self.device)
        state = self.network.decoder.start(self.network.encode(batch.source))
        max_lengths = torch.full((len(rows),), max_length, device=self.device)
        if beam > 1:
            ranked = beam_search(
                self._step,
                state,
                num_hypotheses=beam,
                bos=BOS,
                eos=EOS,
                max_lengths=max_lengths,
                forbidden=NEVER_GENERATED,
            )
            return [hypotheses[0] for hypotheses in ranked]
        return generate(
            self._step,
            state,
            bos=BOS,
            eos=EOS,
            max_lengths=max_lengths,
            choose=choose or greedy,
            forbidden=NEVER_GENERATED,
            row_numbers=numbers.to(self.device),
        )

    def _step(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        logits, state, weights = self.network.decoder(ids[:, None], state)
        return logits[:, 0].log_softmax(-1), state, None if weights is None else weights[:, 0]

    def _prediction(self, source: np.ndarray, hypothesis: Hypothesis) -> Prediction:
        weights = hypothesis.weights
        return Prediction(
            self.target_codec.decode(hypothesis.ids),
            self.source_codec.tokens(source) if self.source_codec is not None else [],
            self.target_codec.tokens(hypothesis.ids),
            hypothesis.log_prob,
            hypothesis.log_prob / len(hypothesis.ids),
            None if weights is None else weights[:, : len(source)].numpy(),
            hypothesis.finished,
        )

    def evaluate(self, pairs: Sequence[Pair], *, beam: int = 1, batch_size: int = 128) -> Scores:
        """Exact match and loss on pairs whose targets are known."""
        if not pairs:
            raise DataError("there are no pairs to evaluate on", fix="give a file with at least one pair")
        predictions = self.predict([pair.source for pair in pairs], beam=beam, batch_size=batch_size)
        targets = [self.target_codec.normalise(pair.target or "") for pair in pairs]
        right = sum(prediction.text == target for prediction, target in zip(predictions, targets, strict=True))
        return Scores(len(pairs), right / len(pairs), self.loss(pairs, batch_size=batch_size), predictions)

    def loss(self, pairs: Sequence[Pair], *, batch_size: int = 128) -> float:
        """Nats per target token on these pairs, EOS counted, teacher-forced."""
        examples = Examples.encode(pairs, self.source_codec, self.target_codec)
        order = np.lexsort((examples.target_lengths, examples.source_lengths))
        batches = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
        return corpus_loss(self.network, (collate(examples, rows).to(self.device) for rows in batches))

    def _warn_of_unknown(self, pairs: Iterable[Pair]) -> None:
        if self.source_codec is None:
            return
        unknown: dict[str, int] = {}
        for pair in pairs:
            for token in set(self.source_codec.unknown(pair.source)):
                unknown[token] = unknown.get(token, 0) + 1
        if unknown:
            shown = ", ".join(f"{token!r} in {count}" for token, count in islice(unknown.items(), 5))
            more = f" and {len(unknown) - 5} others" if len(unknown) > 5 else ""
            warnings.warn(
                f"the model has never seen some symbols of the input (texts that have them: {shown}{more})",
                UnknownTextWarning,
                stacklevel=3,
            )


def load(path: str | Path, *, device: str = "auto") -> Model:
    """The model of a run, or of its `model/` folder alone.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged.
    """
    saved = load_model(Path(path))
    sizes = Sizes(len(saved.source_codec.vocabulary) if saved.source_codec else 0, len(saved.target_codec.vocabulary))
    network = build(Blueprint(**saved.config["model"]), sizes)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in saved.tensors.items()})
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


def chunks(lines: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of up to `size`, each as soon as it is full."""
    iterator = iter(lines)
    while chunk := list(islice(iterator, size)):
        yield chunk
