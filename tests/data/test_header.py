"""Headers are told by structure: in any language, and never among the rows of real sets."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from seq2see.data import read_pairs
from seq2see.data.header import are_names_of_two, has_usual_names, is_header
from seq2see.doctor import check

NAMES = [
    ("source", "target"), ("word", "ipa"), ("English", "French"), ("EN", "VI"), ("written", "spoken"),
    ("src", "tgt"), ("question", "answer"), ("Wort", "Aussprache"), ("mot", "phonèmes"), ("слово", "транскрипция"),
    ("x1", "y1"), ("Source text", "Target text"),
]  # fmt: skip
PHONES = [
    ("kat", "k a t"), ("hond", "h o n t"), ("vis", "v ɪ s"), ("huis", "h œy s"), ("maan", "m aː n"),
    ("zon", "z ɔ n"), ("ster", "s t ɛ r"), ("deur", "d øː r"), ("raam", "r aː m"), ("tafel", "t aː f ə l"),
    ("stoel", "s t u l"), ("boom", "b oː m"),
]  # fmt: skip
SENTENCES = [(f"{a} cat sleeps on {b}.", f"{c} Katze schläft auf {d}.") for a, c in [("The", "Die"), ("My", "Meine"),
             ("Her", "Ihre"), ("A", "Eine")] for b, d in [("it", "ihm"), ("us", "uns"), ("me", "mir")]]  # fmt: skip
DATES = [(f"{day} may 19{day}", f"19{day}-05-{day}") for day in range(10, 30)]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("rows", [PHONES, SENTENCES, DATES], ids=["phones", "sentences", "dates"])
def test_names_of_columns_are_a_header(names: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    assert is_header(names, rows)


@pytest.mark.parametrize("rows", [PHONES, SENTENCES, DATES], ids=["phones", "sentences", "dates"])
def test_a_row_is_no_header(rows: list[tuple[str, str]]) -> None:
    assert not any(is_header(row, rows[:at] + rows[at + 1 :]) for at, row in enumerate(rows))


def test_rows_of_real_sets_are_no_headers(seq2see_data: Path) -> None:
    paths = [
        seq2see_data / name for name in ("g2p_sig20/fre/train.tsv", "translit_ar2en/train.tsv", "book_date/train.tsv")
    ]
    for path in paths:
        rows = [(pair.source, pair.target or "") for pair in read_pairs([path]).pairs[:400]]
        chosen = random.Random(1).sample(range(len(rows)), 40)
        assert not [rows[at] for at in chosen if is_header(rows[at], rows[:at] + rows[at + 1 :])], path


TWO = [
    ("en", "de"), ("EN", "VI"), ("x", "y"), ("formal", "informal"), ("Ungrammatical", "grammatical"),
    ("non-toxic", "toxic"), ("sentence1", "sentence2"), ("text_1", "text_2"), ("s1", "s2"),
]  # fmt: skip
SHORT = [
    ("we", "wir"), ("hat", "hut"), ("it", "es"), ("so it goes", "so ist es"), ("cat", "katze"), ("a", "ein"),
    ("room 1", "zimmer 1"), ("man", "mann"), ("day", "tag"), ("tree", "baum"), ("sun", "sonne"),
]  # fmt: skip


@pytest.mark.parametrize("names", TWO)
def test_two_names_that_belong_together_are_a_header_of_few_short_pairs(names: tuple[str, str], tmp_path: Path) -> None:
    rows = [row for row in SHORT if row != ("it", "es")]
    assert is_header(names, rows)
    assert not is_header(names, [*rows[:3], names])  # too few to tell
    path = tmp_path / "pairs.csv"
    path.write_text("".join(f"{a},{b}\n" for a, b in [names, *rows]))
    assert [pair[:2] for pair in read_pairs([path]).pairs] == rows
    path.rename(tmp_path / "pairs.tsv")
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in [names, *rows]))
    assert check(tmp_path / "pairs.tsv").find("header")


@pytest.mark.parametrize(
    ("first", "another"),
    [
        (("en", "de"), ("it", "es")),
        (("x", "y"), ("a", "b")),
        (("formal", "informal"), ("able", "unable")),
        (("form", "reform"), ("a", "b c")),
        (("s1", "s2"), ("room1", "room2")),
        (("s1", "t2"), ("room1", "room2")),
        (("on", "de"), ("a", "b c")),
    ],
)
def test_a_first_pair_like_another_one_is_a_pair(first: tuple[str, str], another: tuple[str, str]) -> None:
    assert not is_header(first, [*[row for row in SHORT if row != ("it", "es")], another])


def test_pairs_of_real_sets_never_belong_together_as_names_do(seq2see_data: Path) -> None:
    for path in sorted(seq2see_data.rglob("dev.tsv")):
        rows = [row for line in path.read_text("utf-8").splitlines() if len(row := line.split("\t")) == 2]
        for at, row in enumerate(rows):
            if row[0].casefold() == row[1].casefold():
                continue
            other = rows[at + 1 : at + 12] or rows[:11]
            assert len(other) < 5 or not are_names_of_two(*row, other), (path, row)


@pytest.mark.parametrize("first", ["tag\ttext", "text\tword", "target\tsource", "form\tlemma"])
def test_a_first_pair_of_two_usual_names_is_a_pair(first: str, tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text(f"{first}\ntag\tday\nwort\tword\nhaus\thouse\n")
    assert "\t".join(map(str, read_pairs([path]).pairs[0][:2])) == first


def test_usual_names_of_source_and_target_are_a_header() -> None:
    assert has_usual_names(("Word", " IPA"))
    assert has_usual_names(("tag", "text", "id"))
    assert not has_usual_names(("text", "text"))
