"""Phrases that the field doesn't use are in neither code nor pages (CONTRIBUTING.md has the rule)."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNUSUAL = re.compile(r"so many|so manieth|a row a |where nothing is said|reckon")
ENDINGS = {".py", ".md", ".toml", ".js", ".ts", ".css", ".c", ".h"}


def test_no_unusual_phrase_is_left() -> None:
    paths = [ROOT / "README.md"]
    paths += [path for part in ("src", "docs") for path in (ROOT / part).rglob("*") if path.suffix in ENDINGS]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNUSUAL.search(line)
    ]
    assert not found
