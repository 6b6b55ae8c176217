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
    """The architecture: see `peeky models`."""
    width: Size | None = None
    """Width of the states, of the encoder and of the decoder."""
    embedding: Size = 128
    """Width of the token embeddings."""
    layers: Size | None = None
    """Recurrent layers a side."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.3
    """Share of values dropped after the embeddings and after each layer."""
    direction: Literal["forward", "backward", "both"] | None = None
    """How the encoder reads the source."""
    merge: Literal["concat", "sum", "mean"] | None = None
    """How the two directions become one state: concat where nothing is said."""
    score: Literal["dot", "scaled_dot", "general", "additive"] | None = None
    """How attention compares a query with a source position: scaled_dot where nothing is said."""


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
