"""The whole preparation: three passes over the parts, and the corpus put together from what they gave."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from seq2see.config import Config
from seq2see.console import say_to
from seq2see.corpus import parts
from seq2see.corpus.assembling import assemble, recover
from seq2see.corpus.corpus import FORMAT, is_corpus, open_corpus, read_manifest
from seq2see.corpus.passes import Count, Encode, Look, Task, begin_process, codecs_in, do, read_result, result_file
from seq2see.corpus.working_folder import WORK, begin_work, remove_work, require_ours
from seq2see.data import Pair, read_pairs
from seq2see.data.lines import Columns
from seq2see.data.reading import NUM_SHOWN, Problem, bad_lines, check_paths
from seq2see.data.split import CONSIDERED, DEV_PAIRS, choose_dev, draw_of
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.model import find, resolve
from seq2see.storage.files import hash_file, hash_of, sibling, write_file
from seq2see.storage.locks import locked
from seq2see.storage.saved_model import codec_files
from seq2see.text import Codecs
from seq2see.text.building import codec_of_counts, vocabulary_lines
from seq2see.text.choice import choose_text
from seq2see.text.options import TextOptions
from seq2see.version import __version__

SEED = 1
"""By which dev is set aside: that of a training where nothing is said."""


@dataclass(frozen=True)
class Prepared:
    """A corpus that is there."""

    folder: Path
    pairs: int
    is_new: bool
    """False where it was there already, up to date."""


def prepare_corpus(config: Config, folder: Path, *, workers: int = 1, console: Console | None = None) -> Prepared:
    """Make the corpus of the configured files in `folder`, unless it is there and nothing has changed.

    Goes on with what an earlier call that was stopped has left. DataError for lines that can't be used, ConfigError
    for options at odds and for a place where something else is.
    """
    console = console or Console(stderr=True)
    say = say_to(console)
    folder = folder.absolute()
    if config.text.bpe_dropout:
        fix = "leave it out, or train on the files themselves"
        what = "a prepared corpus holds ids, and words can't be cut anew each epoch"
        raise ConfigError(what, where="text.bpe_dropout", fix=fix)
    if not config.data.train:
        raise ConfigError("no data were given", where="seq2see prepare", fix="name a file: seq2see prepare pairs.tsv")
    if folder.exists() and not is_corpus(folder) and (not folder.is_dir() or any(folder.iterdir())):
        fix = "choose another folder with --out"
        raise ConfigError("exists and is no prepared corpus", where=str(folder), fix=fix)
    has_source = find(resolve(config.model).name).has_source
    columns: Columns = "pairs" if has_source else "target"
    names = [Path(name) for name in config.data.train]
    check_paths(names, columns)
    asked = what_is_asked(config, columns)
    work = sibling(folder, WORK)
    require_ours(work)
    if not work.exists() and is_corpus(folder) and not why_anew(folder, asked):
        return as_it_is(folder, say)
    with locked(work, say, "preparing"):
        recover(folder, work)
        if is_corpus(folder):
            why = why_anew(folder, asked)
            if not why:
                remove_work(work)
                return as_it_is(folder, say)
            say(f"{folder} is made anew: {why}")
        begin_work(work, asked, say)
        try:
            texts = [parts.as_text(name, work / f"text.{number}") for number, name in enumerate(names)]
            made = Making(config, columns, work, parts.cut(names, texts, parts.PART_BYTES), workers, console)
            facts = made.all_passes()
        except DataError:
            remove_work(work)  # whatever is put right, of other files or options it is of no use
            raise
        num_pairs = assemble(folder, work, made.parts, made.codecs, made.dev, {**facts, "asked": asked})
        remove_work(work)
        say(f"{folder}: {num_pairs:,} pairs to train on, {len(made.dev):,} dev pairs")
        return Prepared(folder, num_pairs, is_new=True)


def as_it_is(folder: Path, say: Callable[[str], None]) -> Prepared:
    """The corpus that is there and up to date."""
    say(f"{folder} is up to date: nothing to do")
    return Prepared(folder, read_manifest(folder)[0]["pairs"], is_new=False)


def what_is_asked(config: Config, columns: Columns) -> dict[str, Any]:
    """All that decides what will be in the corpus, as JSON."""

    def listed(paths: Sequence[str]) -> list[dict[str, Any]]:
        for path in paths:
            if not Path(path).is_file():
                read_pairs([Path(path)])  # says what is wrong with it
        return [{"path": path, "size": Path(path).stat().st_size, "sha256": hash_file(Path(path))} for path in paths]

    asked = {
        "format": FORMAT,
        "columns": columns,
        "sources": listed(config.data.train),
        "dev": listed(config.data.dev),
        "text": asdict(config.text),
        "data.dev_share": config.data.dev_share,
        "data.skip_bad": config.data.skip_bad,
    }
    again: dict[str, Any] = json.loads(json.dumps(asked))
    return again


def why_anew(folder: Path, asked: Mapping[str, Any]) -> str:
    """What has changed since the corpus was made, or what is wrong with it; nothing where it may stay."""
    try:
        before = read_manifest(folder)[0]["asked"]
        if said := changes(before, asked):
            return said
        open_corpus(folder)
    except UserError as error:
        return f"{error.where} {error.what}"
    return ""


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In which of the things asked for two preparations differ; files that only moved are the same."""
    said = []
    for kind in ("sources", "dev"):
        old, new = before[kind], now[kind]
        if len(old) != len(new):
            said.append(f"there are {len(new)} files of {kind}, there were {len(old)}")
        else:
            said += [f"{b['path']} has changed" for a, b in zip(old, new, strict=True) if a["sha256"] != b["sha256"]]
    for key in ("format", "columns", "data.dev_share", "data.skip_bad"):
        if before[key] != now[key]:
            said.append(f"{key} is {now[key]!r}, it was {before[key]!r}")
    options = {**before["text"], **now["text"]}
    for key in options:
        old, new = before["text"].get(key), now["text"].get(key)
        if old != new:
            said.append(f"text.{key} is {new!r}, it was {old!r}")
    return "; ".join(said)


