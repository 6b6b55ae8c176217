"""seq2see chat: a line in, a reply out, with what was said before as a field of the source."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seq2see
from seq2see import cli
from seq2see.errors import ConfigError
from seq2see.inference.conversation import Conversation
from seq2see.inference.options import GenerationOptions
from seq2see.inference.reading import UnansweredTextWarning
from seq2see.recipes.made_up import made_up
from seq2see.text.turns import TURN_BREAK

pytestmark = pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
SHORT = {
    "training.max_updates": 20,
    "training.evaluate_every": 20,
    "model.width": 16,
    "training.precision": "float32",
    "text.target": "words",
}
Chat = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on conversations, hardly trained."""
    folder = tmp_path_factory.mktemp("chat") / "run"
    rows = [((history, message), reply) for history, message, reply in made_up("chat", 120, seed=1)]
    settings = SHORT | {"text.source": ["words", "words"]}
    seq2see.train(rows, out=folder, settings=settings, device="cpu", quiet=True)
    return folder


@pytest.fixture
def chat(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Chat:
    """Exit code, replies and messages of a chat with these lines on stdin."""

    def talk(lines: str | bytes, *options: str, to: Path = run) -> tuple[int, list[str], str]:
        content = lines if isinstance(lines, bytes) else lines.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        capsys.readouterr()
        code = cli.run(["chat", str(to), *options])
        said = capsys.readouterr()
        return code, said.out.split("\n")[:-1], said.err

    return talk


def test_each_line_has_one_reply_and_the_end_of_the_input_ends_it(chat: Chat) -> None:
    code, replies, said = chat("hello , i am Anna\nhow much are the pears ?\n\nbye")
    assert code == 0
    assert len(replies) == 4
    assert said == ""


def test_the_same_seed_gives_the_same_replies_and_each_turn_draws_anew(chat: Chat) -> None:
    lines = "hello\n/forget\nhello\n/forget\nhello\n"
    _, first, _ = chat(lines, "--temperature", "3", "--top-p", "1")
    assert chat(lines, "--temperature", "3", "--top-p", "1")[1] == first
    assert chat(lines, "--temperature", "3", "--top-p", "1", "--seed", "99")[1] != first
    assert len(set(first)) == 3


def test_commands_have_no_reply(chat: Chat) -> None:
    code, replies, said = chat("/help\nhello\n /quit \nhello\n")
    assert (code, len(replies)) == (0, 1)
    assert "/forget" in said
    assert "may be wrong" in said


def test_an_unknown_command_is_no_message(chat: Chat) -> None:
    code, replies, said = chat("/nope\nhello\n/ home\n")
    assert (code, len(replies)) == (0, 2)
    assert "unknown command /nope: the commands are /forget, /help, /quit" in said


@pytest.mark.parametrize("turns", ["-1", "1001"])
def test_numbers_of_turns_out_of_range_are_refused(turns: str, chat: Chat) -> None:
    code, replies, said = chat("hello\n", "--turns", turns)
    assert (code, replies) == (2, [])
    assert f"turns: must be at least 0 and at most 1,000, not {turns}" in said


def test_options_of_beams_and_lines_that_are_not_utf_8_are_refused(chat: Chat) -> None:
    code, replies, said = chat("hello\n", "--beam", "5")
    assert (code, replies) == (2, [])
    assert "beam: conflicts with sampling" in said
    code, replies, said = chat(b"hello\n\xff\n")
    assert (code, len(replies)) == (2, 1)
    assert "<stdin>:2: is not valid UTF-8" in said


def test_a_message_too_long_has_an_empty_reply_and_is_forgotten(chat: Chat) -> None:
    with pytest.warns(UnansweredTextWarning, match="201 tokens"):
        code, replies, _ = chat(f"{'the ' * 200}\nhello\n", "--max-input-length", "100")
    assert (code, replies[0], len(replies)) == (0, "", 2)


def test_earlier_turns_are_the_first_field(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = seq2see.load(run, device="cpu")
    conversation = Conversation(model, GenerationOptions(sample=True, seed=3))
    asked: list[str] = []
    stream = model.stream
    monkeypatch.setattr(model, "stream", lambda texts, *a, **k: stream(asked.append(texts[0]) or texts, *a, **k))
    replies = [conversation.reply(message).text for message in ("one", "two\tand", "three")]
    assert asked == [
        "\tone",
        f"one{TURN_BREAK}{replies[0]}\ttwo and",
        f"two and{TURN_BREAK}{replies[1]}\tthree",
    ]
    conversation.forget()
    conversation.reply("four")
    assert asked[-1] == "\tfour"
    alone = Conversation(model, GenerationOptions(), num_turns=0)
    alone.reply("one")
    alone.reply("two")
    assert asked[-1] == "\ttwo"


def test_a_model_of_one_text_reads_the_message_alone_and_others_are_refused(tmp_path: Path, chat: Chat) -> None:
    pairs = [(row[1], row[2]) for row in made_up("chat", 60, seed=1)]
    single = {**SHORT, "training.max_updates": 1, "training.evaluate_every": 1}
    seq2see.train(pairs, out=tmp_path / "single", settings=single, device="cpu", quiet=True)
    model = seq2see.load(tmp_path / "single", device="cpu")
    conversation = Conversation(model, GenerationOptions())
    assert not conversation.has_history
    assert conversation.reply("hello").text == conversation.reply("hello").text
    assert len(chat("hello\nhello\n", to=tmp_path / "single")[1]) == 2
    texts = [("", target) for _, target in pairs]
    writer = seq2see.train(
        texts, model="language_model", out=tmp_path / "writer", settings=single, device="cpu", quiet=True
    )
    with pytest.raises(ConfigError, match="is a language model"):
        Conversation(writer, GenerationOptions())
    three = [((a, b, b), c) for a, b, c in made_up("chat", 60, seed=1)]
    fields = seq2see.train(
        three,
        out=tmp_path / "three",
        settings=single | {"text.source": ["words"] * 3},
        device="cpu",
        quiet=True,
    )
    with pytest.raises(ConfigError, match="this one has 3 fields"):
        Conversation(fields, GenerationOptions())
