"""A glossary: the target terms that answers contain where their texts contain the source terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.errors import ConfigError, DataError
from seq2see.inference.checking import shown
from seq2see.text import Fields, Tags, Tokenizer, Values

if TYPE_CHECKING:
    from seq2see.data import Pair

WITHOUT_BLANKS = "Han Hiragana Katakana Thai Lao Khmer Myanmar"
"""Scripts that are written without blanks between words."""


class Glossary:
    """Source terms and the target term of each; equal glossaries are equal and have equal hashes."""

    def __init__(self, terms: Mapping[str, str], path: Path | None = None) -> None:
        self.path = path  # of the file that the terms are from
        self.terms = {term.strip(): target.strip() for term, target in terms.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Glossary) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __repr__(self) -> str:
        return f"<Glossary of {len(self.terms):,} terms>"

    @classmethod
    def of(cls, given: object) -> Glossary | None:
        """That of a mapping, or of a file with a source and a target term per line, as pairs are; None of none.

        ConfigError for anything else, UserError for a file that can't be read, or that has a term twice.
        """
        if given is None or isinstance(given, Glossary):
            return given
        if isinstance(given, str | Path) and str(given):
            from seq2see.data import read_pairs

            return cls(cls.of_pairs(read_pairs([Path(given)]).pairs).terms, Path(given))
        if not isinstance(given, Mapping):
            fix = 'give glossary={"term": "its translation"}, or the name of a file'
            raise ConfigError(f"must be a mapping or a path, not {shown(given)}", where="glossary", fix=fix)
        for term in (text for item in given.items() for text in item):
            if not isinstance(term, str) or not term.strip():
                raise ConfigError(f"must have texts as terms, not {shown(term)}", where="glossary", fix="leave it out")
        return cls(given)

    @classmethod
    def of_pairs(cls, pairs: Iterable[Pair]) -> Glossary:
        """That of pairs read from a file. DataError for a term with two targets."""
        found: dict[str, Pair] = {}
        for pair in pairs:
            first = found.setdefault(pair.source, pair)
            if first.target != pair.target:
                what = f"the term {pair.source!r} is {pair.target!r} here and {first.target!r} in {first.origin}"
                raise DataError(what, where=pair.origin, fix="keep one of the two lines")
        return cls({pair.source: pair.target or "" for pair in found.values()})


class Match(NamedTuple):
    """A term in a text, from one character up to another."""

    start: int
    end: int
    target: str


def text_field(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer of a text, or of the first field that is one; terms are looked for in that form."""
    if not isinstance(tokenizer, Fields):
        return tokenizer
    texts = [part for part in tokenizer.parts if not isinstance(part, Tags | Values)]
    if not texts:
        what = "needs a source with a field of text"
        raise ConfigError(what, where="glossary", fix="leave it out")
    return texts[0]


class TermFinder:
    """Finds the terms of a glossary in texts, both in the normal form of a model's texts, and in the case as it is.

    A term is found as whole words: neither end of it cuts a word in two. Scripts that are written without blanks have
    no words in this sense, so that a term is found anywhere in Chinese or Thai.
    """

    def __init__(
        self,
        glossary: Glossary,
        normalize: Callable[[str], str],
        normalize_term: Callable[[str], str] | None = None,
    ) -> None:
        """A term has the form of the text, unless that has several fields."""
        self.normalize = normalize
        self.targets = {(normalize_term or normalize)(term): target for term, target in glossary.terms.items()}
        self.lengths = sorted({len(term) for term in self.targets} - {0}, reverse=True)

    def matches(self, text: str) -> list[Match]:
        """The terms of a text in its order; of those that overlap the longest, and of equally long ones the first."""
        taken = bytearray(len(text := self.normalize(text)))
        found = []
        for match in self._all_matches(text):
            if not any(taken[match.start : match.end]):
                taken[match.start : match.end] = b"\1" * (match.end - match.start)
                found.append(match)
        return sorted(found)

    def _all_matches(self, text: str) -> Iterator[Match]:
        """Those that overlap too, the longest first."""
        inside = {place for word in words().finditer(text) for place in range(word.start() + 1, word.end())}
        starts = [place for place in range(len(text)) if place not in inside]
        for length in self.lengths:
            for start in starts:
                target = self.targets.get(text[start : start + length])
                if target is not None and (end := start + length) <= len(text) and end not in inside:
                    yield Match(start, end, target)


@lru_cache(maxsize=1)
def words() -> Any:
    """The pattern of a word in the scripts that have blanks between words."""
    import regex  # type: ignore[import-untyped]

    without = "".join(rf"\p{{Script={script}}}" for script in WITHOUT_BLANKS.split())
    return regex.compile(rf"(?V1)[\w--[{without}]]+")
