"""Attention in every format: exact numbers, and readable tokens in any script."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see.errors import UserError
from seq2see.inference.results import EMPTY, Prediction
from seq2see.markup.colors import SHADES, shade
from seq2see.pictures import Attention, attend, save_attention
from seq2see.pictures.html import as_html
from seq2see.pictures.labels import (
    BEGIN,
    END,
    END_NOTE,
    LONGEST,
    is_right_to_left,
    labels_of,
    legible,
    truncated,
    visible,
)
from seq2see.pictures.svg import as_svg
from seq2see.pictures.tables import as_json, as_tsv

ARABIC = "علي"


def attention(source: list[str], target: list[str], *, heads: bool = False, finished: bool = True) -> Attention:
    """Made-up weights; with `heads`, of three layers with two heads, self-attention included."""
    chance = np.random.default_rng(0)
    of_heads = chance.dirichlet(np.ones(len(source)), (3, 2, len(target))).astype(np.float32)
    weights = of_heads[1].mean(0)
    answer = Prediction("".join(target[:-1]), source, target, -1.0, -1.0, weights, finished)
    if not heads:
        return Attention("".join(source[:-1]), answer)
    encoder, decoder = (
        chance.dirichlet(np.ones(size), (3, 2, size)).astype(np.float32) for size in (len(source), len(target))
    )
    return Attention("".join(source[:-1]), answer, of_heads, 1, encoder, decoder)


class Page(HTMLParser):
    """A parsed page: tags with their attributes, and cells by table."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag == "td":
            self.tables[-1][-1].append(dict(attrs).get("title") or "")

    def weights(self, table: int) -> np.ndarray:
        """The numbers in the tooltips of a table."""
        rows = [[float(title) for title in row if title] for row in self.tables[table]]
        return np.array([row for row in rows if row])


