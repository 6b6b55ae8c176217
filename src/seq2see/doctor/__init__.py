"""The doctor: checks files of pairs before training, and writes clean copies of them. Needs no torch."""

from seq2see.doctor.check import Recipe, check
from seq2see.doctor.cleaning import CleaningResult, clean
from seq2see.doctor.printing import print_cleaned, print_report
from seq2see.doctor.report import DataReport, Example, Finding, SetSizes, Severity, SideSizes

__all__ = [
    "CleaningResult",
    "DataReport",
    "Example",
    "Finding",
    "Recipe",
    "SetSizes",
    "Severity",
    "SideSizes",
    "check",
    "clean",
    "print_cleaned",
    "print_report",
]
