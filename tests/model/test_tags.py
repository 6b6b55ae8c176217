"""Tags that only the decoder reads, `model.tags=decoder`, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seq2see.blueprint import HIDDEN_TAG, Field
from seq2see.model import ModelOptions, Padded, Seq2Seq, Sizes, build, resolve
from seq2see.text import UNK

LEMMA = [5, 6, 7, 4]
"""Three letters, and the break between the fields."""


@pytest.fixture(params=["bidirectional", "transformer"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    torch.manual_seed(1)
    options = ModelOptions(name=request.param, width=16, embedding=16, dropout=0.0, tags="decoder")
    return build(resolve(options), Sizes(20, 9, fields=(Field("text"), Field("tags")))).eval()


def source(*rows: list[int]) -> Padded:
    longest = max(map(len, rows))
    ids = [[*row, *[0] * (longest - len(row))] for row in rows]
    return Padded(torch.tensor(ids), torch.tensor(list(map(len, rows))))


def vectors(model: Seq2Seq, *tags: int) -> Tensor:
    """The embeddings of tags [T E]."""
    return model.encoder.embedding.weight[list(tags)] * model.encoder.embedding.scale


def states_of(model: Seq2Seq, *tags: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """States [S D], the final states of all layers, and the sum of the tags."""
    memory = model.encoder(source([*LEMMA, *tags]))
    assert memory.tags is not None
    return memory.states[0], [each for final in memory.finals for each in final], memory.tags[0]


@torch.no_grad()
def test_the_layers_see_only_how_many_tags_there_are(model: Seq2Seq) -> None:
    states, finals, _ = states_of(model, 10, 11)
    others, other_finals, _ = states_of(model, 12, 13)
    more, *_ = states_of(model, 10, 11, 12)
    assert torch.equal(states[:4], others[:4])
    assert all(map(torch.equal, finals, other_finals))
    assert not torch.allclose(states[:4], more[:4])


@torch.no_grad()
def test_the_state_of_a_tag_has_its_own_share(model: Seq2Seq) -> None:
    states, _, sums = states_of(model, 10, 11)
    others, _, other_sums = states_of(model, 12, 13)
    difference = vectors(model, 10, 11) - vectors(model, 12, 13)
    torch.testing.assert_close(states[4:] - others[4:], difference @ model.encoder.tag_states.weight.T)
    torch.testing.assert_close(sums - other_sums, difference.sum(0))


def test_the_layers_read_the_unknown_token(model: Seq2Seq) -> None:
    assert HIDDEN_TAG == UNK
    ids = torch.tensor([[*LEMMA, 10, 11]])
    assert model.encoder.fields.without_tags(ids).tolist() == [[*LEMMA, UNK, UNK]]


@torch.no_grad()
def test_an_unknown_tag_has_nothing_of_its_own(model: Seq2Seq) -> None:
    states, _, sums = states_of(model, 1)
    known, *_ = states_of(model, 10)
    assert torch.equal(states[:4], known[:4])
    assert torch.equal(sums, torch.zeros_like(sums))
    own = model.encoder.tag_states(vectors(model, 10))
    torch.testing.assert_close(known[4:], states[4:] + own)
