"""Groups: pairs that have a field of their source in common are never in both training and dev pairs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2see.config import make_config
from seq2see.data import Pair, split_dev
from seq2see.data.groups import BY_SOURCE, Grouping, GroupOption, grouping_of
from seq2see.errors import ConfigError, DataError
from seq2see.run.pairs import read_data
from seq2see.text.fields import num_fields


def forms(num_lemmas: int, tags: str = "abcde") -> list[Pair]:
    """Each lemma with each tag."""
    return [Pair(f"lemma{number}\t{tag}", f"{number}{tag}") for number in range(num_lemmas) for tag in tags]


def fields(pairs: list[Pair], number: int) -> set[str]:
    return {pair.source.split("\t")[number - 1] for pair in pairs}


@given(
    sources=st.lists(st.tuples(*[st.sampled_from("abcdef")] * 2), min_size=2),
    seed=st.integers(0, 5),
    share=st.floats(0, 1),
    number=st.integers(1, 2),
)
def test_no_group_is_in_both(sources: list[tuple[str, str]], seed: int, share: float, number: int) -> None:
    pairs = [Pair("\t".join(each), "x", str(row)) for row, each in enumerate(sources)]
    if len(fields(pairs, number)) < 2:
        return
    train, dev = split_dev(pairs, seed=seed, share=share, grouping=Grouping(number))
    assert train and dev
    assert sorted(train + dev, key=pairs.index) == pairs
    assert not fields(train, number) & fields(dev, number)


def test_the_default_is_the_first_of_several_fields() -> None:
    assert grouping_of(None, ["a\tb", "c\td"]).field == 1
    assert grouping_of(2, ["a\tb", "c\td"]).field == 2
    assert grouping_of("none", ["a\tb", "c\td"]) == BY_SOURCE
    # A TAB in some texts is a character, as in JSON.
    for sources in (["a", "b"], ["a\tb", "c"], ["a\tb", "a\tb\tc"], []):
        assert grouping_of(None, sources) == grouping_of(1, sources) == BY_SOURCE
    assert num_fields(["\t\t", "a\tb\tc"]) == 3


def test_the_default_passes_over_fields_of_few_values() -> None:
    """A language would be set aside as a whole."""
    marked = [f"{'de' if row % 2 else 'en'}\tword {row}" for row in range(100)]
    assert grouping_of(None, marked, ("language", "word")) == Grouping(2, title="word")
    assert grouping_of(1, marked).field == 1, "asked for"
    by_ten = [f"{row % 10}\tword {row % 9}" for row in range(100)]
    assert grouping_of(None, by_ten).field == 1, "the square root of their number"
    assert grouping_of(None, [*by_ten, "0\tword 0"]).field == 2
    assert grouping_of(None, [f"{row % 3}\t{row % 2}" for row in range(100)]).field == 1, "of two labels the first"
    paragraphs = [f"a paragraph {row % 4}\tquestion {row}" for row in range(100)]
    assert grouping_of(None, paragraphs).field == 1, "labels have no blanks"


@pytest.mark.parametrize(("lemmas", "tags"), [(26, 455), (30, 40), (8, 300)])
def test_lemmas_with_large_paradigms_group_their_forms(lemmas: int, tags: int) -> None:
    sources = [f"lemma{row % lemmas}\tV;{row // lemmas};{row % 2}" for row in range(lemmas * tags)]
    assert grouping_of(None, sources).field == 1


def test_a_column_is_named() -> None:
    names = ("lemma", "features")
    assert grouping_of("features", ["a\tb"], names) == Grouping(2, title="features")
    assert grouping_of(None, ["a\tb"], names).name == "values of lemma"
    assert grouping_of(2, ["a\tb"], ("1", "3")).name == "values of source field 2"
    with pytest.raises(ConfigError, match="'lema' is no column of the source") as caught:
        grouping_of("lema", ["a\tb"], names)
    assert caught.value.fix == "did you mean 'lemma'?"


@pytest.mark.parametrize(("asked", "sources"), [(3, ["a\tb"]), (2, ["a"])])
def test_a_field_that_is_not_there(asked: GroupOption, sources: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        grouping_of(asked, sources)
    assert caught.value.where == "data.group"
    with pytest.raises(ConfigError, match="a language model has none"):
        grouping_of(asked, sources, has_source=False)
    assert grouping_of("none", [""], has_source=False) == BY_SOURCE


@pytest.mark.parametrize("where", ["data.group", "data.balance"])
@pytest.mark.parametrize("asked", ["tags", 3])
def test_the_fields_of_columns_without_names_are_given_by_their_place_in_the_source(
    asked: GroupOption, where: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        grouping_of(asked, ["a\tb"], ("1", "3"), where=where)
    choices = re.findall(r"\w+", re.split(r"one of:? |, or", caught.value.fix)[1].replace(" and ", " "))
    assert choices == ["1", "2", *(["none"] if where == "data.group" else [])]
    for choice in choices:
        grouping_of(int(choice) if choice.isdecimal() else choice, ["a\tb"], ("1", "3"), where=where)
    if asked == 3:
        assert caught.value.what == "must be a field of the sources, 1 to 2 here (columns 1 and 3), not 3"


def test_groups_in_two_forms_are_one() -> None:
    keys = {Grouping(1).key(Pair(lemma + "\tx", "y")) for lemma in ("caf\u00e9", "cafe\u0301", " caf\u00e9")}
    assert len(keys) == 1
    assert Grouping(1, "fold").key(Pair("Ab\tX", "y")) == Grouping(1).key(Pair("ab\tY", "y"))


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="at least 2 different values of source field 1, found 1"):
        split_dev(forms(1), seed=1, grouping=Grouping(1))


def test_training_splits_by_the_lemma_unless_told_otherwise() -> None:
    pairs = forms(40)

    def split(**settings: object) -> tuple[set[str], str]:
        config = make_config({}, {f"data.{key}": value for key, value in settings.items()})
        data = read_data(config, pairs, None, has_source=True)
        return fields(list(data.train), 1) & fields(data.dev, 1), data.notes[0]

    shared, note = split()
    assert not shared
    assert note == "data: 200 pairs, of which 20 are set aside as dev (by distinct values of source field 1, seed 1)"
    assert not split(group=1)[0]
    shared, note = split(group="none")
    assert shared
    assert "by distinct sources" in note


def test_of_given_dev_pairs_the_number_of_trained_lemmas_is_said() -> None:
    dev = [Pair("lemma3\tf", "x"), Pair("lemma3\tg", "x"), Pair("new\ta", "x")]
    notes = read_data(make_config({}, {}), forms(9), dev, has_source=True).notes
    assert any(note.startswith("note: 1 of the 2 values of source field 1 in dev are also in train") for note in notes)
    one_field = [Pair(pair.source.replace("\t", " "), pair.target) for pair in (*forms(9), *dev)]
    notes = read_data(make_config({}, {}), one_field[:-3], one_field[-3:], has_source=True).notes
    assert not any("in dev are also" in note for note in notes)


def test_folded_sources_are_the_same_source() -> None:
    pairs = [Pair(source, "x") for source in ("aa", "AA", "bb", "BB", "cc", "CC")]
    for seed in range(9):
        config = make_config({}, {"text.case": "fold", "training.seed": seed, "data.dev_share": 0.3})
        data = read_data(config, pairs, None, has_source=True)
        assert not {pair.source.lower() for pair in data.train} & {pair.source.lower() for pair in data.dev}
    notes = read_data(make_config({}, {"text.case": "fold"}), pairs[:4], [Pair("Aa", "x")], has_source=True).notes
    assert any("1 of the 1 dev pairs have a source that is also in train" in note for note in notes)
