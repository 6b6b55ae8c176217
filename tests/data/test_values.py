"""Series and pictures, from files to batches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from seq2see.blueprint import FIELD_BREAK, VALUE
from seq2see.data import Examples, Pair, TableOptions, collate, open_content, read_pairs
from seq2see.data.building import build_examples
from seq2see.data.length_limit import LengthLimit
from seq2see.data.sources import iterate_sources
from seq2see.data.values import encode_text, learn_field, read_values, spans_of, token_names
from seq2see.errors import CheckpointError, DataError
from seq2see.text import EOS, Codec
from seq2see.text.choice import choose_text
from seq2see.text.options import TextOptions

PIL = pytest.importorskip("PIL.Image")

OPTIONS = TextOptions(source=("picture", "characters", "vectors"), target="characters")


def picture(path: Path, pixels: object, mode: str | None = None) -> Path:
    image = PIL.fromarray(np.array(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """A picture of 20 × 9 pixels, one of 5 × 17, and one row without."""
    chance = np.random.default_rng(0)
    for name, shape in (("a.png", (20, 9)), ("b.pgm", (5, 17))):
        picture(tmp_path / name, chance.integers(0, 255, shape))
    np.save(tmp_path / "s.npy", chance.standard_normal((4, 2)))
    sources = [
        f"{tmp_path / 'a.png'}\tab\t[[1, 2], [3, 4.5]]",
        f"{tmp_path / 'b.pgm'}\t\t{tmp_path / 's.npy'}",
        "\tb\t",
    ]
    return [Pair(source, "x", f"p.tsv:{number}") for number, source in enumerate(sources, 1)]


def test_a_batch_has_one_token_per_cell_and_vector_and_normalized_numbers(pairs: list[Pair]) -> None:
    (codec, _), examples = build_examples(OPTIONS, pairs, has_source=True)
    assert codec is not None
    a, b = (codec.vocabulary.id(letter) for letter in "ab")
    expected = [
        [*[VALUE] * 6, FIELD_BREAK, a, b, FIELD_BREAK, *[VALUE] * 2, EOS],
        [*[VALUE] * 3, FIELD_BREAK, FIELD_BREAK, *[VALUE] * 4, EOS],
        [FIELD_BREAK, b, FIELD_BREAK, EOS],
    ]
    assert [examples.source(row).tolist() for row in range(3)] == expected
    batch = collate(examples, np.array([2, 1, 0])).source
    pictures, series = batch.values
    assert (pictures.array.shape, pictures.sizes.tolist()) == ((2, 1, 20, 17), [[5, 17], [20, 9]])
    assert (series.array.shape, series.sizes.tolist()) == ((2, 4, 2), [[4], [2]])
    assert not pictures.array[0, :, 5:].any()
    assert not series.array[1, 2:].any()
    real = np.concatenate([series.array[0], series.array[1, :2]])
    np.testing.assert_allclose(real.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(real.std(0), 1, atol=1e-6)
    whole = np.concatenate([pictures.array[0, 0, :5].ravel(), pictures.array[1, 0, :, :9].ravel()])
    np.testing.assert_allclose([whole.mean(), whole.std()], [0, 1], atol=1e-5)


def test_new_pairs_are_normalized_as_in_training(pairs: list[Pair]) -> None:
    (codec, target), examples = build_examples(OPTIONS, pairs, has_source=True)
    assert codec is not None
    again = Codec.from_json(codec.to_json())
    assert again == codec
    alone = collate(Examples.encode(pairs[1:2], again, target), np.array([0])).source
    before = collate(examples, np.array([1])).source
    for one, other in zip(alone.values, before.values, strict=True):
        np.testing.assert_array_equal(one.array, other.array)


def test_the_tokens_of_numbers_are_named_by_their_place(pairs: list[Pair]) -> None:
    (codec, _), _ = build_examples(OPTIONS, pairs, has_source=True)
    assert codec is not None
    encoded = encode_text(codec, pairs[0].source)
    spans = spans_of(codec, encoded.ids, encoded.values)
    assert [(span.kind, span.start, span.shape) for span in spans] == [("picture", 0, (3, 2)), ("vectors", 10, (2, 1))]
    names = token_names(codec, encoded.ids, spans)
    assert names == ["1:1", "2:1", "3:1", "1:2", "2:2", "3:2", "\t", "a", "b", "\t", "1", "2", "<eos>"]


def test_the_longest_pairs_are_told_by_vectors_and_cells(pairs: list[Pair]) -> None:
    codecs, _ = build_examples(OPTIONS, pairs, has_source=True)
    for known in (None, codecs):
        assert LengthLimit(11, OPTIONS, known).lengths(pairs[0]) == (12, 1)
        kept, long = LengthLimit(11, OPTIONS, known).split(pairs)
        assert (kept, long) == (pairs[1:], pairs[:1])


def test_splitting_keeps_numbers_with_their_texts(pairs: list[Pair]) -> None:
    _, examples = build_examples(OPTIONS, pairs, has_source=True)
    first, rest = examples.sources.split(1)
    assert [[array is not None for array in column.arrays] for column in first.values] == [[True], [True]]
    assert [[array is not None for array in column.arrays] for column in rest.values] == [[True, False], [True, False]]


@pytest.mark.parametrize(
    ("texts", "units"),
    [
        (["a.png", "b.JPG"], ("picture",)),
        (["x/a.npy", "b.npz"], ("vectors",)),
        (["[[1, 2], [3, 4]]", "[[-1.5e-3, 2]]"], ("vectors",)),
        (["[1, 2.5]", "[3]"], ("vectors",)),
        (["a.png\twhat is it", "b.png\twhere is it"], ("picture", "characters")),
    ],
)
def test_fields_of_numbers_are_found(texts: list[str], units: tuple[str, ...]) -> None:
    options, _ = choose_text(TextOptions(target="characters"), texts, ["x"] * len(texts))
    assert options.source == units


@pytest.mark.parametrize("texts", [["a.png", "a word"], ["[1]", "[one]"], ["v1.0", "v2.0"], ["[3]"] * 2 + ["3"]])
def test_other_texts_stay_texts(texts: list[str]) -> None:
    options, _ = choose_text(TextOptions(target="characters"), texts, ["x"] * len(texts))
    assert isinstance(options.source, str)


def test_a_table_names_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    (folder / "img").mkdir(parents=True)
    picture(folder / "img" / "1.png", np.zeros((8, 8)))
    table = folder / "pairs.tsv"
    table.write_text("img/1.png\tone\nimg/2.png\ttwo\n")
    monkeypatch.chdir(tmp_path)
    relative = Path("data/pairs.tsv")
    assert [pair.source for pair in read_pairs([relative]).pairs] == [os.path.join("data", "img", "1.png"), "img/2.png"]
    (folder / "asked.txt").write_text("img/1.png\n")
    with (folder / "asked.txt").open("rb") as stream:
        assert [pair.source for pair in iterate_sources(stream, "data/asked.txt")] == ["data/img/1.png"]
    monkeypatch.chdir(folder)
    assert read_pairs([Path("pairs.tsv")]).pairs[0].source == "img/1.png"


def test_every_row_of_a_table_is_looked_up_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the first has no picture, and in parallel files with an invalid line."""
    folder = tmp_path / "data"
    folder.mkdir()
    picture(folder / "1.png", np.zeros((8, 8)))
    monkeypatch.chdir(tmp_path)
    (folder / "pairs.tsv").write_text("\tx\tone\n1.png\ty\ttwo\n")
    options = TableOptions(source=("1", "2"), target="3")
    found = read_pairs([Path("data/pairs.tsv")], table=options).pairs
    assert [pair.source for pair in found] == ["\tx", "data/1.png\ty"]
    (folder / "s.txt").write_text("1.png\n\n1.png\n")
    (folder / "t.txt").write_text("a\nb\nc\n")
    found = read_pairs([Path("data/s.txt"), Path("data/t.txt")], skip_bad=True).pairs
    assert [pair.source for pair in found] == ["data/1.png", "data/1.png"]


