"""Synthetic tasks. Sources are distinct; the same seed gives the same pairs on every machine."""

from __future__ import annotations

import datetime
import random
import string
from collections.abc import Callable

from seq2see.data.pairs import Pair
from seq2see.errors import ConfigError

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# A hundred years, so that two digits are unambiguous.
_FIRST_DAY = datetime.date(1970, 1, 1).toordinal()
_LAST_DAY = datetime.date(2069, 12, 31).toordinal()


def dates(count: int, seed: int) -> list[Pair]:
    """Dates in various formats, to ISO 8601: "tuesday, september 27, 1994" -> "1994-09-27"."""

    def draw(rng: random.Random) -> tuple[str, str]:
        day = datetime.date.fromordinal(rng.randint(_FIRST_DAY, _LAST_DAY))
        return rng.choice(_DATE_FORMATS)(day), day.isoformat()

    return _distinct("dates", count, seed, draw, max_count=100_000)


def additions(count: int, seed: int) -> list[Pair]:
    """Sums of two numbers below 1000: "71+118" -> "189"."""
    _check_count("additions", count, max_count=1_000_000)
    sums = (divmod(number, 1000) for number in random.Random(seed).sample(range(1_000_000), count))
    return [Pair(f"{a}+{b}", str(a + b), f"additions:{number}") for number, (a, b) in enumerate(sums, start=1)]


def copies(count: int, seed: int) -> list[Pair]:
    """Random letters, to the same letters: "qhv" -> "qhv"."""

    def draw(rng: random.Random) -> tuple[str, str]:
        letters = _letters(rng)
        return letters, letters

    return _distinct("copies", count, seed, draw, max_count=10_000_000)


def reversals(count: int, seed: int) -> list[Pair]:
    """Random letters, to the same letters reversed: "qhv" -> "vhq"."""

    def draw(rng: random.Random) -> tuple[str, str]:
        letters = _letters(rng)
        return letters, letters[::-1]

    return _distinct("reversals", count, seed, draw, max_count=10_000_000)


def _letters(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 12)))


def _distinct(
    name: str, count: int, seed: int, draw: Callable[[random.Random], tuple[str, str]], *, max_count: int
) -> list[Pair]:
    """Draw until there are enough different sources; `max_count` keeps that fast."""
    _check_count(name, count, max_count)
    rng = random.Random(seed)
    target_of: dict[str, str] = {}
    while len(target_of) < count:
        source, target = draw(rng)
        target_of[source] = target
    return [Pair(source, target, f"{name}:{number}") for number, (source, target) in enumerate(target_of.items(), 1)]


def _check_count(name: str, count: int, max_count: int) -> None:
    if not 0 <= count <= max_count:
        raise ConfigError(
            f"the number of different {name} must be 0 to {max_count:,}, found {count}", fix="request fewer"
        )


def _month(day: datetime.date) -> str:
    return _MONTHS[day.month - 1]


def _weekday(day: datetime.date) -> str:
    return _WEEKDAYS[day.weekday()]


def _ordinal(number: int) -> str:
    ending = "th" if 11 <= number <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_DATE_FORMATS: tuple[Callable[[datetime.date], str], ...] = (
    lambda day: f"{_month(day)} {day.day}, {day.year}",
    lambda day: f"{day.day} {_month(day)[:3].capitalize()} {day.year}",
    lambda day: f"{day.month}/{day.day}/{day.year % 100:02}",
    lambda day: f"{_weekday(day)}, {_month(day)} {day.day}, {day.year}",
    lambda day: f"{_month(day).capitalize()} {_ordinal(day.day)}, {day.year}",
    lambda day: f"{day.day:02}.{day.month:02}.{day.year}",
    lambda day: f"{_weekday(day)[:3]} {day.day} {_month(day)} {day.year % 100:02}",
    lambda day: f"the {_ordinal(day.day)} of {_month(day)} {day.year}",
)
