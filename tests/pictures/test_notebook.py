"""Attention and predictions in a notebook: heat maps, plots and dicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from seq2see.errors import UserError
from seq2see.inference.results import EMPTY, Prediction
from seq2see.pictures import Attention, prediction_html

EVIL = "<script>"


def attention(*, heads: bool = False) -> Attention:
    of_heads = np.random.default_rng(0).dirichlet(np.ones(3), (2, 2, 2)).astype(np.float32)
    prediction = Prediction(EVIL, [EVIL, "b", "<eos>"], [EVIL, "<eos>"], -1.0, -0.5, of_heads[1].mean(0), True)
    return Attention(EVIL, prediction, of_heads if heads else None, 1)


def test_a_notebook_shows_an_escaped_heat_map() -> None:
    for heads, cells in ((False, 6), (True, 6 * 5)):
        root = ElementTree.fromstring(attention(heads=heads)._repr_html_())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert EVIL in "".join(root.itertext())
        assert len([each for each in root.iter("{http://www.w3.org/2000/svg}rect") if len(each)]) == cells


def test_dicts_have_every_weight() -> None:
    mean, found = attention(), attention(heads=True)
    assert found.heads is not None
    assert set(mean.to_dict()) == set(found.to_dict()) - {"shown_layer", "heads"}
    np.testing.assert_array_equal(np.array(mean.to_dict()["weights"], np.float32), mean.weights)
    rows = mean.to_dicts()
    assert rows[1] == {
        "target_position": 0,
        "source_position": 1,
        "target_token": EVIL,
        "source_token": "b",
        "weight": pytest.approx(float(mean.weights[0, 1])),
    }
    weights = np.array([row["weight"] for row in found.to_dicts()], np.float32)
    np.testing.assert_array_equal(weights, found.heads.ravel())
    assert found.to_dicts()[-1] | {"layer": 2, "head": 2} == found.to_dicts()[-1]


def test_plot_draws_on_the_given_axes_or_a_new_figure() -> None:
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    mine = Figure().subplots()
    assert attention().plot(mine) is mine
    assert len(mine.images) == 1
    np.testing.assert_array_equal(np.asarray(mine.images[0].get_array()), attention().weights)
    assert [label.get_text() for label in mine.get_yticklabels()] == [EVIL, "∎"]
    assert pyplot.get_fignums() == []
    try:
        axes = attention(heads=True).plot()
        assert axes.figure.number == pyplot.get_fignums()[0]  # type: ignore[union-attr]
    finally:
        pyplot.close("all")


def test_without_matplotlib_plot_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="need matplotlib") as caught:
        attention().plot()
    assert 'pip install "seq2see[plots]"' in caught.value.fix


def test_a_prediction_is_shown_with_its_text_and_heat_map() -> None:
    html = prediction_html(attention().prediction)
    assert "&lt;script&gt;" in html
    assert EVIL not in html
    assert "<svg" in html
    assert "log-probability -1.0000, score -0.5000" in html
    assert "cut off" in prediction_html(replace(attention().prediction, finished=False))
    assert "<svg" not in prediction_html(replace(attention().prediction, weights=None))
    assert "<p" in prediction_html(EMPTY)


def test_tokens_are_listed_if_they_have_log_probabilities() -> None:
    prediction = attention().prediction
    log_probs = tuple(-0.25 * number for number in range(1, len(prediction.target_tokens) + 1))
    assert "-0.2500" in prediction_html(replace(prediction, token_log_probs=log_probs))
