"""What a command writes: its output and nothing else, whatever stands beside it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

import seq2see
from seq2see import cli
from seq2see.config import make_config, to_toml

ENDINGS = (".new", ".old", ".gone", ".tmp", ".part", ".preparing", "~")

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("out", "train {pairs} --dev {pairs} --device cpu --out {out}"),
    "train again": ("out", "train {pairs} --dev {pairs} --device cpu --force --out {out}"),
    "compare": ("out", "compare plain attention --data {pairs} --dev {pairs} --device cpu --out {out}"),
    "cross": ("out", "cross {pairs} --folds 2 --device cpu --out {out}"),
    "tune": ("out", "tune {pairs} --dev {pairs} --trials 1 --device cpu --out {out}"),
    "distill": ("out", "distill {run} --data {pairs} --dev {pairs} --beam 1 --device cpu --out {out}"),
    "distill again": ("out", "distill {run} --data {pairs} --dev {pairs} --beam 1 --device cpu --force --out {out}"),
    "pack": ("out.seq2see", "pack {run} --data {pairs} -o {out}"),
    "pack a folder": ("out", "pack {run} --data {pairs} -o {out}"),
    "export a page": ("out.html", "export {run} --data {pairs} -o {out}"),
    "export a program": ("out.json", "export {run} --data {pairs} -o {out}"),
    "export a module": ("out.js", "export {run} --data {pairs} -o {out}"),
    "export C": ("out.c", "export {run} --data {pairs} -o {out}"),
    "export C with weights": ("out.c", "export {run} --data {pairs} --separate-weights -o {out}"),
    "export WebAssembly": ("out.wasm", "export {run} --data {pairs} -o {out}"),
    "export to ONNX": ("out.onnx", "export {run} --data {pairs} -o {out}"),
    "export to CTranslate2": ("out.ctranslate2", "export {transformer} --data {pairs} -o {out}"),
    "align": ("out.txt", "align {run} {pairs} --output {out} --device cpu"),
    "report": ("out.html", "report {run} --test {pairs} --device cpu -o {out}"),
    "attend": ("out.svg", "attend {run} abc -o {out} --device cpu"),
    "curves": ("out.svg", "curves {run} -o {out}"),
    "events": ("out", "curves {run} --tensorboard {out}"),
    "generate": ("out.txt", "generate {language} --count 2 --output {out} --device cpu"),
    "predict": ("out.txt", "predict {run} --input {text} --output {out} --device cpu"),
    "score": ("out.txt", "score {run} {pairs} --output {out} --device cpu"),
    "evaluate": ("out.tsv", "evaluate {run} {pairs} --errors {out} --device cpu"),
    "check": ("out.tsv", "check {pairs} --fix -o {out}"),
    "prepare": ("out", "prepare {pairs} --workers 1 --out {out}"),
}
"""The name of the output, and the command that writes it, twice in a row."""
BESIDE = {
    "distill": ("out-data",),
    "distill again": ("out-data",),
    "export a module": ("out.d.ts",),
    "export C": ("out.h", "out.vectors.tsv"),
    "export C with weights": ("out.h", "out.vectors.tsv", "out.weights"),
    "export WebAssembly": ("out.wasm.mjs",),
}
"""What else is written beside the output."""
OTHERS = ("language", "transformer")
"""Runs that a command may need, by their names there."""
NEEDED = {
    "tune": "optuna",
    "export to ONNX": "onnx",
    "export to CTranslate2": "ctranslate2",
    "events": "tensorboard",
    "curves": "matplotlib",
    "attend": "matplotlib",
}
"""Packages without which a command is not tried."""
SET = ("train", "compare", "cross", "tune", "distill")
"""Verbs that train."""
ONCE = ("train", "distill")
"""Commands that refuse to replace what they have written."""


def everything_in(folder: Path, *, without: Collection[str] = ()) -> dict[str, str]:
    """Every path in the folder but the outputs, with its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] not in without:
            found[str(name)] = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_text()
    return found


def names_beside(output: str) -> list[str]:
    stem = output.partition(".")[0]
    return [f"{start}{name}{ending}" for start in ("", ".") for name in sorted({output, stem}) for ending in ENDINGS]


