"""Attention in the terminal and in files, in any script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

import seq2see
from seq2see.errors import UserError
from seq2see.inference.results import EMPTY, Prediction
from seq2see.pictures import RAMP, MissingGlyphWarning, heat_lines, save_heat_map, token_label

SCRIPTS = {
    "latin": ["a", "ß", "é"],
    "cyrillic": ["ж", "щ"],
    "combining": ["e\u0301", "a\u0323\u0302", "\u0301"],
    "japanese": ["日", "本", "か\u3099"],
    "hangul": ["한", "글"],
    "devanagari": ["क्षि", "त"],
    "arabic": ["م", "ر"],
    "thai": ["ไ", "ท"],
    "emoji": ["👨\u200d👩\u200d👧", "🙂"],
    "blanks": [" ", "\u00a0", "\u3000"],
    "controls": ["\t", "\n", "\x01"],
    "words": ["house", "of", "cards"],
    "subwords": [" the", " ho", "use", ".", " "],
    "dollars": ["$a_$", "$5-$10", "$"],
    "markup": ["[bold]", "\\", "<pad>"],
}


def prediction(source: list[str], target: list[str]) -> Prediction:
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source)), len(target))
    return Prediction("", source, target, -1.0, -1.0, weights, True)


def test_shades_are_relative_to_the_largest_weight_of_a_row() -> None:
    weights = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    lines = heat_lines(Prediction("", ["a", "b", "<eos>"], ["x", "<eos>"], -1.0, -1.0, weights, True))
    assert [line.plain for line in lines] == ["  a b ∎", f"x   {RAMP[1]} {RAMP[4]}", f"∎ {RAMP[4]}    "]


def test_there_is_one_row_per_target_token_and_one_column_per_source_token(tiny_run: Path) -> None:
    (answer,) = seq2see.load(tiny_run, device="cpu").predict("abcde")
    lines = heat_lines(answer)
    assert len(lines) == 1 + len(answer.target_tokens)
    assert len({len(line.plain) for line in lines}) == 1
    assert lines[0].plain.split() == [*"abcde", "∎"]


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - {"emoji"}))  # terminals differ in how wide those are
def test_columns_are_aligned_in_any_script(script: str) -> None:
    lines = heat_lines(prediction([*SCRIPTS[script], "<eos>"], ["x", *SCRIPTS[script], "<eos>"]))
    assert len({cell_len(line.plain) for line in lines}) == 1
    assert all(line.plain.isprintable() or script == "blanks" for line in lines)


def test_spaces_and_the_end_are_visible() -> None:
    assert token_label(" ") == "␣"
    assert token_label("<eos>") == "∎"
    assert token_label("a") == "a"
    assert token_label(" the") == "␣the"


@pytest.mark.filterwarnings("ignore::seq2see.pictures.MissingGlyphWarning")
@pytest.mark.parametrize("script", SCRIPTS)
def test_any_script_can_be_drawn(script: str, tmp_path: Path) -> None:
    """Other warnings are errors, as are accidental formulas; the installed fonts depend on the machine."""
    path = tmp_path / "attention.png"
    save_heat_map(prediction([*SCRIPTS[script], "<eos>"], [*SCRIPTS[script], "<eos>"]), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_characters_without_a_font_give_one_warning(tmp_path: Path) -> None:
    with pytest.warns(MissingGlyphWarning, match="no installed font") as caught:
        save_heat_map(prediction(["𒀀", "𒀁", "<eos>"], ["x", "<eos>"]), tmp_path / "a.png")
    assert len(caught) == 1


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_extension_decides_the_format(ending: str, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    save_heat_map(prediction(["a", "<eos>"], ["x", "<eos>"]), path)
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["a.foo", "file/a.png"])
def test_an_invalid_path_is_a_user_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        save_heat_map(prediction(["a"], ["x"]), tmp_path / name)
    assert name in str(caught.value)


def test_a_model_without_attention_has_no_heat_map(tiny_language_run: Path, tmp_path: Path) -> None:
    answer = seq2see.load(tiny_language_run, device="cpu").predict("a")[0]
    for show in (heat_lines, lambda prediction: save_heat_map(prediction, tmp_path / "a.png")):
        with pytest.raises(UserError, match="no attention") as caught:
            show(answer)
        assert "--model attention" in caught.value.fix


def test_an_empty_text_is_not_reported_as_a_model_without_attention() -> None:
    with pytest.raises(UserError) as caught:
        heat_lines(EMPTY)
    assert "this model has no attention" not in str(caught.value)


def test_saving_leaves_pyplot_figures_alone(tmp_path: Path) -> None:
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("svg")
    mine = pyplot.figure()
    save_heat_map(prediction(["a"], ["x"]), tmp_path / "a.png")
    try:
        assert matplotlib.get_backend().lower() == "svg"
        assert pyplot.get_fignums() == [mine.number]
    finally:
        pyplot.close("all")


def test_without_matplotlib_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="matplotlib") as caught:
        save_heat_map(prediction(["a"], ["x"]), tmp_path / "a.png")
    assert "plots" in caught.value.fix
