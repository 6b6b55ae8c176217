"""The format of files whose lines are invalid."""

from __future__ import annotations

from seq2see.data.advice import Advice
from seq2see.data.diagnosis import diagnosis_of_file
from seq2see.data.lines import Fault
from seq2see.data.table import TableFormat
from seq2see.doctor.rows import Faults, PairSource

_FAULTS_OF_FILES: tuple[Fault, ...] = ("encoding", "quoted-line-breaks", "columns", "json")
"""Faults of lines that may be those of the whole file."""


def diagnosed(files: PairSource, faults: Faults) -> dict[str, Advice]:
    """The advice for a whole file, by the fault of its lines; none if only single lines are invalid."""
    found: dict[str, Advice] = {}
    for fault in _FAULTS_OF_FILES:
        if fault not in faults.examples or fault in faults.commands:
            continue
        if fault == "columns" and isinstance(files.format, TableFormat) and not files.format.is_two_columns:
            continue
        origin = faults.examples[fault][0].origin
        path = next((path for path in files.paths if origin.startswith(f"{path}:")), None)
        if path is not None and (advice := diagnosis_of_file(path, "pairs", [fault])):
            found[fault] = advice
    return found
