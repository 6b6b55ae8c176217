"""Whether two versions of the library calculate the same: a line for each architecture, to be compared with `diff`.

    python benchmarks/same_numbers.py > after.txt
    /path/to/other/venv/bin/python benchmarks/same_numbers.py --module seq2see > before.txt
    diff before.txt after.txt

Each architecture is trained for 50 updates on the dates in `examples/` (seed 1, float32, one thread) and then answers
200 other dates with a beam of 3, on each engine. A line holds the SHA-256 of the training and dev losses of all
updates, written in full, and of the answers with their log-probabilities and attention weights. Only the command is
used, so that the inside may have been rebuilt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAIRS = Path(__file__).parent.parent / "examples" / "dates.tsv"
LANGUAGE_MODELS = ("language_model", "transformer_language_model")
WITHOUT_ATTENTION = ("plain", "reverse", "peeky", *LANGUAGE_MODELS)
ARCHITECTURES = (
    "plain", "reverse", "peeky", "attention", "bidirectional", "stacked", "residual", "gnmt", "input_feeding",
    "transformer", "transformer_lstm", "lstm_transformer", *LANGUAGE_MODELS,
)  # fmt: skip
TRAIN, DEV, ASKED = slice(0, 2000), slice(2000, 2020), slice(3000, 3200)
SETTINGS = (
    "training.max_updates=50", "training.evaluate_every=1", "training.precision=float32", "training.metric=loss",
    "model.width=64",
)  # fmt: skip


def lines_of(rows: list[str], *, has_source: bool, target: bool = True) -> str:
    """Pairs as they are; sources alone for questions; targets alone for a language model (five characters to ask)."""
    if has_source:
        return "".join(f"{row if target else row.partition(chr(9))[0]}\n" for row in rows)
    return "".join(f"{row.partition(chr(9))[2][: None if target else 5]}\n" for row in rows)


def run(module: str, *arguments: str) -> str:
    """The output of the command."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def digest(*texts: str) -> str:
    """The first 16 digits of the SHA-256."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def without_news(line: str) -> str:
    """A line of answers without what earlier versions didn't write."""
    found = json.loads(line)
    for answer in found["answers"]:
        answer.pop("token_log_probs", None)
    return json.dumps(found, ensure_ascii=False) + "\n"


def fingerprint(module: str, name: str, trained_by: str, folder: Path) -> str:
    """Train, answer, and give the line."""
    has_source = name not in LANGUAGE_MODELS
    rows = PAIRS.read_text(encoding="utf-8").splitlines()
    files = {"train.tsv": rows[TRAIN], "dev.tsv": rows[DEV], "asked.txt": rows[ASKED]}
    for file, some in files.items():
        (folder / file).write_text(lines_of(some, has_source=has_source, target=file != "asked.txt"), encoding="utf-8")
    out = str(folder / "run")
    run(
        module, "train", str(folder / "train.tsv"), "--dev", str(folder / "dev.tsv"), "--model", name, "--out", out,
        "--force", "--engine", trained_by, "--device", "cpu", "--set",
        *(each for each in SETTINGS if trained_by == "torch" or not each.startswith("training.metric")),
    )  # fmt: skip
    events = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    losses = [repr(event[key]) for event in events for key in ("loss", "dev_loss") if key in event]
    alignments = [] if name in WITHOUT_ATTENTION else ["--alignments", "json"]
    answers = {
        engine: run(
            module, "predict", out, "--input", str(folder / "asked.txt"), "--beam", "3", "--n-best", "2",
            "--format", "jsonl", *alignments, "--engine", engine, "--device", "cpu",
        )
        for engine in ("torch", "numpy")
    }  # fmt: skip
    answers = {engine: "".join(map(without_news, text.splitlines())) for engine, text in answers.items()}
    said = " ".join(f"{engine} {text.count(chr(10))} answers {digest(text)}" for engine, text in answers.items())
    return f"{name:26} {trained_by:8} {len(losses)} losses {digest(*losses)} {said}"


def main() -> None:
    """A line for each architecture and engine of training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="seq2see", help="the package that is run")
    parser.add_argument("--models", nargs="*", default=ARCHITECTURES, help="architectures; all by default")
    chosen = parser.parse_args()
    for name in chosen.models:
        for trained_by in ("torch", "scratch"):
            with tempfile.TemporaryDirectory() as folder:
                print(fingerprint(chosen.module, name, trained_by, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
