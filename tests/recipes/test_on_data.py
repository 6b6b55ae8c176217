"""Each recipe on a cut of real data: in a few hundred updates it learns to tell the true source of a target."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

import seq2see
from seq2see import cli
from seq2see.data import Pair, read_pairs
from seq2see.text.turns import written_turns

Rows = Iterator[list[str]]


def rows_of(path: Path) -> Rows:
    """The columns of each line."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in io.StringIO(content.decode("utf-8")):
        yield line.rstrip("\n").split("\t")


def evenly(path: Path, number: int) -> Rows:
    """That many lines, spread over the file, which may be sorted."""
    rows = list(rows_of(path))
    yield from (rows[place * len(rows) // number] for place in range(number))


def stories(folder: Path) -> Rows:
    """Story, question, answer."""
    for text, answer in islice(rows_of(folder / "train.tsv.gz"), 3000):
        story, _, question = text.rpartition(" . ")
        yield [f"{story} .", question, answer]


def turns(path: Path) -> Rows:
    """History, message, reply: every second pair follows the one before it."""
    before: list[str] = []
    for row in rows_of(path):
        yield [written_turns(before), *row]
        before = [] if before else row


def forms(folder: Path) -> Rows:
    """Lemma, tags, form, of symbols and tags between blanks."""
    for source, target in rows_of(folder / "train_small.tsv.gz"):
        symbols = source.split()
        tags = [symbol.strip("<>") for symbol in symbols if len(symbol) > 2]
        yield [
            "".join(symbol for symbol in symbols if len(symbol) <= 2),
            ";".join(tags),
            target.replace(" ", "").replace("▁", " "),
        ]


def formulas(folder: Path, place: Path) -> Rows:
    """Short formulas, whose pictures are written beside the table."""
    short = [row for row in rows_of(folder / "train.tsv") if len(row[1].split()) <= 5][:400]
    with tarfile.open(folder / "train_images.tar.gz") as archive:
        members = {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}
        for name, latex in short:
            file = archive.extractfile(members[Path(name).name])
            assert file is not None
            (place / Path(name).name).write_bytes(file.read())
            yield [Path(name).name, latex]


CASES: dict[str, tuple[Callable[[Path, Path], Rows], list[str]]] = {
    "translation": (lambda data, _: evenly(data / "tatoeba_eng-fra/train.tsv.gz", 3000), []),
    "summary": (lambda data, _: evenly(data / "aeslc_subject/train.tsv.gz", 1000), ["data.longest=120"]),
    "questions": (lambda data, _: stories(data / "babi_en10k/qa01_single-supporting-fact"), []),
    "chat": (lambda data, _: turns(data / "chatbot_chatterbot_en/train.tsv"), []),
    "captions": (lambda data, place: formulas(data / "crohme2014", place), []),
    "pronunciation": (lambda data, _: evenly(data / "g2p_sig20/hun/train.tsv", 800), []),
    "inflection": (lambda data, _: forms(data / "infl_sig22_large/tur"), []),
    "normalization": (lambda data, _: evenly(data / "histnorm/german-ridges/train.tsv.gz", 1000), []),
    "transliteration": (lambda data, _: evenly(data / "translit_ar2en/train.tsv", 2000), []),
}
UPDATES = 300


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_recipe_learns_from_a_cut_of_real_data(
    name: str, seq2see_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_from, more = CASES[name]
    rows = list(rows_from(seq2see_data, tmp_path))
    random.Random(1).shuffle(rows)
    test, train = rows[:100], rows[100:]
    for part, own in (("test", test), ("train", train)):
        text = "".join("\t".join(row) + "\n" for row in own)
        (tmp_path / f"{part}.tsv").write_text(text, encoding="utf-8")
    settings = [f"training.max_updates={UPDATES}", f"training.evaluate_every={UPDATES}", *more]
    words = ["train", str(tmp_path / "train.tsv"), "--recipe", name, "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert cli.run([*words, "--set", *settings]) == 0
    model = seq2see.load(tmp_path / "run", device="cpu")
    pairs = read_pairs([tmp_path / "test.tsv"], known=model.table).pairs
    moved = [pair.source for pair in pairs[1:]] + [pairs[0].source]
    wrong = [Pair(source, pair.target) for source, pair in zip(moved, pairs, strict=True)]
    true_scores, wrong_scores = model.score(pairs), model.score(wrong)
    better = [true.log_prob > other.log_prob for true, other in zip(true_scores, wrong_scores, strict=True)]
    assert sum(better) >= 65, sum(better)
    assert cli.run(["evaluate", str(tmp_path / "run"), str(tmp_path / "test.tsv"), "--device", "cpu"]) == 0
    print(capsys.readouterr().out)