@pytest.fixture
def seq2see_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Runs `seq2see` in this process; returns the exit code."""

    def run(command: str) -> int:
        monkeypatch.setattr(sys, "argv", ["seq2see", *command.split()])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


@pytest.fixture(scope="module")
def tiny_transformer_run(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "transformer"
    settings = {"model.name": "transformer", "model.width": 16, "training.max_updates": 3}
    seq2see.train(tiny_pairs, out=out, settings=settings, device="cpu", quiet=True)
    return out


@pytest.mark.parametrize("verb", COMMANDS)
def test_what_stands_beside_the_output_stays(
    verb: str,
    seq2see_command: Callable[[str], int],
    tiny_run: Path,
    tiny_pairs: Path,
    tiny_text: Path,
    tiny_flags: list[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    require_package(verb)
    output, command = COMMANDS[verb]
    place = tmp_path / "place"
    own = (output, *BESIDE.get(verb, ()))
    runs = {name: request.getfixturevalue(f"tiny_{name}_run") for name in OTHERS if f"{{{name}}}" in command}
    words = command.format(run=tiny_run, pairs=tiny_pairs, text=tiny_text, out=place / output, **runs)
    place.mkdir()
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious").write_text("victim")
    for number, name in enumerate(names_beside(output), start=list(COMMANDS).index(verb)):
        match number % 3:  # over the commands, every name is once each of them
            case 0:
                (place / name).write_text(name)
            case 1:
                (place / name).mkdir()
                (place / name / "precious").write_text(name)
            case _:
                (place / name).symlink_to(tmp_path / "victim")
    if verb == "prepare":  # its working folder has a name that people see, and it is refused if it isn't its own
        assert seq2see_command(words) == 2
        remove(place / f"{output}.preparing")
    before = everything_in(place, without=own)
    if verb.split()[0] in SET:  # one setting is left to tune
        words = " ".join([words, *(flag for flag in tiny_flags if verb != "tune" or "training.rate" not in flag)])
    for code in (0, 2 if verb in ONCE else 0):
        assert seq2see_command(words) == code
        assert everything_in(place, without=own) == before
        assert everything_in(tmp_path / "victim") == {"precious": "victim"}
    assert all((place / each).exists() for each in own)


def require_package(verb: str) -> None:
    """Skip what needs a package or a program that isn't here."""
    if verb in NEEDED:
        pytest.importorskip(NEEDED[verb])
    if verb == "export WebAssembly" and not all(map(shutil.which, ("clang", "wasm-ld"))):
        pytest.skip("there is no clang with wasm-ld")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        (path / "precious").unlink()
        path.rmdir()
    else:
        path.unlink()


def test_a_folder_that_is_only_called_old_is_not_read(
    seq2see_command: Callable[[str], int], tiny_run_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_run_copy / "model").rename(tiny_run_copy.with_name("m.old"))
    assert seq2see_command(f"predict {tiny_run_copy.with_name('m')} abc --device cpu") == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["model", "checkpoints", "checkpoints/00000030"])
def test_force_leaves_what_is_no_part_of_the_run(
    place: str,
    seq2see_command: Callable[[str], int],
    tiny_run_copy: Path,
    tiny_pairs: Path,
    tiny_flags: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tiny_run_copy / "thesis.txt").write_text("mine")
    command = f"train {tiny_pairs} --device cpu --force --out {tiny_run_copy} {' '.join(tiny_flags)}"
    folder = tiny_run_copy / place
    folder.mkdir(exist_ok=True)
    (folder / "notes.txt").write_text("mine")
    before = everything_in_bytes(tiny_run_copy)
    assert seq2see_command(command) == 2
    assert f"no part of the run: {place}/notes.txt" in capsys.readouterr().err
    assert everything_in_bytes(tiny_run_copy) == before
    (folder / "notes.txt").unlink()
    assert seq2see_command(command) == 0
    assert (tiny_run_copy / "thesis.txt").read_text() == "mine"


