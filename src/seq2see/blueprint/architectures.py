"""The table of architectures: their names, options and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from seq2see.blueprint.options import Blueprint, ModelOptions, Sizes
from seq2see.errors import ConfigError, did_you_mean

CELL_OPTIONS = frozenset({"cell"})
"""Options of models with recurrent layers."""
ENCODER_OPTIONS = CELL_OPTIONS | {"direction", "merge"}
"""Options of recurrent encoders."""
COPY_OPTIONS = frozenset({"copy"})
"""Options of models that look at the source."""
LOOKING_OPTIONS = COPY_OPTIONS | {"diagonal"}
"""Options of models with attention to the source."""
ATTENTION_OPTIONS = LOOKING_OPTIONS | {"score"}
"""Options of recurrent decoders with attention."""
DEPTH_OPTIONS = frozenset({"encoder_layers", "decoder_layers"})
"""Options of models with two sides; one side has `layers`."""
QUERY_OPTIONS = frozenset({"query"})
"""Options of recurrent decoders that attend in their bottom layer."""
OUTPUT_OPTIONS = frozenset({"output"})
"""Options of recurrent decoders that join state and context before the output layer."""
TRANSFORMER_OPTIONS = frozenset({"heads", "feed_forward", "positions", "max_positions", "norm", "activation"})
"""Options of Transformers, on either side."""
OPTIONS = ENCODER_OPTIONS | ATTENTION_OPTIONS | QUERY_OPTIONS | OUTPUT_OPTIONS | TRANSFORMER_OPTIONS
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
    """Tokens of the largest target vocabulary that it is possible for; None: no limit."""
    outputs: int = 1
    """Input width of the output layer, in multiples of the model's width, unless model.output=direct."""

    def unused(self, o: Blueprint) -> set[str]:
        """The options without effect on such a model."""
        unused = set(OPTIONS - self.uses)
        if not self.has_source:
            unused |= DEPTH_OPTIONS
        if o.direction != "both":
            unused.add("merge")
        if o.positions != "learned":
            unused.add("max_positions")
        return unused

    @property
    def has_blocks(self) -> bool:
        """Whether either side has Transformer blocks."""
        return "heads" in self.uses

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
        "attends to the source at every step", ENCODER_OPTIONS | ATTENTION_OPTIONS | OUTPUT_OPTIONS, defaults=FORWARD
    ),
    "bidirectional": Architecture(
        "attention with a bidirectional encoder", ENCODER_OPTIONS | ATTENTION_OPTIONS | OUTPUT_OPTIONS, fixed=BOTH
    ),
    "stacked": Architecture(
        "attention with several LSTMs per side",
        ENCODER_OPTIONS | ATTENTION_OPTIONS | OUTPUT_OPTIONS,
        defaults=BOTH | {"layers": 2},
        min_layers=2,
    ),
    "residual": Architecture(
        "stacked with residual connections",
        ENCODER_OPTIONS | ATTENTION_OPTIONS | OUTPUT_OPTIONS,
        defaults=BOTH | {"layers": 3},
        min_layers=2,
    ),
    "gnmt": Architecture(
        "attention in the bottom layer, its context to all above",
        ENCODER_OPTIONS | ATTENTION_OPTIONS | QUERY_OPTIONS,
        fixed=BOTH,
        defaults={"layers": 4, "score": "additive", "query": "previous"},
        min_layers=2,
        min_decoder_layers=2,
    ),
    "input_feeding": Architecture(
        "attention whose output is an input of the next step",
        ENCODER_OPTIONS | ATTENTION_OPTIONS,
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
        "self-attention on both sides", TRANSFORMER_OPTIONS | LOOKING_OPTIONS, defaults={"layers": 4, "tie": "target"}
    ),
    "transformer_lstm": Architecture(
        "Transformer encoder, LSTM decoder with attention",
        TRANSFORMER_OPTIONS | ATTENTION_OPTIONS | CELL_OPTIONS,
        fixed=LSTMS,
        defaults={"layers": 2},
    ),
    "lstm_transformer": Architecture(
        "bidirectional LSTM encoder, Transformer decoder",
        TRANSFORMER_OPTIONS | ENCODER_OPTIONS | LOOKING_OPTIONS,
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

LATER: dict[str, Any] = {"cell": "lstm", "diagonal": False, "copy": False, "query": "current", "output": "dense"}
"""What the options of later versions were before there were any."""


def find(name: str) -> Architecture:
    """The architecture of that name; ConfigError, with the nearest match, if it is unknown."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {name!r}", where="model.name", fix=did_you_mean(name, ARCHITECTURES))
    return ARCHITECTURES[name]


def _filled(options: ModelOptions) -> Blueprint:
    """The options with all defaults filled in, unchecked."""
    name = options.name or DEFAULT
    architecture = find(name)
    given = {key: value for key, value in asdict(options).items() if value is not None}
    filled = DEFAULTS | dict(architecture.defaults) | dict(architecture.fixed) | given | {"name": name}
    layers = filled.pop("layers")
    filled = {"encoder_layers": layers, "decoder_layers": layers} | filled
    embedding = architecture.needed_embedding(filled["width"], filled["tie"], filled["output"]) or 128
    return Blueprint(**({"embedding": embedding, "feed_forward": 4 * filled["width"]} | filled))


def resolve(options: ModelOptions) -> Blueprint:
    """The options with all defaults filled in. ConfigError for invalid combinations."""
    name = options.name or DEFAULT
    architecture = find(name)
    for key, value in architecture.fixed.items():
        if getattr(options, key) not in (None, value):
            raise ConfigError(
                f"must be {value!r} with model {name!r}, not {getattr(options, key)!r}",
                where=f"model.{key}",
                fix=f"leave model.{key} out, or choose another model (`seq2see models` lists them)",
            )
    o = _filled(options)
    given = {key for key, value in asdict(options).items() if value is not None}
    for key in sorted(architecture.unused(o) & given):
        because = {"merge": f" with direction {o.direction!r}", "max_positions": f" with positions {o.positions!r}"}
        raise ConfigError(
            f"has no effect on model {name!r}{because.get(key, '')}", where=f"model.{key}", fix="leave it out"
        )
    if given >= DEPTH_OPTIONS | {"layers"}:
        what = "has no effect beside model.encoder_layers and model.decoder_layers"
        raise ConfigError(what, where="model.layers", fix="leave it out")
    _check_layers(o)
    if "merge" in architecture.uses and o.direction == "both" and o.merge == "concat" and o.width % 2:
        raise ConfigError(
            f"must be even with model.merge=concat, not {o.width}",
            where="model.width",
            fix=f"set an even width ({o.width + 1}), or model.merge=sum",
        )
    if architecture.has_blocks:
        _check_heads(o)
    needed = architecture.needed_embedding(o.width, o.tie, o.output)
    if needed not in (None, o.embedding):
        why = "with Transformer blocks" if architecture.has_blocks else f"with model.tie={o.tie}"
        raise ConfigError(
            f"must be {needed} {why}, not {o.embedding}",
            where="model.embedding",
            fix="leave it out",
        )
    if o.tie == "all" and not architecture.has_source:
        raise ConfigError(
            f"'all' needs a source, which {name!r} has not", where="model.tie", fix="set model.tie=target"
        )
    return o


def _check_layers(o: Blueprint) -> None:
    """ConfigError for fewer layers than the architecture needs."""
    architecture = find(o.name)
    if max(o.encoder_layers, o.decoder_layers) < architecture.min_layers:
        least, key = architecture.min_layers, "layers"
    elif o.decoder_layers < architecture.min_decoder_layers:
        least, key = architecture.min_decoder_layers, "decoder_layers"
    else:
        return
    raise ConfigError(
        f"must be at least {least} with model {o.name!r}, not {o.decoder_layers}",
        where=f"model.{key}",
        fix=f"set model.{key}={least}, or choose model 'bidirectional' for one layer",
    )


def _check_heads(o: Blueprint) -> None:
    """ConfigError unless the heads divide the width."""
    each = 2 if o.positions == "rotary" else 1  # rotary positions rotate pairs of values
    if o.width % (o.heads * each):
        raise ConfigError(
            f"{o.width} is not divisible by model.heads {o.heads}" + (" · 2 (rotary positions)" if each == 2 else ""),
            where="model.width",
            fix=f"set model.width={-(-o.width // (o.heads * each)) * o.heads * each}, or another model.heads",
        )


def fitting(options: ModelOptions, name: str) -> ModelOptions:
    """The options that apply to the architecture of that name; the others are reset."""
    architecture = find(name)
    fixed: dict[str, Any] = dict.fromkeys(architecture.fixed)
    own = replace(options, name=name, **fixed)
    if own.layers and own.layers < architecture.min_layers:
        own = replace(own, layers=None)
    if own.decoder_layers and own.decoder_layers < max(architecture.min_decoder_layers, architecture.min_layers):
        own = replace(own, decoder_layers=None)
    if own.tie == "all" and not architecture.has_source:
        own = replace(own, tie="target")
    o = _filled(own)
    unused: dict[str, Any] = dict.fromkeys(architecture.unused(o))
    if architecture.needed_embedding(o.width, o.tie, o.output) is not None:
        unused["embedding"] = None
    return replace(own, **unused)


def as_before(options: ModelOptions) -> ModelOptions:
    """The options of a run, with those of later versions as they were.

    A run records a value for every option that has an effect. Where there is none, its version had no such option.
    """
    if options.dropout is None or options.name not in ARCHITECTURES:
        return options
    unused = ARCHITECTURES[options.name].unused(_filled(options))
    return replace(options, **{k: v for k, v in LATER.items() if k not in unused and getattr(options, k) is None})


def max_positions(o: Blueprint) -> int | None:
    """The maximum number of tokens, including EOS, that such a model can read or write; None: no limit."""
    return None if "max_positions" in ARCHITECTURES[o.name].unused(o) else o.max_positions


def to_options(o: Blueprint) -> ModelOptions:
    """The options that give this model, with a value for every one that has an effect."""
    unused = ARCHITECTURES[o.name].unused(o)
    values = {key: value for key, value in asdict(o).items() if key not in unused}
    if o.encoder_layers == o.decoder_layers:
        values = {key: value for key, value in values.items() if key not in DEPTH_OPTIONS}
        values["layers"] = o.decoder_layers
    return ModelOptions(**values)


def require_sizes(o: Blueprint, sizes: Sizes) -> None:
    """ConfigError for tie=all with two different vocabularies, or for a vocabulary that is too large."""
    limit = ARCHITECTURES[o.name].max_tokens
    if limit is not None and sizes.target > limit:
        raise ConfigError(
            f"{o.name!r} is for at most {limit:,} target tokens, of which it has scores for each source token; "
            f"found {sizes.target:,}",
            where="model.name",
            fix="set text.target=characters, or choose another model (`seq2see models` lists them)",
        )
    if o.tie == "all" and sizes.source != sizes.target:
        raise ConfigError(
            "'all' needs a joint vocabulary, "
            f"but source and target have separate ones of {sizes.source:,} and {sizes.target:,} tokens",
            where="model.tie",
            fix="set text.joint=true, or model.tie=target",
        )
    if o.tie == "all" and sizes.fields:
        what = "'all' needs a source of one text, found several fields"
        raise ConfigError(what, where="model.tie", fix="set model.tie=target")
