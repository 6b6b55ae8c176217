"""Runs from consecutive seeds, which answer together: `seq2see train --seeds`.

OUT/seed-1/, OUT/seed-2/, …    runs on the same training and dev pairs, so with the same vocabularies
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from seq2see.config import Config
from seq2see.console import Terminal, say_to
from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.inference.loading import MEMBER, members_of
from seq2see.run.first_look import read_request
from seq2see.run.folder import has_finished, is_run, require_free, stored_config, with_given_options
from seq2see.run.pairs import RunData, split_seed_of
from seq2see.run.train import train
from seq2see.storage.locks import locked
from seq2see.training import INTERRUPTED, num_processes


def of_seed(config: Config, folder: Path, seed: int) -> tuple[Config, Path]:
    """The configuration of the run of this seed, whose dev pairs are those of the first, and its folder."""
    data = replace(config.data, split_seed=split_seed_of(config))
    return replace(config, data=data, training=replace(config.training, seed=seed)), folder / MEMBER.format(seed)


def config_before(config: Config, folder: Path, given: Collection[str]) -> Config:
    """The configuration of the first run in the folder, if there is one, with those options that are given now."""
    first = next((place for place in members_of(folder) if is_run(place)), None)
    return config if first is None else with_given_options(stored_config(first), config, given)


def train_seeds(
    config: Config,
    folder: Path,
    number: int,
    *,
    given: Collection[str] = (),
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
    data: RunData | None = None,
    resume: bool = False,
    auto_resume: bool = False,
    force: bool = False,
    console: Console | None = None,
    **options: Any,
) -> list[Path] | None:
    """Train the configured model from `number` seeds, from `training.seed` on; the run folders, or None if interrupted.

    With `resume` or `auto_resume`, finished runs are kept and the others resumed or started, with the options of the
    first. The other options are those of `train`. ConfigError if a run exists already, before the first is trained.
    """
    if num_processes() > 1:
        fix = "start it without torchrun, or train each with --set training.seed=…"
        raise ConfigError(f"trains in one process, not {num_processes()}", where="--seeds", fix=fix)
    console = console or Terminal(stderr=True)
    say = say_to(console)
    is_resumed = resume or auto_resume
    if is_resumed:
        config = config_before(config, folder, given)
    first = config.training.seed
    runs = [of_seed(config, folder, seed) for seed in range(first, first + number)]
    if is_run(folder):
        what = "is itself a run, and with --seeds it becomes a folder of several"
        raise ConfigError(what, where=str(folder), fix="choose another folder (--out, out=…)")
    if not is_resumed and data is None and not config.training.start_from:
        data = read_request(*runs[0], pairs, dev_pairs, force=force)
    for _, place in runs:
        if not is_resumed:
            require_free(place, force=force)
        if force and is_run(place):
            with locked(place, say, max_wait=0):  # before the first of them is replaced
                pass
    for count, (own, place) in enumerate(runs, start=1):
        # The last one may have been interrupted while its length penalty was chosen, which is then done again.
        is_last = count == number or not is_run(runs[count][1])
        is_chosen = not (is_last and is_run(place) and stored_config(place).training.choose_length_penalty)
        if is_resumed and is_run(place) and has_finished(place) and is_chosen:
            say(f"{count}/{number} {place}: already finished")
            continue
        say(f"{count}/{number} {place}")
        trained = train(
            own,
            place,
            given={*given, "training.seed"},
            pairs=pairs,
            dev_pairs=dev_pairs,
            data=data,
            auto_resume=is_resumed,
            force=force,
            console=console,
            **options,
        )
        if trained.finished.reason == INTERRUPTED:
            return None
    return [place for _, place in runs]
