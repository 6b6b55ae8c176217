"""Sizes that are known only when a program runs: polynomials in named sizes, such as `B*K` or `P+1`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

NAMES = {
    "B": "sentences",
    "K": "hypotheses of each sentence",
    "S": "source positions",
    "P": "target positions so far",
}
"""The sizes that a program may name; a row is a hypothesis, so there are B*K rows."""

MAX_TERMS = 8
MAX_FACTORS = 4
LARGEST = 2**31
"""Coefficients and sizes must be below this."""

Terms: TypeAlias = dict[tuple[str, ...], int]
"""By the sorted names of its factors, the coefficient of each term."""

_TERM = re.compile(r"-?\d{1,10}|(?:-?\d{1,10}\*)?[A-Z](?:\*[A-Z])*")


class Size:
    """A size that depends on named sizes. As a number it is larger than any: what is traced takes the general path."""

    __slots__ = ("_key", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._key = tuple(sorted(terms.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __gt__(self, other: int) -> bool:
        return True

    __ge__ = __gt__

    def __lt__(self, other: int) -> bool:
        return False

    __le__ = __lt__

    def __add__(self, other: AnySize) -> AnySize:
        terms = dict(self.terms)
        for names, coefficient in terms_of(other).items():
            terms[names] = terms.get(names, 0) + coefficient
        return simplest(terms)

    def __mul__(self, other: AnySize) -> AnySize:
        terms: Terms = {}
        for names, coefficient in self.terms.items():
            for others, factor in terms_of(other).items():
                both = tuple(sorted((*names, *others)))
                terms[both] = terms.get(both, 0) + coefficient * factor
        return simplest(terms)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> AnySize:
        return self * -1

    def __sub__(self, other: AnySize) -> AnySize:
        return self + -other

    def __rsub__(self, other: AnySize) -> AnySize:
        return -self + other

    def __floordiv__(self, other: AnySize) -> AnySize:
        return exact_quotient(self, other)

    def __repr__(self) -> str:
        return text_of(self)


AnySize: TypeAlias = int | Size
"""A number, or a size that depends on named sizes."""


def terms_of(size: AnySize) -> Terms:
    """The terms of a size."""
    return size.terms if isinstance(size, Size) else {(): int(size)} if size else {}


def simplest(terms: Terms) -> AnySize:
    """The size of these terms: a number if it depends on nothing."""
    left = {names: coefficient for names, coefficient in terms.items() if coefficient}
    if not left:
        return 0
    return left[()] if left.keys() == {()} else Size(left)


def exact_quotient(size: AnySize, divisor: AnySize) -> AnySize:
    """A size divided by a product of sizes, without remainder. ValueError if that is impossible."""
    parts = terms_of(divisor)
    if len(parts) != 1:
        raise ValueError(f"{size} can't be divided by {divisor}")
    ((factors, divisor_coefficient),) = parts.items()
    terms: Terms = {}
    for names, coefficient in terms_of(size).items():
        left = list(names)
        for name in factors:
            if name not in left:
                raise ValueError(f"{size} is no multiple of {divisor}")
            left.remove(name)
        if coefficient % divisor_coefficient:
            raise ValueError(f"{size} is no multiple of {divisor}")
        terms[tuple(left)] = coefficient // divisor_coefficient
    return simplest(terms)


def is_at_most(size: AnySize, other: AnySize) -> bool:
    """Whether one size is at most the other whatever the named sizes are."""
    return all(coefficient >= 0 for coefficient in terms_of(other - size).values())


def product_of(sizes: tuple[AnySize, ...]) -> AnySize:
    """The product of these sizes: the number of elements of an array."""
    found: AnySize = 1
    for size in sizes:
        found = found * size
    return found


def value_of(size: AnySize, sizes: Mapping[str, int]) -> int:
    """The number that a size is for these named sizes."""
    if isinstance(size, int):
        return size
    total = 0
    for names, coefficient in size.terms.items():
        for name in names:
            coefficient *= sizes[name]
        total += coefficient
    return total


def text_of(size: AnySize) -> str:
    """The size as a sum of products: `2*B*S+1`."""
    found = []
    for names, coefficient in terms_of(size).items():
        factors = [] if names and coefficient == 1 else [str(coefficient)]
        found.append("*".join([*factors, *names]))
    return "+".join(found) or "0"


def read_size(value: object) -> AnySize:
    """The size that JSON has as a number or as a sum of products. ValueError for anything else."""
    if type(value) is int and abs(value) < LARGEST:
        return value
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError("must be a number below 2**31, or a sum of products of named sizes")
    terms = value.split("+")
    if len(terms) > MAX_TERMS or not all(_TERM.fullmatch(term) for term in terms):
        raise ValueError(f"{value!r} is no sum of products of named sizes")
    total: AnySize = 0
    for term in terms:
        factors = term.split("*")
        if len(factors) > MAX_FACTORS:
            raise ValueError(f"{value!r} has more than {MAX_FACTORS} factors")
        part: AnySize = 1
        for factor in factors:
            if factor.isalpha() and factor not in NAMES:
                raise ValueError(f"{value!r} has an unknown size, {factor}")
            part = part * (Size({(factor,): 1}) if factor.isalpha() else int(factor))
        total = total + part
    if any(abs(coefficient) >= LARGEST for coefficient in terms_of(total).values()):
        raise ValueError(f"{value!r} is too large")
    return total
