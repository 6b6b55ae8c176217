"""Statistics of one side of a set, collected block by block.

All characters are counted; only suspicious texts are examined one by one. Kept per pair are a hash of 8 bytes, a length
and a script, never the text: about 30 bytes for both sides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from seq2see.doctor import characters
from seq2see.doctor.report import SideSizes
from seq2see.text import choose_tokenizer
from seq2see.text.choice import reason_for_tags, reason_for_values

Examples = dict[str, list[tuple[int, str, str]]]
Number = TypeVar("Number", bound=np.generic)

_NUM_EXAMPLES = 3
_MAX_SYMBOLS = 2_000
"""A side with more distinct tokens is not made of symbols, so they are no longer counted."""
_MAX_SAMPLED = 40_000
_SUSPICIOUS = characters.suspicious_codes()
_FILE_NAME = re.compile(
    r"(\.(?:png|jpe?g|p[bgnp]m|bmp|gif|tiff?|webp|npy|npz|wav|flac|mp3|ogg))(#\d+)?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""The name of a file, perhaps with the number of a text about it, as in Flickr's captions (`1.jpg#0`)."""
_SEPARATOR = re.compile("[;|]")
_LIST = re.compile("[^;|][;|][^;|]")
_MAX_LISTS = 20_000
"""Distinct lists of tags; with more they are something else."""
_TAG_USES = 5
"""Uses of a tag, on average."""


