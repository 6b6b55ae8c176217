"""Models and data of the laws: small variants of every architecture; batches of rows of different lengths."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import ClassVar

import pytest
import torch

from seq2see.blueprint import Field
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ARCHITECTURES, Blueprint, ModelOptions, Padded, Seq2Seq, Sizes, build, resolve
from seq2see.model.embedding import Embedding
from seq2see.text import EOS, FIELD_BREAK, PAD, SPECIALS, Codec, Fields, Vocabulary, make_tokenizer
from seq2see.training import TensorBatch

VOCABULARY = 11
"""Tokens of the targets."""
SOURCE_VOCABULARY = 13
"""Tokens of the sources, unless one table embeds both sides: a mistake between the two shows."""


def _variants() -> dict[str, ModelOptions]:
    small = ModelOptions(width=16, embedding=8, dropout=0.0)
    blocks = ModelOptions(width=16, layers=2, feed_forward=24, dropout=0.0)
    variants = {
        name: replace(blocks if "heads" in architecture.uses else small, name=name)
        for name, architecture in ARCHITECTURES.items()
    }
    for name in ARCHITECTURES:
        if resolve(variants[name]).decoder_layers != 2:
            variants[f"{name}-2-layers"] = replace(small, name=name, layers=2)
    for name in ("plain", "peeky", "gnmt", "transducer"):
        variants[f"{name}-3-and-2-layers"] = replace(small, name=name, encoder_layers=3, decoder_layers=2)
    for name in ("plain", "stacked", "residual", "input_feeding"):
        variants[f"{name}-1-and-3-layers"] = replace(small, name=name, encoder_layers=1, decoder_layers=3)
    for name in (
        "plain",
        "peeky",
        "bidirectional",
        "residual",
        "gnmt",
        "input_feeding",
        "transducer",
        "language_model",
    ):
        variants[f"{name}-gru"] = replace(small, name=name, cell="gru")
    variants["attention-backward-gru"] = replace(small, name="attention", direction="backward", cell="gru")
    variants["bidirectional-mean-gru"] = replace(small, name="bidirectional", merge="mean", cell="gru", layers=2)
    for name in ("transformer", "transformer_lstm", "lstm_transformer"):
        variants[f"{name}-3-and-1-layers"] = replace(blocks, name=name, layers=None, encoder_layers=3, decoder_layers=1)
    for name in ("transformer", "transformer_language_model"):
        variants[f"{name}-post"] = replace(blocks, name=name, norm="post")
        variants[f"{name}-rotary"] = replace(blocks, name=name, positions="rotary")
        variants[f"{name}-learned"] = replace(blocks, name=name, positions="learned", max_positions=64)
    variants["transformer-untied"] = replace(blocks, name="transformer", tie="none")
    variants["transformer-tied"] = replace(blocks, name="transformer", tie="all")
    variants["transformer-1-layer"] = replace(blocks, name="transformer", layers=1, heads=1)
    variants["transformer-gelu"] = replace(blocks, name="transformer", activation="gelu", heads=8)
    variants["transformer-swiglu"] = replace(blocks, name="transformer", activation="swiglu", heads=2)
    variants["transformer_lstm-rotary-post"] = replace(blocks, name="transformer_lstm", positions="rotary", norm="post")
    variants["lstm_transformer-rotary-post"] = replace(blocks, name="lstm_transformer", positions="rotary", norm="post")
    variants["attention-tied"] = replace(small, name="attention", embedding=None, tie="target")
    variants["peeky-tied"] = replace(small, name="peeky", embedding=None, tie="all")
    variants["language_model-tied"] = replace(small, name="language_model", embedding=None, tie="target")
    for score in ("dot", "general", "additive"):
        variants[f"attention-{score}"] = replace(small, name="attention", score=score)
    for name in ("attention", "residual", "transducer"):
        variants[f"{name}-direct"] = replace(small, name=name, output="direct", layers=2)
    variants["bidirectional-direct-tied"] = replace(
        small, name="bidirectional", output="direct", tie="target", embedding=None
    )
    for name in ("attention", "gnmt", "input_feeding", "transformer_lstm", "lstm_transformer", "transformer"):
        options = blocks if "heads" in ARCHITECTURES[name].uses else small
        variants[f"{name}-diagonal"] = replace(options, name=name, diagonal=True)
    variants["attention-additive-diagonal"] = replace(small, name="attention", score="additive", diagonal=True)
    for name in ("attention", "gnmt", "input_feeding", "transducer", "transformer", "lstm_transformer"):
        options = blocks if "heads" in ARCHITECTURES[name].uses else small
        variants[f"{name}-copy"] = replace(options, name=name, copy=True)
    variants["attention-copy-direct"] = replace(small, name="attention", copy=True, output="direct")
    variants["transformer-copy-tied"] = replace(blocks, name="transformer", copy=True, tie="all")
    variants["gnmt-current"] = replace(small, name="gnmt", query="current", score="scaled_dot")
    variants["gnmt-dot-3-layers"] = replace(small, name="gnmt", score="dot", layers=3)
    variants["input_feeding-additive"] = replace(small, name="input_feeding", score="additive")
    for merge in ("sum", "mean"):
        variants[f"bidirectional-{merge}"] = replace(small, name="bidirectional", merge=merge)
    variants["bidirectional-sum-odd-width"] = replace(small, name="bidirectional", merge="sum", width=15)
    variants["peeky-backward"] = replace(small, name="peeky", direction="backward")
    variants["peeky-both-2-layers"] = replace(small, name="peeky", direction="both", layers=2)
    variants["plain-both"] = replace(small, name="plain", direction="both")
    variants["attention-backward"] = replace(small, name="attention", direction="backward")
    variants["attention-wide-embedding"] = replace(small, name="attention", embedding=24)
    return variants


class TwoFields(Blueprint):
    """A model whose sources have two fields."""

    fields: ClassVar[tuple[Field, ...]] = (Field("text"), Field("tags"))


_VARIANTS = _variants()
_BLUEPRINTS = {name: resolve(options) for name, options in _VARIANTS.items()}
_BLUEPRINTS |= {
    f"{name}-tags": TwoFields(**asdict(replace(_BLUEPRINTS[name], tags="every_step")))
    for name in _VARIANTS
    if (name in ARCHITECTURES and ARCHITECTURES[name].has_source and _BLUEPRINTS[name].tie != "all")
    or name in ("transducer-copy", "attention-copy", "input_feeding-additive", "bidirectional-gru")
}
_BLUEPRINTS |= {
    f"{name}-decoder-tags": TwoFields(**asdict(replace(_BLUEPRINTS[name], tags="decoder")))
    for name in _VARIANTS
    if (name in ARCHITECTURES and ARCHITECTURES[name].has_attention and _BLUEPRINTS[name].tie != "all")
    or name in ("bidirectional-gru", "bidirectional-sum", "attention-copy", "attention-backward", "transformer-rotary")
}
_BLUEPRINTS |= {
    f"{name}-two-fields": TwoFields(**asdict(_BLUEPRINTS[name]))
    for name, options in _VARIANTS.items()
    if (name in ARCHITECTURES and ARCHITECTURES[name].has_source)
    or name in ("transformer-rotary", "transformer-learned", "transformer-post", "peeky-both-2-layers")
}


@pytest.fixture(params=_BLUEPRINTS.values(), ids=_BLUEPRINTS)
def variant(request: pytest.FixtureRequest) -> Blueprint:
    """Every architecture with its variants, and with sources of two fields."""
    blueprint: Blueprint = request.param
    return blueprint


def fields_of(blueprint: Blueprint) -> tuple[Field, ...]:
    """The kinds of the source's fields; none for one text."""
    return blueprint.fields if isinstance(blueprint, TwoFields) else ()


