"""Small models in C for `scripts/fuzz-c`: together they have every unit of text, every normal form, and case folded.

Their weights are random, so that all kinds of answers are searched for, and joined to texts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from export.conftest import random_model
from export.test_text import codec_of, random_texts
from seq2see.blueprint import ModelOptions, resolve
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.text import Codec, Vocabulary
from seq2see.text.alignment import STEP_TOKEN, Aligner
from seq2see.text.options import TextOptions

LIMITS = {"maxLength": 9, "maxInput": 60}
"""Tokens of answers and texts: few, so that many texts are tried."""


class Side(NamedTuple):
    """How the texts of one side are cut."""

    unit: str | tuple[str, ...]
    normalization: str = "NFC"
    case: str = "keep"
    truncate: int | None = None

    def codec(self) -> Codec:
        """A codec that was built from random texts."""
        options = TextOptions(normalization=self.normalization, case=self.case, subword_size=200)
        if isinstance(self.unit, str):
            return replace(codec_of(options, self.unit, random_texts(300)), truncate=self.truncate)
        columns = [[text.replace("\t", " ") for text in random_texts(200, seed=seed)] for seed in range(len(self.unit))]
        return replace(codec_of(options, self.unit, list(zip(*columns, strict=True))), truncate=self.truncate)


class FuzzModel(NamedTuple):
    """What a model is made of."""

    options: dict[str, object]
    source: Side | None
    target: Side
    weights: str = "float32"
    reads_a_file: bool = False
    """Whether its weights are in a file, and it is that which is fuzzed."""

    def bundle(self) -> Bundle:
        """The model, to be exported."""
        target = self.target.codec()
        if self.options["name"] == "transducer":
            tokens = Vocabulary((STEP_TOKEN, *target.vocabulary.tokens))
            target = replace(target, vocabulary=tokens, aligner=Aligner(1, {}))
        codecs = None if self.source is None else self.source.codec(), target
        options = {"width": 18, **({} if "heads" in self.options else {"embedding": 3}), **self.options}
        saved = random_model(resolve(ModelOptions(**options)), codecs)  # type: ignore[arg-type]
        found = bundle_of(saved, model_of(saved, make_numpy_engine), self.weights, name="fuzzed")  # type: ignore[arg-type]
        return found._replace(limits={**found.limits, **LIMITS})


def recurrent(name: str, **options: object) -> dict[str, object]:
    """Options of a model of LSTMs or GRUs."""
    return {"name": name, **options}


def blocks(name: str, **options: object) -> dict[str, object]:
    """Options of a Transformer."""
    return {"name": name, "layers": 1, "heads": 2, "feed_forward": 6, **options}


LM = "language_model"
MODELS = {
    "characters": FuzzModel(recurrent("attention"), Side("characters", "NFKC", "fold"), Side("words"), "int8"),
    "decomposed": FuzzModel(blocks("transformer"), Side("decomposed", "none"), Side("decomposed", "NFD"), "float16"),
    "graphemes": FuzzModel(recurrent("bidirectional", cell="gru"), Side("graphemes", "NFC", "fold"), Side("tags")),
    "bpe": FuzzModel(recurrent("input_feeding"), Side("bpe", "NFD"), Side("bpe", "NFKC", "fold"), "int8"),
    "unigram": FuzzModel(recurrent("peeky"), Side("unigram", "NFKC"), Side("unigram", "none", "fold")),
    "fields": FuzzModel(recurrent("gnmt"), Side(("words", "tags", "graphemes"), "NFD", "fold", 7), Side("symbols")),
    "subwords in fields": FuzzModel(
        recurrent("monotonic"), Side(("bpe", "decomposed", "symbols"), "NFC"), Side("graphemes")
    ),
    "transducer": FuzzModel(recurrent("transducer"), Side("bytes", "none"), Side("characters")),
    "continued words": FuzzModel(recurrent(LM), None, Side("words", "NFD", "fold")),
    "continued symbols": FuzzModel(recurrent(LM, cell="gru"), None, Side("symbols", "NFKC")),
    "continued bytes": FuzzModel(recurrent(LM), None, Side("bytes"), "float16"),
    "continued bpe": FuzzModel(
        blocks(f"transformer_{LM}", positions="learned", max_positions=40), None, Side("bpe", "none"), "int8"
    ),
    "continued unigram": FuzzModel(blocks(f"transformer_{LM}"), None, Side("unigram", "NFD", "fold")),
    "continued letters": FuzzModel(recurrent(LM), None, Side("decomposed", "NFC", "fold")),
    "a file, int8": FuzzModel(recurrent("attention"), Side("characters"), Side("characters"), "int8", True),
    "a file, float16": FuzzModel(blocks("transformer"), Side("characters"), Side("characters"), "float16", True),
}
"""By what is special about each."""
