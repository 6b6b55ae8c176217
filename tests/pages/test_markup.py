"""Escaped HTML, and charts."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seq2see.curves.history import History, Point
from seq2see.markup import element, escaped, joined, paragraph, table
from seq2see.markup.colors import DARK_SHADES, SHADES, contrast, heat_rules, ink, luminance
from seq2see.markup.page import document, script, style
from seq2see.pages.charts import MOST_POINTS, WIDTH, charts, line_styles, short, thinned, ticks


def test_text_is_escaped() -> None:
    assert escaped("<script>alert('1')</script> & \"x\"") == (
        "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; &quot;x&quot;"
    )
    assert element("td", "<b>", class_='"><i>') == '<td class="&quot;&gt;&lt;i&gt;">&lt;b&gt;</td>'
    assert element("p", [element("em", "a&b")], aria_label="") == "<p><em>a&amp;b</em></p>"


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85", "\u202e", "\u2066", "\ud800"])
def test_control_characters_and_direction_marks_are_shown_by_code_point(character: str) -> None:
    assert escaped(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"


def test_scripts_and_emoji_are_unchanged() -> None:
    for text in ("क्‍ष", "👩‍👩‍👧", "שלום", "a\tb\nc"):
        assert escaped(text) == text


def test_a_section_without_content_is_left_out_of_page_and_navigation() -> None:
    page = document("t", [("a", "A", [paragraph("x")]), ("b", "B", []), ("c", "C", [paragraph("y")])])
    assert 'href="#a"' in page
    assert 'href="#b"' not in page
    assert "<nav" not in document("t", [("a", "A", [paragraph("x")])]), "a single section needs no navigation"
    assert "<h2" in page


def test_a_table_has_a_caption_and_column_headers() -> None:
    made = table(["<x>", "n"], [[element("td", "1"), element("td", "2")]], caption="c & d", numbers=(1,))
    assert '<th scope="col">&lt;x&gt;</th><th scope="col" class="number">n</th>' in made
    assert "<caption>c &amp; d</caption>" in made
    assert 'tabindex="0" role="group" aria-label="c &amp; d"' in made


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 250, [0, 50, 100, 150, 200, 250]), (0.3, 1.9, [0, 0.5, 1, 1.5, 2]), (0, 0, [0, 1]), (3, 3, [3, 6])],
)
def test_ticks_are_round_and_enclose_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_axis_labels_are_short() -> None:
    assert [short(value) for value in (0, 0.004, 1.25, 250, 1500, 40_000)] == [
        "0",
        "0.004",
        "1.25",
        "250",
        "1500",
        "40k",
    ]


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    points = [Point(update, 1.0) for update in range(1, 6001)]
    thin = thinned(points)
    assert len(thin) <= MOST_POINTS + 1
    assert (thin[0], thin[-1]) == (points[0], points[-1])
    assert thinned([]) == []
    assert thinned(points[:1]) == points[:1]


def test_a_chart_has_a_text_alternative_and_several_runs_have_a_legend() -> None:
    one = History("r<1>", train_loss=[Point(1, 3.0), Point(10, 1.0)], best_update=10)
    two = History("r2", dev_loss=[Point(5, 2.0)], best_update=5)
    single, both = joined(charts([one])), joined(charts([one, two]))
    assert 'aria-label="training loss: 3 at update 1, 1 at update 10"' in single
    assert 'class="legend"' not in single
    assert "<span>r&lt;1&gt;</span>" in both
    assert "r2: 2 at update 5" in both
    assert "nan" not in both.lower()


def test_seeds_of_a_model_share_a_color_and_differ_in_dashes() -> None:
    assert line_styles(["a", "a", "b", "a"]) == [(0, 0), (0, 1), (1, 0), (0, 2)]


def test_numbers_contrast_with_their_shade() -> None:
    """At least 4.5 to 1, as WCAG 2 asks of text (1.4.3), on light and on dark pages."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for shade in (*SHADES, *DARK_SHADES):
        written = {"#000": "#000000", "#fff": "#ffffff"}[ink(shade)]
        assert contrast(written, shade) >= 4.5, shade


def test_every_weight_has_a_color_and_an_ink_in_both_modes() -> None:
    rules = heat_rules()
    for number, (light, dark) in enumerate(zip(SHADES, DARK_SHADES, strict=True)):
        assert f".w{number}{{--shade:light-dark({light},{dark})}}" in rules
    inks = dict.fromkeys(range(101), "")
    for selectors, pair in re.findall(r"([.w\d,]+)\{--on:(light-dark\([^)]*\))\}", rules):
        for selector in selectors.split(","):
            assert not inks[int(selector[2:])]
            inks[int(selector[2:])] = pair
    assert inks[0] == "light-dark(#000,#fff)"
    assert inks[100] == "light-dark(#fff,#000)"
    assert all(inks.values())


def test_the_scale_of_a_dark_page_rises_evenly() -> None:
    lightness = [116 * np.cbrt(luminance(color)) - 16 for color in DARK_SHADES]
    steps = np.diff(lightness)
    assert lightness[0] < 15
    assert lightness[-1] > 90
    assert 0.3 < steps.min() <= steps.max() < 1.8


def test_style_and_script_of_a_page_are_small() -> None:
    assert len(style().encode()) < 20_000
    assert len(script().encode()) < 12_000
    loaded = style() + script().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|@import|url\(|innerHTML|eval\(", loaded)


def test_the_last_label_of_an_axis_fits_the_drawing() -> None:
    drawn = joined(charts([History("r", dev_loss=[Point(1, 1.0), Point(40_000, 2.0)])]))
    for place, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]*)', drawn):
        assert float(place) + 3.5 * len(text) <= WIDTH
