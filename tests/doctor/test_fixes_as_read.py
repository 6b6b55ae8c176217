"""Whatever the layout of a file and the options that it is read with: the commands that are offered mend its pairs.

Each is run in a shell as it stands; it keeps the file, writes its pairs, and a second check no longer has the finding.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.config import Config
from seq2see.data import read_pairs
from seq2see.data.options import DataOptions, TableOptions
from seq2see.data.standard_input import STDIN_FILE
from seq2see.doctor import check
from seq2see.doctor.check import Recipe

Rows = list[tuple[str, str]]
PAIRS: Rows = [
    ("кот", "k o t"), ("дом", "d o m"), ("лес", "l e s"), ("мир", "m i r"), ("нос", "n o s"), ("рот", "r o t"),
    ("сад", "s a d"), ("час", "ch a s"), ("шар", "sh a r"), ("юг", "ju g"), ("як", "ja k"), ("мост", "m o s t"),
]  # fmt: skip
# By finding, lines that have it.
FAULTY: dict[str, Rows] = {
    "html": [*PAIRS, ("&quot;да&quot; и нет", "d a"), ("R&amp;D", "r d")],
    "comments": [*PAIRS[:6], ("# слово", "sounds"), *PAIRS[6:]],
    "variant-numbers": [*PAIRS, ("кот(2)", "k a t")],
    "enclosed-targets": [(source, f"/{target}/") for source, target in PAIRS],
    "alternatives": [*PAIRS, ("пар", "p a r | p o r"), ("бор", "b o r | b a r")],
    "doubled-blanks": [*PAIRS, ("один  два", "o d")],
    "duplicates": [*PAIRS, PAIRS[0]],
    "empty-sides": [*PAIRS, ("вол", "")],
}


def lines(rows: Rows, form: str = "{0}\t{1}", first: str = "") -> str:
    return first + "".join(form.format(*row) + "\n" for row in rows)


# By layout: the name of the file, its content, its encoding, and the options to read it.
Layout = tuple[str, Callable[[Rows], str], str, TableOptions]
LAYOUTS: dict[str, Layout] = {
    "tab": ("a.tsv", lines, "utf-8", TableOptions()),
    "CR LF": ("a.tsv", lambda rows: lines(rows).replace("\n", "\r\n"), "utf-8", TableOptions()),
    "mark": ("a.tsv", lines, "utf-8-sig", TableOptions()),
    "UTF-16": ("a.tsv", lines, "utf-16", TableOptions()),
    "commas": ("it's.csv", lambda rows: lines(rows, "{0},{1}"), "utf-8", TableOptions()),
    "quoted": ("-a.csv", lambda rows: lines(rows, '"{0}","{1}"'), "utf-8", TableOptions()),
    "semicolons": ("a.csv", lambda rows: lines(rows, "{0};{1}"), "utf-8", TableOptions()),
    "arrows": ("a.txt", lambda rows: lines(rows, "{0}->{1}"), "utf-8", TableOptions()),
    "three": ("a.tsv", lambda rows: lines(rows, "x\t{0}\t{1}"), "utf-8", TableOptions(("2",), "3")),
    "named": ("a.tsv", lambda rows: lines(rows, "{0}\t{1}\tx", "word\tipa\tid\n"), "utf-8", TableOptions()),
    "header": ("a.tsv", lambda rows: lines(rows, first="word\tipa\n"), "utf-8", TableOptions()),
    "--header": ("a.tsv", lambda rows: lines(rows, first="ы\tч\n"), "utf-8", TableOptions(header="yes")),
    "--source --target": ("a.tsv", lambda rows: lines(rows, "{1}\t{0}"), "utf-8", TableOptions(("2",), "1")),
    "--names": ("a.tsv", lambda rows: lines(rows, "{1}\t{0}"), "utf-8", TableOptions(("b",), "a", names=("a", "b"))),
    "--encoding": ("a.tsv", lines, "cp1251", TableOptions(encoding="cp1251")),
    "--delimiter": ("a.txt", lambda rows: lines(rows, "{0}->{1}"), "utf-8", TableOptions(delimiter="->")),
    "--quotes": ("a.tsv", lambda rows: lines(rows, '"{0}"\t{1}'), "utf-8", TableOptions(quotes="yes")),
    "--comment": ("a.tsv", lambda rows: lines(rows, first="; \tx\n"), "utf-8", TableOptions(comment=";")),
}  # fmt: skip
UNSEEN = {(layout, "comments") for layout in ("commas", "quoted", "semicolons", "arrows", "--delimiter")} | {
    ("semicolons", "html")
}
"""Here the lines are recognized as comments, and an entity's semicolon divides the columns."""