class Making:
    """A corpus on its way: each pass leaves here what the next one needs."""

    def __init__(
        self, config: Config, columns: Columns, work: Path, cut: list[parts.Part], workers: int, console: Console
    ) -> None:
        self.config, self.columns, self.work, self.parts = config, columns, work, cut
        self.workers, self.console = min(workers, len(cut)), console
        self.say = say_to(console)
        self.dev: list[Pair] = []
        self.codecs: Codecs

    def all_passes(self) -> dict[str, Any]:
        """What is to be written down of the corpus."""
        looked, sample = self.look()
        dev_in = self.choose_dev(looked)
        text = self.choose_text(sample)
        self.count(text, looked, dev_in)
        shown = self.encode()
        self.require_all(looked["in_part"], dev_in, shown["in_part"])
        for line in vocabulary_lines(text, self.codecs):
            self.say(line)
        return {
            "format": FORMAT,
            "written_by": {"seq2see": __version__, "python": platform.python_version(), "numpy": np.__version__},
            "text": asdict(text),
            "lines": looked["pairs"] + looked["skipped"],
            "skipped": looked["skipped"],
            "problems": looked["problems"],
            "not_normalised": looked["not_normalised"],
            **shown,
        }

    def look(self) -> tuple[dict[str, Any], list[tuple[bytes, Pair]]]:
        """The first pass. DataError for lines that can't be used."""
        paths = [Path(name) for name in self.config.data.dev]
        if paths:
            found = read_pairs(paths, columns=self.columns, skip_bad=self.config.data.skip_bad)
            self.dev = found.pairs
        given = frozenset(draw_of(pair, SEED) for pair in self.dev)
        size = sum(part.size for part in self.parts)
        tasks = [Look(part, self.columns, SEED, size, given) for part in self.parts]
        self.looks = tasks
        self.do("reading", tasks)
        whole: dict[str, Any] = {"pairs": 0, "skipped": 0, "not_normalised": 0, "problems": [], "in_part": []}
        lowest: Counter[bytes] = Counter()
        sample: list[tuple[bytes, Pair]] = []
        shared: set[str] = set()
        for task in tasks:
            result = read_result(self.work, task)
            for key in ("pairs", "skipped", "not_normalised"):
                whole[key] += result[key]
            whole["problems"] += result["problems"][: NUM_SHOWN - len(whole["problems"])]
            whole["in_part"].append(result["pairs"])
            lowest.update({bytes.fromhex(draw): count for draw, count in result["lowest"].items()})
            # One more says that there are others; its count may be too low, and isn't looked at.
            lowest = Counter({draw: lowest[draw] for draw in sorted(lowest)[: CONSIDERED + 1]})
            sample += [(bytes.fromhex(draw), Pair(*pair)) for draw, pair in result["sample"]]
            shared |= set(result["shared"])
        problems = [Problem(*problem) for problem in whole["problems"]]
        num_lines = whole["pairs"] + whole["skipped"]
        if whole["skipped"] and not self.config.data.skip_bad:
            raise bad_lines(problems, whole["skipped"], num_lines)
        if not whole["pairs"]:
            raise bad_lines(problems, whole["skipped"], num_lines, is_all=True)
        self.say(f"{whole['pairs']:,} pairs in {len(self.parts):,} parts")
        if whole["skipped"]:
            first = problems[0]
            self.say(f"left out {whole['skipped']:,} lines that can't be used, first {first.origin}: {first.what}")
        if shared:
            num_shared = sum(draw_of(pair, SEED).hex() in shared for pair in self.dev)
            self.say(f"note: {num_shared:,} of the {len(self.dev):,} dev pairs have a source that is also in train")
        whole["lowest"] = lowest
        return whole, sample

    def choose_dev(self, looked: Mapping[str, Any]) -> list[int]:
        """Which sources are set aside, by the rule of `split_dev`; how many pairs that are in each part."""
        self.set_aside: frozenset[bytes] = frozenset()
        if self.config.data.dev:
            return [0] * len(self.parts)
        share = self.config.data.dev_share
        self.set_aside = frozenset(choose_dev(looked["lowest"], looked["pairs"], share=share, most=DEV_PAIRS))
        draws = [draw.hex() for draw in self.set_aside]
        found = (read_result(self.work, task)["lowest"] for task in self.looks)  # of each part once more: they are many
        return [sum(own.get(draw, 0) for draw in draws) for own in found]

    def choose_text(self, sample: list[tuple[bytes, Pair]]) -> TextOptions:
        """The options of the text with nothing left open."""
        pairs = [pair for draw, pair in sample if draw not in self.set_aside]
        sources = [pair.source for pair in pairs] if self.columns == "pairs" else None
        text, said = choose_text(self.config.text, sources, [pair.target or "" for pair in pairs])
        for line in said:
            self.say(line)
        return text

    def count(self, text: TextOptions, looked: Mapping[str, Any], dev_in: Sequence[int]) -> None:
        """The second pass: the codecs, learnt once and kept with the parts; and the pairs that were set aside."""
        assert text.target is not None
        units = (text.source if self.columns == "pairs" else None, text.target)
        in_part = [pairs - dev for pairs, dev in zip(looked["in_part"], dev_in, strict=True)]
        tasks = [
            Count(
                part,
                self.columns,
                SEED,
                self.set_aside,
                units,
                text.normalization,
                text.joint,
                sum(in_part[: part.number]),
                sum(in_part),
            )
            for part in self.parts
        ]
        self.do("counting", tasks)
        counts: dict[str, Counter[str]] = {"source": Counter(), "target": Counter()}
        dev: list[Pair] = []
        for task in tasks:
            result = read_result(self.work, task)
            for side in counts:
                counts[side].update(result[side])
            dev += [Pair(*pair) for pair in result["dev"]]
        self.dev = self.dev or dev
        done = self.work / "codecs.json"
        if done.exists():  # of a unigram vocabulary, learnt again, might come another
            self.codecs = codecs_in(str(self.work), json.loads(done.read_bytes()))
            return
        if text.joint:
            target = codec_of_counts(text, text.target, counts["source"] + counts["target"])
            self.codecs = target, target
        else:
            source = codec_of_counts(text, text.source, counts["source"]) if units[0] else None
            self.codecs = source, codec_of_counts(text, text.target, counts["target"])
        files = codec_files(self.codecs)
        for name, content in files.items():
            write_file(self.work / name, content)
        write_file(done, json.dumps(hash_of(b"".join(files.values()))).encode())

    def encode(self) -> dict[str, Any]:
        """The third pass; what its results are when added up."""
        digest = json.loads((self.work / "codecs.json").read_bytes())
        tasks = [Encode(part, self.columns, SEED, self.set_aside, str(self.work), digest) for part in self.parts]
        self.do("encoding", tasks)
        sides = ("source", "target")
        results = [read_result(self.work, task) for task in tasks]
        return {
            "in_part": [result["pairs"] for result in results],
            "tokens_in_part": [result["tokens"] for result in results],
            "tokens": {side: sum(result["tokens"][side] for result in results) for side in sides},
            "unknown": {side: sum(result["unknown"][side] for result in results) for side in sides},
            "longest": [max(result["longest"][side] for result in results) for side in sides],
        }

    def require_all(self, found: Sequence[int], dev_in: Sequence[int], encoded: Sequence[int]) -> None:
        """CheckpointError where pairs of a part have been lost on the way, or are there twice."""
        for part, read, dev, ids in zip(self.parts, found, dev_in, encoded, strict=True):
            if read != dev + ids:
                what = f"of part {part.number} {read:,} pairs were read, {dev:,} set aside and {ids:,} encoded"
                raise CheckpointError(what, where=str(self.work), fix="remove it and prepare again")

    def do(self, what: str, tasks: Sequence[Task]) -> None:
        """Do the tasks that aren't done yet, in so many processes, and show how far they have come."""
        began = time.perf_counter()
        left = [task for task in tasks if not result_file(self.work, task).exists()]
        with Progress(console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            shown = progress.add_task(what, total=len(tasks), completed=len(tasks) - len(left))
            if self.workers < 2 or len(left) < 2:
                for task in left:
                    do(str(self.work), task)
                    progress.advance(shown)
            else:
                # Spawned: a fork would take over the threads of torch in whatever state they are.
                with ProcessPoolExecutor(self.workers, get_context("spawn"), begin_process) as pool:
                    try:
                        for each in as_completed([pool.submit(do, str(self.work), task) for task in left]):
                            each.result()
                            progress.advance(shown)
                    except BrokenProcessPool:
                        said = "one of its processes was ended, perhaps for want of memory"
                        fix = "give fewer --workers; the same command goes on"
                        raise UserError(said, where="seq2see prepare", fix=fix) from None
                    except BaseException:
                        pool.shutdown(wait=True, cancel_futures=True)
                        raise
        self.say(f"{what}: {len(tasks):,} parts, {time.perf_counter() - began:.1f} s")
