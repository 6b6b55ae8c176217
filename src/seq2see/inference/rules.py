"""What the answer to each text must satisfy, in the ids of a model: the options of a call and the text's own."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seq2see.errors import ConfigError, DataError, UserError
from seq2see.inference.glossary import TermFinder, text_field
from seq2see.inference.notes import Cause, UnknownTextWarning
from seq2see.inference.options import CONFLICTS_WITH_SAMPLING, NO_CONSTRAINTS, Constraints, GenerationOptions
from seq2see.inference.requests import Request
from seq2see.text import UNK, Codec
from seq2see.text.protected import MAX_SECONDS, compile_pattern

NUM_SHOWN = 5
"""Terms that a warning names."""
FROM_SOURCE = {
    "min_ratio": "use min_length",
    "max_ratio": "use max_length",
    "placeholders": "use contain",
    "glossary": "use contain",
}
"""Options that depend on the source, and what there is without one."""

Ids = tuple[int, ...]


class Rules(NamedTuple):
    """What one answer must satisfy."""

    prefix: Ids = ()
    contain: tuple[Ids, ...] = ()
    forbid: tuple[str, ...] = ()
    """As texts, since no segmentation of them may occur."""
    min_length: int | None = None
    max_length: int | None = None

    @property
    def num_fixed(self) -> int:
        """The tokens that the prefix, or the longest phrase that has to occur, takes up, EOS counted."""
        return 1 + max(map(len, (self.prefix, *self.contain)))


class RuleMaker:
    """Makes the rules of each text of a call.

    ConfigError, when it is made, for options that this model doesn't support, whatever the texts are.
    """

    def __init__(
        self,
        options: GenerationOptions,
        source_codec: Codec | None,
        codec: Codec,
        *,
        max_length: int,
        max_positions: int | None,
    ) -> None:
        self.options = options
        self.has_source = source_codec is not None
        self.codec = codec
        self.max_length = max_length
        self.max_positions = max_positions
        self.min_length = 2 if self.has_source else None
        """By default: a token and EOS, since no target in training is empty."""
        self.pattern = None
        if options.placeholders:
            self.pattern = compile_pattern(options.placeholders, where="placeholders", may_be_empty=True)
        read = source_codec or codec
        self.finder = None
        if options.glossary is not None:
            self.finder = TermFinder(options.glossary, read.normalize, text_field(read.tokenizer).normalize)
        self.notes = TermNotes()
        for name, fix in FROM_SOURCE.items():
            if not self.has_source and getattr(options, name):
                raise ConfigError("unsupported by a language model, which has no source", where=name, fix=fix)
        self.shared = self._rules(options, {})

    def require_supported(self, names: Container[str]) -> None:
        """ConfigError for a constraint per text that no text can have."""
        self._require_supported(
            Constraints(prefix="a" if "prefix" in names else "", contain=("a",) if "contain" in names else ())
        )

    def rules_of_all(
        self, requests: Sequence[Request], places: Sequence[str]
    ) -> tuple[list[Rules], dict[int, DataError]]:
        """The rules of each request, and by row why those that can't be met can't; `places` name the texts."""
        found, refused = [], {}
        for row, (request, place) in enumerate(zip(requests, places, strict=True)):
            rules = self.shared
            if request.error is not None:
                refused[row] = request.error
            else:
                try:
                    rules = self.rules_of(request, place)
                except UserError as error:
                    what = f"{error.where}: {error.what}" if error.where not in ("", place) else error.what
                    refused[row] = DataError(what, where=place, fix=error.fix)
            found.append(rules)
        return found, refused

    def rules_of(self, request: Request, place: str) -> Rules:
        """The rules of the text at this place. ConfigError, named by the option, for those that can't be met."""
        has_own = request.own is not NO_CONSTRAINTS
        if not has_own and self.pattern is None and self.finder is None:
            return self.shared
        own = self.options.with_own(request.own) if has_own else self.options
        copied = self._placeholders(request.text)
        return self._rules(own, dict.fromkeys(self._terms(request.text, place), "glossary") | copied)

    def _rules(self, wanted: Constraints, more: dict[str, str]) -> Rules:
        """The rules of these constraints, and of `more` texts to contain, each with its option."""
        self._require_supported(wanted)
        for text in wanted.forbid:
            if len(self.codec.encode(text)) == 1:
                raise ConfigError(f"{text!r} has no tokens", where="forbid", fix="leave it out")
        options = more | dict.fromkeys(wanted.contain, "contain")
        phrases = {known_ids(self.codec, text, where=option): option for text, option in options.items()}
        if () in phrases:
            raise ConfigError("a text without tokens is in every answer", where=phrases[()], fix="leave it out")
        prefix = known_ids(self.codec, self.codec.tokenizer.beginning(wanted.prefix), where="prefix")
        rules = Rules(prefix, tuple(phrases), wanted.forbid, wanted.min_length or self.min_length, wanted.max_length)
        self._require_room(rules, "prefix" if 1 + len(prefix) == rules.num_fixed else phrases[max(phrases, key=len)])
        return rules

    def _require_supported(self, wanted: Constraints) -> None:
        if wanted.prefix and not self.has_source:
            what = "unsupported by a language model, which continues its text"
            raise ConfigError(what, where="prefix", fix="give the prefix as the text")
        spelled = "decomposed" in self.codec.tokenizer.title
        for name in ("prefix", "contain", "forbid", "placeholders", "glossary") if spelled else ():
            if getattr(wanted, name, None):
                what = "unsupported for decomposed targets, whose letters may join what follows"
                raise ConfigError(what, where=name, fix="leave it out, or train with text.target=characters")
        if wanted.contain and self.options.sample:
            raise ConfigError(CONFLICTS_WITH_SAMPLING, where="contain", fix="choose one of the two")

    def _require_room(self, rules: Rules, longest: str) -> None:
        """ConfigError for rules that no answer of this model is long enough for; `longest` is the option to blame."""
        most = rules.max_length or self.max_length
        if self.max_positions is not None:
            most = min(most, self.max_positions)
            if (rules.min_length or 0) > self.max_positions:
                what = f"must be at most the model's {self.max_positions} positions, not {rules.min_length}"
                raise ConfigError(what, where="min_length", fix=f"give {self.max_positions} or less")
        if (fixed := rules.num_fixed) > most:
            raise ConfigError(
                f"its {fixed - 1} tokens and EOS are more than the longest answer has, {most}",
                where=longest,
                fix=f"give a max_length of at least {fixed}, or a shorter text",
            )

    def _placeholders(self, text: str) -> dict[str, str]:
        """The placeholders of a text. ConfigError for one that the model can't write as it is."""
        if self.pattern is None:
            return {}
        try:
            matches = [match[0] for match in self.pattern.finditer(text, timeout=MAX_SECONDS, concurrent=True)]
        except (TimeoutError, MemoryError):
            what = f"took more than {MAX_SECONDS} seconds, or all memory, to match {len(text):,} characters"
            fix = "use a pattern without repetitions of repetitions"
            raise ConfigError(what, where="placeholders", fix=fix) from None
        found = dict.fromkeys((match for match in matches if match.strip()), "placeholders")
        for placeholder in found:
            written = self.codec.decode(known_ids(self.codec, placeholder, where="placeholders"))
            if written != placeholder:
                what = f"{placeholder!r} can't stand unchanged in an answer, where it is {written!r}"
                fix = "use a pattern of texts that the model writes as they are"
                raise ConfigError(what, where="placeholders", fix=fix)
        return found

    def _terms(self, text: str, place: str) -> Iterator[str]:
        """The target terms of a text, without those that can't be written, which are noted."""
        for match in self.finder.matches(text) if self.finder is not None else ():
            if unknown := self.codec.unknown(match.target):
                self.notes.add(match.target, unknown, place)
            else:
                yield match.target


