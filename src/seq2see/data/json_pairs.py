"""JSON that is not one object with source and target per line: its pairs, and the command that writes them so."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seq2see.data.advice import Advice, piped
from seq2see.data.programs import python

_USUAL = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("input", "output"), ("prompt", "completion"),
    ("prompt", "response"), ("instruction", "output"), ("question", "answer"), ("text", "summary"),
    ("document", "summary"), ("article", "summary"), ("word", "pronunciation"), ("word", "ipa"), ("lemma", "form"),
    ("incorrect", "correct"), ("original", "corrected"), ("text", "label"),
)  # fmt: skip
"""Usual names of source and target among other keys."""
_MAX_VALUES = 2_000
_MIN_SHARE = 0.5
_BEFORE = "\ufeff \t\r\n"
_LINES = "map(json.loads, filter(str.strip, sys.stdin))"
_ARRAY = "json.load(sys.stdin)"
_ITEMS = "json.load(sys.stdin).items()"

Path = tuple[str | int, ...]
"""The keys and indices that lead to a text."""


def json_advice(lines: Sequence[str], path: str) -> Advice | None:
    """The conversion of lines of JSON that are no pairs yet; None if they are not JSON, or no pairs are found in it."""
    if not is_json_text(lines):
        return None
    text = "\n".join(lines).lstrip(_BEFORE)
    filled = [line for line in lines if line.strip()]
    parsed = [value for value in map(_parsed, filled) if value is not None]
    if 2 * len(parsed) < len(filled) or (len(filled) == 1 and _is_container(parsed[0])):
        return _of_one_value(text, path)
    return _advice("the keys are others", parsed, _LINES, path)


def is_json_text(lines: Sequence[str]) -> bool:
    """Whether the lines begin as JSON does, and as no table does."""
    first = next((line for line in lines if line.strip(_BEFORE)), "").lstrip(_BEFORE)
    return first.startswith('{"') or (first.rstrip() in ("{", "[")) or re.match(r'\[\s*[\[{"]', first) is not None


def _of_one_value(text: str, path: str) -> Advice | None:
    """The conversion of a text that is one JSON array, or one object of sources and targets."""
    if text.startswith("["):
        return _advice("it is one JSON array, not one object per line", list(_elements(text)), _ARRAY, path)
    whole = _parsed(text)
    if not isinstance(whole, dict):
        return None
    what = "it is one JSON object, not one per line"
    return _advice(what, [list(item) for item in whole.items()], _ITEMS, path)


def _advice(what: str, values: Sequence[Any], read: str, path: str) -> Advice | None:
    paths = _paths_of_pair(values)
    if paths is None:
        return None
    if paths == (("source",), ("target",)):
        if read == _LINES:
            return None
        pair, named = "x", "one object per line"
    else:
        found = [text for value in values for each in paths if isinstance(text := _at(value, each), str)]
        has_breaks = any("\n" in text or "\r" in text for text in found)
        source, target = (_expression(each, in_one_line=has_breaks) for each in paths)
        pair = f'{{"source": {source}, "target": {target}}}'
        named = " and ".join(".".join(map(str, each)) for each in paths) + " as source and target"
    steps = [f"[print(json.dumps({pair}, ensure_ascii=False)) for x in {read}]"]
    return Advice(what, f"write {named}", piped(path, python("json", steps), "-pairs.jsonl"))


def _paths_of_pair(values: Sequence[Any]) -> tuple[Path, Path] | None:
    """Where source and target are in most of these values: by usual names, or the first two texts."""
    most = _MIN_SHARE * len(values)
    counts = Counter(each for value in values for each in _paths_of_texts(value))
    usual = [each for each, count in counts.items() if count > most]
    for source, target in _USUAL:
        by_name = {str(each[-1]).casefold(): each for each in usual if each}
        if source in by_name and target in by_name:
            return by_name[source], by_name[target]
    return (usual[0], usual[1]) if len(usual) > 1 else None


def _paths_of_texts(value: Any, before: Path = ()) -> Iterator[Path]:
    """Where a value has strings that are not empty, at most two levels deep."""
    if isinstance(value, str):
        if value.strip():
            yield before
        return
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and len(value) == 2:
        items = enumerate(value)
    if len(before) < 2:
        for key, each in items:
            yield from _paths_of_texts(each, (*before, key))


def _elements(text: str) -> Iterator[Any]:
    """The first elements of an array, which may be cut off."""
    decoder, position = json.JSONDecoder(), 1
    for _ in range(_MAX_VALUES):
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield value


def _is_container(value: Any) -> bool:
    """Whether a value on the only line has the pairs, and is not a pair."""
    if isinstance(value, list):
        return len(value) > 2 or not all(isinstance(each, str) for each in value)
    names = {name for pair in _USUAL for name in pair}
    return isinstance(value, dict) and len(value) > 2 and not any(str(key).casefold() in names for key in value)


def _parsed(text: str) -> Any:
    """The value of a text of JSON, None if it is invalid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _at(value: Any, path: Path) -> Any:
    for key in path:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def _expression(path: Path, *, in_one_line: bool) -> str:
    text = "x" + "".join(f"[{json.dumps(key, ensure_ascii=False)}]" for key in path)
    return f'" ".join({text}.split())' if in_one_line else text
