"""Learning curves drawn by matplotlib."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seq2see.curves.history import read_history
from seq2see.curves.plot import COLORS, DASHES, QUANTITIES, draw_curves, legend_name, line_style, picture
from seq2see.errors import CheckpointError, ConfigError, UserError

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("ending", MAGIC)
def test_each_format_is_written(tiny_run: Path, tmp_path: Path, ending: str) -> None:
    assert draw_curves([tiny_run], tmp_path / f"curves{ending}") == []
    assert (tmp_path / f"curves{ending}").read_bytes().startswith(MAGIC[ending])


def test_runs_share_axes_and_a_language_model_has_no_exact_match(tiny_run: Path, tiny_language_run: Path) -> None:
    histories = [read_history(tiny_run), read_history(tiny_language_run)]
    assert [bool(quantity.points(histories[0])) for quantity in QUANTITIES] == [True] * 5
    assert [quantity.title for quantity in QUANTITIES if not quantity.points(histories[1])] == ["dev exact match"]
    root = ElementTree.fromstring(picture(histories, "svg"))
    styles = " ".join(str(path.get("style")) for path in root.iter("{http://www.w3.org/2000/svg}path")).lower()
    assert COLORS[0].lower() in styles
    assert COLORS[1].lower() in styles


@pytest.mark.parametrize(("width", "columns"), [(84.0, 1), (174.0, 2)])
def test_a_picture_has_the_width_that_is_asked_for(tiny_run: Path, tmp_path: Path, width: float, columns: int) -> None:
    """In millimetres, with text of 8 points, and one column of panels if it is narrow."""
    assert draw_curves([tiny_run], tmp_path / "curves.svg", width) == []
    root = ElementTree.fromstring((tmp_path / "curves.svg").read_bytes())
    points = float(str(root.get("width")).removesuffix("pt"))
    assert points * 25.4 / 72 == pytest.approx(width, abs=0.1)
    height = float(str(root.get("height")).removesuffix("pt"))
    assert (height > 2 * points) == (columns == 1)


def test_many_runs_have_distinct_styles() -> None:
    styles = {tuple(line_style(number).values()) for number in range(len(COLORS) * len(DASHES))}
    assert len(styles) == len(COLORS) * len(DASHES)


def test_run_names_are_plain_text_in_the_legend(tiny_run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "_$x^{$"
    shutil.copytree(tiny_run, odd)
    assert draw_curves([odd], tmp_path / "curves.svg") == []
    assert legend_name("_a") == "./_a"
    assert legend_name("runs/_a") == "runs/_a"


def test_damaged_lines_are_reported_and_the_rest_is_drawn(tiny_run_copy: Path, tmp_path: Path) -> None:
    path = tiny_run_copy / "metrics.jsonl"
    path.write_text("half a li\n" + path.read_text())
    assert draw_curves([tiny_run_copy], tmp_path / "curves.png") == [
        f"skipped {path}:1: invalid JSON: truncated or modified"
    ]


def test_an_error_leaves_an_existing_file_unchanged(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "curves.png"
    out.write_bytes(b"before")
    with pytest.raises(CheckpointError, match="can't be read"):
        draw_curves([tiny_run, tmp_path], out)
    (tmp_path / "ended").mkdir()
    end = '{"event": "end", "update": 3, "reason": "x", "best_update": 2, "seconds": 1}\n'
    (tmp_path / "ended" / "metrics.jsonl").write_text(end)
    with pytest.raises(CheckpointError, match="nothing to plot"):
        draw_curves([tmp_path / "ended"], out)
    shutil.rmtree(tmp_path / "ended")
    with pytest.raises(ConfigError, match=r"unsupported format \.jpg"):
        draw_curves([tiny_run], tmp_path / "curves.jpg")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match="need matplotlib"):
        draw_curves([tiny_run], out)
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_the_command(tiny_run_copy: Path, tmp_path: Path) -> None:
    with (tiny_run_copy / "metrics.jsonl").open("a") as file:
        file.write("?\n")
    out = tmp_path / "curves.svg"
    command = [sys.executable, "-m", "seq2see", "curves", str(tiny_run_copy), "-o", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{out}\n"
    assert "note: skipped" in ran.stderr
    assert out.exists()