def run(command: str, monkeypatch: pytest.MonkeyPatch, *, in_shell: bool) -> None:
    """Run a command in a shell; its first part may be ours, which is faster here."""
    first, _, rest = command.partition(" && ")
    if not in_shell and first.startswith("seq2see "):
        monkeypatch.setattr(sys, "argv", shlex.split(first))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        command = rest or "true"
    ours = f'seq2see() {{ "{sys.executable}" -m seq2see "$@"; }}'
    subprocess.run(["bash", "-ec", f"{ours}; {command}"], check=True, capture_output=True)


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fix_mends_the_pairs_as_they_are_read(
    layout: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, write, encoding, table = LAYOUTS[layout]
    path = Path(file)
    path.write_bytes(raw := write(FAULTY[name]).encode(encoding))
    finding = check(path, table=table).find(name)
    if finding is None:
        assert (layout, name) in UNSEEN
        return
    run(finding.command, monkeypatch, in_shell=name == "html")
    assert path.read_bytes() == raw
    made = max((each for each in Path().iterdir() if each != path), key=lambda each: len(each.name))
    as_before = table if " --fix " not in finding.command else TableOptions()
    pairs = [(pair.source, pair.target or "") for pair in read_pairs([made], table=as_before).pairs]
    assert len(set(PAIRS) & set(pairs)) == len(PAIRS)
    assert ("ы", "ч") not in pairs and ("word", "ipa") not in pairs
    assert not check(made, table=as_before).find(name)


@pytest.mark.parametrize("name", FAULTY)
def test_what_a_recipe_says_of_the_columns_is_in_the_fix(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tsv").write_text(lines(FAULTY[name], "{1}\t{0}"))
    recipe = Recipe("reversed", Config(data=DataOptions(source=("2",), target="1")))
    finding = check("a.tsv", recipe=recipe).find(name)
    assert finding
    assert (" --source 2 --target 1 " in finding.command) == (name != "html")  # in which all columns are mended
    assert finding.remedy.endswith(finding.command), "a command can be copied to the end of its line"


def test_a_copy_of_several_columns_is_read_without_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(lines(FAULTY["html"], "{0},{1},V"))
    finding = check("a.csv", table=TableOptions(("3", "1"), "2")).find("html")
    assert finding and finding.remedy.startswith("(the copy is read without these options) ")
    run(finding.command, monkeypatch, in_shell=False)
    pairs = read_pairs([Path("clean-mended.tsv")]).pairs
    assert [(pair.source, pair.target) for pair in pairs[:12]] == [(f"V\t{a}", b) for a, b in PAIRS]
    assert "V\tR&D" in [pair.source for pair in pairs]
    for name in ("alternatives", "variant-numbers"):
        Path("a.csv").write_text(lines(FAULTY[name], "{0},{1},V"))
        marked = check("a.csv", table=TableOptions(("3", "1"), "2")).find(name)
        assert marked is None or (marked.remedy and not marked.command)


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("form", ["{0}\t{1}", "{0},{1}"])
def test_standard_input_has_to_be_saved_for_a_fix(
    form: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = lines(FAULTY[name], form).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    finding = check(STDIN_FILE).find(name)
    if finding is None:
        assert (form, name) == ("{0},{1}", "comments")
        return
    assert "save the input as pairs.tsv first" in finding.remedy
    assert "/dev/stdin" not in finding.remedy and not finding.command
    Path("pairs.tsv").write_bytes(raw)
    saved = check("pairs.tsv").find(name)
    assert saved and saved.command and saved.command in finding.remedy


def test_no_program_is_offered_that_knows_other_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words only: JSON is mended before it is written, and a swapped file has to stay what the others are."""
    monkeypatch.chdir(tmp_path)
    rows = [{"source": source, "target": target} for source, target in FAULTY["enclosed-targets"]]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("train.tsv").write_text(lines(PAIRS * 2, first="word\tipa\n"))
    Path("dev.tsv").write_text(lines(PAIRS * 2, "{1}\t{0}", first="word\tipa\n"))
    enclosed, swapped = check("a.jsonl").find("enclosed-targets"), check(["train.tsv", "dev.tsv"]).find("swapped")
    assert enclosed and not enclosed.command
    assert swapped and not swapped.command


def test_compressed_standard_input_is_decompressed_before_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bz2.compress(lines(PAIRS).encode()))))
    finding = check(STDIN_FILE).find("not-text")
    assert finding and finding.remedy == "decompress it: bzip2 -dc" and not finding.command


def test_parallel_files_are_mended_as_one_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for side in (0, 1):
        text = "".join(row[side] + "\n" for row in FAULTY["enclosed-targets"])
        Path(f"a.{'ru' if side == 0 else 'ipa'}").write_bytes(text.encode("cp1251"))
    table = TableOptions(encoding="cp1251")
    finding = check(["a.ru", "a.ipa"], table=table).find("enclosed-targets")
    assert finding
    run(finding.command, monkeypatch, in_shell=False)
    assert [pair[:2] for pair in read_pairs([Path("clean-mended.tsv")]).pairs] == PAIRS


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (("a.en", "a.de"), ("a-mended.en", "a-mended.de")),
        (("a.en.gz", "a.de"), ("a-mended.en", "a-mended.de")),
        (("english", "german"), ("english-mended", "german-mended")),
        (("a.en", "a.en.gz"), ("a-mended.en", "a-mended-2.en")),
    ],
)
def test_each_of_two_parallel_files_is_mended_by_itself(
    names: tuple[str, str], made: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for side, name in enumerate(names):
        raw = "".join(row[side].replace("d a", "d&amp;a") + "\n" for row in FAULTY["html"]).encode()
        Path(name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    finding = check(names).find("html")
    assert finding
    run(finding.command, monkeypatch, in_shell=True)
    assert {path.name for path in Path().iterdir()} == {*names, *made}
    pairs = [pair[:2] for pair in read_pairs(list(map(Path, made))).pairs]
    assert pairs == [*PAIRS, ('"да" и нет', "d&a"), ("R&D", "r d")]


def test_one_of_two_parallel_files_by_standard_input_is_saved_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sides = ["".join(row[side] + "\n" for row in FAULTY["doubled-blanks"]) for side in (0, 1)]
    Path("a.ipa").write_text(sides[1])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sides[0].encode())))
    finding = check([STDIN_FILE, "a.ipa"]).find("doubled-blanks")
    assert finding and finding.remedy.startswith("save the input as lines.txt first; then: ")
    Path("lines.txt").write_text(sides[0])
    run(finding.remedy.partition(" then: ")[2], monkeypatch, in_shell=False)
    assert ("один два", "o d") in [pair[:2] for pair in read_pairs([Path("clean.tsv")]).pairs]
