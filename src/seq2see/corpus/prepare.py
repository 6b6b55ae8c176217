"""Prepares a corpus: three passes over the parts, then the assembly of their results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console

from seq2see.config import Config
from seq2see.console import Terminal, counted, say_to
from seq2see.corpus import parts
from seq2see.corpus.assembling import assemble, recover
from seq2see.corpus.corpus import CORPUS_FILES, is_corpus, read_manifest
from seq2see.corpus.preparation import Preparation
from seq2see.corpus.request import reason_to_rebuild, request_of
from seq2see.corpus.working_folder import WORK, open_work, remove_work, require_ours
from seq2see.data.choosing import beginning, format_of
from seq2see.data.files import require_no_pipe
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions, table_options
from seq2see.data.reading import NUM_TELLING, check_paths, tables_error
from seq2see.data.table import Format
from seq2see.errors import ConfigError, DataError
from seq2see.model import find, resolve
from seq2see.storage.files import other_entries
from seq2see.storage.locks import locked
from seq2see.system_errors import absolute, require_no_broken_link, require_possible


@dataclass(frozen=True)
class PreparedCorpus:
    """The corpus that `prepare_corpus` returns."""

    folder: Path
    pairs: int
    is_new: bool
    """False if it existed and was up to date."""


def prepare_corpus(config: Config, folder: Path, *, workers: int = 1, console: Console | None = None) -> PreparedCorpus:
    """Prepare the configured files as a corpus in `folder`, unless it exists and is up to date.

    Resumes a preparation that was interrupted. Raises DataError for invalid lines, ConfigError for conflicting options
    and if `folder` is something else.
    """
    console = console or Terminal(stderr=True)
    say = say_to(console)
    folder = absolute(folder)
    require_possible(folder.parent / (folder.name + WORK), ConfigError)  # the root has no name
    require_no_broken_link(folder, ConfigError)
    if config.text.bpe_dropout:
        fix = "remove it, or train on the original files"
        what = "BPE-dropout is not supported with a prepared corpus, which contains ids but no texts"
        raise ConfigError(what, where="text.bpe_dropout", fix=fix)
    if not config.data.train:
        raise ConfigError(
            "no training data given", where="seq2see prepare", fix="name a file: seq2see prepare pairs.tsv"
        )
    if folder.exists() and not is_corpus(folder) and (not folder.is_dir() or any(folder.iterdir())):
        fix = "choose another folder with --out"
        raise ConfigError("exists and is not a prepared corpus", where=str(folder), fix=fix)
    if others := other_entries(folder, CORPUS_FILES):
        what = f"holds something that is no part of a prepared corpus: {others[0].name}"
        raise ConfigError(what, where=str(folder), fix="move it elsewhere, or choose another folder with --out")
    has_source = find(resolve(config.model).name).has_source
    columns: Columns = "pairs" if has_source else "target"
    names = [Path(name) for name in config.data.train]
    for path in names:
        require_no_pipe(path)
    check_paths(names, columns)
    request = request_of(config, columns)
    work = folder.with_name(folder.name + WORK)
    require_ours(work)
    if not work.exists() and is_corpus(folder) and not reason_to_rebuild(folder, request):
        return up_to_date(folder, say)
    with locked(work, say, "preparing"):
        recover(folder, work)
        if is_corpus(folder):
            why = reason_to_rebuild(folder, request)
            if not why:
                remove_work(work)
                return up_to_date(folder, say)
            say(f"{folder} is prepared again: {why}")
        open_work(work, request, say)
        try:
            encoding = config.data.encoding
            texts = [parts.as_text(name, work / f"text.{number}", encoding) for number, name in enumerate(names)]
            chosen = None if len(names) > 1 else format_in(names[0], texts[0], config, columns)
            if len(names) > 1:
                require_no_tables(names, texts, table_options(config.data))
            if chosen is not None and (said := chosen.describe()):
                say(f"{names[0]}: {said}")
            split = parts.split_files(names, texts, parts.PART_BYTES, chosen)
            preparation = Preparation(config, columns, work, split, workers, console)
            facts = preparation.run()
        except (ConfigError, DataError):
            remove_work(work)  # once the data or the options are corrected, these results are of no use
            raise
        num_pairs = assemble(
            folder, work, preparation.parts, preparation.codecs, preparation.dev, {**facts, "asked": request}
        )
        remove_work(work)
        how = (
            "" if config.data.dev else f", set aside by distinct {preparation.grouping.name if has_source else 'lines'}"
        )
        train, dev = counted(num_pairs, "training pair"), counted(len(preparation.dev), "dev pair")
        say(f"{folder}: {train}, {dev}{how}")
        return PreparedCorpus(folder, num_pairs, is_new=True)


def require_no_tables(names: Sequence[Path], texts: Sequence[Path], table: TableOptions) -> None:
    """DataError for parallel files of these names, whose lines are in `texts`, if both look like files of pairs."""
    heads = []
    for text in texts:
        with text.open("rb") as file:
            heads.append(b"".join(islice(file, NUM_TELLING)))
    if error := tables_error(names, heads, table):
        raise error


def format_in(name: Path, text: Path, config: Config, columns: Columns) -> Format:
    """How the file of that name is read, whose lines are in `text`."""
    with text.open("rb") as file:
        return format_of(beginning(file), table_options(config.data), str(name), columns=columns)


def up_to_date(folder: Path, say: Callable[[str], None]) -> PreparedCorpus:
    """The existing corpus, which is up to date."""
    say(f"{folder} is up to date: nothing to do")
    return PreparedCorpus(folder, read_manifest(folder)[0]["pairs"], is_new=False)
