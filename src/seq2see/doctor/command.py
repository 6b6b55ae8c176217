"""The command `seq2see check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2see.console import show_json
from seq2see.data.options import TableOptions
from seq2see.doctor.check import Recipe, check
from seq2see.doctor.cleaning import clean
from seq2see.doctor.printing import print_cleaned, print_report
from seq2see.errors import ConfigError


def run_check(
    data: Sequence[Path],
    test: Sequence[Path] | None,
    *,
    as_json: bool,
    fix: bool,
    output: Path | None,
    keep_duplicates: bool,
    table: TableOptions,
    recipe: Recipe | None = None,
) -> int:
    """Check, or write a clean copy with `fix`; returns the exit code, 1 if training would refuse the data.

    Raises ConfigError for conflicting options.
    """
    if test is not None and not test:
        raise ConfigError("needs a file", where="--test", fix="name the file of test pairs, or remove --test")
    if not fix:
        for option, is_given in (("-o", output is not None), ("--keep-duplicates", keep_duplicates)):
            if is_given:
                raise ConfigError("requires --fix", where=option, fix="add --fix, or remove it")
        report = check(data, test or (), table=table, recipe=recipe)
        if as_json:
            show_json(report.as_dict(), ascii_only=True)
        else:
            print_report(report)
        return report.exit_code
    if output is None:
        raise ConfigError("requires -o", where="--fix", fix="name the file to write: --fix -o clean.tsv")
    if test:
        raise ConfigError("can't be combined with --fix", where="--test", fix="clean the test pairs separately")
    table = table if recipe is None else table.over(recipe.config.data)
    cleaned = clean(data, output, keep_duplicates=keep_duplicates, table=table)
    if as_json:
        show_json(cleaned.as_dict(), ascii_only=True)
    else:
        print_cleaned(cleaned)
    return 0
