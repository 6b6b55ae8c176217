"""The command: what it prints and where, its exit codes, and one helpful message for every mistake."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import UserError, cli
from seq2see.config import read_toml
from seq2see.model import ARCHITECTURES


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class Pipe(io.TextIOWrapper):
    """stdin that is no terminal."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


Command = Callable[..., Ran]


@pytest.fixture
def seq2see_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs `seq2see` in this process, in a folder of its own, warnings shown as the command shows them."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        import warnings

        monkeypatch.setattr(sys, "argv", ["seq2see", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", Pipe(stdin))
        capsys.readouterr()
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, said.out, said.err)

    return run


def process(*arguments: object, stdin: bytes | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs `seq2see` as a person would."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | more.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "seq2see", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
        env=environment,
        **more,
    )


# --- what it does ---------------------------------------------------------------------------------------------------


def test_help_names_every_verb_and_every_verb_has_help(seq2see_command: Command) -> None:
    help_page = seq2see_command("--help")
    assert help_page.code == 0
    for verb in ("demo", "train", "predict", "evaluate", "models", "check"):
        assert verb in help_page.out
        page = seq2see_command(verb, "--help")
        assert page.code == 0
        assert f"seq2see {verb}" in page.out
    assert seq2see_command("--version").out.strip() == seq2see.__version__
    assert seq2see_command().code == 0


def test_a_model_is_trained_predicts_and_is_evaluated(
    seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    trained = seq2see_command("train", tiny_pairs, "--device", "cpu", *tiny_flags)
    assert trained.code == 0, trained.err
    assert trained.out == ""
    assert "120 pairs" in trained.err
    last = trained.err.splitlines()[-1]
    first_source = tiny_pairs.read_text().partition("\t")[0]
    assert last == f"try it: seq2see predict runs/pairs {shlex.quote(first_source)}"
    assert (tmp_path / "runs" / "pairs" / "model").is_dir()
    again = seq2see_command("train", tiny_pairs, "--device", "cpu", *tiny_flags)
    assert again.code == 2
    assert all(way in again.err for way in ("--resume", "--force", "--out"))
    assert seq2see_command("train", tiny_pairs, "--device", "cpu", "--resume", *tiny_flags).code == 0
    assert seq2see_command("train", tiny_pairs, "--device", "cpu", "--force", *tiny_flags).code == 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_goes_through_the_command(
    name: str, seq2see_command: Command, tiny_pairs: Path, tiny_text: Path, tiny_flags: list[str]
) -> None:
    architecture = ARCHITECTURES[name]
    data = tiny_pairs if architecture.has_source else tiny_text
    fitting = [flag for flag in tiny_flags if not (architecture.has_blocks and flag.startswith("model.embedding"))]
    few = [*fitting, "training.max_updates=2"]
    trained = seq2see_command("train", data, "--model", name, "--out", "r", "--device", "cpu", *few)
    assert trained.code == 0, trained.err
    answered = seq2see_command("predict", "r", "abc", "de")
    assert answered.code == 0, answered.err
    assert len(answered.out.splitlines()) == 2
    assert seq2see_command("evaluate", "r", data).code == 0


def test_flags_and_settings_reach_the_run(seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str]) -> None:
    Path("dev.tsv").write_text("abc\tcba\none column\n")
    trained = seq2see_command(
        "train", tiny_pairs, "--model", "plain", "--dev", "dev.tsv", "--skip-bad", "--out", "x/y", *tiny_flags
    )
    assert trained.code == 0, trained.err
    assert "dev: skipped 1 invalid line" in trained.err
    assert "plain: " in trained.err
    assert 'name = "plain"' in Path("x/y/config.toml").read_text()


def test_a_recipe_is_trained_on_from_anywhere(
    seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mine.toml").write_text('[data]\ntrain = "mine.tsv"\n[model]\nname = "attention"\n')
    (folder / "mine.tsv").write_bytes(tiny_pairs.read_bytes())
    trained = seq2see_command("train", "recipes/mine.toml", *tiny_flags)
    assert trained.code == 0, trained.err
    assert "attention: " in trained.err
    again = seq2see_command("train", "runs/mine/config.toml", "--out", "again")
    assert again.code == 0, again.err
    weights = [Path(run, "model", "model.safetensors").read_bytes() for run in ("runs/mine", "again")]
    assert weights[0] == weights[1]


def test_every_command_that_trains_or_prepares_takes_a_recipe(
    seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.toml").write_text('[text]\nsource = "bytes"\n[model]\nname = "plain"\n')
    ran = seq2see_command("prepare", tiny_pairs, "--recipe", "r.toml", "-o", "corpus")
    assert ran.code == 0, ran.err
    assert "source: bytes (text.source)" in ran.err
    train = "seq2see train corpus --recipe r.toml"
    assert ran.err.endswith(f"train on it: {train}\n")
    trained = seq2see_command(*train.split()[1:], "-o", "run", *tiny_flags)
    assert trained.code == 0, trained.err
    assert read_toml(tmp_path / "run" / "config.toml")["model"]["name"] == "plain"
    crossed = seq2see_command("cross", tiny_pairs, "--recipe", "r.toml", "--folds", "2", "-o", "folds", *tiny_flags)
    assert crossed.code == 0, crossed.err
    for config in (tmp_path / "folds").rglob("config.toml"):
        assert read_toml(config)["text"]["source"] == "bytes"
    asked = []
    monkeypatch.setattr("seq2see.tuning.tune", lambda config, *_, **__: asked.append(config))
    assert seq2see_command("tune", tiny_pairs, "--recipe", "r.toml", "-o", "tune").code == 130
    assert (asked[0].text.source, asked[0].model.name) == ("bytes", "plain")


def test_a_recipe_of_options_that_a_corpus_lacks_is_refused(
    seq2see_command: Command, tiny_pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.toml").write_text("[data]\nbalance = 1\n")
    ran = seq2see_command("prepare", tiny_pairs, "--recipe", "r.toml", "-o", "corpus")
    assert ran.code == 2
    assert "--recipe r.toml: data.balance has no effect here" in ran.err


def test_data_set_on_the_command_line_are_found_again(
    seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str]
) -> None:
    """A relative path after --set is one from where the person stands, also when the run is resumed or run again."""
    Path("here.tsv").write_bytes(tiny_pairs.read_bytes())
    Path("r.toml").write_text('[data]\ntrain = "nowhere.tsv"\n')
    command = ("train", "r.toml", "--out", "runs/r", *tiny_flags, "data.train=here.tsv")
    trained = seq2see_command(*command)
    assert trained.code == 0, trained.err
    assert seq2see_command(*command, "--resume").code == 0
    assert seq2see_command("train", "runs/r/config.toml", "--out", "again").code == 0


@pytest.mark.parametrize("words", [["runs/own"], ["--out", "runs/own"]])
def test_a_run_named_alone_is_resumed_with_its_data(
    words: list[str], seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str]
) -> None:
    dev = Path("dev.tsv")
    dev.write_bytes(tiny_pairs.read_bytes())
    begun = seq2see_command("train", tiny_pairs, "--dev", dev, "--out", "runs/own", *tiny_flags)
    assert begun.code == 0, begun.err
    resumed = seq2see_command("train", *words, "--resume")
    assert resumed.code == 0, resumed.err
    assert "resuming after update" in resumed.err
    mistaken = seq2see_command("train", "runs/own")
    assert mistaken.code == 2
    assert "resume it: seq2see train runs/own --resume" in mistaken.err
    assert not Path("runs/runs").exists()


def expected(run: Path, texts: list[str], **options: Any) -> list[str]:
    return [prediction.text for prediction in seq2see.load(run, device="cpu").predict(texts, **options)]


TEXTS = ["abc", "de", "", "eddca", "b"]


def test_texts_come_from_arguments_stdin_and_files_and_go_to_stdout_and_files(
    seq2see_command: Command, tiny_run: Path
) -> None:
    answers = "".join(text + "\n" for text in expected(tiny_run, TEXTS))
    lines = "".join(text + "\n" for text in TEXTS).encode()
    Path("in.txt").write_bytes(lines)
    Path("in.jsonl").write_text("".join(json.dumps({"source": text}) + "\n" for text in TEXTS))
    for given in (
        seq2see_command("predict", tiny_run, *TEXTS),
        seq2see_command("predict", tiny_run, stdin=lines),
        seq2see_command("predict", tiny_run, stdin=lines.removesuffix(b"\n")),
        seq2see_command("predict", tiny_run, "--input", "in.txt"),
        seq2see_command("predict", tiny_run, "--input", "in.jsonl"),
        seq2see_command("predict", tiny_run / "model", *TEXTS, "--batch-size", "1"),
    ):
        assert given == Ran(0, answers, "")
    assert seq2see_command("predict", tiny_run, "--input", "in.txt", "--output", "out.txt") == Ran(0, "", "")
    assert Path("out.txt").read_text() == answers


@pytest.mark.parametrize(
    "command",
    [
        "evaluate RUN FILE --metrics cer",
        "score RUN FILE",
        "align RUN FILE",
        "predict RUN --input FILE --source 1",
        "predict RUN abc --lexicon FILE",
        "predict RUN abc --glossary=FILE",
        "check FILE",
        "check PAIRS --test FILE",
        "check --json FILE",
        "check FILE --fix -o clean.tsv",
        "report RUN -o r.html --test FILE",
        "pack RUN -o m.seq2see --data FILE",
    ],
)
def test_a_dash_is_standard_input(command: str, seq2see_command: Command, tiny_run: Path, tiny_pairs: Path) -> None:
    lines = tiny_pairs.read_bytes().splitlines(keepends=True)[:12]
    words = [{"RUN": str(tiny_run), "PAIRS": str(tiny_pairs)}.get(word, word) for word in command.split()]
    Path("test.tsv").write_bytes(b"".join(lines))
    expected = seq2see_command(*[word.replace("FILE", "test.tsv") for word in words])
    found = seq2see_command(*[word.replace("FILE", "-") for word in words], stdin=b"".join(lines))
    assert expected.code == found.code == 0, found.err

    def named_alike(text: str) -> str:
        return text.replace("train test.tsv", "train pairs.tsv").replace("test.tsv", "/dev/stdin")

    assert found.out == named_alike(expected.out)
    assert len(found.err.splitlines()) == len(expected.err.splitlines())


def test_a_dash_among_texts_is_standard_input(seq2see_command: Command, tiny_run: Path) -> None:
    piped = seq2see_command("predict", tiny_run, stdin=b"abc\nde\n")
    assert piped.out.count("\n") == 2
    for words in (("-",), ("--input", "-"), ("--input=-",)):
        assert seq2see_command("predict", tiny_run, *words, stdin=b"abc\nde\n") == piped
    shown = seq2see_command("attend", tiny_run, stdin=b"abc\n")
    assert seq2see_command("attend", tiny_run, "-", stdin=b"abc\n") == shown
    assert seq2see_command("predict", tiny_run, "--", "-", stdin=b"abc\nde\n").out.count("\n") == 1  # a text
    both = seq2see_command("predict", tiny_run, "--lexicon", "-", stdin=b"abc\tcba\n")
    assert both.code == 2
    assert both.err.startswith("seq2see: standard input: is needed for texts, and was given for another file\n")
    assert seq2see_command("check", "-", "--delimiter", "-").err.startswith("seq2see: --delimiter: needs a value")


def test_nothing_on_stdin_gives_nothing(seq2see_command: Command, tiny_run: Path) -> None:
    assert seq2see_command("predict", tiny_run) == Ran(0, "", "")


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (["--beam", "3"], {"beam": 3}),
        (["--sample", "--seed", "4"], {"sample": True, "seed": 4}),
        (["--sample", "--temperature", "2"], {"sample": True, "temperature": 2.0}),
        (["--max-length", "2"], {"max_length": 2}),
    ],
)
def test_flags_of_predict_do_what_the_library_does(
    flags: list[str], options: dict[str, Any], seq2see_command: Command, tiny_run: Path
) -> None:
    answered = seq2see_command("predict", tiny_run, *TEXTS, *flags)
    assert answered.out.splitlines() == expected(tiny_run, TEXTS, **options)


