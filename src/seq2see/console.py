"""Console output of the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.text import Text


def say_to(console: Console) -> Callable[[str], None]:
    """A function that prints a line to the console, without interpreting markup."""
    return lambda line: console.print(Text(line), soft_wrap=True)


def invalid_lines(count: int) -> str:
    """ "1 invalid line", "2 invalid lines"."""
    return f"{count:,} invalid line{'' if count == 1 else 's'}"


def shown_tokens(token_lists: Iterable[Iterable[str]], most: int = 5) -> str:
    """In how many of the lists each token is, the most frequent first: "'ß' in 3, 'ʒ' in 1, and 2 others"."""
    counts = Counter(token for tokens in token_lists for token in set(tokens))
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = ", ".join(f"{token!r} in {count:,}" for token, count in ranked[:most])
    left = len(ranked) - most
    return shown if left < 1 else f"{shown}, and {left:,} other{'' if left == 1 else 's'}"
