"""Checks files of pairs and reports what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2see.data.options import TableOptions, flags_of
from seq2see.data.reading import gc_paused
from seq2see.doctor import comparisons, symbols
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding, complete
from seq2see.doctor.report import DataReport, SetSizes
from seq2see.doctor.rows import PairSource, pair_sources
from seq2see.printable import quoted

MODEL = "bidirectional"
"""The default model of seq2see train, repeated here since the table of models needs torch."""


def check(
    paths: Path | str | Sequence[Path | str],
    test: Sequence[Path | str] = (),
    *,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> DataReport:
    """Check files of pairs for everything that prevents or harms training.

    Two files without the extension of a file of pairs (.tsv, .csv, .jsonl, …) are parallel, as in training; otherwise
    the first file is the training set, and each other file is a held-out set, like those of `test`. `table` says what
    is not to be found out from the files, which are not changed. Raises DataError for a missing file or column.
    """
    given = [paths] if isinstance(paths, Path | str) else paths
    files = pair_sources([Path(path) for path in given], table)
    if test:
        files += pair_sources([Path(path) for path in test], table)
    return examine(files)


@gc_paused()
def examine(files: Sequence[PairSource]) -> DataReport:
    """The report on these sets; the first is the training set."""
    sets = [PairStatistics(each) for each in files]
    train = sets[0]
    train_sizes = train.source.sizes(), train.target.sizes()
    units = train_sizes[0].unit, train_sizes[1].unit
    findings: list[RawFinding] = []
    for number, each in enumerate(sets):
        findings += symbols.faults(each)
        if not len(each):
            if not {"damaged", "empty", "not-text", "choice"} & set(each.faults.counts) and not each.advice:
                findings.append(RawFinding("nothing-usable", each, 1))
            continue
        if number == 0 and len(np.unique(each.source.hashes)) < 2:
            findings.append(RawFinding("one-source", each, 1))
        findings += comparisons.repeated(each)
        findings += comparisons.copies(each)
        findings += comparisons.out_of_proportion(each)
        findings += symbols.inconsistent_variants(each)
        findings += symbols.mixed_scripts(each)
        for earlier in sets[:number]:
            findings += comparisons.leaked(earlier, each)
        if number == 0:
            findings += symbols.rare(each, units)
        elif len(train):
            findings += symbols.unseen(train, each, units)
    sizes = [
        SetSizes(
            files=each.name,
            pairs=len(each),
            unusable=each.faults.unusable,
            source=train_sizes[0] if each is train else each.source.sizes(),
            target=train_sizes[1] if each is train else each.target.sizes(),
            shared=None if each is train else comparisons.shared(train, each),
            format=each.files.describe(),
        )
        for each in sets
    ]
    suggestion = _suggest(train, sizes[0]) if len(train) else ()
    return DataReport(tuple(complete(findings)), tuple(sizes), suggestion)


def _suggest(train: PairStatistics, sizes: SetSizes) -> tuple[str, ...]:
    """What seq2see train chooses for these pairs by default."""
    return (
        f"source: {sizes.source.unit} ({sizes.source.reason})",
        f"target: {sizes.target.unit} ({sizes.target.reason})",
        f"model: {MODEL}",
        f"command: seq2see train {' '.join([*map(quoted, train.files.paths), *flags_of(train.files.table)])}",
    )
