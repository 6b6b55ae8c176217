"""docs/by-hand.md quotes the package: every block of Python in it stands in the source word for word, or runs."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "by-hand.md").read_text(encoding="utf-8")
SOURCES = [
    path.read_text(encoding="utf-8").splitlines() for path in (ROOT / "src" / "seq2see" / "scratch").glob("*.py")
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def is_quoted(block: str) -> bool:
    """Whether some file has these lines one after the other, whatever their common indentation."""
    lines = block.splitlines()
    wanted = textwrap.dedent(block).splitlines()
    return any(
        textwrap.dedent("\n".join(source[start : start + len(lines)])).splitlines() == wanted
        for source in SOURCES
        for start in range(len(source) - len(lines) + 1)
    )


@pytest.mark.parametrize("block", blocks("python"))
def test_every_quotation_stands_in_the_source(block):
    assert is_quoted(block), f"not in src/seq2see/scratch:\n{block}"


def test_a_changed_line_is_no_quotation():
    block = next(block for block in blocks("python") if "+=" in block)
    assert not is_quoted(block.replace("+=", "="))


def test_there_is_something_to_compare():
    assert len(blocks("python")) > 20


@pytest.mark.parametrize("block", blocks("py"))
def test_examples_run(block):
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "ProgressReport(update=20" in done.stdout


def test_every_picture_is_there():
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", PAGE):
        assert (ROOT / "docs" / picture).stat().st_size < 150_000, picture


def test_every_link_leads_somewhere():
    headings = [heading.lower() for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)]
    anchors = {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", PAGE)) <= anchors
