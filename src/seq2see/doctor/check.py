"""The check of files of pairs, from their names to a report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2see.data.reading import collector_at_rest
from seq2see.doctor import comparisons, symbols
from seq2see.doctor.drafts import Draft, finish
from seq2see.doctor.gather import Gathered
from seq2see.doctor.report import Report, SetSizes
from seq2see.doctor.rows import PairSource, pair_sources

MODEL = "bidirectional"
"""What seq2see train takes where nothing is said; written here since the table of models needs torch."""


def check(paths: Path | str | Sequence[Path | str], test: Sequence[Path | str] = ()) -> Report:
    """Look through files of pairs for everything that prevents or harms training.

    Two files without the ending of a file of pairs (.tsv, .jsonl) are parallel, as in training; otherwise the first
    file is the training set and each other one a set of its own, as those of `test` are. Nothing is changed. Raises
    DataError for a file that isn't there.
    """
    given = [paths] if isinstance(paths, Path | str) else paths
    files = pair_sources([Path(path) for path in given])
    if test:
        files += pair_sources([Path(path) for path in test])
    return examine(files)


@collector_at_rest()
def examine(files: Sequence[PairSource]) -> Report:
    """The report on these sets, of which the first is trained on."""
    sets = [Gathered(each) for each in files]
    train = sets[0]
    train_sizes = train.source.sizes(), train.target.sizes()
    units = train_sizes[0].unit, train_sizes[1].unit
    drafts: list[Draft] = []
    for number, each in enumerate(sets):
        drafts += symbols.faults(each)
        if not len(each):
            if not {"damaged", "empty"} & set(each.faults.counts):
                drafts.append(Draft("nothing-usable", each, 1))
            continue
        if number == 0 and len(np.unique(each.source.hashes)) < 2:
            drafts.append(Draft("one-source", each, 1))
        drafts += comparisons.repeated(each)
        drafts += comparisons.copies(each)
        drafts += comparisons.out_of_proportion(each)
        drafts += symbols.kinds_of_signs(each)
        drafts += symbols.mixed_scripts(each)
        for earlier in sets[:number]:
            drafts += comparisons.leaked(earlier, each)
        if number == 0:
            drafts += symbols.rare(each, units)
        elif len(train):
            drafts += symbols.unseen(train, each, units)
    sizes = [
        SetSizes(
            files=each.name,
            pairs=len(each),
            unusable=each.faults.unusable,
            source=train_sizes[0] if each is train else each.source.sizes(),
            target=train_sizes[1] if each is train else each.target.sizes(),
            shared=None if each is train else comparisons.shared(train, each),
        )
        for each in sets
    ]
    suggestion = _suggest(train, sizes[0]) if len(train) else ()
    return Report(tuple(finish(drafts)), tuple(sizes), suggestion)


def _suggest(train: Gathered, sizes: SetSizes) -> tuple[str, ...]:
    """What seq2see train chooses for these pairs where nothing is said."""
    return (
        f"source: {sizes.source.unit} ({sizes.source.reason})",
        f"target: {sizes.target.unit} ({sizes.target.reason})",
        f"model: {MODEL}",
        f"train it: seq2see train {shlex.join(map(str, train.files.paths))}",
    )
