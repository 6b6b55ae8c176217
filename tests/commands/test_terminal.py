"""Escape sequences and direction marks in data, models and names never reach a terminal; files and pipes are exact."""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see import cli
from seq2see.storage.saved_model import load_model, save_model

HOSTILE = "\x1b]0;own\x9b\u202e"
"""Sets the title of a terminal, begins a sequence, and turns the rest of the line around."""
SHOWN = re.compile(r"\\x1b|\\u009b|\\u202e|U\+001B|U\+009B|U\+202E")
OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""rich's colors and movements of the cursor."""


class Screen(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs of hostile texts, and a run that answers with them."""
    folder = tmp_path_factory.mktemp("hostile") / f"x{HOSTILE.replace('/', '')}"
    folder.mkdir()
    lines = [f"{letter * n}{HOSTILE[: n % 3]}\t{HOSTILE * (n % 2 + 1)}\n" for letter in "abcde" for n in range(1, 9)]
    (folder / "pairs.tsv").write_text("".join(lines), encoding="utf-8", newline="\n")
    labeled = [f"{line[:-1]}\t{HOSTILE}{number % 2}\n" for number, line in enumerate(lines)]
    (folder / "labeled.tsv").write_text("".join(labeled), encoding="utf-8", newline="\n")
    settings = {"model.width": 16, "model.dropout": 0, "training.max_updates": 60, "training.rate": 0.03}
    files = {"dev": folder / "pairs.tsv", "out": folder / "run", "device": "cpu", "quiet": True}
    seq2see.train(folder / "pairs.tsv", settings=settings, **files)  # type: ignore[arg-type]
    (folder / "texts.txt").write_text(f"{HOSTILE}\n" * 40, encoding="utf-8")
    language = {"dev": folder / "texts.txt", "out": folder / "writer"}
    settings = settings | {"model.name": "language_model"}
    seq2see.train(folder / "texts.txt", settings=settings, **files | language)  # type: ignore[arg-type]
    return folder


Shown = Callable[..., tuple[int, str]]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Runs `seq2see` on a terminal; returns the exit code and what is seen, without rich's own sequences."""

    def run(*words: object) -> tuple[int, str]:
        screen = Screen()
        monkeypatch.setattr(sys, "argv", ["seq2see", *map(str, words)])
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"a{HOSTILE}\n".encode())))
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, OWN.sub("", screen.text())

    return run


FEW = "--device cpu --set training.max_updates=4 model.width=8"
COMMANDS = {
    "predict": "predict {run} aaa --device cpu",
    "predict as tsv": "predict {run} aaa --format tsv --device cpu",
    "predict as jsonl": "predict {run} aaa --format jsonl --device cpu",
    "predict stdin": "predict {run} --device cpu",
    "score": "score {run} {pairs} --format tsv --device cpu",
    "attend": "attend {run} aaa --device cpu",
    "evaluate": "evaluate {run} {labeled} --by 3 --device cpu",
    "evaluate as json": "evaluate {run} {labeled} --by 3 --json --device cpu",
    "check": "check {pairs} --test {pairs}",
    "train": f"train {{pairs}} --dev {{pairs}} --out {{out}} {FEW}",
    "curves": "curves {run} -o {out}.svg",
    "report": "report {run} -o {out}.html --device cpu",
    "pack": "pack {run} -o {out}.seq2see",
    "align": "align {run} {pairs} --format tsv --device cpu",
    "chat": "chat {run} --device cpu",
    "generate": "generate {writer} --device cpu --max-length 20 --seed 1",
    "bench": "bench {run} --data {pairs} --threads 1 --seconds 0.01",
    "export": "export {run} --data {pairs} -o {out}.json",
    "cross": f"cross {{pairs}} --folds 2 --out {{out}} {FEW}",
    "compare": f"compare plain attention --data {{pairs}} --dev {{pairs}} --out {{out}} {FEW}",
    "tune": f"tune {{pairs}} --dev {{pairs}} --trials 1 --out {{out}} {FEW}",
    "distill": f"distill {{run}} --data {{pairs}} --dev {{pairs}} --beam 1 --out {{out}} {FEW}",
    "prepare": "prepare {pairs} --dev {pairs} --workers 1 --out {out}",
    "a file that is missing": "predict {run} --input {out}",
    "a model that is missing": "serve {out}",
    "a run that is missing": "predict {out} a",
    "a recipe that is missing": "train {out}.toml",
    "an option": "train {pairs} --{hostile}",
    "a setting": "train {pairs} --set {hostile}=1",
    "the value of a setting": "train {pairs} --set training.rate={hostile}",
    "a command": "{hostile}",
    "a column": "evaluate {run} {pairs} --by {hostile}",
    "a metric": "evaluate {run} {pairs} --metrics {hostile}",
}
QUIET = ("score", "bench")
"""What prints nothing of the data."""


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_hostile_reaches_a_terminal(name: str, on_a_terminal: Shown, hostile: Path, tmp_path: Path) -> None:
    places = {"run": "run", "pairs": "pairs.tsv", "labeled": "labeled.tsv", "writer": "writer"}
    known = {key: hostile / file for key, file in places.items()}
    words = [word.format(**known, out=tmp_path / HOSTILE, hostile=HOSTILE) for word in COMMANDS[name].split()]
    code, seen = on_a_terminal(*words)
    assert code in (0, 2), seen
    assert not set("\x1b\x9b\u202e\x07") & set(seen), ascii(seen)
    assert SHOWN.search(seen) or name in QUIET, seen
    assert "Traceback" not in seen


def test_a_pipe_gets_the_answers_as_they_are(
    hostile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = seq2see.load(hostile / "run")
    monkeypatch.setattr(sys, "argv", ["seq2see", "predict", str(hostile / "run"), "aaa"])
    with pytest.raises(SystemExit):
        cli.main()
    answer = capsys.readouterr().out
    assert answer == model.predict(["aaa"])[0].text + "\n"
    assert "\x1b" in answer


@pytest.mark.parametrize("what", ["tensor", "option"])
def test_names_in_a_hostile_model_are_printable(what: str, on_a_terminal: Shown, hostile: Path, tmp_path: Path) -> None:
    saved = load_model(hostile / "run")
    config = dict(saved.config)
    tensors = dict(saved.tensors)
    if what == "tensor":
        tensors[f"encoder.{HOSTILE}"] = np.zeros(1, np.float32)
    else:
        config["model"] = config["model"] | {HOSTILE: 1}
    save_model(
        tmp_path / "model",
        config=config,
        tensors=tensors,
        source_codec=saved.source_codec,
        target_codec=saved.target_codec,
        card="",
    )
    code, seen = on_a_terminal("predict", tmp_path / "model", "a")
    assert code == 2
    assert not set("\x1b\x9b\u202e") & set(seen)
