"""The options of a model filled in, checked, and adapted to another architecture or version."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from seq2see.blueprint.architectures import ARCHITECTURES, DEFAULT, DEFAULTS, DEPTH_OPTIONS, find
from seq2see.blueprint.options import Blueprint, ModelOptions, Sizes
from seq2see.errors import ConfigError

ADDED_LATER: dict[str, Any] = {
    "cell": "lstm",
    "diagonal": False,
    "copy": False,
    "query": "current",
    "output": "dense",
    "tags": "source",
}
"""Options that older versions lack, and how their models behave."""


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
    if o.tags == "decoder" and not architecture.has_attention:
        what = f"'decoder' needs soft attention, which {name!r} has not"
        raise ConfigError(what, where="model.tags", fix="leave it out, or set model.tags=every_step")
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
    own = with_enough_layers(replace(options, name=name, **fixed))
    if own.tie == "all" and not architecture.has_source:
        own = replace(own, tie="target")
    if own.tags == "decoder" and not architecture.has_attention:
        own = replace(own, tags=None)
    o = _filled(own)
    unused: dict[str, Any] = dict.fromkeys(architecture.unused(o))
    if architecture.needed_embedding(o.width, o.tie, o.output) is not None:
        unused["embedding"] = None
    return replace(own, **unused)


def with_enough_layers(options: ModelOptions) -> ModelOptions:
    """The options; those that ask for fewer layers than the architecture needs are reset."""
    o = _filled(options)
    architecture = find(o.name)
    if max(o.encoder_layers, o.decoder_layers) < architecture.min_layers:
        return replace(options, layers=None, encoder_layers=None, decoder_layers=None)
    if o.decoder_layers < architecture.min_decoder_layers:
        key = "layers" if options.decoder_layers is None else "decoder_layers"
        return with_enough_layers(replace(options, **{key: None}))
    return options


def with_options_added_later(options: ModelOptions) -> ModelOptions:
    """The options of a run of any version, with those that its version lacked.

    A run records a value for every option that has an effect. Where there is none, its version had no such option.
    """
    if options.dropout is None or options.name not in ARCHITECTURES:
        return options
    unused = ARCHITECTURES[options.name].unused(_filled(options))
    return replace(options, **{k: v for k, v in ADDED_LATER.items() if k not in unused and getattr(options, k) is None})


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
    if o.tags != "source" and not any(field.kind == "tags" for field in sizes.fields):
        what = f"{o.tags!r} needs a source with a field of tags"
        raise ConfigError(what, where="model.tags", fix="leave it out, or name the columns: --source lemma,features")
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
