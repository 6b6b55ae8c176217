"""Checks files of pairs and reports what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2see.data.options import TableOptions, flags_of
from seq2see.data.reading import gc_paused
from seq2see.data.standard_input import STDIN_FILE
from seq2see.doctor import columns, comparisons, symbols
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
    sides_of = [[side.sizes() for side in each.sides] for each in sets]
    units = [sizes.unit for sizes in sides_of[0]]
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
        findings += columns.of_files(each, [sizes.unit for sizes in sides_of[number]])
        findings += columns.tag_orders(each)
        for earlier in sets[:number]:
            findings += comparisons.leaked(earlier, each)
        if number == 0:
            findings += columns.constant(each)
            findings += symbols.rare(each, units)
        elif len(each.sides) != len(train.sides):
            detail = f"{len(each.sides) - 1}, and {len(train.sides) - 1} in {train.name}"
            findings.append(RawFinding("source-columns", each, len(each.sides) - 1, detail))
        elif len(train):
            findings += columns.swapped(train, each)
            findings += columns.one_sided_case(train, each, units)
            findings += columns.tag_orders_against(train, each)
            findings += symbols.unseen(train, each, units)
    sizes = [
        SetSizes(
            files=each.name,
            pairs=len(each),
            unusable=each.faults.unusable,
            source=each.source.sizes() if each.fields else own[0],
            target=own[-1],
            fields=tuple(own[:-1]) if each.fields else (),
            seen=() if each is train else columns.seen_values(train, each),
            shared=None if each is train else comparisons.shared(train, each),
            format=each.files.describe(),
        )
        for each, own in zip(sets, sides_of, strict=True)
    ]
    suggestion = _suggest(train, sizes[0]) if len(train) else ()
    return DataReport(tuple(complete(findings)), tuple(sizes), suggestion)


def _suggest(train: PairStatistics, sizes: SetSizes) -> tuple[str, ...]:
    """What seq2see train chooses for these pairs by default."""
    names = ["pairs.tsv" if path == STDIN_FILE else quoted(path) for path in train.files.paths]  # once it is saved
    return (
        *(f"{side.name}: {side.unit} ({side.reason})" for side in (*(sizes.fields or [sizes.source]), sizes.target)),
        f"model: {MODEL}; for many translations transformer, and for targets written along their sources transducer",
        f"command: seq2see train {' '.join([*names, *flags_of(train.files.table)])}",
    )