def test_a_text_that_ends_like_a_name_may_be_long(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    long = "see the file attached " * 20 + ".JPG"
    path.write_text(f"{long}\tone\nx\ttwo\n")
    assert read_pairs([path]).pairs[0].source == long


def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path) -> None:
    PIL.fromarray(np.full((4, 4), 255, np.uint16)).save(tmp_path / "dark.png")
    assert (read_values("picture", str(tmp_path / "dark.png"), "", channels=1) == 1).all()
    PIL.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(DataError, match="floating-point"):
        read_values("picture", str(tmp_path / "float.tiff"), "p.tsv:1")


def test_the_length_limit_says_where_a_picture_is_missing() -> None:
    limit = LengthLimit(5, TextOptions(source=("picture",), target="characters"), None)
    with pytest.raises(DataError) as caught:
        limit.split([Pair("no.png", "x", "p.tsv:7")])
    assert caught.value.where == "p.tsv:7"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("[[1, 2], [3]]", "not a list of vectors of the same length"),
        ("[[1, 2], ", "not a list of vectors of the same length"),
        ("[" * 50_000, "not a list of vectors"),
        ("[]", "must be vectors × values"),
        ("[[[1]]]", "must be vectors × values"),
        ("[NaN]", "not finite"),
        ("[1e999]", "not finite"),
        ('["a"]', "not a list of vectors"),
        ("missing.npy", "No such file"),
        ("words.npy", "must have numbers"),
        ("objects.npy", "not a readable array"),
        ("text.npy", "not a readable array"),
        ("empty.npz", "not a readable array"),
    ],
)
def test_a_series_that_cannot_be_read(cell: str, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object))
    (tmp_path / "text.npy").write_text("1 2 3")
    np.savez(tmp_path / "empty.npz")
    name = str(tmp_path / cell) if cell.endswith(("npy", "npz")) else cell
    with pytest.raises(DataError) as caught:
        read_values("vectors", name, "p.tsv:3")
    assert said in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("cell", ["[1, 2, 3]", "one.npy", "one.npz"])
