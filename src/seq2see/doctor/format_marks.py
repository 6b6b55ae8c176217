"""Marks of another format within pairs, which would be learned as text.

Quotation marks of CSV, comments, numbers of variants as in `word(2)`, slashes around transcriptions, and several
answers in one target. All are told by how they are used in the set, since each of these characters can also be text.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2see.data.cells import MOST_LABELS
from seq2see.data.table import VARIANT_NUMBER

_NUM_EXAMPLES = 3
_MAX_SYMBOL = 4
"""Characters of a token, with the blank after it, at most in the mean, if targets are made of symbols."""
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
COMMENT = re.compile(r"#+\s|;;;|//\s|<!--")
"""The beginning of a line that is a comment."""
_COMMENT_AFTER = re.compile(r"\s#\s")
_ENDS_SENTENCE = re.compile(r"""[.!?…。！？]["'”’»)]*$""")
ENCLOSINGS = ("//", "[]", "()", "{}", "<>", "⟨⟩")
"""What may be around all targets."""
_STRUCTURES = {
    "[]": re.compile(r'[-+\d.eE\s]*|\s*".*"\s*|.*,.*'),
    "{}": re.compile(r'.*[,:;="\\^_].*'),
    "()": re.compile(r".*,.*"),
    "<>": re.compile(r'.*[="].*'),
}
"""What is between these if they are part of the answer: of lists, objects in JSON, groups of LaTeX, elements of XML."""
SEPARATORS = {",": re.compile(r",(?:\s|$)"), ";": re.compile(r";(?:\s|$)"), "/": re.compile(r"\s/\s"),
              "|": re.compile(r"\|"), "~": re.compile(r"\s~\s")}  # fmt: skip
"""What may separate the answers in one target."""
_SPLITS = {",": " *, *", ";": " *; *", "/": " +[/] +", "|": " *[|] *", "~": " +~ +"}
"""The same for awk."""
PLACEHOLDERS = {
    "-", "--", "---", "–", "—", "_", "?", "??", "???", "…", "...", "*", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NAME?",
    "#REF!", "#VALUE!", "NaN", "nan", "NULL", "null", "<NULL>", "<null>", "None", "<none>", "UNK", "<UNK>", "<unk>",
    "[UNK]", "TODO", "TBD", "FIXME",
}  # fmt: skip
"""What stands for a missing answer where programs and people write tables."""
_LEAST_SOURCES, _MOST_COUNTED = 5, 10_000
"""Different sources of a target from which on it is a placeholder, and up to which they are counted."""
_WITHOUT_COMMENTS = "grep -vE '^(#+ |;;;|// |<!--)'"
"""A TAB after # or // is the end of a source."""


class Mark(NamedTuple):
    """A mark that was found: the name of its finding, how many pairs have it, and the first of these."""

    name: str
    num_pairs: int
    detail: str
    examples: tuple[tuple[int, str], ...]
    """Line and pair."""
    program: str = ""
    """The program for a shell that removes it from a table source TAB target."""


