"""Help pages: every option in a box, an example for every verb, one short name for outputs, and shell completion."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import Counter
from typing import Any

import pytest

from seq2see.commands.application import app
from seq2see.commands.boxes import EXAMPLES
from seq2see.commands.mistakes import OWN_FLAGS, SECTIONS
from seq2see.config import USUAL_NAMES, Config, key_of, option_names
from seq2see.usual_names import USUAL_OPTIONS

VERBS = tuple(EXAMPLES)


def options_of(verb: str) -> dict[str, Any]:
    """The options of a verb by their first names."""
    found = app[verb].assemble_argument_collection()
    return {argument.name: argument for argument in found if argument.name.startswith("--")}


def page_of(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    app([verb, "--help"], result_action="return_value")
    return capsys.readouterr().out


def test_examples_are_of_all_verbs() -> None:
    own = [verb for verb in app if not verb.startswith("-")]
    assert sorted(own) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_in_a_box_with_a_name(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(verb, capsys, monkeypatch)
    assert "Parameters" not in page
    for name, argument in options_of(verb).items():
        found = re.findall(rf"^│ [* ]*{name}(?: .*?)?  +(\w.*?) +│$", page, re.MULTILINE)
        assert len(found) == argument.show, name
    for nothing in ("[default: False]", "[default: ()]", '[default: ""]'):
        assert nothing not in page


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_page_has_examples_that_the_verb_takes(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = " ".join(page_of(verb, capsys, monkeypatch).split())  # a long example is wrapped
    for example in EXAMPLES[verb]:
        assert example in page
        program, *words = shlex.split(example)
        assert program == "seq2see" and words[0] == verb
        ends = [place for place, word in enumerate(words) if word in ("<", ">")]
        command, bound, _ = app.parse_args(words[: ends[0]] if ends else words, exit_on_error=False, print_error=False)
        assert command.__name__ == verb
        assert bound.arguments or verb in ("demo", "models", "settings")


@pytest.mark.parametrize("verb", VERBS)
def test_every_output_has_the_same_short_name(verb: str) -> None:
    for name, argument in options_of(verb).items():
        assert ("-o" in argument.names) == (name in ("--out", "--output"))


def test_what_generate_always_refuses_is_not_on_its_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of("generate", capsys, monkeypatch)
    for flag in ("--beam", "--length-penalty", "--coverage-penalty", "--contain", "--sample "):
        assert flag not in page
        assert flag in page_of("predict", capsys, monkeypatch)


# --- names of other toolkits ----------------------------------------------------------------------------------------


def test_names_of_other_toolkits_lead_to_settings_that_exist() -> None:
    known = set(option_names(Config))
    assert set(USUAL_NAMES) <= known
    assert set(OWN_FLAGS) <= known
    assert set(OWN_FLAGS.values()) <= set(options_of("train"))
    assert {section for sections in SECTIONS.values() for section in sections} == {
        key.partition(".")[0] for key in known
    }
    names = [name for words in USUAL_NAMES.values() for name in words.split()]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    own = {key.rpartition(".")[2] for key in known}
    assert own & set(names) == set()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("--lr", "training.rate"),
        ("learning-rate", "training.rate"),
        ("--num_train_epochs", "training.max_epochs"),
        ("seed", "training.seed"),
        ("--d-model", "model.width"),
        ("--ADAM", None),
    ],
)
def test_a_name_is_found_however_it_is_written(name: str, key: str | None) -> None:
    assert key_of(name) == key


def test_flags_of_other_toolkits_lead_to_flags_that_exist() -> None:
    known = {name for verb in VERBS for argument in options_of(verb).values() for name in argument.names}
    assert {f"--{name.replace('_', '-')}" for name in USUAL_OPTIONS} <= known


# --- completion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_every_verb_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    app(["completion", shell], result_action="return_value")
    script = capsys.readouterr().out
    for verb in VERBS:
        assert verb in script
        for name, argument in options_of(verb).items():
            assert not argument.show or name.lstrip("-") in script


def test_bash_completes(capsys: pytest.CaptureFixture[str]) -> None:
    app(["completion", "bash"], result_action="return_value")
    script = capsys.readouterr().out
    ask = "COMP_WORDS=(seq2see {}); COMP_CWORD={}; _seq2see; echo ${{COMPREPLY[@]}}\n"
    typed = ask.format("pre", 1) + ask.format("predict --cov", 2) + ask.format("train --device c", 3)
    ran = subprocess.run(["bash"], input=script + typed, capture_output=True, text=True, check=False, timeout=60)
    verbs, options, choices = (line.split() for line in ran.stdout.splitlines())
    assert sorted(verbs) == ["predict", "prepare"]
    assert options == ["--coverage-penalty"]
    assert sorted(choices) == ["cpu", "cuda"]
