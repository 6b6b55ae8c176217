"""Learning curves as a picture."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seq2see.curves.history import read_history
from seq2see.curves.plot import COLOURS, DASHES, PANELS, draw_curves, look, picture, shown
from seq2see.errors import CheckpointError, ConfigError, UserError

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("ending", MAGIC)
def test_each_kind_of_picture_is_written(tiny_run: Path, tmp_path: Path, ending: str) -> None:
    assert draw_curves([tiny_run], tmp_path / f"curves{ending}") == []
    assert (tmp_path / f"curves{ending}").read_bytes().startswith(MAGIC[ending])


def test_runs_lie_over_one_another_and_a_language_model_has_a_line_less(
    tiny_run: Path, tiny_language_run: Path
) -> None:
    histories = [read_history(tiny_run), read_history(tiny_language_run)]
    assert [bool(panel.points(histories[0])) for panel in PANELS] == [True] * 5
    assert [panel.title for panel in PANELS if not panel.points(histories[1])] == ["dev exact match"]
    root = ElementTree.fromstring(picture(histories, "svg"))
    styles = " ".join(str(path.get("style")) for path in root.iter("{http://www.w3.org/2000/svg}path")).lower()
    assert COLOURS[0].lower() in styles
    assert COLOURS[1].lower() in styles


def test_no_two_of_many_runs_look_the_same() -> None:
    looks = {tuple(look(number).values()) for number in range(len(COLOURS) * len(DASHES))}
    assert len(looks) == len(COLOURS) * len(DASHES)


def test_the_name_of_a_run_is_no_formula_and_is_not_hidden(tiny_run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "_$x^{$"
    shutil.copytree(tiny_run, odd)
    assert draw_curves([odd], tmp_path / "curves.svg") == []
    assert shown("_a") == "./_a"
    assert shown("runs/_a") == "runs/_a"


def test_damaged_lines_are_named_and_the_rest_is_drawn(tiny_run_copy: Path, tmp_path: Path) -> None:
    path = tiny_run_copy / "metrics.jsonl"
    path.write_text("half a li\n" + path.read_text())
    assert draw_curves([tiny_run_copy], tmp_path / "curves.png") == [
        f"left out {path}:1: not a line of JSON: cut short, or changed"
    ]


def test_what_can_not_be_drawn_leaves_what_was_there(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "curves.png"
    out.write_bytes(b"before")
    with pytest.raises(CheckpointError, match="can't be read"):
        draw_curves([tiny_run, tmp_path], out)
    (tmp_path / "ended").mkdir()
    end = '{"event": "end", "update": 3, "reason": "x", "best_update": 2, "seconds": 1}\n'
    (tmp_path / "ended" / "metrics.jsonl").write_text(end)
    with pytest.raises(CheckpointError, match="nothing to draw"):
        draw_curves([tmp_path / "ended"], out)
    shutil.rmtree(tmp_path / "ended")
    with pytest.raises(ConfigError, match=r"\.jpg is no kind of picture"):
        draw_curves([tiny_run], tmp_path / "curves.jpg")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match="need matplotlib"):
        draw_curves([tiny_run], out)
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_the_command_writes_it_and_says_so(tiny_run_copy: Path, tmp_path: Path) -> None:
    with (tiny_run_copy / "metrics.jsonl").open("a") as file:
        file.write("?\n")
    out = tmp_path / "curves.svg"
    command = [sys.executable, "-m", "seq2see", "curves", str(tiny_run_copy), "-o", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{out}\n"
    assert "note: left out" in ran.stderr
    assert out.exists()
