from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from peeky.data import Examples, Pair
from peeky.text import Characters, Codec, Words

TEXTS = st.lists(st.tuples(st.text(alphabet="ab c"), st.text(alphabet="ab c")))


@given(texts=TEXTS)
def test_examples_are_the_encoded_pairs(texts: list[tuple[str, str]]) -> None:
    pairs = [Pair(source, target, "") for source, target in texts]
    source_codec = Codec.build(Characters(), ["ab"])
    target_codec = Codec.build(Words(), ["a b c"])
    examples = Examples.encode(pairs, source_codec, target_codec)
    assert len(examples) == len(pairs)
    for index, (source, target) in enumerate(texts):
        assert examples.source(index).tolist() == source_codec.encode(source)
        assert examples.target(index).tolist() == target_codec.encode(target)
        assert examples.source_lengths[index] == len(source_codec.encode(source))
        assert examples.target_lengths[index] == len(target_codec.encode(target))
    assert examples.source_ids.dtype == examples.target_ids.dtype == np.int32


def test_sides_that_are_not_there_have_no_length() -> None:
    codec = Codec.build(Characters(), ["ab"])
    assert Examples.encode([Pair("", "ab", "")], None, codec).source_lengths.tolist() == [0]
    assert Examples.encode([Pair("ab", None, "")], codec, codec).target_lengths.tolist() == [0]