def drawings(page: str) -> list[np.ndarray]:
    """The weights of each small drawing, read from its shades."""
    found = []
    for drawing in re.findall(r'<figure class="head">(.*?)</figure>', page, re.DOTALL):
        columns = [int(place) for place in re.findall(r'class="column"[^>]* data-x="(\d+)"', drawing)]
        above, num_rows = int(re.findall(r'data-above="(\d+)"', drawing)[0]), drawing.count('class="row"')
        weights = np.zeros((num_rows, len(columns)))
        for shade_of, path in re.findall(r'<path class="w(\d+)" d="([^"]*)"', drawing):
            for x, y in re.findall(r"M(\d+) (\d+)h10", path):
                weights[(int(y) - above) // 10, columns.index(int(x))] = int(shade_of) / 100
        found.append(weights)
    return found


def rectangles(content: str) -> list[tuple[float, float, str]]:
    """The cells of an SVG: x, y and tooltip."""
    root = ElementTree.fromstring(content.encode())
    name = "{http://www.w3.org/2000/svg}"
    cells = [(each, each.find(name + "title")) for each in root.iter(name + "rect")]
    return [(float(e.get("x", 0)), float(e.get("y", 0)), t.text or "") for e, t in cells if t is not None]


# --- numbers --------------------------------------------------------------------------------------------------------


def test_every_format_has_the_numbers_of_the_prediction(tiny_run: Path) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    found = attend(model, ["abcde", "ba"])
    expected = [answer.weights for answer in model.predict(["abcde", "ba"])]
    assert len(found) == 2
    texts = json.loads(as_json(found))["texts"]
    page = Page(as_html(found))
    tables = as_tsv(found).split("\n\n")
    drawn = rectangles(as_svg(found))
    for number, weights in enumerate(expected):
        assert weights is not None
        np.testing.assert_array_equal(found[number].weights, weights)
        np.testing.assert_array_equal(np.array(texts[number]["weights"], np.float32), weights)
        rows = [line.split("\t") for line in tables[number].splitlines()]
        assert rows[0] == ["text", "target", *found[number].prediction.source_tokens]
        assert [row[1] for row in rows[1:]] == found[number].prediction.target_tokens
        np.testing.assert_array_equal(np.array([row[2:] for row in rows[1:]], np.float32), weights)
        np.testing.assert_allclose(page.weights(number), weights, atol=5.1e-5)
        mine, drawn = drawn[: weights.size], drawn[weights.size :]
        shown = np.array([float(title.rpartition(": ")[2]) for _, _, title in mine])
        np.testing.assert_allclose(shown.reshape(weights.shape), weights, atol=5.1e-5)
    assert texts[0]["alignment"] == [list(pair) for pair in found[0].prediction.alignment()]
    assert texts[0]["source"] == "abcde"
    assert texts[0]["text"] == found[0].prediction.text


def test_the_heads_are_in_every_format() -> None:
    found = attention(["a", "b", "<eos>"], ["x", "<eos>"], heads=True)
    assert found.heads is not None
    [text] = json.loads(as_json([found]))["texts"]
    np.testing.assert_array_equal(np.array(text["heads"], np.float32), found.heads)
    assert text["shown_layer"] == 2
    assert len(Page(as_html([found])).tables) == 1
    every_head = [head.weights for head in found.each_head()]
    drawn = drawings(as_html([found]))
    assert len(every_head) == len(drawn) == 3 * 6
    for cells, weights in zip(drawn, every_head, strict=True):
        np.testing.assert_allclose(cells, weights, atol=0.0051)
    assert len(rectangles(as_svg([found]))) == 7 * 6
    tables = [[line.split("\t") for line in table.splitlines()] for table in as_tsv([found]).split("\n\n")]
    rows = tables[0]
    assert rows[0] == ["text", "attention", "layer", "head", "target", "a", "b", "<eos>"]
    assert [row[1:5] for row in rows[-2:]] == [["cross", "3", "2", "x"], ["cross", "3", "2", "<eos>"]]
    np.testing.assert_array_equal(np.array([row[5:] for row in rows[1:]], np.float32), found.heads.reshape(12, 3))


def test_self_attention_is_in_json_tables_and_dicts() -> None:
    found = attention(["a", "b", "<eos>"], ["x", "<eos>"], heads=True)
    [text] = json.loads(as_json([found]))["texts"]
    assert text["decoder_input"] == ["<bos>", "x"]
    tables = [[line.split("\t") for line in table.splitlines()] for table in as_tsv([found]).split("\n\n")]
    dicts = found.to_dicts()
    for number, (kind, weights, columns) in enumerate(
        (
            ("encoder", found.encoder_heads, ["a", "b", "<eos>"]),
            ("decoder", found.decoder_heads, ["<bos>", "x"]),
        ),
        start=1,
    ):
        assert weights is not None
        np.testing.assert_array_equal(np.array(text[f"{kind}_heads"], np.float32), weights)
        assert tables[number][0] == ["text", "attention", "layer", "head", "target", *columns]
        in_table = np.array([row[5:] for row in tables[number][1:]], np.float32)
        np.testing.assert_array_equal(in_table, weights.reshape(-1, len(columns)))
        mine = [each for each in dicts if each["attention"] == kind]
        np.testing.assert_array_equal(np.array([each["weight"] for each in mine], np.float32), weights.ravel())
        assert {each["source_token"] for each in mine} == set(columns)
    without = attention(["a", "<eos>"], ["x", "<eos>"])
    assert "encoder_heads" not in without.to_dict()
    assert "attention" not in without.to_dicts()[0]


def test_a_token_cannot_break_a_table() -> None:
    text = as_tsv([attention(["\t", "\\", "<eos>"], ["\n", "<eos>"])])
    assert [len(line.split("\t")) for line in text.splitlines()] == [5, 5, 5]
    assert text.splitlines()[0] == "text\ttarget\t\\t\t\\\\\t<eos>"


# --- labels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (" ", "␣"),
        (" the", "␣the"),
        ("\u3000", "␣"),
        ("\u00a0", "␣"),
        ("\u0301", "◌\u0301"),
        ("\u093f", "◌\u093f"),
        ("e\u0301", "e\u0301"),
        ("\u200b", "U+200B"),
        ("\u202e", "U+202E"),
        ("\u00ad", "U+00AD"),
        ("\u3164", "U+3164"),
        ("\ufe0f", "U+FE0F"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("\u200d", "U+200D"),
        ("a\u200d", "aU+200D"),
        ("\x01", "U+0001"),
        ("\ue000", "U+E000"),
        ("한", "한"),
    ],
)
def test_every_token_is_visible(token: str, expected: str) -> None:
    assert visible(token) == expected


def test_only_the_last_token_is_the_end_mark() -> None:
    """A word spelled like EOS is kept."""
    labels = labels_of(attention(["<eos>", "a", "<eos>"], ["<eos>", "<eos>"]).prediction)
    assert labels.source == ["<eos>", "a", END]
    assert labels.target == ["<eos>", END]
    unfinished = labels_of(attention(["a", "<eos>"], ["x", "<eos>"], finished=False).prediction)
    assert unfinished.target == ["x", "<eos>"]


def test_the_end_mark_is_explained() -> None:
    found = attention(["a", "<eos>"], ["x", "<eos>"])
    assert END_NOTE in as_html([found])
    assert END_NOTE in as_svg([found])
    cut_off = attention(["a", "<eos>"], ["x", "y"], finished=False)
    assert "cut off" in as_html([cut_off])
    assert "cut off" in as_svg([cut_off])


