"""Answers as lines: every format by hand, what is escaped and what isn't, and alignments with EOS left out."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from seq2see.errors import ConfigError
from seq2see.inference.formats import line_writer, pharaoh, score_line
from seq2see.inference.results import EMPTY, PairScore, Prediction

# Source a b c EOS, target x y EOS. x looks at c (place 2), y at a (place 0), EOS at b: by the rule only the first two
# are aligned, as source-target.
WEIGHTS = np.array([[0.1, 0.2, 0.6, 0.1], [0.7, 0.1, 0.1, 0.1], [0.0, 0.9, 0.05, 0.05]])


def answer(text: str = "xy", *, weights: Any = WEIGHTS, finished: bool = True, **more: Any) -> Prediction:
    return Prediction(
        **{
            "text": text,
            "source_tokens": ["a", "b", "c", "<eos>"],
            "target_tokens": ["x", "y", "<eos>"],
            "log_prob": -1.5,
            "score": -0.5,
            "weights": weights,
            "finished": finished,
        }
        | more
    )


OTHER = answer("yx", log_prob=-2.25, score=-0.75, weights=WEIGHTS[[1, 0, 2]], target_tokens=["y", "x", "<eos>"])
CUT = answer("xyx", log_prob=-4.0, score=-4 / 3, finished=False, target_tokens=["x", "y", "x"])
SEVERAL = answer(alternatives=(OTHER, CUT))


def lines(
    format_: Any, prediction: Prediction, alignments: Any = None, *, number: int = 7, source: str = "abc"
) -> list[str]:
    return list(line_writer(format_, alignments, has_alternatives=False)(number, source, prediction))


# --- alignments -----------------------------------------------------------------------------------------------------


def test_alignments_are_source_then_target_without_either_end() -> None:
    assert answer().alignment() == [(2, 0), (0, 1)]
    assert pharaoh(answer()) == "2-0 0-1"


def test_a_token_that_looked_most_at_the_sources_end_is_aligned_with_nothing() -> None:
    weights = np.array([[0.1, 0.1, 0.1, 0.7], [0.1, 0.7, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1]])
    assert answer(weights=weights).alignment() == [(1, 1)]
    assert answer(weights=weights[[0, 0, 2]]).alignment() == []
    assert pharaoh(answer(weights=weights[[0, 0, 2]])) == ""


def test_the_last_token_of_an_answer_that_was_cut_off_is_a_token_like_the_others() -> None:
    assert answer(finished=False).alignment() == [(2, 0), (0, 1), (1, 2)]
    at_the_end = np.array([[0.1, 0.2, 0.6, 0.1], [0.1, 0.1, 0.1, 0.7]])
    assert answer(finished=False, weights=at_the_end, target_tokens=["x", "y"]).alignment() == [(2, 0)]


def test_where_nothing_was_looked_at_there_are_no_alignments() -> None:
    assert answer(weights=None).alignment() == []
    assert pharaoh(answer(weights=None)) == ""
    assert EMPTY.alignment() == []
    places = answer().alignment()
    assert all(type(place) is int for pair in places for place in pair)  # JSON takes no NumPy numbers


# --- text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("xy", "xy"),
        ("", ""),
        ("x\ty", "x\ty"),  # the only column: a tab is no harm
        ("x\ny", "x\\ny"),
        ("x\r\ny", "x\\r\\ny"),
        ("x\\ny", "x\\ny"),  # plain text is given as it is
        ("ß ü 漢", "ß ü 漢"),
    ],
)
def test_text_is_the_answer_on_one_line(text: str, written: str) -> None:
    assert lines("text", answer(text)) == [written + "\n"]
    assert lines("text", answer(text, alternatives=(OTHER,))) == [written + "\n"]


def test_text_with_alignments_has_a_second_column_and_no_other_tab() -> None:
    assert lines("text", answer("x\ty\n"), "pharaoh") == ["x\\ty\\n\t2-0 0-1\n"]
    assert lines("text", answer("xy", weights=None), "pharaoh") == ["xy\t\n"]
    assert lines("text", EMPTY, "pharaoh") == ["\t\n"]
    (line,) = lines("text", answer("x\ty"), "json")
    text, column = line.removesuffix("\n").split("\t")
    assert text == "x\\ty"
    assert json.loads(column) == {
        "source": ["a", "b", "c", "<eos>"],
        "target": ["x", "y", "<eos>"],
        "weights": WEIGHTS.tolist(),
    }


def test_text_has_no_place_for_several_answers() -> None:
    with pytest.raises(ConfigError, match="one answer per line") as caught:
        line_writer("text", None, has_alternatives=True)
    assert "tsv" in caught.value.fix
    assert "jsonl" in caught.value.fix
    for format_ in ("tsv", "jsonl"):
        line_writer(format_, None, has_alternatives=True)  # type: ignore[arg-type]


# --- tsv ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x\ty", "x\\ty"),
        ("x\ny", "x\\ny"),
        ("x\ry", "x\\ry"),
        ("x\\y", "x\\\\y"),
        ("x\\ty", "x\\\\ty"),  # a backslash and a t, not a tab
        ("\\\t\n\r", "\\\\\\t\\n\\r"),
        ("ß\u2028漢", "ß\u2028漢"),
    ],
)
def test_tsv_escapes_what_would_break_the_table(text: str, written: str) -> None:
    assert lines("tsv", answer(text)) == [f"7\t1\t-1.500000\t-0.500000\t{written}\n"]
    back = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
    read, rest = "", written
    while rest:
        pair = rest[:2] if rest[:2] in back else rest[0]
        read, rest = read + back.get(pair, pair), rest[len(pair) :]
    assert read == text, "what is written can be read back"


def test_tsv_has_a_line_an_answer_ranked_from_1() -> None:
    assert lines("tsv", SEVERAL) == [
        "7\t1\t-1.500000\t-0.500000\txy\n",
        "7\t2\t-2.250000\t-0.750000\tyx\n",
        "7\t3\t-4.000000\t-1.333333\txyx\n",
    ]
    assert lines("tsv", SEVERAL, "pharaoh") == [
        "7\t1\t-1.500000\t-0.500000\txy\t2-0 0-1\n",
        "7\t2\t-2.250000\t-0.750000\tyx\t0-0 2-1\n",
        "7\t3\t-4.000000\t-1.333333\txyx\t2-0 0-1 1-2\n",
    ]
    columns = [line.removesuffix("\n").split("\t")[5] for line in lines("tsv", SEVERAL, "json")]
    assert [json.loads(column)["target"] for column in columns] == [each.target_tokens for each in SEVERAL.all]
    assert [json.loads(column)["weights"] for column in columns] == [
        np.asarray(each.weights).tolist() for each in SEVERAL.all
    ]


def test_tsv_of_an_empty_answer() -> None:
    assert lines("tsv", EMPTY, number=1) == ["1\t1\t0.000000\t0.000000\t\n"]


# --- jsonl ----------------------------------------------------------------------------------------------------------


def test_jsonl_has_an_object_a_text() -> None:
    none: dict[str, list[float]] = {"token_log_probs": []}
    (line,) = lines("jsonl", SEVERAL, source="a\tß\n")
    assert line.count("\n") == 1
    assert "ß" in line  # readable, not \u00df
    assert json.loads(line) == {
        "number": 7,
        "source": "a\tß\n",
        "answers": [
            {"text": "xy", "log_prob": -1.5, "score": -0.5, "finished": True, "tokens": ["x", "y", "<eos>"], **none},
            {"text": "yx", "log_prob": -2.25, "score": -0.75, "finished": True, "tokens": ["y", "x", "<eos>"], **none},
            {"text": "xyx", "log_prob": -4.0, "score": -4 / 3, "finished": False, "tokens": ["x", "y", "x"], **none},
        ],
    }


def test_jsonl_with_alignments_has_one_key_more() -> None:
    (line,) = lines("jsonl", SEVERAL, "pharaoh")
    found = json.loads(line)["answers"]
    assert [each["alignment"] for each in found] == ["2-0 0-1", "0-0 2-1", "2-0 0-1 1-2"]
    assert all("attention" not in each for each in found)
    (line,) = lines("jsonl", answer(weights=WEIGHTS.astype(np.float32) / 3), "json")
    (found,) = json.loads(line)["answers"]
    assert "alignment" not in found
    assert found["attention"]["source"] == ["a", "b", "c", "<eos>"]
    assert found["attention"]["target"] == found["tokens"]
    assert found["attention"]["weights"] == [[round(weight / 3, 6) for weight in row] for row in WEIGHTS.tolist()]
    (line,) = lines("jsonl", answer(weights=None), "json")
    assert json.loads(line)["answers"][0]["attention"]["weights"] == []


def test_jsonl_gives_no_figures_where_there_is_no_answer() -> None:
    """JSON knows no infinity, and the probability of an empty text was never asked for."""
    missing = Prediction("", ["a", "<eos>"], [], -math.inf, -math.inf, None, False)
    for given, finished in ((EMPTY, True), (missing, False)):
        (line,) = lines("jsonl", given)
        assert "Infinity" not in line
        (found,) = json.loads(line)["answers"]
        figures = {"log_prob": None, "score": None, "token_log_probs": []}
        assert found == {"text": "", "finished": finished, "tokens": [], **figures}


def test_the_end_alone_is_an_answer_with_figures() -> None:
    (line,) = lines("jsonl", answer("", target_tokens=["<eos>"], weights=None))
    assert json.loads(line)["answers"][0]["log_prob"] == -1.5


# --- scores ---------------------------------------------------------------------------------------------------------


def test_a_score_line_by_hand() -> None:
    score = PairScore(-6.25, -1.25, 5)
    assert score_line("text", 3, score) == "-6.250000\t-1.250000\n"
    assert score_line("tsv", 3, score) == "3\t-6.250000\t-1.250000\t5\t0\n"
    assert json.loads(score_line("jsonl", 3, score)) == {
        "number": 3,
        "log_prob": -6.25,
        "score": -1.25,
        "num_tokens": 5,
        "unknown": [],
    }
    assert score_line("jsonl", 3, score).endswith("}\n")


def test_a_target_that_cannot_be_written_is_marked_on_its_line() -> None:
    score = PairScore(-math.inf, -math.inf, 5, ("ʒ", "ß"), -2.5)
    assert score_line("text", 3, score) == "-inf\t-inf\n"
    assert score_line("tsv", 3, score) == "3\t-inf\t-inf\t5\t2\n"
    line = score_line("jsonl", 3, score)
    assert "Infinity" not in line
    assert json.loads(line) == {
        "number": 3,
        "log_prob": None,
        "score": None,
        "num_tokens": 5,
        "unknown": ["ʒ", "ß"],
        "log_prob_of_others": -2.5,
    }
