"""Input and output of the command: arguments, files, stdin and the terminal."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from seq2see.console import Writable, results, say
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, DataError
from seq2see.storage.files import flush, is_stream, replacing, require_place
from seq2see.system_errors import reported

if TYPE_CHECKING:
    from seq2see.inference.requests import Request

MANIFESTS = (("manifest.json",), ("model", "manifest.json"))
"""Where a model or a run has its list of files."""
STDIN = "<stdin>"
"""What stdin is called in messages."""


def leading_runs(run: Path, rest: tuple[str, ...]) -> tuple[list[Path], tuple[str, ...]]:
    """The runs of an ensemble, which come before texts and files, and the words after them."""
    runs = [run, *map(Path, itertools.takewhile(is_model, rest))]
    texts = rest[len(runs) - 1 :]
    if texts and not os.path.exists(texts[0]) and (folder := os.path.dirname(texts[0])) and os.path.isdir(folder):
        say(f"note: there is no run {texts[0]}; read as a text")
    return runs, texts


def is_model(word: str) -> bool:
    """Whether a run, a folder of several, or a packed model has this name."""
    from seq2see.inference.loading import members_of

    # With os.path, since a text may be longer than a file name can be.
    if not os.path.isdir(word):
        return word.endswith(".seq2see") and os.path.isfile(word)
    has_list = any(os.path.exists(os.path.join(word, *part)) for part in MANIFESTS)
    return has_list or members_of(Path(word)) != [Path(word)]


def require_other(output: Path | None, inputs: Iterable[Path | None]) -> None:
    """ConfigError for an output that is a folder, or one of the inputs, by any path."""
    if output is not None and not is_stream(output):
        require_place(output)
        if output.is_dir():
            raise ConfigError("is a folder", where=f"--output {output}", fix="name a file in it")
    require_kept(inputs, output)


def require_kept(inputs: Iterable[Path | None], output: Path | None) -> None:
    """ConfigError for an output that is one of the inputs, by any path."""
    for path in inputs:
        if (
            output is not None
            and path is not None
            and output.exists()
            and os.path.exists(path)
            and output.samefile(path)
        ):
            raise ConfigError("would overwrite the input", where=f"--output {output}", fix="name another file")


@contextmanager
def requests_of(
    texts: tuple[str, ...],
    path: Path | None,
    *,
    to_terminal: bool,
    refuse: Callable[[DataError], None] | None,
    longest_line: int,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    known: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> Iterator[tuple[Iterable[Request], int | None]]:
    """The texts, read lazily, and how many to answer at a time: 1 for a terminal, else None for the default.

    Of a table, the columns are taken that `table` names, or that are `known` from training. Lines of a table with a
    header, and of JSON, may have constraints of their own.

    A line that can't be read raises DataError; with `refuse` its error goes there, and it is a request without an
    answer. For a file there is a progress bar, if stderr is a terminal and the answers go elsewhere.
    """
    from seq2see.data.standard_input import STDIN_FILE, is_stdin_read
    from seq2see.inference.requests import Request

    def read(stream: BinaryIO, name: str) -> Iterator[Request]:
        from seq2see.data import iterate_rows
        from seq2see.inference.options import PER_TEXT
        from seq2see.inference.requests import request_of

        for row in iterate_rows(
            stream, name, named=PER_TEXT, table=table, known=known, refuse=refuse, longest_line=longest_line, say=say
        ):
            request = request_of(row)
            if request.error is not None and row.error is None:
                if refuse is None:
                    raise request.error
                refuse(request.error)
            yield request

    if texts:
        yield (Request(text, place=f"text {number}") for number, text in enumerate(texts, start=1)), None
    elif path is not None and path != STDIN_FILE:
        from seq2see.data import open_content

        with (
            open_content(path, table.encoding or known.encoding) as file,
            bar(file.share_read, shown=not to_terminal) as moved,
        ):
            yield map(moved, read(file.stream, str(path))), None
    else:
        if is_stdin_read():
            fix = "give the texts as arguments, or in a file: --input texts.txt"
            raise ConfigError("is needed for texts, and was given for another file", where="standard input", fix=fix)
        if sys.stdin.isatty():
            say("type a text and press Enter; Ctrl-D ends")
        yield read(sys.stdin.buffer, STDIN), 1 if sys.stdin.isatty() else None


@contextmanager
def bar(share: Callable[[], float], *, shown: bool) -> Iterator[Callable[[Request], Request]]:
    """A bar of progress on stderr, moved by passing requests through; none where stderr is no terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda request: request
        return
    from rich.progress import Progress

    from seq2see.console import Terminal

    with Progress(console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task("answering", total=1.0)

        def moved(request: Request) -> Request:
            progress.update(task, completed=share())
            return request

        yield moved


@contextmanager
def opened(path: Path | None) -> Iterator[Writable]:
    """A file to write answers to, which is in its place when it is complete; or stdout, a pipe or a device, at once."""
    if path is None:
        yield results()
    elif is_stream(path):
        with reported(path, "written", option="--output"):
            file = path.open("w", encoding="utf-8", newline="\n")
        with file:
            yield file
    else:
        with replacing(path) as new:
            with new.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            flush(new)
