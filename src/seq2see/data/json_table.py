"""JSON as pairs: one value per line, of which two texts are source and target."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seq2see.console import counted
from seq2see.data.cells import are_labels, are_numbers, is_constant
from seq2see.data.header import BESIDE, IDENTIFIERS, USUAL, usual_columns
from seq2see.data.json_chats import HISTORY, MESSAGE, REPLY, conversation_path, messages_at
from seq2see.data.json_container import BEFORE, is_series, parsed, parsed_beginning
from seq2see.data.json_lists import are_targets, filled_places, is_list_of_texts, tokens_fix
from seq2see.data.json_paths import Path, path_called, path_name, value_at
from seq2see.data.lines import Line, LineError, other_columns, require_text, text_of
from seq2see.data.options import whole_names
from seq2see.data.table import Row, Rows
from seq2see.errors import DataError, did_you_mean
from seq2see.printable import listed, quoted

_MIN_SHARE = 0.5
_DEPTH = 2
"""Levels down to which two texts are a pair whatever they are called, if they are beside each other or alone."""
_DEEPEST = 8
"""Levels down to which texts are found by their names."""
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
_EXAMPLE = 'write one object per line: {"source": "...", "target": "..."}'


class UnknownColumnError(DataError):
    """A column or key that was asked for and isn't there; `names` are those that are, empty without a header.

    `is_missing` says that the table has fewer columns.
    """

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", names: Iterable[str] = (), is_missing: bool = False
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.names = tuple(names)
        self.is_missing = is_missing


@dataclass(frozen=True)
class JsonFormat:
    """Where the sides of a pair are in each value."""

    source: tuple[Path, ...] = (("source",),)
    """None for a language model."""
    target: Path | None = ("target",)
    """None where only sources are read."""
    extra: tuple[Path, ...] = ()
    is_given: bool = False
    unused: tuple[str, ...] = ()
    """Other keys, which are left out."""
    likely: tuple[Path, ...] = field(default=(), compare=False)
    """Texts that may be source and target, or the text alone, to be named where those that are read are missing."""
    has_lists: bool = False
    """Whether the target is a list of texts in most values, each of which makes a pair with the source."""
    if_tokens: str = field(default="", compare=False)
    """What to do if all targets are lists: of tokens, as it seems, if this is not empty."""
    conversation: Path | None = None
    """Where a value has its conversation, if it is read as a row for each reply."""
    kind: str = "JSON"
    """What the file is called from which the lines were made."""
    num_untranslated: int = field(default=0, compare=False)
    """Of the units of a translation memory that the format was told from, those that lack a side."""

    def of_kind(self, kind: str, head: Sequence[str]) -> JsonFormat:
        """The same format of lines that were made from such a file, and begin so."""
        made = replace(self, kind=kind)
        return replace(made, num_untranslated=sum(made.is_untranslated(parsed(line)) for line in head))

    def is_untranslated(self, value: Any) -> bool:
        """Whether this is a unit of a translation memory without a source or without a target, as many are."""
        if not self.source or self.target is None:
            return False
        if self.kind != "XLIFF" and (self.kind != "TMX" or self.source == (("source",),)):  # languages not told yet
            return False
        sides = (value_at(value, path) for path in (*self.source, self.target))
        return not all(isinstance(each, str) and each.strip() for each in sides)

    def rows(self, content: bytes, *, is_start: bool) -> Rows | None:
        """None: each line is parsed on its own."""
        return None

    def read(self, lines: Sequence[Line], *, is_start: bool) -> Iterator[tuple[Line, Row | LineError]]:
        """The rows one by one; a LineError for a line that is none."""
        for line in lines:
            try:
                value = _value_in(line)
                if not self.is_untranslated(value):
                    yield from ((line, row) for row in self.rows_of(value, line))
            except LineError as error:
                yield line, error

    def rows_of(self, value: Any, line: Line) -> list[Row]:
        """The rows in the value of a line: one per target, of which a list has several. Raises LineError."""
        if self.conversation is not None:
            messages = messages_at(value, self.conversation, has_reply=self.target is not None)
            if not messages:
                chat = repr(path_name(self.conversation)) if self.conversation else "the chat"
                what = f"{chat} has no message of a user{' with a reply' if self.target is not None else ''}"
                raise LineError(line, what, "add one, or remove the line", "json")
            of_message = replace(self, conversation=None)
            return [row for message in messages for row in of_message.rows_of(message, line)]
        source, goal = self.source, self.target
        if not (source and goal) and isinstance(value, dict) and "text" in value:  # texts alone, usually called so
            source = tuple(("text",) if path == ("source",) and "source" not in value else path for path in source)
            goal = ("text",) if goal == ("target",) and "target" not in value else goal
        texts = [_text_at(value, path, line, self.likely) for path in source]
        targets = [""] if goal is None else self._targets_at(value, goal, line)
        if self.target is not None:
            if self.source:
                names = ", ".join(map(path_name, self.source))
                require_text(" ".join(texts), names if len(self.source) == 1 else f"source ({names})", line)
            for target in targets:
                require_text(target, path_name(self.target), line)
        if len(texts) > 1:
            texts = [" ".join(text.split()) if "\t" in text else text for text in texts]
        extra = tuple(_label_at(value, path, line) for path in self.extra)
        return [Row("\t".join(texts), target, extra) for target in targets]

    def _targets_at(self, value: Any, goal: Path, line: Line) -> list[str]:
        """The different targets that are there."""
        found = value_at(value, goal)
        if not self.has_lists or not isinstance(found, list) or is_series(found):
            return [_text_at(value, goal, line, self.likely, self.if_tokens)]
        if not (places := filled_places(found)):
            what = "has no text" if found else "is an empty list"
            raise LineError(line, f"{path_name(goal)!r} {what}", "add a text, or remove the line", "json")
        return list(dict.fromkeys(_text_at(value, (*goal, at), line, self.likely) for at in places))

    def describe(self) -> str:
        """What is read, in one line; empty for source and target alone."""
        is_usual = self.source in ((), (("source",),)) and self.target in (None, ("target",))
        if is_usual and not (self.extra or self.num_untranslated or self.has_lists):
            return ""
        sides = [f"{listed(map(path_name, self.source))} as source"] if self.source else []
        each = ", each text of its lists" if self.has_lists else ""
        sides += [] if self.target is None else [f"{path_name(self.target)} as target{each}"]
        said = f"{self.kind}; {', '.join(sides)}"
        if self.unused:
            choice = other_columns(has_source=bool(self.source), has_target=self.target is not None)
            said += f"; left out: {listed(self.unused)}{choice}"
        if self.conversation is not None:
            chat = path_name(self.conversation) or "a chat"
            each = f"each reply in {chat}" if self.target is not None else f"the last message of a user in {chat}"
            said += f"; a row for {each}, without system messages"
        if num := self.num_untranslated:
            said += f"; {counted(num, 'unit')} without a translation left out"
        return said

    def chosen(self) -> dict[str, object]:
        """The options that read the same keys of another file."""
        if not replace(self, num_untranslated=0).describe():
            return {}
        found: dict[str, object] = {"source": tuple(map(path_name, self.source))}
        return found if self.target is None else {**found, "target": path_name(self.target)}


def json_format(
    head: Sequence[str],
    source: Sequence[str],
    target: str | None,
    extra: Sequence[str],
    *,
    where: str,
    has_source: bool,
    has_target: bool = True,
) -> JsonFormat:
    """The keys to read, given by name or found in these lines. DataError for a key that no line has."""
    values = [value for value in map(parsed, head) if value is not None]
    asked = (*source, *([] if target is None else [target]))
    conversation = conversation_path(values, has_reply=has_target)
    if conversation is not None and _are_of_conversation(asked, values, has_source=has_source):
        values = [row for value in values for row in messages_at(value, conversation, has_reply=has_target)]
        if asked and all(name.isdecimal() for name in asked):
            source, target = (HISTORY, MESSAGE)[-len(source) :], REPLY
        source, target = source or (HISTORY, MESSAGE), REPLY if target is None else target
    else:
        conversation = None
    chosen = _chosen_keys(values, source, target, extra, where, has_source=has_source, has_target=has_target)
    goal = chosen.target or ()
    found = [value_at(value, goal) for value in values] if goal else []
    if not _are_lists(found):
        return replace(chosen, conversation=conversation)
    of_list = re.compile(re.escape(path_name(goal)) + r"\.\d+")
    unused = tuple(name for name in chosen.unused if not of_list.fullmatch(name))
    has_lists = are_targets(goal, _lists_at(goal, values))
    if_tokens = "" if has_lists else tokens_fix(tuple(map(path_name, chosen.source)), path_name(goal), where)
    return replace(chosen, unused=unused, has_lists=has_lists, if_tokens=if_tokens, conversation=conversation)


def _are_of_conversation(asked: Sequence[str], values: Sequence[Any], *, has_source: bool) -> bool:
    """Whether one of these names, if any, is of a column of a conversation, and not of a key that the values have."""
    if asked and not all(name.isdecimal() for name in asked):
        own = {HISTORY, MESSAGE, REPLY}.intersection(asked)
        return bool(own) and not any(isinstance(value, dict) and name in value for value in values for name in own)
    is_free = not asked or _are_places(asked, values)
    return has_source and is_free and _paths_of_usual_names(values, _counts(values)) is None


def _counts(values: Sequence[Any]) -> Counter[Path]:
    """In how many of these values each path leads to a text."""
    return Counter(path for value in values for path in _paths_of_texts(value))


def _chosen_keys(
    values: Sequence[Any],
    source: Sequence[str],
    target: str | None,
    extra: Sequence[str],
    where: str,
    *,
    has_source: bool,
    has_target: bool,
) -> JsonFormat:
    """The keys of source and target that are given, or found in these values."""
    counts = _counts(values)

    def find(name: str) -> Path:
        for path in dict.fromkeys([(name,), path_called(name), *counts]):
            is_there = path in counts or any(value_at(value, path) is not None for value in values)
            if is_there and path_name(path) == name:
                return path
        if not values:
            return path_called(name)
        keys = dict.fromkeys(str(key) for value in values if isinstance(value, dict) for key in value)
        names = list(dict.fromkeys([*map(path_name, counts), *keys]))
        raise UnknownColumnError(f"unknown key {name!r}", where=where, fix=did_you_mean(name, names), names=names)

    own = tuple(map(find, extra))
    source = whole_names(source, map(path_name, counts))
    if has_source and has_target and _are_places((*source, *([target] if target is not None else [])), values):
        # Numbers are those of the columns of a table, as in a recipe: here the keys have usual names.
        usual = _paths_of_pair(values, counts)
        if usual is not None and len(usual[0]) == len(source):
            source, target = (), None
    if source or target is not None:
        paths: tuple[Path, ...] = tuple(map(find, source)) if has_source else ()
        if has_source and not paths:
            paths = (("source",),)
        goal: Path = ("target",)
        if target is not None:  # of texts to answer no line needs to have it
            goal = find(target) if has_target else path_called(target)
        if has_target and goal in paths:
            raise same_column(path_name(goal), where)
        unused = _others(values, (*paths, goal, *own))
        likely = _likely_pair(values, counts) if has_source else _likely_texts(values, counts)[:1]
        return JsonFormat(paths, goal if has_target else None, own, True, unused, likely)
    if not has_source:
        if any(counts[key,] > _MIN_SHARE * len(values) for key in ("target", "text")):
            return JsonFormat((), ("target",), own)
        texts = _likely_texts(values, counts)
        if len(texts) == 1:
            return JsonFormat((), texts[0], own, False, _others(values, (*texts, *own)))
        return JsonFormat((), ("target",), own, likely=texts[:1])
    if not has_target:
        named = _by_last_key(counts)
        first = next((named[name] for name, _ in USUAL if name in named), ("source",))
        return JsonFormat((first,), None, own)
    pair = _paths_of_pair(values, counts)
    if pair is None:
        return JsonFormat(extra=own, likely=_likely_pair(values, counts))
    chosen, goal = pair
    return JsonFormat(chosen, goal, own, False, _others(values, (*chosen, goal, *own)))


def same_column(name: str, where: str) -> DataError:
    """The error for a column on both sides."""
    fix = "name another column as --source or --target; to learn copies, write the column twice"
    return DataError(f"column {name} is source and target", where=where, fix=fix)


def _are_places(names: Sequence[str], values: Sequence[Any]) -> bool:
    """Whether names of columns are numbers, where all values are objects that have no such keys."""
    return bool(names and values) and all(
        name.isdecimal() and all(isinstance(value, dict) and name not in value for value in values) for name in names
    )


def is_json_text(lines: Sequence[str]) -> bool:
    """Whether the lines begin as JSON does, and as no table does, nor as texts that are series of numbers."""
    first = next((line for line in lines if line.strip(BEFORE)), "").lstrip(BEFORE)
    if re.match(r"\[\s*[\[{\"]", first) is None:
        return first.startswith('{"') or first.rstrip() in ("{", "[")
    value, rest = parsed_beginning(first)
    return value is None or not (rest.strip() or is_series(value))


def _paths_of_pair(values: Sequence[Any], counts: Counter[Path]) -> tuple[tuple[Path, ...], Path] | None:
    """Where source and target are in most of these values: by usual names, or the only two texts."""
    if found := _paths_of_usual_names(values, counts):
        return found
    usual = [each for each, count in counts.items() if count > _MIN_SHARE * len(values)]
    shallow = [each for each in usual if len(each) <= _DEPTH]
    if len(shallow) > 2:
        shallow = [each for each in shallow if not (each and each[-1] in IDENTIFIERS)]
    num_texts = sum(not (each and each[-1] in IDENTIFIERS) for each in usual)
    if len(shallow) != 2 or (num_texts > 2 and shallow[0][:-1] != shallow[1][:-1]):
        return None
    source, goal = shallow
    is_list = source[:-1] != goal[:-1] and goal[:-1] in _lists_among([goal], values)
    return (source,), goal[:-1] if is_list else goal


def _paths_of_usual_names(values: Sequence[Any], counts: Counter[Path]) -> tuple[tuple[Path, ...], Path] | None:
    """Where source and target have their usual names in most of these values.

    What else belongs to the source may be empty in most of them, such as the input of an instruction.
    """
    most = _MIN_SHARE * len(values)
    usual = [each for each, count in counts.items() if count > most]
    lists = _lists_among(usual, values)
    strings = Counter(path for value in values for path in _paths_of_texts(value, with_blank=True))
    for parent in dict.fromkeys(path[:at] for path in sorted(usual, key=len) for at in range(len(path))):
        depth = len(parent)
        own = [each for each in usual if each[:depth] == parent]
        paths = {path_name(each[depth:]).casefold(): each for each in own}
        paths = {name: each for name, each in paths.items() if name not in BESIDE}
        # These may be empty in most values, such as the input of an instruction.
        paths |= {name: (*parent, name) for name in BESIDE if strings[*parent, name] > most}
        # A list of texts may be the target, not the source.
        of_lists = {
            path_name(each[depth:]).casefold(): each for each in lists if each[:depth] == parent and each[depth:]
        }
        of_targets = {name: each for name, each in of_lists.items() if are_targets(each, _lists_at(each, values))}
        for names in ({**of_targets, **paths}, paths, {**of_lists, **paths}):
            if (found := _usual_pair(names)) and not lists.intersection(found[0]):
                return found
    if found := _usual_pair({name: each for name, each in _by_last_key(usual).items() if name not in BESIDE}):
        return found
    return None


def _lists_among(paths: Iterable[Path], values: Sequence[Any]) -> set[Path]:
    """The lists of texts that these paths lead into, where most values that have something there have such a list."""
    return {path[:-1] for path in paths if len(path) > 1 and _are_lists([value_at(each, path[:-1]) for each in values])}


def _lists_at(path: Path, values: Sequence[Any]) -> list[list[str | None]]:
    """The lists of texts that these values have there."""
    return [found for value in values if is_list_of_texts(found := value_at(value, path))]


def _are_lists(found: Sequence[Any]) -> bool:
    """Whether most of these values that are there are lists of texts."""
    there = [each for each in found if each is not None]
    return sum(is_list_of_texts(each) for each in there) > _MIN_SHARE * len(there)


def _likely_pair(values: Sequence[Any], counts: Counter[Path]) -> tuple[Path, ...]:
    """Two texts that may be source and target: those that are most like text.

    Labels, such as the name of a class, are targets; numbers and what is always the same come last. None if there is
    only one text.
    """
    texts = _texts(values, counts)
    labels = [each for each, cells in texts.items() if are_labels(cells) and not _are_no_texts(cells)]
    best = _likely_texts(values, counts)
    chosen = list(dict.fromkeys([*best, *labels, *texts]))[:2]
    if len(chosen) < 2:
        return ()
    is_of_labels = chosen[0] in best and chosen[1] in labels
    return tuple(chosen if is_of_labels else sorted(chosen, key=list(texts).index))


def _likely_texts(values: Sequence[Any], counts: Counter[Path]) -> tuple[Path, ...]:
    """Where most values have a text that is no label."""
    texts = _texts(values, counts)
    return tuple(each for each, cells in texts.items() if not (_are_no_texts(cells) or are_labels(cells)))


def _are_no_texts(cells: Sequence[str]) -> bool:
    return are_numbers(cells) or is_constant(cells)


def _texts(values: Sequence[Any], counts: Counter[Path]) -> dict[Path, list[str]]:
    """The texts that most values have, without identifiers, by their paths."""
    usual = [each for each, count in counts.items() if count > _MIN_SHARE * len(values)]
    return {
        each: [str(found) for value in values if (found := value_at(value, each)) is not None]
        for each in usual
        if not (each and each[-1] in IDENTIFIERS)
    }


def _usual_pair(paths: dict[str, Path]) -> tuple[tuple[Path, ...], Path] | None:
    """Where source and target are, if some of these names are usual ones."""
    if (found := usual_columns(list(paths))) is None:
        return None
    *source, target = (list(paths.values())[at] for at in (*found[0], found[1]))
    return tuple(source), target


def _by_last_key(paths: Iterable[Path]) -> dict[str, Path]:
    """The paths by their last keys; of several with the same one the least deep."""
    return {str(path[-1]).casefold(): path for path in sorted(paths, key=len, reverse=True) if path}


def _others(values: Sequence[Any], chosen: Iterable[Path]) -> tuple[str, ...]:
    """The first other texts and numbers, which are left out."""
    found = dict.fromkeys(path for value in values for path in _paths_of_texts(value, with_numbers=True))
    return tuple(path_name(path) for path in found if path not in set(chosen))[:8]


def _paths_of_texts(
    value: Any, before: Path = (), *, with_blank: bool = False, with_numbers: bool = False
) -> Iterator[Path]:
    """Where a value has strings that are not blank unless `with_blank`, series of numbers, and numbers if asked for."""
    if isinstance(value, str):
        if with_blank or value.strip():
            yield before
        return
    if isinstance(value, int | float) and with_numbers and before:
        yield before
        return
    if before and is_series(value):
        yield before
        return
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and len(value) < 9:
        items = enumerate(value)
    if len(before) < _DEEPEST:
        for key, each in items:
            yield from _paths_of_texts(each, (*before, key), with_blank=with_blank, with_numbers=with_numbers)


def _value_in(line: Line) -> Any:
    text = text_of(line)
    if not text.strip():
        raise LineError(line, "the line is blank", "remove it", "blank-lines")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LineError(line, f"invalid JSON: {error}", _EXAMPLE, "json") from None
    if not isinstance(value, dict | list):
        raise LineError(line, f"expected a JSON object, found {_kind_of(value)}", _EXAMPLE, "json")
    return value


def _kind_of(value: Any) -> str:
    """What JSON calls a value."""
    return _KINDS.get(type(value), "null")


def _text_at(value: Any, path: Path, line: Line, likely: Sequence[Path] = (), if_tokens: str = "") -> str:
    name = path_name(path)
    if isinstance(value, list) and isinstance(path[0], str):
        raise LineError(line, "expected a JSON object, found a list", _EXAMPLE, "json")
    inner = value_at(value, path[:-1])
    has_key = path[-1] in inner if isinstance(inner, dict) else value_at(inner, path[-1:]) is not None
    if not has_key:
        keys = ", ".join(map(repr, list(value)[:5] if isinstance(value, dict) else [])) or "none"
        names = [quoted(path_name(each)) for each in likely]
        others = f"choose others: --source {names[0]} --target {names[1]}" if len(names) > 1 else ""
        others = f"choose another: --target {names[0]}" if len(names) == 1 else others
        fix = f"add the key {name!r}, or remove the line"
        raise LineError(line, f"the key {name!r} is missing; found {keys}", fix, "json", others)
    text = value_at(value, path)
    if is_series(text):
        return json.dumps(text)
    if not isinstance(text, str):
        what = f"{name!r} must be a string, found {_kind_of(text)}"
        first = f"{name}.1"
        is_list = isinstance(text, list) and text and isinstance(text[0], str)
        fix = f"name one of the list: --source or --target {first}" if is_list else "write a text in quotation marks"
        fix += ", or remove the line"
        raise LineError(line, what, fix, "json", if_tokens if is_list else "")
    if "\0" in text:
        raise LineError(line, f"character {text.index(chr(0)) + 1} of {name!r} is NUL", "remove it", "json")
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"\\u{ord(text[error.start]):04x} in {name!r} is a lone surrogate"
        raise LineError(line, what, "write both surrogates of the pair, or remove it", "json") from None
    return text


def _label_at(value: Any, path: Path, line: Line) -> str:
    label = value_at(value, path)
    if label is None or isinstance(label, list | dict):
        what = f"{path_name(path)!r} is missing or not a string or number"
        raise LineError(line, what, f"add {path_name(path)!r} to each line", "json")
    return label if isinstance(label, str) else json.dumps(label)
