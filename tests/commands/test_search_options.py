"""What the command's flags ask of the library: every option of a search, every format, ensembles, and what is refused.

The command is held to `Model.predict` and `Model.score`, whose answers other tests hold to what is true.
"""

from __future__ import annotations

import io
import json
import math
import random
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import seq2see
from seq2see import Model, Pair, Prediction, cli
from seq2see.inference.formats import pharaoh
from seq2see.inference.options import GenerationOptions


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs `seq2see` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["seq2see", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, tiny_text: Path, tiny_settings: dict[str, Any]
) -> dict[str, Path]:
    """Runs that have learned something, but so little that every option changes some of their answers."""
    folder = tmp_path_factory.mktemp("unsure")
    torch.set_num_threads(1)
    few = {"training.max_updates": 60, "training.evaluate_every": 60}
    made = {}
    for name, seed in (("attention", 1), ("plain", 2), ("language_model", 1), ("language_model", 2)):
        made[f"{name}-{seed}"] = out = folder / f"{name}-{seed}"
        data = tiny_text if name == "language_model" else tiny_pairs
        settings = tiny_settings | few | {"training.seed": seed}
        # The dev pairs are given, since those set aside depend on the seed, and the vocabulary on the rest.
        seq2see.train(data, dev=data, model=name, out=out, settings=settings, device="cpu", quiet=True)
    return made


@pytest.fixture(scope="module")
def run(runs: dict[str, Path]) -> Path:
    return runs["attention-1"]


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return seq2see.load(run, device="cpu")


@pytest.fixture(scope="module")
def writer(runs: dict[str, Path]) -> Model:
    return seq2see.load(runs["language_model-1"], device="cpu")


def some_texts() -> list[str]:
    chance = random.Random(5)
    return ["", *("".join(chance.choices("abcde", k=chance.randint(1, 7))) for _ in range(40))]


TEXTS = some_texts()


class Figures(NamedTuple):
    """What is compared of an answer."""

    text: str
    tokens: list[str]
    finished: bool
    log_prob: float | None
    score: float | None


def figures(answer: Prediction) -> Figures:
    has_figures = bool(answer.target_tokens)
    return Figures(
        answer.text,
        answer.target_tokens,
        answer.finished,
        answer.log_prob if has_figures else None,
        answer.score if has_figures else None,
    )


def same(found: list[list[Figures]], expected: list[list[Figures]]) -> bool:
    """The same answers, their figures but for the last digits."""

    def close(one: float | None, other: float | None) -> bool:
        return one == other if one is None or other is None else math.isclose(one, other, rel_tol=1e-5)

    return [len(answers) for answers in found] == [len(answers) for answers in expected] and all(
        one[:3] == other[:3] and all(map(close, one[3:], other[3:]))
        for one, other in zip(chain(*found), chain(*expected), strict=True)
    )


def by_library(model: Model, texts: Sequence[str], **options: Any) -> list[list[Figures]]:
    return [[figures(each) for each in answer.all] for answer in model.predict(texts, **options)]


def read_objects(out: str) -> list[list[Figures]]:
    """The answers of `--format jsonl`."""
    return [
        [Figures(*(each[key] for key in ("text", "tokens", "finished", "log_prob", "score"))) for each in line]
        for line in (json.loads(line)["answers"] for line in out.splitlines())
    ]


# --- every option of a search ---------------------------------------------------------------------------------------

Case = tuple[list[str], dict[str, Any]]

