"""Some pairs kept aside to see how well a model does on what it has not been shown."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from seq2see.data.pairs import Pair
from seq2see.errors import DataError

CONSIDERED = 4000
"""Sources that may be set aside, those with the lowest draws: so many can be told without all being in memory."""

DEV_PAIRS = 1000
"""At most so many pairs of dev are tried."""


def split_dev(
    pairs: Sequence[Pair], *, seed: int, share: float = 0.1, most: int = 1000
) -> tuple[list[Pair], list[Pair]]:
    """Training and development pairs, both in the order of the file.

    All pairs with one source (for a language model: one target), whatever its Unicode form, stay together. The order
    in which sources are set aside depends on the seed and on each source alone. Raises DataError for fewer than two
    sources.
    """
    counts = Counter(map(_key, pairs))
    draws = {key: _draw(seed, key) for key in counts}
    kept_aside = choose_dev({draws[key]: count for key, count in counts.items()}, len(pairs), share=share, most=most)
    train = [pair for pair in pairs if draws[_key(pair)] not in kept_aside]
    dev = [pair for pair in pairs if draws[_key(pair)] in kept_aside]
    return train, dev


def choose_dev(counts: Mapping[bytes, int], num_pairs: int, *, share: float, most: int) -> set[bytes]:
    """Which sources are set aside: by their draws, of which the lowest CONSIDERED are enough to know."""
    if len(counts) < 2:
        fix = "give at least two different sources, or a file of development pairs"
        raise DataError(f"{len(counts)} different sources can't be split in two", fix=fix)
    order = sorted(counts)[:CONSIDERED]
    kept_aside: set[bytes] = set()
    room = max(1, min(most, round(share * num_pairs)))
    for draw in order:
        if counts[draw] <= room:
            kept_aside.add(draw)
            room -= counts[draw]
    if not kept_aside:  # every source has more pairs than there is room for
        kept_aside.add(min(order, key=counts.__getitem__))
    elif len(kept_aside) == len(counts):
        kept_aside.remove(order[-1])
    return kept_aside


def draw_of(pair: Pair, seed: int) -> bytes:
    """A random number for the source of the pair: those with the lowest are set aside."""
    return _draw(seed, _key(pair))


def _key(pair: Pair) -> str:
    return unicodedata.normalize("NFC", pair.source or pair.target or "").strip()


def _draw(seed: int, key: str) -> bytes:
    """The same in every process and for every version of Python and NumPy."""
    return hashlib.blake2b(f"{seed} {key}".encode(errors="surrogatepass"), digest_size=8).digest()


def spread(pairs: Sequence[Pair], most: int) -> Sequence[Pair]:
    """At most so many pairs, evenly spread over the list: files are often sorted."""
    return pairs if len(pairs) <= most else [pairs[i * len(pairs) // most] for i in range(most)]
