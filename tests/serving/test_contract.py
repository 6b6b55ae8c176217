"""The service keeps to its OpenAPI document: schemathesis asks what the document allows, and what it does not.

The number of examples per operation is small here; benchmarks in docs/serving.md run 500.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from tests.serving.conftest import Running, require_extra, running

require_extra()
pytest.importorskip("schemathesis", reason='needs pip install "seq2see[contract]"')

CONFIG = Path(__file__).with_name("schemathesis.toml")


def check(service: Running, *options: str) -> None:
    url = f"http://127.0.0.1:{service.port}/openapi.json"
    program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    how = ["--config-file", str(CONFIG), "run", url, "--no-color", "--max-examples=10", "--generation-deterministic"]
    command = [sys.executable, "-c", program, *how, *options]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout[-3000:]
    assert "7 passed" in found.stdout, "all operations are tried"


def test_the_service_keeps_to_its_document(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}) as service:
        check(service)


def test_the_service_keeps_to_its_document_with_keys(tiny_run: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{sha256(b'secret').hexdigest()}\n")
    with running({"tiny": tiny_run}, api_key_file=keys) as service:
        check(service, "-H", "Authorization: Bearer secret", "--phases=coverage")
