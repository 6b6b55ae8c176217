"""What a service says instead of an answer: problems as RFC 9457 has them, each with its place and a fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from seq2see.errors import UserError

MEDIA_TYPE = "application/problem+json"

_FLAG = re.compile(r"--([\w-]+)(?: (\d[\w.]*|\w+(?= \()))?(?: \(\w+(?:=([^()]*))?\))?")
"""In a fix, a flag of the command, perhaps with the argument of Python: --beam 5 (beam=5)."""
_WORDS = {"True": "true", "False": "false", "None": "null"}
_PLACE = re.compile(r"^(text|pair) (\d+)$")


class ProblemError(Exception):
    """Why a request has no answer: `status` of HTTP, `what`, `where` in the request, and `fix`."""

    def __init__(
        self, status: int, what: str, *, where: str = "", fix: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.where = where
        self.fix = fix
        self.headers = dict(headers or {})

    @property
    def title(self) -> str:
        """What HTTP calls the status."""
        return HTTPStatus(self.status).phrase

    def content(self, request_id: str) -> dict[str, Any]:
        """As JSON."""
        return {
            "status": self.status,
            "title": self.title,
            "detail": self.what,
            **({"where": self.where} if self.where else {}),
            **({"fix": self.fix} if self.fix else {}),
            "request_id": request_id,
        }


def of_user_error(error: UserError, *, is_one_text: bool = False) -> ProblemError:
    """A mistake in a request, as the library tells it, with its place in the JSON."""
    where = place_in_json(error.where, is_one_text=is_one_text)
    return ProblemError(422, error.what, where=where, fix=_FLAG.sub(in_json, error.fix))


def in_json(flag: re.Match[str]) -> str:
    """A flag of the command as a key of JSON, with its value if it has one."""
    name, value = flag[1].replace("-", "_"), (flag[3] or flag[2] or "").replace("'", '"')
    value = _WORDS.get(value, value)
    return f'"{name}": {value}' if value else f'"{name}"'


def place_in_json(where: str, *, is_one_text: bool = False) -> str:
    """ "beam" as "$.beam", "text 2" as "$.texts[1]"; several places stay separated by commas."""
    if found := _PLACE.match(where):
        return "$.texts" if is_one_text else f"$.{found[1]}s[{int(found[2]) - 1}]"
    return ", ".join(f"$.{name}" for name in where.split(", ") if name)