@dataclass
class TermNotes:
    """Collects the terms of a glossary that a model can't write, and warns of each once."""

    causes: dict[str, Cause] = field(default_factory=dict)
    """By term and what of it is unknown."""
    said: set[str] = field(default_factory=set)

    def add(self, term: str, unknown: list[str], place: str) -> None:
        """Count the text at this place, which needs the term."""
        line = f"{term!r} ({', '.join(map(repr, dict.fromkeys(unknown)))} was not in the training data"
        self.causes.setdefault(line, Cause()).add(place)

    def lines(self) -> list[str]:
        """One line about those that haven't been said; none if there are none."""
        new = [line for line in self.causes if line not in self.said]
        if not new:
            return []
        self.said.update(new)
        shown = "; ".join(f"{line}; first: {self.causes[line].first})" for line in new[:NUM_SHOWN])
        more = f" and {len(new) - NUM_SHOWN:,} more" if len(new) > NUM_SHOWN else ""
        what = "terms of the glossary that the model can't write, so that no answer has to contain them"
        return [f"{what}: {shown}{more}"]

    def warn(self, *, stacklevel: int) -> None:
        """Warn of those that haven't been said, at this level above the caller."""
        for line in self.lines():
            warnings.warn(line, UnknownTextWarning, stacklevel=stacklevel + 1)


def known_ids(codec: Codec, text: str, *, where: str) -> Ids:
    """The ids of a text without EOS; ConfigError where the model can't write it."""
    ids = codec.encode(text)[:-1]
    if UNK in ids:
        shown = ", ".join(map(repr, codec.unknown(text)))
        raise ConfigError(
            f"{shown} was not in the model's training data", where=where, fix="use what is in its training data"
        )
    return tuple(ids)
