"""The table of architectures: their names, options and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seq2see.blueprint.options import Blueprint
from seq2see.errors import ConfigError, did_you_mean

CELL_OPTIONS = frozenset({"cell"})
"""Options of models with recurrent layers."""
ENCODER_OPTIONS = CELL_OPTIONS | {"direction", "merge"}
"""Options of recurrent encoders."""
COPY_OPTIONS = frozenset({"copy"})
"""Options of models whose steps have weights over the source: attention, or a transducer's pointer."""
ATTENTION_OPTIONS = COPY_OPTIONS | {"diagonal"}
"""Options of models with attention to the source."""
SCORE_OPTIONS = ATTENTION_OPTIONS | {"score"}
"""Options of recurrent decoders with attention."""
DEPTH_OPTIONS = frozenset({"encoder_layers", "decoder_layers"})
"""Options of models with two sides; one side has `layers`."""
QUERY_OPTIONS = frozenset({"query"})
"""Options of recurrent decoders with attention above their bottom layer."""
OUTPUT_OPTIONS = frozenset({"output"})
"""Options of recurrent decoders that join state and context before the output layer."""
TRANSFORMER_OPTIONS = frozenset({"heads", "feed_forward", "positions", "max_positions", "norm", "activation"})
"""Options of Transformers, on either side."""
TAGS_OPTIONS = frozenset({"tags"})
"""Options of all models with a source."""
OPTIONS = TAGS_OPTIONS | ENCODER_OPTIONS | SCORE_OPTIONS | QUERY_OPTIONS | OUTPUT_OPTIONS | TRANSFORMER_OPTIONS
"""All of these."""


@dataclass(frozen=True)
class Architecture:
    """An architecture: its options, their fixed values and defaults."""

    summary: str
    uses: frozenset[str]
    """The options above that have an effect."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    min_layers: int = 1
    """Of the side that has more."""
    min_decoder_layers: int = 1
    has_source: bool = True
    is_transducer: bool = False
    """Whether its targets are actions along the source."""
    max_tokens: int | None = None
    """The largest target vocabulary that it supports; None: no limit."""
    outputs: int = 1
    """Input width of the output layer, in multiples of the model's width, unless model.output=direct."""

    def unused(self, o: Blueprint) -> set[str]:
        """The options without effect on such a model."""
        unused = set(OPTIONS - self.uses)
        if self.has_source:
            unused -= TAGS_OPTIONS
        else:
            unused |= DEPTH_OPTIONS
        if o.direction != "both":
            unused.add("merge")
        if o.positions != "learned":
            unused.add("max_positions")
        return unused

    @property
    def has_attention(self) -> bool:
        """Whether its decoder attends to the source."""
        return self.uses >= ATTENTION_OPTIONS

    @property
    def has_blocks(self) -> bool:
        """Whether either side has Transformer blocks."""
        return "heads" in self.uses

    @property
    def is_recurrent(self) -> bool:
        """Whether either side has LSTMs or GRUs."""
        return "cell" in self.uses or "cell" in self.fixed

    def output_width(self, width: int, output: str) -> int:
        """Input width of the output layer."""
        return (2 if output == "direct" else self.outputs) * width

    def needed_embedding(self, width: int, tie: str, output: str) -> int | None:
        """The required embedding width; None if it is free."""
        return self.output_width(width, output) if self.has_blocks or tie != "none" else None


FORWARD = {"direction": "forward"}
BOTH = {"direction": "both"}
LSTMS = {"cell": "lstm"}

