"""Constraints of single texts: as lists beside the texts in Python, and in the lines of a file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see import Model
from seq2see.data import TableOptions, iterate_rows
from seq2see.errors import ConfigError, DataError
from seq2see.inference import options as all_options
from seq2see.inference.options import NO_CONSTRAINTS, Constraints, GenerationOptions
from seq2see.inference.reading import UnansweredTextWarning
from seq2see.inference.requests import Request, constraints_in, request_of, requests_of, split_per_text

TEXTS = ["abc", "de", "eab"]


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return seq2see.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def language_model(tiny_language_run: Path) -> Model:
    return seq2see.load(tiny_language_run, device="cpu")


def owns(number: int | None = 3, **arguments: Any) -> list[Constraints]:
    shared, per_text = split_per_text(arguments)
    assert shared == {}
    return [request.own for request in requests_of(iter(TEXTS), per_text, number)]


# --- which reading --------------------------------------------------------------------------------------------------

FOR_ALL: list[dict[str, Any]] = [
    {"prefix": "ab"}, {"prefix": ""}, {"prefix": None}, {"prefix": b"ab"}, {"max_length": 5}, {"max_length": None},
    {"max_length": np.int64(5)}, {"max_length": np.array(5)}, {"max_length": "5"}, {"contain": ["ab"]},
    {"contain": ("ab", "c", "d")}, {"contain": ()}, {"contain": []}, {"contain": np.array(["a", "b", "c"])},
    {"contain": "abc"}, {"contain": [5, "a"]}, {"contain": [5]}, {"contain": None}, {"forbid": 5}, {"beam": [5]},
]  # fmt: skip


@pytest.mark.parametrize("given", FOR_ALL)
def test_what_holds_for_all_stays_as_it_is(given: dict[str, Any]) -> None:
    shared, per_text = split_per_text(given)
    assert shared == given
    assert per_text == {}


PER_TEXT: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"prefix": ["a", None, ""]}, [{"prefix": "a"}, {}, {}]),
    ({"prefix": np.array(["a", "b", ""])}, [{"prefix": "a"}, {"prefix": "b"}, {}]),
    ({"prefix": iter("abc")}, [{"prefix": "a"}, {"prefix": "b"}, {"prefix": "c"}]),
    ({"max_length": [5, None, np.int64(6)]}, [{"max_length": 5}, {}, {"max_length": 6}]),
    ({"min_length": np.array([5, 6, 7])}, [{"min_length": 5}, {"min_length": 6}, {"min_length": 7}]),
    ({"min_length": [5.0, float("nan"), 7.0]}, [{"min_length": 5}, {}, {"min_length": 7}]),
    ({"contain": [["a", "b"], None, ()]}, [{"contain": ("a", "b")}, {}, {}]),
    ({"contain": [None, None, None]}, [{}, {}, {}]),
    ({"forbid": (("a",), ["b"], np.array(["c"]))}, [{"forbid": ("a",)}, {"forbid": ("b",)}, {"forbid": ("c",)}]),
    ({"forbid": iter([["a"], None, iter("bc")])}, [{"forbid": ("a",)}, {}, {"forbid": ("b", "c")}]),
    (
        {"prefix": ["a", None, "b"], "max_length": [None, 9, 8]},
        [{"prefix": "a"}, {"max_length": 9}, {"prefix": "b", "max_length": 8}],
    ),
]


@pytest.mark.parametrize(("given", "expected"), PER_TEXT)
def test_one_value_per_text(given: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert owns(**given) == [Constraints(**each) for each in expected]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prefix": ["a", "b"]}, "prefix", "found 2 for 3 texts"),
    ({"contain": [["a"], ["b"], ["c"], None]}, "contain", "found 4 for 3 texts"),
    ({"max_length": ()}, "max_length", "found 0 for 3 texts"),
    ({"contain": [["a"], "b", None]}, "contain", "make contain[1] a list: ['b']"),
    ({"contain": ["a", None, "b"]}, "contain", "give contain=['a'] for all"),
    ({"contain": [["a"], ["b", 5], None]}, "contain[1][1]", "must be a text, not 5"),
    ({"forbid": [None, None, [""]]}, "forbid[2][0]", "must not be an empty text"),
    ({"prefix": ["a", 5, "b"]}, "prefix[1]", "must be a text, not 5"),
    ({"max_length": [1, 0, 2]}, "max_length[1]", "must be at least 1, not 0"),
    ({"max_length": [1, "7", 2]}, "max_length[1]", "must be a whole number, not '7'"),
    ({"max_length": [1, 2.5, 2]}, "max_length[1]", "must be a whole number, not 2.5"),
    ({"max_length": [1, True, 2]}, "max_length[1]", "must be a whole number, not True"),
    ({"min_length": [None, 5, 5], "max_length": [None, 4, 6]}, "min_length[1], max_length[1]", "5 is larger than"),
    ({"prefix": {"a", "b", "c"}}, "prefix", "must be in order, not {"),
    ({"contain": {"a": 1}}, "contain", "must be in order, not {"),
]


@pytest.mark.parametrize(("given", "where", "said"), REFUSED)
def test_what_cannot_be_read_in_one_way_is_refused(given: dict[str, Any], where: str, said: str, model: Model) -> None:
    for use in (
        lambda: model.predict(TEXTS, **given),
        lambda: list(model.stream(TEXTS, **given)),
        lambda: model.attend(TEXTS, **given),
    ):
        check_refused(use, where, said)


LAZILY: list[tuple[str, list[Any], str, str]] = [
    ("prefix", ["a", "b"], "prefix", "found 2 for at least 3 texts"),
    ("prefix", [*"abcd"], "prefix", "found at least 4 for 3 texts"),
    ("contain", [*"abc"], "contain[0]", "give a list for each text: ['a']"),
    ("forbid", [None, 5], "forbid[1]", "must be a list, not 5"),
]


@pytest.mark.parametrize(("name", "values", "where", "said"), LAZILY)
def test_what_is_read_as_the_texts_come_is_refused_too(
    name: str, values: list[Any], where: str, said: str, model: Model
) -> None:
    check_refused(lambda: model.predict(TEXTS, **{name: iter(values)}), where, said)  # type: ignore[arg-type]
    check_refused(lambda: list(model.stream(iter(TEXTS), **{name: iter(values)})), where, said)  # type: ignore[arg-type]


def check_refused(use: Callable[[], object], where: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        use()
    assert caught.value.where == where
    assert said in str(caught.value)
    assert caught.value.fix


def test_a_wrong_number_is_refused_before_the_first_answer(model: Model) -> None:
    with pytest.raises(ConfigError, match="found 2 for 1 text"):
        model.stream("abc", prefix=["a", "b"])
    with pytest.raises(ConfigError, match="found 2 for 3 texts"):
        model.stream(TEXTS, prefix=["a", "b"])


def test_a_stream_answers_the_texts_before_a_value_that_is_missing(model: Model) -> None:
    stream = model.stream(iter(TEXTS), prefix=iter(["a", "b"]))
    assert [next(stream)[1].text[0] for _ in range(2)] == ["a", "b"]
    with pytest.raises(ConfigError, match="found 2 for at least 3 texts"):
        next(stream)


# --- answers --------------------------------------------------------------------------------------------------------


def test_each_text_has_the_answer_that_its_constraints_alone_give(model: Model) -> None:
    answers = model.predict(
        TEXTS, prefix=["b", None, ""], contain=[None, ["ab", "ce"], None], max_length=[None, None, 2]
    )
    alone = [
        *model.predict(TEXTS[0], prefix="b"),
        *model.predict(TEXTS[1], contain=["ab", "ce"]),
        *model.predict(TEXTS[2], max_length=2),
    ]
    assert [answer.target_tokens for answer in answers] == [answer.target_tokens for answer in alone]
    assert answers[0].text.startswith("b")
    assert "ab" in answers[1].text
    assert "ce" in answers[1].text
    assert len(answers[2].target_tokens) <= 2
    shown = model.attend(TEXTS, prefix=["b", None, ""])
    assert shown[0].prediction.text == answers[0].text


def test_own_constraints_come_on_top_of_those_for_all() -> None:
    options = GenerationOptions(min_length=2, max_length=8, prefix="a", forbid=["b"], contain=["c", "d"])  # type: ignore[arg-type]
    both = options.with_own(Constraints(max_length=5, prefix="e", forbid=("f", "b"), contain=("d", "g")))
    assert both == Constraints(2, 5, "e", ("b", "f"), ("c", "d", "g"))
    assert options.with_own(Constraints()) == Constraints(2, 8, "a", ("b",), ("c", "d"))


def test_a_text_whose_constraints_cannot_be_met_has_no_answer_and_a_reason(model: Model) -> None:
    given: dict[str, Any] = {"prefix": ["xa", None, None], "contain": [None, ["a" * 70], ["b"]], "min_length": 3}
    with pytest.warns(UnansweredTextWarning, match=r"2 of 3 \(first: text 1: prefix: 'x' was not in"):
        answers = model.predict(TEXTS, max_length=9, **given)
    assert [answer.error.partition(":")[0] for answer in answers] == ["prefix", "contain", ""]
    assert answers[2].text == model.predict(TEXTS[2], contain=["b"], min_length=3, max_length=9)[0].text
    with pytest.raises(DataError, match="text 1: prefix") as caught:
        model.predict(TEXTS, strict=True, **given)
    assert caught.value.fix
    with pytest.warns(UnansweredTextWarning, match="min_length 3 is larger than max_length 2"):
        assert model.predict(TEXTS, min_length=3, max_length=[2, 3, 4])[0].error


def test_what_no_text_of_a_model_can_have_is_refused_at_once(model: Model, language_model: Model) -> None:
    with pytest.raises(ConfigError, match="give the prefix as the text"):
        language_model.stream(iter(TEXTS), prefix=["a", "b", "c"])
    with pytest.raises(ConfigError, match="conflicts with sampling"):
        model.stream(iter(TEXTS), sample=True, contain=[["a"], None, None])
    drawn = model.predict(TEXTS, sample=True, seed=1, forbid=[["a"], None, None])
    assert "a" not in drawn[0].text
    others = model.predict(TEXTS, sample=True, seed=1)[1:]
    assert [answer.target_tokens for answer in drawn[1:]] == [answer.target_tokens for answer in others]


# --- lines of a file ------------------------------------------------------------------------------------------------


def read(*objects: object) -> list[Request]:
    lines = "".join(json.dumps(each) + "\n" for each in objects)
    return rows_of(lines, "in.jsonl")


def rows_of(content: str, name: str) -> list[Request]:
    return list(map(request_of, iterate_rows(io.BytesIO(content.encode()), name, named=all_options.PER_TEXT)))


@pytest.mark.parametrize("name", ["<stdin>", "texts.txt", "in.jsonl"])
def test_objects_with_the_key_of_a_text_are_json_whatever_the_file_is_called(name: str) -> None:
    lines = [{"id": 3, "source": "a, b", "max_length": 4}, {"source": "{c}", "target": "d"}]
    content = "".join(json.dumps(each) + "\n" for each in lines)
    first, second = rows_of(content, name)
    assert (first.text, first.own.max_length, second.text, second.own) == ("a, b", 4, "{c}", NO_CONSTRAINTS)
    as_texts = iterate_rows(io.BytesIO(content.encode()), name, table=TableOptions(delimiter="tab"))
    if name != "in.jsonl":
        assert [row.source for row in as_texts] == content.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        '{"a": "b"}\n',
        '{"level": "info", "source": "a", "msg": "b"}\n',
        '{"source": "a"}\nb\n',
        "{source}\n",
        '{"source"\n',
        "[1, 2]\n",
    ],
)
def test_other_texts_with_braces_are_texts(content: str) -> None:
    assert [request.text for request in rows_of(content, "texts.txt")] == content.splitlines()


def test_the_key_of_training_tells_json_on_standard_input() -> None:
    content = b'{"word": "a", "text": "b"}\n'
    for known, expected in ((("word",), "a"), ((), content.decode().strip()), (("word", "tag"), "")):
        rows = iterate_rows(io.BytesIO(content), "<stdin>", known=TableOptions(source=known))
        if len(known) < 2:
            assert [row.source for row in rows] == [expected]
        else:
            with pytest.raises(DataError):
                list(rows)


def test_a_key_that_is_nearly_a_constraint_is_noted() -> None:
    said: list[str] = []
    lines = b'{"source": "a", "max_lenght": 5, "id": 7, "contain": "b"}\n'
    list(iterate_rows(io.BytesIO(lines), "<stdin>", named=all_options.PER_TEXT, say=said.append))
    assert said == [
        "<stdin>: JSON; source as source; --delimiter tab reads each line as a text",
        "note: <stdin>: max_lenght is ignored; did you mean max_length?",
    ]
    said.clear()
    table = b"source,prefixes,forbid,note\na,b,c,d\n"
    list(iterate_rows(io.BytesIO(table), "in.csv", named=all_options.PER_TEXT, say=said.append))
    assert said[-1] == "note: in.csv: prefixes is ignored; did you mean prefix?"


def test_lines_of_json_have_constraints_of_their_own() -> None:
    found = read(
        {"source": "abc"},
        {"source": "abc", "contain": "a|b", "forbid": ["c", "d"], "prefix": " e", "min_length": 2, "max_length": 3},
        {"source": "abc", "contain": [], "forbid": None, "prefix": "", "min_length": None, "other": 5},
        {"text": "abc", "prefix": "[1]"},
    )
    assert [request.text for request in found] == ["abc"] * 4
    own = Constraints(2, 3, " e", ("c", "d"), ("a|b",))
    assert [request.own for request in found] == [Constraints(), own, Constraints(), Constraints(prefix="[1]")]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"prefix": ["a"]}, "prefix: must be a text"), ({"prefix": 5}, "prefix: must be a text"),
        ({"contain": 5}, "contain: must be a list"), ({"contain": ["a", 5]}, "contain[1]: must be a text"),
        ({"forbid": [""]}, "forbid[0]: must not be an empty text"), ({"max_length": 0}, "max_length: must be at least"),
        ({"max_length": "3"}, "max_length: must be a whole number"), ({"min_length": 2.5}, "min_length: must be a"),
        ({"min_length": 10**30}, "min_length: must be"), ({"contain": {"a": 1}}, "contain: must be a list"),
        ({"min_length": 3, "max_length": 2}, "min_length, max_length: min_length 3 is larger"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_said_with_its_line(value: dict[str, Any], said: str) -> None:
    _, request = read({"source": "ab"}, {"source": "abc"} | value)
    assert request.error is not None
    assert request.error.where == "in.jsonl:2"
    assert said in request.error.what
    assert request.error.fix


CELLS: list[tuple[dict[str, str], Constraints]] = [
    ({"prefix": "a|b"}, Constraints(prefix="a|b")),
    ({"prefix": "", "contain": " ", "max_length": ""}, Constraints()),
    ({"contain": "a b"}, Constraints(contain=("a b",))),
    ({"contain": "a b | c|"}, Constraints(contain=("a b", "c"))),
    ({"forbid": '["a|b", " c"]'}, Constraints(forbid=("a|b", " c"))),
    ({"max_length": " 12 ", "min_length": "3"}, Constraints(3, 12)),
    ({"source": "x", "note": "5"}, Constraints()),
]


@pytest.mark.parametrize(("cells", "expected"), CELLS)
def test_cells_of_a_table_have_them_as_text(cells: dict[str, str], expected: Constraints) -> None:
    assert constraints_in(cells, in_cells=True, where="in.csv:2") == expected


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"contain": "[a"}, 'write a text that begins with [ as ["[a"]'), ({"contain": "[1]"}, "contain[0]: must be"),
        ({"max_length": "many"}, "max_length: must be a whole number, not 'many'"), ({"max_length": "0"}, "at least 1"),
        ({"max_length": "-1"}, "must be a whole number"), ({"max_length": "9" * 50}, "must be a whole number"),
    ],
)  # fmt: skip
def test_an_invalid_cell_is_said(cells: dict[str, str], said: str) -> None:
    with pytest.raises(DataError) as caught:
        constraints_in(cells, in_cells=True, where="in.csv:2")
    assert caught.value.where == "in.csv:2"
    assert said in str(caught.value)


TABLES: dict[str, tuple[str, str]] = {
    "CSV": ("in.csv", 'source,contain,max_length\nab,c|d,\n"a, b",,5\n'),
    "TSV": ("in.tsv", "source\tcontain\tmax_length\nab\tc|d\t\na, b\t\t5\n"),
    "in another order, with others": ("in.csv", 'id;max_length;source;contain\n1;;ab;c | d\n2;5;a, b;""\n'),
    "stdin": ("<stdin>", "source\tcontain\tmax_length\nab\tc|d\t\na, b\t\t5\n"),
}


@pytest.mark.parametrize("table", TABLES)
def test_columns_of_a_table_are_constraints(table: str) -> None:
    name, content = TABLES[table]
    first, second = rows_of(content, name)
    assert (first.text, first.own, first.place) == ("ab", Constraints(contain=("c", "d")), f"{name}:2")
    assert (second.text, second.own, second.place) == ("a, b", Constraints(max_length=5), f"{name}:3")


def test_two_columns_may_be_a_source_and_a_constraint() -> None:
    assert [(row.text, row.own) for row in rows_of("source\tprefix\nab\tc \ncd\t\n", "in.tsv")] == [
        ("ab", Constraints(prefix="c ")),
        ("cd", Constraints()),
    ]
    for content in ("ab\nprefix\n", "prefix\nab\n"):  # one column is text
        assert [row.text for row in rows_of(content, "in.txt")] == content.split()


def test_a_constraint_that_is_no_text_concerns_only_its_line(model: Model) -> None:
    with pytest.warns(UnansweredTextWarning, match="surrogate"):
        bad, good = model.predict(["ab", "ab"], contain=[["\ud800"], None])
    assert (bad.text, bool(bad.error)) == ("", True)
    assert good == model.predict("ab")[0]