@pytest.mark.parametrize(
    ("text", "expected"), [("abc", False), (ARABIC, True), ("12 שלום", True), ("12", False), ("a " + ARABIC, False)]
)
def test_the_first_letter_decides_the_direction(text: str, *, expected: bool) -> None:
    assert is_right_to_left(text) == expected


def test_a_long_label_is_truncated_between_graphemes() -> None:
    assert truncated("short") == "short"
    assert truncated("e\u0301" * 40) == "e\u0301" * (LONGEST - 1) + "…"


def test_a_caption_has_no_direction_marks() -> None:
    assert legible("a\u202eb c") == "aU+202Eb c"


# --- pages and SVG ----------------------------------------------------------------------------------------------------


def test_columns_of_a_right_to_left_source_run_from_right_to_left() -> None:
    found = attention([*ARABIC, "<eos>"], ["a", "<eos>"])
    page = Page(as_html([found]))
    assert [attributes["dir"] for tag, attributes in page.tags if tag == "table"] == ["rtl"]
    assert "from right to left" in as_html([found])
    cells = [(x, title) for x, y, title in rectangles(as_svg([found]))][: len(ARABIC) + 1]
    assert [title.split(": ")[0].split()[-1] for _, title in cells] == [*ARABIC, END]
    assert [x for x, _ in cells] == sorted((x for x, _ in cells), reverse=True)
    forward = [x for x, _, _ in rectangles(as_svg([attention(["a", "b", "<eos>"], ["x"])]))]
    assert forward == sorted(forward)
    assert 'dir="rtl"' not in as_html([attention(["a", "<eos>"], [ARABIC, "<eos>"])]).split("<table")[1]


NASTY = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&amp;", "]]>", "\x00", "\ufffe", "'", "<eos>"]


