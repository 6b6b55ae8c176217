"""The doctor: what is wrong with files of pairs, said before training, and a clean copy of them. Needs no torch."""

from seq2see.doctor.check import check
from seq2see.doctor.cleaning import Cleaned, clean
from seq2see.doctor.report import Example, Finding, Report, SetSizes, Severity, SideSizes
from seq2see.doctor.show import print_cleaned, print_report

__all__ = [
    "Cleaned",
    "Example",
    "Finding",
    "Report",
    "SetSizes",
    "Severity",
    "SideSizes",
    "check",
    "clean",
    "print_cleaned",
    "print_report",
]
