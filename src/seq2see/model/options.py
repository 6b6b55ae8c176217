"""What a person may set of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Size = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class ModelOptions:
    """Sizes and variants; what is None is filled in from the architecture and the data."""

    name: str | None = None
    """The architecture: see `seq2see models`."""
    width: Size | None = None
    """Width of the states, of the encoder and of the decoder."""
    embedding: Size | None = None
    """Width of the token embeddings: 128 where nothing is said, in a Transformer the model's width."""
    layers: Size | None = None
    """Layers a side: LSTMs, or blocks of a Transformer."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.3
    """Share of values dropped after the embeddings and after each layer."""
    direction: Literal["forward", "backward", "both"] | None = None
    """How the encoder reads the source."""
    merge: Literal["concat", "sum", "mean"] | None = None
    """How the two directions become one state: concat where nothing is said."""
    score: Literal["dot", "scaled_dot", "general", "additive"] | None = None
    """How attention compares a query with a source position: scaled_dot where nothing is said."""
    heads: Size | None = None
    """Heads of a Transformer's attention, which share the width among them: 4 where nothing is said."""
    feed_forward: Size | None = None
    """Inner width of a Transformer's feed-forward layers: four times the width where nothing is said."""
    positions: Literal["sinusoidal", "learned", "rotary"] | None = None
    """How a Transformer tells places apart: sinusoidal where nothing is said."""
    max_positions: Size | None = None
    """How many places learned positions have: 1,024 where nothing is said. No text may be longer."""
    norm: Literal["pre", "post"] | None = None
    """Whether a Transformer normalises before each sublayer, as where nothing is said, or after it, as in the paper."""
    activation: Literal["relu", "gelu", "swiglu"] | None = None
    """In a Transformer's feed-forward layers: relu where nothing is said."""
    tie: Literal["none", "target", "all"] | None = None
    """Tables used twice: the target embedding as output layer, or all three as one on a joint vocabulary."""


@dataclass(frozen=True)
class Blueprint:
    """`ModelOptions` with nothing left open: what an architecture is built from."""

    name: str
    width: int
    embedding: int
    layers: int
    dropout: float
    direction: str
    merge: str
    score: str
    heads: int
    feed_forward: int
    positions: str
    max_positions: int
    norm: str
    activation: str
    tie: str
