"""The known problems of each real set are found, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2see.doctor import DataReport, check

FAULTS_OF_TEXT = {
    "control", "invisible", "unusual-spaces", "space-around", "doubled-blanks", "not-nfc", "mojibake", "replacement",
    "html", "mixed-script-words", "byte-order-mark-inside", "byte-order-mark-at-start", "windows-line-ends", "header",
    "file-names", "series-as-text", "merged-cells", "constant", "swapped", "case", "tag-order", "unreadable",
}  # fmt: skip

# set: the count of each finding in train, dev and test; there must be no others
KNOWN: dict[str, dict[str, tuple[int, ...]]] = {
    "aeslc_subject": {"duplicates": (881, 134), "leaked-pairs": (0, 8), "html": (2, 1)},
    "babi_en10k/qa04_two-arg-relations": {"leaked-pairs": (0, 706, 718)},
    "book_addition": {"duplicates": (0, 0, 0), "leaked-pairs": (0, 0, 0)},
    "cmudict_g2p": {"duplicates": (250, 29), "leaked-sources": (0, 0)},
    "crohme2014": {"leaked-pairs": (0, 0), "unreadable": (8333, 502)},  # in an archive
    "g2p_sig20/dut": {"duplicates": (0, 0, 0), "leaked-pairs": (0, 0, 0), "contradictions": (0, 0, 0)},
    "g2p_sig20/geo": {"duplicates": (0, 0, 0), "leaked-pairs": (0, 0, 0), "contradictions": (0, 0, 0)},
    "histnorm/german-ridges": {"leaked-pairs": (0, 8074), "mixed-script-words": (2, 0)},
    "infl_sig22_large/got": {"leaked-pairs": (0, 0)},
    "multi30k_en-de/tok": {
        "duplicates": (3, 0), "contradictions": (6, 0), "leaked-sources": (0, 1), "doubled-blanks": (1, 0),
    },
    "multi30k_en-de/raw": {"duplicates": (3, 0), "contradictions": (6, 0), "leaked-sources": (0, 1), "html": (17, 0)},
    "scan/simple": {"duplicates": (0, 0), "leaked-pairs": (0, 0)},
    "scitldr_a": {"leaked-pairs": (0, 0, 2), "control": (1, 0, 0)},
    "small_parallel_enja": {"duplicates": (4, 0), "leaked-sources": (0, 77), "leaked-pairs": (0, 0)},
    "tatoeba_eng-fra": {
        "duplicates": (0, 0), "contradictions": (27752, 579), "leaked-pairs": (0, 0), "leaked-sources": (0, 0),
        "invisible": (4, 0), "mixed-script-words": (2, 0),
    },
    "translit_ar2en": {"leaked-sources": (0, 2), "leaked-pairs": (0, 0), "direction-marks": (4, 0)},
}  # fmt: skip


def report_on(folder: Path) -> DataReport:
    return check([path for name in ("train", "dev", "test") for path in sorted(folder.glob(f"{name}.tsv*"))])


@pytest.mark.parametrize("name", KNOWN)
def test_only_the_known_problems_of_a_set_are_found(name: str, seq2see_data: Path) -> None:
    folder = seq2see_data / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not among the data")
    report = report_on(folder)
    assert report.exit_code == int("unreadable" in KNOWN[name])
    for finding in FAULTS_OF_TEXT | KNOWN[name].keys():
        expected = KNOWN[name].get(finding, (0,) * len(report.sets))
        for sizes, count in zip(report.sets, expected, strict=True):
            found = [each for each in report.findings if (each.name, each.files) == (finding, sizes.files)]
            if finding.startswith("leaked"):  # of training; dev and test have pairs in common too
                found = [each for each in found if "train.tsv" in each.detail]
            assert sum(each.count for each in found) == count, (finding, sizes.files)


def test_the_leak_of_the_dates(seq2see_data: Path, tmp_path: Path) -> None:
    """1,405 of 5,000 test pairs are in the book's training pairs, which are train and dev together."""
    book = tmp_path / "book.tsv"
    folder = seq2see_data / "book_date"
    book.write_bytes((folder / "train.tsv").read_bytes() + (folder / "dev.tsv").read_bytes())
    leak = check(book, test=[folder / "test.tsv"]).find("leaked-pairs")
    assert leak is not None
    assert leak.count == 1405


def test_two_releases_of_a_language_overlap(seq2see_data: Path) -> None:
    leak = check(seq2see_data / "g2p_sig21/medium/dut/train.tsv", test=[seq2see_data / "g2p_sig20/dut/test.tsv"])
    assert leak.find("leaked-pairs")


def test_repeated_expressions_are_in_the_sizes(seq2see_data: Path) -> None:
    report = report_on(seq2see_data / "crohme2014")
    assert (report.sets[0].pairs, report.sets[0].target.distinct) == (8333, 4562)
    assert report.sets[1].shared == {"pairs": 0, "sources": 0, "targets": 0}


def test_targets_that_are_not_text_are_outliers(seq2see_data: Path) -> None:
    odd = report_on(seq2see_data / "multi30k_en-de/raw").find("odd-ratios")
    assert odd is not None
    assert sorted(each.origin.rsplit(":", 1)[1] for each in odd.examples) == ["16510", "16664"]
