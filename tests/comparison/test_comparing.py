"""Several models trained on the same pairs: shared data, resuming, errors."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from seq2see.comparison import Comparison, compare, plan_runs
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.pages.size_chart import size_picture
from seq2see.run.folder import stored_config

NAMES = ("plain", "attention")


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return tiny_settings | {"model.score": "dot"}


def run(out: Path, pairs: Path, settings: dict[str, Any], *names: str, **more: Any) -> tuple[Comparison | None, str]:
    """The comparison, and the console output."""
    output = Console(file=io.StringIO(), width=200)
    found = compare(names or NAMES, [pairs], out, settings=settings, device="cpu", console=output, **more)
    assert isinstance(output.file, io.StringIO)
    return found, output.file.getvalue()


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, settings: dict[str, Any]
) -> tuple[Path, Comparison, str]:
    """Two models from two seeds each; read only."""
    import torch

    torch.set_num_threads(1)  # as in each test: sums differ with the number of threads
    out = tmp_path_factory.mktemp("compare") / "out"
    found, output = run(out, tiny_pairs, settings, seeds=2)
    assert found
    return out, found, output


@pytest.fixture
def copy(done: tuple[Path, Comparison, str], tmp_path: Path) -> Iterator[Path]:
    """The same for tests that modify it; it keeps its path, which is in config.toml, and is restored afterwards."""
    out = done[0]
    kept = Path(shutil.copytree(out, tmp_path / "kept"))
    yield out
    shutil.rmtree(out)
    shutil.copytree(kept, out)


def weights(out: Path) -> dict[str, bytes]:
    return {path.parent.parent.name: path.read_bytes() for path in out.glob("*/model/model.safetensors")}


def test_all_runs_are_trained_on_the_same_pairs_and_compared_with_the_first(done: tuple[Path, Comparison, str]) -> None:
    out, found, output = done
    members = ["plain-1", "plain-2", "attention-1", "attention-2"]
    assert {path.name for path in out.iterdir()} == {*members, "data", "compare.html"}
    assert found.evaluation.runs == tuple(members)
    assert [group.runs for group in found.evaluation.seed_groups] == [(0, 1), (2, 3)]
    assert found.evaluation.against_first[2]["exact_match"]
    plain, attention = found.evaluation.seed_groups
    assert plain.against_first == {}
    between = attention.against_first["cer"]
    assert between.value == pytest.approx(attention.spreads["cer"].mean - plain.spreads["cer"].mean)
    assert between.interval.low <= between.value <= between.interval.high
    row = next(line for line in str(found).splitlines() if line.startswith("mean ± sd") and "+/-" not in line)
    assert " p " not in row  # of the first recipe
    assert f"p {between.p:.3f}" in str(found)
    assert f"{between.p:.3f}" in found.page.read_text()
    rows = [row for row in found.to_dicts() if row["metric"] == "cer" and row["by"] is None]
    assert rows[0]["difference_low"] is None
    assert rows[2]["difference_low"] <= rows[2]["difference"] <= rows[2]["difference_high"]
    configs = [stored_config(out / name) for name in members]
    assert len({config.data for config in configs}) == 1
    assert len({config.training.max_updates for config in configs}) == 1
    assert [config.training.seed for config in configs] == [1, 2, 1, 2]
    files = [(out / "data" / name).read_text().splitlines() for name in ("train.jsonl", "dev.jsonl")]
    sets = [{json.loads(line)["source"] for line in lines} for lines in files]
    assert not sets[0] & sets[1]
    assert "4/4 attention-2: dev exact match" in output
    assert "note: plain has no option model.score" in output
    assert len(set(weights(out).values())) == 4


def test_finished_runs_are_not_trained_again(copy: Path, tiny_pairs: Path, settings: dict[str, Any]) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.glob("*/model/*")}
    found, output = run(copy, tiny_pairs, settings, seeds=2)
    assert found
    assert output.count("already finished") == 4
    assert {path: path.stat().st_mtime_ns for path in copy.glob("*/model/*")} == before


def test_an_interrupted_run_is_resumed_or_restarted_without_a_checkpoint(
    copy: Path, tiny_pairs: Path, settings: dict[str, Any]
) -> None:
    before = weights(copy)
    for name in ("plain-2", "attention-1"):
        path = copy / name / "metrics.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    shutil.rmtree(copy / "attention-1" / "checkpoints")
    (copy / "attention-2" / "metrics.jsonl").write_text("")
    found, output = run(copy, tiny_pairs, settings, seeds=2)
    assert found
    assert output.count("already finished") == 1
    assert weights(copy) == before


def test_an_interruption_ends_all_and_the_same_call_continues(
    tmp_path: Path, done: tuple[Path, Comparison, str], tiny_pairs: Path, settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "out"

    def interrupt(folder: Path) -> Any:
        if folder.name == "plain-2":
            signal.raise_signal(signal.SIGINT)
        return stored_config(folder)

    monkeypatch.setattr("seq2see.comparison.planned.stored_config", interrupt)
    found, output = run(out, tiny_pairs, settings, seeds=2)
    assert found is None
    assert "interrupted in plain-2; run the same command to continue" in output
    assert not (out / "attention-1").exists()
    assert not (out / "compare.html").exists()
    monkeypatch.undo()
    found, output = run(out, tiny_pairs, settings, seeds=2)
    assert found
    assert output.count("already finished") == 1
    assert weights(out) == weights(done[0])


def test_different_options_or_data_are_errors_before_training(
    copy: Path, tiny_pairs: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"training\.rate: is 0.02, but"):
        run(copy, tiny_pairs, settings | {"training.rate": 0.02}, seeds=2)
    other = tmp_path / "other.tsv"
    other.write_text(tiny_pairs.read_text() + "eee\teee\n")
    with pytest.raises(ConfigError, match="started with other pairs"):
        run(copy, other, settings, seeds=2)


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        (("plain",), {}, "at least two runs"),
        (("plain", "plain"), {}, "at least two runs"),
        (NAMES, {"seeds": 0}, "seeds: must be at least 1"),
        (NAMES, {"seeds": 1001}, "seeds: must be at most 1,000"),
        (("plain", "language_model"), {}, "language models are not supported"),
        (("plain", "atention"), {}, "attention"),
        (NAMES, {"settings": {"model.name": "peeky"}}, "can't be set here"),
        (("plain", "nowhere.toml"), {}, "can't be read"),
    ],
)
def test_invalid_comparisons_are_errors(names: Any, more: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        plan_runs(names, tmp_path, **({"seeds": 1, "settings": {}} | more))
    assert not list(tmp_path.iterdir())


def test_an_unreadable_test_file_is_an_error_before_training(
    tmp_path: Path, tiny_pairs: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(DataError):
        run(tmp_path / "out", tiny_pairs, settings, test=[tmp_path / "nowhere.tsv"])
    assert not (tmp_path / "out").exists()


def test_recipes_can_be_compared_and_need_distinct_names(tmp_path: Path) -> None:
    for name in ("a/one.toml", "b/one.toml", "two.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('[data]\ntrain = "own.tsv"\n[model]\nname = "peeky"\nwidth = 8\n')
    made = plan_runs([str(tmp_path / "a/one.toml"), "plain"], tmp_path / "out", seeds=1, settings={"model.width": 16})
    assert [member.name for member in made] == ["one-1", "plain-1"]
    assert made[0].config.model.name == "peeky"
    assert made[0].config.model.width == 16
    assert made[0].config.data.train == ()
    with pytest.raises(ConfigError, match="two runs have the name one-1"):
        plan_runs([str(tmp_path / "a/one.toml"), str(tmp_path / "b/one.toml")], tmp_path, seeds=1, settings={})


def test_the_command(tmp_path: Path, tiny_pairs: Path, tiny_flags: list[str]) -> None:
    command = [sys.executable, "-m", "seq2see", "compare", "plain", "peeky", "--data", str(tiny_pairs)]
    command += ["--dev", str(tiny_pairs), "--test", str(tiny_pairs), "--out", str(tmp_path / "out"), *tiny_flags]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "peeky-1" in ran.stdout
    assert "+/-: difference from the first run" in ran.stdout
    assert "compare.html" in ran.stderr
    assert (tmp_path / "out" / "compare.html").exists()
    assert all(path.name.endswith(".options.json") for path in (tmp_path / "out" / "data").iterdir())
    ran = subprocess.run([*command, "--test"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2


def test_a_setting_left_out_is_an_error(copy: Path, tiny_pairs: Path, settings: dict[str, Any]) -> None:
    fewer = {key: value for key, value in settings.items() if key != "training.rate"}
    with pytest.raises(ConfigError, match=r"training\.rate: was set when"):
        run(copy, tiny_pairs, fewer, seeds=2)


# --- over the number of pairs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_size(
    tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, settings: dict[str, Any]
) -> tuple[Path, Comparison]:
    out = tmp_path_factory.mktemp("sizes") / "out"
    few = {**settings, "training.max_updates": 4, "training.evaluate_every": 2}
    found, _ = run(out, tiny_pairs, few, seeds=2, sizes=[30, 90])
    assert found
    return out, found


def test_a_larger_set_of_pairs_contains_the_smaller_one(by_size: tuple[Path, Comparison]) -> None:
    out, found = by_size
    assert found.evaluation.runs == tuple(
        f"{name}-{size}-{seed}" for name in ("plain", "attention") for size in (30, 90) for seed in (1, 2)
    )
    small, large = ((out / "data" / f"train-{size}.jsonl").read_text().splitlines() for size in (30, 90))
    assert (len(small), len(large)) == (30, 90)
    assert set(small) < set(large)
    assert small == [line for line in large if line in small]  # in the order of the file
    for name in found.evaluation.runs:
        assert stored_config(out / name).data.train[0].endswith(f"train-{name.split('-')[1]}.jsonl")
        assert stored_config(out / name).data.dev == (str(out / "data" / "dev.jsonl"),)


def test_scores_by_size_are_in_the_table_and_in_the_picture(by_size: tuple[Path, Comparison]) -> None:
    out, found = by_size
    assert [(each.recipe, each.size) for each in found.sizes] == [
        (name, size) for name in ("plain", "attention") for size in (30, 90)
    ]
    each = found.sizes[-1]
    values = [report.scores["cer"].value for report in found.evaluation.reports[-2:]]
    assert each.values["cer"] == tuple(values)
    spread = each.spread("cer")
    assert spread
    mean, deviation = spread
    assert mean == pytest.approx(sum(values) / 2)
    assert each.band("cer") == pytest.approx((mean - deviation, mean + deviation))
    assert f"{100 * mean:.2f} ± {100 * deviation:.2f} %" in str(found)
    assert "Scores by number of training pairs" in found.page.read_text()
    assert found.picture == out / "sizes.svg"
    drawn = ElementTree.parse(found.picture).getroot()
    assert drawn.get("width") == "84mm"
    paths = list(drawn.iter("{http://www.w3.org/2000/svg}path"))
    assert sum("band" in (path.get("class") or "") for path in paths) == 2
    assert sum((path.get("data-name") or "") in ("plain", "attention") for path in paths) == 2


def test_the_text_of_a_picture_has_one_size_at_any_width(by_size: tuple[Path, Comparison]) -> None:
    _, found = by_size
    scale = found.evaluation.reports[0].measured["exact_match"].scale
    for width in (84.0, 174.0):
        drawn = ElementTree.fromstring(size_picture(found.sizes, "exact_match", scale, width))
        assert drawn.get("width") == f"{width:g}mm"
        style = drawn.find("{http://www.w3.org/2000/svg}style")
        assert style is not None and style.text
        pixels = float(re.findall(r"font:([\d.]+)px", style.text)[0])
        millimetres = pixels * width / float(drawn.get("viewBox", "").split()[2])
        assert millimetres == pytest.approx(8 * 25.4 / 72, rel=0.01)  # 8 points


@pytest.mark.parametrize(
    ("sizes", "what"), [([30, 30], "different numbers"), ([1, 30], "at least 2"), ([30, 500], "at most 108")]
)
def test_sizes_that_can_not_be_are_refused(
    sizes: list[int], what: str, tmp_path: Path, tiny_pairs: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=what):
        run(tmp_path / "out", tiny_pairs, settings, sizes=sizes)


def test_tags_of_the_decoder_alone_are_left_out_for_models_without_soft_attention(tmp_path: Path) -> None:
    said: list[str] = []
    settings = {"model.tags": "decoder"}
    made = plan_runs(["transducer", "bidirectional"], tmp_path, seeds=1, settings=settings, say=said.append)
    assert said == ["note: transducer has no option model.tags=decoder; ignored"]
    assert [run.config.model.tags for run in made] == [None, "decoder"]


def test_drawn_alignments_are_left_out_for_models_without_an_alignment(tmp_path: Path) -> None:
    settings, said = {"training.sample_alignments": True}, list[str]()
    made = plan_runs(["transducer", "plain"], tmp_path, seeds=1, settings=settings, say=said.append)
    assert said == ["note: plain has no option training.sample_alignments=True; ignored"]
    assert [run.config.training.sample_alignments for run in made] == [True, None]


def test_losses_of_attention_are_left_out_for_models_without_it(tmp_path: Path) -> None:
    settings = {"training.guided_attention": 1.0, "training.coverage": 0.5}
    said: list[str] = []
    made = plan_runs(["plain", "attention"], tmp_path, seeds=1, settings=settings, say=said.append)
    assert said == ["note: plain has no option training.coverage=0.5, training.guided_attention=1.0; ignored"]
    assert [run.config.training.attention_losses for run in made] == [
        {},
        {"coverage": 0.5, "guided_attention": 1.0},
    ]
    recipe = tmp_path / "plain.toml"
    recipe.write_text('[model]\nname = "plain"\n[training]\ncoverage = 1.0\n')
    with pytest.raises(ConfigError, match="no attention"):
        plan_runs(["attention", str(recipe)], tmp_path, seeds=1, settings={})
