"""examples/tour.ipynb runs from its first cell to its last, and shows what it promises."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def outputs_of(cell: Any) -> str:
    """All that a cell shows, as HTML and as text."""
    shown = [output.get("data", {}) for output in cell.get("outputs", ())]
    texts = [str(output.get("text", "")) for output in cell.get("outputs", ())]
    return "".join([*(str(value) for data in shown for value in data.values()), *texts])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_tour_runs_and_shows_card_table_and_heat_map(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for name in ("tour.ipynb", "dates.tsv"):
        shutil.copy(EXAMPLES / name, tmp_path)
    notebook = nbformat.read(tmp_path / "tour.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {
        cell["source"].splitlines()[-1]: outputs_of(cell) for cell in notebook.cells if cell["cell_type"] == "code"
    }
    assert "Seq2See model" in shown["model"]
    assert "1994-09-27" in shown["prediction"]
    assert "<svg" in shown["attention"]
    assert "image/png" in str(notebook)
    assert "exact match" in shown["report"]
    assert "identical predictions" in shown['print(f"{packed.size / 1e6:.2f} MB")']
    assert "2007-05-03" in shown["small"]
    assert (tmp_path / "runs" / "tour.seq2see").is_file()


def test_the_notebook_is_stored_without_outputs() -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_training_shows_a_bar_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display")
    from rich.console import Console

    from seq2see.run.progress import Display
    from seq2see.training import Updated

    shown: list[str] = []

    class Handle:
        def update(self, html: Any) -> None:
            shown.append(html.data)

    def show(html: Any, *, display_id: bool) -> Handle:
        shown.append(html.data)
        return Handle()

    monkeypatch.setattr(display, "display", show)
    console = Console(force_jupyter=True, quiet=False, file=io.StringIO())
    with Display(console, 20) as progress:
        progress(Updated(5, 0, 1.25, 0.001, 0.5, 1000.0, 2.0))
    assert ["5" in each and 'max="20"' in each for each in shown] == [False, True, False]
    assert "loss 1.250" in shown[1]
    assert shown[-1] == ""
