"""Every command that a message offers, run in a shell where it is read, on the file that caused it.

Afterwards the check is content, and the pairs are the right ones.
"""

from __future__ import annotations

import gzip
import json
import subprocess
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


OTHERS = [("sour, sweet", "a b"), ("a\tb", "c"), ('say "x"', "d"), ("plain", "e f"), ("two\nlines", "g")]
UNIMORPH = [
    ("lopen", "liep", "V;PST;SG"), ("lopen", "loopt", "V;PRS;3;SG"), ("zien", "zag", "V;PST;SG"),
    ("zien", "ziet", "V;PRS;3;SG"), ("gaan", "ging", "V;PST;SG"), ("gaan", "gaat", "V;PRS;3;SG"),
]  # fmt: skip
SPOKEN = [('say "hi"', "h a i"), ("x", "k s")]
UNSPACED = [(word, phones.replace(" ", "")) for word, phones in PAIRS]
UNIMORPH_LINES = ["\t".join(row) for row in UNIMORPH]
INFLECTED = [(f"{lemma} {tags}", form) for lemma, form, tags in UNIMORPH]


def quoted(rows: list[tuple[str, ...]], separator: str = ",") -> str:
    return "".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)


def token(number: int, form: str, lemma: str) -> str:
    return f"{number}\t{form}\t{lemma}\tNOUN\t_\t_\t0\troot\t_\t_\n"


def objects(source: str, target: str, **more: object) -> list[dict[str, object]]:
    return [{source: a, target: b, **more} for a, b in PAIRS]


