"""What a service says instead of an answer: problems as RFC 9457 has them, each with its place and a fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from seq2see.errors import UserError

MEDIA_TYPE = "application/problem+json"

_FLAG = re.compile(r"--[\w-]+(?: [\w.]+)? \((\w+)=(\w+)\)")
"""In a fix, a flag of the command with the argument of Python: --beam 5 (beam=5)."""
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

    def content(self, request_id: str) -> dict[str, Any]:
        """As JSON."""
        return {
            "status": self.status,
            "title": HTTPStatus(self.status).phrase,
            "detail": self.what,
            **({"where": self.where} if self.where else {}),
            **({"fix": self.fix} if self.fix else {}),
            "request_id": request_id,
        }


def of_user_error(error: UserError, *, is_one_text: bool = False) -> ProblemError:
    """A mistake in a request, as the library tells it, with its place in the JSON."""
    fix = _FLAG.sub(lambda found: f'"{found[1]}": {found[2].lower() if found[2] == "True" else found[2]}', error.fix)
    return ProblemError(422, error.what, where=place_in_json(error.where, is_one_text=is_one_text), fix=fix)


def place_in_json(where: str, *, is_one_text: bool = False) -> str:
    """ "beam" as "$.beam", "text 2" as "$.texts[1]"; several places stay separated by commas."""
    if found := _PLACE.match(where):
        return "$.texts" if is_one_text else f"$.{found[1]}s[{int(found[2]) - 1}]"
    return ", ".join(f"$.{name}" for name in where.split(", ") if name)
