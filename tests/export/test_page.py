"""The exported page in a browser: it answers as Python does while one types, offline, and shows where the model looks.

Skipped where there is no Chromium or no Playwright (extra `browser`).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PATIENCE, train_tiny

import seq2see
from seq2see.export.page import policy, scripts, style

ARABIC = {"سلام": "salam", "كتاب": "kitab", "باب": "bab", "قلم": "qalam", "شمس": "shams", "نور": "nur", "بيت": "bayt"}
JAPANESE = {
    "さくら": "sakura",
    "やま": "yama",
    "かわ": "kawa",
    "はな": "hana",
    "ゆき": "yuki",
    "そら": "sora",
    "うみ": "umi",
}
BOTH = ("tiny", "javascript")
"""Pages of the same model; the first computes in WebAssembly where there is clang."""
MOST_CODE = 40_000
"""Bytes beside the weights."""


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_language_run: Path
) -> dict[str, tuple[seq2see.Model, Path]]:
    """Models, and the page of each with the same weights: in WebAssembly where there is clang, but for one."""
    folder = tmp_path_factory.mktemp("exported")
    runs = {"tiny": tiny_run, "language": tiny_language_run}
    for name, pairs in (("arabic", ARABIC), ("japanese", JAPANESE)):
        data = folder / f"{name}.tsv"
        data.write_text("".join(f"{source}\t{target}\n" for source, target in pairs.items()) * 8, "utf-8")
        runs[name] = train_tiny(data, folder / name, **{"model.name": "attention", "training.max_updates": 120})
    data = folder / "fields.tsv"
    words = ("walk", "talk", "ask", "call", "turn", "help")
    lines = [f"{word}\t{tag}\t{word}{end}\n" for word in words for tag, end in (("V;PST", "ed"), ("V;3;SG", "s"))]
    data.write_text("".join(lines) * 4, "utf-8")
    runs["fields"] = train_tiny(data, folder / "fields", **{"data.source": "1,2", "data.target": "3"})
    found = {}
    for name, run in runs.items():
        model = seq2see.load(run, engine="numpy")
        exported = model.export(folder / f"{name}.html", weights="float32")
        found[name] = model, exported.path
    model, _ = found["tiny"]
    found["javascript"] = model, model.export(folder / "javascript.html", weights="float32", wasm=False).path
    return found


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page offline; afterwards, it must have put nothing on the console and asked for nothing else."""
    contexts, messages, requests = [], [], []

    def made(path: Path, width: int = 1200, script: str = "", **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url.split(":")[0]))
        page.add_init_script(script)
        page.goto(path.absolute().as_uri())
        page.wait_for_selector("body.ready")
        return page

    yield made
    for context in contexts:
        context.close()
    assert messages == []
    assert set(requests) <= {"file", "blob", "data"}


