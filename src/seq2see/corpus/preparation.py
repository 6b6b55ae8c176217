"""The passes of one preparation over the parts of the files."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from seq2see.config import Config
from seq2see.console import counted, say_to
from seq2see.corpus import parts, passes
from seq2see.corpus.corpus import FORMAT
from seq2see.corpus.passes import PartTask, codecs_in, init_worker, read_result, result_file
from seq2see.data import Pair, read_pairs
from seq2see.data.diagnosis import diagnosis_of_file
from seq2see.data.groups import SAMPLED, draw_of, grouping_of, shared_line
from seq2see.data.length_limit import LengthLimit, left_out_line, require_some, truncated_lines
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions, columns_read, table_options
from seq2see.data.reading import NUM_SHOWN, Problem, bad_lines, faults_of, file_of
from seq2see.data.remembered import has_tags
from seq2see.data.split import DEV_PAIRS, NUM_CANDIDATES, choose_dev
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.files import hash_of, write_file
from seq2see.storage.saved_model import codec_files
from seq2see.text import VALUE_UNITS, Codecs
from seq2see.text.building import codec_of_counts, joint_codecs, vocabulary_lines
from seq2see.text.choice import choose_text, one_text_lines, require_symbols_apart
from seq2see.text.options import TextOptions
from seq2see.version import __version__

SEED = 1
"""Seed of the dev split: the default of training."""


class Preparation:
    """The passes of one preparation, and what each leaves for the next."""

    def __init__(
        self, config: Config, columns: Columns, work: Path, cut: list[parts.FilePart], workers: int, console: Console
    ) -> None:
        self.config, self.columns, self.work, self.parts = config, columns, work, cut
        self.workers, self.console = min(workers, len(cut)), console
        self.say = say_to(console)
        self.dev: list[Pair] = []
        chosen = cut[0].format
        self.chosen: dict[str, Any] = {} if chosen is None else columns_read(chosen.chosen(), config.data)
        """The options of the columns that are read."""
        self.codecs: Codecs

    def run(self) -> dict[str, Any]:
        """Run all passes; returns the facts for the manifest."""
        scanned, sample = self.scan()
        dev_in = self.choose_dev(scanned)
        text = self.choose_text(sample)
        self.count(text, scanned, dev_in)
        limit = None if self.config.data.longest is None else LengthLimit(self.config.data.longest, text, self.codecs)
        dev_left_out = self.shorten_dev(limit)
        shown = self.encode(limit)
        left_out = shown.pop("left_out_in_part")
        kept = [pairs + left for pairs, left in zip(shown["in_part"], left_out, strict=True)]
        self.require_all(scanned["in_part"], dev_in, kept)
        for line in [
            *vocabulary_lines(text, self.codecs),
            *truncated_lines(shown["cut"], sum(shown["in_part"]), text.truncate),
        ]:
            self.say(line)
        return {
            "format": FORMAT,
            "written_by": {"seq2see": __version__, "python": platform.python_version(), "numpy": np.__version__},
            "text": asdict(text),
            "group": self.grouping.field,
            "lines": scanned["pairs"] + scanned["skipped"],
            "skipped": scanned["skipped"],
            "left_out": {"train": sum(left_out), "dev": dev_left_out},
            "problems": scanned["problems"],
            **({"columns": self.chosen} if self.chosen else {}),
            "not_normalized": scanned["not_normalized"],
            **shown,
        }

    def scan(self) -> tuple[dict[str, Any], list[tuple[bytes, Pair]]]:
        """The first pass: totals and the sample, each pair with its draw. DataError for invalid lines."""
        paths = [Path(name) for name in self.config.data.dev]
        sources = parts.some_sources(self.parts, SAMPLED)
        if paths:
            found = read_pairs(
                paths,
                columns=self.columns,
                skip_bad=self.config.data.skip_bad,
                table=table_options(self.config.data),
                known=TableOptions(**self.chosen),
                may_rename=True,
                has_tags=has_tags(sources),
            )
            self.dev = found.pairs
        group = self.config.data.group
        has_source = self.columns == "pairs"
        names = self.chosen.get("source", self.config.data.source)
        self.grouping = grouping_of(group, sources, names, case=self.config.text.case, has_source=has_source)
        given = frozenset(self.grouping.draw(pair, SEED) for pair in self.dev)
        size = sum(part.size for part in self.parts)
        tasks = [passes.ScanPart(part, SEED, self.grouping, size, given) for part in self.parts]
        self.scan_tasks = tasks
        self.run_tasks("reading", tasks)
        whole: dict[str, Any] = {"pairs": 0, "skipped": 0, "not_normalized": 0, "problems": [], "in_part": []}
        lowest: Counter[bytes] = Counter()
        sample: list[tuple[bytes, Pair]] = []
        shared: set[str] = set()
        for task in tasks:
            result = read_result(self.work, task)
            for key in ("pairs", "skipped", "not_normalized"):
                whole[key] += result[key]
            whole["problems"] += result["problems"][: NUM_SHOWN - len(whole["problems"])]
            whole["in_part"].append(result["pairs"])
            lowest.update({bytes.fromhex(draw): count for draw, count in result["lowest"].items()})
            # One more candidate shows that there are others; its count may be too low and is not used.
            lowest = Counter({draw: lowest[draw] for draw in sorted(lowest)[: NUM_CANDIDATES + 1]})
            sample += [(bytes.fromhex(draw), Pair(*pair)) for draw, pair in result["sample"]]
            shared |= set(result["shared"])
        problems = [Problem(*problem) for problem in whole["problems"]]
        num_lines = whole["pairs"] + whole["skipped"]
        if not whole["pairs"] or (whole["skipped"] and not self.config.data.skip_bad):
            path = file_of(problems[0], [Path(name) for name in self.config.data.train])
            advice = diagnosis_of_file(path, self.columns, faults_of(problems))
            raise bad_lines(problems, whole["skipped"], num_lines, advice, path=path, is_all=not whole["pairs"])
        self.say(f"{counted(whole['pairs'], 'pair')} in {counted(len(self.parts), 'part')}")
        if whole["skipped"]:
            first = problems[0]
            self.say(f"skipped {counted(whole['skipped'], 'invalid line')}, first {first.origin}: {first.what}")
        if self.grouping.field and self.dev:
            trained = {key for pair in self.dev if draw_of(key := self.grouping.key(pair), SEED).hex() in shared}
            self.say(shared_line(self.grouping, self.dev, trained))
        elif shared:
            num_shared = sum(self.grouping.draw(pair, SEED).hex() in shared for pair in self.dev)
            self.say(f"note: {num_shared:,} of the {len(self.dev):,} dev pairs have a source that is also in train")
        whole["lowest"] = lowest
        return whole, sample

    def choose_dev(self, scanned: Mapping[str, Any]) -> list[int]:
        """Choose the groups set aside for dev, as `split_dev` does; returns the number of their pairs per part."""
        self.set_aside: frozenset[bytes] = frozenset()
        if self.config.data.dev:
            return [0] * len(self.parts)
        share = self.config.data.dev_share
        self.set_aside = frozenset(
            choose_dev(scanned["lowest"], scanned["pairs"], share=share, max_pairs=DEV_PAIRS, name=self.grouping.name)
        )
        draws = [draw.hex() for draw in self.set_aside]
        # The results are read again, part by part: together they may be too large for memory.
        found = (read_result(self.work, task)["lowest"] for task in self.scan_tasks)
        return [sum(own.get(draw, 0) for draw in draws) for own in found]

    def choose_text(self, sample: list[tuple[bytes, Pair]]) -> TextOptions:
        """The text options, with a tokenizer chosen for each side."""
        pairs = [pair for draw, pair in sample if draw not in self.set_aside]
        sources = [pair.source for pair in pairs] if self.columns == "pairs" else None
        targets = [pair.target or "" for pair in pairs]
        text, choices = choose_text(self.config.text, sources, targets)
        require_symbols_apart(text, sources, targets)
        for line in [*choices, *one_text_lines(text, sources or [])]:
            self.say(line)
        if not isinstance(text.source, str | None) and set(text.source) & set(VALUE_UNITS):
            what = "a corpus is prepared from texts, not from vectors or pictures"
            raise ConfigError(what, where="text.source", fix="train on the files of pairs themselves: seq2see train")
        return text

    def count(self, text: TextOptions, scanned: Mapping[str, Any], dev_in: Sequence[int]) -> None:
        """The second pass: the codecs, which are built once and kept in the working folder, and the dev pairs."""
        assert text.target is not None
        units = (text.source if self.columns == "pairs" else None, text.target)
        in_part = [pairs - dev for pairs, dev in zip(scanned["in_part"], dev_in, strict=True)]
        tasks = [
            passes.CountPart(
                part,
                SEED,
                self.grouping,
                self.set_aside,
                units,
                text,
                sum(in_part[: part.number]),
                sum(in_part),
                None if self.config.data.longest is None else LengthLimit(self.config.data.longest, text, None),
            )
            for part in self.parts
        ]
        self.run_tasks("counting", tasks)
        counts = {side: defaultdict[str, Counter[str]](Counter) for side in ("source", "target")}
        dev: list[Pair] = []
        for task in tasks:
            result = read_result(self.work, task)
            for side, found in counts.items():
                for unit, own in result[side].items():
                    found[unit].update(own)
            dev += [Pair(*pair) for pair in result["dev"]]
        self.dev = self.dev or dev
        done = self.work / "codecs.json"
        if done.exists():  # a unigram vocabulary learned again may differ
            self.codecs = codecs_in(str(self.work), json.loads(done.read_bytes()))
            return
        if text.joint:
            both = {unit: counts["source"][unit] + found for unit, found in counts["target"].items()}
            self.codecs = joint_codecs(codec_of_counts(text, text.target, both), text.truncate)
        else:
            source = codec_of_counts(text, text.source, counts["source"], text.case) if units[0] else None
            source = source and replace(source, truncate=text.truncate)
            self.codecs = source, codec_of_counts(text, text.target, counts["target"])
        files = codec_files(self.codecs)
        for name, content in files.items():
            write_file(self.work / name, content)
        write_file(done, json.dumps(hash_of(b"".join(files.values()))).encode())

    def shorten_dev(self, limit: LengthLimit | None) -> int:
        """Leave long pairs out of dev; returns their number. DataError if none is left."""
        if limit is None:
            return 0
        self.dev, long = limit.split(before := self.dev)
        if long:
            self.say(left_out_line("dev", long, len(before), limit))
        require_some("dev", self.dev, limit)
        return len(long)

    def encode(self, limit: LengthLimit | None) -> dict[str, Any]:
        """The third pass; returns the sums of its results."""
        digest = json.loads((self.work / "codecs.json").read_bytes())
        tasks = [
            passes.EncodePart(
                part,
                SEED,
                self.grouping,
                self.set_aside,
                str(self.work),
                digest,
                limit and replace(limit, codecs=None),
            )
            for part in self.parts
        ]
        self.run_tasks("encoding", tasks)
        sides = ("source", "target")
        results = [read_result(self.work, task) for task in tasks]
        left_out = [result["left_out"] for result in results]
        if limit and any(left_out):
            total = sum(left_out) + sum(result["pairs"] for result in results)
            why = next(result["why_left_out"] for result in results if result["left_out"])
            self.say(f"train: {sum(left_out):,} of {total:,} pairs left out: {why}")
            require_some("train", range(total - sum(left_out)), limit)
        return {
            "left_out_in_part": left_out,
            "in_part": [result["pairs"] for result in results],
            "hashes_in_part": [result["hashes"] for result in results],
            "grouped_by": self.grouping.field,
            "cut": sum(result["cut"] for result in results),
            "tokens_in_part": [result["tokens"] for result in results],
            "tokens": {side: sum(result["tokens"][side] for result in results) for side in sides},
            "unknown": {side: sum(result["unknown"][side] for result in results) for side in sides},
            "longest": [max(result["longest"][side] for result in results) for side in sides],
        }

    def require_all(self, found: Sequence[int], dev_in: Sequence[int], encoded: Sequence[int]) -> None:
        """CheckpointError if the number of pairs of a part differs between the passes."""
        for part, read, dev, ids in zip(self.parts, found, dev_in, encoded, strict=True):
            if read != dev + ids:
                what = (
                    f"part {part.number}: {read:,} pairs were read, but {dev:,} set aside for dev and {ids:,} encoded"
                )
                raise CheckpointError(what, where=str(self.work), fix="remove it and prepare again")

    def run_tasks(self, what: str, tasks: Sequence[PartTask]) -> None:
        """Run the tasks that have no result yet in worker processes, with a progress bar."""
        began = time.perf_counter()
        left = [task for task in tasks if not result_file(self.work, task).exists()]
        with Progress(console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            shown = progress.add_task(what, total=len(tasks), completed=len(tasks) - len(left))
            if self.workers < 2 or len(left) < 2:
                for task in left:
                    passes.run_task(str(self.work), task)
                    progress.advance(shown)
            else:
                # Not fork: torch has threads, whose locks a forked process would inherit in any state.
                with ProcessPoolExecutor(self.workers, get_context("spawn"), init_worker) as pool:
                    try:
                        for each in as_completed([pool.submit(passes.run_task, str(self.work), task) for task in left]):
                            each.result()
                            progress.advance(shown)
                    except BrokenProcessPool:
                        killed = "a worker process was killed, perhaps because memory ran out"
                        fix = "use fewer --workers; the same command resumes the preparation"
                        raise UserError(killed, where="seq2see prepare", fix=fix) from None
                    except BaseException:
                        pool.shutdown(wait=True, cancel_futures=True)
                        raise
        self.say(f"{what}: {counted(len(tasks), 'part')}, {time.perf_counter() - began:.1f} s")
