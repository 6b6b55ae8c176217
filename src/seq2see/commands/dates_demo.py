"""`seq2see demo`: a model trained from scratch, its answer, and a picture of its attention."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

from rich.text import Text

from seq2see.config import make_config, option
from seq2see.console import Terminal
from seq2see.data import dates
from seq2see.evaluation import EvaluationOptions, evaluate
from seq2see.pictures import heat_lines, save_heat_map
from seq2see.run.folder import is_run, stored_config
from seq2see.run.progress import percent
from seq2see.run.train import train
from seq2see.training import INTERRUPTED

NUM_DATES = 20_700
NUM_DEV = 200
NUM_TEST = 500
QUESTION = "tuesday, september 27, 1994"
SETTINGS = {
    "model.dropout": 0.1,
    "training.max_updates": 400,
    "training.evaluate_every": 30,
    "training.rate": 3e-3,
}
"""Evaluated often, since training ends when dev was answered without a mistake three times in a row."""


def is_demo(folder: Path) -> bool:
    """Whether the folder holds an earlier demo, and not a run on somebody's own pairs."""
    if not is_run(folder):
        return False
    config = stored_config(folder)
    return not config.data.train and all(option(config, key) == value for key, value in SETTINGS.items())


def run_demo(out: Path, device: str, *, force: bool) -> bool:
    """Train on generated dates, test on others, answer one and show its attention; False if interrupted."""
    began = time.perf_counter()
    console = Terminal()
    made = [pair for pair in dates(NUM_DATES, seed=1) if pair.source != QUESTION]
    dev, test, known = made[:NUM_DEV], made[NUM_DEV : NUM_DEV + NUM_TEST], made[NUM_DEV + NUM_TEST :]
    console.print(f"Dates in {len(known):,} spellings, to be written as ISO 8601:", style="bold")
    for pair in known[:3]:
        console.print(Text(f"    {pair.source} → {pair.target}"))
    made_at = time.perf_counter()
    trained = train(
        make_config({}, SETTINGS), out, pairs=known, dev_pairs=dev, device=device, force=force, console=console
    )
    if trained.finished.reason == INTERRUPTED:
        return False
    trained_at = time.perf_counter()
    model = trained.load(device)
    report = evaluate(model, test, EvaluationOptions(metrics=("exact_match",)))
    console.print(f"\nOn {len(test)} new dates: {percent(report.exact_match or 0)} exact match.", style="bold")
    prediction = model.predict([QUESTION])[0]
    console.print(Text(f"    {QUESTION} → {prediction.text}\n"))
    answered_at = time.perf_counter()
    console.print("Attention (one row per generated character, one column per source character):", style="bold")
    for line in heat_lines(prediction):
        console.print(line, soft_wrap=True)
    if find_spec("matplotlib"):
        save_heat_map(prediction, out / "attention.png")
        console.print(f"\nAs a picture: {out / 'attention.png'}")
    console.print(Text(f'Ask it yourself: seq2see predict {out} "may 3, 2007"'))
    phases = {
        "making dates": made_at - began,
        "training": trained_at - made_at,
        "testing and answering": answered_at - trained_at,
        "the picture": time.perf_counter() - answered_at,
    }
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items())
    console.print(f"Where the time went: {spent}.", style="dim")
    return True