def json_lines(values: list[dict[str, object]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


# name of the file: its content, and the pairs in it
FILES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "words.dict": (
        "# made by hand\n;;; two kinds of comments\n" + "".join(f"{a.upper()}  {b}\n" for a, b in PAIRS)
        + "VOS(2)  v o s\nVOS(3)  v o z # rare\n",
        [(a.upper(), b) for a, b in PAIRS] + [("VOS", "v o s"), ("VOS", "v o z")],
    ),
    "signs.dict": (
        ";;; symbols are words too\n# and this is none\n#HASH  h ɛ k j ə\n%PERCENT  p r o s ɛ n t\n"
        + joined("  "),
        [("#HASH", "h ɛ k j ə"), ("%PERCENT", "p r o s ɛ n t"), *PAIRS],
    ),
    "single blank.txt": (joined(" "), PAIRS),
    "two words.txt": (joined(" ", UNSPACED), UNSPACED),
    "comma.csv": (joined(","), PAIRS),
    "comma with header.csv": ("Wort,Laute\n" + joined(", "), PAIRS),
    "windows.csv": (joined(",").replace("\n", "\r\n"), PAIRS),
    "semicolon.csv": (joined(";"), PAIRS),
    "pipe.txt": (joined(" | "), PAIRS),
    "moses.txt": (joined(" ||| "), PAIRS),
    "colons.txt": (joined("::"), PAIRS),
    "arrow.txt": (joined("->"), PAIRS),
    "double arrow.txt": (joined(" => "), PAIRS),
    "equals.txt": (joined(" = "), PAIRS),
    "quoted.csv": (quoted(OTHERS), [(" ".join(a.split()), b) for a, b in OTHERS]),
    "excel.csv": ("\ufeff" + quoted(PAIRS, ";"), PAIRS),
    "commented.csv": ("# from somewhere\n" + quoted(PAIRS), PAIRS),
    "quoted header.csv": ('"source","target"\n' + quoted(PAIRS), PAIRS),
    "three.tsv": (joined("\t", [(a, b, f"note {a} of {len(a)}") for a, b in PAIRS]), PAIRS),
    "numbered.tsv": (joined("\t", [(str(number), a, b) for number, (a, b) in enumerate(PAIRS)]), PAIRS),
    "unimorph.tsv": ("\n".join([*UNIMORPH_LINES[:3], "", *UNIMORPH_LINES[3:]]), INFLECTED),
    "unimorph2.tsv": (joined("\t", [(lemma, tags, form) for lemma, form, tags in UNIMORPH]), INFLECTED),
    "trailing tab.tsv": ("".join(f"{a}\t{b}\t\n" for a, b in PAIRS), PAIRS),
    "some more.tsv": ("".join(f"{a}\t{b}{chr(9) + 'x' if len(a) == 3 else ''}\n" for a, b in PAIRS), PAIRS),
    "words.conllu": (
        "# sent_id = 1\n" + token(1, "Honden", "hond") + token(2, "katten", "kat") + "\n# sent_id = 2\n"
        + "1-2\tdes\t_\t_\t_\t_\t_\t_\t_\t_\n" + token(1, "huizen", "huis") + token(2, "bomen", "boom") + "\n",
        [("Honden", "hond"), ("katten", "kat"), ("huizen", "huis"), ("bomen", "boom")],
    ),
    "keys.jsonl": (json_lines(objects("src", "tgt")), PAIRS),
    "more keys.jsonl": (json_lines(objects("word", "pronunciation", language="nl", number=3)), PAIRS),
    "own keys.jsonl": (json_lines(objects("woord", "klank")), PAIRS),
    "nested.jsonl": (json_lines([{"translation": {"nl": a, "ipa": b}} for a, b in PAIRS]), PAIRS),
    "lists.jsonl": ("".join(json.dumps(pair) + "\n" for pair in PAIRS), PAIRS),
    "array.jsonl": (json.dumps(objects("source", "target"), indent=1), PAIRS),
    "array.json": (json.dumps(objects("input", "output")), PAIRS),
    "object.json": (json.dumps(dict(PAIRS), indent=2), PAIRS),
    "breaks.jsonl": (
        json_lines([{"src": f"{a}\n{a}", "tgt": b} for a, b in PAIRS]), [(f"{a} {a}", b) for a, b in PAIRS],
    ),
    "over lines.tsv": (
        joined("\t") + quoted([("two\nlines", "x y"), ("again", "o n\ne"), ('a "b"\n\nc', "d")], "\t") + joined("\t"),
        [*PAIRS, ("two lines", "x y"), ("again", "o n e"), ('a "b" c', "d"), *PAIRS],
    ),
    "quoted.tsv": (joined("\t") + quoted(SPOKEN, "\t"), PAIRS + SPOKEN),
    "comments.tsv": ("# word\tipa\n" + joined("\t") + "# and more\tbelow\n" + joined("\t"), PAIRS * 2),
    "variants.tsv": (joined("\t") + "vos(2)\tv o s\n", [*PAIRS, ("vos", "v o s")]),
    "commented symbols.tsv": (joined("\t") + "read\tr ɛ d # past tense\n", [*PAIRS, ("read", "r ɛ d")]),
    "slashes.tsv": (joined("\t", [(a, f"/{b}/") for a, b in PAIRS]), PAIRS),
    "brackets.tsv": (joined("\t", [(a, f"[{b}]") for a, b in PAIRS]), PAIRS),
    "commas.tsv": (joined("\t") + "steen\ts t e n, s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "bars.tsv": (joined("\t") + "steen\ts t e n | s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "slash.tsv": (joined("\t") + "steen\ts t e n / s t eː n\n", [*PAIRS, ("steen", "s t e n"), ("steen", "s t eː n")]),
    "mac.tsv": (joined("\t").replace("\n", "\r"), PAIRS),
    "header.tsv": ("Wort\tLaute\n" + joined("\t"), PAIRS),
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


FEW_LINES = ("mac.tsv", "some more.tsv", "over lines.tsv")
"""Most of their lines are pairs: the fix of training is to skip the others, and cleaning leaves them out."""
ONLY_WARNED = (
    "header.tsv", "quoted.tsv", "comments.tsv", "variants.tsv", "commented symbols.tsv", "slashes.tsv", "brackets.tsv",
    "commas.tsv", "bars.tsv", "slash.tsv",
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FILES if name not in ONLY_WARNED + FEW_LINES])
def test_training_and_cleaning_say_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.write_text(FILES[name][0], encoding="utf-8", newline="")
    command = next(each.command for each in check(path).findings if each.command)
    for function in (lambda: read_pairs([path]), lambda: clean([path], Path("clean.tsv"))):
        with pytest.raises(DataError) as caught:
            function()
        assert caught.value.fix.endswith(f": {command}")
    assert list(tmp_path.iterdir()) == [tmp_path / name]


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


def test_halves_of_a_text_over_lines_are_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(FILES["over lines.tsv"][0], encoding="utf-8")
    assert clean([path], tmp_path / "clean.tsv", keep_duplicates=True).left_out == {"unusable": 7}
    assert [pair[:2] for pair in read_pairs([path], skip_bad=True).pairs] == PAIRS * 2
    assert read_pairs([tmp_path / "clean.tsv"]).pairs == read_pairs([tmp_path / "clean.tsv"], skip_bad=True).pairs
    with pytest.raises(
        DataError, match="7 of 21 lines are invalid; it looks like columns separated by TAB, in quotation marks"
    ):
        read_pairs([path])


def test_most_lines_are_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\n" + "only one column\n" * 997)
    report = check(path)
    assert not any("--fix" in each.remedy for each in report.findings if each.name == "columns")
    with pytest.raises(DataError, match="only 1 of 998 lines are valid, so nothing was written"):
        clean([path], tmp_path / "clean.tsv")
    assert not (tmp_path / "clean.tsv").exists()
