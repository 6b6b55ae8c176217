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
_NO_REPLY = ("system", "developer", "tool", "function", "function_call", "observation")
"""Whose turns are left out."""
_MIN_SHARE = 0.5


def conversation_path(values: Sequence[Any], *, has_reply: bool = True) -> Path | None:
    """Where most of these values have a conversation with a reply, or with any message of a person; None if they don't.

    The path is empty where the values are conversations themselves.
    """
    paths = dict.fromkeys(path for value in values if (path := _find(value, has_reply=has_reply)) is not None)
    for path in paths:
        if sum(bool(messages_at(value, path, has_reply=has_reply)) for value in values) > _MIN_SHARE * len(values):
            return path
    return None


def messages_at(value: Any, path: Path, *, has_reply: bool = True) -> list[dict[str, Any]]:
    """A row for each message of a person that the next turn answers: the turns before it, the message and its reply.

    Without `has_reply` a row for the last message of a person, which is to be answered. The value's other keys are in
    each row.
    """
    turns = _turns(value_at(value, path))
    others = {key: each for key, each in value.items() if key not in path[:1]} if isinstance(value, dict) else {}
    places = [at for at, (is_person, _) in enumerate(turns) if is_person]
    found = []
    for at in places if has_reply else places[-1:]:
        history = written_turns([said for _, said in turns[max(0, at - NUM_TURNS) : at]])
        row = {**others, HISTORY: history, MESSAGE: turns[at][1]}
        if not has_reply:
            found.append(row)
        elif at + 1 < len(turns) and not turns[at + 1][0]:
            found.append({**row, REPLY: turns[at + 1][1]})
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


def _find(value: Any, before: Path = (), *, has_reply: bool) -> Path | None:
    """Where a value has its first conversation with a reply, or with any message of a person."""
    if messages_at(value, (), has_reply=has_reply):
        return before
    for key, each in value.items() if isinstance(value, dict) else ():
        if (found := _find(each, (*before, key), has_reply=has_reply)) is not None:
            return found
    return None
