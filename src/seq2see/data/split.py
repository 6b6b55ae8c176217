"""Sets dev pairs aside from the training pairs."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from seq2see.data.pairs import Pair
from seq2see.errors import DataError

NUM_CANDIDATES = 4000
"""Only this many sources, those with the lowest draws, are candidates for dev, so that not all need to be in memory."""

DEV_PAIRS = 1000
"""Maximum number of dev pairs to evaluate on."""


def split_dev(
    pairs: Sequence[Pair], *, seed: int, share: float = 0.1, max_pairs: int = 1000
) -> tuple[list[Pair], list[Pair]]:
    """Training and dev pairs, each in the order of the file.

    All pairs with the same source (for a language model: target), up to Unicode normalisation, stay together. The order
    in which sources are set aside depends only on the seed and on each source. Raises DataError for fewer than two
    sources.
    """
    counts = Counter(map(key_of, pairs))
    draws = {key: _draw(seed, key) for key in counts}
    set_aside = choose_dev(
        {draws[key]: count for key, count in counts.items()}, len(pairs), share=share, max_pairs=max_pairs
    )
    train = [pair for pair in pairs if draws[key_of(pair)] not in set_aside]
    dev = [pair for pair in pairs if draws[key_of(pair)] in set_aside]
    return train, dev


def choose_dev(counts: Mapping[bytes, int], num_pairs: int, *, share: float, max_pairs: int) -> set[bytes]:
    """The draws of the sources to set aside; only the lowest NUM_CANDIDATES draws matter."""
    if len(counts) < 2:
        fix = "add pairs with other sources, or give a file of dev pairs"
        raise DataError(f"dev pairs need at least 2 different sources, found {len(counts)}", fix=fix)
    order = sorted(counts)[:NUM_CANDIDATES]
    set_aside: set[bytes] = set()
    left = max(1, min(max_pairs, round(share * num_pairs)))
    for draw in order:
        if counts[draw] <= left:
            set_aside.add(draw)
            left -= counts[draw]
    if not set_aside:  # every source has too many pairs
        set_aside.add(min(order, key=counts.__getitem__))
    elif len(set_aside) == len(counts):
        set_aside.remove(order[-1])
    return set_aside


def draw_of(pair: Pair, seed: int) -> bytes:
    """A pseudo-random number of the pair's source; the lowest are set aside."""
    return _draw(seed, key_of(pair))


def key_of(pair: Pair) -> str:
    """What identifies a pair as one source: in NFC, and without space around it; for a language model its text."""
    return unicodedata.normalize("NFC", pair.source or pair.target or "").strip()


def _draw(seed: int, key: str) -> bytes:
    """Independent of the process and of the versions of Python and NumPy."""
    return hashlib.blake2b(f"{seed} {key}".encode(errors="surrogatepass"), digest_size=8).digest()


def sample_evenly(pairs: Sequence[Pair], max_pairs: int) -> Sequence[Pair]:
    """At most `max_pairs` pairs, evenly spaced over the list, since files are often sorted."""
    return pairs if len(pairs) <= max_pairs else [pairs[i * len(pairs) // max_pairs] for i in range(max_pairs)]
