"""A conversation with a model: what was said before is the first field of its source, the message the second."""

from __future__ import annotations

from dataclasses import replace

from seq2see.errors import ConfigError
from seq2see.inference.options import GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.results import Prediction
from seq2see.text import Fields
from seq2see.text.fields import FIELD_BREAK
from seq2see.text.turns import NUM_TURNS, written_turns

MOST_TURNS = 1_000
"""Earlier turns that are read again, at most."""


class Conversation:
    """Messages and replies, each of which may depend on those before.

    A model whose source is one text reads the message alone. ConfigError for a model that can't hold a conversation.
    """

    def __init__(self, model: Predictor, options: GenerationOptions, *, num_turns: int = NUM_TURNS) -> None:
        if not 0 <= num_turns <= MOST_TURNS:
            what = f"must be at least 0 and at most {MOST_TURNS:,}, not {num_turns}"
            raise ConfigError(what, where="turns", fix=f"give {NUM_TURNS}, or leave it out")
        if model.source_codec is None:
            fix = "use seq2see generate, or train on pairs of messages and replies"
            raise ConfigError(f"{model.name} is a language model, which has no source", where="model", fix=fix)
        tokenizer = model.source_codec.tokenizer
        number = len(tokenizer.parts) if isinstance(tokenizer, Fields) else 1
        if number > 2 or (isinstance(tokenizer, Fields) and tokenizer.has_values):
            what = f"must read one text, or earlier turns and a message; this one has {number} fields"
            raise ConfigError(what, where="model", fix="use seq2see predict")
        self.has_history = number == 2
        """Whether the model reads earlier turns."""
        self.turns: list[str] = []
        """All that was said, the oldest first."""
        self._model, self._options, self._num_turns, self._asked = model, options, num_turns, 0

    def reply(self, message: str) -> Prediction:
        """The model's answer to a message; each is drawn with a seed of its own. One without an answer is forgotten."""
        source = message = message.replace(FIELD_BREAK, " ").strip()
        if self.has_history:
            earlier = self.turns[-self._num_turns :] if self._num_turns else []
            source = f"{written_turns(earlier)}{FIELD_BREAK}{source}"
        options = self._options
        if options.sample:
            options = replace(options, seed=options.seed + self._asked)
        self._asked += 1
        [(_, answer)] = self._model.stream([source], options, chunk_size=1, with_attention=False)
        if not answer.error:
            self.turns += [message, answer.text]
        return answer

    def forget(self) -> None:
        """Begin a new conversation."""
        self.turns.clear()
