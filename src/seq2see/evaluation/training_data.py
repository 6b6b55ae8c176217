"""What a run was trained on, as far as its config.toml says and the files are still there."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import NamedTuple

from seq2see.config import Config, make_config, read_toml
from seq2see.corpus.corpus import is_corpus
from seq2see.data import Pair, read_pairs
from seq2see.errors import UserError
from seq2see.run.folder import CONFIG, MODEL


class Known(NamedTuple):
    """The texts that a run was trained on, or why they can't be told."""

    texts: frozenset[str] | None
    """Sources, of a language model the texts themselves, in NFC."""
    why_not: str


def config_of(run: Path) -> Config | None:
    """The configuration of a run folder or of the run around a model/ folder; None where there is none to be read."""
    for folder in (run, run.absolute().parent) if run.name == MODEL else (run,):
        try:
            return make_config(read_toml(folder / CONFIG), {})
        except UserError:
            continue
    return None


def known_texts(config: Config | None, *, has_source: bool) -> Known:
    """What stands in the run's training files, the part set aside as dev included."""
    if config is None or not config.data.train:
        return Known(None, "the run doesn't say what it was trained on")
    paths = [Path(name) for name in config.data.train]
    if any(map(is_corpus, paths)):
        return Known(None, "the run was trained on a prepared corpus, which holds ids and no texts")
    try:
        found = read_pairs(paths, columns="pairs" if has_source else "target", skip_bad=config.data.skip_bad)
    except UserError as error:
        return Known(None, f"{error.where or paths[0]}: {error.what.splitlines()[0]}")
    return Known(frozenset(key_of(pair) for pair in found.pairs), "")


def key_of(pair: Pair) -> str:
    """What of a pair counts as known: its source, or the text itself where there is none."""
    return unicodedata.normalize("NFC", pair.source or pair.target or "")