def copies_of(blueprint: Blueprint) -> tuple[int, ...]:
    """The letters that both sides have are copied as themselves, the source's others not at all."""
    if not blueprint.copy:
        return ()
    return tuple(own if len(SPECIALS) <= own < VOCABULARY else 0 for own in range(source_vocabulary(blueprint)))


@pytest.fixture
def sizes(variant: Blueprint) -> Sizes:
    """What the models of this variant are built for."""
    return Sizes(source_vocabulary(variant), VOCABULARY, fields_of(variant), copies_of(variant))


@pytest.fixture
def as_sources() -> Callable[[Predictor, Sequence[str]], list[str]]:
    """Gives each text the fields that the model reads: it is cut in its middle, and has only letters a to d."""

    def cut(model: Predictor, texts: Sequence[str]) -> list[str]:
        if model.source_codec is None or isinstance(model.source_codec.tokenizer.unit, str):
            return list(texts)
        few = (text.translate(str.maketrans("efg", "abc")) for text in texts)
        return [text and f"{text[: len(text) // 2]}\t{';'.join(text[len(text) // 2 :])}" for text in few]

    return cut


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Blueprint:
    """Every architecture with its defaults."""
    return resolve(_VARIANTS[request.param])


@pytest.fixture
def blueprint() -> Callable[..., Blueprint]:
    """Makes a small blueprint of the given architecture."""
    return lambda name, **options: resolve(replace(_VARIANTS[name], **options))


