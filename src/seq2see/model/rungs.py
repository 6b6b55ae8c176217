"""The table of the ladder: what each rung is called, what may be set of it, and how it is made from what was set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from seq2see.errors import ConfigError, did_you_mean
from seq2see.model.architectures import (
    Sizes,
    attention,
    bidirectional,
    gnmt,
    input_feeding,
    language_model,
    lstm_transformer,
    peeky,
    plain,
    residual,
    reverse,
    stacked,
    transformer,
    transformer_language_model,
    transformer_lstm,
)
from seq2see.model.initialize import initialize
from seq2see.model.options import Blueprint, ModelOptions
from seq2see.model.seq2seq import Seq2Seq

READS = frozenset({"direction", "merge"})
"""Options of a recurrent encoder,"""
LOOKS = frozenset({"score"})
"""of a recurrent decoder's attention,"""
BLOCKS = frozenset({"heads", "feed_forward", "positions", "max_positions", "norm", "activation"})
"""and of a Transformer on either side."""


@dataclass(frozen=True)
class Architecture:
    """A rung of the ladder: how it is built, what it fixes, what it takes where nothing is said."""

    build: Callable[[Blueprint, Sizes], Seq2Seq]
    summary: str
    uses: frozenset[str]
    """Which of the options above change anything."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fewest_layers: int = 1
    has_source: bool = True
    outputs: int = 1
    """How many widths its output layer reads."""

    def unused(self, o: Blueprint) -> set[str]:
        """The options that change nothing in such a model."""
        unused = set((READS | LOOKS | BLOCKS) - self.uses)
        if o.direction != "both":
            unused.add("merge")
        if o.positions != "learned":
            unused.add("max_positions")
        return unused

    @property
    def has_blocks(self) -> bool:
        """Whether it has blocks of a Transformer, on either side."""
        return "heads" in self.uses

    def needed_embedding(self, width: int, tie: str) -> int | None:
        """How wide its embeddings have to be; None where anyone may say."""
        return self.outputs * width if self.has_blocks or tie != "none" else None


FORWARD = {"direction": "forward"}
BOTH = {"direction": "both"}

ARCHITECTURES: dict[str, Architecture] = {
    "plain": Architecture(plain, "the encoder's last state starts the decoder", READS, defaults=FORWARD),
    "reverse": Architecture(reverse, "plain, the source read backward", READS, fixed={"direction": "backward"}),
    "peeky": Architecture(peeky, "the encoder's last state seen at every step", READS, defaults=FORWARD, outputs=2),
    "attention": Architecture(attention, "looks at the source at every step", READS | LOOKS, defaults=FORWARD),
    "bidirectional": Architecture(bidirectional, "attention over a source read both ways", READS | LOOKS, fixed=BOTH),
    "stacked": Architecture(
        stacked, "several LSTMs a side, attention", READS | LOOKS, defaults=BOTH | {"layers": 2}, fewest_layers=2
    ),
    "residual": Architecture(
        residual,
        "stacked, each layer adding to what it was given",
        READS | LOOKS,
        defaults=BOTH | {"layers": 3},
        fewest_layers=2,
    ),
    "gnmt": Architecture(
        gnmt,
        "attention at the bottom, its context to all layers above",
        READS | LOOKS,
        fixed=BOTH,
        defaults={"layers": 4},
        fewest_layers=2,
    ),
    "input_feeding": Architecture(
        input_feeding, "attention whose result goes into the next step", READS | LOOKS, defaults=BOTH
    ),
    "transformer": Architecture(
        transformer, "attention alone, on both sides", BLOCKS, defaults={"layers": 4, "tie": "target"}
    ),
    "transformer_lstm": Architecture(
        transformer_lstm, "a Transformer reads, LSTMs with attention write", BLOCKS | LOOKS, defaults={"layers": 2}
    ),
    "lstm_transformer": Architecture(
        lstm_transformer,
        "LSTMs read both ways, a Transformer writes",
        BLOCKS | READS,
        defaults=BOTH | {"layers": 2, "tie": "target"},
    ),
    "language_model": Architecture(
        language_model, "no source: continues text", frozenset(), defaults=FORWARD, has_source=False
    ),
    "transformer_language_model": Architecture(
        transformer_language_model,
        "continues text, by attention to what is there",
        BLOCKS,
        defaults=FORWARD | {"layers": 4, "tie": "target"},
        has_source=False,
    ),
}
"""Every architecture by name, in the order in which one learns them."""


DEFAULT = "bidirectional"
"""What suits most pairs, where nobody has said."""

USUAL: dict[str, Any] = {
    "width": 256,
    "layers": 1,
    "direction": "forward",
    "merge": "concat",
    "score": "scaled_dot",
    "heads": 4,
    "positions": "sinusoidal",
    "max_positions": 1024,
    "norm": "pre",
    "activation": "relu",
    "tie": "none",
}
"""What every architecture takes where neither it nor anyone else says."""


def find(name: str) -> Architecture:
    """The architecture of that name; ConfigError with the nearest one if there is none."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"there is no model {name!r}", where="model.name", fix=did_you_mean(name, ARCHITECTURES))
    return ARCHITECTURES[name]


