"""Pairs as a program gives them: paths of files, tuples, or `Pair`s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from seq2see.data.options import TableOptions
from seq2see.data.pairs import Pair, joined_columns
from seq2see.errors import DataError
from seq2see.printable import has_surrogates, one_line

Source: TypeAlias = str | tuple[str, ...] | list[str]
"""A text, or several columns."""
PairData: TypeAlias = (
    str | Path | Iterable[str | Path] | Iterable[tuple[Source, str]] | Iterable[Mapping[str, Any]] | Iterable[Pair]
)
"""A path (a table, JSON), two paths of parallel files, or (source, target) pairs, such as `zip(f["a"], f["b"])`.

A pair may also be a dict with the keys "source" and "target", and all pairs an array of texts with two columns.

A source may have several columns: `(("lemma", "V;PST"), "form")`."""


def paths_or_pairs(data: PairData, *, has_source: bool, where: str = "") -> tuple[list[Path], list[Pair]]:
    """The paths, or the pairs, each checked; the other list is empty. DataError for anything else, and for none.

    `where` is the argument that they are given as, for errors about all of them.
    """
    if isinstance(data, Mapping) or hasattr(data, "columns"):
        what = f"a {type(data).__name__} is neither a path nor pairs"
        raise DataError(
            what, where=where, fix='give pairs: zip(frame["source"], frame["target"]), or list(words.items()) of a dict'
        )
    if not isinstance(data, str | Path | Iterable):
        fix = "give a path, or a list of (source, target)"
        raise DataError(f"{data!r} is neither a path nor pairs", where=where, fix=fix)
    items: list[object] = [data] if isinstance(data, str | Path) else list(data)
    if items and all(isinstance(item, str | Path) for item in items):
        return [Path(str(item)) for item in items], []
    return [], as_pairs(items, has_source=has_source, where=where)


def pairs_of(
    data: PairData,
    *,
    has_source: bool,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    known: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> list[Pair]:
    """The pairs themselves, those of files read. DataError for what can't be read, naming file and line."""
    from seq2see.data.reading import read_pairs

    paths, pairs = paths_or_pairs(data, has_source=has_source)
    return pairs or read_pairs(paths, columns="pairs" if has_source else "target", table=table, known=known).pairs


def with_joined_source(item: object) -> object:
    """The pair as a tuple, with several source columns joined by TAB, if they are texts without one."""
    if hasattr(item, "tolist") and not isinstance(item, str):  # a row of an array
        item = item.tolist()
    match item:
        case {"source": source, "target": target}:
            return with_joined_source((source, target))
        case (tuple(columns) | list(columns), target) if (text := joined_columns(columns)) is not None:
            return text, target
    return item


def as_pairs(items: Sequence[object], *, has_source: bool, where: str = "") -> list[Pair]:
    """Each item as a `Pair`; without `has_source` ("", text). DataError, naming the item, for one that is no pair."""
    pairs = []
    for number, item in enumerate(items, start=1):
        place = f"dev pair {number}" if where == "dev" else f"pair {number}"
        origin = (item.origin if isinstance(item, Pair) else "") or f"pair {number}"
        match with_joined_source(item[:2] if isinstance(item, Pair) else item):
            case (str(source), str(target)) if target.strip() and (source.strip() or not has_source):
                if has_surrogates(source + target):
                    fix = "convert both texts to UTF-8"
                    shown = f"'{one_line(source):.80}', '{one_line(target):.80}'"
                    raise DataError(f"{shown} is not UTF-8", where=place, fix=fix)
                pairs.append(Pair(source if has_source else "", target, origin))
            case _:
                fix = 'give ("source", "target"), both with text' if has_source else 'give ("", "text")'
                raise DataError(f"{item!r} is not a pair", where=place, fix=fix)
    if not pairs:
        fix = "give a path, or a list of (source, target)"
        fix += "; or leave it out, and a part of the data is set aside" if where == "dev" else ""
        raise DataError("there are no pairs", where=where, fix=fix)
    return pairs
