"""Pages to read in a browser: one HTML file each, with all that is in it, that asks nothing of any network."""

from __future__ import annotations

from seq2see.pages.advice import Advice, Evidence, advise
from seq2see.pages.gathered import Gathered, gather
from seq2see.pages.report import report_page, write_report

__all__ = ["Advice", "Evidence", "Gathered", "advise", "gather", "report_page", "write_report"]