def until(page: Any, expression: str) -> None:
    """Waits until this is true; Playwright's own way to wait evaluates text in the page, which the page forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


def answers(page: Any, text: str) -> list[str]:
    """The best answers to a text that is typed."""
    page.locator("textarea").first.fill(text)
    until(page, "document.querySelector('#answers button') && !document.querySelector('#result[aria-busy]')")
    page.wait_for_timeout(50)
    return page.locator("#answers .text").all_text_contents()  # type: ignore[no-any-return]


def in_python(model: seq2see.Model, text: str, beam: int = 5) -> list[seq2see.Prediction]:
    return list(model.predict(text, beam=beam, n_best=beam)[0].all)


@pytest.mark.parametrize("name", BOTH)
def test_it_answers_while_one_types_and_shows_every_answer_with_its_probability(opened, pages, name) -> None:
    model, path = pages[name]
    page = opened(path)
    box = page.locator("textarea")
    for place, letter in enumerate("deab"):
        box.press(letter)
        expected = in_python(model, "deab"[: place + 1])
        until(page, f"document.querySelector('#answer').textContent === {expected[0].text!r}")
    assert page.locator("#answers .text").all_text_contents() == [each.text for each in expected]
    shares = page.eval_on_selector_all("progress", "each => each.map(one => one.value)")
    assert shares == pytest.approx([math.exp(each.log_prob) for each in expected], rel=1e-4)
    page.select_option("#beam", "1")
    until(page, "document.querySelector('#rest').hidden")
    assert page.locator("#answer").text_content() == model.predict("deab")[0].text
    box.fill("")
    until(page, "document.querySelector('#where').hidden")
    assert page.locator("#answer").text_content() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_axe_finds_no_violation(opened, pages, axe, width, scheme) -> None:
    page = opened(pages["tiny"][1], width, color_scheme=scheme)
    answers(page, "deab")
    assert axe(page) == []


def test_another_answer_is_chosen_with_the_arrow_keys(opened, pages) -> None:
    model, path = pages["tiny"]
    page = opened(path)
    answers(page, "deab")
    page.locator("#answers button").first.focus()
    page.keyboard.press("ArrowDown")
    pressed = page.eval_on_selector_all("#answers button", "each => each.map(one => one.ariaPressed)")
    assert pressed == ["false", "true", "false", "false", "false"]
    second = in_python(model, "deab")[1]
    assert page.locator("#answer").text_content() == second.text
    assert page.locator(".tokens.target bdi").all_text_contents()[:-1] == list(second.target_tokens[:-1])


def test_pointing_at_a_token_says_where_the_model_looked(opened, pages) -> None:
    model, path = pages["tiny"]
    page = opened(path)
    answers(page, "deab")
    best = in_python(model, "deab")[0]
    page.locator(".tokens.target button").nth(1).hover()
    said = page.locator(".bands .readout").text_content()
    weights = sorted(zip(best.weights[1].tolist(), [*"deab", "∎"], strict=True), reverse=True)
    named = re.findall(r"\u2068(.)\u2069 (\d+) %", said.partition("looks at")[2])
    assert named == [(label, str(round(100 * weight))) for weight, label in weights if weight >= 0.1][:4]
    assert f"probability {round(100 * math.exp(best.token_log_probs[1]))} %" in said
    shaded = page.eval_on_selector_all(".tokens.source button", "all => all.map(e => +e.style.getPropertyValue('--w'))")
    assert shaded == pytest.approx(best.weights[1].tolist(), abs=1e-3)
    drawn = page.locator(".bands path.here").count()
    assert drawn == sum(weight >= 0.02 for weight in best.weights[1])
    ends = page.evaluate(
        "[...document.querySelectorAll('.bands path')].every(path => !path.getAttribute('d').includes('NaN'))"
    )
    assert ends
    page.mouse.move(0, 0)
    assert page.locator(".bands .readout").text_content() == ""


def test_tokens_are_reached_with_the_keyboard(opened, pages) -> None:
    model, path = pages["tiny"]
    page = opened(path)
    answers(page, "deab")
    best = in_python(model, "deab")[0]
    page.locator("#answers button").last.focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.ariaLabel"
    assert "seen by" in page.evaluate(focused)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused).startswith(f"\u2068{best.target_tokens[1]}\u2069: probability")
    assert page.locator(".bands .readout").text_content() == page.evaluate(focused)
    page.keyboard.press("ArrowUp")
    most = [*"deab", "∎"][int(best.weights[1].argmax())]
    assert page.evaluate(focused).startswith(f"\u2068{most}\u2069: seen by")
    page.keyboard.press("End")
    assert page.evaluate(focused).startswith("\u2068∎\u2069")


@pytest.mark.parametrize(("name", "direction"), [("arabic", "rtl"), ("japanese", "ltr")])
def test_other_scripts_are_written_in_their_direction(opened, pages, name, direction) -> None:
    model, path = pages[name]
    page = opened(path, 375)
    text = next(iter(ARABIC if name == "arabic" else JAPANESE))
    assert answers(page, text) == [each.text for each in in_python(model, text)]
    assert page.locator(".tokens.source").get_attribute("dir") == direction
    assert page.locator(".tokens.target").get_attribute("dir") == "ltr"
    places = page.eval_on_selector_all(".tokens.source button", "all => all.map(e => e.getBoundingClientRect().left)")
    assert places == sorted(places, reverse=direction == "rtl")
    page.locator(".tokens.source button").first.focus()
    page.keyboard.press("ArrowLeft" if direction == "rtl" else "ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == text[1]


def test_a_source_of_several_fields_has_a_box_for_each(opened, pages) -> None:
    model, path = pages["fields"]
    page = opened(path)
    assert page.locator("label:has(textarea)").all_inner_texts() == ["Text", "Tags"]
    page.locator("textarea").nth(1).fill("V;PST")
    assert answers(page, "talk")[0] == in_python(model, "talk\tV;PST")[0].text


def test_a_language_model_continues_the_text(opened, pages) -> None:
    model, path = pages["language"]
    page = opened(path)
    assert answers(page, "ab")[0] == in_python(model, "ab")[0].text
    assert page.locator(".tokens.source").count() == 0


COUNTED = """
window.sent = 0;
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (message) {
  window.sent++;
  return postMessage.call(this, message);
};
"""


@pytest.mark.parametrize("name", BOTH)
def test_a_text_that_is_too_long_is_refused_once_and_the_next_answered(opened, pages, name) -> None:
    _, path = pages[name]
    page = opened(path, script=COUNTED)
    page.locator("textarea").fill("a" * 40_000)
    until(page, "document.querySelector('#problem').textContent.includes('tokens')")
    page.wait_for_timeout(200)
    assert page.evaluate("sent") == 2, "the model and the text, which is not sent again"
    assert page.locator("#where").is_hidden()
    assert answers(page, "ab")
    assert page.locator("#problem").text_content() == ""


@pytest.mark.parametrize("name", BOTH)
def test_it_answers_where_there_can_be_no_worker(opened, pages, name) -> None:
    model, path = pages[name]
    page = opened(path, script="delete window.Worker")
    assert answers(page, "ab") == [each.text for each in in_python(model, "ab")]


NO_SIMD = """
delete window.Worker;
WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError("invalid value type 'v128'"));
"""


@pytest.mark.parametrize("script", [NO_SIMD, "delete window.Worker; delete window.WebAssembly"])
def test_a_browser_that_lacks_webassembly_is_told_so_at_every_text(opened, pages, clang, script) -> None:
    page = opened(pages["tiny"][1], script=script)
    said = "document.querySelector('#problem').textContent.includes('WebAssembly with SIMD')"
    until(page, said)
    for text in ("ab", "", "ab"):
        page.locator("textarea").fill(text)
        until(page, f"{said} !== {str(not text).lower()}")
    assert page.locator("#answers button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_nothing_is_cut_and_every_control_has_a_name(opened, pages, width, scheme) -> None:
    page = opened(pages["tiny"][1], width, color_scheme=scheme)
    answers(page, "abcde" * 9)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    names = page.eval_on_selector_all(
        "textarea, select, button",
        "each => each.map(one => one.ariaLabel || (one.labels?.[0] || one).textContent.trim())",
    )
    assert all(names)
    dark = scheme == "dark"
    for _ in range(2):
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") is not dark
        page.locator(".theme").click()
        dark = not dark


def test_an_example_from_the_card_is_answered_at_a_click(opened, pages) -> None:
    page = opened(pages["tiny"][1])
    button = page.locator("#examples button").first
    button.click()
    until(page, "document.querySelector('#answers button')")
    assert page.locator("textarea").input_value() == button.text_content()


@pytest.mark.parametrize("in_wasm", [False, True])
def test_the_code_beside_the_weights_is_small_and_the_policy_strict(in_wasm) -> None:
    assert sum(len(each.encode()) for each in (*scripts(in_wasm), style())) < MOST_CODE
    allowed = policy(in_wasm)
    assert ("'wasm-unsafe-eval'" in allowed) == in_wasm
    assert "unsafe" not in allowed.replace("'wasm-unsafe-eval'", "")
    assert allowed.startswith("default-src 'none'")
