"""Checks files of pairs and reports what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2see.config import Config
from seq2see.data.advice import quoted_path
from seq2see.data.options import TableOptions, flags_of
from seq2see.data.reading import gc_paused, no_lines
from seq2see.doctor import columns, comparisons, symbols, unrelated
from seq2see.doctor.pair_statistics import PairStatistics
from seq2see.doctor.raw_findings import RawFinding, complete
from seq2see.doctor.remedies import as_saved
from seq2see.doctor.report import DataReport, SetSizes, SideSizes
from seq2see.doctor.rows import PairSource, pair_sources
from seq2see.errors import ConfigError
from seq2see.printable import quoted

MODEL = "bidirectional"
"""The default model of seq2see train, repeated here since the table of models needs torch."""


class Recipe(NamedTuple):
    """A recipe that pairs are checked for: its name or file, and what it sets."""

    name: str
    """Of a recipe that comes with Seq2See, or of its file."""
    config: Config
    """What it sets."""


def check(
    paths: Path | str | Sequence[Path | str],
    test: Sequence[Path | str] = (),
    *,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    recipe: Recipe | None = None,
) -> DataReport:
    """Check files of pairs for everything that prevents or harms training.

    Two files without the extension of a file of pairs (.tsv, .csv, .jsonl, …) are parallel, as in training; otherwise
    the first file is the training set, and each other file is a held-out set, like those of `test`. `table` says what
    is not to be found out from the files, which are not changed, and for the rest the `recipe` that they are for.
    Raises DataError for a missing file or column, ConfigError for a recipe of other columns.
    """
    given = [paths] if isinstance(paths, Path | str) else paths
    merged = table if recipe is None else table.over(recipe.config.data)
    files = pair_sources([Path(path) for path in given], merged)
    if test:
        files += pair_sources([Path(path) for path in test], merged)
    return examine(files, flags_of(table), recipe)


@gc_paused()
def examine(files: Sequence[PairSource], flags: Sequence[str] = (), recipe: Recipe | None = None) -> DataReport:
    """The report on these sets; the first is the training set. `flags` are those of the command."""
    sets = [PairStatistics(each) for each in files]
    train = sets[0]
    sides_of = [[side.sizes() for side in each.sides] for each in sets]
    if recipe is not None and len(train):
        # A held-out set of other columns is a finding.
        same = len(train.sides)
        sides_of = [with_units_of(recipe, sides) if len(sides) == same else sides for sides in sides_of]
    units = [sizes.unit for sizes in sides_of[0]]
    findings: list[RawFinding] = []
    for number, each in enumerate(sets):
        findings += symbols.faults(each)
        if not len(each):
            if (
                not {"damaged", "empty", "not-text", "choice", "parallel-tables"} & set(each.faults.counts)
                and not each.advice
            ):
                findings.append(_without_lines(each))
            continue
        if number == 0 and len(np.unique(each.source.hashes)) < 2:
            findings.append(RawFinding("one-source", each, 1))
        findings += unrelated.unrelated_sides(each)
        findings += comparisons.repeated(each)
        findings += comparisons.copies(each)
        findings += comparisons.out_of_proportion(each)
        findings += symbols.inconsistent_variants(each)
        findings += symbols.look_alikes(each)
        findings += symbols.mixed_scripts(each)
        findings += columns.of_files(each, [sizes.unit for sizes in sides_of[number]])
        findings += columns.series_as_text(each, [sizes.unit for sizes in sides_of[number]])
        findings += columns.unreadable(each, [sizes.unit for sizes in sides_of[number]])
        findings += columns.tag_orders(each)
        for earlier in sets[:number]:
            findings += comparisons.leaked(earlier, each)
        if number == 0:
            findings += columns.merged_cells(each)
            findings += columns.constant(each)
            findings += symbols.unspaced(each, units)
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
    suggestion = _suggest(train, sizes[0], flags, recipe) if len(train) else ()
    return DataReport(tuple(complete(findings)), tuple(sizes), suggestion)


def _without_lines(statistics: PairStatistics) -> RawFinding:
    """The finding of files without a valid line, in the words of training where they have no line at all."""
    if statistics.faults.unusable or statistics.faults.of_whole_files():
        remedy = next(iter(statistics.faults.if_all.values()), "correct the lines")
        return RawFinding("nothing-usable", statistics, 1, remedy=remedy)
    error = no_lines(statistics.files.paths[0], statistics.files.format)
    return RawFinding("nothing-usable", statistics, 1, error.what, remedy=error.fix)


def with_units_of(recipe: Recipe, sides: Sequence[SideSizes]) -> list[SideSizes]:
    """The sizes of all sides, with the units of the recipe where it has any. ConfigError for other source columns."""
    text, num_columns = recipe.config.text, len(sides) - 1
    units = text.source if isinstance(text.source, tuple) else (text.source,) * num_columns
    if len(units) != num_columns:
        what = f"has units for {len(units)} source columns, found {num_columns}"
        fix = "choose the columns, such as --source 1,2, or another recipe"
        raise ConfigError(what, where=f"--recipe {recipe.name}", fix=fix)
    is_one_text = num_columns > 1 and not isinstance(text.source, tuple)
    reason = "text.source, one unit, reads the source columns as one text" if is_one_text else "text.source"
    given = zip(sides, (*units, text.target), (*[reason] * num_columns, "text.target"), strict=True)
    return [side if unit is None else replace(side, unit=unit, reason=key) for side, unit, key in given]


def _suggest(train: PairStatistics, sizes: SetSizes, flags: Sequence[str], recipe: Recipe | None) -> tuple[str, ...]:
    """What seq2see train chooses for these pairs by default, or with the recipe."""
    model = (
        f"{MODEL}, unless train finds many translations (transformer), or targets written along sources (transducer)"
    )
    if recipe is not None:
        flags = ["--recipe", quoted(recipe.name), *flags]
        model = recipe.config.model.name or model
    names = [quoted_path(str(path)) for path in as_saved(train.files.paths)]
    return (
        *(f"{side.name}: {side.unit} ({side.reason})" for side in (*(sizes.fields or [sizes.source]), sizes.target)),
        f"model: {model}",
        f"command: seq2see train {' '.join([*names, *flags])}",
    )
