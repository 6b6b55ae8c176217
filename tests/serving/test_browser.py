"""The page at / in a browser: it asks while one types, and shows what is answered.

Skipped where there is no Chromium or no Playwright (extra `browser`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PATIENCE
from tests.serving.conftest import Running, eventually, require_extra, running

import seq2see
from seq2see.inference.notes import UnknownTextWarning

require_extra()


@pytest.fixture
def opened(browser: Any, service: Running) -> Iterator[Callable[..., Any]]:
    """Opens the page; afterwards, it must have put nothing on the console."""
    contexts, messages = [], []

    def made(address: str = "", width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(f"http://127.0.0.1:{service.port}/{address}")
        page.wait_for_selector("#model option", state="attached")
        return page

    yield made
    for context in contexts:
        context.close()
    refused = "Failed to load resource"  # which a browser says by itself
    assert [each for each in messages if not each.startswith(refused)] == []


def until(page: Any, expression: str) -> None:
    """Waits until this is true; Playwright's own way to wait evaluates text in the page, which the page forbids."""
    eventually(lambda: page.evaluate(expression), seconds=PATIENCE / 1000)


def answers(page: Any, number: int) -> list[str]:
    until(page, f"document.querySelectorAll('#answers button').length === {number}")
    return page.locator("#answers .text").all_text_contents()


def test_it_answers_while_one_types_and_shows_every_answer_with_its_probability(
    opened: Callable[..., Any], tiny_run: Path
) -> None:
    page = opened()
    page.fill("#text", "deab")
    assert answers(page, 1) == [seq2see.load(tiny_run).predict("deab")[0].text]
    page.select_option("#beam", "3")
    found = seq2see.load(tiny_run).predict("deab", beam=3, n_best=3)[0].all
    assert answers(page, 3) == [each.text for each in found]
    shares = [float(each) for each in page.eval_on_selector_all("progress", "each => each.map(one => one.value)")]
    assert shares == pytest.approx([2.718281828**each.log_prob for each in found], rel=1e-4)
    assert page.locator("#state").text_content().startswith("3 answers, best: ")


def test_the_grid_has_the_probability_of_each_token_and_where_the_model_looks(
    opened: Callable[..., Any], tiny_run: Path
) -> None:
    page = opened("#text=de+ab&model=tiny")
    with pytest.warns(UnknownTextWarning):  # of the blank
        (found,) = seq2see.load(tiny_run).predict("de ab")
    page.wait_for_selector("#tokens table")
    assert page.locator("#tokens thead th").all_text_contents() == ["prob.", *found.source_tokens[:-1], "∎"]
    assert page.locator("#tokens tbody th").all_text_contents() == [*found.target_tokens[:-1], "∎"]
    titles = page.eval_on_selector_all(
        "#tokens tbody tr", "rows => rows.map(row => [...row.cells].slice(1).map(c => +c.title))"
    )
    for row, log_prob, weights in zip(titles, found.token_log_probs, found.weights, strict=True):
        assert row == pytest.approx([2.718281828**log_prob, *weights.tolist()], abs=1e-3)
    page.locator("#tokens td >> nth=1").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert re.search(r"→.*: 0\.\d{4}$", page.locator("output.readout").text_content())


def test_pointing_at_a_token_shows_where_the_model_looked(opened: Callable[..., Any], tiny_run: Path) -> None:
    page = opened("#text=deab&model=tiny")
    answers(page, 1)
    (found,) = seq2see.load(tiny_run).predict("deab")
    token = page.locator(".tokens.target button").nth(1)
    token.hover()
    said = page.locator(".bands .readout").text_content()
    assert said == token.get_attribute("aria-label")
    share = 2.718281828 ** found.token_log_probs[1]
    assert said.startswith(f"\u2068{found.target_tokens[1]}\u2069: probability {100 * share:.0f} %; looks at ")
    assert page.locator(".bands path.here").count() == sum(weight >= 0.02 for weight in found.weights[1])


def test_the_address_holds_what_is_asked_and_back_goes_back(opened: Callable[..., Any]) -> None:
    page = opened("#text=abc&model=tiny&beam=3")
    first = answers(page, 3)
    page.wait_for_timeout(1600)
    page.fill("#text", "deab")
    until(page, "location.hash.includes('text=deab')")
    assert "model=tiny&beam=3" in page.url
    second = answers(page, 3)
    page.go_back()
    until(page, "document.querySelector('#text').value === 'abc'")
    until(page, f"document.querySelector('#answers .text').textContent === {first[0]!r}")
    assert first != second
    other = opened(page.url[page.url.index("#") :])
    assert answers(other, 3) == first


