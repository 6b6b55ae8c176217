"""What goes through a connection."""

from __future__ import annotations

import asyncio
from typing import Any

from seq2see.serving.protocol import OneSend


class Sent:
    """A transport that keeps what it was given."""

    def __init__(self) -> None:
        self.parts: list[bytes | None] = []

    def write(self, data: bytes) -> None:
        self.parts.append(data)

    def close(self) -> None:
        self.parts.append(None)

    def is_closing(self) -> bool:
        return None in self.parts


def test_what_is_written_in_a_turn_is_sent_at_once_and_before_closing() -> None:
    async def run() -> Sent:
        sent: Any = Sent()
        transport = OneSend(sent, asyncio.get_running_loop())
        for part in (b"head", b"body"):
            transport.write(part)
        assert sent.parts == []
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)
        transport.write(b"last")
        assert not transport.is_closing()
        transport.close()
        await asyncio.sleep(0)
        found: Sent = sent
        return found

    assert asyncio.run(run()).parts == [b"headbody", b"next", b"last", None]
