"""Findings about whole columns, each on sets that have it and on near misses, and the fixes that are offered."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import seq2see
from seq2see.config import make_config
from seq2see.data import read_pairs
from seq2see.data.options import TableOptions
from seq2see.doctor import DataReport, check, print_report
from seq2see.doctor.cleaning import clean
from seq2see.doctor.report import SeenValues
from seq2see.errors import DataError
from seq2see.run.pairs import read_data

TABLE = TableOptions(source=("lemma", "features"), target="form")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def to_file(name: str, rows: Sequence[Sequence[str]], *, header: bool = False) -> Path:
        lines = ["\t".join(row) + "\n" for row in ([("lemma", "form", "features")] if header else [])]
        path = Path(name)
        path.write_text("".join([*lines, *("\t".join(row) + "\n" for row in rows)]), encoding="utf-8")
        return path

    return to_file


def words(count: int, seed: int, letters: str = "abcdefgh") -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=chance.randint(3, 7))) for _ in range(count)]


def spelled(count: int, seed: int) -> list[tuple[str, str]]:
    return [(word, " ".join(word.translate(str.maketrans("abcdefgh", "αβγδεζηθ")))) for word in words(count, seed)]


def inflected(
    count: int, seed: int, sets: Sequence[str] = ("V;PST;3", "V;PRS;3", "N;PL")
) -> list[tuple[str, str, str]]:
    chance = random.Random(seed)
    return [(word, word + "s", chance.choice(sets)) for word in words(count, seed)]


def names(report: DataReport, path: Path | None = None) -> set[str]:
    return {finding.name for finding in report.findings if path is None or finding.files == str(path)}


# --- swapped ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_swapped", [True, False])
def test_columns_swapped_in_one_file_are_found_and_swapped_back(is_swapped: bool, write: Write) -> None:
    train = write("train.tsv", spelled(200, 1))
    dev = write("dev.tsv", [row[::-1] if is_swapped else row for row in spelled(40, 2)])
    report = check([train, dev])
    assert ("swapped" in names(report)) == is_swapped
    if is_swapped:
        finding = report.find("swapped", "dev.tsv")
        assert finding is not None
        assert "source and target, by their characters, as against train.tsv" in finding.detail
        subprocess.run(finding.command, shell=True, check=True)
        assert Path("dev-mended.tsv").read_text(encoding="utf-8").splitlines() == [
            "\t".join(row) for row in spelled(40, 2)
        ]
        assert not check([train, Path("dev-mended.tsv")]).find("swapped")


def test_columns_of_one_alphabet_are_told_by_their_words(write: Write) -> None:
    one, other = words(150, 1), words(150, 2)
    sentences = [
        tuple(" ".join(random.Random(f"{row} {side}").choices(side_words, k=6)) for side_words in (one, other))
        for row, side in zip(range(300), "ab" * 150, strict=True)
    ]
    train, dev = write("train.tsv", sentences[:200]), write("dev.tsv", [row[::-1] for row in sentences[200:]])
    finding = check([train, dev]).find("swapped")
    assert finding is not None
    assert "by their words" in finding.detail
    assert not check([train, write("dev.tsv", sentences[200:])]).find("swapped")


def test_two_sides_of_one_language_are_not_taken_for_swapped(write: Write) -> None:
    rows = [(word, word[::-1]) for word in words(400, 1)]
    assert not check([write("train.tsv", rows[:300]), write("dev.tsv", rows[300:])]).find("swapped")


# --- case ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_train", "in_dev", "expected"),
    [
        (str.lower, str.title, "source: {} capitals, none in train.tsv"),
        (str.upper, str.lower, "source: {} small letters, none in train.tsv"),
        (str.title, str.lower, "source: no capitals, 200 in train.tsv"),
        (str.title, str.title, ""),
        (str.lower, str.lower, ""),
    ],
)
def test_a_case_that_only_one_set_has(
    in_train: Callable[[str], str], in_dev: Callable[[str], str], expected: str, write: Write
) -> None:
    train = write("train.tsv", [(in_train(word), "1 2 3") for word in words(200, 1)])
    dev_words = [in_dev(word) for word in words(60, 2)]
    dev = write("dev.tsv", [(word, "1 2 3") for word in dev_words])
    found = [finding for finding in check([train, dev]).findings if finding.name == "case"]
    details = [finding.detail for finding in found]
    if not expected:
        assert not details
        return
    number = sum(map(str.isupper if "capitals" in expected else str.islower, "".join(dev_words)))
    assert [detail for detail in details if detail.startswith("source")] == [expected.format(number)]
    assert "text.case=fold" in found[0].remedy


def test_a_single_capital_is_no_case(write: Write) -> None:
    train = write("train.tsv", [(word, "x") for word in words(200, 1)])
    dev = write("dev.tsv", [(word, "x") for word in [*words(60, 2), "Zoe"]])
    assert not check([train, dev]).find("case")


def test_targets_are_not_folded(write: Write) -> None:
    train = write("train.tsv", [("1 2", word) for word in words(200, 1)])
    finding = check([train, write("dev.tsv", [("1 3", word.title()) for word in words(60, 2)])]).find("case")
    assert finding is not None
    assert "fold" not in finding.remedy


# --- tags ------------------------------------------------------------------------------------------------------------


def test_tags_in_another_order_are_found_and_sorted(write: Write) -> None:
    train = write("train.tsv", inflected(60, 1), header=True)
    dev = write("dev.tsv", inflected(20, 2, ("3;V;PST", "N;PL")), header=True)
    report = check([train, dev], table=TABLE)
    assert "tag-order" not in names(report, train)
    finding = report.find("tag-order", "dev.tsv")
    assert finding is not None
    assert finding.detail == "features: 3;V;PST, and V;PST;3 in train.tsv"
    assert finding.count == sum(row[2] == "3;V;PST" for row in inflected(20, 2, ("3;V;PST", "N;PL")))
    command = finding.command
    subprocess.run(command, shell=True, check=True)
    subprocess.run(command.replace("dev", "train"), shell=True, check=True)
    mended = [Path("train-mended.tsv"), Path("dev-mended.tsv")]
    assert mended[0].read_text().splitlines()[0] == "lemma\tform\tfeatures"
    assert "\t3;PST;V\n" in mended[1].read_text()
    assert not check(mended, table=TABLE).find("tag-order")


def test_lists_whose_order_means_something_are_no_tags(write: Write) -> None:
    numbers = [(f"{a};{b}", f"{b};{a}", f"{b}|{a}") for a in range(6) for b in range(6)]
    sentences = [(f"w{n}", "x", text) for n in range(30) for text in ("Mary saw John", "John saw Mary")]
    for rows in (numbers, sentences):
        assert not check(write("train.tsv", rows, header=True), table=TABLE).find("tag-order")


# --- several columns -------------------------------------------------------------------------------------------------


def test_each_source_column_is_looked_at(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*inflected(60, 1), ("the  end", "ends", "N;PL"), ("end", "ends", "N;PL"), ("end", "ends", "N;PL")]
    train = write("train.tsv", rows, header=True)
    dev = write("dev.tsv", [("zzz", "zzzs", "N;PL"), (*inflected(60, 1)[0][:2], "N;GEN")], header=True)
    report = check([train, dev], table=TABLE)
    assert not report.find("control"), "the TAB between columns is none of their characters"
    doubled = report.find("doubled-blanks")
    assert doubled is not None
    assert doubled.detail == "1 in lemma"
    assert [side.name for side in report.sets[0].fields] == ["lemma", "features"]
    assert [side.unit for side in report.sets[0].fields] == ["characters", "tags"]
    assert report.sets[1].seen == (SeenValues("lemma", 1, 2), SeenValues("features", 1, 2))
    unseen = [finding.detail for finding in report.findings if finding.name == "unseen-symbols"]
    assert any(detail.startswith("features: GEN, not in") for detail in unseen)
    assert report.as_dict()["sets"][1]["seen"][0] == {"name": "lemma", "seen": 1, "distinct": 2}
    print_report(report)
    out = capsys.readouterr().out
    assert "1 of 2 values of lemma, 1 of 2 values of features" in out
    assert "features: tags (" in out
    assert "end | N;PL → ends" in out


def test_a_constant_column_tells_nothing(write: Write) -> None:
    rows = inflected(40, 1, ("N;PL",))
    finding = check(write("train.tsv", rows, header=True), table=TABLE).find("constant")
    assert finding is not None
    assert finding.detail == "features"
    rows[0] = (*rows[0][:2], "N;SG")
    assert not check(write("train.tsv", rows, header=True), table=TABLE).find("constant")


def test_another_number_of_source_columns_is_an_error(write: Write) -> None:
    train = write("train.tsv", inflected(60, 1))
    report = check([train, write("dev.tsv", [row[:2] for row in inflected(9, 2)])])
    assert len(report.sets[0].fields) == 2
    assert report.find("source-columns", "dev.tsv") is not None
    assert report.exit_code == 1


def test_pictures_in_one_of_several_columns(write: Write) -> None:
    rows = [(f"photo {number}.jpeg", "x", "N;PL") for number in range(30)]
    rows.append(("no photo", "x", "N;PL"))
    finding = check(write("train.tsv", rows, header=True), table=TABLE).find("file-names")
    assert finding is not None
    assert finding.detail == "lemma: 30 .jpeg"
    assert "text.source=picture" in finding.remedy
    # The fix: without the other one, training reads the pictures.
    report = check(write("mended.tsv", rows[:-1], header=True), table=TABLE)
    assert not report.find("file-names")
    assert report.sets[0].fields[0].unit == "picture"


def test_numbers_after_the_names_of_pictures_are_left_out_by_the_fix(write: Write) -> None:
    Image = pytest.importorskip("PIL.Image")  # noqa: N806
    Path("pictures").mkdir()
    for number in range(12):
        Image.new("L", (6, 6), 9 * number).save(f"pictures/{number}.jpg")
    path = write("pictures/captions.txt", [(f"{n // 2}.jpg#{n % 2}", f"a {n} on the road") for n in range(24)])
    finding = check(path).find("file-names")
    assert finding is not None and finding.count == 24
    notes = read_data(make_config({}, {"data.train": [str(path)]}), None, None, has_source=True).notes
    assert any(note.startswith("warning: file-names: ") for note in notes)
    with pytest.raises(DataError, match=r"0\.jpg#0 can't be read") as caught:
        seq2see.train(path, out="run", settings={"text.source": "picture"}, quiet=True)
    assert "leave out #0" in caught.value.fix and "seq2see check pictures/captions.txt has" in caught.value.fix
    subprocess.run(finding.command, shell=True, check=True)
    mended = Path("pictures/captions-mended.tsv")
    report = check(mended)
    assert report.exit_code == 0 and not report.find("file-names")
    assert report.sets[0].source.unit == "picture" and report.sets[0].source.distinct == 12
    data = read_data(make_config({}, {"data.train": [str(mended)]}), None, None, has_source=True)
    assert not {pair.source for pair in data.train} & {pair.source for pair in data.dev}


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_series_of_numbers_are_made_lists_by_the_fix(delimiter: str, write: Write) -> None:
    chance = random.Random(1)
    rows = [[round(chance.gauss(0, 1), 2) for _ in range(chance.randint(2, 5))] for _ in range(30)]
    path = Path("series.tsv" if delimiter == "\t" else "series.csv")
    lines = [f"{'  '.join(map(str, row))} {delimiter}{'up' if row[0] > 0 else 'down'}\n" for row in rows]
    path.write_text("".join(lines))
    finding = check(path).find("series-as-text")
    assert finding is not None and finding.count == 30
    notes = read_data(make_config({}, {"data.train": [str(path)]}), None, None, has_source=True).notes
    assert any(note.startswith("warning: series-as-text: ") for note in notes)
    copying, _, program = finding.command.rpartition(" && ")
    if copying:
        assert copying == "seq2see check series.csv --fix --keep-duplicates -o clean.tsv"
        clean([path], Path("clean.tsv"), keep_duplicates=True)
    subprocess.run(program, shell=True, check=True)
    mended = Path("clean-mended.tsv" if copying else "series-mended.tsv")
    report = check(mended)
    assert report.exit_code == 0 and not report.find("series-as-text") and report.sets[0].source.unit == "vectors"
    assert [json.loads(pair.source) for pair in read_pairs([mended]).pairs] == rows


@pytest.mark.parametrize("text", ["{0} {1} 3", "{0}.5", "{0}.5 {1}.25 kg", "0{0}.5 {1}.25", "{0}.{1}.2020 1.2"])
def test_numbers_that_are_text_are_no_series(text: str, write: Write) -> None:
    path = write("numbers.tsv", [(text.format(n, n + 1), f"x{n % 7}") for n in range(60)])
    assert not check(path).find("series-as-text")


def test_no_command_copies_names_of_pictures_elsewhere(write: Write) -> None:
    write("captions.txt", [(f"{n}.jpg#0", f"a {n}") for n in range(24)])
    Path("captions.csv").write_text(Path("captions.txt").read_text().replace("\t", ","))
    finding = check("captions.csv").find("file-names")
    assert finding is not None and not finding.command
    assert finding.remedy == "leave out # and the number, which are no part of the names"


def test_pictures_in_a_folder_beside_the_table_are_found(write: Write) -> None:
    Image = pytest.importorskip("PIL.Image")  # noqa: N806
    Path("my pictures").mkdir()
    for number in range(12):
        Image.new("L", (6, 6), 9 * number).save(f"my pictures/{number}.png")
    path = write("captions.tsv", [(f"{n}.png", f"a {n} on the road") for n in range(12)])
    settings = {"training.max_updates": 1, "model.width": 8}
    with pytest.raises(DataError, match=r"captions\.tsv:\d+: \d+\.png can't be read") as caught:
        seq2see.train(path, out="run", settings=settings, quiet=True)
    what, _, command = caught.value.fix.partition("; copy the table there: ")
    assert what == "names are relative to the folder of the table, and this file is in my pictures"
    subprocess.run(command, shell=True, check=True)
    assert check("my pictures/captions.tsv").exit_code == 0
    for number in range(12):
        Path(f"my pictures/{number}.png").unlink()
    with pytest.raises(DataError) as caught:
        seq2see.train(path, out="run", settings=settings, quiet=True)
    assert (
        caught.value.fix
        == "correct the name, which is relative to the folder of the table, or to the working directory"
    )


def test_names_of_pictures_have_no_case_and_no_rare_symbols(write: Write) -> None:
    train = write("train.tsv", [(f"train/{number}.png", "1 2") for number in range(40)])
    report = check([train, write("dev.tsv", [(f"DEV/ß{number}.PNG", "1 2") for number in range(40)])])
    assert not {"case", "rare-symbols", "unseen-symbols", "file-names"} & names(report)


def test_pictures_that_can_not_be_read_are_errors_as_in_training(write: Write) -> None:
    Image = pytest.importorskip("PIL.Image")  # noqa: N806
    Path("pictures").mkdir()
    for number in range(8):
        Image.new("L", (6, 6), 9 * number).save(f"pictures/{number}.png")
    Path("pictures/bad.png").write_text("no picture")
    rows = [(f"{number}.png", "x" if number % 2 else "y") for number in range(8)]
    sound = write("pictures/sound.tsv", rows)
    assert check(sound).exit_code == 0
    report = check(write("pictures/train.tsv", [*rows, ("bad.png", "x"), ("missing.png", "y")]))
    finding = report.find("unreadable")
    assert finding is not None
    assert (finding.count, report.exit_code) == (2, 1)
    assert [example.origin for example in finding.examples] == ["pictures/train.tsv:9", "pictures/train.tsv:10"]
    with pytest.raises(DataError, match=r"bad\.png is not a picture"):
        seq2see.train("pictures/train.tsv", out="run", settings={"training.max_updates": 1}, quiet=True)


def test_a_clean_copy_in_another_folder_names_the_same_pictures(write: Write) -> None:
    Image = pytest.importorskip("PIL.Image")  # noqa: N806
    Path("pictures").mkdir()
    Path("other/folder").mkdir(parents=True)
    for number in range(4):
        Image.new("L", (6, 6), 9 * number).save(f"pictures/{number}.png")
    table = write("pictures/train.tsv", [(f"{number}.png", f" {number}") for number in range(4)])
    for output in ("clean.tsv", "other/folder/clean.tsv", "pictures/clean.tsv"):
        clean([table], Path(output))
        assert check(output).find("unreadable") is None
    assert Path("pictures/clean.tsv").read_text().startswith("0.png\t0\n")
    assert Path("other/folder/clean.tsv").read_text().startswith("../../pictures/0.png\t0\n")


def test_pictures_of_formulas(seq2see_data: Path) -> None:
    report = check(seq2see_data / "crohme2014" / "train.tsv")
    assert report.sets[0].source.unit == "picture"
    assert not report.find("file-names")


def test_a_column_that_tells_homographs_apart_is_named(tmp_path: Path) -> None:
    lines = ["id\tword\tnote\tpos\tpron"]
    for at in range(40):
        lines.append(f"{at}\tword{at // 2}\tn{at // 2 % 3}\t{('NOUN', 'VERB')[at % 2]}\tw {at}")
    (path := tmp_path / "words.tsv").write_text("\n".join([*lines, ""]))
    table = TableOptions(source=("word",), target="pron")
    found = check(path, table=table).find("contradictions")
    assert found and found.count == 20
    assert found.remedy.endswith(
        "or read column pos, too, which tells 20 of them apart: --source word,pos --target pron"
    )
    assert not check(path, table=replace(table, source=("word", "pos"))).find("contradictions")
    # A number that each line has would tell any lines apart.
    path.write_text("\n".join(line.replace("VERB", "NOUN") for line in [*lines, ""]))
    found = check(path, table=table).find("contradictions")
    assert found and found.remedy.endswith("evaluate with all targets of a source as references")


@pytest.mark.parametrize("header", ["word\tpron\t", "word\tpron"])
def test_a_column_without_a_name_that_tells_homographs_apart_is_called_by_its_number(
    header: str, tmp_path: Path
) -> None:
    lines = [header, *(f"word{at // 2}\tw {at}\t{('NOUN', 'VERB')[at % 2]}" for at in range(40))]
    (path := tmp_path / "words.tsv").write_text("\n".join([*lines, ""]))
    found = check(path, table=TableOptions(source=("1",), target="2")).find("contradictions")
    assert found and "or read column 3, too, which tells 20 of them apart: --source " in found.remedy
    source, target = found.remedy.split("--source ")[1].split(" --target ")
    assert not check(path, table=TableOptions(source=source, target=target)).find("contradictions")  # type: ignore[arg-type]


def test_several_targets_of_a_line_are_no_merged_cells(tmp_path: Path) -> None:
    path = tmp_path / "words.jsonl"
    ways = [f"an answer {number}" for number in range(3)]
    rows = [{"where": f"text {at}" * (at == 0), "word": f"word {at}", "ways": ways} for at in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = TableOptions(source=("where", "word"), target="ways")
    assert len(read_pairs([path], table=table).pairs) == 60
    assert not check(path, table=table).find("merged-cells")
    config = make_config({}, {"data.train": [str(path)], "data.source": ["where", "word"], "data.target": "ways"})
    assert not any("merged-cells" in note for note in read_data(config, None, None, has_source=True).notes)


@pytest.mark.parametrize(
    ("names", "may_be_empty"),
    [
        ("instruction input output", True), ("question Context answer", True), ("message history reply", True),
        ("lemma tags form", False), ("lemma cell form", False),
    ],
)  # fmt: skip
def test_columns_that_may_be_empty_are_no_merged_cells(names: str, may_be_empty: bool, tmp_path: Path) -> None:
    source, column, target = names.split()
    rows = [f"Say {at // 5}\t{'' if at % 5 else f'thing {at}'}\tanswer {at}" for at in range(60)]
    (path := tmp_path / "table.tsv").write_text("\n".join(["\t".join(names.split()), *rows, ""]))
    table = TableOptions(source=(source, column), target=target)
    assert (check(path, table=table).find("merged-cells") is None) == may_be_empty
    config = make_config({}, {"data.train": [str(path)], "data.source": [source, column], "data.target": target})
    notes = read_data(config, None, None, has_source=True).notes
    assert any("merged-cells" in note for note in notes) == (not may_be_empty)