ARCHITECTURES: dict[str, Architecture] = {
    "plain": Architecture("the encoder's last state starts the decoder", ENCODER_OPTIONS, defaults=FORWARD),
    "reverse": Architecture("plain with the source read backward", ENCODER_OPTIONS, fixed={"direction": "backward"}),
    "peeky": Architecture(
        "the encoder's last state is an input of every step", ENCODER_OPTIONS, defaults=FORWARD, outputs=2
    ),
    "attention": Architecture(
        "attends to the source at every step", ENCODER_OPTIONS | SCORE_OPTIONS | OUTPUT_OPTIONS, defaults=FORWARD
    ),
    "bidirectional": Architecture(
        "attention with a bidirectional encoder", ENCODER_OPTIONS | SCORE_OPTIONS | OUTPUT_OPTIONS, fixed=BOTH
    ),
    "stacked": Architecture(
        "attention with several LSTMs per side",
        ENCODER_OPTIONS | SCORE_OPTIONS | OUTPUT_OPTIONS,
        defaults=BOTH | {"layers": 2},
        min_layers=2,
    ),
    "residual": Architecture(
        "stacked with residual connections",
        ENCODER_OPTIONS | SCORE_OPTIONS | OUTPUT_OPTIONS,
        defaults=BOTH | {"layers": 3},
        min_layers=2,
    ),
    "gnmt": Architecture(
        "attention in the bottom layer, its context to all above",
        ENCODER_OPTIONS | SCORE_OPTIONS | QUERY_OPTIONS,
        fixed=BOTH,
        defaults={"layers": 4, "score": "additive", "query": "previous"},
        min_layers=2,
        min_decoder_layers=2,
    ),
    "input_feeding": Architecture(
        "attention whose output is an input of the next step",
        ENCODER_OPTIONS | SCORE_OPTIONS,
        defaults=BOTH,
    ),
    "transducer": Architecture(
        "writes along the source, token by token",
        ENCODER_OPTIONS | OUTPUT_OPTIONS | COPY_OPTIONS,
        defaults=BOTH,
        is_transducer=True,
    ),
    "monotonic": Architecture(
        "writes from one place of the source, which never goes back",
        ENCODER_OPTIONS | {"score"},
        defaults=BOTH | {"score": "general"},
        max_tokens=2_000,
    ),
    "transformer": Architecture(
        "self-attention on both sides", TRANSFORMER_OPTIONS | ATTENTION_OPTIONS, defaults={"layers": 4, "tie": "target"}
    ),
    "transformer_lstm": Architecture(
        "Transformer encoder, LSTM decoder with attention",
        TRANSFORMER_OPTIONS | SCORE_OPTIONS | CELL_OPTIONS,
        fixed=LSTMS,
        defaults={"layers": 2},
    ),
    "lstm_transformer": Architecture(
        "bidirectional LSTM encoder, Transformer decoder",
        TRANSFORMER_OPTIONS | ENCODER_OPTIONS | ATTENTION_OPTIONS,
        fixed=LSTMS,
        defaults=BOTH | {"layers": 2, "tie": "target"},
    ),
    "language_model": Architecture("no source: continues text", CELL_OPTIONS, defaults=FORWARD, has_source=False),
    "transformer_language_model": Architecture(
        "no source: continues text, with self-attention",
        TRANSFORMER_OPTIONS,
        defaults=FORWARD | {"layers": 4, "tie": "target"},
        has_source=False,
    ),
}
"""All architectures by name, in teaching order."""


DEFAULT = "bidirectional"
"""The default architecture, which suits most data."""

DEFAULTS: dict[str, Any] = {
    "width": 256,
    "layers": 1,
    "dropout": 0.3,
    "direction": "forward",
    "merge": "concat",
    "cell": "lstm",
    "score": "scaled_dot",
    "diagonal": False,
    "copy": False,
    "tags": "source",
    "query": "current",
    "output": "dense",
    "heads": 4,
    "positions": "sinusoidal",
    "max_positions": 1024,
    "norm": "pre",
    "activation": "relu",
    "tie": "none",
}
"""Defaults of all architectures that have none of their own."""


def find(name: str) -> Architecture:
    """The architecture of that name; ConfigError, with the nearest match, if it is unknown."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {name!r}", where="model.name", fix=did_you_mean(name, ARCHITECTURES))
    return ARCHITECTURES[name]
