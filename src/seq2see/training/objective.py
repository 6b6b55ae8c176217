"""The training loss."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from seq2see.model import Padded, Seq2Seq
from seq2see.model.encoder import Encoder
from seq2see.model.tensors import at_least_float32
from seq2see.training.batch import TensorBatch
from seq2see.training.cross_entropy import MAX_LOGITS, linear_cross_entropy

DIAGONAL_DEVIATION = 0.2
"""g of the guided attention loss: how far from the diagonal costs little, as a share of the source."""


def batch_loss(
    model: Seq2Seq,
    batch: TensorBatch,
    label_smoothing: float = 0.0,
    coverage: float = 0.0,
    guided_attention: float = 0.0,
) -> Tensor:
    """Summed cross-entropy in nats of the target tokens, including EOS but not padding.

    The decoder reads BOS and the target without its last token; each position predicts the next token. `coverage` and
    `guided_attention` are the weights of `coverage_loss` and `guided_attention_loss`, which are added.
    """
    real = batch.target.mask
    stream = model.stream(batch.source, batch.decoder_input, need_weights=coverage > 0 or guided_attention > 0)
    output, targets = model.decoder.output, batch.target.ids[real]
    if stream.log_probs is None:
        loss = linear_cross_entropy(stream.x[real], output.weight, output.bias, targets, label_smoothing)
    else:
        loss = cross_entropy(stream.log_probs[real], targets, reduction="sum", label_smoothing=label_smoothing)
    if coverage or guided_attention:
        assert stream.weights is not None, "only a model that looks at its source has attention to train"
        if coverage:
            loss = loss + coverage * coverage_loss(stream.weights, real)
        if guided_attention:
            assert isinstance(model.encoder, Encoder)
            in_order = model.encoder.in_order(batch.source)
            loss = loss + guided_attention * guided_attention_loss(stream.weights, in_order, batch.target)
    return loss


def coverage_loss(weights: Float[Tensor, "B T S"], real: Bool[Tensor, "B T"]) -> Tensor:
    """Σ min(a[t, s], c[t, s]): what is attended to again, c being the sum of all steps before (See et al. 2017)."""
    covered = weights.cumsum(1) - weights
    return torch.minimum(weights, covered).sum(-1)[real].sum()


def guided_attention_loss(weights: Float[Tensor, "B T S"], in_order: Bool[Tensor, "B S"], target: Padded) -> Tensor:
    """Σ a[t, s] (1 − exp(−(s/S − t/T)² / 2g²)): attention far from the diagonal of a pair with S and T tokens.

    Tachibana et al. 2018, section 4.1; s and t are the middles of tokens: ½, 1½, … `in_order` are the S source tokens
    whose order means something, which that of tags doesn't; the cells of a picture are in the order of its columns.
    """
    source_places, target_places = (
        (mask.cumsum(1) - 0.5) / mask.sum(1, keepdim=True).clamp(min=1) for mask in (in_order, target.mask)
    )
    distance = source_places[:, None, :] - target_places[:, :, None]
    far = 1 - torch.exp(-(distance**2) / (2 * DIAGONAL_DEVIATION**2))
    return (weights * far * in_order[:, None, :]).sum(-1)[target.mask].sum()


class Objective(nn.Module):
    """`batch_loss` as a module around the model, so that DDP and FSDP2 can wrap model and loss together."""

    def __init__(
        self, model: Seq2Seq, label_smoothing: float, attention_losses: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self.attention_losses = attention_losses
        self.model = model
        self.label_smoothing = label_smoothing

    def forward(self, batch: TensorBatch) -> Tensor:
        """See `batch_loss`."""
        return batch_loss(self.model, batch, self.label_smoothing, **self.attention_losses)


@torch.inference_mode()
def target_log_probs(model: Seq2Seq, batch: TensorBatch) -> Float[Tensor, " N"]:
    """log p of each real target token given those before it, EOS included, row after row, in nats."""
    real = batch.target.mask
    stream, targets = model.stream(batch.source, batch.decoder_input), batch.target.ids[real]
    output, states = model.decoder.output, stream.x[real]
    if stream.log_probs is not None:
        return stream.log_probs[real].gather(1, targets[:, None]).squeeze(1)
    step = max(1, MAX_LOGITS // output.out_features)
    parts = [
        at_least_float32(output(part)).log_softmax(-1).gather(1, own[:, None]).squeeze(1)
        for part, own in zip(torch.split(states, step), torch.split(targets, step), strict=True)
    ]
    return torch.cat(parts)
