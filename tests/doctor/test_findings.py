"""Each finding on a synthetic file that has it, and on a near miss that must not raise it."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2see.data import read_pairs
from seq2see.doctor import DataReport, check, clean
from seq2see.doctor.finding_types import FINDING_TYPES
from seq2see.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str | bytes, name: str = "pairs.tsv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


GOOD = "one\t1\ntwo\t2\nthree\t3\n"
MANY = "".join(f"word {number}\tWORT {number}\n" for number in range(10, 60))

PARADIGMS = [
    (f"stem{n}", tags, f"stem{n}{ending}")
    for n in range(8)
    for tags, ending in (("N;SG", "a"), ("N;PL", "i"), ("N;DU", "u"))
]

# name: what has it, how often, and what looks like it and hasn't
CASES: dict[str, tuple[str | bytes, int, str | bytes]] = {
    "encoding": (GOOD.encode() + "fünf\t5\n".encode("latin-1"), 1, GOOD + "fünf\t5\n"),
    "nul": (GOOD + "fo\0ur\t4\n", 1, GOOD + "fo0ur\t4\n"),
    "old-mac-line-ends": ("one\t1\rtwo\t2\rthree\t3\r", 1, "one\t1\r\ntwo\t2\r\n"),
    "columns": (GOOD + "four\nfive\t5\tV\n", 2, GOOD + "four \t 4 IV\n"),
    "quoted-line-breaks": (
        MANY * 50 + '"four\nfive"\t4\nsix\t"VI\n6"\n', 4, GOOD + '"four\nfive"\t4\nsix\t"VI\n6"\n',
    ),
    "empty-sides": (GOOD + "four\t\n \t5\n", 2, GOOD + "four\t.\n"),
    "blank-lines": ("one\t1\n\n\ntwo\t2\n \nsix\t6\n", 3, "one\t1\ntwo\t2\n\n\n"),
    "empty": ("\n\n", 1, GOOD),
    "damaged": (gzip.compress(GOOD.encode())[:-4], 1, gzip.compress(GOOD.encode())),
    "choice": ("one\t1\tI\ntwo\t2\tII II\n", 1, "one\t1\tV;A\ntwo\t2\tV;A\n"),
    "nothing-usable": ("one\t1\tI\ntwo\n", 1, "one\ntwo\t2\n"),
    "one-source": ("one\t1\none\t2\n", 1, "one\t1\ntwo\t2\n"),
    "header": ("Wort\tLaut\n" + MANY, 1, "Source\tTarget\n" + MANY),
    "not-text": (b"PK\x03\x04" + bytes(40), 1, GOOD),
    "comments": ("# a list\tof words\n" + GOOD, 1, GOOD + "#\thash\n#tag\tTag\n"),
    "csv-quotes": (
        GOOD + '"four"\t"4"\n"five"\t"5"\nsix\t6 "VI"\n', 2, GOOD + 'he said "four"\t"4"\nfive\t5\n',
    ),
    "variant-numbers": (GOOD + "one(2)\tI\n", 1, GOOD + "f(2)\tI\n" + MANY),
    "enclosed-targets": (GOOD + "four\t/IV/\nfive\t/V/\n", 2, GOOD + "four\t/IV/V/\n"),
    "placeholders": (
        MANY + "".join(f"no {n}\tNaN\n" for n in range(5)), 5,
        "".join(f"word {n}\t{('None', 'A', 'B')[n % 3]}\n" for n in range(60)) + "no 1\tNaN\n" * 9,
    ),
    "alternatives": (MANY + "word 60\tWORT 60, WART 60\n" * 2, 2, MANY + "word, 60\tWORT, 60\nword 61\tA, B.\n"),
    "byte-order-mark-at-start": ("\ufeff" + GOOD, 1, GOOD),
    "byte-order-mark-inside": (GOOD + "\ufefffour\t4\n", 1, "\ufeff" + GOOD),
    "windows-line-ends": (GOOD.replace("\n", "\r\n"), 3, GOOD),
    "mojibake": (GOOD + "fÃ¼nf\t5\nrosÃ©\tâ€œ\n", 3, GOOD + "SÃO\tÃO\nÀ «\tÄ\n"),
    "replacement": (GOOD + "f\ufffdnf\t5\n", 1, GOOD + "f?nf\t5\n"),
    "html": (GOOD + "R&amp;D\t&#228;\n", 2, GOOD + "R&D\tAT&T; &nosuch;\n"),
    "moses-escapes": (GOOD + "it &apos;s\t&quot; x\n", 2, GOOD + "it 's\t\" x\n"),
    "control": (GOOD + "fo\x07ur\t4\x85\nx\ry\t5\n", 3, GOOD + "four\t4\r\n"),
    "invisible": (GOOD + "fo\u200bur\t4\u00ad\na\u200e\tx\u200dy", 4, "می\u200cخواهم\tක්\u200dෂ\n👩\u200d💻\tก\u200bข"),
    "direction-marks": (GOOD + "שלום\u200f\t4\n", 1, GOOD + "שלום\t4\n"),
    "unusual-spaces": (GOOD + "a\u00a0b\t4\u202f!\nc\u3000d\t5\n", 3, GOOD + "東京\u3000タワー\t4\n"),
    "space-around": (GOOD + " four\t4 \n", 2, GOOD + "four\t4 4\n"),
    "doubled-blanks": (GOOD + "fo  ur\t4\n", 1, GOOD + "fo u r\t4\n"),
    "not-nfc": (GOOD + "cafe\u0301\t4\n", 1, GOOD + "café\t4\n"),
    "mixed-script-words": (GOOD + "P\u0430ris\tС’est\nМоскв\u0061\t5\n", 3, GOOD + "Paris Москва\tθ i β\n3D-Ъ\tμm"),
    "look-alikes": (
        GOOD + "a\tˈaː ɡ\nb\tˈaː ɡ\nc\t'a: g\nd\t'a: g\n", 6, GOOD + "'a: g\tˈaː ɡ\n" * 2 + "b\tˈaː\nb\t:\n",
    ),
    "duplicates": (GOOD + "two\t2\ntwo\t2\ncafé\tx\ncafe\u0301\tx\n", 3, GOOD + "two\t22\n2\ttwo\n"),
    "contradictions": (GOOD + "two\tII\nthree\tIII\n", 2, GOOD + "deux\t2\ntwo\t2\n"),
    "digits": (GOOD + "four\t٣٤\n", 2, GOOD + "٣\t3\n"),
    "full-width": (GOOD + "four\t１\n", 1, GOOD + "本当！\t4！\n"),
    "quotes": (GOOD + "don't\t4\ndon’t\t5\ncan't\t6\n", 1, GOOD + "don't\tdon’t\n"),
    "hyphens": (GOOD + "a-b\t4\na‐b\t5\na−b\t6\n", 2, GOOD + "a-b\t4\na – b\t5\n"),
    "scripts": (GOOD + "четыре\t4\n", 1, GOOD + "four че\t4\n"),
    "copies": (GOOD + "four\tfour\n", 1, GOOD + "four\tFour\n"),
    "long-texts": (MANY + "w" * 900 + "\t" + "W" * 900 + "\n", 2, MANY + "a longer word\tein längeres Wort\n"),
    "odd-ratios": (MANY + "x\t" + "W" * 120 + "\n", 1, MANY + "x\tWORT\n"),
    "file-names": (
        "".join(f"train/eq {n}.PGM\tx {n}\n" for n in range(9)) + "train/10.wav\ty\n", 10,
        "".join(f"train/eq{n}.pgm\tx {n}\n" for n in range(9)),
    ),
    "constant": (
        "".join(f"word {n}\tx\n" for n in range(20)), 1, "".join(f"word {n}\tx\n" for n in range(19)) + "word 20\ty\n",
    ),
    "merged-cells": (
        "".join(f"{stem if tags == 'N;SG' else ''}\t{tags}\t{form}\n" for stem, tags, form in PARADIGMS), 16,
        # an additional column that may be empty
        "".join(f"do {form}\t{stem if tags == 'N;SG' else ''}\t{form}\n" for stem, tags, form in PARADIGMS),
    ),
    "series-as-text": (
        "".join(f"0.{n} -1.2{n} 7e-{n}\tx{n}\n" for n in range(20)), 20,
        "".join(f"{n} 1 {n + 2}.5\t{n} {n + 2}.5\n" for n in range(20)),
    ),
    "tag-order": (
        "".join(f"run{n}\tV;PST;{n % 3}\n" for n in range(30)) + "see1\tV;1;PST\nsee2\t2;PST;V\n", 2,
        "".join(f"x{n}\t{n % 3};{(n + 1) % 3}\ny{n}\t{(n + 1) % 3};{n % 3}\n" for n in range(30)),
    ),
    "rare-symbols": ("aaa\tbbb\naab\tbbb\n", 1, "aaa\tbbb\naa\tbbb\n"),
}  # fmt: skip


def count_of(report: DataReport, name: str) -> int:
    """How often it was found, on both sides together."""
    return sum(finding.count for finding in report.findings if finding.name == name)


@pytest.mark.parametrize("name", CASES)
def test_it_is_found(name: str, write: Write) -> None:
    bad, count, _ = CASES[name]
    report = check(write(bad))
    assert count_of(report, name) == count, report.findings
    finding = report.find(name)
    assert finding is not None
    assert finding.severity == FINDING_TYPES[name].severity
    assert finding.meaning and finding.remedy
    assert "> pairs.tsv" not in finding.remedy
    if name not in ("nothing-usable", "one-source"):
        assert finding.examples and "pairs.tsv" in finding.examples[0].origin


@pytest.mark.parametrize("name", CASES)
def test_the_near_miss_is_not_found(name: str, write: Write) -> None:
    assert count_of(check(write(CASES[name][2])), name) == 0


@pytest.mark.parametrize(
    "target",
    ['{{"ip": "1.0.0.{}", "code": 200}}', "[{}, 2]", "[{}]", '["a{}"]', "{{x_{}}}", "({}, 1)", '<a href="{}"/>'],
)
def test_what_encloses_lists_and_objects_is_content(target: str, write: Write) -> None:
    rows = [f"line {number}\t{target.format(number)}\n" for number in range(30)]
    report = check(write("".join(rows)))
    assert not report.find("enclosed-targets") and not report.find("alternatives")


@pytest.mark.parametrize("target", ["[a {} b]", "{{a {}}}", "(a {})", "⟨{}⟩", '["a{}: b_0]'])
def test_what_encloses_phones_is_not(target: str, write: Write) -> None:
    rows = [f"word {number}\t{target.format(number)}\n" for number in range(30)]
    assert count_of(check(write("".join(rows))), "enclosed-targets") == 30


def test_every_finding_has_a_case() -> None:
    elsewhere = {
        "leaked-pairs",
        "leaked-sources",
        "unseen-symbols",
        "json",
        "parallel-lengths",
        "parallel-tables",
        "choice",
    }
    elsewhere |= {"source-columns", "swapped", "case", "unreadable"}  # test_columns
    elsewhere |= {"unrelated-sides"}  # test_unrelated
    elsewhere |= {"unspaced-symbols"}  # test_command
    assert set(CASES) | elsewhere == set(FINDING_TYPES)


@pytest.mark.parametrize("name", CASES)
def test_an_error_is_what_training_refuses(name: str, write: Write) -> None:
    """A set of one source is refused when a part is set aside as dev, and pictures when they are read."""
    for content in (CASES[name][0], CASES[name][2]):
        path = write(content)
        try:
            read_pairs([path])
            refused = False
        except DataError:
            refused = True
        report = check(path)
        is_later = any(report.find(later) is not None for later in ("one-source", "unreadable"))
        assert report.exit_code == int(refused or is_later)


def test_good_data_have_no_findings(write: Write) -> None:
    lines = "".join(
        f"{'ab' * (number % 3 + 1)}{number % 9}\t{number % 9}{'ba' * (number % 3 + 1)}\n" for number in range(9)
    )
    report = check(write(lines * 3))
    assert [finding.name for finding in report.findings] == ["duplicates"]
    assert report.exit_code == 0


def test_examples_have_line_text_and_first_occurrence(write: Write) -> None:
    report = check(write("one\t1\nbad\ntwo\t2\none\t1\ntwo\tII\n"))
    duplicates, contradictions, columns = (report.find(name) for name in ("duplicates", "contradictions", "columns"))
    assert duplicates and contradictions and columns
    [example] = duplicates.examples
    assert example.origin.endswith("pairs.tsv:4") and example.text == "one\t1" and example.detail == "as line 1"
    assert [(each.origin[-1], each.text) for each in contradictions.examples] == [("3", "two\t2"), ("5", "two\tII")]
    assert columns.examples[0].origin.endswith(":2")
    assert report.sets[0].pairs == 4 and report.sets[0].unusable == 1
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_leaks_and_unseen_symbols_are_found_between_sets(write: Write) -> None:
    train = write(GOOD)
    test = write("two\t2\nthree\tIII\nfünf\t5\n", "test.tsv")
    report = check(train, test=[test])
    pairs, sources = report.find("leaked-pairs"), report.find("leaked-sources")
    assert pairs and sources
    assert pairs.count == 1 and pairs.files == str(test) and pairs.examples[0].text == "two\t2"
    assert sources.count == 1 and sources.examples[0].text == "three\tIII"
    unseen = [finding for finding in report.findings if finding.name == "unseen-symbols"]
    assert [finding.count for finding in unseen] == [2, 2]  # f and ü; I and 5
    assert report.sets[1].shared == {"pairs": 1, "sources": 2, "targets": 1}
    assert check([train, test]) == report


def test_different_pairs_are_not_a_leak(write: Write) -> None:
    report = check(write(GOOD), test=[write("ten\t1\n", "test.tsv")])
    assert not {finding.name for finding in report.findings} & {"leaked-pairs", "leaked-sources", "unseen-symbols"}


def test_dev_and_test_are_compared_with_each_other(write: Write) -> None:
    report = check([write(GOOD), write("ten\t9\n", "dev.tsv"), write("ten\t9\n", "test.tsv")])
    leak = report.find("leaked-pairs")
    assert leak and leak.files.endswith("test.tsv") and "dev.tsv" in leak.detail


def test_sources_that_training_treats_as_equal_leak(write: Write) -> None:
    report = check(write("café\t1\nx\t2\n"), test=[write("cafe\u0301 \t1\n", "test.tsv")])
    assert count_of(report, "leaked-pairs") == 1


def test_symbols_are_counted_if_they_are_the_unit(write: Write) -> None:
    phones = "".join(f"w{number}\t{'p a t ə'}\n" for number in range(40)) + "x\tt͡s a p\n"
    report = check(write(phones), test=[write("w\td͡z a\n", "test.tsv")])
    rare = [finding for finding in report.findings if finding.name == "rare-symbols" and "target" in finding.detail]
    assert len(rare) == 1 and rare[0].count == 1 and "t͡s" in rare[0].detail
    unseen = report.find("unseen-symbols")
    assert unseen and unseen.count == 1 and "d͡z" in unseen.detail
    assert any(line.startswith("target: symbols") for line in report.suggestion)


def test_moses_escapes_beside_others_are_html(write: Write) -> None:
    report = check(write(GOOD + "it &amp; that\tR&amp;D\n"))
    assert count_of(report, "html") == 2 and count_of(report, "moses-escapes") == 0


def test_utf16_is_an_error_with_its_remedy(write: Write) -> None:
    finding = check(write(GOOD.encode("utf-16-le"))).find("encoding")
    assert finding and finding.severity == "error" and finding.remedy == "give it: --encoding UTF-16LE"
    assert check(write(GOOD.encode("utf-16"))).exit_code == 0


def test_json_lines(write: Write) -> None:
    lines = ['{"source": "a", "target": "b"}', "[1]", '{"source": "a"}', '{"source": "c\\td", "target": "e"}']
    report = check(write("\n".join(lines), "pairs.jsonl"))
    assert count_of(report, "json") == 2 and count_of(report, "control") == 1
    assert report.sets[0].pairs == 2
    good = check(
        write("\n".join(json.dumps({"source": x, "target": x + "!"}) for x in "ab"), "good.jsonl.gz".replace(".gz", ""))
    )
    assert good.exit_code == 0 and good.sets[0].pairs == 2


def test_compressed_files(write: Write) -> None:
    report = check(write(gzip.compress((GOOD + "x\n").encode()), "pairs.tsv.gz"))
    assert report.sets[0].pairs == 3 and count_of(report, "columns") == 1


def test_parallel_files(write: Write) -> None:
    first, second = write("a\nb\n\nd\n\n", "x.en"), write("1\n2\n3\n4\n", "x.de")
    report = check([first, second])
    assert report.sets[0].pairs == 3 and count_of(report, "empty-sides") == 1
    assert report.find("parallel-lengths") is None
    longer = check([first, write("1\n2\n3\n4\n5\n6\n", "y.de")]).find("parallel-lengths")
    assert longer and longer.severity == "error" and "4 lines and 6 lines" in longer.examples[0].detail
    both = check([first, second, first, second])
    assert len(both.sets) == 2 and count_of(both, "leaked-pairs") == 3


def test_two_files_of_pairs_are_not_checked_as_parallel_texts(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(MANY[: len(MANY) // 2], "first it.txt"), write(MANY[len(MANY) // 2 :], "second it.txt")
    paths = [Path("first it.txt"), Path("second it.txt")]
    with pytest.raises(DataError) as refused:
        read_pairs(paths)
    report = check(paths)
    [finding] = report.findings
    assert finding.name == "parallel-tables" and report.exit_code == 1 and not report.sets[0].pairs
    assert finding.examples[0].detail == refused.value.what
    with pytest.raises(DataError) as caught:
        clean(paths, tmp_path / "clean.tsv")
    assert caught.value.what == refused.value.what and caught.value.fix == finding.remedy
    held_out, joining, texts = finding.remedy.split("; ")
    assert held_out.endswith(": seq2see check 'first it.txt' --test 'second it.txt'")
    assert check(paths[:1], paths[1:]).exit_code == 0
    for command in (joining, texts):
        subprocess.run(command.rpartition(": ")[2], shell=True, check=True)
    assert check("first it-all.txt").sets[0].pairs == len(MANY.splitlines())
    assert check(["first it-text.txt", "second it-text.txt"]).exit_code == 0
    with gzip.open("second.gz", "wb") as file:
        file.write(b"\xef\xbb\xbf" + MANY.encode())
    assert check(["first it.txt", "second.gz"]).find("parallel-tables")


def test_blocks_change_nothing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2see.doctor import rows

    content = "\ufeffone\t1\r\n\nb\u00fc\t2\nbad\n\nx\t\u00a0y\nx\t\u00a0y\n\n\n".encode() + b"\xff\t1\n\n"
    path = write(content)
    whole = check(path)
    for size in (1, 5, 20):
        monkeypatch.setattr(rows, "BLOCK_BYTES", size)
        assert check(path) == whole


def test_a_missing_file_raises(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.tsv", tmp_path):
        with pytest.raises(DataError):
            check(path)
    with pytest.raises(DataError, match="no files"):
        check([])


def test_the_suggested_model_is_the_default_of_training() -> None:
    from seq2see.doctor.check import MODEL
    from seq2see.model import DEFAULT

    assert MODEL == DEFAULT
