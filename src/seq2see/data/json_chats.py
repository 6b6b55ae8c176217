"""Conversations in JSON, in the usual forms: their messages, each with its reply and what came before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2see.data.json_paths import Path, value_at
from seq2see.text.turns import NUM_TURNS, written_turns

HISTORY, MESSAGE, REPLY = "history", "message", "reply"
"""What the columns of a conversation are called."""
_TURNS = (("role", "content"), ("from", "value"))
"""What chats call who says something, and what is said."""
_PERSONS = ("user", "human", "prompter")
_NO_REPLY = ("system", "developer", "tool", "function")
"""Whose turns are left out."""
_MIN_SHARE = 0.5


def conversation_path(values: Sequence[Any]) -> Path | None:
    """Where most of these values have a conversation with a reply; None if they have none."""
    first = next((path for value in values[:1] if (path := _find(value)) is not None), None)
    if first is None or sum(bool(messages_at(value, first)) for value in values) <= _MIN_SHARE * len(values):
        return None
    return first


def messages_at(value: Any, path: Path, *, has_reply: bool = True) -> list[dict[str, Any]]:
    """A row for each message of a person: the turns before it, the message, its reply, and the value's other keys.

    With `has_reply` only messages that are answered by the next turn.
    """
    turns = _turns(value_at(value, path))
    others = {key: each for key, each in value.items() if key != path[0]} if isinstance(value, dict) else {}
    found = []
    for at, (is_person, text) in enumerate(turns):
        is_answered = at + 1 < len(turns) and not turns[at + 1][0]
        if not is_person or (has_reply and not is_answered):
            continue
        history = written_turns([said for _, said in turns[max(0, at - NUM_TURNS) : at]])
        row = {**others, HISTORY: history, MESSAGE: text}
        found.append({**row, REPLY: turns[at + 1][1]} if is_answered else row)
    return found


def _turns(conversation: Any) -> list[tuple[bool, str]]:
    """Whether a person says it, and what is said, of each turn that is a text and no instruction; none of no chat."""
    if not isinstance(conversation, list) or not all(isinstance(turn, dict) for turn in conversation):
        return []
    speaker, said = next((names for names in _TURNS if conversation and names[0] in conversation[0]), _TURNS[0])
    return [
        (turn[speaker] in _PERSONS, text)
        for turn in conversation
        if isinstance(text := turn.get(said), str) and text.strip() and turn.get(speaker) not in (None, *_NO_REPLY)
    ]


def _find(value: Any, before: Path = ()) -> Path | None:
    """Where a value has its first conversation with a reply."""
    for key, each in value.items() if isinstance(value, dict) else ():
        path = (*before, key)
        if messages_at({"": each}, ("",)):
            return path
        if (found := _find(each, path)) is not None:
            return found
    return None
