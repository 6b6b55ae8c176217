"""The verb that holds a conversation."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from seq2see.commands.boxes import INPUT
from seq2see.commands.options import ChatFlags, Chatting, Device, Engine, Run
from seq2see.commands.terminal import STDIN
from seq2see.console import Terminal, results, say
from seq2see.errors import DataError

COMMANDS = {"/forget": "begin a new conversation", "/help": "show this", "/quit": "end, as Ctrl-D does"}
HELP = f"""type a message and press Enter; the model draws its replies at random from what it has learned
{chr(10).join(f"  {name:8} {what}" for name, what in COMMANDS.items())}
it knows nothing but the pairs that it was trained on: what it says may be wrong, or offend"""


def chat(
    run: Run,
    /,
    *,
    turns: Annotated[int, Parameter(group=INPUT, help="Earlier turns that are read again.")] = 2,
    options: Chatting = ChatFlags(),  # noqa: B008 (frozen)
    engine: Engine = "auto",
    device: Device = "auto",
) -> None:
    """Talk to a model in the terminal: a line in, a reply out. /help lists what else can be typed.

    It has been trained on conversations (see seq2see new chat), or on any pairs of messages and replies. Each reply is
    drawn at random; the same seed and the same messages give the same replies.
    """
    from seq2see.inference.conversation import Conversation
    from seq2see.inference.loading import load

    conversation = Conversation(load([run], engine=engine, device=device), options, num_turns=turns)
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        say(HELP)
    for message in messages(prompt="> " if is_terminal else ""):
        match message.strip():
            case "/quit":
                break
            case "/help":
                say(HELP)
            case "/forget":
                conversation.forget()
            case command if re.fullmatch(r"/\w+", command):
                say(f"unknown command {command}: the commands are {', '.join(COMMANDS)}")
            case _:
                results().write(conversation.reply(message).text.replace("\n", " ") + "\n")
                results().flush()


def messages(*, prompt: str) -> Iterator[str]:
    """The lines of stdin, each after the prompt. DataError for one that isn't UTF-8."""
    number = 0
    while True:
        if prompt:
            Terminal(stderr=True).print(prompt, end="")
        line = sys.stdin.buffer.readline()
        number += 1
        if not line:
            return
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            what, where = f"is not valid UTF-8: {error.reason}", f"{STDIN}:{number}"
            raise DataError(what, where=where, fix="convert the text to UTF-8") from None
