"""What `seq2see check` does with its options."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from seq2see.doctor.check import check
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
) -> int:
    """Check, or with `fix` write a clean copy; the exit code: 1 where training refuses the data.

    Raises ConfigError for options that don't go together.
    """
    if test is not None and not test:
        raise ConfigError("no file follows it", where="--test", fix="name the file of test pairs, or leave --test out")
    if not fix:
        for option, is_given in (("-o", output is not None), ("--keep-duplicates", keep_duplicates)):
            if is_given:
                raise ConfigError("this goes with --fix alone", where=option, fix="add --fix, or leave it out")
        report = check(data, test or ())
        if as_json:
            print(json.dumps(report.as_dict()))
        else:
            print_report(report)
        return report.exit_code
    if output is None:
        raise ConfigError("where does the clean copy go?", where="--fix", fix="name a file: --fix -o clean.tsv")
    if test:
        raise ConfigError("a clean copy is made of one set", where="--test", fix="mend the test pairs by themselves")
    cleaned = clean(data, output, keep_duplicates=keep_duplicates)
    if as_json:
        print(json.dumps(cleaned.as_dict()))
    else:
        print_cleaned(cleaned)
    return 0
