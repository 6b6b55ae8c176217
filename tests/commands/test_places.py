"""Names and places as they come: not UTF-8, too long, in a removed folder, or refused by the system, for every verb."""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import cli
from seq2see.commands import VERBS
from seq2see.errors import UserError

BYTES = b"caf\xe9".decode(errors="surrogateescape")
"""A folder whose name is Latin-1."""

READING = {
    "train": "train {data} --dev {data} --out {out} --device cpu",
    "train from a recipe": "train {recipe} --out {out} --device cpu",
    "fine-tune": "train {data} --dev {data} --from {run} --out {out} --device cpu",
    "compare": "compare plain attention --data {data} --dev {data} --out {out} --device cpu",
    "cross": "cross {data} --folds 2 --out {out} --device cpu",
    "prepare": "prepare {data} --dev {data} --workers 1 --out {out}",
    "predict": "predict {run} --input {text} --device cpu",
    "score": "score {run} {data} --device cpu",
    "attend": "attend {run} --input {text} --device cpu",
    "evaluate": "evaluate {run} {data} --device cpu",
    "check": "check {data} --test {data}",
    "curves": "curves {run} -o {out}.svg",
    "report": "report {run} --test {data} -o {out}.html --device cpu",
    "pack": "pack {run} --data {data} -o {out}.seq2see",
    "export": "export {run} --data {data} -o {out}.json",
    "align": "align {run} {data} --device cpu",
    "distill": "distill {run} --data {data} --dev {data} --beam 1 --out {out} --device cpu",
    "tune": "tune {data} --dev {data} --trials 1 --out {out} --device cpu",
    "bench": "bench {run} --data {data} --threads 1 --seconds 0.01",
    "generate": "generate {language} --device cpu",
    "chat": "chat {run} --device cpu",
}
WRITING = {
    "predict": "predict {run} abc --output {out} --device cpu",
    "score": "score {run} {data} --output {out} --device cpu",
    "evaluate": "evaluate {run} {data} --errors {out} --device cpu",
    "check": "check {data} --fix -o {out}.tsv",
    "attend": "attend {run} abc -o {out}.svg --device cpu",
    "curves": "curves {run} -o {out}.svg",
    "events": "curves {run} --tensorboard {out}",
    "report": "report {run} --test {data} -o {out}.html --device cpu",
    "pack": "pack {run} --data {data} -o {out}.seq2see",
    "pack a folder": "pack {run} --data {data} -o {out}",
    "prepare": "prepare {data} --dev {data} --workers 1 --out {out}",
    "train": "train {data} --dev {data} --out {out} --device cpu",
    "compare": "compare plain attention --data {data} --dev {data} --out {out} --device cpu",
    "cross": "cross {data} --folds 2 --out {out} --device cpu",
    "export": "export {run} --data {data} -o {out}.json",
    "export C": "export {run} --data {data} -o {out}.c",
    "export to ONNX": "export {run} --data {data} -o {out}.onnx",
    "align": "align {run} {data} --output {out} --device cpu",
    "distill": "distill {run} --data {data} --dev {data} --beam 1 --out {out} --device cpu",
    "tune": "tune {data} --dev {data} --trials 1 --out {out} --device cpu",
    "generate": "generate {language} --output {out} --device cpu",
    "new": "new chat {out}",
}
FEW = ["--set", "model.width=16", "model.embedding=8", "training.max_updates=2", "training.batch_size=16"]

