"""Some pairs kept aside to see how well a model does on what it has not been shown."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

from peeky.data.pairs import Pair
from peeky.errors import DataError


def split_dev(
    pairs: Sequence[Pair], *, seed: int, share: float = 0.1, most: int = 1000
) -> tuple[list[Pair], list[Pair]]:
    """Training and development pairs, both in the order of the file.

    All pairs with one source (for a language model: one target), whatever its Unicode form, stay together. The order
    in which sources are set aside depends on the seed and on each source alone. Raises DataError for fewer than two
    sources.
    """
    counts = Counter(map(_key, pairs))
    if len(counts) < 2:
        fix = "give at least two different sources, or a file of development pairs"
        raise DataError(f"{len(counts)} different sources can't be split in two", fix=fix)
    goal = max(1, min(most, round(share * len(pairs))))
    order = sorted(counts, key=lambda key: _draw(seed, key))
    kept_aside: set[str] = set()
    room = goal
    for key in order:
        if counts[key] <= room:
            kept_aside.add(key)
            room -= counts[key]
    if not kept_aside:  # every source has more pairs than there is room for
        kept_aside.add(min(order, key=counts.__getitem__))
    elif len(kept_aside) == len(counts):
        kept_aside.remove(order[-1])
    train = [pair for pair in pairs if _key(pair) not in kept_aside]
    dev = [pair for pair in pairs if _key(pair) in kept_aside]
    return train, dev


def _key(pair: Pair) -> str:
    return unicodedata.normalize("NFC", pair.source or pair.target or "").strip()


def _draw(seed: int, key: str) -> bytes:
    """A random number, the same in every process and for every version of Python and NumPy."""
    return hashlib.blake2b(f"{seed} {key}".encode(errors="surrogatepass"), digest_size=8).digest()
