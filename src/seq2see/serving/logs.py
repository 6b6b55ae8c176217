"""The log of a service on stderr: one line per event, for people or as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from seq2see.printable import one_line, printable

LOGGER = logging.getLogger("seq2see.serving")

_PLAIN = re.compile(r"[\w./:-]+")


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Log an event with its fields; of an error, the traceback too."""
    LOGGER.log(level, event, extra={"fields": fields}, exc_info=error)


class Line(logging.Formatter):
    """`2026-11-27T10:00:00Z INFO request status=200 …`"""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it."""
        event, fields = content_of(record)
        values = " ".join(f"{name}={shown(value)}" for name, value in fields.items())
        line = printable(f"{time_of(record)} {record.levelname} {one_line(event)} {values}".rstrip())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info and record.exc_info[0] else line


class JSONLine(logging.Formatter):
    """One object per line: time, level, event, and the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """ASCII, so that no terminal or collector can be confused by a text."""
        event, fields = content_of(record)
        content = {"time": time_of(record), "level": record.levelname.lower(), "event": event, **fields}
        if record.exc_info and record.exc_info[0]:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


def content_of(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """The event and its fields; a message of a library is an event without fields."""
    return record.getMessage(), getattr(record, "fields", {})


def time_of(record: logging.LogRecord) -> str:
    """When it was, in UTC."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(value: Any) -> str:
    """A value in a line for people: in quotation marks if it has blanks."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def open_log(format_: Literal["text", "json"]) -> None:
    """Log to stderr, our own events and the warnings of the libraries below."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLine() if format_ == "json" else Line())
    for name, level in (
        (LOGGER.name, logging.INFO),
        ("uvicorn.error", logging.ERROR),
        ("asyncio", logging.ERROR),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
