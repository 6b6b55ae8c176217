"""One JSON value with all pairs in it, as a value per row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seq2see.data.header import USUAL
from seq2see.data.json_chats import conversation_path
from seq2see.data.json_lists import are_targets, filled_places, is_list_of_texts

BEFORE = "\ufeff \t\r\n"
"""What may stand before a value."""
_MANY_KEYS = 20
"""Keys of an object on a single line from which it may be a dictionary, and not a row with as many columns."""
_MIN_ROWS = 3
"""Of a table by column; fewer may be a pair of lists of tokens."""


def lines_of_container(text: str) -> list[str] | None:
    """One line of JSON per element of a text that is one array, or one object of sources and targets; else None."""
    filled = [line for line in text.lstrip(BEFORE).split("\n", 2)[:2] if line.strip()]
    if not filled or (len(filled) > 1 and parsed(filled[0]) is not None and parsed(filled[1]) is not None):
        return None
    whole = parsed(text.lstrip(BEFORE))
    if is_series(whole) and len(filled) == 1:
        return None
    if conversation_path([whole], has_reply=False) is not None:
        return [json.dumps(whole, ensure_ascii=False)]
    if isinstance(whole, list) and (len(whole) != 2 or not all(isinstance(each, str) for each in whole)):
        return [json.dumps(each, ensure_ascii=False) for each in whole]
    if isinstance(whole, dict) and (rows := _rows_of_columns(whole)):
        return [json.dumps(row, ensure_ascii=False) for row in rows]
    if isinstance(whole, dict) and (rows := _questions_in(whole)):
        return [json.dumps(row, ensure_ascii=False) for row in rows]
    if isinstance(whole, dict) and (len(filled) > 1 or len(whole) > _MANY_KEYS or _is_wrapped(whole)):
        if _is_dictionary(whole):
            return [json.dumps(row, ensure_ascii=False) for row in _rows_of_dictionary(whole)]
        for each in whole.values():  # such as {"data": [...]}
            if isinstance(each, list) and each and isinstance(each[0], dict):
                return [json.dumps(item, ensure_ascii=False) for item in each]
        return [json.dumps(whole, ensure_ascii=False)]
    return None


def parsed(text: str) -> Any:
    """The value of a text of JSON, None if it is invalid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parsed_beginning(text: str) -> tuple[Any, str]:
    """The value that a text begins with, and what follows it; None and the text if that isn't a whole value."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, text
    return value, text[end:]


def is_series(value: Any) -> bool:
    """Whether this is a list of numbers, or of vectors of numbers, as far as its first element but null shows."""
    while isinstance(value, list) and value:
        value = value[0] if value[0] is not None else next((each for each in value if each is not None), None)
        if isinstance(value, int | float):
            return True
    return False


def _is_dictionary(value: dict[str, Any]) -> bool:
    """Whether an object has sources as keys and targets, or lists of them, as values, and is not a pair."""
    names = {name for pair in USUAL for name in pair}
    return (
        len(value) > 2
        and all(isinstance(each, str) or is_list_of_texts(each) for each in value.values())
        and not any(key.casefold() in names for key in value)
    )


def _rows_of_dictionary(whole: dict[str, Any]) -> list[Any]:
    """A source and a target each, of which a list has several; objects with the lists if these are of tokens."""
    lists = {key: [own] if isinstance(own, str) else own for key, own in whole.items()}
    if not are_targets((), list(lists.values())):
        return [{"source": key, "target": own} for key, own in whole.items()]
    return [(key, own[at]) for key, own in lists.items() for at in filled_places(own)]


def _is_wrapped(whole: dict[str, Any]) -> bool:
    """Whether an object only holds the list of the rows, with at most one text beside it."""
    lists = [each for each in whole.values() if isinstance(each, list) and len(each) > 1]
    texts = [each for each in whole.values() if isinstance(each, str)]
    return len(lists) == 1 and len(texts) < 2 and all(isinstance(row, dict) for row in lists[0])


def _questions_in(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The questions of SQuAD, which are nested in paragraphs of articles: a row each, with its context and answers."""
    articles = whole.get("data")
    if not isinstance(articles, list) or not all(isinstance(each, dict) and "paragraphs" in each for each in articles):
        return []
    try:
        return [
            {
                "context": paragraph["context"],
                "question": each["question"],
                "answers": {"text": [answer["text"] for answer in each["answers"]]},
            }
            for article in articles
            for paragraph in article["paragraphs"]
            for each in paragraph["qas"]
        ]
    except (LookupError, TypeError):
        return []  # something else


def _rows_of_columns(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that an object has by column, as pandas writes it; none if it has no such table."""
    if isinstance(names := whole.get("columns"), list) and isinstance(rows := whole.get("data"), list):
        if all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return [dict(zip(map(str, names), row, strict=True)) for row in rows]
        return []
    columns = [list(each.values()) if isinstance(each, dict) else each for each in whole.values()]
    sizes = {len(each) if isinstance(each, list) else 0 for each in columns}
    if len(columns) < 2 or len(sizes) > 1 or min(sizes) < _MIN_ROWS or not all(map(_are_texts, columns[:2])):
        return []
    if len({tuple(each) for each in whole.values() if isinstance(each, dict)}) > 1:
        return []  # objects with other keys each: a dictionary of something
    return [dict(zip(whole, row, strict=True)) for row in zip(*columns, strict=True)]


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(each, str) for each in values)