def everything_in_bytes(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", ["pack a folder", "prepare"])
def test_an_output_folder_with_something_else_in_it_is_not_replaced(
    verb: str,
    seq2see_command: Callable[[str], int],
    tiny_run: Path,
    tiny_pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, command = COMMANDS[verb]
    words = command.format(run=tiny_run, pairs=tiny_pairs, out=tmp_path / output)
    assert seq2see_command(words) == 0
    (tmp_path / output / "notes.txt").write_text("mine")
    assert seq2see_command(words) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert (tmp_path / output / "notes.txt").read_text() == "mine"


FILES = [
    *("predict", "generate", "score", "align", "evaluate", "check", "attend", "report", "pack", "curves"),
    *("export a page", "export a program"),
]
"""Commands that write one file, by their names in COMMANDS."""


@pytest.mark.parametrize("verb", FILES)
def test_a_link_is_replaced_and_not_followed(
    verb: str,
    seq2see_command: Callable[[str], int],
    tiny_run: Path,
    tiny_language_run: Path,
    tiny_pairs: Path,
    tiny_text: Path,
    tmp_path: Path,
) -> None:
    require_package(verb)
    output, command = COMMANDS[verb]
    (tmp_path / "victim").write_text("victim")
    (tmp_path / output).symlink_to("victim")
    places = {"run": tiny_run, "language": tiny_language_run, "pairs": tiny_pairs, "text": tiny_text}
    assert seq2see_command(command.format(**places, out=tmp_path / output)) == 0
    assert (tmp_path / "victim").read_text() == "victim"
    assert not (tmp_path / output).is_symlink()
    assert (tmp_path / output).stat().st_size


@pytest.mark.parametrize("verb", FILES)
def test_a_pipe_gets_lines_and_is_never_replaced(
    verb: str,
    seq2see_command: Callable[[str], int],
    tiny_run: Path,
    tiny_language_run: Path,
    tiny_pairs: Path,
    tiny_text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require_package(verb)
    output, command = COMMANDS[verb]
    os.mkfifo(tmp_path / output)
    reader = os.open(tmp_path / output, os.O_RDONLY | os.O_NONBLOCK)
    places = {"run": tiny_run, "language": tiny_language_run, "pairs": tiny_pairs, "text": tiny_text}
    streams = verb in ("predict", "generate", "score", "align")
    assert seq2see_command(command.format(**places, out=tmp_path / output)) == (0 if streams else 2)
    assert bool(os.read(reader, 1)) == streams
    os.close(reader)
    assert ("is not a regular file" in capsys.readouterr().err) != streams
    assert stat.S_ISFIFO((tmp_path / output).stat().st_mode)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
def test_what_stdout_is_redirected_to_is_written_and_not_replaced(tiny_run: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "seq2see", "predict", str(tiny_run), "abc", "--device", "cpu", "-o", "/dev/stdout"]
    with (tmp_path / "out").open("w") as file:
        assert subprocess.run(words, stdout=file, stderr=subprocess.PIPE, check=False).returncode == 0
    assert (tmp_path / "out").read_text().count("\n") == 1
    assert Path("/dev/stdout").is_symlink()


def test_an_answer_that_fails_leaves_the_earlier_file(
    seq2see_command: Callable[[str], int], tiny_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts").write_bytes(b"abc\n" * 3 + b"\xff\n")
    (tmp_path / "out").write_text("earlier")
    command = f"predict {tiny_run} --strict --input {tmp_path / 'texts'} -o {tmp_path / 'out'} --device cpu"
    assert seq2see_command(command) == 2
    assert everything_in(tmp_path, without=("texts",)) == {"out": "earlier"}


def test_a_log_of_another_program_is_not_emptied(
    seq2see_command: Callable[[str], int], tiny_pairs: Path, tiny_flags: list[str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    log = tmp_path / "out" / "metrics.jsonl"
    log.write_text('{"loss": 1}\n')
    assert seq2see_command(f"train {tiny_pairs} --device cpu --out {tmp_path / 'out'} {' '.join(tiny_flags)}") == 2
    assert log.read_text() == '{"loss": 1}\n'


THEIRS = {
    "compare": ("out/compare.html",),
    "compare sizes": ("out/sizes.svg",),
    "cross": ("out/errors.tsv",),
    "tune": ("out/best.toml", "out/importance.svg", "out/trials.log", "out/trials/mine/notes.txt"),
    "distill": ("out-data/train.jsonl", "out-data/dev.jsonl"),
    "pack a folder": ("out/README.md", "out/manifest.json"),
    "prepare": ("out/manifest.json",),
    "export a module": ("out.d.ts",),
    "export C": ("out.h", "out.vectors.tsv"),
    "export C with weights": ("out.weights",),
    "export WebAssembly": ("out.wasm.mjs",),
    "export to ONNX": ("out.onnx/manifest.json", "out.onnx/text.js"),
    "export to CTranslate2": ("out.ctranslate2/config.json",),
}
"""What a command would replace, though the user named something else."""


@pytest.mark.parametrize(("verb", "file"), [(verb, file) for verb, files in THEIRS.items() for file in files])
def test_what_is_not_our_own_is_not_replaced(
    verb: str,
    file: str,
    seq2see_command: Callable[[str], int],
    tiny_run: Path,
    tiny_pairs: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require_package(verb)
    sizes = " --sizes 20,40" if verb == "compare sizes" else ""
    output, command = COMMANDS[verb.removesuffix(" sizes")]
    runs = {name: request.getfixturevalue(f"tiny_{name}_run") for name in OTHERS if f"{{{name}}}" in command}
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text('{"mine": "mine"}\n')
    before = everything_in(tmp_path)
    assert seq2see_command(command.format(run=tiny_run, pairs=tiny_pairs, out=tmp_path / output, **runs) + sizes) == 2
    assert re.search(r": exists (already|and is)[^\n]*\n  fix: ", capsys.readouterr().err)
    assert everything_in(tmp_path) == before


def test_events_of_other_programs_stay(
    seq2see_command: Callable[[str], int], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_run.parent)
    theirs = tmp_path / "logs" / tiny_run.name / "events.out.tfevents.1.host.1.0"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    for _ in range(2):
        assert seq2see_command(f"curves {tiny_run.name} --tensorboard {tmp_path / 'logs'}") == 0
    assert theirs.read_bytes() == b"theirs"
    assert len(list(theirs.parent.iterdir())) == 2


def test_the_demo_replaces_an_earlier_demo_and_no_other_run(
    seq2see_command: Callable[[str], int], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2see.commands import dates_demo

    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run, tmp_path / "runs" / "demo")
    before = everything_in_bytes(tmp_path)
    assert seq2see_command("demo --device cpu") == 2
    assert everything_in_bytes(tmp_path) == before
    config = make_config({}, dates_demo.SETTINGS)
    (tmp_path / "runs" / "demo" / "config.toml").write_text(to_toml(config))
    assert dates_demo.is_demo(tmp_path / "runs" / "demo")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_without_a_name_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = [word.replace("{out}", "") for word in COMMANDS[name][1].split()]
    assert cli.run(words) == 2
    assert ": must not be empty\n  fix: name a file or folder" in capfd.readouterr().err
