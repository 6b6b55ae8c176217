from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seq2see.data import Examples, Pair
from seq2see.data.building import build_examples
from seq2see.text import Codec, Words, learn_codec, make_tokenizer
from seq2see.text.options import TextOptions

PAIRS = [Pair(f"the  house {n % 7} é", f"das haus {n % 5}", "") for n in range(40)] + [Pair("", "zz", "")]
SIDES = [[pair.source for pair in PAIRS], [pair.target or "" for pair in PAIRS]]


def codec_of(unit: str, texts: list[str], **limits: Any) -> Codec:
    """Built on its own, from texts that are tokenized for it."""
    if unit == "bpe":
        return learn_codec(unit, texts)
    return Codec.build(make_tokenizer(unit), texts, **limits)


def same(one: Examples, other: Examples) -> bool:
    sides = ((one.sources, other.sources), (one.targets, other.targets))
    return all(
        np.array_equal(a.ids, b.ids) and np.array_equal(a.offsets, b.offsets) and a.ids.dtype == b.ids.dtype
        for a, b in sides
    )


@pytest.mark.parametrize("unit", ["characters", "decomposed", "graphemes", "words", "symbols", "bytes", "bpe"])
def test_building_and_encoding_together_equals_one_after_the_other(unit: str) -> None:
    options = TextOptions(source=unit, target=unit, min_count=2 if unit == "words" else None)  # type: ignore[arg-type]
    limits = {"min_count": 2} if unit == "words" else {}
    codecs, examples = build_examples(options, PAIRS, has_source=True)
    assert codecs == tuple(codec_of(unit, texts, **limits) for texts in SIDES)
    assert same(examples, Examples.encode(PAIRS, *codecs))

    (source, target), examples = build_examples(options, PAIRS, has_source=False)
    assert (source, target) == (None, codecs[1])
    assert same(examples, Examples.encode(PAIRS, None, target))

    options = TextOptions(source=unit, target=unit, joint=True, min_count=options.min_count)  # type: ignore[arg-type]
    codecs, examples = build_examples(options, PAIRS, has_source=True)
    assert codecs[0] is codecs[1]
    assert codecs[1] == codec_of(unit, SIDES[0] + SIDES[1], **limits)
    assert same(examples, Examples.encode(PAIRS, *codecs))


@pytest.mark.parametrize("unit", ["bpe", "words", "characters"])
def test_only_sources_of_a_joint_vocabulary_are_cut(unit: str) -> None:
    options = TextOptions(source=unit, target=unit, joint=True)  # type: ignore[arg-type]
    (_, whole), _ = build_examples(options, PAIRS, has_source=True)
    codecs, examples = build_examples(replace(options, truncate=1), PAIRS, has_source=True)
    assert codecs == (replace(whole, truncate=1), whole)
    assert same(examples, Examples.encode(PAIRS, *codecs))
    assert examples.source_lengths.max() == 2
    assert examples.target_lengths.max() > 2
    assert examples.sources.num_cut > 0


def test_unknown_tokens_and_unknown_targets() -> None:
    options = TextOptions(source="words", target="characters", max_vocabulary=6)
    pairs = [*PAIRS, Pair("house", None, "")]
    codecs, examples = build_examples(options, pairs, has_source=True)
    assert len(codecs[1].vocabulary) == 6
    assert same(examples, Examples.encode(pairs, *codecs))


def test_each_text_is_tokenized_once(monkeypatch: pytest.MonkeyPatch) -> None:
    split, texts = Words.split, Counter[str]()

    def counting(tokenizer: Words, text: str) -> list[str]:
        texts[text] += 1
        return split(tokenizer, text)

    monkeypatch.setattr(Words, "split", counting)
    build_examples(TextOptions(source="words", target="words"), PAIRS, has_source=True)
    assert texts == Counter(text for side in SIDES for text in side)
