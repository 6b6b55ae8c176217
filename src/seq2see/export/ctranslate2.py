"""The target CTranslate2: a folder that `ctranslate2.Translator` reads, or `Generator` for a language model.

CTranslate2 knows layers, not programs. So this target has what its Transformers have, and refuses everything else.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from seq2see.errors import ConfigError
from seq2see.export.bundle import Bundle
from seq2see.export.checking import BEAM, Check, compared
from seq2see.inference.options import GenerationArguments
from seq2see.inference.predictor import Predictor
from seq2see.runtime.arithmetic import EPSILON
from seq2see.runtime.positions import PERIOD, SinusoidalPositions
from seq2see.storage.weights import read_weights
from seq2see.text import BOS, EOS, PAD, SPECIALS, UNK, Codec, Fields

VALUES = "model.json"
POSITIONS = 2048
"""Rows of the table of sinusoidal positions, which has to have some number."""
Tensors = Mapping[str, np.ndarray]


def files(bundle: Bundle) -> dict[str, bytes]:
    """The files of the folder. ConfigError, with the reason, for a model that CTranslate2 has no layers for."""
    require_representable(bundle)
    spec = spec_of(bundle)
    with tempfile.TemporaryDirectory() as folder:
        spec.validate()
        spec.optimize(quantization=bundle.format)
        spec.save(folder)
        found = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    found[VALUES] = json.dumps(bundle.values(), ensure_ascii=False, indent=1).encode() + b"\n"
    return found


def require_representable(bundle: Bundle) -> None:
    """ConfigError for what CTranslate2 has no layers for."""
    o = bundle.blueprint
    reasons = {
        f"the architecture {o.name}, which is not made of Transformer blocks alone": not o.name.startswith(
            "transformer"
        )
        or o.name == "transformer_lstm",
        "model.diagonal": o.diagonal,
        "model.copy": o.copy,
        "sources of several fields": bundle.source_codec is not None
        and isinstance(bundle.source_codec.tokenizer, Fields),
        "tokens that are called as a special token is": any(
            not set(SPECIALS).isdisjoint(codec.vocabulary.tokens) for codec in codecs_of(bundle)
        ),
    }
    for what, holds in reasons.items():
        if holds:
            fix = "export it as .onnx, .js or .html, which take models of every architecture"
            raise ConfigError(f"unsupported for {what}", where="export .ctranslate2", fix=fix)


def codecs_of(bundle: Bundle) -> list[Codec]:
    """Those of both sides, or of the target alone."""
    return [codec for codec in (bundle.source_codec, bundle.target_codec) if codec is not None]


def tokens_of(codec: Codec) -> list[str]:
    """All tokens in the order of their ids."""
    return [*SPECIALS, *codec.vocabulary.tokens]


# --- the specification


def spec_of(bundle: Bundle) -> Any:
    """The specification of the model with its weights."""
    from ctranslate2.specs import TransformerDecoderModelSpec, TransformerSpec

    tensors = read_weights(bundle.weights, bundle.format, where="export")
    decoder = decoder_of(bundle, tensors)
    if bundle.source_codec is None:
        spec = TransformerDecoderModelSpec(decoder)
        spec.register_vocabulary(tokens_of(bundle.target_codec))
    else:
        spec = TransformerSpec(encoder_of(bundle, tensors), decoder)
        spec.register_source_vocabulary(tokens_of(bundle.source_codec))
        spec.register_target_vocabulary(tokens_of(bundle.target_codec))
        spec.config.add_source_eos = True
        spec.config.decoder_start_token = SPECIALS[BOS]
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = (SPECIALS[each] for each in (UNK, BOS, EOS))
    spec.config.layer_norm_epsilon = EPSILON
    return spec


def shared_options(bundle: Bundle) -> dict[str, Any]:
    """What encoder and decoder are made with."""
    from ctranslate2.specs import Activation

    o = bundle.blueprint
    activations = {"relu": Activation.RELU, "gelu": Activation.GELUTanh, "swiglu": Activation.SWISH}
    options = {
        "num_heads": o.heads,
        "pre_norm": o.norm == "pre",
        "activation": activations[o.activation],
        "ffn_glu": o.activation == "swiglu",
    }
    if o.positions == "rotary":
        options |= {"rotary_dim": o.width // o.heads, "rotary_interleave": False, "rotary_base": PERIOD}
    return options


def encoder_of(bundle: Bundle, tensors: Tensors) -> Any:
    """The encoder."""
    from ctranslate2.specs.transformer_spec import TransformerEncoderSpec

    o = bundle.blueprint
    spec = TransformerEncoderSpec(o.encoder_layers, **shared_options(bundle))
    spec.embeddings[0].weight = tensors["encoder.embedding.weight"]
    layers = "encoder.layers.0.layers.layers"
    first = set_positions(spec, bundle, tensors, layers)
    for height, layer in enumerate(spec.layer):
        block = f"{layers}.{first + height}.layers"
        set_self_attention(layer.self_attention, tensors, f"{block}.0")
        set_feed_forward(layer.ffn, tensors, f"{block}.1")
    set_last_norm(spec, bundle, tensors, f"{layers}.{first + o.encoder_layers}")
    return spec


def decoder_of(bundle: Bundle, tensors: Tensors) -> Any:
    """The decoder; it shows the attention of the layer that the model shows, as the mean of its heads."""
    from ctranslate2.specs.transformer_spec import TransformerDecoderSpec

    o = bundle.blueprint
    has_source = bundle.source_codec is not None
    spec = TransformerDecoderSpec(
        o.decoder_layers,
        with_encoder_attention=has_source,
        alignment_layer=max(0, o.decoder_layers - 2),
        alignment_heads=o.heads,
        **shared_options(bundle),
    )
    table = tensors["encoder.embedding.weight" if o.tie == "all" else "decoder.embedding.weight"]
    spec.embeddings.weight = table
    spec.projection.weight = tensors.get("decoder.output.weight", table)
    spec.projection.bias = tensors["decoder.output.bias"]
    layers = "decoder.layers.layers"
    first = set_positions(spec, bundle, tensors, layers)
    for height, layer in enumerate(spec.layer):
        block = f"{layers}.{first + height}.layers"
        set_self_attention(layer.self_attention, tensors, f"{block}.0")
        if has_source:
            set_attention(layer.attention, tensors, f"{block}.1", ["query", "projection", "output"])
        set_feed_forward(layer.ffn, tensors, f"{block}.{1 + has_source}")
    set_last_norm(spec, bundle, tensors, f"{layers}.{first + o.decoder_layers}")
    return spec


def set_positions(spec: Any, bundle: Bundle, tensors: Tensors, layers: str) -> int:
    """The position encoding, if it is a layer; returns the number of the first block among the layers."""
    o = bundle.blueprint
    if o.positions == "rotary":
        return 0
    learned = tensors.get(f"{layers}.0.table.weight")
    spec.position_encodings.encodings = (
        SinusoidalPositions(o.width, np.dtype("f4")).compute(POSITIONS) if learned is None else learned
    )
    return 1


def set_last_norm(spec: Any, bundle: Bundle, tensors: Tensors, name: str) -> None:
    """The norm after the last block with pre-norm."""
    if bundle.blueprint.norm == "pre":
        set_norm(spec.layer_norm, tensors, f"{name}.norm")


def set_self_attention(spec: Any, tensors: Tensors, name: str) -> None:
    """Queries, keys and values in one map."""
    set_attention(spec, tensors, name, ["projection", "output"])


def set_attention(spec: Any, tensors: Tensors, name: str, maps: Sequence[str]) -> None:
    """The maps of an attention, and its norm."""
    for linear, own in zip(spec.linear, maps, strict=True):
        linear.weight, linear.bias = (tensors[f"{name}.inner.{own}.{kind}"] for kind in ("weight", "bias"))
    set_norm(spec.layer_norm, tensors, f"{name}.norm")


def set_feed_forward(spec: Any, tensors: Tensors, name: str) -> None:
    """The two maps, the first of which has a gate with swiglu."""
    weight, bias = (tensors[f"{name}.inner.widen.{kind}"] for kind in ("weight", "bias"))
    gated = hasattr(spec, "linear_0_noact")
    widen = [spec.linear_0, spec.linear_0_noact] if gated else [spec.linear_0]
    for linear, own, shift in zip(widen, np.split(weight, len(widen)), np.split(bias, len(widen)), strict=True):
        linear.weight, linear.bias = own, shift
    spec.linear_1.weight, spec.linear_1.bias = (tensors[f"{name}.inner.narrow.{kind}"] for kind in ("weight", "bias"))
    set_norm(spec.layer_norm, tensors, f"{name}.norm")


def set_norm(spec: Any, tensors: Tensors, name: str) -> None:
    """Gain and shift."""
    spec.gamma, spec.beta = tensors[f"{name}.weight"], tensors[f"{name}.bias"]


# --- the check

SEARCHES: tuple[GenerationArguments, ...] = ({}, {"beam": BEAM, "length_penalty": 0.0})
"""Those of the check; CTranslate2 has another length penalty."""


def check(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Compare the answers in CTranslate2 with the model's."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files(bundle).items():
            (Path(folder) / name).write_bytes(content)
        own = network(bundle, folder)
        start = perf_counter()
        found = [[own.answer(text, options.get("beam", 1)) for text in texts] for options in SEARCHES]
        milliseconds = 1000 * (perf_counter() - start)
        answers = [[own.scored(text, tokens) for text, tokens in zip(texts, each, strict=True)] for each in found]
    return compared(model, texts, answers, milliseconds, "CTranslate2", SEARCHES)


class Translating:
    """A model with a source in CTranslate2: one text at a time, with one thread."""

    def __init__(self, bundle: Bundle, folder: str) -> None:
        import ctranslate2

        self.translator = ctranslate2.Translator(folder, intra_threads=1)
        assert bundle.source_codec is not None
        self.source, self.target = bundle.source_codec, bundle.target_codec.tokenizer
        self.most = longest(bundle)

    def answer(self, text: str, beam: int) -> list[str]:
        """The tokens of the best answer."""
        (found,) = self.translator.translate_batch(
            [self.source.split(text)], max_input_length=0, max_decoding_length=self.most, **search_options(beam)
        )
        return list(found.hypotheses[0])

    def scored(self, text: str, tokens: list[str]) -> tuple[str, float]:
        """The answer as text, and its log-probability, with that of EOS unless it was cut."""
        (found,) = self.translator.score_batch([self.source.split(text)], [tokens], max_input_length=0)
        return self.target.join(tokens), sum(found.log_probs[: self.most])


class Continuing:
    """A language model in CTranslate2: one text at a time, with one thread."""

    def __init__(self, bundle: Bundle, folder: str) -> None:
        import ctranslate2

        self.generator = ctranslate2.Generator(folder, intra_threads=1)
        self.target = bundle.target_codec.tokenizer
        self.most = longest(bundle)

    def answer(self, text: str, beam: int) -> list[str]:
        """The tokens that continue the text."""
        prompt = [SPECIALS[BOS], *self.target.split(text)]
        (found,) = self.generator.generate_batch(
            [prompt], include_prompt_in_result=False, max_length=self.most, min_length=0, **search_options(beam)
        )
        return list(found.sequences[0])

    def scored(self, text: str, tokens: list[str]) -> tuple[str, float]:
        """The text with its continuation, whose log-probability has that of EOS unless it was cut."""
        prompt = self.target.split(text)
        end = [SPECIALS[EOS]] if len(tokens) < self.most else []
        (found,) = self.generator.score_batch([[SPECIALS[BOS], *prompt, *tokens, *end]])
        return self.target.join([*prompt, *tokens]), sum(found.log_probs[len(prompt) :])


def network(bundle: Bundle, folder: str) -> Translating | Continuing:
    """The model in CTranslate2."""
    return Continuing(bundle, folder) if bundle.source_codec is None else Translating(bundle, folder)


def longest(bundle: Bundle) -> int:
    """The tokens of the longest answer."""
    most = bundle.limits["maxLength"]
    assert most is not None
    return most


def search_options(beam: int) -> dict[str, Any]:
    """Greedy search, or a beam without length penalty; only real tokens and EOS."""
    never = [[SPECIALS[PAD]], [SPECIALS[BOS]]]
    return {"beam_size": beam, "length_penalty": 0, "disable_unk": True, "suppress_sequences": never}
