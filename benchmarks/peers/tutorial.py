"""Both models as tutorials of PyTorch write them: modules of torch.nn, batches in random order."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

PAD, BOS = 0, 2


class HandWritten(nn.Module):
    """Attention over a forward LSTM. It does not mask the padding in encoder state or attention."""

    def __init__(self, num_source: int, num_target: int, embedding: int, width: int) -> None:
        super().__init__()
        self.source = nn.Embedding(num_source, embedding)
        self.target = nn.Embedding(num_target, embedding)
        self.encoder = nn.LSTM(embedding, width, batch_first=True)
        self.decoder = nn.LSTM(embedding, width, batch_first=True)
        self.dense = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, num_target)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [B T V]."""
        states, final = self.encoder(self.source(source))
        return self.read(target, states, final)[0]

    def read(
        self, target: Tensor, states: Tensor, final: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits [B T V], and the decoder's state."""
        x, final = self.decoder(self.target(target), final)
        weights = (x @ states.transpose(1, 2)).softmax(-1)
        return self.output(torch.tanh(self.dense(torch.cat([x, weights @ states], -1)))), final

    @torch.inference_mode()
    def greedy(self, source: Tensor, length: int) -> Tensor:
        """The ids of answers of this length."""
        states, state = self.encoder(self.source(source))
        last, found = torch.full((len(source), 1), BOS), []
        for _ in range(length):
            logits, state = self.read(last, states, state)
            last = logits.argmax(-1)
            found.append(last)
        return torch.cat(found, 1)


class Transformer(nn.Module):
    """nn.Transformer between embeddings with sinusoidal positions and an output layer."""

    def __init__(self, num_source: int, num_target: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.source = nn.Embedding(num_source, width, padding_idx=PAD)
        self.target = nn.Embedding(num_target, width, padding_idx=PAD)
        self.inner = nn.Transformer(width, heads, layers, layers, 4 * width, dropout=0.0, batch_first=True)
        self.output = nn.Linear(width, num_target)
        angles = torch.arange(1000)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
        self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], -1).flatten(1))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits [B T V]."""
        ahead = nn.Transformer.generate_square_subsequent_mask(target.size(1), dtype=torch.bool)
        padding = source == PAD
        x, y = (
            table(ids) * table.embedding_dim**0.5 + self.positions[: ids.size(1)]
            for table, ids in ((self.source, source), (self.target, target))
        )
        return self.output(
            self.inner(x, y, tgt_mask=ahead, src_key_padding_mask=padding, memory_key_padding_mask=padding)
        )


def updates(model: nn.Module, sources: list[Tensor], targets: list[Tensor], batch_size: int) -> Iterator[None]:
    """Train, and stop after each update."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss_of = nn.CrossEntropyLoss(ignore_index=PAD)
    bos = torch.tensor([BOS])
    while True:
        for rows in torch.randperm(len(sources)).split(batch_size):
            source = pad_sequence([sources[i] for i in rows], batch_first=True)
            target = pad_sequence([targets[i] for i in rows], batch_first=True)
            read = torch.cat([bos.expand(len(rows), 1), target[:, :-1]], 1)
            loss = loss_of(model(source, read).flatten(0, 1), target.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            yield
