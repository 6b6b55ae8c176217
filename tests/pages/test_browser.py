"""The pages in a browser: nothing is cut, nothing is reported on the console, and the script does what it is for.

Skipped where there is no Chromium or no Playwright (extra `browser`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import PATIENCE

from seq2see.curves.history import read_history
from seq2see.evaluation import EvaluationOptions, evaluate_runs
from seq2see.inference.results import Prediction
from seq2see.pages import write_report
from seq2see.pages.comparison import write_comparison
from seq2see.pictures import Attention, save_attention


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page file; afterwards, it must have put nothing on the console."""
    contexts, messages = [], []

    def made(path: Path, width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(path.absolute().as_uri())
        return page

    yield made
    for context in contexts:
        context.close()
    assert messages == []


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_pairs: Path) -> dict[str, Path]:
    """One page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in ("attend", "report", "compare")}
    chance = np.random.default_rng(0)
    texts = []
    date = [*"march 21, 2006", "<eos>"], [*"2006-03-21", "<eos>"]
    for source, target in (date, ([*"שלום", "<eos>"], ["日", "本"])):
        sizes = ((len(target), len(source)), (len(source), len(source)), (len(target), len(target)))
        heads = [chance.dirichlet(np.ones(columns), (2, 4, rows)) for rows, columns in sizes]
        answer = Prediction("".join(target[:-1]), source, target, -1.0, -1.0, heads[0][0].mean(0), True)
        texts.append(Attention("".join(source[:-1]), answer, heads[0], 0, heads[1], heads[2]))
    save_attention(texts, found["attend"])
    write_report(tiny_run, found["report"], [tiny_pairs], device="cpu")
    evaluation = replace(evaluate_runs([tiny_run] * 2, [tiny_pairs], EvaluationOptions()), runs=("first", "second"))
    predictions = evaluation.reports[1].outputs.predictions
    assert predictions is not None
    outputs = evaluation.reports[1].outputs._replace(predictions=("zz",) * len(predictions))
    evaluation = replace(evaluation, reports=(evaluation.reports[0], replace(evaluation.reports[1], outputs=outputs)))
    histories = [replace(read_history(tiny_run), name=name) for name in evaluation.runs]
    write_comparison(found["compare"], evaluation, histories, [tiny_run] * 2, data=[tiny_pairs], tested_on="pairs.tsv")
    return found


TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
CUT = """() => {
  const wide = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
  const inside = (element, box) => {
    const own = element.getBoundingClientRect(), other = box.getBoundingClientRect();
    return own.right <= other.right + 1 && own.left >= other.left - 1;
  };
  const labels = [...document.querySelectorAll("svg text")].filter(text => !inside(text, text.closest("svg")));
  const stuck = [...document.querySelectorAll("table")].filter(table => {
    const box = table.closest(".scroll");
    return !box || (table.getBoundingClientRect().width > box.clientWidth + 1 &&
      !box.matches(".more, .back") && getComputedStyle(box).overflowX !== "visible");
  });
  return [...wide, ...labels.map(each => each.textContent), ...stuck.map(each => each.caption.textContent)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
@pytest.mark.parametrize("name", ["attend", "report", "compare"])
def test_axe_finds_no_violation(
    opened: Callable[..., Any], pages: dict[str, Path], axe: Callable[..., Any], name: str, width: int, scheme: str
) -> None:
    assert axe(opened(pages[name], width, color_scheme=scheme)) == []


@pytest.mark.parametrize("name", ["attend", "report", "compare"])
def test_nothing_is_cut_and_what_scrolls_says_so(opened: Callable[..., Any], pages: dict[str, Path], name: str) -> None:
    for width in (1200, 375):
        page = opened(pages[name], width)
        page.evaluate(TWO_FRAMES)  # after which the observer of sizes has run
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(CUT) == [], (width, scheme)
            behind = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (behind == "rgb(255, 255, 255)") == (scheme == "light")


def test_at_1200_px_no_list_has_to_be_scrolled_sideways(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    for name in ("report", "compare"):
        page = opened(pages[name])
        assert page.locator("table.list").count() == 1
        assert page.evaluate(
            "[...document.querySelectorAll('.list')].every(each => each.clientWidth <= each.parentNode.clientWidth)"
        )


def test_cells_of_attention_are_square_whatever_their_caption(
    opened: Callable[..., Any], pages: dict[str, Path]
) -> None:
    page = opened(pages["attend"], 375)
    sides = page.evaluate("[...document.querySelectorAll('td[title]')].map(e => e.getBoundingClientRect())")
    assert len(sides) > 100
    assert all(abs(each["width"] - each["height"]) < 1 for each in sides)
    assert page.locator("#text-2 .hint").is_hidden(), "four letters fit"


@pytest.mark.parametrize("name", ["attend", "report", "compare"])
def test_without_script_all_content_is_there(opened: Callable[..., Any], pages: dict[str, Path], name: str) -> None:
    def content(*, script: bool) -> list[str]:
        page = opened(pages[name], java_script_enabled=script)
        parts = page.locator("main td, main h2, main h3, main p:not(.hint, .scale)")
        return parts.all_inner_texts()  # type: ignore[no-any-return]

    assert content(script=False) == content(script=True)


def test_errors_are_sorted_and_filtered(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    page = opened(pages["report"])
    table = page.locator("#errors table")

    def column(number: int) -> list[str]:
        return table.locator(f"tbody tr:visible td:nth-child({number})").all_inner_texts()  # type: ignore[no-any-return]

    assert len(column(2)) > 3
    for number, key in ((1, lambda text: float(text.removesuffix(" %"))), (2, str)):
        heading = table.locator(f"thead th:nth-child({number})")
        heading.get_by_role("button").click()
        assert column(number) == sorted(column(number), key=key)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.get_by_role("button").press("Enter")
        assert column(number) == sorted(column(number), key=key, reverse=True)
    wanted = column(2)[1]
    total = len(column(2))
    page.locator("#errors").get_by_role("searchbox").fill(wanted.upper())
    rows = table.locator("tbody tr:visible").all()
    assert all(any(wanted in text for text in row.locator("td").all_inner_texts()) for row in rows)
    assert page.locator("#errors .filter output").inner_text() == f"{len(column(2))} of {total} rows"


def test_cells_say_their_weight_under_the_pointer_and_with_the_keyboard(
    opened: Callable[..., Any], pages: dict[str, Path]
) -> None:
    page = opened(pages["attend"])
    section = page.locator("#text-1")
    said = section.locator("output.readout").first
    cells = section.locator("tbody td")
    cells.nth(1).hover()
    assert said.inner_text() == f"\u20682\u2069 attends to \u2068a\u2069: {cells.nth(1).get_attribute('title')}"
    cells.nth(0).focus()
    page.keyboard.press("ArrowDown")
    assert said.inner_text().startswith("\u20680\u2069 attends to \u2068m\u2069: 0.")
    backward = page.locator("#text-2")
    backward.locator("tbody td").nth(0).focus()
    page.keyboard.press("ArrowLeft")  # the next token of a right-to-left source
    assert "attends to \u2068ל\u2069" in backward.locator("output.readout").first.inner_text()


def test_the_switch_stretches_the_scale_and_returns(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    page = opened(pages["attend"])
    section = page.locator("#text-1")

    def shades() -> list[str]:
        return page.evaluate(  # type: ignore[no-any-return]
            "[...document.querySelectorAll('#text-1 td[class], #text-1 .head path')].map(e => e.getAttribute('class'))"
        )

    before = shades()
    assert "w100" not in before
    section.get_by_role("checkbox").check()
    assert "w100" in shades()
    assert section.locator(".end").inner_text() != "1"
    section.get_by_role("checkbox").uncheck()
    assert shades() == before


def test_a_head_is_enlarged_and_names_its_cells(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    page = opened(pages["attend"])
    figure = page.locator("#text-1 .head").first
    figure.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_attribute("aria-label") == "layer 1, head 1"
    box = dialog.locator("svg").bounding_box()
    assert box["width"] > 2 * figure.locator("svg").bounding_box()["width"]
    page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + 0.98 * box["height"])
    assert dialog.locator("output").inner_text().startswith("\u2068∎\u2069 attends to \u2068∎\u2069: ")
    page.keyboard.press("Escape")
    assert dialog.count() == 0


def test_curves_say_their_values(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    page = opened(pages["compare"])
    figure = page.locator("figure.chart[data-to]").nth(1)
    drawing = figure.locator("svg")
    drawing.scroll_into_view_if_needed()
    drawing.hover(position={"x": 0.9 * drawing.bounding_box()["width"], "y": 50})
    said = figure.locator("output").inner_text()
    last = drawing.get_attribute("aria-label").rpartition("second: ")[2]
    value, update = last.partition("; ")[0].split(", ")[1].split(" at update ")
    assert said == f"update {update}: first {value}, second {value}"


def test_the_colors_can_be_chosen_and_the_choice_is_kept(opened: Callable[..., Any], pages: dict[str, Path]) -> None:
    page = opened(pages["report"], color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    page.locator("button.theme").click()
    assert page.evaluate(background) != "rgb(255, 255, 255)"
    assert page.locator("button.theme").inner_text() == "light"
    page.reload()
    assert page.evaluate(background) != "rgb(255, 255, 255)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
