"""The doctor: what is wrong with files of pairs, said before training, and a clean copy of them. Needs no torch."""

from peeky.doctor.check import check
from peeky.doctor.cleaning import Cleaned, clean
from peeky.doctor.report import Example, Finding, Report, SetSizes, Severity, SideSizes
from peeky.doctor.show import print_cleaned, print_report

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