def source_vocabulary(blueprint: Blueprint) -> int:
    """Tokens of the sources; 0 for a language model."""
    if not ARCHITECTURES[blueprint.name].has_source:
        return 0
    return VOCABULARY if blueprint.tie == "all" else SOURCE_VOCABULARY


def letters(size: int) -> Codec:
    """Letters from a on: a vocabulary of `size` tokens."""
    codec = Codec.build(make_tokenizer("characters"), [string.ascii_lowercase[: size - len(SPECIALS)]])
    assert len(codec.vocabulary) == size
    return codec


@pytest.fixture
def new_model() -> Callable[..., Seq2Seq]:
    """Makes a model with random weights, biases too. `sharpen` scales the output layer."""

    def new(
        blueprint: Blueprint,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        sharpen: float = 1.0,
        vocabulary: int = VOCABULARY,
    ) -> Seq2Seq:
        torch.manual_seed(seed)
        sizes = Sizes(source_vocabulary(blueprint), vocabulary, fields_of(blueprint), copies_of(blueprint))
        model = build(blueprint, sizes).to(dtype).eval()
        with torch.no_grad():
            # Norms amplify small changes: larger weights would exceed the precision of float32 in a Transformer.
            is_transformer = "heads" in ARCHITECTURES[blueprint.name].uses
            noise = 0.15 if is_transformer else 0.3
            scales = {m.weight: m.scale for m in model.modules() if isinstance(m, Embedding)}
            for parameter in model.parameters():
                # Larger than in a new model, whose output hardly depends on the source.
                parameter.add_(noise / scales.get(parameter, 1) * torch.randn_like(parameter))
                parameter.mul_(1.2 if is_transformer else 1.5)
            model.decoder.output.weight.mul_(sharpen)
        return model

    return new


@pytest.fixture
def new_batch() -> Callable[..., TensorBatch]:
    """Makes a batch of random ids with rows of different lengths; each row ends with EOS, then PAD."""

    def new(
        model: Seq2Seq,
        *,
        source_lengths: Sequence[int] = (5, 1, 7, 3),
        target_lengths: Sequence[int] = (4, 6, 1, 3),
        seed: int = 0,
    ) -> TensorBatch:
        chance = torch.Generator().manual_seed(seed)

        def padded(lengths: Sequence[int], vocabulary: int) -> Padded:
            limits = torch.tensor(lengths)
            positions = torch.arange(max(lengths))
            ids = torch.randint(len(SPECIALS), vocabulary, (len(lengths), max(lengths)), generator=chance)
            ids = torch.where(positions == limits[:, None] - 1, EOS, ids)
            return Padded(torch.where(positions < limits[:, None], ids, PAD), limits)

        tables = [part for part in model.encoder.modules() if isinstance(part, Embedding)]
        source = (
            padded(source_lengths, len(tables[0].weight)) if tables else padded([0] * len(source_lengths), VOCABULARY)
        )
        return TensorBatch(source, padded(target_lengths, VOCABULARY))

    return new


@pytest.fixture
def codec() -> Codec:
    """Letters a to g: the target vocabulary of all models here."""
    return letters(VOCABULARY)


@pytest.fixture
def new_predictor(new_model: Callable[..., Seq2Seq], codec: Codec) -> Callable[..., Predictor]:
    """Makes a predictor around a model in float32, as it is shipped."""

    def new(blueprint: Blueprint, *, network: Seq2Seq | None = None, **options: object) -> Predictor:
        network = network or new_model(blueprint, dtype=torch.float32, sharpen=2.0, **options)
        size = source_vocabulary(blueprint)
        source_codec = letters(size) if size else None
        if source_codec and fields_of(blueprint):
            tokenizer = Fields("NFC", (make_tokenizer("characters"), make_tokenizer("tags")))
            tokens = (FIELD_BREAK, *"abcd", "<a>", "<b>", "<c>", "<d>")
            source_codec = Codec(tokenizer, Vocabulary(tokens))
            assert len(source_codec.vocabulary) == size
        return Predictor(TorchEngine(network), source_codec, codec, max_length=7, name=blueprint.name)

    return new
