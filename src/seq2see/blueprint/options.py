"""The options of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

MAX_LAYERS = 1_000
"""Per side: more than any published model has."""

Size = Annotated[int, Meta(ge=1, le=1_000_000)]
Layers = Annotated[int, Meta(ge=1, le=MAX_LAYERS)]


@dataclass(frozen=True)
class ModelOptions:
    """Sizes and variants; None is filled in from the architecture and the data."""

    name: str | None = None
    """Architecture (--model; seq2see models lists them); by default bidirectional, transducer or transformer,
    as the data say."""
    width: Size | None = None
    """Width of the encoder's and the decoder's states; by default 256, or 512 from 200,000 pairs on; 128
    of a Transformer for fewer translations."""
    embedding: Size | None = None
    """Width of the token embeddings; by default 128, in a Transformer the model's width."""
    layers: Layers | None = None
    """Layers per side, LSTMs, GRUs or Transformer blocks; by default the architecture's own."""
    encoder_layers: Layers | None = None
    """Layers of the encoder; by default model.layers."""
    decoder_layers: Layers | None = None
    """Layers of the decoder; by default model.layers."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] | None = None
    """Dropout rate after the embeddings and after each layer; by default 0.3, 0.1 if the source has pictures, 0.2
    where 100,000 or more sources are spelled."""
    direction: Literal["forward", "backward", "both"] | None = None
    """Direction in which a recurrent encoder reads the source; by default the architecture's own."""
    merge: Literal["concat", "sum", "mean"] | None = None
    """How the states of the two directions are merged; by default concat."""
    cell: Literal["lstm", "gru"] | None = None
    """Recurrent network; by default lstm. A GRU has three quarters of its parameters."""
    score: Literal["dot", "scaled_dot", "general", "additive"] | None = None
    """Attention score function; by default scaled_dot, or general if the source has pictures."""
    diagonal: bool | None = None
    """Whether attention scores have a learned bias per distance of source and target position; by default false."""
    copy: bool | None = None
    """Whether tokens of the source may be copied, by attention weight (a pointer-generator); by default false."""
    tags: Literal["source", "every_step", "decoder"] | None = None
    """What reads a field of tags: source: the encoder; every_step: also each step of the decoder, as the sum of their
    embeddings; decoder: its steps, as that sum, and its attention, but the encoder only sees how many tags there are,
    not which; by default source, but decoder for targets spelled in characters from texts and tags."""
    query: Literal["current", "previous"] | None = None
    """Step of gnmt's bottom layer whose output is the attention's query; by default previous, as in its paper."""
    output: Literal["dense", "direct"] | None = None
    """What scores the tokens: [h; context] itself (direct), or tanh of a linear map of it (dense); by default dense."""
    heads: Size | None = None
    """Number of attention heads of a Transformer, a divisor of the width; by default 4."""
    feed_forward: Size | None = None
    """Inner width of a Transformer's feed-forward layers; by default 4 · width, or 256 beside a width chosen for
    translations."""
    positions: Literal["sinusoidal", "learned", "rotary"] | None = None
    """Position encoding of a Transformer; by default sinusoidal."""
    max_positions: Size | None = None
    """Maximum number of tokens with learned positions; by default 1,024."""
    norm: Literal["pre", "post"] | None = None
    """Whether a Transformer normalizes before (pre) or after (post, as in the paper) each sublayer; by default pre."""
    activation: Literal["relu", "gelu", "swiglu"] | None = None
    """Activation of a Transformer's feed-forward layers; by default relu."""
    tie: Literal["none", "target", "all"] | None = None
    """Weight tying: target (target embedding = output layer), all (source embedding too; needs text.joint=true); by
    default the architecture's own."""


@dataclass(frozen=True)
class Blueprint:
    """`ModelOptions` with every value set: what an architecture is built from."""

    name: str
    width: int
    embedding: int
    encoder_layers: int
    decoder_layers: int
    dropout: float
    direction: str
    merge: str
    cell: str
    score: str
    diagonal: bool
    copy: bool
    tags: str
    query: str
    output: str
    heads: int
    feed_forward: int
    positions: str
    max_positions: int
    norm: str
    activation: str
    tie: str

    @property
    def layers(self) -> str:
        """The number of layers per side: "2", or "6 + 2" (encoder + decoder)."""
        sides = (self.encoder_layers, self.decoder_layers)
        return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]} + {sides[1]}"


FieldKind = Literal["text", "tags", "vectors", "picture"]
"""What a field of the source is: text, a set of tags (which have no positions), a series of vectors, or a picture."""
HIDDEN_TAG = 1
"""What the encoder's layers read in place of a tag that only the decoder reads: the unknown token."""
FIELD_BREAK = 4
"""The token between two fields of a source of several fields: the first one of its vocabulary."""
VALUE = 5
"""The token in place of a vector, or of a cell of a picture: the second one of a vocabulary with such fields."""
STEP = 4
"""The token of a transducer that moves on to the next source token: the first one of the target vocabulary."""
DIAGONAL_REACH = 16
"""Positions before or after one's own; model.diagonal has one bias for each, and for all that are farther."""
COPY_LEFT = 1e-6
"""At least this probability is left to the output layer where tokens can be copied."""
PICTURE_CHANNELS = (16, 32, 64)
"""Outputs of the stages of convolutions that read a picture; each halves its height and width."""
PICTURE_DEVIATION = 0.3
"""Standard deviation of the initial weights of the convolutions, as stored."""
CELL = 1 << len(PICTURE_CHANNELS)
"""Pixels per side of a cell of a picture: what one state of the Memory is made of."""


class Field(NamedTuple):
    """A field of the source."""

    kind: FieldKind
    width: int = 0
    """Values per vector, or channels of a picture."""

    @property
    def has_values(self) -> bool:
        """Whether it is read as numbers, not as tokens."""
        return self.kind in ("vectors", "picture")

    @property
    def has_positions(self) -> bool:
        """Whether its tokens are in an order: tags are not, and the cells of a picture have rows and columns."""
        return self.kind in ("text", "vectors")


def cells_of(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the cells of a picture with these numbers of pixels."""
    return -(-height // CELL), -(-width // CELL)


def num_cells(height: int, width: int) -> int:
    """The number of cells of such a picture."""
    rows, columns = cells_of(height, width)
    return rows * columns


class Sizes(NamedTuple):
    """What a model is built for: sizes of the two vocabularies (the source's is ignored by language models), fields."""

    source: int
    target: int
    fields: tuple[Field, ...] = ()
    """The fields of the source; empty for a plain text."""
    copies: tuple[int, ...] = ()
    """For each source token the target token of the same text, 0 if there is none; empty: nothing can be copied."""
