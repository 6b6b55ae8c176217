"""A few of the calls that `scripts/fuzz` makes by the thousand, and proof that it notices what it looks for."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from pathlib import Path

import pytest

from fuzz.cases import LONG_RUNNING, TEMPLATES, Case, make_case
from fuzz.harness import MAX_BYTES, SECONDS, Outcome, faults_of, fuzz, make_home, run_in_shell
from seq2see.commands.application import app

CALLS = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("fuzz"))


def test_random_calls_break_no_rule(home: Path) -> None:
    outcomes = list(fuzz(home, range(1, CALLS + 1), process_every=30))
    assert not any(faults for _, faults in outcomes), "\n".join(
        str(fault) for _, faults in outcomes for fault in faults
    )
    codes = Counter(code for code, _ in outcomes)
    assert min(codes[0], codes[2]) > CALLS / 10  # neither all refused nor all harmless


def test_every_verb_is_called() -> None:
    verbs = {name for name in app if not name.startswith("-")}
    assert verbs == set(TEMPLATES) | LONG_RUNNING


def test_a_case_is_a_function_of_its_number() -> None:
    first, again = make_case(17), make_case(17)
    assert (str(first), first.stdin) == (str(again), again.stdin)
    assert len({str(make_case(number)) for number in range(200)}) > 150


GOOD = Outcome(2, "", "seq2see: is missing", 1.0, 0)
BROKEN = {
    "a traceback": GOOD._replace(stderr="Traceback (most recent call last):"),
    "exit code 1": GOOD._replace(code=1),
    "21 seconds": GOOD._replace(seconds=SECONDS + 1.0),
    "of memory": GOOD._replace(peak_bytes=MAX_BYTES + 1),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_broken_rule_is_noticed(rule: str) -> None:
    case = Case(0, "predict", ["run", "--output", "out.txt"])
    assert not list(faults_of(case, GOOD, {}, {}))
    (fault,) = faults_of(case, BROKEN[rule], {}, {})
    assert rule in fault.rule


def test_changes_outside_the_outputs_are_noticed() -> None:
    case = Case(0, "predict", ["run", "--output", "out.txt"])
    (fault,) = faults_of(case, GOOD, {"a": "1"}, {"a": "2"})
    assert "outside" in fault.rule
    assert case.outputs >= {"out.txt"}


@pytest.mark.parametrize(
    ("verb", "arguments", "written"),
    [
        ("train", ["pairs.tsv", "--out", "out"], {"out"}),
        ("train", ["run", "--resume"], {"run"}),
        ("report", ["run", "dev.tsv", "--output=out.html"], {"out.html"}),
        ("new", ["chat", "out"], {"chat", "out"}),
        ("new", ["chat", "pairs.tsv"], {"chat"}),
    ],
)
def test_an_input_is_no_output(verb: str, arguments: list[str], written: set[str]) -> None:
    usual = Case(0, "check", []).outputs
    assert Case(0, verb, arguments).outputs == usual | written


def test_what_stands_where_everything_is_written_is_noticed() -> None:
    case = Case(0, "tune", ["pairs.tsv", "--out", "."])
    (fault,) = faults_of(case, GOOD, {"a": "1"}, {"a": "2", "new": "1"})
    assert fault.details == "a"


def test_a_process_has_its_own_code_and_its_own_memory(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text("import sys; b'x' * 2**28; print(1, end=''); sys.exit(3)")
    outcome = run_in_shell(f"{shlex.quote(sys.executable)} large.py | head -c 1", tmp_path)
    assert (outcome.code, outcome.stdout) == (3, "1")
    assert outcome.peak_bytes > 2**28


def test_tiny_calls_of_verbs_that_take_long_happen() -> None:
    for verb in ("bench", "tune"):
        assert any(make_case(number).arguments == TEMPLATES[verb][0] for number in range(2000))