@dataclass
class _Counted:
    """How many pairs have something, and the first of these with their lines."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, source: str, target: str) -> None:
        self.count += 1
        if len(self.examples) < _NUM_EXAMPLES:
            self.examples.append((line, f"{source}\t{target}"))


@dataclass
class _Separated:
    """Targets that a separator would split, and the others, by their lengths."""

    found: _Counted = field(default_factory=_Counted)
    num_parts: int = 0
    num_characters: int = 0
    num_source_characters: int = 0
    num_spread: float = 0.0
    """The sum of how much shorter the shortest part is than the longest, as a share."""


class FormatMarks:
    """Counts the marks of a set, block by block."""

    def __init__(self) -> None:
        self.num = self.num_characters = self.num_source_characters = self.num_tokens = 0
        self.quoted = _Counted()
        self.num_surely_quoted = 0
        """Pairs with both sides in quotation marks, or with doubled ones inside."""
        self.comments, self.comments_after = _Counted(), _Counted()
        """Lines that are comments, and targets with a comment after them."""
        self.variants = _Counted()
        self.bases: set[str] = set()
        self.sources: set[str] = set()
        self.enclosed = {each: _Counted() for each in ENCLOSINGS}
        self.structured: Counter[str] = Counter()
        """Targets that are a list, an object or the like, by what encloses them."""
        self.separated = {each: _Separated() for each in SEPARATORS}
        self.placeholders: dict[str, _Counted] = {}
        self.sources_of: dict[str, set[str]] = {}
        """Of each placeholder, some of the sources whose target it is."""
        self.answers: set[str] = set()
        """Some of the other targets, enough to tell them from labels."""

    def add(self, sources: Sequence[str], targets: Sequence[str], lines: npt.NDArray[np.int32]) -> None:
        """Add the pairs in these lines."""
        joined_sources, joined_targets = "\n".join(sources), "\n".join(targets)
        rows = list(zip(lines.tolist(), sources, targets, strict=True))
        self.num += len(rows)
        self.num_source_characters += len(joined_sources)
        self.num_characters += len(joined_targets)
        if '"' in joined_sources or '"' in joined_targets:
            self._add_quoted(rows)
        self.num_tokens += len(joined_targets.split())
        if re.search(rf"^(?:{COMMENT.pattern})", joined_sources, re.MULTILINE):
            for line, source, target in rows:
                if COMMENT.match(source):
                    self.comments.add(line, source, target)
        if " # " in joined_targets:
            for line, source, target in rows:
                if _is_commented(target):
                    self.comments_after.add(line, source, target)
        if ")\n" in joined_sources + "\n":
            for line, source, target in rows:
                if VARIANT_NUMBER.search(source):
                    self.variants.add(line, source, target)
                    self.bases.add(VARIANT_NUMBER.sub("", source))
        if self.bases:
            self.sources.update(self.bases.intersection(sources))
        for sign, counted in self.enclosed.items():
            start, end = sign[0], sign[1]
            if start in joined_targets:
                for line, source, target in rows:
                    if len(target) > 2 and target[0] == start and target[-1] == end and _is_around(target, start):
                        if _is_structured(target):
                            self.structured[sign] += 1
                        else:
                            counted.add(line, source, target)
        self._add_placeholders(rows)
        for separator, pattern in SEPARATORS.items():
            if separator in joined_targets:
                self._add_separated(separator, pattern, rows)

    def _add_placeholders(self, rows: Sequence[tuple[int, str, str]]) -> None:
        for line, source, target in rows:
            if target in PLACEHOLDERS:
                self.placeholders.setdefault(target, _Counted()).add(line, source, target)
                sources = self.sources_of.setdefault(target, set())
                if len(sources) < _MOST_COUNTED:
                    sources.add(source)
            elif len(self.answers) <= MOST_LABELS:
                self.answers.add(target)

    def _add_quoted(self, rows: Sequence[tuple[int, str, str]]) -> None:
        for line, source, target in rows:
            cells = [cell for cell in (source, target) if '"' in cell and _QUOTED.fullmatch(cell.strip())]
            if cells:
                self.num_surely_quoted += len(cells) == 2 or '""' in cells[0].strip()[1:-1]
                self.quoted.add(line, source, target)

    def _add_separated(self, separator: str, pattern: re.Pattern[str], rows: Sequence[tuple[int, str, str]]) -> None:
        counted = self.separated[separator]
        for line, source, target in rows:
            if separator not in target or separator in source or _ENDS_SENTENCE.search(target):
                continue
            if _is_structured(target):
                continue
            parts = [part.strip() for part in pattern.split(target) if part.strip()]
            if len(parts) > 1:
                counted.found.add(line, source, target)
                counted.num_parts += len(parts)
                counted.num_characters += len(target)
                counted.num_source_characters += len(source)
                counted.num_spread += 1 - min(map(len, parts)) / max(map(len, parts))

    # --- what they mean together ---

    def found(self) -> Iterator[Mark]:
        """The marks that are not text."""
        if not self.num:
            return
        if self.num_surely_quoted > min(1, self.num / 100) or 2 * self.quoted.count >= max(1, self.num):
            yield _mark("csv-quotes", self.quoted, "")
        if self.comments.count and 2 * self.comments.count < self.num:
            yield _mark("comments", self.comments, _WITHOUT_COMMENTS)
        if self.comments_after.count and self.num_characters <= _MAX_SYMBOL * self.num_tokens:
            yield _mark("comments", self.comments_after, _awk(r'{sub(/[ ]+#+[ ].*$/, "", $2)} 1'), "after the symbols")
        if self.variants.count and (self.sources or 20 * self.variants.count >= self.num):
            yield _mark("variant-numbers", self.variants, _awk(r'{sub(/\([0-9]+\)$/, "", $1)} 1'))
        for sign, counted in self.enclosed.items():
            least = 20 if sign == "//" else 2
            if self.structured[sign] > counted.count / 20:
                continue
            if counted.count and least * counted.count >= self.num:
                start, end = (f"[{each}]" if each not in "[]" else f"\\{each}" for each in (sign[0], sign[1]))
                program = _awk(f'$2 ~ /^{start}.*{end}$/ {{sub(/^{start}/, "", $2); sub(/{end}$/, "", $2)}} 1')
                yield _mark("enclosed-targets", counted, program, f"{sign[0]}…{sign[1]}")
        if mark := self._placeholders():
            yield mark
        for separator in self.separated:
            if self._has_alternatives(separator):
                program = _awk(
                    f"{{n = split($2, part, /{_SPLITS[separator]}/); "
                    'for (i = 1; i <= n; i++) if (part[i] != "") print $1, part[i]}'
                )
                yield _mark("alternatives", self.separated[separator].found, program, f"separated by {separator}")

    def _placeholders(self) -> Mark | None:
        """The placeholders that stand for several sources, unless the other targets are labels, of which each does."""
        found = {each: len(sources) for each, sources in self.sources_of.items() if len(sources) >= _LEAST_SOURCES}
        num_others = self.num - sum(counted.count for counted in self.placeholders.values())
        are_labels = self.answers and len(self.answers) <= MOST_LABELS and len(self.answers) ** 2 < num_others
        if not found or are_labels:
            return None
        shown = [
            f"{each!r} for {num:,} different sources{' or more' if num == _MOST_COUNTED else ''}"
            for each, num in sorted(found.items(), key=lambda item: -item[1])
        ]
        examples = sorted(example for each in found for example in self.placeholders[each].examples)[:_NUM_EXAMPLES]
        tests = " && ".join(f'$2 != "{each}"' for each in found)
        count = sum(self.placeholders[each].count for each in found)
        return Mark("placeholders", count, ", ".join(shown), tuple(examples), _awk(tests))

    def _has_alternatives(self, separator: str) -> bool:
        """Whether the parts are as long as other targets, and as each other, though the sources are not longer."""
        counted = self.separated[separator]
        num, num_others = counted.found.count, self.num - counted.found.count
        if num < max(1, self.num / 100):
            return False
        if counted.num_spread > 0.5 * num:
            return False
        if not num_others:
            return counted.num_spread <= 0.3 * num
        usual = (self.num_characters - counted.num_characters) / num_others
        usual_source = (self.num_source_characters - counted.num_source_characters) / num_others
        part, whole = counted.num_characters / counted.num_parts, counted.num_characters / num
        return (
            part >= 0.7 * usual and whole >= 1.5 * usual and counted.num_source_characters / num <= 1.5 * usual_source
        )


def _is_commented(target: str) -> bool:
    """Whether symbols, of a few characters each, are followed by # and words."""
    if not (found := _COMMENT_AFTER.search(target)):
        return False
    before, after = target[: found.start()].split(), target[found.start() + 1 :].strip("# ").split()
    return bool(before) and max(map(len, before)) <= 4 <= max(map(len, after), default=0)


def _is_around(target: str, start: str) -> bool:
    """Whether the first and the last character belong to each other."""
    return start not in target[1:-1]


def _is_structured(target: str) -> bool:
    """Whether what encloses a target belongs to it: a list, an object in JSON, a group of LaTeX, an element of XML."""
    inside = _STRUCTURES.get(target[:1] + target[-1:])
    return inside is not None and inside.fullmatch(target[1:-1]) is not None


def _mark(name: str, counted: _Counted, program: str, detail: str = "") -> Mark:
    return Mark(name, counted.count, detail, tuple(counted.examples), program)


def _awk(program: str) -> str:
    return f"awk -F'\\t' -v OFS='\\t' {shlex.quote(program)}"
