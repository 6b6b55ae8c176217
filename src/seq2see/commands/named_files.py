"""Names of files where texts are expected."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from seq2see.console import say
from seq2see.data.standard_input import STDIN_FILE
from seq2see.errors import ConfigError, UserError


def require_commas(metrics: Sequence[str] | None, words: Iterable[str]) -> None:
    """ConfigError for names of metrics among files and models, where blanks separate them instead of commas."""
    from seq2see.metrics import METRICS
    from seq2see.metrics.names import metric_called

    more = [word for word in words if metric_called(word.strip(",")) in METRICS and not os.path.exists(word)]
    if metrics is not None and more:
        listed = ",".join(each.strip(",") for each in (*metrics, *more))
        raise ConfigError(
            f"takes names separated by commas, not by blanks: {' '.join(more)} is read as another argument",
            where="--metrics",
            fix=f"write --metrics {listed}",
        )


def texts_named(texts: Sequence[str], path: Path | None) -> tuple[str, ...]:
    """The texts; none for -, which is the standard input that is read then. ConfigError for both."""
    if str(STDIN_FILE) not in texts:
        return tuple(texts)
    if len(texts) > 1 or path is not None:
        what = f"conflicts with {'--input' if path is not None else 'texts as arguments'}"
        raise ConfigError(what, where="standard input", fix="give one of the two")
    return ()


def require_no_files(texts: Sequence[str], verb: str, runs: Sequence[Path]) -> None:
    """ConfigError for a text that is the name of a file, with what answers its lines; a note if it could be a word.

    A picture or an array may be a source of its own.
    """
    from seq2see.data.advice import quoted_path
    from seq2see.text.fields import ARRAYS, PICTURES

    command = " ".join(["seq2see", verb, *(quoted_path(str(run)) for run in runs)])
    for text in texts:
        if not os.path.isfile(text) or text.lower().endswith(tuple(f".{each}" for each in (*PICTURES, *ARRAYS))):
            continue
        if not os.path.splitext(text)[1]:
            say(f"note: {text} is answered as a text; for the lines of the file of that name: --input {text}")
            continue
        raise ConfigError("is a file, and texts were expected", where=text, fix=way_to_answer(text, command))


def way_to_answer(name: str, command: str) -> str:
    """How the lines of a file are answered, or the first column of a table."""
    from seq2see.data import open_content
    from seq2see.data.advice import piped, quoted_path

    try:
        with open_content(Path(name)) as file:
            has_columns = b"\t" in file.stream.readline()
    except UserError:
        has_columns = False
    if has_columns:
        source = piped(name, "cut -f1", "").rpartition(" > ")[0]
        return f"answer its first column: {source} | {command}"
    return f"answer its lines: {command} --input {quoted_path(name)}"
