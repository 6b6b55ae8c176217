"""Files in which each line is one text: of a language model, or to be answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2see.data.lines import Line, LineError, require_text, single_column, text_of
from seq2see.data.table import Row, Rows


@dataclass(frozen=True)
class TextFormat:
    """Each line is one text: the target of a language model, or a source to answer, which may be blank."""

    is_source: bool = False

    def rows(self, content: bytes, *, is_start: bool) -> Rows | None:
        """The rows of a block at once; None if any line is invalid."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return None
        lines = text.replace("\r\n", "\n").split("\n")
        if "\0" in text or "\t" in text or not all(map(str.strip, lines)):
            return None
        return Rows([""] * len(lines), lines, [], range(len(lines)))

    def read(self, lines: Sequence[Line], *, is_start: bool) -> Iterator[tuple[Line, Row | LineError]]:
        """The rows one by one; a LineError for a line that is none."""
        for line in lines:
            try:
                text = single_column(text_of(line), line, "source" if self.is_source else "target")
                yield line, Row(text, "") if self.is_source else Row("", require_text(text, "text", line))
            except LineError as error:
                yield line, error

    def describe(self) -> str:
        """Nothing: there is no choice."""
        return ""

    def chosen(self) -> dict[str, object]:
        """Nothing."""
        return {}
