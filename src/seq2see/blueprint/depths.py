"""Which of the encoder's final states each recurrent layer of the decoder starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import TypeVar

State = TypeVar("State")


def starting_states(finals: Sequence[State], layers: int) -> Iterator[State]:
    """The states that the decoder's layers start from, bottom first.

    `finals` are the final states of the encoder's recurrent layers, bottom first; none: the decoder's layers start from
    zeros. A decoder as deep as the encoder has those of the same height. A decoder of fewer `layers` has those of the
    encoder's top layers, the last of which has seen all the others. In a deeper one, the layers above the encoder's
    height start like the layer at its top, as JoeyNMT's do. (fairseq gives a shallower decoder the bottom layers' and
    has no deeper one, TensorFlow's NMT starts from zeros as soon as the depths differ.)
    """
    above = max(len(finals) - layers, 0)
    return chain(finals[above:], repeat(finals[-1])) if finals else iter(())