GIVEN = ("recipe", "text", "data", "run", "language")
"""What a command reads; the first of them is what is wrong in a test."""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a line of `seq2see` in this process; returns the exit code and the messages."""

    def run(line: str, **places: object) -> tuple[int, str]:
        words = [word.format(**places) for word in line.split()]
        words += FEW if words[0] in ("train", "compare", "cross", "tune", "distill") else []
        monkeypatch.setattr(sys, "argv", ["seq2see", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\n")))
        capsys.readouterr()
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # pytest's; ours takes any bytes
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.fixture
def places(
    tiny_run: Path, tiny_language_run: Path, tiny_pairs: Path, tiny_text: Path, tmp_path: Path
) -> dict[str, object]:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"[data]\ntrain = {str(tiny_pairs)!r}\ndev = {str(tiny_pairs)!r}\n")
    runs = {"run": tiny_run, "language": tiny_language_run}
    return {**runs, "data": tiny_pairs, "text": tiny_text, "recipe": recipe, "out": tmp_path / "out"}


def require_one_message(code: int, said: str) -> None:
    assert code == 2, said
    assert len(re.findall(r"(?<!\.)seq2see( \w+)?: ", said)) == 1
    assert "\n  fix: " in said
    assert "Traceback" not in said
    assert len(said) < 2000


# --- names that are not UTF-8 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [*READING, *(f"{verb} ->" for verb in WRITING)])
def test_names_need_not_be_utf8(verb: str, run: Run, places: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / BYTES
    folder.mkdir()
    line = WRITING[verb[:-3]] if verb.endswith("->") else READING[verb]
    for name in ("data", "text", "recipe"):
        own = folder / f"{name}{BYTES}{places[name].suffix}"
        shutil.copy(places[name], own)
        places[name] = own
    for name in ("run", "language"):
        if f"{{{name}}}" in line:
            places[name] = Path(shutil.copytree(places[name], folder / f"{name}{BYTES}"))
    code, said = run(line, **places | {"out": folder / f"out{BYTES}"})
    assert code == 0, said
    said.encode()
    assert "\\udce9" not in said


def test_a_recipe_may_name_a_path_that_is_not_utf8(run: Run, places: dict[str, Any], tmp_path: Path) -> None:
    data = Path(shutil.copy(places["data"], tmp_path / f"{BYTES}.tsv"))
    places["recipe"].write_bytes(b"[data]\ntrain = 'caf\xe9.tsv'\ndev = 'caf\xe9.tsv'\n")
    code, said = run(READING["train from a recipe"], **places)
    assert code == 0, said
    stored = (places["out"] / "config.toml").read_bytes()
    assert os.fsencode(data) in stored
    assert run(f"{READING['train from a recipe']} --resume", **places)[0] == 0
    assert rb"caf\xe9.tsv" in (places["out"] / "model" / "README.md").read_bytes()


# --- places that can't be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", READING)
def test_an_input_with_a_name_too_long_is_one_message(
    verb: str, run: Run, places: dict[str, Any], tmp_path: Path
) -> None:
    line = READING[verb]
    given = next(name for name in GIVEN if f"{{{name}}}" in line)
    require_one_message(*run(line, **places | {given: tmp_path / ("x" * 300 + places[given].suffix)}))


@pytest.mark.parametrize("verb", WRITING)
def test_an_output_with_a_name_too_long_is_one_message(
    verb: str, run: Run, places: dict[str, Any], tmp_path: Path
) -> None:
    code, said = run(WRITING[verb], **places | {"out": tmp_path / ("x" * 300)})
    require_one_message(code, said)
    assert "too long" in said


@pytest.mark.parametrize("verb", WRITING)
def test_an_output_below_a_file_is_one_message(verb: str, run: Run, places: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    require_one_message(*run(WRITING[verb], **places | {"out": tmp_path / "file" / "x"}))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", VERBS)
def test_a_removed_working_directory_is_one_message(verb: str, tmp_path: Path) -> None:
    # In a process of its own, since the libraries of PyTorch can't be loaded there.
    source = str(Path(seq2see.__file__).resolve().parent.parent)
    script = f'mkdir gone && cd gone && rmdir ../gone && exec "$0" -c "from seq2see.cli import main; main()" {verb} x'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    require_one_message(done.returncode, done.stderr)
    assert done.stderr.startswith("seq2see: .: can't be found: the working directory has been removed")


# --- what the system refuses ----------------------------------------------------------------------------------------


def refuse(monkeypatch: pytest.MonkeyPatch, number: int, part: str, mode: str) -> None:
    """Opening a file fails whose path has this part: to read it, or to write it."""

    def refused(file: object, writes: bool) -> bool:
        return not isinstance(file, int) and part in os.fsdecode(os.fspath(file)) and writes == (mode == "w")  # type: ignore[call-overload]

    def opened(file: Any, how: str = "r", *more: Any, **options: Any) -> Any:
        if refused(file, any(letter in options.get("mode", how) for letter in "wax+")):
            raise OSError(number, os.strerror(number), str(file))
        return system_open(file, how, *more, **options)

    def opened_by_number(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if refused(path, bool(flags & (os.O_WRONLY | os.O_RDWR))):
            raise OSError(number, os.strerror(number), str(path))
        return system_os_open(path, flags, *more, **options)

    system_open, system_os_open = io.open, os.open
    monkeypatch.setattr(io, "open", opened)
    monkeypatch.setattr(builtins, "open", opened)
    monkeypatch.setattr(os, "open", opened_by_number)


@pytest.mark.parametrize(
    ("number", "fix"), [(errno.EMFILE, "ulimit -n"), (errno.EACCES, "ls -ld"), (errno.EIO, "disk")]
)
@pytest.mark.parametrize("verb", READING)
def test_an_input_that_is_refused_has_a_fix_for_the_reason(
    verb: str, number: int, fix: str, run: Run, places: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = READING[verb]
    given = next(name for name in GIVEN if f"{{{name}}}" in line)
    copy = shutil.copytree if places[given].is_dir() else shutil.copy
    own = Path(copy(places[given], tmp_path / f"refused{places[given].suffix}"))
    refuse(monkeypatch, number, "refused", "r")
    code, said = run(line, **places | {given: own})
    require_one_message(code, said)
    assert os.strerror(number) in said
    assert fix in said


@pytest.mark.parametrize(("number", "fix"), [(errno.ENOSPC, "free some"), (errno.EROFS, "can only be read")])
@pytest.mark.parametrize("verb", WRITING)
def test_an_output_that_is_refused_has_a_fix_for_the_reason(
    verb: str, number: int, fix: str, run: Run, places: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, number, "refused", "w")
    code, said = run(WRITING[verb], **places | {"out": tmp_path / "refused"})
    require_one_message(code, said)
    assert os.strerror(number) in said
    assert fix in said


FOLDERS = ("train", "compare", "cross", "prepare", "distill", "tune", "new")
"""The verbs that write a folder file by file."""


@pytest.mark.parametrize("target", ["nowhere", "out"])
@pytest.mark.parametrize("verb", FOLDERS)
def test_a_link_to_nothing_or_to_itself_is_refused_as_a_folder_and_nothing_is_left(
    verb: str, target: str, run: Run, places: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    out = folder / "out"
    out.symlink_to(target)
    code, said = run(WRITING[verb], **places | {"out": out})
    require_one_message(code, said)
    assert "symbolic link" in said
    assert "another program" not in said
    named = re.search(r"ls -ld (\S+?)(;|\n|$)", said)  # a fix that can be followed names the link itself
    assert named is None or Path(named[1]) == out
    assert list(folder.iterdir()) == [out]
    assert os.readlink(out) == target


# --- the Python API -------------------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[Any, Path, Path], object]] = {
    "load": lambda model, data, bad: seq2see.load(bad),
    "train": lambda model, data, bad: seq2see.train(bad, out=data.with_name("never"), quiet=True),
    "train to": lambda model, data, bad: seq2see.train(data, out=bad, quiet=True),
    "compare": lambda model, data, bad: seq2see.compare(["plain"], data, out=bad, quiet=True),
    "evaluate": lambda model, data, bad: model.evaluate(bad),
    "pack": lambda model, data, bad: model.pack(bad / "x.seq2see", data=data),
}


@pytest.mark.parametrize("name", ["x" * 300, "file/below", "a\0b", "loop", "fol\ud800der"], ids=ascii)
@pytest.mark.parametrize("call", CALLS)
def test_the_python_api_raises_user_errors(
    call: str, name: str, tiny_run: Path, tiny_pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    model = seq2see.load(tiny_run)
    with pytest.raises(UserError):
        CALLS[call](model, tiny_pairs, tmp_path / name)


@pytest.mark.parametrize("text", ["caf\udce9", "\ud83d"])
def test_texts_that_are_not_unicode_are_named(text: str, tiny_run: Path) -> None:
    model = seq2see.load(tiny_run)
    with pytest.raises(UserError, match="is not UTF-8"):
        model.predict([text])
    with pytest.raises(UserError, match="is not UTF-8"):
        model.score([("abc", text)])
