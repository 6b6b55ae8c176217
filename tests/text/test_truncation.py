"""Long sources are cut: the first tokens of a text, or of the longest of its fields."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.errors import CheckpointError, ConfigError
from seq2see.text import EOS, Codec, make_tokenizer
from seq2see.text.choice import choose_text
from seq2see.text.fields import FIELD_BREAK, with_breaks
from seq2see.text.options import TextOptions
from seq2see.text.truncation import truncated

FIELDS = st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (9, "abcd,ef,ghi"),
        (8, "abc,ef,ghi"),
        (7, "ab,ef,gh"),  # the one that is left is not enough for both
        (6, "ab,ef,gh"),
        (5, "a,e,g"),
        (3, "a,e,g"),
        (2, ",,"),
    ],
)
def test_the_longest_fields_are_cut(most: int, expected: str) -> None:
    tokens = with_breaks([list("abcd"), list("ef"), list("ghi")])
    assert "".join(truncated(tokens, most, has_fields=True)).replace(FIELD_BREAK, ",") == expected


@given(FIELDS, st.integers(1, 40))
def test_fields_keep_their_beginning_within_the_limit(fields: list[list[str]], most: int) -> None:
    found = "".join(truncated(with_breaks(fields), most, has_fields=True)).split(FIELD_BREAK)
    assert len(found) == len(fields)
    assert all("".join(field).startswith(own) for field, own in zip(fields, found, strict=True))
    kept = sum(map(len, found))
    assert kept <= most
    if sum(map(len, fields)) <= most:
        assert kept == sum(map(len, fields))
    else:  # one more token of each field that was cut would be too many
        was_cut = [len(own) < len(field) for field, own in zip(fields, found, strict=True)]
        assert kept + sum(was_cut) > most
        longest = max(map(len, found))
        assert all(len(own) == longest for own, cut in zip(found, was_cut, strict=True) if cut)


@given(st.text(alphabet="abc\t", max_size=20), st.integers(1, 25))
def test_a_codec_reads_the_first_tokens(text: str, most: int) -> None:
    whole = Codec.build(make_tokenizer("characters"), ["abc\t"])
    codec = replace(whole, truncate=most)
    assert codec.encode(text) == [*whole.encode(text, end=False)[:most], EOS]
    assert codec.cuts(text) == (len(text) > most)
    assert codec.normalize(text) == text
    assert Codec.from_json(codec.to_json()) == codec


@pytest.mark.parametrize("most", [0, -1, True, "5", 2**31])
def test_a_damaged_number_is_refused(most: object) -> None:
    values = Codec.build(make_tokenizer("characters"), ["abc"]).to_dict() | {"truncate": most}
    with pytest.raises(CheckpointError, match="truncate"):
        Codec.from_dict(values)


@pytest.mark.parametrize(
    ("options", "sources", "what"),
    [
        (TextOptions(truncate=5), None, "a language model has none"),
        (TextOptions(truncate=5, source=("characters", "vectors")), ["a\t[[1]]"] * 20, "vectors"),
    ],
)
def test_what_cannot_be_cut_is_refused(options: TextOptions, sources: list[str] | None, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        choose_text(options, sources, ["ab"] * 20)
    assert caught.value.where == "text.truncate"
