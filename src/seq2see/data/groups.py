"""What dev pairs must not have in common with training pairs: the source, or one of its fields, such as the lemma."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seq2see.data.cells import are_labels, are_tags
from seq2see.data.pairs import Pair
from seq2see.errors import ConfigError, did_you_mean
from seq2see.printable import listed
from seq2see.text.fields import fields_of, num_fields
from seq2see.text.tokenizers import Case

GroupOption = int | str | None
"""The values of `data.group`: the number or name of a source column, or none."""
SAMPLED = 10_000
"""Sources, evenly spaced, from which the default is told."""
NO_GROUPS = "none"


@dataclass(frozen=True)
class Grouping:
    """What identifies the group of a pair."""

    field: int = 0
    """The number of a field of the source, from 1; 0 is the whole source."""
    case: Case = "keep"
    title: str = ""
    """What the field is called; by default by its number."""

    @property
    def name(self) -> str:
        """What is counted, for messages."""
        return f"values of {self.title or f'source field {self.field}'}" if self.field else "sources"

    def key(self, pair: Pair) -> str:
        """The group of a pair: in NFC, and without space around it; for a language model its text.

        A source whose field is empty is a group of its own.
        """
        text = (self.text(pair) if self.field else "") or pair.source
        key = unicodedata.normalize("NFC", text or pair.target or "").strip()
        return key.lower() if self.case == "fold" else key

    def text(self, pair: Pair) -> str:
        """The field of a pair; empty where it is missing."""
        fields = fields_of(pair.source)
        return fields[self.field - 1].strip() if 0 < self.field <= len(fields) else ""

    def draw(self, pair: Pair, seed: int) -> bytes:
        """A pseudo-random number of the group; the groups with the lowest are set aside."""
        return draw_of(self.key(pair), seed)


BY_SOURCE = Grouping()
"""Each source is a group."""


def grouping_of(
    asked: GroupOption,
    sources: Sequence[str],
    names: Sequence[str] = (),
    *,
    case: Case = "keep",
    has_source: bool = True,
    where: str = "data.group",
) -> Grouping:
    """The grouping that `data.group` asks for: by default by the first of several fields that isn't a label.

    `names` are those of the columns of the source. Raises ConfigError for a field that isn't there; `where` is the
    option.
    """
    if (asked == NO_GROUPS and where == "data.group") or (asked is None and not has_source):
        return Grouping(case=case)
    if not has_source:
        what = "names a field of the sources, and a language model has none"
        raise ConfigError(what, where=where, fix="remove it")
    num = num_fields(sources)
    known = field_names(names, num)
    are_named = known == list(names)
    choices = [*(names if are_named else map(str, range(1, num + 1)))] if num > 1 else []
    choices += [NO_GROUPS] if where == "data.group" else []
    if isinstance(asked, str):
        if asked not in names:
            what = f"{asked!r:.80} is no column of the source"
            raise ConfigError(what, where=where, fix=did_you_mean(asked, choices) if choices else "leave it out")
        asked = names.index(asked) + 1
    if asked is not None and asked > num:
        of_columns = f" (columns {listed(names)})" if len(names) == num and not are_named else ""
        what = f"must be a field of the sources, 1 to {num} here{of_columns}, not {asked}" if num > 1 else ONE_FIELD
        fix = f"give one of {listed(choices)}" if num > 1 else "leave it out"
        if where == "data.group":
            fix += ", or leave it out: a field is chosen by how many values it has" if num > 1 else ""
        raise ConfigError(what, where=where, fix=fix)
    if num == 1:
        return Grouping(case=case)
    field = asked or usual_field(sources, num)
    return Grouping(field, case, known[field - 1])


def usual_field(sources: Sequence[str], num: int) -> int:
    """The number of the first field that isn't a label such as the language, by which a language would be set aside.

    It is 1 if all others are labels or tags, too: a lemma may have few values beside those of its tags.
    """
    sample = sources[:: 1 + len(sources) // SAMPLED]
    columns = list(zip(*(fields_of(source) for source in sample), strict=True))
    others = (at for at in range(num) if not (are_labels(columns[at]) or (at and are_tags(columns[at]))))
    return 1 + next(others, 0)


def field_names(names: Sequence[str], num: int) -> list[str]:
    """What `num` fields are called: by the names of their columns, or by their numbers."""
    if len(names) == num and not any(name.isdecimal() for name in names):
        return list(names)
    return [f"source field {number}" for number in range(1, num + 1)]


ONE_FIELD = "names a field of the sources, and these have only one: each source is a group"


def draw_of(key: str, seed: int) -> bytes:
    """A pseudo-random number, independent of the process and of the versions of Python and NumPy."""
    return hashlib.blake2b(f"{seed} {key}".encode(errors="surrogatepass"), digest_size=8).digest()


def shared_line(grouping: Grouping, dev: Sequence[Pair], trained: Iterable[str]) -> str:
    """How many groups of dev are among those `trained` on; nothing where each source is a group."""
    if not grouping.field:
        return ""
    groups = set(map(grouping.key, dev))
    shared = len(groups & set(trained))
    return (
        f"note: {shared:,} of the {len(groups):,} {grouping.name} in dev are also in train "
        "(seq2see evaluate --by seen scores them apart)"
    )
