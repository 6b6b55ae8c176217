"""Pages to read in a browser: one HTML file each, with all that is in it, that asks nothing of any network."""

from __future__ import annotations

from peeky.pages.advice import Advice, Evidence, advise
from peeky.pages.gathered import Gathered, gather
from peeky.pages.report import report_page, write_report

__all__ = ["Advice", "Evidence", "Gathered", "advise", "gather", "report_page", "write_report"]
