from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeky.errors import CheckpointError
from peeky.text import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    TOKENIZER_NAMES,
    UNK,
    Bytes,
    Characters,
    Codec,
    Symbols,
    UnicodeVersionWarning,
    Vocabulary,
    Words,
    make_tokenizer,
)


@pytest.mark.parametrize("name", TOKENIZER_NAMES)
@given(text=st.text())
def test_text_survives_its_ids(name: str, text: str) -> None:
    codec = Codec.build(make_tokenizer(name), [text])
    ids = codec.encode(text)
    assert ids[-1] == EOS
    assert EOS not in ids[:-1]
    assert codec.decode(ids) == codec.normalise(text)
    assert codec.unknown(text) == []
    assert codec.is_normalised(codec.normalise(text))


def test_specials_on_the_way_back() -> None:
    codec = Codec.build(Characters(), ["ab"])
    assert codec.encode("axb") == [4, UNK, 5, EOS]
    assert codec.decode([PAD, BOS, 4, UNK, 5, EOS, 4]) == "a<unk>b"
    assert codec.tokens([BOS, 4, UNK, EOS, PAD]) == ["<bos>", "a", "<unk>", "<eos>", "<pad>"]
    assert codec.unknown("axbx") == ["x", "x"]


def test_data_may_spell_a_special() -> None:
    codec = Codec.build(Symbols(), [" ".join(SPECIALS)])
    ids = codec.encode("<eos> <pad> <unk>")
    assert not set(ids[:-1]) & {PAD, UNK, BOS, EOS}
    assert codec.decode(ids) == "<eos> <pad> <unk>"


def test_texts_not_in_their_normal_form_can_be_counted() -> None:
    codec = Codec.build(Characters(), ["é"])
    assert [codec.is_normalised(text) for text in ("é", "e\u0301")] == [True, False]


def test_bytes_need_no_data() -> None:
    codec = Codec.build(Bytes(), [])
    assert codec.decode(codec.encode("日本")) == "日本"
    assert len(codec.vocabulary) == 260


@given(tokens=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True))
def test_any_token_survives_the_file(tmp_path_factory: pytest.TempPathFactory, tokens: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "codec.json"
    codec = Codec(Words("NFKC"), Vocabulary(tuple(tokens)))
    codec.save(path)
    assert Codec.load(path) == codec


def test_the_file_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "codec.json"
    codec = Codec(Words(), Vocabulary(("\n", "\t", "\u2028", '"', "grün", "<eos>")))
    codec.save(path)
    assert Codec.load(path) == codec
    lines = path.read_bytes().decode().split("\n")
    assert '"grün",' in lines
    assert '"tokenizer": "words",' in lines


def test_another_unicode_version_is_told() -> None:
    values = Codec.build(Words(), ["a b"]).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Codec.from_dict(values)
    with pytest.warns(UnicodeVersionWarning, match=r"under Unicode 1\.1"):
        Codec.from_dict({**values, "unicode": "1.1"})


GOOD = Codec.build(Words(), ["a b"]).to_dict()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"[]",
        b"{}",
        json.dumps(GOOD)[:-5].encode(),
        *(
            json.dumps({**GOOD, **change}).encode()
            for change in (
                {"format": "other"},
                {"tokenizer": "wrods"},
                {"tokenizer": 3},
                {"normalization": "NFX"},
                {"tokens": "ab"},
                {"tokens": ["a", 3]},
                {"tokens": ["a", ""]},
                {"tokens": ["a", "a"]},
                {"tokens": ["\ud800"]},
            )
        ),
    ],
)
def test_a_file_that_is_no_codec_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "codec.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        Codec.load(path)
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.json"):
        Codec.load(tmp_path / "nowhere.json")
