"""Lists of texts in JSON: several targets, or the tokens of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

from seq2see.data.advice import piped
from seq2see.data.json_paths import Path
from seq2see.data.options import TableOptions, flags_of

_OF_TARGETS = frozenset((
    "answer", "answers", "captions", "completions", "gold", "golds", "highlights", "paraphrases",
    "pronunciations", "readings", "references", "refs", "replies", "responses", "summaries",
    "transcriptions", "translations",
))  # fmt: skip
"""What a list is usually called of which each text is a target, whatever the texts are."""
_LONGEST_SYMBOL = 3
"""Characters of a symbol, such as AH0 in a pronunciation."""
_MAX_REPEATING = 0.05
"""Share of lists of different targets in which a text is there twice, by mistake."""
_MIN_SHARE = 0.5
_JOIN = """jq -c '(.. | arrays | select(length > 0 and all(. == null or type == "string"))) |= join(" ")'"""


def is_list_of_texts(value: Any) -> bool:
    """Whether this is a list of strings and nulls, and of nothing else."""
    return isinstance(value, list) and all(each is None or isinstance(each, str) for each in value)


def filled_places(values: Sequence[Any]) -> list[int]:
    """The indices of all items of a list but blank texts and nulls."""
    return [
        at for at, each in enumerate(values) if each is not None and not (isinstance(each, str) and not each.strip())
    ]


def are_targets(path: Path, lists: Sequence[Sequence[str | None]]) -> bool:
    """Whether each text of these lists, which are all at one place, is a target, rather than a token of one target.

    The name of the list says so, or the texts are different ones in nearly every list, and longer than symbols.
    """
    names = [str(key).casefold() for key in path if isinstance(key, str)]
    name = names[-2] if names[-1:] == ["text"] and len(names) > 1 else "".join(names[-1:])
    if name in _OF_TARGETS:
        return True
    texts = [[each.strip() for each in own if each is not None and each.strip()] for own in lists]
    several = [own for own in texts if len(own) > 1]
    if sum(len(set(own)) < len(own) for own in several) > _MAX_REPEATING * len(several):
        return False
    items = [each for own in several for each in own]
    num_letters = sum(len(each) == 1 for each in items)
    are_symbols = all(len(each) <= _LONGEST_SYMBOL and len(each.split()) == 1 for each in items)
    return not items or not (are_symbols or num_letters > _MIN_SHARE * len(items))


def tokens_fix(source: Sequence[str], target: str, where: str) -> str:
    """What to do with a file of JSON of which the target, at the key of this name, is a list of tokens."""
    first = " ".join(flags_of(TableOptions(tuple(source), f"{target}.1")))
    kind = "".join(File(where.removesuffix(".gz")).suffixes[-1:])
    fix = f"read the first text of each list: {first}"
    return (
        fix
        if kind == ".parquet"
        else f"if they are tokens, write each list as one string: {piped(where, _JOIN, f'-joined{kind}')}; or {fix}"
    )
