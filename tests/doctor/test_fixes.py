"""Every command that a message offers, run in a shell where it is read, on the file that caused it.

Afterwards the check is content, and the pairs are the right ones.
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2see.data import read_pairs
from seq2see.doctor import check, clean
from seq2see.errors import DataError

PAIRS = [
    ("vos", "v ɔ s"), ("beer", "b eː r"), ("wolf", "w ɔ l f"), ("das", "d a s"), ("uil", "œy l"),
    ("hert", "h ɛ r t"), ("gems", "x ɛ m s"),
]  # fmt: skip


def joined(separator: str, rows: list[tuple[str, ...]] = list(PAIRS)) -> str:  # noqa: B006 (not changed)
    return "".join(separator.join(row) + "\n" for row in rows)


# name of the file: its content, and the pairs in it
FILES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "comments.tsv": ("# word\tsounds\n" + joined("\t") + "# and more\tbelow\n" + joined("\t"), PAIRS * 2),
    "signs.tsv": ("# word\tsounds\n" + joined("\t") + "#\tsharp\n", [*PAIRS, ("#", "sharp")]),
    "entities.tsv": (joined("\t") + "a&#9;b&nbsp;c\t&lt;d&#10;e\n", [*PAIRS, ("a b c", "<d e")]),
    "variants.tsv": (joined("\t") + "vos(2)\tv o s\n", [*PAIRS, ("vos", "v o s")]),
    "commented symbols.tsv": (joined("\t") + "read\tr ɛ d # past tense\n", [*PAIRS, ("read", "r ɛ d")]),
    "slashes.tsv": (joined("\t", [(a, f"/{b}/") for a, b in PAIRS]), PAIRS),
    "brackets.tsv": (joined("\t", [(a, f"[{b}]") for a, b in PAIRS]), PAIRS),
    "commas.tsv": (joined("\t") + "steen\ts t e n, s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "bars.tsv": (joined("\t") + "steen\ts t e n | s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "slash.tsv": (joined("\t") + "steen\ts t e n / s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "look-alikes.tsv": (
        joined("\t") + "a'g:\tˈaː ɡ\nb'g:\t'aː ɡ\n" + "c\tˈa: ɡ\nd\t'a: g\ne\tɡ ˈeː g\n",
        [*PAIRS, ("a'g:", "ˈaː ɡ"), ("b'g:", "ˈaː ɡ"), ("c", "ˈaː ɡ"), ("d", "ˈaː ɡ"), ("e", "ɡ ˈeː ɡ")],
    ),
    "gaps.tsv": (joined("\t") + "".join(f"wort {n}\t{('-', '<UNK>')[n % 2]}\n" for n in range(12)), PAIRS),
    "mac.tsv": (joined("\t").replace("\n", "\r"), PAIRS),
}  # fmt: skip


def pairs_after(command: str, folder: Path, before: set[Path]) -> list[tuple[str, str]]:
    """The pairs of the file that the command wrote in this folder, in which the check finds no error."""
    subprocess.run(["bash", "-ec", command], cwd=folder, check=True)
    [made] = set(folder.rglob("*.*")) - before
    assert check(made).exit_code == 0
    assert clean([made], folder / "again.tsv").left_out.get("unusable", 0) == 0
    return [(pair.source, pair.target or "") for pair in read_pairs([made]).pairs]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["file", "gzipped", "elsewhere"])
def test_the_command_for_a_file_gives_its_pairs(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, expected = FILES[name]
    folder = tmp_path / "it's here" if kind == "elsewhere" else tmp_path
    folder.mkdir(exist_ok=True)
    path = folder / (name + ".gz" if kind == "gzipped" else name)
    raw = gzip.compress(content.encode()) if kind == "gzipped" else content.encode()
    path.write_bytes(raw)
    monkeypatch.chdir(tmp_path)
    report = check(path.relative_to(tmp_path))
    commands = list(dict.fromkeys(each.command for each in report.findings if each.severity != "note" and each.command))
    assert pairs_after(commands[0], tmp_path, set(tmp_path.rglob("*.*"))) == expected
    assert path.read_bytes() == raw


@pytest.mark.parametrize("header", [["translation"], []])
@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
def test_objects_in_the_cells_of_one_column_become_json_lines(
    write: Callable[[object], str], header: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f'das ist\'s, "Wort" {n} \u00fc', f"it's, word {n}") for n in range(30)]
    with Path("wmt.csv").open("w", newline="", encoding="utf-8") as file:
        cells = [write({"de": source, "en": target}) for source, target in rows]
        csv.writer(file).writerows([cell] for cell in [*header, *cells])
    report = check("wmt.csv")
    finding = report.find("columns")
    assert finding and f"whose cells are {'JSON objects' if write is json.dumps else 'dicts of Python'}" in str(finding)
    assert "with the keys de and en" in str(finding) and "TAB" not in finding.remedy
    with pytest.raises(DataError) as caught:
        read_pairs([Path("wmt.csv")])
    assert caught.value.fix == f"make JSON Lines of it: {finding.command}"
    assert pairs_after(finding.command, tmp_path, set(tmp_path.rglob("*.*"))) == rows


@pytest.mark.parametrize(
    "content",
    [
        "One sentence, of some length.\nAnother one that goes on\nAnd, finally, a third of these.\n",
        "word\nother\nthird\n",
        "{not json at all\nbut some braces\n",
        "the first sentence has a few words\nthe next one is longer than this one was\n",
    ],
)
def test_no_command_is_offered_where_none_helps(content: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(content)
    report = check(path)
    assert report.exit_code == 1
    assert not [each.command for each in report.findings if each.command]
    with pytest.raises(DataError) as caught:
        clean([path], tmp_path / "clean.tsv")
    assert "nothing was written" in caught.value.what
    assert not (tmp_path / "clean.tsv").exists()


def test_no_conversion_is_offered_where_most_lines_are_pairs(tmp_path: Path) -> None:
    """All lines can be divided at =, but most have a TAB."""
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"k{number}=v\tw {number}\n" for number in range(17)) + "k=v w\n" * 3)
    finding = check(path).find("columns")
    assert finding and "seq2see check" in finding.command and "awk" not in finding.remedy
    assert clean([path], tmp_path / "clean.tsv").left_out == {"unusable": 3}


def test_most_lines_are_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n" + "only one column\n" * 997)
    report = check(path)
    assert not any("--fix" in each.remedy for each in report.findings if each.name == "columns")
    with pytest.raises(DataError, match="only 1 of 998 lines are valid, so nothing was written"):
        clean([path], tmp_path / "clean.tsv")
    assert not (tmp_path / "clean.tsv").exists()


def test_no_copy_is_offered_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seq2see.doctor.rows.BLOCK_BYTES", 200)
    faulty = joined("\t") + "een  woord\tw\nR&lt;D\tr\n\tx\n"
    Path("mostly.tsv").write_text(faulty + "no pair\n" * 30)
    text = (faulty * 5_000).encode()
    Path("damaged.tsv.gz").write_bytes(gzip.compress(text)[:-300])
    for name in ("mostly.tsv", "damaged.tsv.gz"):
        found = check(name)
        assert {"doubled-blanks", "empty-sides"} <= {each.name for each in found.findings}
        offered = {each.name for each in found.findings if each.command}
        assert offered == ({"html"} if name == "mostly.tsv" else set())  # which reads and writes any lines
        with pytest.raises(DataError):
            clean([Path(name)], tmp_path / "clean.tsv")


@pytest.mark.parametrize(("delimiter", "sign"), [("\t", ";"), (";", ";"), (",", ";"), (",", ",")])
@pytest.mark.parametrize("name", ["forms.csv", "forms.tsv"])
def test_merged_cells_are_filled_down(name: str, delimiter: str, sign: str, tmp_path: Path) -> None:
    forms = [(f"le{n}", f"N{sign}{tag}", f"le{n}{tag}") for n in range(6) for tag in ("SG", "PL", "DU", "TR")]
    rows = [("lemma", "tags", "form"), *((a if "SG" in tags else "", tags, form) for a, tags, form in forms)]
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in rows]
    (path := tmp_path / name).write_text(joined(delimiter, quoted))  # type: ignore[arg-type]
    found = check(path).find("merged-cells")
    assert found and found.count == 18
    subprocess.run(["bash", "-ec", found.command], cwd=tmp_path, check=True)
    made = tmp_path / f"forms-mended{path.suffix}"
    assert not check(made).find("merged-cells")
    assert [pair[:2] for pair in read_pairs([made]).pairs] == [(f"{a}\t{tags}", form) for a, tags, form in forms]
