from __future__ import annotations

import numpy as np

from seq2see.data import Batch, Examples, Pair, collate
from seq2see.text import BOS, EOS, PAD, Characters, Codec

CODEC = Codec(Characters(), Codec.build(Characters(), ["aaabbc"]).vocabulary)
A, B, C = 4, 5, 6


def batch_of(*texts: tuple[str, str | None], indices: list[int], codec: Codec | None = CODEC) -> Batch:
    examples = Examples.encode([Pair(source, target, "") for source, target in texts], codec, CODEC)
    return collate(examples, np.array(indices))


def test_rows_are_padded_to_the_longest() -> None:
    batch = batch_of(("abc", "a"), ("ccccc", "c"), ("a", "abc"), indices=[2, 0])
    assert batch.source.ids.tolist() == [[A, EOS, PAD, PAD], [A, B, C, EOS]]
    assert batch.source.lengths.tolist() == [2, 4]
    assert batch.target.ids.tolist() == [[A, B, C, EOS], [A, EOS, PAD, PAD]]
    assert batch.target.mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert batch.target.lengths.sum() == 6
    assert {part.dtype for side in batch for part in (side.ids, side.lengths)} == {np.dtype(np.int64)}


def test_the_decoder_input_is_the_shifted_target() -> None:
    batch = batch_of(("a", "abc"), ("a", "b"), indices=[0, 1])
    assert batch.decoder_input.tolist() == [[BOS, A, B, C], [BOS, B, EOS, PAD]]


def test_missing_sides_have_no_width() -> None:
    batch = batch_of(("", "ab"), ("", "a"), indices=[0, 1], codec=None)
    assert batch.source.ids.shape == (2, 0)
    assert batch.source.lengths.tolist() == [0, 0]
    assert batch.target.lengths.sum() == 5
    batch = batch_of(("ab", None), indices=[0])
    assert batch.decoder_input.shape == (1, 0)
    assert batch.target.lengths.sum() == 0