def _filled(options: ModelOptions) -> Blueprint:
    """The options with every gap filled; whether they go together is another question."""
    name = options.name or DEFAULT
    architecture = find(name)
    given = {key: value for key, value in asdict(options).items() if value is not None}
    filled = USUAL | dict(architecture.defaults) | dict(architecture.fixed) | given | {"name": name}
    embedding = architecture.needed_embedding(filled["width"], filled["tie"]) or 128
    return Blueprint(**({"embedding": embedding, "feed_forward": 4 * filled["width"]} | filled))


def resolve(options: ModelOptions) -> Blueprint:
    """The options with every gap filled by the architecture; ConfigError for what the architecture can't be."""
    name = options.name or DEFAULT
    architecture = find(name)
    for key, value in architecture.fixed.items():
        if getattr(options, key) not in (None, value):
            raise ConfigError(
                f"{getattr(options, key)!r} is at odds with model {name!r}, whose {key} is {value!r}",
                where=f"model.{key}",
                fix=f"leave model.{key} out, or choose another model (`seq2see models` lists them)",
            )
    o = _filled(options)
    given = {key for key, value in asdict(options).items() if value is not None}
    for key in sorted(architecture.unused(o) & given):
        because = {"merge": f" with direction {o.direction!r}", "max_positions": f" with positions {o.positions!r}"}
        raise ConfigError(
            f"model {name!r}{because.get(key, '')} makes no use of it", where=f"model.{key}", fix="leave it out"
        )
    if o.layers < architecture.fewest_layers:
        raise ConfigError(
            f"model {name!r} needs at least {architecture.fewest_layers} layers, not {o.layers}",
            where="model.layers",
            fix=f"set model.layers={architecture.fewest_layers}, or choose model 'bidirectional' for one layer",
        )
    if "merge" in architecture.uses and o.direction == "both" and o.merge == "concat" and o.width % 2:
        raise ConfigError(
            f"a width of {o.width} can't be shared by two directions",
            where="model.width",
            fix=f"set an even width ({o.width + 1}), or model.merge=sum",
        )
    if architecture.has_blocks:
        _check_heads(o)
    needed = architecture.needed_embedding(o.width, o.tie)
    if needed not in (None, o.embedding):
        why = "the two are added" if architecture.has_blocks else "that table is the output layer too"
        raise ConfigError(
            f"an embedding of {o.embedding} doesn't fit the {needed} of the layers: {why}",
            where="model.embedding",
            fix="leave it out",
        )
    if o.tie == "all" and not architecture.has_source:
        raise ConfigError("a language model has no source table to tie", where="model.tie", fix="set model.tie=target")
    return o


def _check_heads(o: Blueprint) -> None:
    """ConfigError for a width that the heads can't share."""
    each = 2 if o.positions == "rotary" else 1  # the numbers that are turned come in pairs
    if o.width % (o.heads * each):
        raise ConfigError(
            f"a width of {o.width} can't be shared by {o.heads} heads" + (" in pairs" if each == 2 else ""),
            where="model.heads",
            fix=f"set model.width={-(-o.width // (o.heads * each)) * o.heads * each}, or other heads",
        )


def fitting(options: ModelOptions, name: str) -> ModelOptions:
    """The options as far as they mean something to the architecture of that name; the others are left out."""
    architecture = find(name)
    nobodys: dict[str, Any] = dict.fromkeys(architecture.fixed)
    own = replace(options, name=name, **nobodys)
    if own.layers and own.layers < architecture.fewest_layers:
        own = replace(own, layers=None)
    if own.tie == "all" and not architecture.has_source:
        own = replace(own, tie="target")
    o = _filled(own)
    unused: dict[str, Any] = dict.fromkeys(architecture.unused(o))
    if architecture.needed_embedding(o.width, o.tie) is not None:
        unused["embedding"] = None
    return replace(own, **unused)


def max_positions(o: Blueprint) -> int | None:
    """The most tokens, EOS counted, that such a model can read or write; None where there is no limit."""
    return None if "max_positions" in ARCHITECTURES[o.name].unused(o) else o.max_positions


def to_options(o: Blueprint) -> ModelOptions:
    """What a person would set to get this model, nothing left open that changes it."""
    unused = ARCHITECTURES[o.name].unused(o)
    return ModelOptions(**{key: value for key, value in asdict(o).items() if key not in unused})


def build(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A new model with fresh initial values, drawn from torch's global generator.

    ConfigError for vocabularies that can't share a table.
    """
    if o.tie == "all" and sizes.source != sizes.target:
        raise ConfigError(
            f"source and target have vocabularies of their own, of {sizes.source:,} and {sizes.target:,} tokens, "
            "and one table can't serve both",
            where="model.tie",
            fix="set text.joint=true, or model.tie=target",
        )
    model = ARCHITECTURES[o.name].build(o, sizes)
    initialize(model)
    return model