def test_a_list_of_numbers_is_a_series_of_vectors_of_one(cell: str, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", [1, 2, 3])
    np.savez(tmp_path / "one.npz", [1, 2, 3])
    array = read_values("vectors", cell if cell.startswith("[") else str(tmp_path / cell), "")
    assert array.tolist() == [[1], [2], [3]]
    assert array.dtype == np.float32


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "not a picture"),
        (b"hello", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "picture"),
        (b"P5 100000 100000 255\n", "must have at most 4,000,000 pixels"),
        (b"P5 9 9 255\n" + b"\0" * 7, "damaged picture"),
    ],
)
def test_a_picture_that_cannot_be_read(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_values("picture", str(path), "p.tsv:3")
    assert said in str(caught.value)


def test_modes_of_pictures(tmp_path: Path) -> None:
    """Gray, color, 16 bits and transparent pixels give values from 0 (black) to 255 (white)."""
    gray = np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5)
    picture(tmp_path / "gray.png", gray)
    PIL.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    PIL.fromarray(np.dstack([gray, gray, gray, np.zeros_like(gray)]), "RGBA").save(tmp_path / "clear.png")
    assert (read_values("picture", str(tmp_path / "gray.png"), "", channels=1)[0] == gray).all()
    assert (read_values("picture", str(tmp_path / "deep.png"), "", channels=1)[0] == gray).all()
    assert (read_values("picture", str(tmp_path / "clear.png"), "", channels=1) == 255).all()
    assert read_values("picture", str(tmp_path / "gray.png"), "", channels=3).shape == (3, 5, 5)


def test_color_is_kept_where_there_is_any(tmp_path: Path) -> None:
    gray = str(picture(tmp_path / "gray.png", np.zeros((4, 4)), "RGB"))
    red = str(picture(tmp_path / "red.png", np.full((4, 4, 3), (200, 10, 10))))
    assert learn_field("picture", [gray, gray], ["", ""]).width == 1
    field = learn_field("picture", [gray, red], ["", ""])
    assert field.width == 3
    assert field.mean[0] > field.mean[1]


def test_a_constant_value_is_only_centered() -> None:
    field = learn_field("vectors", ["[[5, 1], [5, 3]]"], [""])
    assert (field.mean, field.scale) == ((5.0, 2.0), (1.0, 1.0))


def test_vectors_of_other_widths_are_refused(pairs: list[Pair]) -> None:
    with pytest.raises(DataError, match="same number of values, found 2 and 3"):
        learn_field("vectors", ["[[1, 2]]", "[[1, 2, 3]]"], ["p.tsv:1", "p.tsv:2"])
    (codec, _), _ = build_examples(OPTIONS, pairs, has_source=True)
    assert codec is not None
    with pytest.raises(DataError, match="must have 2 values, found 3"):
        encode_text(codec, "\ta\t[[1, 2, 3]]")
    with pytest.raises(DataError, match="is empty in all texts"):
        learn_field("vectors", ["", " "], ["", ""])


@pytest.mark.parametrize(
    "change",
    [
        *({"width": width} for width in (0, True, 10**9)),
        *({"mean": mean} for mean in ([1.0], "x", [float("inf"), 0.0])),
        *({"scale": scale} for scale in ([1.0, 0.0], [1.0, float("nan")], None)),
    ],
)
def test_a_damaged_normalization_is_refused(change: dict[str, object], pairs: list[Pair]) -> None:
    (codec, _), _ = build_examples(OPTIONS, pairs, has_source=True)
    assert codec is not None
    values = json.loads(codec.to_json())
    values["fields"][2] |= change
    with pytest.raises(CheckpointError):
        Codec.from_dict(values, where="x.json")


@pytest.mark.parametrize("line", ["[[1, 2], [3, 4.5]]", "[0.5, 1, -2]", "[[1, 2]]\tb"])
@pytest.mark.parametrize("number", [1, 3])
def test_a_line_that_is_a_series_is_one_text_to_answer(line: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{line}\n" * number)
    expected = line.split("\t")[0]  # the first of two columns
    with open_content(path) as opened:
        found = [source.source for source in iterate_sources(opened.stream, str(path))]
    assert found == [expected] * number
