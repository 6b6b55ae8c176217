"""A run that is named after what it is asked: the message has the command as it should be typed."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.commands import RUN_FIRST, VERBS
from seq2see.commands.run_first import FILES, OUTPUTS, TEXTS, require_run_first
from seq2see.errors import ConfigError

SWAPPED = {
    "evaluate test.tsv RUN --metrics cer": "seq2see evaluate RUN test.tsv --metrics cer",
    "evaluate test.tsv RUN RUN": "seq2see evaluate RUN RUN test.tsv",
    "score test.tsv RUN": "seq2see score RUN test.tsv",
    "align test.tsv RUN": "seq2see align RUN test.tsv",
    "predict words.txt RUN --beam 2": "seq2see predict RUN --beam 2 --input words.txt",
    "predict test.tsv RUN": "cut -f1 < test.tsv | seq2see predict RUN",
    "predict ab cd RUN": "seq2see predict RUN ab cd",
    "predict 'a b' RUN": "seq2see predict RUN 'a b'",
    "attend words.txt RUN -o heat.html": "seq2see attend RUN -o heat.html --input words.txt",
    "generate ab RUN": "seq2see generate RUN --prompt ab",
    "report test.tsv RUN -o page.html": "seq2see report RUN --test test.tsv -o page.html",
    "report page.html RUN": "seq2see report RUN -o page.html",
    "pack new.seq2see RUN --weights int8": "seq2see pack RUN -o new.seq2see --weights int8",
    "export new.mjs RUN": "seq2see export RUN -o new.mjs",
    "bench test.tsv RUN": "seq2see bench RUN --data test.tsv",
    "curves new.png RUN": "seq2see curves RUN -o new.png",
    "compare RUN RUN --data test.tsv -o c": "seq2see evaluate RUN RUN test.tsv",
    "compare RUN plain --data words.txt --test test.tsv": "seq2see evaluate RUN test.tsv",
    "compare RUN": "seq2see evaluate RUN test.tsv",
    "compare plain test.tsv": "seq2see compare plain --data test.tsv -o runs/compare",
    "compare test.tsv --models plain,attention -o c": "seq2see compare plain attention --data test.tsv -o c",
    "compare missing.csv --models plain -o c": "seq2see compare plain --data missing.csv -o c",
    "compare --data test.tsv --models=plain -o c": "seq2see compare plain --data test.tsv -o c",
    "compare --models plain attention --data test.tsv -o c": "seq2see compare plain attention --data test.tsv -o c",
    "compare test.tsv -o c": "seq2see compare plain attention --data test.tsv -o c",
}
"""What is typed, and the command in the fix."""
IN_ORDER = (
    "evaluate RUN test.tsv",
    "evaluate runs/mistyped RUN test.tsv",
    "evaluate mistyped RUN",
    "evaluate . RUN",
    "evaluate hf://owner/name RUN test.tsv",
    "evaluate test.tsv",
    "predict ab RUN cd",
    "predict RUN ab",
    "predict RUN RUN ab",
    "predict mistyped ab",
    "report RUN -o page.html",
    "compare plain attention --data test.tsv",
    "compare plain test.toml --data test.tsv",
    "train test.tsv RUN",
    "serve test.tsv RUN",
)
"""What is right, or another mistake."""


@pytest.fixture
def run(tmp_path: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run, beside a few files."""
    monkeypatch.chdir(tmp_path)
    Path("test.tsv").write_text("ab\tba\ncd\tdc\n")
    Path("test.toml").write_text("")
    Path("words.txt").write_text("ab\ncd\n")
    Path("runs").mkdir()
    Path("my run").symlink_to(tiny_run)
    return "my run"


@pytest.mark.parametrize("typed", SWAPPED)
def test_the_command_is_said_as_it_should_be_typed(typed: str, run: str) -> None:
    with pytest.raises(ConfigError) as caught:
        require_run_first(shlex.split(typed.replace("RUN", shlex.quote(run))))
    assert caught.value.fix.endswith(f": {SWAPPED[typed].replace('RUN', shlex.quote(run))}")


@pytest.mark.parametrize("typed", IN_ORDER)
def test_nothing_is_said_of_what_is_in_order_or_wrong_otherwise(typed: str, run: str) -> None:
    require_run_first(shlex.split(typed.replace("RUN", shlex.quote(run))))


def test_an_architecture_may_have_the_name_of_a_run(run: str) -> None:
    Path("plain").symlink_to(run)
    require_run_first(["compare", "plain", "attention", "--data", "test.tsv"])


@pytest.mark.parametrize("typed", [each for each in SWAPPED if each.split()[0] in ("evaluate", "predict", "attend")])
@pytest.mark.filterwarnings("ignore:symbols that were not in the training data")
def test_the_command_in_the_message_works(
    typed: str, run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(shlex.split(typed.replace("RUN", shlex.quote(run)))) == 2
    said = capsys.readouterr().err
    assert "is no run, and stands where one is expected" in said
    command = said.strip().rpartition("seq2see ")[2]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ab\ncd\n")))
    assert cli.run(shlex.split(command)) == 0


def test_every_verb_of_a_run_is_known() -> None:
    assert {*FILES, *TEXTS, *OUTPUTS} == RUN_FIRST <= VERBS.keys()
