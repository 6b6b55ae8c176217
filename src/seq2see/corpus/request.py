"""What was asked for when a corpus was prepared, and whether it is what is asked for now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seq2see.config import Config
from seq2see.corpus.corpus import FORMAT, open_corpus, read_manifest
from seq2see.data.files import read_content
from seq2see.data.lines import Columns
from seq2see.errors import UserError
from seq2see.storage.files import hash_file
from seq2see.text.options import TextOptions


def request_of(config: Config, columns: Columns) -> dict[str, Any]:
    """Everything that determines the content of the corpus, ready for JSON."""

    def listed(paths: Sequence[str]) -> list[dict[str, Any]]:
        for path in paths:
            if not Path(path).is_file():
                read_content(Path(path))  # raises the error to report
        return [{"path": path, "size": Path(path).stat().st_size, "sha256": hash_file(Path(path))} for path in paths]

    request = {
        "format": FORMAT,
        "columns": columns,
        "sources": listed(config.data.train),
        "dev": listed(config.data.dev),
        "text": asdict(config.text),
        "data.dev_share": config.data.dev_share,
        "data.group": config.data.group,
        "data.skip_bad": config.data.skip_bad,
        "data.longest": config.data.longest,
        **({"columns": given} if (given := config.data.given()) else {}),
    }
    again: dict[str, Any] = json.loads(json.dumps(request))
    return again


def reason_to_rebuild(folder: Path, request: Mapping[str, Any]) -> str:
    """What has changed since the corpus was prepared, or what is wrong with it; empty if it is up to date."""
    try:
        before = read_manifest(folder)[0]["asked"]
        if differences := changes(before, request):
            return differences
        open_corpus(folder)
    except UserError as error:
        return f"{error.where} {error.what}"
    return ""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How two requests differ; a file that was only moved counts as the same."""
    differences = []
    for key in ("sources", "dev"):
        old, new = before[key], now[key]
        if len(old) != len(new):
            differences.append(f"the number of {key} files is {len(new)}, was {len(old)}")
        else:
            differences += [
                f"{b['path']} has changed" for a, b in zip(old, new, strict=True) if a["sha256"] != b["sha256"]
            ]
    for key in ("format", "columns", "data.dev_share", "data.group", "data.skip_bad", "data.longest"):
        if before.get(key) != now[key]:
            differences.append(f"{key} is {now[key]!r}, was {before.get(key)!r}")
    if before.get("columns") != now.get("columns"):
        differences.append(f"the options of the table are {now.get('columns', {})}, were {before.get('columns', {})}")
    defaults = asdict(TextOptions())  # of an option that is newer than the corpus
    for key in {**before["text"], **now["text"]}:
        old, new = (text.get(key, defaults.get(key)) for text in (before["text"], now["text"]))
        if old != new:
            differences.append(f"text.{key} is {new!r}, was {old!r}")
    return "; ".join(differences)
