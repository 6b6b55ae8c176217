"""The training loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2see.model import Seq2Seq
from seq2see.training.batch import TensorBatch
from seq2see.training.cross_entropy import MAX_LOGITS, linear_cross_entropy


def batch_loss(model: Seq2Seq, batch: TensorBatch, label_smoothing: float = 0.0) -> Tensor:
    """Summed cross-entropy in nats of the target tokens, including EOS but not padding.

    The decoder reads BOS and the target without its last token; each position predicts the next token.
    """
    real = batch.target.mask
    states = model.states(batch.source, batch.decoder_input)[real]
    output = model.decoder.output
    return linear_cross_entropy(states, output.weight, output.bias, batch.target.ids[real], label_smoothing)


class Objective(nn.Module):
    """`batch_loss` as a module around the model, so that DDP and FSDP2 can wrap model and loss together."""

    def __init__(self, model: Seq2Seq, label_smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.label_smoothing = label_smoothing

    def forward(self, batch: TensorBatch) -> Tensor:
        """See `batch_loss`."""
        return batch_loss(self.model, batch, self.label_smoothing)


@torch.inference_mode()
def target_log_probs(model: Seq2Seq, batch: TensorBatch) -> Float[Tensor, " N"]:
    """log p of each real target token given those before it, EOS included, row after row, in nats."""
    real = batch.target.mask
    states, targets = model.states(batch.source, batch.decoder_input)[real], batch.target.ids[real]
    output = model.decoder.output
    step = max(1, MAX_LOGITS // output.out_features)
    parts = [
        output(part).log_softmax(-1).gather(1, own[:, None]).squeeze(1)
        for part, own in zip(torch.split(states, step), torch.split(targets, step), strict=True)
    ]
    return torch.cat(parts)
