"""Long sources are cut to a number of tokens: the first of the text, or of the longest of its fields."""

from __future__ import annotations

from collections.abc import Sequence

from seq2see.text.fields import by_field, with_breaks


def truncated(tokens: list[str], most: int, *, has_fields: bool) -> list[str]:
    """The tokens, or the first `most` of them; of several fields, all have at most that many together."""
    if len(tokens) <= most:
        return tokens
    if not has_fields:
        return tokens[:most]
    fields = by_field(tokens)
    share = share_of(list(map(len, fields)), most)
    return with_breaks(field[:share] for field in fields)


def share_of(lengths: Sequence[int], most: int) -> int:
    """The most tokens that each field keeps: short fields keep all, and the others have equal shares of the rest."""
    rest = most
    for number, length in enumerate(sorted(lengths)):
        if length > (share := rest // (len(lengths) - number)):
            return share
        rest -= length
    return max(lengths)
