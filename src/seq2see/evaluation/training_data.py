"""The texts a run was trained on, read from the files that its config.toml names."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import NamedTuple

from seq2see.config import Config, make_config, read_toml
from seq2see.corpus.corpus import is_corpus
from seq2see.data import Pair, read_pairs
from seq2see.errors import UserError
from seq2see.run.folder import CONFIG, MODEL


class TrainingTexts(NamedTuple):
    """The texts a run was trained on, or the reason why they are unavailable."""

    texts: frozenset[str] | None
    """Sources (for a language model the texts themselves) in NFC."""
    why_not: str


def config_of(run: Path) -> Config | None:
    """The configuration of a run folder, or of the run that a model/ folder belongs to; None if it can't be read."""
    for folder in (run, run.absolute().parent) if run.name == MODEL else (run,):
        try:
            return make_config(read_toml(folder / CONFIG), {})
        except UserError:
            continue
    return None


def training_texts(config: Config | None, *, has_source: bool) -> TrainingTexts:
    """The contents of the run's training files, including the part set aside as dev."""
    if config is None or not config.data.train:
        return TrainingTexts(None, "the run doesn't say what it was trained on")
    paths = [Path(name) for name in config.data.train]
    if any(map(is_corpus, paths)):
        return TrainingTexts(None, "the run was trained on a prepared corpus, which holds token ids and no texts")
    try:
        found = read_pairs(paths, columns="pairs" if has_source else "target", skip_bad=config.data.skip_bad)
    except UserError as error:
        return TrainingTexts(None, f"{error.where or paths[0]}: {error.what.splitlines()[0]}")
    return TrainingTexts(frozenset(key_of(pair) for pair in found.pairs), "")


def key_of(pair: Pair) -> str:
    """What identifies a pair as known: its source, or its text if it has no source; in NFC."""
    return unicodedata.normalize("NFC", pair.source or pair.target or "")
