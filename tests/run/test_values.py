"""Trainings on series of vectors and on pictures."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import seq2see
from seq2see.benchmark import bench_run
from seq2see.config import Config, make_config
from seq2see.data.options import DataOptions
from seq2see.doctor import check, clean
from seq2see.errors import ConfigError, DataError
from seq2see.inference.pair_files import read_for
from seq2see.pages.report import write_report
from seq2see.pictures import save_attention
from seq2see.pictures.attention import Attention
from seq2see.run.folder import stored_config
from seq2see.run.pairs import read_data, read_run_data, with_units
from seq2see.run.train import train
from seq2see.text.options import TextOptions

Image = pytest.importorskip("PIL.Image")

SETTINGS = {"model.width": 64, "model.embedding": 32, "model.dropout": 0.0, "training.batch_size": 16}


def bars(rng: random.Random) -> tuple[np.ndarray, str]:
    """A picture of one to three bars side by side, and what they are: standing or lying."""
    kinds = [rng.choice("|-") for _ in range(rng.randint(1, 3))]
    pixels = np.full((rng.randint(14, 18), 16 * len(kinds)), 230, np.uint8)
    for place, kind in enumerate(kinds):
        left = 16 * place + rng.randint(2, 5)
        if kind == "|":
            pixels[2:12, left + 3 : left + 6] = 20
        else:
            pixels[6:9, left : left + 9] = 20
    return pixels, " ".join("up" if kind == "|" else "flat" for kind in kinds)


def test_bad_pictures_are_skipped_if_asked_and_left_out_of_a_clean_copy(pictures: Path, tmp_path: Path) -> None:
    (damaged := tmp_path / "damaged.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    good = [f"{pictures / f'{number}.png'}\tup flat\n" for number in range(40)]
    table = tmp_path / "train.tsv"
    table.write_text("".join([good[0], f"{tmp_path / 'none.png'}\tup\n", *good[1:], f"{damaged}\tup\n"]))
    settings = {**SETTINGS, "training.max_updates": 2}
    with pytest.raises(DataError, match=r"none\.png"):
        seq2see.train(table, out=tmp_path / "all", settings=settings, quiet=True)
    console = Console(file=(said := io.StringIO()), width=500)
    config = make_config({}, settings | {"data.train": [str(table)], "data.dev": [str(table)], "data.skip_bad": True})
    train(config, tmp_path / "run", console=console)
    for name in ("train", "dev"):
        expected = f"{name}: skipped 2 pairs with a picture or series that can't be read, first {table}:2: "
        assert expected in said.getvalue()
    model = seq2see.load(tmp_path / "run")
    found = read_for(model, [table], skip_bad=True)
    assert (len(found.pairs), found.skipped) == (40, 0)
    assert found.unreadable.startswith("skipped 2 pairs with a picture or series that can't be read, first ")
    data = read_run_data(tmp_path / "run", has_source=True, fix="")
    assert (len(data.train), len(data.dev)) == (40, 40)
    assert len(bench_run(tmp_path / "run", threads=[1], seconds=0.001)) > 1
    (bad := tmp_path / "bad.tsv").write_text(f"{damaged}\tup\n")
    with pytest.raises(DataError, match="damaged"):
        read_for(model, [bad], skip_bad=True)
    with pytest.raises(DataError, match="damaged"):
        clean([bad], tmp_path / "clean.tsv")
    result = clean([table], tmp_path / "clean.tsv", keep_duplicates=True)
    assert result.left_out == {"unreadable": 2}
    assert result.pairs == 40
    seq2see.train(tmp_path / "clean.tsv", out=tmp_path / "clean", settings=settings, quiet=True)


def test_texts_that_begin_like_series_are_kept_in_a_clean_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.doctor.rows.BLOCK_BYTES", 400)
    table = tmp_path / "lists.tsv"
    table.write_text("".join([*(f"[{n}, 2]\tlist {n}\n" for n in range(90)), *(f"a{n}\ttext {n}\n" for n in range(9))]))
    assert clean([table], tmp_path / "clean.tsv").pairs == 99


@pytest.mark.parametrize("bad", ["[NaN, 2.5]", "[0.5, -Infinity]", "[null, 2.5]", "[0.5, null]", "[[1, 2], [3, 4]]"])
def test_one_bad_series_makes_no_texts_of_the_others(bad: str, tmp_path: Path) -> None:
    table, copy = tmp_path / "train.jsonl", tmp_path / "clean.tsv"
    series = [bad if number == 7 else f"[0.{number}, {number}.5]" for number in range(45)]
    table.write_text("".join(f'{{"series": {each}, "label": "{len(each) % 2}"}}\n' for each in series))
    data = DataOptions(train=(str(table),))
    units = with_units(
        read_data(Config(data=data), None, None, has_source=True), TextOptions(), has_source=True, is_new=True
    ).text
    assert units is not None and units.source == ("vectors",)
    finding = check(table).find("unreadable")
    assert finding is not None and finding.count == 1 and finding.examples[0].origin == f"{table}:8"
    found = read_data(Config(data=replace(data, skip_bad=True)), None, None, has_source=True)
    assert len(found.train) + len(found.dev) == 44
    assert any(line.startswith("train: skipped 1 pair with a picture or series") for line in found.notes)
    assert clean([table], copy).left_out == {"unreadable": 1}
    assert check(copy).find("unreadable") is None


def test_folds_have_no_pictures_that_cannot_be_read(pictures: Path, tmp_path: Path) -> None:
    good = [f"{pictures / f'{number}.png'}\tup {number}\n" for number in range(30)]
    (table := tmp_path / "train.tsv").write_text("".join([f"{tmp_path / 'none.png'}\tup\n", *good]))
    settings = {**SETTINGS, "training.max_updates": 2, "data.skip_bad": True}
    found = seq2see.cross_validate(table, out=tmp_path / "cross", folds=2, settings=settings, quiet=True)
    assert found is not None and found.pooled.count == 30


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of names of pictures, and a model trained on it."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = random.Random(1)
    lines = []
    for number in range(120):
        pixels, text = bars(rng)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append(f"{number}.png\t{text}\n")
    (folder / "train.tsv").write_text("".join(lines))
    (folder / "dev.tsv").write_text("".join(lines[:20]))
    seq2see.train(
        folder / "train.tsv",
        dev=folder / "dev.tsv",
        out=folder / "run",
        settings={**SETTINGS, "training.max_updates": 250, "training.evaluate_every": 125},
        quiet=True,
    )
    return folder


def test_a_picture_is_known_by_its_content_whatever_its_name(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seq2see.load(pictures / "run")
    names = [line.split("\t")[0] for line in (pictures / "train.tsv").read_text().splitlines()]
    copy, other = tmp_path / "copy.png", tmp_path / "other.png"
    shutil.copy(pictures / names[0], copy)
    Image.fromarray(np.full((9, 7), 77, np.uint8)).save(other)
    monkeypatch.chdir(pictures)
    asked = [names[0], str(pictures / names[0]), str(copy), str(other), "missing.png"]
    assert model.has_seen(asked) == [True, True, True, False, False]
    report = seq2see.evaluate(model, [(str(copy), "a"), (str(other), "b")])
    assert report.overlap.train == 1
    card = (pictures / "run" / "model" / "README.md").read_text()
    assert f"model.predict(['{names[0]}'])" in card
    assert str(pictures) not in card


def test_a_model_reads_pictures(pictures: Path) -> None:
    model = seq2see.load(pictures / "run")
    assert model.source_codec is not None
    assert model.source_codec.tokenizer.unit == ("picture",)
    pairs = [line.split("\t") for line in (pictures / "dev.tsv").read_text().splitlines()]
    answers = model.predict([str(pictures / name) for name, _ in pairs])
    right = sum(answer.text == target for answer, (_, target) in zip(answers, pairs, strict=True))
    assert right >= 18
    assert model.evaluate(pictures / "dev.tsv").scores["exact_match"].value == right / 20


def test_both_engines_read_the_same_in_pictures(pictures: Path, tmp_path: Path) -> None:
    model = seq2see.load(pictures / "run")
    model.pack(tmp_path / "bars.seq2see")
    names = [str(pictures / f"{number}.png") for number in range(30)]
    together = seq2see.load(tmp_path / "bars.seq2see", engine="numpy").predict(names)
    torch = seq2see.load(tmp_path / "bars.seq2see", engine="torch").predict(names, batch_size=1)
    for one, other in zip(together, torch, strict=True):
        assert one.text == other.text
        assert abs(one.log_prob - other.log_prob) < 1e-4
        assert one.weights is not None
        assert other.weights is not None
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-4)


def test_attention_is_drawn_over_the_picture(pictures: Path, tmp_path: Path) -> None:
    model = seq2see.load(pictures / "run")
    name = str(pictures / "0.png")
    [prediction] = model.predict([name])
    assert prediction.source_tokens[:2] == ["1:1", "2:1"]
    attention = Attention(name, prediction)
    for ending in ("html", "svg"):
        save_attention([attention], tmp_path / f"a.{ending}")
        drawn = (tmp_path / f"a.{ending}").read_text()
        assert drawn.count("data:image/png;base64,") == len(prediction.target_tokens)
        assert f"attends to {prediction.source_tokens[0]}:" in drawn
        assert ending == "svg" or "img-src data:" in drawn, "a browser would not show the picture"
    prediction.weights[0] = np.eye(len(prediction.source_tokens))[-1]  # the first token attends to the end alone
    save_attention([attention], tmp_path / "end.svg")
    first = (tmp_path / "end.svg").read_text().split("<image")[1]
    assert set(re.findall('fill-opacity="(.*?)"', first)) == {"0.000"}
    assert "data:image/png" in attention._repr_html_()


def test_the_report_shows_pictures(pictures: Path, tmp_path: Path) -> None:
    data = write_report(pictures / "run", tmp_path / "report.html", [pictures / "dev.tsv"])
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") == len(data.attention) > 2
    assert "1:1 2:1" not in page
    assert page.count("<svg") > page.count("<img"), "the attention is over the pictures"


def test_the_command_reads_pictures_beside_a_table(pictures: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seq2see", "predict", str(pictures / "run")]
    found = subprocess.run(
        [*command, "--input", str(pictures / "dev.tsv")], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(found.stdout.splitlines()) == 20
    found = subprocess.run([*command, "0.png"], cwd=pictures, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) <= {"up", "flat"}
    found = subprocess.run([*command, "none.png", "0.png"], cwd=pictures, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stdout.startswith("\n")
    assert "text 1: none.png can't be read: No such file or directory" in found.stderr


def test_pictures_are_not_prepared(pictures: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seq2see", "prepare", str(pictures / "train.tsv"), "--out", str(tmp_path / "c")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "not from vectors or pictures" in found.stderr


def test_models_by_hand_do_not_read_pictures(pictures: Path, tmp_path: Path) -> None:
    settings = {"training.max_updates": 1}
    with pytest.raises(ConfigError, match="one field"):
        seq2see.train(pictures / "train.tsv", out=tmp_path / "run", engine="scratch", settings=settings, quiet=True)


@pytest.mark.parametrize(
    ("source", "settings", "weight"),
    [
        ("[[1, 2], [3, 4]]", {}, 1.0),
        ("[[1, 2], [3, 4]]", {"training.guided_attention": 0.0}, 0.0),
        ("[[1, 2], [3, 4]]", {"model.name": "peeky"}, 0.0),
        (("[[1, 2], [3, 4]]", "V;PST"), {}, 0.0),
        ("abc", {"model.name": "bidirectional"}, 0.0),
        ("abc", {"model.name": "bidirectional", "training.guided_attention": 2.0}, 2.0),
    ],
)
def test_attention_is_guided_where_the_source_is_a_series_or_a_picture(source, settings, weight, tmp_path, capsys):
    pairs = [(source, "u u"), (source, "f")] * 4
    settings = {**SETTINGS, "training.max_updates": 1, **settings}
    seq2see.train(pairs, dev=pairs[:1], out=tmp_path / "run", settings=settings)
    assert stored_config(tmp_path / "run").training.guided_attention == weight
    is_said = "attention: guided along the source in training" in capsys.readouterr().err
    assert is_said == (weight == 1.0)


def test_attention_is_not_guided_to_a_label_of_the_whole_series(tmp_path):
    pairs = [("[[1, 2], [3, 4]]", "push"), ("[[5, 6]]", "pull")] * 4
    settings = {**SETTINGS, "training.max_updates": 1}
    seq2see.train(pairs, dev=pairs[:1], out=tmp_path / "run", settings=settings, quiet=True)
    assert stored_config(tmp_path / "run").training.guided_attention == 0.0


def test_distorted_pictures_change_training_and_a_resumed_run_goes_on_with_the_same(pictures, tmp_path):
    data, dev = pictures / "train.tsv", pictures / "dev.tsv"

    def weights(out, updates, distortion, **options):
        settings = {**SETTINGS, "training.evaluate_every": 8, "training.max_updates": updates}
        settings |= {"data.distortion": distortion, "training.schedule": "constant", "training.warmup": 0.0}
        seq2see.train(data, dev=dev, out=tmp_path / out, settings=settings, quiet=True, **options)
        return (tmp_path / out / "checkpoints" / f"{updates:08}" / "state.safetensors").read_bytes()

    whole = weights("whole", 16, 1.0)
    assert whole != weights("plain", 16, 0.0)
    weights("parts", 8, 1.0)
    assert weights("parts", 16, 1.0, resume=True, allow_changes=True) == whole


def test_only_pictures_are_distorted(tmp_path):
    settings = {**SETTINGS, "training.max_updates": 1, "data.distortion": 1.0}
    with pytest.raises(ConfigError, match="without pictures"):
        seq2see.train([("[[1, 2]]", "a"), ("[[3, 4]]", "b")] * 4, out=tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_run_from_before_guided_attention_is_resumed_without_it(tmp_path, monkeypatch):
    data = tmp_path / "pairs.tsv"
    data.write_text("[[1, 2], [3, 4]]\tu u\n[[5, 6]]\tf\n" * 4)
    with monkeypatch.context() as before:
        before.setattr("seq2see.run.planning.choose_attention_loss", lambda training, *_: (training, []))
        settings = {**SETTINGS, "training.max_updates": 1}
        seq2see.train(data, dev=data, out=tmp_path / "run", settings=settings, quiet=True)
    assert stored_config(tmp_path / "run").training.guided_attention is None
    for updates in (2, 3):
        settings = {"training.max_updates": updates}
        how = {"resume": True, "allow_changes": True, "quiet": True}
        seq2see.train(data, dev=data, out=tmp_path / "run", settings=settings, **how)
        assert stored_config(tmp_path / "run").training.guided_attention is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pictures", "strokes"])
def test_drawn_digits_are_read(kind: str, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/drawn_digits.py"
    subprocess.run([sys.executable, example, tmp_path, "--as", kind], check=True)
    settings = {"training.max_updates": 700, "training.evaluate_every": 175}
    paths = {name: tmp_path / f"{name}.tsv" for name in ("train", "dev")}
    model = seq2see.train(paths["train"], dev=paths["dev"], out=tmp_path / "run", settings=settings, quiet=True)
    assert model.evaluate(paths["dev"]).scores["exact_match"].value >= 0.95


def test_the_example_of_drawn_digits_trains_on_pictures_and_on_strokes(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/drawn_digits.py"
    small = {**SETTINGS, "training.max_updates": 2}
    for kind, unit in (("pictures", "picture"), ("strokes", "vectors")):
        folder = tmp_path / kind
        subprocess.run([sys.executable, example, folder, "--as", kind, "--train", "20", "--dev", "4"], check=True)
        paths = {name: folder / f"{name}.tsv" for name in ("train", "dev")}
        model = seq2see.train(paths["train"], dev=paths["dev"], out=folder / "run", settings=small, quiet=True)
        assert model.source_codec is not None
        assert model.source_codec.tokenizer.unit == (unit,)


def wave(kind: str, rng: random.Random) -> list[list[float]]:
    """A movement as two accelerations over time: shaking, a circle, or a push."""
    length = rng.randint(8, 12)
    time = np.arange(length) / length
    noise = np.array([[rng.gauss(0, 0.1) for _ in range(2)] for _ in range(length)])
    curves = {
        "s": np.stack([np.sign(np.sin(6 * np.pi * time)), 0 * time], 1),
        "c": np.stack([np.sin(2 * np.pi * time), np.cos(2 * np.pi * time)], 1),
        "p": np.stack([0 * time, 4 * time * (1 - time)], 1),
    }
    return (9.81 * (curves[kind] + noise)).round(2).tolist()


@pytest.mark.parametrize("name", ["bidirectional", "transformer"])
def test_a_series_becomes_a_sequence_of_labels(name: str, tmp_path: Path) -> None:
    rng = random.Random(2)
    pairs = []
    for _ in range(160):
        kinds = [rng.choice("scp") for _ in range(rng.randint(1, 2))]
        series = [vector for kind in kinds for vector in wave(kind, rng)]
        pairs.append((str(series), " ".join(kinds)))
    updates = 200 if name == "bidirectional" else 300
    settings = {"model.width": 48, "model.dropout": 0.0, "training.batch_size": 16, "training.max_updates": updates}
    if name == "bidirectional":
        settings["model.embedding"] = 24
    model = seq2see.train(pairs[20:], dev=pairs[:20], model=name, out=tmp_path / "run", settings=settings, quiet=True)
    assert model.source_codec is not None
    assert model.source_codec.tokenizer.unit == ("vectors",)
    answers = model.predict([source for source, _ in pairs[:20]])
    assert sum(answer.text == target for answer, (_, target) in zip(answers, pairs[:20], strict=True)) >= 15
    save_attention([Attention(pairs[0][0], answers[0])], tmp_path / "a.html")
    drawn = (tmp_path / "a.html").read_text()
    assert drawn.count("<polyline") == 2 * len(answers[0].target_tokens)
