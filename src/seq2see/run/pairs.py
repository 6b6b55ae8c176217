"""The pairs of a run: those it is trained on, and those it is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2see.config import Config, make_config, read_toml
from seq2see.corpus.corpus import Corpus, CorpusPairs, corpus_of
from seq2see.data import Pair, read_pairs, split_dev
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.errors import ConfigError, UserError
from seq2see.run.folder import CONFIG

LARGE = 1_000_000_000
"""Bytes of text from which on it is said that they can be prepared."""


@dataclass(frozen=True)
class Data:
    """Training and dev pairs, and what there is to say about them."""

    train: Sequence[Pair]
    dev: list[Pair]
    said: list[str]
    corpus: Corpus | None = None
    """Where the training pairs were prepared: `train` then makes its texts of ids."""


def read_data(
    config: Config, pairs: Sequence[Pair] | None, dev_pairs: Sequence[Pair] | None, *, has_source: bool
) -> Data:
    """The pairs given, or those of the configured files; without dev a part of train is set aside."""
    said: list[str] = []
    if pairs is None and (corpus := corpus_of(config.data.train)):
        return data_of(corpus)

    def read(paths: Sequence[str], name: str) -> list[Pair]:
        found = read_pairs(
            [Path(path) for path in paths], columns="pairs" if has_source else "target", skip_bad=config.data.skip_bad
        )
        if found.skipped:
            first = found.problems[0]
            said.append(
                f"{name}: left out {found.skipped:,} lines that can't be used, first {first.origin}: {first.what}"
            )
        if found.num_not_normalised and config.text.normalization != "none":
            said.append(
                f"{name}: {found.num_not_normalised:,} pairs were not in Unicode form NFC; "
                f"all text is brought to {config.text.normalization}"
            )
        return found.pairs

    if pairs is None and not config.data.train:
        raise ConfigError("no training data were given", where="data.train", fix="name a file: seq2see train pairs.tsv")
    train = list(pairs) if pairs is not None else read(config.data.train, "train")
    if dev_pairs is not None or config.data.dev:
        dev = list(dev_pairs) if dev_pairs is not None else read(config.data.dev, "dev")
        said.insert(0, f"data: {len(train):,} pairs to train on, {len(dev):,} dev pairs")
        sources = {pair.source or pair.target for pair in train}
        shared = sum((pair.source or pair.target) in sources for pair in dev)
        if shared:
            said.append(f"note: {shared:,} of the {len(dev):,} dev pairs have a source that is also in train")
    else:
        total = len(train)
        train, dev = split_dev(train, seed=config.training.seed, share=config.data.dev_share, max_pairs=DEV_PAIRS)
        kind = "sources" if has_source else "lines"
        said.insert(
            0,
            f"data: {total:,} pairs, of which {len(dev):,} are set aside as dev "
            f"(by distinct {kind}, seed {config.training.seed})",
        )
    return Data(train, dev, [*said, *(size_said(config.data.train) if pairs is None else ())])


def data_of(corpus: Corpus) -> Data:
    """The pairs of a prepared corpus."""
    facts = corpus.facts
    said = [f"data: {facts['pairs']:,} pairs to train on, {len(corpus.dev):,} dev pairs, prepared in {corpus.folder}"]
    if facts["skipped"]:
        said.append(f"train: {facts['skipped']:,} lines that can't be used were left out")
    return Data(CorpusPairs(corpus), corpus.dev, said, corpus)


def size_said(paths: Sequence[str]) -> list[str]:
    """Where files are large, that they need not be held in memory."""
    size = sum(Path(path).stat().st_size for path in paths)
    if size < LARGE:
        return []
    return [
        f"note: {size / 1e9:.1f} GB of text are held in memory as a whole; "
        "seq2see prepare makes a corpus of them that isn't, and that starts at once"
    ]


def read_run_data(run: Path, *, has_source: bool, fix: str) -> Data:
    """The pairs that the run in this folder was trained and evaluated on, read again.

    Raises ConfigError, with this `fix`, if its files can't be read.
    """
    path = run / CONFIG
    try:
        return read_data(make_config(read_toml(path), {}, where=str(path)), None, None, has_source=has_source)
    except UserError as error:
        raise ConfigError(f"the data of the run can't be read: {error.what}", where=error.where, fix=fix) from None


def dev_sample(data: Data) -> Sequence[Pair]:
    """The dev pairs that training evaluates on: at most DEV_PAIRS, evenly spread."""
    return sample_evenly(data.dev, DEV_PAIRS)