def test_tokens_are_never_markup() -> None:
    found = attention(NASTY, NASTY)
    content = as_html([found])
    page = Page(content)
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("script", "th", "td")] == [1, 2 * len(NASTY), len(NASTY) ** 2 + 1]
    assert "img" not in {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;" in content
    assert len(rectangles(as_svg([found]))) == len(NASTY) ** 2


def test_a_page_is_self_contained() -> None:
    content = as_html([attention(["a", "<eos>"], ["x", "<eos>"], heads=True)])
    assert "default-src 'none'" in content
    assert not re.search(r"https?://(?!www.w3.org/2000/svg)|<link|@import|url\(", content)
    attributes = [attributes for _, attributes in Page(content).tags]
    assert not {"src", "style"} & {name for each in attributes for name in each}
    assert all((each.get("href") or "#").startswith("#") for each in attributes)


def test_cells_have_headers_and_their_exact_weight() -> None:
    page = Page(as_html([attention(["a", "<eos>"], ["x", "<eos>"])]))
    cells = [attributes for tag, attributes in page.tags if tag == "td" and "title" in attributes]
    assert len(cells) == 4
    assert all(re.fullmatch(r"\d\.\d{4}", cell["title"] or "") for cell in cells)
    scopes = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert scopes == ["col", "col", "row", "row"]


def test_every_small_drawing_is_labeled() -> None:
    """With its tokens, layer and head, and with the strongest weights as text."""
    found = attention([*ARABIC, "<eos>"], ["x", "<eos>"], heads=True)
    content = as_html([found])
    assert content.count("<figcaption>layer 2, head 1</figcaption>") == 3
    for title in ("attention to the source", "encoder self-attention", "decoder self-attention"):
        assert f"<h3>every head: {title}</h3>" in content
    figures = re.findall(r'<figure class="head">(.*?)</figure>', content, re.DOTALL)
    sizes = [(2, 4), (4, 4), (2, 2)]
    for number, figure in enumerate(figures):
        assert (figure.count('class="row"'), figure.count('class="column"')) == sizes[number // 6]
    places = [int(x) for x in re.findall(r'data-x="(\d+)"', figures[0])]
    assert places == sorted(places, reverse=True), "from right to left, like the source"
    assert f">{BEGIN}</text>" in figures[-1]
    row = found.heads[0, 0, 0]  # type: ignore[index]
    assert (
        f"layer 1, head 1: x to {labels_of(found.prediction).source[row.argmax()]} {100 * row.max():.0f} %"
        in figures[0]
    )


def test_long_labels_of_a_drawing_are_turned_and_truncated() -> None:
    [figure] = re.findall(
        r'<figure class="head">(.*?)</figure>',
        as_html([attention(["incomprehensible", "<eos>"], ["x", "<eos>"], heads=True)]),
        re.DOTALL,
    )[:1]
    assert ">incompreh…</text>" in figure
    assert "rotate(-90" in figure


def test_the_scale_falls_evenly_from_white_to_dark() -> None:
    """So that it is readable with color blindness and in gray."""
    parts = [[int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)] for color in SHADES]
    linear = [[(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4) for p in each] for each in parts]
    luminance = np.array(linear) @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    steps = -np.diff(lightness)
    assert lightness[0] > 97
    assert lightness[-1] < 20
    assert steps.min() > 0.3
    assert steps.max() < 1.8
    assert [shade(weight) for weight in (0, 0.5, 1, 1.0000001)] == [0, 50, 100, 100]


def test_flat_attention_is_pale_and_not_stretched_to_its_own_largest_weight() -> None:
    source = [*"abcdefghi", "<eos>"]
    flat = Attention("abcdefghi", Prediction("x", source, ["x"], -1.0, -1.0, np.full((1, 10), 0.1), True))
    content = as_svg([flat])
    assert f'fill="{SHADES[10]}"' in content
    assert f'fill="{SHADES[100]}"' not in content
    axes = flat.plot()
    try:
        assert axes.images[0].get_clim() == (0, 1)
    finally:
        from matplotlib import pyplot

        pyplot.close("all")


@pytest.mark.parametrize("count", [5, 60])
@pytest.mark.parametrize("ending", ["html", "svg", "png"])
def test_few_tokens_and_many_are_readable(ending: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"heat.{ending}"
    save_attention([attention([*"a" * count, "<eos>"], [*"x" * count, "<eos>"])], path)
    if ending == "html":
        assert path.stat().st_size < 400_000
    elif ending == "svg":
        size = float(re.findall(r'font-size="([\d.]+)"', path.read_text())[1])
        assert 9 <= size <= 15
    else:
        width, height = (int.from_bytes(path.read_bytes()[place : place + 4]) for place in (16, 20))
        assert count * 24 < width < 3000
        assert count * 24 < height < 3000


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "html", "json", "tsv"])
def test_an_error_leaves_an_existing_file_unchanged(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2see.storage import files as storage

    path = tmp_path / f"heat.{ending}"
    path.write_text("before")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write_flushed", full)
    with pytest.raises(UserError, match="No space left"):
        save_attention([attention(["a", "<eos>"], ["x", "<eos>"])], path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["html", "svg", "json", "tsv"])
def test_only_png_and_pdf_need_matplotlib(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = [attention(["a", "<eos>"], ["x", "<eos>"])]
    save_attention(found, tmp_path / f"heat.{ending}")
    with pytest.raises(UserError, match="need matplotlib") as caught:
        save_attention(found, tmp_path / "heat.png")
    assert 'pip install "seq2see[plots]"' in caught.value.fix
    assert not (tmp_path / "heat.png").exists()


@pytest.mark.parametrize("name", ["heat", "heat.gif", "file/heat.html", "folder.html"])
def test_an_invalid_path_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        save_attention([attention(["a", "<eos>"], ["x", "<eos>"])], tmp_path / name)
    assert name in caught.value.where
    assert caught.value.fix
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.html"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    save_attention([attention(["a", "<eos>"], ["x", "<eos>"])], tmp_path / "new" / "er" / "heat.html")
    assert (tmp_path / "new" / "er" / "heat.html").exists()


def test_a_picture_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    found = attention(["a"] * 60, ["x"] * 60)
    with pytest.raises(UserError, match="too large") as caught:
        save_attention([found] * 40, tmp_path / "heat.png")
    assert ".html" in caught.value.fix


def test_no_texts_and_empty_predictions_are_errors(tiny_run: Path, tmp_path: Path) -> None:
    model = seq2see.load(tiny_run, device="cpu")
    with pytest.raises(UserError, match="no texts"):
        attend(model, [])
    with pytest.warns(UserWarning, match="left out: text 2: the prediction is empty"):
        assert [each.source for each in attend(model, ["abc", " "])] == ["abc"]
    with pytest.raises(UserError, match="prediction is empty") as caught:
        attend(model, ["abc", " "], strict=True)
    assert caught.value.where == "text 2"
    with pytest.raises(UserError, match="no texts were given"):
        save_attention([], tmp_path / "heat.html")
    with pytest.raises(UserError, match="empty text"):
        save_attention([Attention("", EMPTY)], tmp_path / "heat.html")


def test_a_model_without_attention_is_an_error(tiny_language_run: Path) -> None:
    with pytest.raises(UserError, match="no attention") as caught:
        attend(seq2see.load(tiny_language_run, device="cpu"), "ab")
    assert "--model attention" in caught.value.fix
