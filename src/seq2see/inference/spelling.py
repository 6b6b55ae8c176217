"""Automata that find a text in whatever tokens spell it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from seq2see.text import EOS, Codec, Protected

SpellingTables = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def spelling_tables(codec: Codec, texts: Sequence[str]) -> list[SpellingTables]:
    """For each text the automaton of `spelling_table`: next state and whether the text is complete, [states V] each."""
    tokens = tuple(codec.vocabulary.token(number) if number > EOS else "" for number in range(len(codec.vocabulary)))
    normal = [codec.tokenizer.normalize(text) for text in texts]
    if isinstance(codec.tokenizer, Protected) and codec.tokenizer.alphabet:  # bytes, as one character each
        tokens = tuple(codec.tokenizer.encoded([token]).decode("latin-1") for token in tokens)
        normal = [text.encode().decode("latin-1") for text in normal]
    return [spelling_table(text, tokens) for text in normal]


@lru_cache(maxsize=64)
def spelling_table(text: str, tokens: tuple[str, ...]) -> SpellingTables:
    """The automaton that finds a text (Knuth, Morris & Pratt 1977), fed one token at a time.

    State s: the last s characters are the first s of the text, and s is the largest such number below its length.
    Tokens without characters (unknown, EOS) lead back to state 0.
    """
    by_character, rest = _automaton(text)
    alphabet = np.array(sorted(map(ord, set(text))))
    states = np.broadcast_to(np.arange(len(text))[:, None], (len(text), len(tokens))).copy()
    found = np.zeros(states.shape, np.bool_)
    spelled = _spelled(tokens)
    states[:, spelled.empty] = 0
    for longer, characters in spelled.positions:
        places = np.minimum(np.searchsorted(alphabet, characters), len(alphabet) - 1)
        symbols = np.where(alphabet[places] == characters, places, len(alphabet))
        reached = by_character[states[:, longer], symbols]
        found[:, longer] |= reached == len(text)
        states[:, longer] = reached
    return np.where(states == len(text), rest, states), found


def _automaton(text: str) -> tuple[npt.NDArray[np.int64], int]:
    """The next state [states + 1, characters + 1] by the character's place in the sorted alphabet, all others last.

    The last state is the complete text; beside it the state that is left of it, which is its longest border.
    """
    alphabet = sorted(set(text))
    following = np.zeros((len(text) + 1, len(alphabet) + 1), np.int64)
    border = 0
    for state in range(len(text) + 1):
        following[state] = following[border] if state else 0
        if state < len(text):
            symbol = alphabet.index(text[state])
            before = following[state, symbol]
            following[state, symbol] = state + 1
            border = int(before) if state else 0
    return following, border


class _Spelled:
    """The characters of all tokens, position by position."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        lengths = np.array([len(token) for token in tokens])
        self.empty = (lengths == 0).nonzero()[0]
        self.positions = [
            (longer, np.array([ord(tokens[number][position]) for number in longer]))
            for position in range(lengths.max(initial=0))
            for longer in [(lengths > position).nonzero()[0]]
        ]
        """For each position the tokens that have one there, and which."""


@lru_cache(maxsize=4)
def _spelled(tokens: tuple[str, ...]) -> _Spelled:
    return _Spelled(tokens)
