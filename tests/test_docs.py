"""scripts/docs fails for what must not be in the documentation."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_a_broken_link_and_a_public_name_without_an_entry_fail_the_build(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", source)
    page = "# A page\n\n[broken](nowhere.md)\n\n```{eval-rst}\n.. autofunction:: seq2see.train\n```\n"
    (source / "index.md").write_text(page)
    command = [sys.executable, ROOT / "scripts" / "docs", source, tmp_path / "site"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "nowhere.md" in ran.stderr
    missing = ran.stderr.partition("public names without an entry")[2]
    assert "seq2see.load," in missing
    assert "seq2see.train," not in missing


def test_the_page_of_settings_is_that_of_the_code() -> None:
    """After a change of options: scripts/make_settings."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page.count("| `training.") > 20
    renewed = runpy.run_path(str(ROOT / "scripts" / "make_settings"))["renewed"]
    assert renewed(page) == page
    assert renewed(page.replace("| `training.rate` |", "| `training.speed` |")) == page
