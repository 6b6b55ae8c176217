from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2see.data import Examples, Pair, Sequences
from seq2see.text import EOS, Characters, Codec, Words, learn_codec

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


def test_missing_sides_have_length_0() -> None:
    codec = Codec.build(Characters(), ["ab"])
    assert Examples.encode([Pair("", "ab", "")], None, codec).source_lengths.tolist() == [0]
    assert Examples.encode([Pair("ab", None, "")], codec, codec).target_lengths.tolist() == [0]


def test_sequences_of_texts_alone() -> None:
    codec = Codec.build(Characters(), ["ab"])
    sources = Sequences.encode(codec, ["ab", None, "", "b"])
    assert [sources[index].tolist() for index in range(len(sources))] == [[4, 5, EOS], [], [EOS], [5, EOS]]
    prompts = Sequences.pack(codec.encode(text, end=False) for text in ("ab", "", "b"))
    assert [prompts[index].tolist() for index in range(len(prompts))] == [[4, 5], [], [5]]
    assert prompts.lengths.tolist() == [2, 0, 1]
    examples = Examples(Sequences.empty(len(prompts)), prompts)
    assert len(examples) == 3
    assert examples.source_lengths.tolist() == [0, 0, 0]
    assert examples.target(2).tolist() == [5]


# --- BPE-dropout ----------------------------------------------------------------------------------------------------

SENTENCES = [Pair(f"the house of man {n % 5}", f"das haus von mann {n % 5}", "") for n in range(40)]
CODECS = (learn_codec("bpe", [p.source for p in SENTENCES]), learn_codec("bpe", [p.target or "" for p in SENTENCES]))


def cut(epoch: int, *, seed: int = 1, dropout: float = 0.3, pairs: Sequence[Pair] = SENTENCES) -> Examples:
    return Examples.encode_with_dropout(pairs, *CODECS, dropout=dropout, seed=seed, epoch=epoch)


def ids_of(examples: Examples) -> list[tuple[list[int], list[int]]]:
    return [(examples.source(number).tolist(), examples.target(number).tolist()) for number in range(len(examples))]


def test_segmentation_is_a_function_of_seed_epoch_and_index() -> None:
    assert ids_of(cut(3)) == ids_of(cut(3))
    assert ids_of(cut(3, pairs=SENTENCES[:7])) == ids_of(cut(3))[:7]
    others = [cut(4), cut(3, seed=2), cut(3, dropout=0.4)]
    assert all(ids_of(other) != ids_of(cut(3)) for other in others)
    first, second = ids_of(cut(0, dropout=0.5, pairs=[SENTENCES[0]] * 2))
    assert first != second  # the same text at another place
    joint = (CODECS[0], CODECS[0])
    same = [Pair("the house of man", "the house of man", "")]
    ((source, target),) = ids_of(Examples.encode_with_dropout(same, *joint, dropout=0.5, seed=1, epoch=0))
    assert source != target  # and on the other side


def test_every_segmentation_decodes_to_the_text() -> None:
    examples = cut(0, dropout=0.7)
    for number, pair in enumerate(SENTENCES):
        assert CODECS[0].decode(examples.source(number)) == pair.source
        assert CODECS[1].decode(examples.target(number)) == pair.target
        assert examples.source(number)[-1] == examples.target(number)[-1] == EOS


def test_the_extremes_of_dropout() -> None:
    characters = cut(0, dropout=1)
    assert characters.source_lengths.tolist() == [len(pair.source) + 2 for pair in SENTENCES]  # the blank in front, EOS
    assert ids_of(cut(0, dropout=1e-12)) == ids_of(Examples.encode(SENTENCES, *CODECS))


def test_a_language_model_has_only_targets() -> None:
    examples = Examples.encode_with_dropout(SENTENCES, None, CODECS[1], dropout=0.5, seed=1, epoch=1)
    assert not examples.source_lengths.any()
    assert (examples.target_ids == cut(1, dropout=0.5).target_ids).all()