CASES: dict[str, Case] = {
    "beam": (["--beam", "4"], {"beam": 4}),
    "n_best": (["--beam", "4", "--n-best", "3"], {"beam": 4, "n_best": 3}),
    "batch_size": (["--batch-size", "3"], {"batch_size": 3}),
    "length_penalty": (["--beam", "6", "--length-penalty", "3"], {"beam": 6, "length_penalty": 3.0}),
    "coverage_penalty": (["--beam", "6", "--coverage-penalty", "3"], {"beam": 6, "coverage_penalty": 3.0}),
    "beam_groups": (["--beam", "6", "--beam-groups", "3"], {"beam": 6, "beam_groups": 3}),
    "diversity": (
        ["--beam", "6", "--beam-groups", "3", "--diversity", "2"],
        {"beam": 6, "beam_groups": 3, "diversity": 2.0},
    ),
    "mbr": (["--beam", "6", "--mbr", "cer"], {"beam": 6, "mbr": "cer"}),
    "mbr_samples": (
        ["--sample", "--mbr", "chrf", "--mbr-samples", "9"],
        {"sample": True, "mbr": "chrf", "mbr_samples": 9},
    ),
    "sample": (["--sample"], {"sample": True}),
    "temperature": (["--sample", "--temperature", "0.3"], {"sample": True, "temperature": 0.3}),
    "top_k": (["--sample", "--top-k", "2"], {"sample": True, "top_k": 2}),
    "top_p": (["--sample", "--top-p", "0.4"], {"sample": True, "top_p": 0.4}),
    "min_p": (["--sample", "--min-p", "0.4"], {"sample": True, "min_p": 0.4}),
    "seed": (["--sample", "--seed", "4"], {"sample": True, "seed": 4}),
    "min_length": (["--min-length", "7"], {"min_length": 7}),
    "max_length": (["--max-length", "3"], {"max_length": 3}),
    "min_ratio": (["--min-ratio", "1.7"], {"min_ratio": 1.7}),
    "max_ratio": (["--max-ratio", "0.6"], {"max_ratio": 0.6}),
    "prefix": (["--prefix", "ca"], {"prefix": "ca"}),
    "forbid": (["--forbid", "a", "--forbid", "cb"], {"forbid": ["a", "cb"]}),
    "contain": (["--contain", "ad", "--contain", "e"], {"contain": ["ad", "e"]}),
    "no_repeat": (["--no-repeat", "1"], {"no_repeat": 1}),
    "placeholders": (["--placeholders", "[ab]+d"], {"placeholders": "[ab]+d"}),
    "glossary": (["--glossary", "terms.tsv"], {"glossary": {"ab": "eee", "c": "cd"}}),
}
"""For each field of `GenerationOptions` flags that change answers, and the same for the library."""


OF_INPUT = {"max_input_length", "strict"}
"""Which texts are answered at all: tests/inference/test_reading.py runs these."""


OF_OUTPUT = {"top_tokens", "beam_steps"}
"""What is listed besides: see below."""


def test_every_option_of_a_search_has_a_case() -> None:
    """A new option without a flag fails here: give it one, and a case that shows that it arrives."""
    assert set(CASES) | OF_INPUT | OF_OUTPUT == {field.name for field in fields(GenerationOptions)}
    assert all(name in options for name, (_, options) in CASES.items())