def test_examples_come_from_the_model_card_and_are_asked_at_a_click(opened: Callable[..., Any]) -> None:
    page = opened()
    button = page.locator("#examples button").first
    text = button.text_content()
    button.click()
    answers(page, 1)
    assert page.input_value("#text") == text


def test_answers_are_chosen_with_the_arrow_keys(opened: Callable[..., Any]) -> None:
    page = opened("#text=abc&model=tiny&beam=3")
    answers(page, 3)
    page.locator("#answers button").first.focus()
    page.keyboard.press("ArrowDown")
    pressed = page.eval_on_selector_all("#answers button", "each => each.map(one => one.ariaPressed)")
    assert pressed == ["false", "true", "false"]


def test_a_token_has_its_alternatives_and_the_answer_goes_on_from_one(
    opened: Callable[..., Any], tiny_run: Path
) -> None:
    page = opened("#text=deab&model=tiny")
    answers(page, 1)
    (found,) = seq2see.load(tiny_run).predict("deab", top_tokens=5)
    page.locator("button.token").nth(1).click()
    labels = page.locator("#choices bdi").all_text_contents()
    assert labels == ["∎" if each.token == "<eos>" else each.token for each in found.top_tokens[1]]
    title = page.locator("button.token").nth(1).get_attribute("title")
    assert title.startswith(f"{labels[0]} ")
    number = next(i for i, each in enumerate(found.top_tokens[1]) if i and each.token != "<eos>")
    page.locator("#choices button").nth(number).click()
    expected = found.top_tokens[1][number].text
    until(page, f"location.hash.includes('prefix={expected}')")
    (continued,) = seq2see.load(tiny_run).predict("deab", prefix=expected)
    until(page, f"document.querySelector('#answers .text').textContent === {continued.text!r}")


def test_two_models_stand_side_by_side(opened: Callable[..., Any], tiny_run: Path) -> None:
    page = opened("#text=deab&model=tiny&beam=3&other=language")
    first = answers(page, 3)
    second = page.locator("#others .text").all_text_contents()
    assert len(second) == 3
    assert second != first
    assert page.locator("#beside-name").text_content() == "language: another answer"
    assert page.locator("#beside mark").count()
    page.select_option("#other", "tiny")
    until(page, "document.querySelector('#beside-name').textContent === 'tiny: the same answer'")
    assert page.locator("#others .text").all_text_contents() == first
    assert not page.locator("#beside mark").count()


def test_the_beam_unfolds_step_by_step_with_what_was_pruned(opened: Callable[..., Any], tiny_run: Path) -> None:
    page = opened("#text=deab&model=tiny&beam=3")
    answers(page, 3)
    (found,) = seq2see.load(tiny_run).predict("deab", beam=3, n_best=3, beam_steps=True)
    steps = [Counter(each.fate for each in step) for step in found.beam_steps]
    assert page.locator(".column").count() == len(steps)
    for number, fates in enumerate(steps):
        column = page.locator(".column").nth(number)
        for fate in ("kept", "finished", "pruned", "stopped"):
            assert column.locator(f"button.{fate}").count() == fates[fate]
    assert page.locator(".columns path").count() == sum(map(len, found.beam_steps[1:]))
    way = page.locator(".column button.here bdi").all_text_contents()
    assert way == [*found.target_tokens[:-1], "∎"], "the way to the best answer is marked"

    page.locator(".beam input").fill("2")
    assert page.locator(".column:visible").count() == 2
    assert page.locator(".beam .step").get_attribute("role") == "status"
    said = page.locator(".beam .step").text_content()
    assert said.startswith(f"Step 2 of {len(steps)}: {steps[1]['kept']} kept (\u2068")
    assert f"{steps[1]['pruned']} pruned" in said
    page.locator(".beam input").press("ArrowLeft")
    assert page.locator(".column:visible").count() == 1
    page.locator(".beam .play").click()
    until(page, f"document.querySelectorAll('.column:not(.later)').length === {len(steps)}")
    until(page, "document.querySelector('.beam .play').textContent === 'Play'")

    page.locator(".column").nth(1).locator("button.kept").first.focus()
    said = page.locator(".beam .readout").text_content()
    (best,) = [each for each in found.beam_steps[1] if each.fate == "kept"][:1]
    assert f"(log {best.log_prob:.2f}".replace("-", "-") in said
    assert said.endswith("kept: the next step continues it")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("[...document.querySelectorAll('.column')].indexOf(document.activeElement.parentElement)") == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[...document.querySelectorAll('.column')].indexOf(document.activeElement.parentElement)") == 1
    page.select_option("#beam", "1")
    answers(page, 1)
    assert page.locator("#tree").is_hidden()


