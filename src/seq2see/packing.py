"""`seq2see pack`: a model made small for shipping, and held to what it said before.

RUN ──▶ SavedModel ──▶ other weights ──▶ a model on NumPy alone
             │                               │
             └─▶ a model as it was trained ──┴─▶ the same answers? ──▶ card ──▶ model.seq2see
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seq2see.config import make_config, read_toml
from seq2see.data import Pair, read_pairs
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.errors import ConfigError, DataError
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import engine_maker, model_of
from seq2see.inference.predictor import Predictor, UnknownTextWarning
from seq2see.inference.results import loss_of
from seq2see.run.folder import CONFIG, MODEL
from seq2see.run.pairs import read_data
from seq2see.storage.saved_model import find_model_folder, load_model, write_packed
from seq2see.storage.weights import as_weights, read_weights, write_weights

HEADING = "## Packed"
"""Where in a card the account of packing begins."""


@dataclass(frozen=True)
class Parity:
    """What a model says before and after packing, of the same pairs."""

    count: int
    engines: tuple[str, str]
    """What calculated before and after."""
    loss: tuple[float, float]
    """Nats per target token, before and after."""
    largest_difference: float
    """Between the log-probabilities of a pair's target before and after, in nats."""
    same: int | None = None
    """How many sources got the very same tokens as an answer; None for a language model, which has no sources."""
    exact_match: tuple[float, float] | None = None
    """Before and after, 0..1; None for a language model."""

    def lines(self) -> list[str]:
        """The same in words."""
        found = ["checked on {:,} dev pairs: before on {}, after on {}".format(self.count, *self.engines)]
        if self.same is not None and self.exact_match is not None:
            found.append(f"same answers: {self.same:,} of {self.count:,} (greedy)")
            found.append("exact match: {:.2f} % before, {:.2f} % after".format(*(100 * x for x in self.exact_match)))
        found.append("loss: {:.4f} before, {:.4f} after, nats per target token".format(*self.loss))
        found.append(f"largest difference of a target's log-probability: {self.largest_difference:.2g} nats")
        return found


@dataclass(frozen=True)
class Packed:
    """A packed model."""

    path: Path
    size: int
    """In bytes."""
    parity: Parity


def pack_run(run: Path, out: Path, *, weights: str = "float32", data: Sequence[Path] = ()) -> Packed:
    """Write the model of `run` to `out`, one file if that ends in .seq2see, and say in its card what packing changed.

    It is tried on the pairs of `data`, or else on the dev pairs of the run. Raises ConfigError where neither is there,
    CheckpointError where the model can't be read or written.
    """
    chosen = as_weights(weights)
    saved = load_model(run)
    source = run if run.is_file() else find_model_folder(run)
    if out.exists() and out.samefile(source):
        raise ConfigError("that is the model itself", where=str(out), fix="choose another place with -o")
    pairs = pairs_to_try(run, data, has_source=saved.source_codec is not None)
    tensors = read_weights(write_weights(saved.tensors, chosen), chosen, where=saved.origin)
    after = model_of(saved._replace(tensors=tensors), make_numpy_engine)
    before = model_of(saved, engine_maker("auto", "auto"))
    parity = parity_of(before, after, pairs)
    lines = [f"weights: {chosen}", *parity.lines()]
    card = saved.card.partition(HEADING)[0].rstrip() + "\n\n" + "\n".join([HEADING, "", *(f"- {x}" for x in lines), ""])
    return Packed(out, write_packed(out, saved, weights=chosen, card=card), parity)


def pairs_to_try(run: Path, data: Sequence[Path], *, has_source: bool) -> Sequence[Pair]:
    """Those of the files, or the dev pairs that the run was tried on while it was trained."""
    if data:
        return read_pairs(list(data), columns="pairs" if has_source else "target").pairs
    fix = "name a file of pairs to try the packed model on: --data dev.tsv"
    if not (run / MODEL).is_dir() or not (run / CONFIG).is_file():
        raise ConfigError("a model alone doesn't say what its dev pairs were", where=str(run), fix=fix)
    try:
        config = make_config(read_toml(run / CONFIG), {}, where=str(run / CONFIG))
        return sample_evenly(read_data(config, None, None, has_source=has_source).dev, DEV_PAIRS)
    except (DataError, ConfigError) as error:
        raise ConfigError(f"its dev pairs can't be read: {error.what}", where=error.where, fix=fix) from None


def parity_of(before: Predictor, after: Predictor, pairs: Sequence[Pair]) -> Parity:
    """Both models asked for the scores of the same targets, and for the answers to the same sources."""
    both = (before, after)
    scores = [model.score(pairs) for model in both]
    differences = [abs(one.log_prob - other.log_prob) for one, other in zip(*scores, strict=True)]
    parity = Parity(
        len(pairs),
        (before.engine.name, after.engine.name),
        (loss_of(scores[0]), loss_of(scores[1])),
        max(differences, default=0.0),
    )
    if before.source_codec is None:
        return parity
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        answers = [model.predict([pair.source for pair in pairs]) for model in both]
    targets = [before.target_codec.normalise(pair.target or "") for pair in pairs]
    right = [
        sum(answer.text == target for answer, target in zip(own, targets, strict=True)) / len(pairs) for own in answers
    ]
    same = sum(one.target_tokens == other.target_tokens for one, other in zip(*answers, strict=True))
    return replace(parity, same=same, exact_match=(right[0], right[1]))