@pytest.mark.parametrize("name", CASES)
def test_every_option_of_a_search_has_a_flag_that_arrives(
    name: str, command: Command, run: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags, options = CASES[name]
    Path("terms.tsv").write_text("ab\teee\nc\tcd\n")
    sizes: list[int] = []
    start = type(model.engine).start

    def counted(self: Any, source: Any, read: Any) -> Any:
        sizes.append(len(source.lengths))
        return start(self, source, read)

    monkeypatch.setattr(type(model.engine), "start", counted)
    said = command("predict", run, *TEXTS, "--format", "jsonl", "--device", "cpu", *flags)
    assert (said.code, [line for line in said.err.splitlines() if not line.startswith("note: ")]) == (0, [])
    largest = max(sizes)
    expected = by_library(model, TEXTS, **options)
    assert same(read_objects(said.out), expected)
    rest = {key: value for key, value in options.items() if key != name}
    if name == "batch_size":  # changes no answer, and that is all that it changes
        assert largest == options[name]
    else:
        assert not same(by_library(model, TEXTS, **rest), expected), (
            "without the option it is the same: this shows nothing"
        )


@pytest.mark.parametrize("numbers", [("0.3", "0.9", "0.05"), ("2", "0.8", "0.3")])
def test_options_of_sampling_are_not_mistaken_for_each_other(
    numbers: tuple[str, ...], command: Command, run: Path, model: Model
) -> None:
    temperature, top_p, min_p = numbers
    flags = ["--temperature", temperature, "--top-p", top_p, "--min-p", min_p, "--top-k", "4", "--seed", "9"]
    said = command("predict", run, *TEXTS, "--sample", "--n-best", "3", "--format", "jsonl", "--device", "cpu", *flags)
    options = {"temperature": float(temperature), "top_p": float(top_p), "min_p": float(min_p), "top_k": 4, "seed": 9}
    assert same(read_objects(said.out), by_library(model, TEXTS, sample=True, n_best=3, **options))


def test_options_of_lengths_are_not_mistaken_for_each_other(command: Command, run: Path, model: Model) -> None:
    options = {"min_length": 3, "max_length": 8, "min_ratio": 0.7, "max_ratio": 1.4}
    flags = [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]
    said = command("predict", run, *TEXTS, "--format", "jsonl", "--device", "cpu", *flags)
    assert same(read_objects(said.out), by_library(model, TEXTS, **options))


def test_top_tokens_are_listed_where_the_format_has_tokens(command: Command, run: Path, model: Model) -> None:
    said = command("predict", run, "abc", "--format", "jsonl", "--top-tokens", "2")
    (answer,) = json.loads(said.out)["answers"]
    expected = model.predict("abc", top_tokens=2)[0].top_tokens
    assert [[each["token"] for each in own] for own in answer["top_tokens"]] == [
        [each.token for each in own] for own in expected
    ]
    for words in (["predict", run, "abc"], ["predict", run, "abc", "--format", "tsv"], ["attend", run, "abc"]):
        refused = command(*words, "--top-tokens", "2")
        assert refused.code == 2
        assert "top-tokens: " in refused.err
        assert "--format jsonl" in refused.err


def test_the_steps_of_a_beam_are_listed_where_the_format_has_tokens(command: Command, run: Path, model: Model) -> None:
    said = command("predict", run, "abc", "--format", "jsonl", "--beam", "2", "--beam-steps")
    (answer,) = json.loads(said.out)["answers"]
    (expected,) = model.predict("abc", beam=2, beam_steps=True)
    assert [[each["fate"] for each in step] for step in answer["beam_steps"]] == [
        [each.fate for each in step] for step in expected.beam_steps
    ]
    for words in (["predict", run, "abc"], ["attend", run, "abc"]):
        refused = command(*words, "--beam", "2", "--beam-steps")
        assert refused.code == 2
        assert "beam-steps: " in refused.err
        assert "--format jsonl" in refused.err


# --- constraints of single lines ------------------------------------------------------------------------------------

LINES: list[dict[str, Any]] = [
    {"source": "abc"},
    {"source": "abc", "prefix": "ca", "max_length": 4},
    {"source": "deab", "contain": ["ad", "e"], "forbid": "b"},
    {"source": "deab", "contain": "dd", "min_length": 8},
    {"source": "cde", "forbid": ["a", "cb"]},
]


def write_lines(*lines: object) -> None:
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(("flags", "options"), [([], {}), (["--beam", "4", "--n-best", "2"], {"beam": 4, "n_best": 2})])
def test_lines_of_a_file_have_constraints_of_their_own(
    flags: list[str], options: dict[str, Any], command: Command, run: Path, model: Model
) -> None:
    write_lines(*LINES)
    said = command("predict", run, "--input", "in.jsonl", "--format", "jsonl", "--device", "cpu", *flags)
    alone = []
    for line in LINES:
        source, own = line["source"], {key: value for key, value in line.items() if key != "source"}
        several = {key: [own[key]] for key in ("contain", "forbid") if isinstance(own.get(key), str)}
        alone += by_library(model, [source], **options, **own | several)
    assert (said.code, same(read_objects(said.out), alone)) == (0, True)
    assert not same(read_objects(said.out), by_library(model, [line["source"] for line in LINES], **options))
    shown = command("attend", run, "--input", "in.jsonl", "--device", "cpu", "-o", "attention.json", *flags[:2])
    assert shown.code == 0
    pictures = json.loads(Path("attention.json").read_text())
    assert [picture["text"] for picture in pictures["texts"]] == [answers[0].text for answers in alone]


def test_a_line_whose_constraints_are_invalid_has_no_answer_and_a_message(command: Command, run: Path) -> None:
    write_lines(LINES[1], {"source": "abc", "max_length": 0}, {"source": "abc", "contain": "xyz"}, LINES[0])
    said = command("predict", run, "--input", "in.jsonl", "--device", "cpu")
    assert said.code == 2
    assert [bool(line) for line in said.out.splitlines()] == [True, False, False, True]
    assert "no answer: in.jsonl:2: max_length: must be at least 1, not 0; give a value of at least 1\n" in said.err
    assert "no answer: in.jsonl:3: contain: 'x', 'y', 'z' was not in the model's training data; use" in said.err
    assert "texts without answer: 2 of 4" in said.err
    strict = command("predict", run, "--input", "in.jsonl", "--device", "cpu", "--strict")
    assert strict.code == 2
    assert strict.out.splitlines() == said.out.splitlines()[:1]
    assert "seq2see: in.jsonl:2: max_length: must be at least 1, not 0\n  fix: give" in strict.err
    write_lines({"source": "abc", "contain": "xyz"})
    strict = command("predict", run, "--input", "in.jsonl", "--device", "cpu", "--strict")
    assert "seq2see: in.jsonl:1: contain: 'x', 'y', 'z' was not in" in strict.err
    write_lines(LINES[2])
    said = command("predict", run, "--input", "in.jsonl", "--device", "cpu", "--sample")
    assert "in.jsonl:1: contain: conflicts with sampling" in said.err


def test_lines_of_a_table_have_constraints_and_places(command: Command, run: Path, model: Model) -> None:
    Path("in.csv").write_text("source,prefix,max_length\nabc,ca,\ndeab,,0\ncde,x,\ndeab,,3\n")
    said = command("predict", run, "--input", "in.csv", "--device", "cpu")
    answers = [model.predict("abc", prefix="ca")[0].text, "", "", model.predict("deab", max_length=3)[0].text]
    assert (said.code, said.out.splitlines()) == (2, answers)
    assert said.err.count("no answer: ") == 2
    assert "no answer: in.csv:3: max_length: must be at least 1" in said.err
    assert "no answer: in.csv:4: prefix: 'x' was not in" in said.err
    assert "with a header; source; of each line: max_length, prefix" in said.err
    strict = command("predict", run, "--input", "in.csv", "--device", "cpu", "--strict")
    assert "seq2see: in.csv:3: max_length" in strict.err


def test_a_line_that_cannot_be_read_is_no_prompt_either(command: Command, runs: dict[str, Path]) -> None:
    Path("in.jsonl").write_text('{"source": "ab"}\n{"source": 5}\n')
    said = command("predict", runs["language_model-1"], "--input", "in.jsonl", "--device", "cpu")
    assert said.code == 2
    assert [bool(line) for line in said.out.splitlines()] == [True, False]


def test_a_glossary_that_cannot_be_read_is_said_with_its_line(command: Command, run: Path) -> None:
    Path("terms.tsv").write_text("ab\tc\nab\td\n")
    said = command("predict", run, "abc", "--glossary", "terms.tsv")
    assert said == Ran(
        2,
        "",
        "seq2see: terms.tsv:2: the term 'ab' is 'd' here and 'c' in terms.tsv:1\n  fix: keep one of the two lines\n",
    )
    assert "none.tsv: no such file" in command("predict", run, "abc", "--glossary", "none.tsv").err
    Path("terms.tsv").write_text("ab\txc\n")
    said = command("predict", run, "ab", "abc", "--glossary", "terms.tsv", "--device", "cpu")
    assert said.code == 0
    assert "'xc' ('x' was not in the training data; first: text 1)" in said.err


# --- formats --------------------------------------------------------------------------------------------------------

LOOKING = {"beam": 4, "n_best": 3, "max_length": 4}
LOOKING_FLAGS = ["--beam", "4", "--n-best", "3", "--max-length", "4", "--device", "cpu"]
"""Answers some of which are cut off."""


def test_predict_writes_text_tsv_and_objects(command: Command, run: Path, model: Model) -> None:
    answers = model.predict(TEXTS, **LOOKING)
    rows = [
        f"{number}\t{rank}\t{each.log_prob:.6f}\t{each.score:.6f}\t{each.text}"
        for number, answer in enumerate(answers, start=1)
        for rank, each in enumerate(answer.all, start=1)
    ]
    assert len(rows) == 3 * len(TEXTS) - 2  # an empty text has one answer, and that is empty
    for flags in ([], ["--format", "tsv"]):
        assert command("predict", run, *TEXTS, *LOOKING_FLAGS, *flags).out.splitlines() == rows
    said = command("predict", run, *TEXTS, *LOOKING_FLAGS, "--format", "jsonl")
    lines = list(map(json.loads, said.out.splitlines()))
    assert [(line["number"], line["source"]) for line in lines] == list(enumerate(TEXTS, start=1))
    assert same(read_objects(said.out), by_library(model, TEXTS, **LOOKING))
    one = command("predict", run, *TEXTS, "--format", "tsv", "--device", "cpu")
    firsts = [line.split("\t") for line in one.out.splitlines()]
    assert [(line[0], line[1], line[4]) for line in firsts] == [
        (str(number), "1", each.text) for number, each in enumerate(model.predict(TEXTS), start=1)
    ]
    plain = command("predict", run, *TEXTS, "--format", "text", "--device", "cpu")
    assert plain.out.splitlines() == [each.text for each in model.predict(TEXTS)]


@pytest.mark.parametrize("format_", ["text", "tsv", "jsonl"])
def test_alignments_are_a_column_or_a_key(format_: str, command: Command, run: Path, model: Model) -> None:
    options = LOOKING if format_ != "text" else {"max_length": 4}
    flags = LOOKING_FLAGS if format_ != "text" else ["--max-length", "4", "--device", "cpu"]
    answers = [each for answer in model.predict(TEXTS, **options) for each in answer.all]
    assert {each.finished for each in answers} == {True, False}

    def column(kind: str) -> list[Any]:
        said = command("predict", run, *TEXTS, *flags, "--format", format_, "--alignments", kind)
        assert said.code == 0
        lines = said.out.splitlines()
        if format_ != "jsonl":
            return [line.split("\t")[1 if format_ == "text" else 5] for line in lines]
        key = {"pharaoh": "alignment", "json": "attention"}[kind]
        return [each[key] for line in lines for each in json.loads(line)["answers"]]

    aligned = column("pharaoh")
    assert aligned == [pharaoh(each) for each in answers]
    for words, each in zip(aligned, answers, strict=True):  # once more from what is said of the format
        places = [tuple(map(int, word.split("-"))) for word in words.split()]
        real = len(each.target_tokens) - each.finished
        looked = [] if each.weights is None else each.weights.argmax(1).tolist()[:real]
        ends = len(each.source_tokens) - 1
        assert places == [(place, row) for row, place in enumerate(looked) if place != ends]
    assert any("0-1" in words and "1-0" not in words for words in aligned)
    for found, each in zip(column("json"), answers, strict=True):
        looked = found if format_ == "jsonl" else json.loads(found)
        assert (looked["source"], looked["target"]) == (each.source_tokens, each.target_tokens)
        if each.weights is None:
            assert looked["weights"] == []
        else:
            np.testing.assert_allclose(looked["weights"], each.weights, rtol=0, atol=6e-7)


# --- score ----------------------------------------------------------------------------------------------------------

PAIRS = [("abc", "cba"), ("d", "ddddd"), ("edcba", "a"), ("ab", "ba"), ("ce", "ecec")]


def check_scores(said: Ran, format_: str, scores: Sequence[seq2see.PairScore]) -> None:
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    if format_ == "jsonl":
        assert list(map(json.loads, lines)) == [
            {
                "number": number,
                "log_prob": each.log_prob,
                "score": each.score,
                "num_tokens": each.num_tokens,
                "unknown": [],
            }
            for number, each in enumerate(scores, start=1)
        ]
        return
    rows = [f"{each.log_prob:.6f}\t{each.score:.6f}" for each in scores]
    if format_ == "tsv":
        rows = [
            f"{number}\t{row}\t{each.num_tokens}\t0"
            for number, (row, each) in enumerate(zip(rows, scores, strict=True), 1)
        ]
    assert lines == rows


@pytest.mark.parametrize("format_", ["text", "tsv", "jsonl"])
def test_score_says_what_the_library_says(format_: str, command: Command, run: Path, model: Model) -> None:
    Path("pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    pairs = [Pair(source, target, "") for source, target in PAIRS]
    scores = model.score(pairs)
    assert len({round(each.log_prob, 3) for each in scores}) == len(PAIRS)
    check_scores(command("score", run, "pairs.tsv", "--device", "cpu", "--format", format_), format_, scores)
    Path("a.src").write_text("".join(source + "\n" for source, _ in PAIRS))
    Path("a.tgt").write_text("".join(target + "\n" for _, target in PAIRS))
    flags = ["--device", "cpu", "--format", format_]
    check_scores(command("score", run, "a.src", "a.tgt", *flags), format_, scores)
    assert command("score", run, "pairs.tsv", *flags, "--output", "scores") == Ran(0, "", "")
    check_scores(Ran(0, Path("scores").read_text(), ""), format_, scores)
    one = command("score", run, "pairs.tsv", *flags, "--batch-size", "1")
    check_scores(one, format_, model.score(pairs, batch_size=1))


def test_score_takes_text_for_a_language_model_and_leaves_out_what_is_bad(
    command: Command, runs: dict[str, Path], run: Path, model: Model, writer: Model
) -> None:
    texts = ["abc", "e", "ddd"]
    Path("text.txt").write_text("".join(text + "\n" for text in texts))
    said = command("score", runs["language_model-1"], "text.txt", "--device", "cpu", "--format", "jsonl")
    check_scores(said, "jsonl", writer.score([Pair("", text, "") for text in texts]))
    Path("pairs.tsv").write_text("abc\tcba\nbad\nd\tee\n")
    assert command("score", run, "pairs.tsv").code == 2
    said = command("score", run, "pairs.tsv", "--skip-bad", "--device", "cpu", "--format", "tsv")
    assert "skipped 1 invalid line" in said.err
    check_scores(said, "tsv", model.score([Pair("abc", "cba", ""), Pair("d", "ee", "")]))


def test_score_marks_targets_that_cannot_be_written(command: Command, run: Path) -> None:
    Path("pairs.tsv").write_text("abc\tcba\nab\tbZ\n")
    said = command("score", run, "pairs.tsv", "--device", "cpu")
    assert said.code == 0
    assert [line.split("\t")[0] == "-inf" for line in said.out.splitlines()] == [False, True]
    assert "1 of 2 targets have tokens that the model can't write" in said.err
    assert "'Z' in 1" in said.err


# --- generate -------------------------------------------------------------------------------------------------------

SHORT = ("--min-p", "0.1", "--seed", "3", "--max-length", "8")

WRITING: dict[str, Case] = {
    "nothing": ([], {}),
    "prompt": (["--prompt", "ab"], {}),
    "count": (["--count", "9"], {"n_best": 9}),
    "temperature": (["--temperature", "0.3"], {"temperature": 0.3}),
    "top_k": (["--top-k", "2"], {"top_k": 2}),
    "top_p": (["--top-p", "0.4"], {"top_p": 0.4}),
    "min_p": (["--min-p", "0.4"], {"min_p": 0.4}),
    "seed": (["--seed", "4"], {"seed": 4}),
    "max_length": (["--max-length", "2"], {"max_length": 2}),
    "all": (
        [*("--prompt", "e", "--count", "7", "--temperature", "1.5", "--top-k", "5", "--top-p", "0.9"), *SHORT],
        {"n_best": 7, "temperature": 1.5, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "seed": 3, "max_length": 8},
    ),
}


@pytest.mark.parametrize("name", WRITING)
def test_generate_says_what_the_library_draws(
    name: str, command: Command, runs: dict[str, Path], writer: Model
) -> None:
    flags, options = WRITING[name]
    prompt = flags[1] if "--prompt" in flags else ""
    (drawn,) = writer.predict([prompt], **{"sample": True, "n_best": 5, **options})
    (usual,) = writer.predict([""], sample=True, n_best=5)
    assert name == "nothing" or [each.text for each in drawn.all] != [each.text for each in usual.all]
    assert all(each.text.startswith(prompt) for each in drawn.all)
    given = ("generate", runs["language_model-1"], "--device", "cpu", *flags)
    assert command(*given) == Ran(0, "".join(each.text + "\n" for each in drawn.all), "")
    said = command(*given, "--format", "jsonl")
    (line,) = map(json.loads, said.out.splitlines())
    assert (line["number"], line["source"]) == (1, prompt)
    assert same(read_objects(said.out), [[figures(each) for each in drawn.all]])
    rows = [
        f"1\t{rank}\t{each.log_prob:.6f}\t{each.score:.6f}\t{each.text}" for rank, each in enumerate(drawn.all, start=1)
    ]
    assert command(*given, "--format", "tsv").out.splitlines() == rows


def test_generate_draws_one(command: Command, runs: dict[str, Path], writer: Model) -> None:
    (drawn,) = writer.predict([""], sample=True)
    for format_, lines in (("text", [drawn.text]), ("tsv", None), ("jsonl", None)):
        said = command("generate", runs["language_model-1"], "--count", "1", "--device", "cpu", "--format", format_)
        assert len(said.out.splitlines()) == 1
        assert lines is None or said.out.splitlines() == lines


# --- ensembles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "options"),
    [([], {}), (["--beam", "3", "--n-best", "2"], {"beam": 3, "n_best": 2}), (["--sample"], {"sample": True})],
)
def test_several_runs_answer_together(
    flags: list[str], options: dict[str, Any], command: Command, runs: dict[str, Path]
) -> None:
    chosen = [runs["attention-1"], runs["plain-2"]]
    expected = by_library(seq2see.load(chosen, device="cpu"), TEXTS, **options)
    for alone in chosen:
        assert not same(by_library(seq2see.load(alone, device="cpu"), TEXTS, **options), expected)
    given = [*chosen, *TEXTS, "--format", "jsonl", "--device", "cpu", *flags]
    assert same(read_objects(command("predict", *given).out), expected)
    Path("in.txt").write_text("".join(text + "\n" for text in TEXTS))
    given = [chosen[0], chosen[1] / "model", "--input", "in.txt", "--format", "jsonl", "--device", "cpu", *flags]
    assert same(read_objects(command("predict", *given).out), expected)
    Path("attention").symlink_to(chosen[0])  # a text may be called as a run is, where it stands behind a text
    said = command("predict", chosen[0], "--format", "jsonl", "--device", "cpu", "--", "abc", "attention")
    with pytest.warns(UserWarning, match="not in the training data"):
        alone = by_library(seq2see.load(chosen[0], device="cpu"), ["abc", "attention"])
    assert same(read_objects(said.out), alone)


def test_several_runs_score_and_write_together(command: Command, runs: dict[str, Path]) -> None:
    chosen = [runs["attention-1"], runs["plain-2"], runs["plain-2"]]
    together = seq2see.load(chosen, device="cpu")
    Path("pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    said = command("score", *chosen, "pairs.tsv", "--device", "cpu", "--format", "jsonl")
    check_scores(said, "jsonl", together.score([Pair(source, target, "") for source, target in PAIRS]))
    writers = [runs["language_model-1"], runs["language_model-2"]]
    (drawn,) = seq2see.load(writers, device="cpu").predict(["a"], sample=True, n_best=5)
    (alone,) = seq2see.load(writers[0], device="cpu").predict(["a"], sample=True, n_best=5)
    assert [each.log_prob for each in drawn.all] != [each.log_prob for each in alone.all]
    said = command("generate", *writers, "--prompt", "a", "--device", "cpu", "--format", "jsonl")
    assert same(read_objects(said.out), [[figures(each) for each in drawn.all]])


# --- what can go wrong ----------------------------------------------------------------------------------------------

# What is typed, and what the message must contain. RUN and so on are put in below.
MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    "several greedy answers": (["predict", "RUN", "a", "--n-best", "3"], ["n_best", "--beam 5", "--sample"]),
    "more answers than hypotheses": (["predict", "RUN", "a", "--beam", "2", "--n-best", "3"], ["n_best", "beam of 3"]),
    "n-best 0": (["predict", "RUN", "a", "--n-best", "0"], ["n_best", "at least 1"]),
    "several as text": (
        ["predict", "RUN", "a", "--beam", "2", "--n-best", "2", "--format", "text"],
        ["--format text", "tsv", "jsonl"],
    ),
    "unknown format": (["predict", "RUN", "a", "--format", "csv"], ["--format", "csv", "tsv"]),
    "unknown alignments": (["predict", "RUN", "a", "--alignments", "giza"], ["--alignments", "giza", "pharaoh"]),
    "alignments without attention": (["predict", "PLAIN", "a", "--alignments", "json"], ["--alignments", "leave it"]),
    "length penalty alone": (["predict", "RUN", "a", "--length-penalty", "1"], ["length_penalty", "--beam 5"]),
    "negative length penalty": (
        ["predict", "RUN", "a", "--beam", "2", "--length-penalty", "-1"],
        ["length_penalty", "at least 0"],
    ),
    "coverage penalty alone": (["predict", "RUN", "a", "--coverage-penalty", "1"], ["coverage_penalty", "--beam 5"]),
    "coverage without attention": (
        ["predict", "PLAIN", "a", "--beam", "2", "--coverage-penalty", "1"],
        ["coverage_penalty", "with attention"],
    ),
    "top k alone": (["predict", "RUN", "a", "--top-k", "3"], ["top_k", "--sample"]),
    "top p alone": (["predict", "RUN", "a", "--top-p", "0.5"], ["top_p", "--sample"]),
    "min p alone": (["predict", "RUN", "a", "--min-p", "0.5"], ["min_p", "--sample"]),
    "seed alone": (["predict", "RUN", "a", "--seed", "5"], ["seed", "--sample"]),
    "top k 0": (["predict", "RUN", "a", "--sample", "--top-k", "0"], ["top_k", "at least 1"]),
    "top p above 1": (["predict", "RUN", "a", "--sample", "--top-p", "90"], ["top_p", "90"]),
    "min p below 0": (["predict", "RUN", "a", "--sample", "--min-p", "-0.1"], ["min_p", "-0.1"]),
    "min length 0": (["predict", "RUN", "a", "--min-length", "0"], ["min_length", "at least 1"]),
    "more than most": (["predict", "RUN", "a", "--min-length", "5", "--max-length", "4"], ["min_length", "swap"]),
    "ratio 0": (["predict", "RUN", "a", "--min-ratio", "0"], ["min_ratio", "above 0"]),
    "ratio in words": (["predict", "RUN", "a", "--max-ratio", "twice"], ["--max-ratio", "twice"]),
    "ratios swapped": (["predict", "RUN", "a", "--min-ratio", "2", "--max-ratio", "1"], ["max_ratio", "swap"]),
    "prefix of unknown letters": (["predict", "RUN", "a", "--prefix", "xa"], ["prefix", "'x'"]),
    "prefix too long": (["predict", "RUN", "a", "--prefix", "abc", "--max-length", "3"], ["prefix", "at least 4"]),
    "contain unknown letters": (["predict", "RUN", "a", "--contain", "z"], ["contain", "'z'"]),
    "contain too long": (["predict", "RUN", "a", "--contain", "abc", "--max-length", "2"], ["contain", "max_length"]),
    "contain in a draw": (["predict", "RUN", "a", "--sample", "--contain", "a"], ["contain", "one of the two"]),
    "forbid nothing": (["predict", "RUN", "a", "--forbid", ""], ["forbid", "leave it out"]),
    "no repeat -1": (["predict", "RUN", "a", "--no-repeat", "-1"], ["no_repeat", "at least 0"]),
    "prefix of a language model": (["predict", "WRITER", "a", "--prefix", "b"], ["prefix", "as the text"]),
    "ratio of a language model": (["predict", "WRITER", "a", "--max-ratio", "2"], ["max_ratio", "max_length"]),
    "several runs, one missing": (["predict", "RUN", "MISSING/model", "--input", "PAIRS"], ["--input"]),
    "runs that are not alike": (["predict", "RUN", "WRITER", "a"], ["WRITER", "RUN", "same data"]),
    "misspelled flag": (["predict", "RUN", "a", "--lenght-penalty", "1"], ["--lenght-penalty", "--length-penalty"]),
    "generate without a language model": (["generate", "RUN"], ["RUN", "seq2see predict"]),
    "generate nothing": (["generate", "WRITER", "--count", "0"], ["n_best", "at least 1"]),
    "generate cold": (["generate", "WRITER", "--temperature", "0"], ["temperature", "above 0"]),
    "generate from no token": (["generate", "WRITER", "--top-k", "0"], ["top_k", "at least 1"]),
    "generate from no share": (["generate", "WRITER", "--top-p", "0"], ["top_p", "above 0"]),
    "generate of length 0": (["generate", "WRITER", "--max-length", "0"], ["max_length", "at least 1"]),
    "generate with a misspelled flag": (["generate", "WRITER", "--promt", "a"], ["--promt", "--prompt"]),
    "generate from nowhere": (["generate", "nowhere"], ["nowhere", "no such folder"]),
    "score nothing": (["score", "RUN"], ["no pairs", "seq2see score RUN pairs.tsv"]),
    "score nothing there": (["score", "RUN", "missing.tsv"], ["missing.tsv", "check the path"]),
    "score sources alone": (["score", "RUN", "TEXT"], ["TEXT:1", "expected 2 columns, found 1", "TAB"]),
    "score pairs by a language model": (["score", "WRITER", "PAIRS"], ["PAIRS:1", "found 2"]),
    "score in batches of 0": (["score", "RUN", "PAIRS", "--batch-size", "0"], ["batch_size", "at least 1"]),
    "score into nowhere": (["score", "RUN", "PAIRS", "--output", "/dev/null/file"], ["/dev/null/file"]),
    "score in another format": (["score", "RUN", "PAIRS", "--format", "csv"], ["--format", "csv", "tsv"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_one_message_and_exit_code_2(
    mistake: str, command: Command, runs: dict[str, Path], tiny_pairs: Path, tiny_text: Path
) -> None:
    names = {
        "RUN": runs["attention-1"],
        "PLAIN": runs["plain-2"],
        "WRITER": runs["language_model-1"],
        "PAIRS": tiny_pairs,
        "TEXT": tiny_text,
    }

    def put_in(word: str) -> str:
        name, _, rest = word.partition(":")
        return str(names[name]) + (":" + rest if rest else "") if name in names else word

    typed, parts = MISTAKES[mistake]
    said = command(*map(put_in, typed))
    assert said.code == 2, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert len(re.findall(r"^seq2see\b[^:\n]*: ", said.err, re.MULTILINE)) == 1
    assert said.err.startswith("seq2see")
    assert not [part for part in map(put_in, parts) if part not in said.err], said.err


def test_nothing_is_written_over_where_something_is_refused(command: Command, run: Path) -> None:
    Path("old").write_text("precious\n")
    for flags in (["--temperature", "2"], ["--prefix", "xyz"], ["--n-best", "2"], ["--min-p", "1.5", "--sample"]):
        assert command("predict", run, "abc", "--output", "old", *flags).code == 2
        assert Path("old").read_text() == "precious\n"


def test_texts_without_an_answer_are_counted(command: Command, run: Path) -> None:
    said = command("predict", run, "a", "abcd", "--prefix", "ab", "--max-ratio", "1", "--format", "jsonl")
    assert "note: texts without an answer that satisfies the options: 1" in said.err
    first, second = read_objects(said.out)
    assert first == [Figures("", [], False, None, None)]
    assert second[0].text.startswith("ab")


# --- help -----------------------------------------------------------------------------------------------------------

FLAGS: dict[str, str] = {
    "demo": "out device",
    "train": "dev model out engine device set skip-bad resume force",
    "predict": " ".join(CASES).replace("_", "-") + " input output format alignments engine device",
    "generate": "prompt count temperature top-k top-p min-p seed max-length prefix forbid format engine device",
    "score": "output batch-size format skip-bad engine device",
    "evaluate": "metrics by errors ensemble group samples seed json beam batch-size skip-bad engine device",
    "pack": "output weights data",
    "models": "set",
    "check": "test json fix output keep-duplicates",
}


@pytest.mark.parametrize("verb", FLAGS)
def test_help_lists_the_flags_of_each_verb(verb: str, command: Command) -> None:
    page = command(verb, "--help")
    assert page.code == 0
    assert page.err == ""
    words = page.out.replace("│", " ").replace(",", " ").split()
    assert not [flag for flag in FLAGS[verb].split() if "--" + flag not in words]
