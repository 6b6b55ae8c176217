"""What is done with each part, in a process of its own: looked at, counted, encoded.

Each writes its result whole into the working folder, where it stays until the corpus is complete: who begins again
goes on with the parts that are there. Nothing here may import torch, which every process would load.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, ClassVar

from seq2see.corpus.parts import Part
from seq2see.data import Examples, Pair
from seq2see.data.lines import Columns
from seq2see.data.split import CONSIDERED, draw_of
from seq2see.storage.files import write_file
from seq2see.storage.saved_model import SOURCE_CODEC, TARGET_CODEC, read_codecs
from seq2see.text import SUBWORD_UNITS, UNK, Codecs, Normalization, make_tokenizer
from seq2see.text.learning import count_words, text_step

SAMPLED_TEXTS, SAMPLED_BYTES = 20_000, 2_000_000
"""Of the whole corpus, by which the tokenizers are chosen."""


@dataclass(frozen=True)
class Look:
    """The first pass: what is wrong, how many pairs there are, which could be dev, and some to tell a tokenizer by."""

    name: ClassVar[str] = "look"
    part: Part
    columns: Columns
    seed: int
    total_bytes: int
    """Of the first file of all parts."""
    dev_draws: frozenset[bytes]
    """Of the sources of dev pairs that were given."""

    def result(self) -> dict[str, Any]:
        """JSON."""
        found = self.part.read(self.columns)
        draws = [draw_of(pair, self.seed) for pair in found.pairs]
        counts = Counter(draws)
        lowest = sorted(counts)[:CONSIDERED]
        estimated = len(found.pairs) * self.total_bytes / max(1, self.part.size)
        step = 1 + max(int(estimated / SAMPLED_TEXTS), int(self.total_bytes / SAMPLED_BYTES))
        sampled = range(0, len(found.pairs), step)
        return {
            "pairs": len(found.pairs),
            "skipped": found.skipped,
            "problems": found.problems,
            "not_normalised": found.num_not_normalised,
            "lowest": {draw.hex(): counts[draw] for draw in lowest},
            "sample": [(draws[place].hex(), found.pairs[place]) for place in sampled],
            "shared": [draw.hex() for draw in self.dev_draws & counts.keys()],
        }


@dataclass(frozen=True)
class Count:
    """The second pass: how often each token occurs in training pairs, or each word where subwords are to be learnt."""

    name: ClassVar[str] = "count"
    part: Part
    columns: Columns
    seed: int
    dev: frozenset[bytes]
    """Draws of the sources that are set aside."""
    units: tuple[str | None, str]
    normalization: Normalization
    joint: bool
    first: int
    """Training pairs in the parts before."""
    total: int
    """Training pairs in all."""

    def result(self) -> dict[str, Any]:
        """JSON."""
        pairs, dev = divided(self.part.read(self.columns).pairs, self.dev, self.seed)
        step = text_step(2 * self.total if self.joint else self.total)
        source, target = self.units
        # A joint vocabulary is learnt from all sources and then all targets, as one list.
        targets_from = self.total + self.first if self.joint else self.first
        return {
            "source": self._counts(source, [pair.source for pair in pairs], self.first, step) if source else {},
            "target": self._counts(target, [pair.target or "" for pair in pairs], targets_from, step),
            "dev": dev,
        }

    def _counts(self, unit: str, texts: list[str], first: int, step: int) -> Counter[str]:
        if unit in SUBWORD_UNITS:
            return count_words(texts[-first % step :: step], self.normalization)
        tokenizer = make_tokenizer(unit, self.normalization)
        counts: Counter[str] = Counter()
        if not tokenizer.alphabet:
            for text in texts:
                counts.update(tokenizer.split(text))
        return counts


@dataclass(frozen=True)
class Encode:
    """The third pass: the ids of the training pairs."""

    name: ClassVar[str] = "encode"
    part: Part
    columns: Columns
    seed: int
    dev: frozenset[bytes]
    work: str
    codecs: str
    """A hash of the codecs, which lie in the working folder."""

    def result(self) -> dict[str, Any]:
        """JSON; the ids themselves are in a file beside it."""
        pairs, _ = divided(self.part.read(self.columns).pairs, self.dev, self.seed)
        examples = Examples.encode(pairs, *codecs_in(self.work, self.codecs))
        sides = {
            "source": (examples.source_ids, examples.source_lengths),
            "target": (examples.target_ids, examples.target_lengths),
        }
        content = b"".join(array.tobytes() for each in sides.values() for array in each)
        write_file(ids_file(Path(self.work), self.part.number), content)
        return {
            "pairs": len(examples),
            "tokens": {side: len(ids) for side, (ids, _) in sides.items()},
            "unknown": {side: int((ids == UNK).sum()) for side, (ids, _) in sides.items()},
            "longest": {side: int(lengths.max(initial=0)) for side, (_, lengths) in sides.items()},
        }


Task = Look | Count | Encode


def divided(pairs: Iterable[Pair], dev: frozenset[bytes], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Training pairs, and those that are set aside."""
    kept: tuple[list[Pair], list[Pair]] = ([], [])
    if not dev:
        return list(pairs), []
    for pair in pairs:
        kept[draw_of(pair, seed) in dev].append(pair)
    return kept


@lru_cache(maxsize=1)
def codecs_in(work: str, digest: str) -> Codecs:
    """The codecs that were made for this corpus; `digest` tells them from others of the same place."""
    folder = Path(work)
    files = {name: (folder / name).read_bytes() for name in (SOURCE_CODEC, TARGET_CODEC) if (folder / name).exists()}
    return read_codecs(files, lambda name: str(folder / name))


def result_file(work: Path, task: Task) -> Path:
    """Where the result of a part is kept."""
    return work / f"{task.name}.{task.part.number:06d}.json"


def ids_file(work: Path, number: int) -> Path:
    """Where the ids of a part are kept: ids and lengths of the sources, then of the targets."""
    return work / f"ids.{number:06d}"


def do(work: str, task: Task) -> int:
    """Do what is to be done with a part, unless it is done; gives its number."""
    path = result_file(Path(work), task)
    if not path.exists():
        write_file(path, json.dumps(task.result(), ensure_ascii=False).encode())
    return task.part.number


def read_result(work: Path, task: Task) -> dict[str, Any]:
    """What was found in a part."""
    found: dict[str, Any] = json.loads(result_file(work, task).read_bytes())
    return found


def begin_process() -> None:
    """Leave Ctrl-C to the process that began this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
