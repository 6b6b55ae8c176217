"""Pronouncing dictionaries with probabilities between a word and its symbols, as Kaldi and MFA write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

PROBABILITIES = "probabilities"
"""The delimiter of such a dictionary: a word, perhaps probabilities, which are left out, and the rest of the line."""
DECIMAL = r"\d*\.\d+(?:[eE]-?\d+)?"
"""A pattern of numbers with a point, which no phone is."""
_IN_COLUMNS = re.compile(rf"(?P<word>[^\t]*\S[^\t]*?)[ \t]*\t(?P<numbers>(?:{DECIMAL}[ \t]*\t\s*)*)(?P<rest>.*)")
_IN_BLANKS = re.compile(rf"(?P<word>\S+)\s+(?P<numbers>(?:{DECIMAL}\s+)*)(?P<rest>.*)")
_ANY_DECIMAL = re.compile(rf"(?:^|\s){DECIMAL}(?:\s|$)")
_MOST_NUMBERS = 4
"""Of one pronunciation, as MFA writes them: its own probability, and three about the silence around it."""
_LEAST = 2
"""Lines with probabilities: a single one may be an error."""
_MOST = 0.9
"""The share of the lines that must be a word, perhaps probabilities, and symbols."""
_SHORT, _NEARLY_ALL = 4, 0.95
"""Characters of a symbol, and the share of those that are no longer where most words have no probability."""


def split_entry(line: str) -> list[str]:
    """The word and the rest of a line after the probabilities, if it has any, as one cell or several."""
    found = _entry(line)
    return [line.strip()] if found is None else [found["word"], *map(str.strip, found["rest"].split("\t"))]


def has_probabilities(lines: Sequence[str]) -> bool:
    """Whether these lines are a dictionary in which some words are followed by probabilities, or all of them.

    Not a table in which all lines have the same number of columns divided by TAB: there, numbers are columns.
    """
    if len(lines) < _LEAST or ("\t" in lines[0] and len({line.count("\t") for line in lines}) == 1):
        return False
    num, num_with, symbols = 0, 0, Counter[str]()
    for line in lines:
        found = _entry(line)
        if found is None or not found["rest"] or "\t" in found["rest"] or _ANY_DECIMAL.search(found["rest"]):
            continue
        numbers = found["numbers"].split()
        if len(numbers) > _MOST_NUMBERS or (numbers and float(numbers[0]) > 1):
            continue
        num += 1
        num_with += bool(numbers)
        symbols.update(found["rest"].split())
    if num < _MOST * len(lines) or num_with < _LEAST:
        return False
    num_short = sum(count for symbol, count in symbols.items() if len(symbol) <= _SHORT)
    return 2 * num_with > num or num_short >= _NEARLY_ALL * symbols.total()


def _entry(line: str) -> re.Match[str] | None:
    text = line.strip()
    return (_IN_COLUMNS if "\t" in text else _IN_BLANKS).fullmatch(text)
