"""The three passes over each part, run in worker processes: scan, count, encode.

Each pass writes its result for a part atomically to the working folder, where it stays until the corpus is complete, so
that an interrupted preparation can be resumed. Nothing here may import torch: every worker would load it.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, ClassVar

from seq2see.corpus.parts import FilePart
from seq2see.data import Examples, Pair
from seq2see.data.groups import Grouping
from seq2see.data.length_limit import LengthLimit, reason_of
from seq2see.data.source_record import distinct, field_texts, hashes_of, source_texts
from seq2see.data.split import NUM_CANDIDATES
from seq2see.storage.files import write_file
from seq2see.storage.saved_model import SOURCE_CODEC, TARGET_CODEC, read_codecs
from seq2see.text import UNK, Codecs, Units
from seq2see.text.building import by_unit, count_unit
from seq2see.text.learning import text_step
from seq2see.text.options import TextOptions
from seq2see.text.tokenizers import Case

SAMPLED_TEXTS, SAMPLED_BYTES = 20_000, 2_000_000
"""Maximum sample of the whole corpus from which the tokenizers are chosen."""


@dataclass(frozen=True)
class ScanPart:
    """The first pass: invalid lines, the number of pairs, candidates for dev, and a sample to choose the tokenizers."""

    name: ClassVar[str] = "scan"
    part: FilePart
    seed: int
    grouping: Grouping
    total_bytes: int
    """Size of the first files of all parts together."""
    dev_draws: frozenset[bytes]
    """Draws of the groups of the given dev pairs."""

    def result(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        found = self.part.read()
        draws = [self.grouping.draw(pair, self.seed) for pair in found.pairs]
        counts = Counter(draws)
        lowest = sorted(counts)[:NUM_CANDIDATES]
        estimated = len(found.pairs) * self.total_bytes / max(1, self.part.size)
        step = 1 + max(int(estimated / SAMPLED_TEXTS), int(self.total_bytes / SAMPLED_BYTES))
        sampled = range(0, len(found.pairs), step)
        return {
            "pairs": len(found.pairs),
            "skipped": found.skipped,
            "problems": found.problems,
            "not_normalized": found.num_not_normalized,
            "lowest": {draw.hex(): counts[draw] for draw in lowest},
            "sample": [(draws[row].hex(), found.pairs[row]) for row in sampled],
            "shared": [draw.hex() for draw in self.dev_draws & counts.keys()],
        }


@dataclass(frozen=True)
class CountPart:
    """The second pass: frequencies in the training pairs, of words for subwords, otherwise of tokens."""

    name: ClassVar[str] = "count"
    part: FilePart
    seed: int
    grouping: Grouping
    dev: frozenset[bytes]
    """Draws of the groups that are set aside for dev."""
    units: tuple[Units | None, str]
    text: TextOptions
    first: int
    """Training pairs in the preceding parts."""
    total: int
    """Training pairs in all parts."""
    limit: LengthLimit | None = None
    """Longer pairs are left out."""

    def result(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        pairs, dev = split_off_dev(self.part.read().pairs, self.dev, self.seed, self.grouping)
        if self.limit:
            pairs, _ = self.limit.split(pairs)
        joint = self.text.joint
        step = text_step(2 * self.total if joint else self.total)
        source, target = self.units
        # A joint vocabulary is learned from one list: all sources, then all targets.
        targets_from = self.total + self.first if joint else self.first
        return {
            "source": self._counts(source, [pair.source for pair in pairs], self.first, step, self.text.case)
            if source
            else {},
            "target": self._counts(target, [pair.target or "" for pair in pairs], targets_from, step),
            "dev": dev,
        }

    def _counts(
        self, units: Units, texts: list[str], first: int, step: int, case: Case = "keep"
    ) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {}
        for unit, own in by_unit(units, texts):
            sample = slice(-first % step, None, step)
            for name, found in count_unit(self.text, unit, own, case, sample=sample).items():
                counts.setdefault(name, Counter()).update(found)
        return counts


@dataclass(frozen=True)
class EncodePart:
    """The third pass: the ids of the training pairs."""

    name: ClassVar[str] = "encode"
    part: FilePart
    seed: int
    grouping: Grouping
    dev: frozenset[bytes]
    work: str
    codecs: str
    """Hash of the codecs, which are in the working folder."""
    limit: LengthLimit | None = None
    """Longer pairs are left out, counted in tokens of the codecs."""

    def result(self) -> dict[str, Any]:
        """Statistics, ready for JSON; the ids are written to a file of their own."""
        pairs, _ = split_off_dev(self.part.read().pairs, self.dev, self.seed, self.grouping)
        codecs, total, reason = codecs_in(self.work, self.codecs), len(pairs), ""
        if self.limit:
            limit = replace(self.limit, codecs=codecs)
            pairs, long = limit.split(pairs)
            reason = reason_of(long[0], limit) if long else ""
        examples = Examples.encode(pairs, *codecs)
        sides = {
            "source": (examples.source_ids, examples.source_lengths),
            "target": (examples.target_ids, examples.target_lengths),
        }
        content = b"".join(array.tobytes() for each in sides.values() for array in each)
        number = self.grouping.field
        texts = [source_texts(pairs, codecs), *(field_texts(pairs, codecs, number) if number else ())]
        hashes = [distinct(hashes_of(each)) for each in texts]
        content += b"".join(each.tobytes() for each in hashes)
        write_file(ids_file(Path(self.work), self.part.number), content)
        return {
            "pairs": len(examples),
            "left_out": total - len(examples),
            "cut": examples.sources.num_cut,
            "why_left_out": reason,
            "hashes": [len(each) for each in hashes],
            "tokens": {side: len(ids) for side, (ids, _) in sides.items()},
            "unknown": {side: int((ids == UNK).sum()) for side, (ids, _) in sides.items()},
            "longest": {side: int(lengths.max(initial=0)) for side, (_, lengths) in sides.items()},
        }


PartTask = ScanPart | CountPart | EncodePart


def split_off_dev(
    pairs: Iterable[Pair], dev: frozenset[bytes], seed: int, grouping: Grouping
) -> tuple[list[Pair], list[Pair]]:
    """The training pairs, and those set aside for dev."""
    kept: tuple[list[Pair], list[Pair]] = ([], [])
    if not dev:
        return list(pairs), []
    for pair in pairs:
        kept[grouping.draw(pair, seed) in dev].append(pair)
    return kept


@lru_cache(maxsize=1)
def codecs_in(work: str, digest: str) -> Codecs:
    """The codecs of this preparation; `digest` is part of the cache key."""
    folder = Path(work)
    files = {name: (folder / name).read_bytes() for name in (SOURCE_CODEC, TARGET_CODEC) if (folder / name).exists()}
    return read_codecs(files, lambda name: str(folder / name))


def result_file(work: Path, task: PartTask) -> Path:
    """The file of a pass's result for one part."""
    return work / f"{task.name}.{task.part.number:06d}.json"


def ids_file(work: Path, number: int) -> Path:
    """The file of a part's ids: ids and lengths of the sources, then of the targets; then the hashes of the sources.

    Then, for sources of several fields, the hashes of the grouped field, and those of the other fields.
    """
    return work / f"ids.{number:06d}"


def run_task(work: str, task: PartTask) -> int:
    """Run a pass on one part unless its result exists; returns the number of the part."""
    path = result_file(Path(work), task)
    if not path.exists():
        write_file(path, json.dumps(task.result(), ensure_ascii=False).encode(errors="surrogatepass"))
    return task.part.number


def read_result(work: Path, task: PartTask) -> dict[str, Any]:
    """The result of a pass for one part."""
    found: dict[str, Any] = json.loads(result_file(work, task).read_bytes())
    return found


def init_worker() -> None:
    """Initialize a worker: ignore Ctrl-C, which the parent handles, and exit when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
