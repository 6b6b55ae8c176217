"""The tables of docs/data.md: layouts through check, train, predict and evaluate, and what is refused."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.data import read_pairs
from seq2see.data.options import TableOptions
from seq2see.errors import UserError

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
WORDS = [
    ("vos", "v ɔ s"), ("beer", "b eː r"), ("wolf", "w ɔ l f"), ("das", "d a s"), ("uil", "œy l"), ("hert", "h ɛ r t"),
    ("kat", "k a t"), ("vis", "v ɪ s"),
]  # fmt: skip
FORMS = [
    ("zien", "zag", "V;PST"), ("zien", "ziet", "V;PRS;3"), ("gaan", "ging", "V;PST"), ("gaan", "gaat", "V;PRS;3"),
    ("staan", "stond", "V;PST"), ("staan", "staat", "V;PRS;3"), ("doen", "deed", "V;PST"), ("doen", "doet", "V;PRS;3"),
]  # fmt: skip
SUMS = [(f"{a}+{b}", str(a + b)) for a, b in [(71, 118), (510, 223), (4, 6), (16, 75), (52, 607), (75, 22), (0, 3)]]


def lines(rows: list[tuple[str, ...]], separator: str = "\t") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def token(number: int, form: str, lemma: str, tag: str) -> str:
    return f"{number}\t{form}\t{lemma}\t{tag}\t_\t_\t0\troot\t_\t_\n"


QUOTED = "".join(f'"{a}","{b}"\n' for a, b in WORDS)
SENTENCES = "".join(
    f"# sent_id = {number}\n1-2\tx{a}\t_\t_\t_\t_\t_\t_\t_\t_\n"
    + token(1, f"{a}en", a, "NOUN")
    + token(2, b, a, "ADJ")
    + "\n"
    for number, (a, b) in enumerate(WORDS)
)
# By the first column of the table: the name of a file, its content, the number of pairs, and the first of them.
LAYOUTS: dict[str, tuple[str, str | bytes, int, tuple[str, str]]] = {
    "TSV, source and target": ("words.tsv", lines(WORDS), 8, WORDS[0]),
    "CSV with a header": ("words.csv", "\ufeffword,ipa\r\n" + QUOTED.replace("\n", "\r\n"), 8, WORDS[0]),
    "semicolons, from a spreadsheet, in CP1252": (
        "words.csv", ('Wort;Laute\n"Füße; alt";"f y s"\n' + lines(WORDS, ";").replace("œ", "ö").replace("ɔ", "o")
        .replace("ː", "").replace("ɛ", "e").replace("ɪ", "i")).encode("cp1252"), 9, ("Füße; alt", "f y s"),
    ),
    "UTF-16 with a byte order mark": ("words.tsv", lines(WORDS).encode("utf-16"), 8, WORDS[0]),
    "pronouncing dictionary (CMUdict)": (
        "words.dict", ";;; by hand\n# and more\n" + lines(WORDS, "  ") + "VIS(2)  v i s # rare\n", 9, WORDS[0],
    ),
    "pronouncing dictionary with probabilities (Kaldi, MFA)": (
        "lexiconp.txt", "".join(f"{a} {1.0 - at / 10} {b}\n" for at, (a, b) in enumerate(WORDS)), 8, WORDS[0],
    ),
    "UniMorph": ("forms", lines(FORMS[:4]) + "\n" + lines(FORMS[4:]), 8, ("zien\tV;PST", "zag")),
    "SIGMORPHON inflection, features second": (
        "forms.txt", lines([(a, c, b) for a, b, c in FORMS]), 8, ("zien\tV;PST", "zag"),
    ),
    "table with more columns and a header": (
        "forms.csv",
        "nr,woord,klasse,vorm,noot\n" + "".join(f'{n},{a},{c},{b},"{a}, b\nc"\n' for n, (a, b, c) in enumerate(FORMS)),
        8, ("zien\tV;PST", "zag"),
    ),
    "padded halves, as in textbooks": ("sums.txt", "".join(f"{a:7}_{b:4} \n" for a, b in SUMS), 7, SUMS[0]),
    "JSON Lines with nested keys": (
        "pairs.jsonl",
        "".join(json.dumps({"id": a, "translation": {"nl": a, "de": b, "en": "x"}}) + "\n" for a, b in WORDS),
        8, WORDS[0],
    ),
    "one JSON array": ("pairs.json", json.dumps([{"src": a, "tgt": b} for a, b in WORDS], indent=1), 8, WORDS[0]),
    "sentences from Tatoeba or Anki": (
        "deu.txt", lines([(f"{a} .", b, f"CC-BY 2.0 (France) Attribution: tatoeba.org #{a}") for a, b in WORDS]),
        8, ("vos .", "v ɔ s"),
    ),
    "stories, questions and answers (SQuAD) in JSON Lines": (
        "dev.jsonl",
        "".join(
            json.dumps({"id": f"x{a}", "context": f"{a} is", "question": "is?", "answers": {"text": [b, b]}})
            + "\n"
            for a, b in WORDS
        ),
        8, ("vos is\tis?", "v ɔ s"),
    ),
    "UniMorph 4, with the parts of forms": (
        "forms", lines([(a, b, c, f"{b[:2]}|{b[2:]}" if at % 3 else "-") for at, (a, b, c) in enumerate(FORMS)]),
        8, ("zien\tV;PST", "zag"),
    ),
    "translation memories (TMX)": (
        "words.tmx",
        '<?xml version="1.0"?>\n<tmx version="1.4"><header srclang="nl"/><body>\n'
        + "".join(
            f'<tu><tuv xml:lang="de"><seg>{b}</seg></tuv><tuv xml:lang="nl"><seg>{a}<ph>x</ph></seg></tuv></tu>\n'
            for a, b in WORDS
        )
        + "</body></tmx>\n",
        8, WORDS[0],
    ),
    "message catalogs (gettext)": (
        "words.po",
        'msgid ""\nmsgstr "Language: nl\\n"\n\n' + "".join(f'#: a.c\nmsgid "{a}"\nmsgstr "{b}"\n\n' for a, b in WORDS),
        8, WORDS[0],
    ),
    "table in Markdown": (
        "words.md", "| word | ipa |\n|---|:--|\n" + "".join(f"| {a} | {b} |\n" for a, b in WORDS), 8, WORDS[0],
    ),
    "by column, as pandas writes it": (
        "words.json", json.dumps({"a": {str(at): a for at, (a, _) in enumerate(WORDS)},
                                  "b": {str(at): b for at, (_, b) in enumerate(WORDS)}}), 8, WORDS[0],
    ),
    "instructions in JSON Lines": (
        "tasks.jsonl",
        "".join(
            json.dumps({"instruction": f"say {a}", "input": "" if at else a, "output": b}) + "\n"
            for at, (a, b) in enumerate(WORDS)
        ),
        8, ("say vos\tvos", "v ɔ s"),
    ),
    "CoNLL-U": ("words.conllu", SENTENCES, 16, ("vosen\tNOUN", "vos")),
}  # fmt: skip

Command = Callable[[str], str]


def table_after(mark: str) -> list[list[str]]:
    """The rows of a table of the page, after this comment."""
    text = PAGE.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()[2:]]


def options_in(cell: str) -> str:
    return "" if cell == "nothing" else cell.strip("`")


@pytest.fixture
def seq2see_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs a command in this process, in a folder of its own; returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(command: str) -> str:
        monkeypatch.setattr(sys, "argv", ["seq2see", *shlex.split(command)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert ended.value.code == 0, said.err + said.out
        return said.out + said.err

    return run


def test_the_page_has_these_layouts() -> None:
    assert [row[0] for row in table_after("layouts")] == list(LAYOUTS)


@pytest.mark.parametrize("row", table_after("layouts"), ids=lambda row: row[0])
def test_a_layout_needs_the_options_of_the_page_and_no_others(row: list[str], seq2see_in: Command) -> None:
    name, content, num_pairs, (source, target) = LAYOUTS[row[0]]
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    check, train, predict, evaluate = map(options_in, row[2:])
    if check:
        with pytest.raises(AssertionError):
            seq2see_in(f"check {name}")
    assert f"{name}: {num_pairs} pairs\n" in seq2see_in(f"check {name} {check}")
    seq2see_in(f"check {name} {check} --fix -o clean.tsv")
    small = "--set model.width=8 model.embedding=8 model.layers=1 training.max_updates=1"
    said = seq2see_in(f"train {name} --dev {name} {train} -o run {small}")
    assert f"data: {num_pairs} pairs to train on, {num_pairs} dev pairs" in said
    assert (
        ("read as" in said or "columns" in said or any(kind in said for kind in ("JSON", "TMX")))
        or name == "words.tsv"
        or name[-4:] in ("dict", ".txt", "s.po")
    )
    seq2see_in(f"predict run --input {name} {predict} -o answers.txt")
    assert len(Path("answers.txt").read_text(encoding="utf-8").splitlines()) == num_pairs
    found = json.loads(re.search(r"\{.*\}", seq2see_in(f"evaluate run {name} {evaluate} --json"), re.DOTALL)[0])  # type: ignore[index]
    assert found
    told = TableOptions(encoding="cp1252", source=tuple(_option(train, "--source")), target=_target(train))
    pairs = read_pairs([Path(name)], table=told).pairs
    assert (len(pairs), pairs[0][:2]) == (num_pairs, (source, target))
    seq2see_in("train run/config.toml -o again --set training.max_updates=2")
    config = [Path(run, "config.toml").read_text(encoding="utf-8") for run in ("run", "again")]
    assert config[0].partition("train = ")[0] == config[1].partition("train = ")[0]


def _option(options: str, name: str) -> list[str]:
    words = options.split()
    return words[words.index(name) + 1].split(",") if name in words else []


def _target(options: str) -> str | None:
    return next(iter(_option(options, "--target")), None)


CSV = lines(WORDS, ",")
NEAR_MISSES: list[tuple[str, str | bytes, TableOptions]] = [
    ("pairs.csv", "source,target\n" + CSV + '"kat,k a t\n' + CSV, TableOptions()),
    ("pairs.tsv", lines(WORDS) + "kip\tk ɪ p\tNOUN\n" + lines(WORDS), TableOptions()),
    ("pairs.csv", ("word,ipa\n" + CSV) * 2, TableOptions()),
    ("pairs.csv", ("\ufeffword,ipa\n" + CSV) * 2, TableOptions()),
    ("pairs.csv", 'word,ipa\n"kat","k a t"\n"kip" x,"k i p"\n' + CSV, TableOptions()),
    ("pairs.csv", "word,ipa\n" + "".join(f"{a},\n" for a, _ in WORDS), TableOptions()),
    ("pairs.csv", "word,word,ipa\n" + CSV.replace(",", ",x,"), TableOptions(source=("word",), target="ipa")),
    ("pairs.csv", "source,target\nHello, world,hallo\n" + CSV, TableOptions()),
    ("pairs.csv", "lemma;tags;form\n" + lines([(a, "V", "PST", b) for a, b in WORDS], ";"), TableOptions()),
    ("pairs.tsv", "мороз\tm o\nснег\ts n e k\nвода\tv o d a\n".encode("cp1251"), TableOptions(encoding="euc-jp")),
    ("pairs.csv", "source,target\n", TableOptions()),
    ("pairs.csv", "lemma,form\n" + CSV, TableOptions(source=("lema",), target="form")),
    ("pairs.tsv", lines([(a, b, f"note {a}") for a, b in WORDS]), TableOptions()),
]


@pytest.mark.parametrize(
    ("row", "case"), list(zip(table_after("near misses"), NEAR_MISSES, strict=True)), ids=lambda each: str(each[0])[:40]
)
def test_a_near_miss_gets_the_answer_of_the_page(
    row: list[str], case: tuple[str, str | bytes, TableOptions], tmp_path: Path
) -> None:
    name, content, table = case
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_pairs([path], table=table)
    assert row[1] in str(caught.value)
    assert row[2] in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.csv", "sep=;\n" + lines(WORDS, ";")),
        ("words.csv", 'sep=;\n"wolf";"w;l"\n' + lines(WORDS, ";")),
        ("words.txt", lines(WORDS, " → ")),
        ("words.txt", lines(WORDS, " ⇒ ")),
        ("words.json", json.dumps({"version": 1, "data": [{"q": a, "a": b} for a, b in WORDS]})),
        ("words.json", json.dumps({"a": [a for a, _ in WORDS], "b": [b for _, b in WORDS]})),
        ("words.json", json.dumps({"columns": ["a", "b"], "index": [0], "data": WORDS})),
    ],
    ids=["sep", "sep and quotes", "arrow", "double arrow", "one key", "columns", "split"],
)
def test_other_ways_to_write_pairs(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = [(pair.source, pair.target) for pair in read_pairs([path]).pairs]
    assert found[-len(WORDS) :] == WORDS
    assert len(found) == len(WORDS) + content.count('"w;l"')


@pytest.mark.parametrize("separator", [": ", " = ", ":: ", " "])
def test_marks_of_questions_and_answers_are_no_sources(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("".join(f"Q{separator}{a}\nA{separator}{a[::-1]}\n" for a, _ in WORDS), encoding="utf-8")
    with pytest.raises(UserError):
        read_pairs([path])
    path.write_text("".join(f"{a}{separator}{'yes' if len(a) == 3 else 'no'}\n" for a, _ in WORDS * 2))
    assert len(read_pairs([path]).pairs) == 2 * len(WORDS)  # few different targets are usual


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "a pickle"), (b"\x93NUMPY\x01\0", "NumPy"), (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"ARROW1\0\0", "Arrow"), (b"1\r\n00:00:01,000 --> 00:00:02,000\r\na\r\n", "subtitles"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\na\n", "subtitles"), (b"<DOC>\n<seg>a</seg>\n", "SGML"),
    ],
    ids=["pickle", "numpy", "hdf5", "arrow", "srt", "vtt", "sgml"],
)  # fmt: skip
def test_files_without_pairs_are_called_what_they_are(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes(content)
    with pytest.raises(UserError, match=what):
        read_pairs([path])


def test_columns_of_conllu_have_the_names_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "words.conllu"
    path.write_text(SENTENCES, encoding="utf-8")
    by_number = read_pairs([path], table=TableOptions(source=("2", "4"), target="3")).pairs
    for source, target in ((("form", "upos"), "lemma"), (("FORM", "Upos"), "LEMMA")):
        assert read_pairs([path], table=TableOptions(source=source, target=target)).pairs == by_number
    # A model trained on a table with these names reads them, too.
    known = TableOptions(source=("form", "upos"), target="lemma", names=("lemma", "form", "upos"))
    assert read_pairs([path], known=known).pairs == by_number
    with pytest.raises(UserError, match=r"unknown column 'lema' of CoNLL-U.*\n.*did you mean 'lemma'"):
        read_pairs([path], table=TableOptions(source=("form",), target="lema"))
    with pytest.raises(UserError) as caught:
        read_pairs([path])
    assert "--source form --target lemma" in str(caught.value)
    assert len(read_pairs([path], table=TableOptions(source=("form",), target="lemma")).pairs) == len(by_number)