def test_more_than_a_chunk_is_answered_in_order(
    seq2see_command: Command, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.commands.answering.CHUNK", 4)
    many = [text or "c" for text in TEXTS * 3]
    lines = "".join(text + "\n" for text in many).encode()
    sampled = ("--sample", "--seed", "2")
    assert seq2see_command("predict", tiny_run, *sampled, stdin=lines).out.splitlines() == expected(
        tiny_run, many, sample=True, seed=2
    )


@pytest.mark.parametrize("text", ["-5", "--x", "a b", "$HOME", "[bold]"])
def test_any_text_can_be_asked(text: str, seq2see_command: Command, tiny_run: Path) -> None:
    answered = seq2see_command("predict", tiny_run, "--", text)
    assert answered.code == 0
    assert len(answered.out.splitlines()) == 1


def test_a_text_may_be_called_trace(seq2see_command: Command, tiny_run: Path) -> None:
    assert len(seq2see_command("predict", tiny_run, "--", "--trace", "abc").out.splitlines()) == 2


def test_unknown_symbols_are_a_note_on_stderr(seq2see_command: Command, tiny_run: Path) -> None:
    answered = seq2see_command("predict", tiny_run, "aXb")
    assert answered.code == 0
    assert answered.err.startswith("note: ")
    assert "'X' in 1" in answered.err
    assert ".py" not in answered.err
    assert len(answered.err.splitlines()) == 1


def test_evaluation_says_how_well(seq2see_command: Command, tiny_run: Path, tiny_pairs: Path) -> None:
    from seq2see.data import read_pairs

    scores = seq2see.load(tiny_run, device="cpu").evaluate(read_pairs([tiny_pairs]).pairs)
    said = seq2see_command("evaluate", tiny_run, tiny_pairs)
    assert said.code == 0
    assert said.err == ""
    assert scores.exact_match is not None
    assert said.out.startswith("120 items, 120 references\n\nexact match ")
    assert f" {100 * scores.exact_match:.2f} %  [" in said.out
    assert f" {scores.loss:.4f} " in said.out
    assert "108 of 120 sources are in the training data" in said.out
    assert "12 of 120 sources are dev pairs" in said.out
    told = seq2see_command("evaluate", tiny_run, tiny_pairs, "--json", "--batch-size", "7")
    values = json.loads(told.out)
    assert list(values)[:3] == ["count", "exact_match", "loss"]
    assert values["count"] == 120
    assert values["exact_match"] == scores.exact_match
    assert values["loss"] == pytest.approx(scores.loss, abs=1e-5)


def test_wrong_answers_go_to_a_file_and_options_to_the_evaluation(
    seq2see_command: Command, tiny_run: Path, tiny_pairs: Path
) -> None:
    said = seq2see_command(
        "evaluate", tiny_run, tiny_run, tiny_pairs, "--metrics", "cer,chrF", "--samples", "100", "--seed", "3", "--json"
    )
    values = json.loads(said.out)
    assert (values["samples"], values["seed"], len(values["runs"])) == (100, 3, 2)
    assert list(values["runs"][0]["metrics"]) == ["cer", "chrf", "loss"]
    said = seq2see_command("evaluate", tiny_run, tiny_pairs, "--errors", "errors.tsv", "--no-group")
    assert "the worst by CER first: errors.tsv" in said.err
    assert Path("errors.tsv").read_text(encoding="utf-8").startswith("score\tsource\t")
    said = seq2see_command("evaluate", tiny_run, tiny_run, tiny_pairs, "--ensemble", "--json")
    assert json.loads(said.out)["count"] == 120


def test_a_language_model_is_evaluated_by_its_loss(
    seq2see_command: Command, tiny_language_run: Path, tiny_text: Path
) -> None:
    said = seq2see_command("evaluate", tiny_language_run, tiny_text)
    assert said.code == 0
    assert "exact" not in said.out
    assert json.loads(seq2see_command("evaluate", tiny_language_run, tiny_text, "--json").out)["exact_match"] is None
    assert seq2see_command("predict", tiny_language_run, "ab").out.startswith("ab")


def test_a_trained_language_model_is_tried_with_a_text(
    seq2see_command: Command, tiny_text: Path, tiny_flags: list[str]
) -> None:
    trained = seq2see_command("train", tiny_text, "--model", "language_model", *tiny_flags)
    assert trained.code == 0, trained.err
    last = trained.err.splitlines()[-1]
    assert last.startswith("try it: seq2see predict runs/text")
    assert not last.endswith('""')


def test_bad_lines_can_be_skipped_in_evaluation(seq2see_command: Command, tiny_run: Path) -> None:
    Path("test.tsv").write_text("abc\tcba\nbad\n")
    assert seq2see_command("evaluate", tiny_run, "test.tsv").code == 2
    said = seq2see_command("evaluate", tiny_run, "test.tsv", "--skip-bad", "--json")
    assert json.loads(said.out)["count"] == 1
    assert "skipped 1 invalid line" in said.err


def test_models_lists_the_ladder(seq2see_command: Command) -> None:
    listed = seq2see_command("models")
    assert listed.code == 0
    assert listed.err == ""
    lines = listed.out.splitlines()
    for name in ARCHITECTURES:
        assert any(line.startswith(name + " ") for line in lines)
    smaller = seq2see_command("models", "--set", "model.width=64")

    def parameters(text: str) -> int:
        (line,) = (line for line in text.splitlines() if line.startswith("plain "))
        return int(line.split()[-1].replace(",", ""))

    assert parameters(smaller.out) < parameters(listed.out)


@pytest.mark.parametrize("setting", ["model.layers=1", "model.layers=6", "model.direction=forward", "model.score=dot"])
def test_models_takes_any_setting_of_a_model(setting: str, seq2see_command: Command) -> None:
    listed = seq2see_command("models", "--set", setting)
    assert listed.code == 0, listed.err
    assert sum(line.startswith(tuple(ARCHITECTURES)) for line in listed.out.splitlines()) >= len(ARCHITECTURES)


def test_the_demo_goes_from_nothing_to_a_picture(seq2see_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2see.commands import dates_demo as demo

    for name, value in (("NUM_DATES", 200), ("NUM_DEV", 10), ("NUM_TEST", 10)):
        monkeypatch.setattr(demo, name, value)
    tiny = {
        "training.max_updates": 2,
        "training.evaluate_every": 1,
        "model.width": 16,
        "model.embedding": 8,
        "training.precision": "float32",
    }
    monkeypatch.setattr(demo, "SETTINGS", tiny)
    for _ in range(2):  # an earlier demo is replaced
        said = seq2see_command("demo", "--device", "cpu")
        assert said.code == 0, said.err
    assert f"{demo.QUESTION} → " in said.out
    assert "On 10 new dates" in said.out
    assert 'seq2see predict runs/demo "may 3, 2007"' in said.out
    assert Path("runs/demo/attention.png").read_bytes().startswith(b"\x89PNG")
    assert seq2see_command("predict", "runs/demo", "may 3, 2007").code == 0
    Path("runs/demo").rename("mine")
    said = seq2see_command("demo", "--out", "mine", "--device", "cpu")
    assert said.code == 2
    assert "already exists" in said.err


def test_models_are_compared_by_a_column_of_the_test_file(
    seq2see_command: Command, tiny_pairs: Path, tiny_flags: list[str]
) -> None:
    """The same file, column and metrics as `seq2see evaluate` takes."""
    lines = tiny_pairs.read_text().splitlines()
    Path("test.tsv").write_text("".join(f"{line}\t{'north' if n % 2 else 'south'}\n" for n, line in enumerate(lines)))
    asked = ("--by", "3", "--metrics", "accuracy", "--samples", "100")
    few = [*tiny_flags, "training.max_updates=2", "training.evaluate_every=2"]
    files = ("--data", tiny_pairs, "--dev", tiny_pairs, "--test", "test.tsv")
    said = seq2see_command("compare", "plain", "peeky", *files, "-o", "c", *asked, *few)
    assert said.code == 0, said.err
    assert "exact match" in said.out
    assert "cer" not in said.out.lower()
    page = Path("c/compare.html").read_text()
    assert "north" in page and "south" in page
    assert seq2see_command("evaluate", "c/plain-1", "test.tsv", *asked).code == 0


def test_a_missing_folder_of_an_output_is_made(
    seq2see_command: Command, tiny_run: Path, tiny_language_run: Path, tiny_pairs: Path
) -> None:
    """By every verb that writes to a place that is named; -o is short for it everywhere."""
    for arguments in (
        ("predict", tiny_run, "abc", "-o", "a/b/answers.txt"),
        ("generate", tiny_language_run, "-o", "c/texts.txt"),
        ("score", tiny_run, tiny_pairs, "-o", "d/e/scores.txt"),
        ("attend", tiny_run, "abc", "-o", "f/heat.html"),
        ("evaluate", tiny_run, tiny_pairs, "--errors", "g/errors.tsv"),
        ("check", tiny_pairs, "--fix", "-o", "h/clean.tsv"),
        ("curves", tiny_run, "-o", "i/curves.svg"),
        ("report", tiny_run, "-o", "j/k/report.html"),
        ("pack", tiny_run, "-o", "l/m/tiny.seq2see"),
    ):
        ran = seq2see_command(*arguments)
        assert ran.code == 0, ran.err
        assert Path(arguments[-1]).stat().st_size > 0
    assert Path("c/texts.txt").read_text() == seq2see_command("generate", tiny_language_run).out


# --- what can go wrong ----------------------------------------------------------------------------------------------

Mistake = tuple[list[str], list[str]]

# What is typed, and what the message must contain. PAIRS, RUN and so on are put in below.
MISTAKES: dict[str, Mistake] = {
    "verb": (["trian", "PAIRS"], ["unknown command 'trian'", "'train'"]),
    "help as a verb": (["help"], ["'--help'"]),
    "flag": (["train", "PAIRS", "--modle", "plain"], ["--modle", "'--model'"]),
    "flag without a neighbor": (["train", "PAIRS", "-q"], ["unknown option -q", "seq2see train --help"]),
    "flag twice": (["predict", "RUN", "a", "--beam", "2", "--beam", "3"], ["--beam: is given twice", "once"]),
    "flag without its value": (["predict", "RUN", "a", "--beam"], ["--beam: needs a value", "seq2see predict --help"]),
    "required flag left out": (["pack", "RUN"], ["seq2see pack: --output is missing", "-o pairs.seq2see"]),
    "too many arguments": (["pack", "RUN", "x", "-o", "y"], ["unexpected argument 'x'", "seq2see pack --help"]),
    "value for a switch": (["check", "PAIRS", "--json=7"], ["--json", "takes no value", "'7'"]),
    "rate of another toolkit": (["train", "PAIRS", "--lr", "0.1"], ["unknown option --lr", "--set training.rate=0.1"]),
    "rate with an equals sign": (["train", "PAIRS", "--lr=0.1"], ["unknown option --lr", "--set training.rate=0.1"]),
    "epochs of another toolkit": (["train", "PAIRS", "--epochs", "5"], ["--set training.max_epochs=5"]),
    "setting as a flag": (["train", "PAIRS", "--batch-size", "5"], ["--set training.batch_size=5"]),
    "setting that takes something else": (
        ["train", "PAIRS", "--warmup-steps", "4000"],
        ["training.warmup", "seq2see settings training.warmup"],
    ),
    "flag of another toolkit": (["train", "PAIRS", "--arch", "plain"], ["it is called --model here"]),
    "folder of another toolkit": (["train", "PAIRS", "--save-dir", "r"], ["it is called --out here"]),
    "data of another toolkit": (["train", "--train-file", "PAIRS"], ["without an option", "seq2see train pairs.tsv"]),
    "test file as an option": (
        ["evaluate", "RUN", "--samples", "9", "--test", "PAIRS", "--json"],
        ["unknown option --test", "the file is an argument: seq2see evaluate ", "PAIRS", " --samples 9 --json\n"],
    ),
    "test file as an option with an equals sign": (
        ["evaluate", "RUN", "--test=PAIRS"],
        ["unknown option --test", "the file is an argument: seq2see evaluate ", " PAIRS\n"],
    ),
    "test file as an option before the run": (
        ["evaluate", "--test", "PAIRS", "RUN"],
        ["unknown option --test", "the file is an argument: seq2see evaluate runs/pairs test.tsv"],
    ),
    "file to check as an option": (
        ["check", "--data", "PAIRS", "--json"],
        ["is an argument: seq2see check ", "pairs.tsv --json\n"],
    ),
    "second file as an option": (["check", "PAIRS", "--data", "PAIRS"], ["is an argument: seq2see check pairs.tsv\n"]),
    "metric that there is not": (
        ["evaluate", "RUN", "PAIRS", "--metrics", "meteor"],
        ["unknown metric 'meteor'", "one of: exact_match, cer", "rouge_l"],
    ),
    "separator of another tool": (["train", "PAIRS", "--sep", ","], ["it is called --delimiter here"]),
    "columns of another tool": (["train", "PAIRS", "--columns", "1,2"], ["--source … --target …"]),
    "either of two": (["train", "PAIRS", "--also", "PAIRS"], ["--also-source or --also-target"]),
    "beam of another toolkit": (["predict", "RUN", "a", "--num-beams", "5"], ["it is called --beam here"]),
    "training setting where nothing is trained": (
        ["predict", "RUN", "a", "--epochs", "5"],
        ["unknown option --epochs"],
    ),
    "key of another toolkit": (["train", "PAIRS", "--set", "learning_rate=1"], ["'training.rate'"]),
    "key of another toolkit in a section": (
        ["train", "PAIRS", "--set", "training.epochs=1"],
        ["'training.max_epochs'"],
    ),
    "mistyped key without section": (["train", "PAIRS", "--set", "widht=3"], ["'widht'", "'model.width'"]),
    "beam of what samples": (["generate", "LANGUAGE", "--beam", "3"], ["beam", "sampling", "leave it out"]),
    "packed in an unknown format": (["pack", "RUN", "-o", "dates.onnx"], [".onnx", "dates.seq2see", "folder (dates)"]),
    "packed below a file": (["pack", "RUN", "-o", "EMPTY/m.seq2see"], ["EMPTY/m.seq2see", "is not a folder"]),
    "reported below a file": (["report", "RUN", "-o", "EMPTY/r.html"], ["EMPTY/r.html", "is not a folder"]),
    "compared by a column without a test file": (
        ["compare", "plain", "peeky", "--data", "PAIRS", "-o", "c", "--by", "3"],
        ["by", "needs a test file"],
    ),
    "seed of a comparison": (
        ["compare", "plain", "peeky", "--data", "PAIRS", "-o", "c", "--seed", "3"],
        ["--set training.seed=3"],
    ),
    "metric of another tool as a setting": (
        ["train", "PAIRS", "--set", "training.metric=accuracy"],
        ["training.metric", "'accuracy'", "'exact_match'"],
    ),
    "no such setting": (["settings", "rrr"], ["'rrr'", "seq2see settings"]),
    "flag of predict": (["predict", "RUN", "a", "--bem", "2"], ["--bem", "--beam"]),
    "model": (["train", "PAIRS", "--model", "bidirektional"], ["model.name", "bidirektional", "'bidirectional'"]),
    "key": (["train", "PAIRS", "--set", "model.widht=3"], ["--set", "model.widht", "'model.width'"]),
    "key without section": (["train", "PAIRS", "--set", "width=3"], ["'width'", "'model.width'"]),
    "choice": (["train", "PAIRS", "--set", "training.schedule=linar"], ["training.schedule", "linar", "'linear'"]),
    "range": (["train", "PAIRS", "--set", "training.rate=-1"], ["training.rate", "-1", "> 0"]),
    "type": (["train", "PAIRS", "--set", "model.width=wide"], ["model.width", "'wide'"]),
    "seed": (["train", "PAIRS", "--set", "training.seed=-1"], ["training.seed", "-1"]),
    "huge number": (["train", "PAIRS", "--set", f"training.seed={10**30}"], ["training.seed"]),
    "no equals sign": (["train", "PAIRS", "--set", "model.width"], ["--set", "'model.width'", "key=value"]),
    "data after --set": (["train", "--set", "model.width=8", "PAIRS"], ["PAIRS", "files come before"]),
    "--set with nothing": (["train", "PAIRS", "--set"], ["--set"]),
    "--dev with nothing": (["train", "PAIRS", "--dev"], ["--dev"]),
    "odd width": (["train", "PAIRS", "--set", "model.width=7"], ["model.width", "7", "8"]),
    "odds": (["train", "PAIRS", "--model", "gnmt", "--set", "model.direction=forward"], ["model.direction", "gnmt"]),
    "too few layers": (["train", "PAIRS", "--model", "gnmt", "--set", "model.layers=1"], ["model.layers", "2"]),
    "model twice": (["train", "PAIRS", "--model", "plain", "--set", "model.name=gnmt"], ["model"]),
    "device": (["train", "PAIRS", "--device", "cudaa"], ["--device", "cudaa", "'cuda'"]),
    "no cuda": (["predict", "RUN", "a", "--device", "cuda"], ["device", "cuda", "--device cpu"]),
    "no data": (["train"], ["no data", "pairs.tsv"]),
    "missing data": (["train", "missing.tsv"], ["missing.tsv", "no such file", "check the path"]),
    "folder as data": (["train", "FOLDER"], ["seq2see: foreign: ", "is a folder"]),
    "empty data": (["train", "EMPTY"], ["seq2see: empty.tsv: ", "is empty"]),
    "three columns": (
        ["train", "COLUMNS"],
        ["seq2see: columns.tsv: has 3 columns", "which are source and target?", "--source 1"],
    ),
    "one column": (["train", "TEXT"], [":1", "expected 2 columns, found 1", "TAB"]),
    "binary data": (["train", "BINARY"], ["seq2see: binary.tsv: "]),
    "three files": (["train", "PAIRS", "PAIRS", "PAIRS"], ["found 3"]),
    "two files of pairs": (["train", "PAIRS", "PAIRS"], ["parallel", "cat"]),
    "a missing second file": (["train", "PAIRS", "nope.tsv"], ["nope.tsv: no such file"]),
    "a missing second test file": (["evaluate", "RUN", "PAIRS", "nope.tsv"], ["nope.tsv: no such file"]),
    "a setting among files": (
        ["train", "PAIRS", "training.max_updates=4", "model.width=8"],
        ["training.max_updates=4: is a setting", "--set training.max_updates=4 model.width=8"],
    ),
    "a setting behind a recipe": (["train", "GOOD", "training.max_updates=4"], ["--set training.max_updates=4"]),
    "two recipes": (["train", "RECIPE", "RECIPE"], ["RECIPE", "recipe"]),
    "recipe and data": (["train", "RECIPE", "PAIRS"], ["RECIPE", "one too many"]),
    "broken recipe": (["train", "BROKEN"], ["BROKEN", "line 1"]),
    "missing recipe": (["train", "missing.toml"], ["missing.toml", "can't be read"]),
    "recipe with a wrong key": (["train", "RECIPE"], ["RECIPE", "modle.name", "'model.name'"]),
    "wrong key beside a recipe": (["train", "GOOD", "--set", "model.widht=3"], ["--set: ", "model.widht"]),
    "missing data for a run that exists": (["train", "missing.tsv", "--out", "COPY"], ["missing.tsv", "no such file"]),
    "setting that doesn't fit the data of a run that exists": (
        ["train", "PAIRS", "--out", "COPY", "--set", "data.group=7"],
        ["data.group", "each source is a group"],
    ),
    "units that conflict for a run that exists": (
        ["train", "PAIRS", "--out", "COPY", "--set", "text.joint=true", "text.source=bpe", "text.target=words"],
        ["text.joint", "set text.joint=false"],
    ),
    "run that exists": (["train", "PAIRS", "--out", "COPY"], ["COPY: this run already exists", "--force"]),
    "data on stdin": (["train", "-"], ["/dev/stdin: is standard input", "when it is resumed", "> pairs.tsv"]),
    "dev on stdin": (["train", "PAIRS", "--dev", "-"], ["/dev/stdin: is standard input", "> pairs.tsv"]),
    "stdin twice": (["evaluate", "RUN", "-", "-"], ["standard input: ", "named twice"]),
    "stdin and texts": (["predict", "RUN", "-", "abc"], ["standard input: conflicts with texts as arguments"]),
    "stdin and a file": (["predict", "RUN", "-", "--input", "TEXT"], ["standard input: conflicts with --input"]),
    "device as data": (["check", "/dev/zero"], ["/dev/zero: is a device, not a regular file"]),
    "missing dev": (["train", "PAIRS", "--dev", "missing.tsv"], ["missing.tsv", "no such file"]),
    "out is a file": (["train", "PAIRS", "--out", "PAIRS"], ["PAIRS", "--out"]),
    "out below a file": (["train", "PAIRS", "--out", "PAIRS/x"], ["PAIRS/x", "--out"]),
    "out is a foreign folder": (["train", "PAIRS", "--out", "FOLDER", "--force"], ["FOLDER", "--out"]),
    "nothing to resume": (["train", "PAIRS", "--out", "nowhere", "--resume"], ["nowhere", "--resume"]),
    "resume and force": (["train", "PAIRS", "--out", "COPY", "--resume", "--force"], ["--resume", "--force"]),
    "from and resume": (
        ["train", "PAIRS", "--out", "COPY", "--from", "RUN", "--resume"],
        ["--from", "--resume", "own checkpoint", "--out"],
    ),
    "from twice": (["train", "PAIRS", "--from", "RUN", "--set", "training.start_from=x"], ["--from", "given twice"]),
    "data twice": (["train", "PAIRS", "--set", "data.train=x.tsv"], ["--set data.train", "given twice", "PAIRS"]),
    "dev twice": (
        ["train", "PAIRS", "--dev", "PAIRS", "--set", "data.dev=x.tsv"],
        ["--set data.dev", "given twice", "--dev"],
    ),
    "skip-bad twice": (
        ["train", "PAIRS", "--skip-bad", "--set", "data.skip_bad=false"],
        ["data.skip_bad", "--skip-bad"],
    ),
    "prepare, skip-bad twice": (
        ["prepare", "PAIRS", "--out", "c", "--skip-bad", "--set", "data.skip_bad=false"],
        ["data.skip_bad", "--skip-bad"],
    ),
    "from itself": (["train", "PAIRS", "--from", "COPY", "--out", "COPY", "--force"], ["COPY", "--from", "--out"]),
    "from nowhere": (["train", "PAIRS", "--from", "nowhere"], ["nowhere", "no such folder"]),
    "from a damaged run": (["train", "PAIRS", "--from", "DAMAGED"], ["config.json", "is damaged"]),
    "from another model": (["train", "PAIRS", "--from", "RUN", "--model", "plain"], ["model.name", "'bidirectional'"]),
    "from by hand": (["train", "PAIRS", "--from", "RUN", "--engine", "scratch"], ["--from", "--engine scratch"]),
    "no run": (["predict"], ["RUN is missing", "seq2see predict runs/pairs"]),
    "missing run": (["predict", "nowhere", "a"], ["nowhere", "no such folder"]),
    "file as run": (["predict", "PAIRS", "a"], ["PAIRS", "folder"]),
    "foreign folder as run": (["predict", "FOLDER", "a"], ["FOLDER", "is missing", "seq2see run"]),
    "damaged run": (["predict", "DAMAGED", "a"], ["config.json", "is damaged"]),
    "texts twice": (["predict", "RUN", "a", "--input", "TEXT"], ["--input", "one of the two"]),
    "missing input": (["predict", "RUN", "--input", "missing.txt"], ["missing.txt", "check the path"]),
    "folder as input": (["predict", "RUN", "--input", "FOLDER"], ["FOLDER", "is a folder"]),
    "empty input": (["predict", "RUN", "--input", "EMPTY"], ["EMPTY", "is empty"]),
    "unwritable output": (["predict", "RUN", "a", "--output", "EMPTY/out.txt"], ["EMPTY/out.txt", "choose another"]),
    "output is a folder": (["predict", "RUN", "a", "--output", "FOLDER"], ["FOLDER", "--output"]),
    "output is the root": (["predict", "RUN", "a", "--output", "/"], ["--output /: is a folder"]),
    "output of generate is a folder": (["generate", "RUN", "--output", "FOLDER"], ["FOLDER", "--output"]),
    "beam 0": (["predict", "RUN", "a", "--beam", "0"], ["beam", "0", "at least 1"]),
    "beam in words": (["predict", "RUN", "a", "--beam", "two"], ["--beam", "two"]),
    "batch size 0": (["predict", "RUN", "a", "--batch-size", "0"], ["batch_size", "at least 1"]),
    "max length 0": (["predict", "RUN", "a", "--max-length", "0"], ["max_length", "at least 1"]),
    "temperature 0": (["predict", "RUN", "a", "--sample", "--temperature", "0"], ["temperature", "above 0"]),
    "beam of samples": (["predict", "RUN", "a", "--sample", "--beam", "2"], ["beam", "one of the two"]),
    "temperature alone": (["predict", "RUN", "a", "--temperature", "0.5"], ["temperature", "--sample"]),
    "negative seed": (["predict", "RUN", "a", "--sample", "--seed", "-1"], ["seed", "-1"]),
    "evaluate on nothing": (["evaluate", "RUN"], ["no test data", "test.tsv"]),
    "evaluate on one column": (["evaluate", "RUN", "TEXT"], [":1", "expected 2 columns, found 1", "TAB"]),
    "evaluate on nothing there": (["evaluate", "RUN", "missing.tsv"], ["missing.tsv", "check the path"]),
    "evaluate in batches of 0": (["evaluate", "RUN", "PAIRS", "--batch-size", "0"], ["batch_size"]),
    "evaluate in batches of -1": (["evaluate", "RUN", "PAIRS", "--batch-size", "-1"], ["batch_size"]),
    "evaluate with beam 0": (["evaluate", "RUN", "PAIRS", "--beam", "0"], ["beam"]),
    "evaluate by an unknown metric": (["evaluate", "RUN", "PAIRS", "--metrics", "cer,bleau"], ["'bleau'", "'bleu'"]),
    "evaluate by no metric": (["evaluate", "RUN", "PAIRS", "--metrics", ","], ["at least one metric", "cer"]),
    "evaluate by a missing column": (
        ["evaluate", "RUN", "PAIRS", "--by", "3"],
        ["PAIRS: there is no column 3", "found 2"],
    ),
    "evaluate on an empty file": (["evaluate", "RUN", "EMPTY"], ["EMPTY", "is empty"]),
    "evaluate answers of a language model": (
        ["evaluate", "LANGUAGE", "TEXT", "--metrics", "cer"],
        ["language model", "leave it out"],
    ),
    "evaluate one run as an ensemble": (["evaluate", "RUN", "PAIRS", "--ensemble"], ["--ensemble", "two runs"]),
    "errors of two runs": (["evaluate", "RUN", "RUN", "PAIRS", "--errors", "e.tsv"], ["--errors", "one run"]),
    "errors over the test file": (["evaluate", "RUN", "PAIRS", "--errors", "PAIRS"], ["--errors", "overwrite"]),
    "evaluate with few samples": (["evaluate", "RUN", "PAIRS", "--samples", "9"], ["samples", "at least 100"]),
    "evaluate with far too many": (["evaluate", "RUN", "PAIRS", "--samples", "2147483648"], ["samples", "100,000"]),
    "models of a wrong name": (["models", "--set", "model.name=foo"], ["model.name", "has no effect here"]),
    "models of a rate": (["models", "--set", "training.rate=1"], ["training.rate"]),
    "models of texts": (["models", "abc"], ["abc"]),
    "demo into a foreign folder": (["demo", "--out", "FOLDER"], ["FOLDER", "--out"]),
}


@pytest.fixture
def put_in(
    tiny_run: Path, tiny_language_run: Path, tiny_pairs: Path, tiny_text: Path, tmp_path: Path
) -> Callable[[str], str]:
    """Replaces PAIRS, RUN, … in what is typed."""
    import shutil

    def made(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    def folder() -> Path:
        (tmp_path / "foreign").mkdir(exist_ok=True)
        made("foreign/thesis.txt", b"years\n")
        return tmp_path / "foreign"

    def copy() -> Path:
        return Path(shutil.copytree(tiny_run, tmp_path / "copy", dirs_exist_ok=True))

    def damaged() -> Path:
        with (copy() / "model" / "config.json").open("a") as file:
            file.write(" ")
        return tmp_path / "copy"

    makers: dict[str, Callable[[], Path]] = {
        "PAIRS": lambda: tiny_pairs,
        "TEXT": lambda: tiny_text,
        "RUN": lambda: tiny_run,
        "LANGUAGE": lambda: tiny_language_run,
        "FOLDER": folder,
        "COPY": copy,
        "DAMAGED": damaged,
        "EMPTY": lambda: made("empty.tsv", b"\n\n"),
        "COLUMNS": lambda: made("columns.tsv", b"a\tb\tc\n"),
        "BINARY": lambda: made("binary.tsv", bytes(range(256)) * 9),
        "RECIPE": lambda: made("recipe.toml", b"[modle]\nname = 'plain'\n"),
        "GOOD": lambda: made("good.toml", b"[model]\nname = 'plain'\n"),
        "BROKEN": lambda: made("broken.toml", b"[model\n"),
    }

    def replace(text: str) -> str:
        for name, make in makers.items():
            if text == name or text.startswith((name + "/", name + ":")):
                return text.replace(name, str(make()), 1)
        return text

    return replace


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_one_message_and_exit_code_2(
    mistake: str, seq2see_command: Command, put_in: Callable[[str], str], tiny_flags: list[str]
) -> None:
    typed, parts = MISTAKES[mistake]
    arguments = [put_in(word) for word in typed]
    if typed[0] == "train" and typed[-1] not in ("--set", "--dev") and "--set" not in typed:
        arguments += tiny_flags  # so that a mistake that goes unnoticed costs little time
    if mistake in ("--dev with nothing", "--set with nothing", "model twice", "resume and force"):
        arguments = [*arguments[:2], *tiny_flags, *arguments[2:]]
    ran = seq2see_command(*arguments)
    assert ran.code == 2, ran.err
    assert ran.out.strip() == "" or typed[0] == "demo"  # a line without an answer is blank
    starts = list(re.finditer(r"^seq2see\b[^:\n]*: ", ran.err, re.MULTILINE))
    assert len(starts) == 1, ran.err
    message = ran.err[starts[0].start() :]
    assert "fix: " in message
    assert "Traceback" not in ran.err
    assert not [part for part in map(put_in, parts) if part not in message], message


def test_a_model_is_trained_further(seq2see_command: Command, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.tsv").write_text("".join(f"ab{letter}\t{letter}ba\n" for letter in "cdeßäöü"))
    short = ["--set", "training.max_updates=3", "training.evaluate_every=3", "training.precision=float32"]
    ran = seq2see_command("train", "new.tsv", "--from", tiny_run, "--device", "cpu", *short)
    assert ran.code == 0, ran.err
    assert f"fine-tuning {tiny_run}: bidirectional" in ran.err
    assert "update      0 (" in ran.err
    assert "try it: seq2see predict runs/new" in ran.err
    assert seq2see_command("predict", "runs/new", "abß").code == 0
    again = seq2see_command("train", "runs/new/config.toml", "--out", "runs/again", "--device", "cpu")
    assert again.code == 0, again.err
    models = [Path("runs", name, "model", "model.safetensors").read_bytes() for name in ("new", "again")]
    assert models[0] == models[1]


def test_a_broken_line_on_stdin_is_named_after_the_answers_before_it(seq2see_command: Command, tiny_run: Path) -> None:
    ran = seq2see_command("predict", tiny_run, stdin=b"abc\n\xff\n")
    assert ran.code == 2
    assert "<stdin>:2" in ran.err
    assert "not UTF-8" in ran.err
    assert ran.out == seq2see_command("predict", tiny_run, "abc").out + "\n"  # no answer to the second line


def test_what_is_read_is_never_overwritten(seq2see_command: Command, tiny_run: Path, tiny_pairs: Path) -> None:
    """By whatever path it is named."""
    Path("pairs.tsv").write_bytes(tiny_pairs.read_bytes())
    Path("texts.txt").write_text("abc\nde\n")
    Path("link.txt").symlink_to("texts.txt")
    Path("link.html").symlink_to("pairs.html")
    Path("sub").mkdir()
    for name in ("pairs.html", "pairs.seq2see"):
        Path(name).write_bytes(tiny_pairs.read_bytes())
    for arguments in (
        ("score", tiny_run, "pairs.tsv", "--output", "sub/../pairs.tsv"),
        ("predict", tiny_run, "--input", "texts.txt", "--output", "link.txt"),
        ("predict", tiny_run, "--input", "link.txt", "--output", "sub/../texts.txt"),
        ("evaluate", tiny_run, "pairs.tsv", "--errors", "sub/../pairs.tsv"),
        ("predict", tiny_run, "abc", "--lexicon", "pairs.tsv", "--output", "pairs.tsv"),
        ("predict", tiny_run, "abc", "--glossary", "pairs.tsv", "--output", "sub/../pairs.tsv"),
        ("report", tiny_run, "--test", "pairs.html", "--output", "sub/../pairs.html"),
        ("export", tiny_run, "--data", "pairs.html", "--output", "pairs.html"),
        ("export", tiny_run, "--data", "pairs.tsv", "pairs.html", "--output", "link.html"),
        ("pack", tiny_run, "--data", "pairs.seq2see", "--output", "pairs.seq2see"),
    ):
        ran = seq2see_command(*arguments)
        assert ran.code == 2
        assert "overwrite" in ran.err
    for name in ("pairs.tsv", "pairs.html", "pairs.seq2see"):
        assert Path(name).read_bytes() == tiny_pairs.read_bytes()
    assert Path("texts.txt").read_text() == "abc\nde\n"


def test_a_text_is_no_run(seq2see_command: Command, tiny_run: Path) -> None:
    """However long it is, if it is none at all, and where a folder is called model; a mistyped run is told."""
    Path("model").mkdir()
    for text in ("abcde" * 200, "", "model"):
        ran = seq2see_command("predict", tiny_run, text, "--max-length", "3")
        assert ran.code == 0, ran.err
        assert len(ran.out.splitlines()) == 1
    ran = seq2see_command("predict", tiny_run, tiny_run.parent / "tinny", "abc")
    assert f"there is no run {tiny_run.parent / 'tinny'}; read as a text" in ran.err


@pytest.mark.parametrize(
    "error",
    [RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), MemoryError("")],
)
def test_a_model_too_large_for_the_memory_is_a_mistake_too(
    error: Exception, seq2see_command: Command, tiny_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("seq2see.run.train.train", full)
    ran = seq2see_command("train", tiny_pairs)
    assert ran.code == 2
    assert "out of memory" in ran.err
    assert "model.width" in ran.err
    monkeypatch.setattr("seq2see.run.train.train", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        seq2see_command("train", tiny_pairs)


def test_trace_shows_where_a_mistake_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["seq2see", "predict", "nowhere", "a", "--trace"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("Traceback")
    assert "CheckpointError" in said
    assert "\nseq2see: " in said


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    ran = process("train", tmp_path / "nowhere.toml")
    assert ran.returncode == 2
    assert ran.stdout == b""
    assert ran.stderr.decode().startswith("seq2see: ")
    assert b"Traceback" not in ran.stderr
    traced = process("train", tmp_path / "nowhere.toml", "--trace")
    assert traced.returncode == 2
    assert b"Traceback" in traced.stderr
    assert b"ConfigError" in traced.stderr


def test_python_dash_m_is_the_command() -> None:
    ran = process("--help")
    assert ran.returncode == 0
    assert b"train" in ran.stdout


def test_a_reader_that_goes_away_is_no_mistake(tiny_run: Path, tmp_path: Path) -> None:
    """`seq2see predict … | head -1`."""
    (tmp_path / "in.txt").write_text("abcde\n" * 6000)
    code = f"{sys.executable} -m seq2see predict {tiny_run} --input {tmp_path / 'in.txt'} --max-length 9"
    ran = subprocess.run(
        ["bash", "-c", f"{code} | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr == b""
    assert ran.returncode == 0


def test_answers_are_utf_8_wherever_the_command_runs(tmp_path: Path, tiny_run: Path) -> None:
    """stdin is read as UTF-8 whatever the system is set to; what goes out must not depend on it either."""
    run = tmp_path / "r"
    seq2see.train(
        [("a", "ß"), ("b", "ß"), ("c", "ß"), ("d", "ß")] * 4,
        out=run,
        settings={
            "model.width": 16,
            "training.max_updates": 60,
            "training.rate": 1e-2,
            "training.evaluate_every": 60,
            "text.target": "characters",
        },
        device="cpu",
        quiet=True,
    )
    ran = process("predict", run, "a", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.strip() == "ß".encode()


@pytest.mark.parametrize("verb", ["train", "demo"])
def test_the_device_is_passed_on(verb: str, seq2see_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def no_training(*_: object, device: str, **__: object) -> None:
        asked.append(device)
        raise UserError("enough")

    monkeypatch.setattr(
        "seq2see.commands.dates_demo.train" if verb == "demo" else "seq2see.run.train.train", no_training
    )
    assert seq2see_command(verb, *(["pairs.tsv"] if verb == "train" else []), "--device", "mps").err.startswith(
        "seq2see: "
    )
    assert asked == ["mps"]


def test_without_torch_the_way_to_it_is_said() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['seq2see', 'models']\n"
    code += "from seq2see.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "seq2see[train]" in done.stderr
    code = "import sys; sys.modules['torch'] = None; import seq2see; seq2see.train"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError: seq2see.train needs torch" in done.stderr


def test_the_present_folder_is_a_run_too(tiny_run_copy: Path, seq2see_command: Command, monkeypatch: Any) -> None:
    for folder in (tiny_run_copy, tiny_run_copy / "model"):
        monkeypatch.chdir(folder)
        assert seq2see_command("predict", ".", "abc").code == 0
    monkeypatch.chdir("/")
    assert seq2see_command("predict", ".", "abc").code == 2


def test_answers_cut_short_are_said_and_texts_never_overwritten(tiny_run: Path, seq2see_command: Command) -> None:
    assert (
        "answers cut off at the maximum length: 1"
        in seq2see_command("predict", tiny_run, "abc", "--max-length", "1").err
    )
    Path("in.txt").write_text("abc\n")
    said = seq2see_command("predict", tiny_run, "--input", "in.txt", "--output", "in.txt")
    assert (said.code, Path("in.txt").read_text()) == (2, "abc\n")