class SideStatistics:
    """The statistics of the sources or the targets of one set."""

    def __init__(self, name: str, *, is_source: bool = False, first_column: SideStatistics | None = None) -> None:
        self.name = name
        self.is_source = is_source
        """Whether training may read these texts as names of pictures or arrays."""
        self.first_column = first_column
        """The first column of the source, beside which training may read this one as sets of tags."""
        self.extensions: Counter[str] = Counter()
        """The frequency of each extension of a picture, sound or array that a text ends in."""
        self.num_numbered = 0
        """How many of these names have a number after them, as in `1.jpg#0`."""
        self.first_list: dict[str, int] = {}
        """Line of the first occurrence of each list of tags."""
        self._lists: Counter[str] | None = Counter()
        """The frequency of each list of tags; None if the texts are something else."""
        self.counts = np.zeros(characters.NUM_CODES, dtype=np.int64)
        """The frequency of each code point."""
        self.first: dict[str, tuple[int, str]] = {}
        """Line and text of the first occurrence of each character."""
        self.tokens: Counter[str] | None = Counter()
        """The frequency of each token between blanks; None if there are too many for symbols."""
        self.first_token: dict[str, tuple[int, str]] = {}
        self.num_words = 0
        self.found: Counter[str] = Counter()
        """The number of texts with each fault."""
        self.details: dict[str, Counter[str]] = {}
        """For each fault, the frequency of its details."""
        self.examples: Examples = {}
        """The first examples of each fault: line, text, detail."""
        self._hashes = [np.zeros(0, dtype=np.int64)]
        self._lengths = [np.zeros(0, dtype=np.int32)]
        self._scripts = [np.zeros(0, dtype=np.uint8)]
        self._script_of = np.zeros(characters.NUM_CODES, dtype=np.uint8)
        self._sample: list[str] = []
        self._step = 1
        self._num = 0

    # --- a block ---

    def add(self, texts: list[str], lines: npt.NDArray[np.int32]) -> None:
        """Add the texts in these lines."""
        if not texts:
            return
        joined = "\n".join(texts) + "\n"
        is_ascii = joined.isascii()
        codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32]
        if is_ascii:
            codes = np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
        else:
            codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
        counts = np.bincount(codes)
        counts[10] = 0
        present = np.flatnonzero(counts)
        lengths = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
        starts = np.zeros(len(texts), dtype=np.int64)
        np.cumsum(lengths[:-1] + 1, out=starts[1:])
        for code in present[self.counts[present] == 0].tolist():
            index = int(np.searchsorted(starts, joined.index(chr(code)), side="right")) - 1
            self.first[chr(code)] = int(lines[index]), texts[index]
            self._script_of[code] = characters.script_of(chr(code))
        self.counts[: len(counts)] += counts
        self._add_scripts(codes, present, starts)
        self._count_words(codes, joined, texts, lines)
        self._find_faults(texts, joined, codes, present, starts, lines)
        if "." in joined:
            found = _FILE_NAME.findall(joined)
            self.extensions.update(extension.lower() for extension, _ in found)
            self.num_numbered += sum(number != "" for _, number in found)
        self._add_lists(texts, lines)
        self._lengths.append(lengths)
        self._hashes.append(self._hash(texts, joined))
        self._sample_from(texts)

    def _add_scripts(
        self,
        codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32],
        present: npt.NDArray[np.intp],
        starts: npt.NDArray[np.int64],
    ) -> None:
        """Add the most frequent script of each text."""
        numbers = np.unique(self._script_of[present])
        numbers = numbers[numbers != characters.NO_SCRIPT]
        scripts = self._script_of[codes]
        best = np.zeros(len(starts), dtype=np.int64)
        winner = np.zeros(len(starts), dtype=np.uint8)
        for number in numbers:
            num = np.add.reduceat((scripts == number).astype(np.int32), starts)
            winner = np.where(num > best, number, winner)
            best = np.maximum(best, num)
        self._scripts.append(winner.astype(np.uint8))

    def _count_words(
        self,
        codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32],
        joined: str,
        texts: list[str],
        lines: npt.NDArray[np.int32],
    ) -> None:
        is_blank = codes <= 32
        self.num_words += int(np.count_nonzero(is_blank[1:] & ~is_blank[:-1]))
        if self.tokens is None:
            return
        known = len(self.tokens)
        self.tokens.update(joined.split())
        if len(self.tokens) > _MAX_SYMBOLS:
            self.tokens = None
            self.first_token = {}
        elif len(self.tokens) > known:
            for line, text in zip(lines.tolist(), texts, strict=True):
                for token in text.split():
                    if token not in self.first_token:
                        self.first_token[token] = line, text

    def _add_lists(self, texts: list[str], lines: npt.NDArray[np.int32]) -> None:
        """Count the texts if they are lists, such as V;PST;3."""
        if self._lists is None:
            return
        known = len(self._lists)
        self._lists.update(texts)
        if len(self._lists) > _MAX_LISTS or 2 * sum(map(_is_list, self._lists)) < len(self._lists):
            self._lists, self.first_list = None, {}
        elif len(self._lists) > known:
            for line, text in zip(lines.tolist(), texts, strict=True):
                self.first_list.setdefault(text, line)

    def tag_lists(self) -> Mapping[str, int]:
        """The frequency of each list of tags; empty if the texts are no such lists, or their parts are no tags."""
        if not hasattr(self, "_tag_lists"):
            lists = {text: count for text, count in (self._lists or {}).items() if _is_list(text)}
            uses: Counter[str] = Counter()
            for text, count in lists.items():
                uses.update(dict.fromkeys(self.tags_of(text), count))
            lettered = sum(count for tag, count in uses.items() if any(map(str.isalpha, tag)))
            are_tags = uses.total() >= max(_TAG_USES * len(uses), 1) and 2 * lettered >= uses.total()
            self._tag_lists = lists if are_tags else {}
        return self._tag_lists

    @staticmethod
    def tags_of(text: str) -> tuple[str, ...]:
        """The tags of a list, in alphabetical order."""
        return tuple(sorted(_SEPARATOR.split(text.strip())))

    def _hash(self, texts: list[str], joined: str) -> npt.NDArray[np.int64]:
        """Hashes that are equal for texts that training treats as equal: NFC, without white space at the ends."""
        keys: Iterable[str] = map(str.strip, texts)
        if not unicodedata.is_normalized("NFC", joined):
            keys = (unicodedata.normalize("NFC", text.strip()) for text in texts)
        return np.fromiter(map(hash, keys), dtype=np.int64, count=len(texts))

    def _sample_from(self, texts: list[str]) -> None:
        """Sample every n-th text, for the choice of the tokenizer."""
        self._sample.extend(texts[-self._num % self._step :: self._step])
        self._num += len(texts)
        while len(self._sample) > _MAX_SAMPLED:
            self._sample = self._sample[::2]
            self._step *= 2

    # --- faults of single texts ---

    def _find_faults(
        self,
        texts: list[str],
        joined: str,
        codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint32],
        present: npt.NDArray[np.intp],
        starts: npt.NDArray[np.int64],
        lines: npt.NDArray[np.int32],
    ) -> None:
        """Look for faults, first in the whole block, and only if there are any in each text."""
        at = lines.tolist()
        if _SUSPICIOUS[present].any():
            indices = np.searchsorted(starts, np.flatnonzero(_SUSPICIOUS[codes] & (codes != 10)), side="right") - 1
            for index in np.unique(indices).tolist():
                self._examine(texts[index], at[index])
        if joined[0].isspace() or " \n" in joined or "\n " in joined or _SUSPICIOUS[present].any():
            self._each(texts, at, "space-around", lambda text: "" if text != text.strip() else None)
        if "  " in joined:
            self._each(texts, at, "doubled-blanks", lambda text: "" if "  " in text.strip() else None)
        if "&" in joined and ";" in joined:
            self._find_entities(texts, at)
        if joined.isascii():
            return
        if not unicodedata.is_normalized("NFC", joined):
            self._each(texts, at, "not-nfc", _not_nfc)
        if any(self.counts[ord(high)] for high in characters.HIGH) and characters.mojibake(joined):
            self._each(texts, at, "mojibake", characters.mojibake)
        if characters.MIXED_WORD.search(joined):
            self._each(texts, at, "mixed-script-words", _mixed)
        if characters.REPLACEMENT in joined:
            self._each(texts, at, "replacement", lambda text: "" if characters.REPLACEMENT in text else None)

    def _find_entities(self, texts: list[str], lines: list[int]) -> None:
        for line, text in zip(lines, texts, strict=True):
            found = characters.entity(text) if "&" in text else None
            if found is not None:
                self.note("moses-escapes" if found[1] else "html", line, text, found[0])

    def _examine(self, text: str, line: int) -> None:
        for name, pattern in (
            ("unusual-spaces", characters.unusual_space(text)),
            ("control", characters.CONTROL),
            ("byte-order-mark-inside", characters.INSIDE_MARK),
            ("invisible", characters.invisible(text)),
        ):
            matches = pattern.findall(text)
            if matches:
                self.note(name, line, text, *map(characters.named, sorted(set(matches))))
        if characters.has_direction_marks(text):
            self.note("direction-marks", line, text)

    def _each(self, texts: list[str], lines: list[int], name: str, test: Callable[[str], str | None]) -> None:
        for line, text in zip(lines, texts, strict=True):
            detail = test(text)
            if detail is not None:
                self.note(name, line, text, *([detail] if detail else []))

    def note(self, name: str, line: int, text: str, *details: str) -> None:
        """Count a fault in a text."""
        if name not in self.found:
            self.details[name], self.examples[name] = Counter(), []
        self.found[name] += 1
        counter = self.details[name]
        for detail in details:
            counter[detail] += 1
        kept = self.examples[name]
        if len(kept) < _NUM_EXAMPLES:
            kept.append((line, text, ", ".join(details)))

    # --- results ---

    @property
    def sample(self) -> list[str]:
        """Texts evenly spaced over the set."""
        return self._sample

    @property
    def hashes(self) -> npt.NDArray[np.int64]:
        """A hash per text, equal for equal texts within a process."""
        return _whole(self._hashes)

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """The number of characters of each text."""
        return _whole(self._lengths)

    @property
    def scripts(self) -> npt.NDArray[np.uint8]:
        """The script number of each text."""
        return _whole(self._scripts)

    def merge(self, name: str, into: str) -> None:
        """Merge the counts of a fault into those of another."""
        if name in self.found:
            self.found[into] += self.found.pop(name)
            self.details.setdefault(into, Counter()).update(self.details.pop(name))
            self.examples.setdefault(into, []).extend(self.examples.pop(name))

    def characters(self) -> dict[str, int]:
        """The frequency of each character that occurs."""
        return {chr(code): int(self.counts[code]) for code in np.flatnonzero(self.counts).tolist()}

    def unit(self) -> tuple[str, str]:
        """The unit that training would choose, and why."""
        if self.is_source and (values := reason_for_values(self._sample)):
            return values
        tags = reason_for_tags(self._sample, self.first_column.sample) if self.first_column else None
        return ("tags", tags) if tags else choose_tokenizer(self._sample)

    def sizes(self) -> SideSizes:
        """The sizes of this side, with the unit that training would choose."""
        lengths, scripts = self.lengths, self.scripts
        unit, reason = self.unit()
        quantiles = np.quantile(lengths, [0, 0.5, 0.95, 0.99, 1], method="lower") if len(lengths) else [0] * 5
        named = dict(zip(("min", "median", "95 %", "99 %", "max"), map(int, quantiles), strict=True))
        script = characters.script_name(int(np.bincount(scripts).argmax())) if len(scripts) else "none"
        num_distinct = len(np.unique(self.hashes))
        num_symbols = int(np.count_nonzero(self.counts))
        return SideSizes(
            int(lengths.sum()), self.num_words, num_distinct, num_symbols, named, script, unit, reason, self.name
        )


def _whole(parts: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    """The concatenated parts, which replace them in the list."""
    if len(parts) > 1:
        parts[:] = [np.concatenate(parts)]
    return parts[0]


def _is_list(text: str) -> bool:
    return " " not in text and _LIST.search(text) is not None


def _not_nfc(text: str) -> str | None:
    return None if unicodedata.is_normalized("NFC", text) else ""


def _mixed(text: str) -> str | None:
    found = characters.MIXED_WORD.search(text)
    return None if found is None else " + ".join(characters.named(letter) for letter in found[0] if letter.isalpha())