def test_on_a_phone_nothing_jumps_while_the_beam_unfolds(opened: Callable[..., Any]) -> None:
    page = opened("#text=deabcdeab&model=tiny&beam=10", width=375)
    answers(page, 10)
    last = int(page.locator(".beam input").get_attribute("max"))
    box = "name => (own => [own.top + scrollY, own.height])(document.querySelector(name).getBoundingClientRect())"
    seen = []
    for step in range(1, last + 1):
        page.locator(".beam input").fill(str(step))
        seen.append([page.evaluate(box, name) for name in (".columns", ".beam .step", ".beam .readout")])
        edge = page.locator(".column").nth(step - 1).bounding_box()
        assert edge["x"] >= 0 and edge["x"] + edge["width"] <= 375, "the step is in view"
    assert len({repr(each) for each in seen}) == 1


def test_a_beam_of_a_script_that_runs_to_the_left_unfolds_to_the_left(opened: Callable[..., Any]) -> None:
    page = opened()
    steps = [
        [{"token": token, "parent": parent, "logProb": -1, "score": -1, "fate": fate}]
        for token, parent, fate in (("ש", None, "kept"), ("ל", 0, "kept"), ("<eos>", 0, "finished"))
    ]
    tree = "steps => { part('tree').hidden = false; part('branches').replaceChildren(new BeamTree(steps).element); }"
    page.evaluate(tree, steps)
    places = page.eval_on_selector_all(".column", "each => each.map(one => one.getBoundingClientRect().left)")
    assert places == sorted(places, reverse=True)
    page.locator(".column button").first.focus()
    page.keyboard.press("ArrowLeft")
    assert (
        page.locator(".beam .readout").text_content().startswith("\u2068של\u2069: probability 37 % (log -1.00); kept")
    )


def test_a_prefix_samples_and_mistakes_are_shown(opened: Callable[..., Any], tiny_run: Path) -> None:
    page = opened("#text=abc&model=tiny&prefix=e")
    assert answers(page, 1)[0].startswith("e")
    page.fill("#prefix", "")
    page.fill("#sample", "3")
    expected = seq2see.load(tiny_run).predict("abc", sample=True, n_best=5, seed=3)[0].all
    assert answers(page, 5) == [each.text for each in expected]
    page.select_option("#model", "language")
    page.fill("#prefix", "a")
    page.wait_for_selector("#state.bad")
    assert "$.prefix" in page.locator("#state").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_axe_finds_no_violation(opened: Callable[..., Any], axe: Callable[..., Any], width: int, scheme: str) -> None:
    page = opened("#text=deab&model=tiny&beam=3&other=language", width, color_scheme=scheme)
    answers(page, 3)
    page.locator("button.token").first.click()
    assert axe(page) == []
    page.locator("nav a, header a").first.click()
    page.wait_for_selector("h1")
    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_nothing_is_cut_and_every_field_has_a_name(opened: Callable[..., Any], width: int, scheme: str) -> None:
    page = opened(f"#text={'abcde' * 12}&model=tiny&beam=3", width, color_scheme=scheme)
    answers(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    names = page.eval_on_selector_all(
        "textarea, select, input, button", "each => each.map(one => (one.labels?.[0] || one).textContent.trim())"
    )
    assert all(names)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")


def test_a_key_is_asked_for_where_one_is_needed(browser: Any, tiny_run: Path, tmp_path: Path) -> None:
    from hashlib import sha256

    keys = tmp_path / "keys"
    keys.write_text(f"{sha256(b'secret').hexdigest()}\n")
    with running({"tiny": tiny_run}, api_key_file=keys) as service:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"http://127.0.0.1:{service.port}/#text=abc")
        page.wait_for_selector("#key", state="visible")
        page.fill("#key", "secret")
        page.press("#key", "Enter")
        assert answers(page, 1)
        assert "secret" not in page.url
        page.close()
