"""Statistics of a set of pairs: two sides, the lines of the pairs, and invalid lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.groups import field_names
from seq2see.data.header import MAX_ROWS, is_header
from seq2see.doctor.diagnosed import diagnosed
from seq2see.doctor.format_marks import COMMENT, FormatMarks
from seq2see.doctor.report import Example
from seq2see.doctor.rows import Block, Faults, PairSource
from seq2see.doctor.side_statistics import SideStatistics
from seq2see.text.fields import FIELD_BREAK, columns_of


class Text(NamedTuple):
    """Source, target and line of a pair."""

    source: str
    target: str
    line: int


class PairStatistics:
    """Collected in one pass over the files of a set; keeps about 40 bytes per pair."""

    def __init__(self, files: PairSource) -> None:
        self.files = files
        self.faults = Faults()
        self.marks = FormatMarks()
        self.source, self.target = SideStatistics("source", is_source=True), SideStatistics("target")
        self.fields: list[SideStatistics] = []
        """The columns of a source that has several."""
        lines: list[npt.NDArray[np.int32]] = []
        for block in files.blocks(self.faults):
            if not block.sources:
                continue
            if files.num_fields > 1:
                self._add_fields(block)
                block = block._replace(sources=[source.replace(FIELD_BREAK, " ") for source in block.sources])
            if not lines:
                self._look_for_header(block)
            self.marks.add(block.sources, block.targets, block.lines)
            self.source.add(block.sources, block.lines)
            self.target.add(block.targets, block.lines)
            lines.append(block.lines)
        if any(
            "html" in side.found for side in self.sides
        ):  # then entities with a blank beside them are not from Moses either
            for side in self.sides:
                side.merge("moses-escapes", "html")
        self.lines: npt.NDArray[np.int32] = np.concatenate(lines) if lines else np.zeros(0, dtype=np.int32)
        self.advice = diagnosed(files, self.faults)

    @property
    def name(self) -> str:
        """The names of the files."""
        return self.files.name

    @property
    def sides(self) -> tuple[SideStatistics, ...]:
        """Source and target; the columns of the source if it has several, and the target."""
        return (*(self.fields or [self.source]), self.target)

    def __len__(self) -> int:
        return len(self.lines)

    def keys(self) -> npt.NDArray[np.uint64]:
        """A hash per pair, equal for equal pairs within a process."""
        # Odd factors are invertible; different factors distinguish (a, b) from (b, a).
        factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
        source, target = self.source.hashes.view(np.uint64), self.target.hashes.view(np.uint64)
        turned = (source * factors[0]) ^ ((source * factors[0]) >> np.uint64(29))
        keys: npt.NDArray[np.uint64] = turned + target * factors[1]
        return keys

    def texts(self, rows: Collection[int]) -> dict[int, Text]:
        """The pairs in these rows, counted from 0, by a second pass over the files."""
        wanted = sorted(set(rows))
        found: dict[int, Text] = {}
        row = 0
        if not wanted:
            return found
        for block in self.files.blocks(Faults()):
            for each in wanted[len(found) :]:
                index = each - row
                if index >= len(block.sources):
                    break
                found[each] = Text(block.sources[index], block.targets[index], int(block.lines[index]))
            row += len(block.sources)
            if len(found) == len(wanted):
                break
        return found

    def _add_fields(self, block: Block) -> None:
        if not self.fields:
            names = field_names(self.files.source_names, self.files.num_fields)
            first = SideStatistics(names[0], is_source=True)
            self.fields = [first, *(SideStatistics(name, is_source=True, first_column=first) for name in names[1:])]
        for side, texts in zip(self.fields, columns_of(block.sources, len(self.fields)), strict=True):
            side.add(texts, block.lines)

    def _look_for_header(self, block: Block) -> None:
        rows = list(zip(block.sources, block.targets, strict=True))[: 2 * MAX_ROWS]
        if block.lines[0] == 1 and not COMMENT.match(block.sources[0]) and is_header(rows[0], rows[1:]):
            self.faults.add("header", Example(self.files.origin(1), "\t".join(rows[0])))
