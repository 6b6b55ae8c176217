"""HTML reports: one self-contained file each, which loads nothing from the network."""

from __future__ import annotations

from seq2see.pages.advice import Advice, Evidence, advise
from seq2see.pages.report import report_page, write_report
from seq2see.pages.report_data import ReportData, collect_report_data

__all__ = ["Advice", "Evidence", "ReportData", "advise", "collect_report_data", "report_page", "write_report"]
