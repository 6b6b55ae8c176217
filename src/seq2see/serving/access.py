"""Who may use a service: API keys, and the host names by which it may be called."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from seq2see.errors import ConfigError
from seq2see.serving.problems import ProblemError
from seq2see.system_errors import reported

PUBLIC = frozenset({"/", "/docs", "/openapi.json", "/health/live", "/health/ready"})
"""Paths that need no key; they say nothing of the models' answers. All others do, known or not."""
PROBES = frozenset({"/health/live", "/health/ready"})
"""Paths that are called by address, so by any host name."""

_LINE = re.compile(r"([0-9a-fA-F]{64})(?:[ \t]+(\S.*))?")


class Keys:
    """The API keys of a service, as hashes. A key is random and long, so that one round of SHA-256 protects it."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self.hashes = {name: bytes.fromhex(text) for name, text in hashes.items()}

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Those of a file with lines `hash name`, as `sha256sum` prints them; lines with # are comments.

        ConfigError for a line that is something else, such as a key itself, which is not repeated in the message.
        """
        with reported(path, "read", ConfigError, option="--api-key-file"):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        hashes: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                what = "must be the SHA-256 of a key in 64 hexadecimal digits, and a name"
                fix = 'printf %s "$KEY" | sha256sum prints one'
                raise ConfigError(what, where=f"{path}:{number}", fix=fix)
            hashes[f"{match[2] or 'key'}:{number}"] = match[1]
        if not hashes:
            raise ConfigError("has no key", where=f"--api-key-file {path}", fix="add one, or leave the option out")
        return cls(hashes)

    def owner(self, authorization: str) -> str | None:
        """The name of the key in the header `Authorization: Bearer KEY`; None for an unknown one.

        All hashes are compared, each in constant time.
        """
        scheme, _, key = authorization.partition(" ")
        digest, found = sha256(key.strip().encode()).digest(), None
        for name, known in self.hashes.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found if scheme.lower() == "bearer" else None


def path_of(scope: Mapping[str, Any]) -> str:
    """The path of a request below the root path: of the ASGI scope, and never of a URL that a header may change."""
    return str(scope["path"]).removeprefix(scope.get("root_path", "")) or "/"


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """The value of a header; empty if it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def require_host(scope: Mapping[str, Any], hosts: Sequence[str]) -> None:
    """ProblemError 400 for a request by another host name: a page elsewhere may have made a name lead here."""
    if not hosts or path_of(scope) in PROBES:
        return
    given = header(scope, b"host").rpartition("@")[2].lower()
    name = given[1:].partition("]")[0] if given.startswith("[") else given.partition(":")[0]
    if name not in hosts:
        fix = "call it by a known name, or add --allow-host to the service"
        raise ProblemError(400, f"is not a name of this service: {given!r:.100}", where="Host", fix=fix)


def require_key(scope: Mapping[str, Any], keys: Keys | None) -> str:
    """The name of the key of a request; empty where none is needed. ProblemError 401 without a known one."""
    if keys is None or path_of(scope) in PUBLIC:
        return ""
    given = header(scope, b"authorization")
    owner = keys.owner(given)
    if owner is None:
        what = "is unknown" if given else "is missing"
        fix = "send Authorization: Bearer and an API key"
        raise ProblemError(401, what, where="Authorization", fix=fix, headers={"WWW-Authenticate": "Bearer"})
    return owner
