"""A virtual environment per peer, with the versions of its requirements file, made once and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
READY = "requirements"
"""The file that is written into an environment last: what was installed."""


def default_folder() -> Path:
    """The user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2see" / "peers"


def environment(name: str, folder: Path) -> Path:
    """The Python of the environment `name`, which is made if it is missing or has other requirements."""
    wanted = (HERE / "requirements" / f"{name}.txt").read_text("utf-8")
    home = folder / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = home / READY
    if python.exists() and ready.exists() and ready.read_text("utf-8") == wanted:
        return python
    print(f"making the environment of {name} in {home}", file=sys.stderr, flush=True)
    quietly([sys.executable, "-m", "venv", "--clear", str(home)])
    for options, lines in installations(wanted):
        quietly([str(python), "-m", "pip", "install", "--quiet", *options, *lines])
    ready.write_text(wanted, "utf-8")
    return python


def installations(wanted: str) -> list[tuple[list[str], list[str]]]:
    """The options of pip and what it installs, first with what it depends on, then without.

    In a requirements file, what comes after the line `# without what they declare` needs less than it declares.
    """
    complete, _, rest = wanted.partition("# without what they declare")
    alone = rest.partition("\n")[2]
    found = []
    for text, options in ((complete, []), (alone, ["--no-deps"])):
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        if lines:
            found.append((options, [part.replace("{root}", str(ROOT)) for line in lines for part in line.split(" ")]))
    return found


def quietly(command: list[str]) -> None:
    """Run a command; SystemExit with what it said if it fails."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr.strip() or ended.stdout.strip() or f"{command[0]}: exit code {ended.returncode}")


def versions(python: Path) -> dict[str, str]:
    """What is installed."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return {each["name"].lower(): each["version"] for each in json.loads(ended.stdout)}
