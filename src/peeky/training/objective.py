"""What training minimises."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from peeky.data.batch import Batch
from peeky.model import Seq2Seq
from peeky.training.cross_entropy import linear_cross_entropy


def batch_loss(model: Seq2Seq, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Summed cross-entropy in nats of the target tokens, EOS included and padding not (Szegedy et al. 2015 smoothing).

    The decoder reads BOS and the target without its last token; each position is held to the token that comes next.
    """
    real = batch.target.mask
    states = model.states(batch.source, batch.decoder_input)[real]
    output = model.decoder.output
    return linear_cross_entropy(states, output.weight, output.bias, batch.target.ids[real], label_smoothing)


@torch.inference_mode()
def corpus_loss(model: Seq2Seq, batches: Iterable[Batch]) -> float:
    """Nats per target token over all batches, without smoothing; the model is left with its dropout off."""
    model.eval()
    total, tokens = 0.0, 0
    for batch in batches:
        total += batch_loss(model, batch).item()
        tokens += batch.target_tokens
    return total / tokens
