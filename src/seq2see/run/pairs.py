"""The training and dev pairs of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from seq2see.config import Config
from seq2see.console import counted
from seq2see.corpus.corpus import Corpus, CorpusPairs, corpus_of
from seq2see.data import Pair, read_pairs, split_dev
from seq2see.data.balance import Balance
from seq2see.data.files import require_no_pipe
from seq2see.data.groups import BY_SOURCE, Grouping, grouping_of, shared_line
from seq2see.data.json_table import UnknownColumnError
from seq2see.data.length_limit import LengthLimit, left_out_line, require_some
from seq2see.data.options import DataOptions, TableOptions, columns_read, flags_of, known_from, table_options
from seq2see.data.remembered import has_tags
from seq2see.data.split import DEV_PAIRS, sample_evenly
from seq2see.data.table import Format, TableFormat
from seq2see.data.texts_alone import Side, texts_alone
from seq2see.data.unreadable import kinds_in, kinds_of, readable, unreadable_line, usual_widths
from seq2see.data.values import NUM_SAMPLED
from seq2see.doctor.quick import worst_findings
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.printable import listed, quoted
from seq2see.run.record import unchanged_config
from seq2see.text import FIELD_BREAK, Codecs
from seq2see.text.choice import choose_text, one_text_lines, require_symbols_apart
from seq2see.text.fields import ValueUnit, num_fields
from seq2see.text.options import TextOptions

LARGE_BYTES = 1_000_000_000
"""Bytes of text from which on `seq2see prepare` is recommended."""
TELLING_PAIRS = 2_000
"""Training pairs from which it is told what a column has."""
LATER = ", and a run reads its data again when it is resumed"
"""Why its files have to last."""


@dataclass(frozen=True)
class RunData:
    """Training and dev pairs, and notes about them for the user."""

    train: Sequence[Pair]
    dev: list[Pair]
    notes: list[str]
    corpus: Corpus | None = None
    """The prepared corpus, if any; the texts of `train` are then made from its ids."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """The options of the columns that were read of a table: see `Format.chosen`."""
    grouping: Grouping = BY_SOURCE
    """What pairs have in common that stay together."""
    text: TextOptions | None = None
    """With the units of both sides, once they are chosen: see `with_units`."""

    def settled(self, options: DataOptions) -> DataOptions:
        """The options with what was decided from the files: their columns, and what groups the pairs.

        A run reads its pairs again when it is resumed or reported on, and another version may decide otherwise.
        """
        columns = {name: value for name, value in self.columns.items() if name != "delimiter"}  # dev may have another
        group = self.grouping.field or None if options.group is None else options.group
        return replace(options, **columns, group=group)

    @property
    def group_field(self) -> int:
        """The field whose texts are recorded for `evaluate --by seen`: the one that groups the pairs, or the first."""
        return self.grouping.field or 1


class Unpaired(NamedTuple):
    """Texts of one side without the other."""

    side: Side
    texts: Sequence[str]

    def line(self) -> str:
        """For the terminal."""
        return f"{counted(len(self.texts), f'{self.side} text')} without the other side"


def require_possible_unpaired(config: Config, *, has_source: bool) -> None:
    """ConfigError for texts without the other side, or options about them, that conflict with other options."""
    sides = [side for side in ("source", "target") if getattr(config.data, f"also_{side}") is not None]
    for side in sides:
        where = f"data.also_{side}"
        if not has_source:
            fix = "train on the texts themselves, or choose another model"
            raise ConfigError("has no effect on a language model", where=where, fix=fix)
        if config.training.start_from:
            what = "has no effect on a model that is fine-tuned, which has learned before"
            raise ConfigError(what, where=where, fix="leave it out, or train a new model without --from")
        if corpus_of(config.data.train):
            what = "unsupported with a prepared corpus, whose vocabularies are fixed"
            raise ConfigError(what, where=where, fix="train on the files of pairs themselves")
    if config.training.denoising_updates and not sides:
        fix = "give texts: --also-source FILE, or --also-target FILE"
        raise ConfigError("has no effect without texts to restore", where="training.denoising_updates", fix=fix)


def read_unpaired(config: Config, *, has_source: bool) -> list[Unpaired]:
    """The texts of data.also_source and data.also_target.

    ConfigError for other options that they conflict with, and DataError for a file that has something else.
    """
    require_possible_unpaired(config, has_source=has_source)
    data = config.data
    files: tuple[tuple[Side, str | None], ...] = (("source", data.also_source), ("target", data.also_target))
    return [
        Unpaired(side, texts_alone(from_here(path), side, skip_bad=data.skip_bad, encoding=data.encoding))
        for side, path in files
        if path is not None
    ]


class NamedBalance(NamedTuple):
    """A balance, and what its groups are called."""

    own: Balance
    name: str


def balance_of(config: Config, data: RunData, *, has_source: bool) -> NamedBalance | None:
    """The balance that `data.balance` asks for. ConfigError for a column that isn't there."""
    asked, where = config.data.balance, "data.balance"
    if asked is None:
        if config.data.temperature != DataOptions().temperature:
            fix = "name a column: --set data.balance=language"
            raise ConfigError("has no effect without data.balance", where="data.temperature", fix=fix)
        return None
    if data.corpus:
        what = "unsupported with a prepared corpus, which is read in the order of its files"
        raise ConfigError(what, where=where, fix="train on the files of pairs themselves")
    sources = [pair.source for pair in data.train]
    if has_source and num_fields(sources) == 1:
        what = "names a column of the source, and the sources have only one"
        raise ConfigError(what, where=where, fix="name several columns, such as --source word,language")
    grouping = grouping_of(asked, sources, config.data.source, has_source=has_source, where=where)
    keys = [grouping.text(pair) for pair in data.train]
    return NamedBalance(Balance.of(keys, config.data.temperature, config.training.seed), grouping.title)


def read_data(
    config: Config,
    pairs: Sequence[Pair] | None,
    dev_pairs: Sequence[Pair] | None,
    *,
    has_source: bool,
    known: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> RunData:
    """The pairs given, or those of the configured files; without dev, a part of train is held out.

    By default the columns are those `known` from the model that is fine-tuned, where the files have them.
    """
    notes: list[str] = []
    for name in (*config.data.train, *config.data.dev, config.data.also_source, config.data.also_target):
        if name is not None:
            require_no_pipe(Path(name), LATER)
    if pairs is None and (corpus := corpus_of(config.data.train)):
        return corpus_data(corpus)

    table, chosen = table_options(config.data), dict[str, Any]()
    formats = dict[str, Format]()
    wanted = table

    def read(paths: Sequence[str], name: str) -> list[Pair]:
        nonlocal chosen, wanted
        try:
            found = read_pairs(
                [from_here(path) for path in paths],
                columns="pairs" if has_source else "target",
                skip_bad=config.data.skip_bad,
                table=wanted,
                known=known if name == "train" else TableOptions(**chosen),
                may_rename=True,
                has_tags=name == "dev" and has_tags([pair.source for pair in train[:TELLING_PAIRS]]),
            )
        except UnknownColumnError as error:
            if name == "train" or not chosen.get("source") or not (error.names or error.is_missing):
                raise
            # The options hold for both files: others would be other columns of the training file, too.
            columns = listed([*chosen["source"], *([chosen["target"]] if "target" in chosen else [])])
            fix = f"give dev pairs with the columns of the training pairs: {columns}"
            raise DataError(error.what, where=error.where, fix=fix) from None
        if found.format is not None:
            formats[name] = found.format
            if said := found.format.describe():
                notes.append(f"{' '.join(Path(path).name for path in paths)}: {said}")
            if name == "train":
                chosen = columns_read(found.format.chosen(), config.data)
                if table.names and chosen["names"] == found.format.chosen().get("names"):
                    # A run stores the columns under the header of its training file; dev may have other names.
                    wanted = replace(table, source=(), target=None, names=())
        if found.skipped:
            first = found.problems[0]
            notes.append(
                f"{name}: skipped {counted(found.skipped, 'invalid line')}, first {first.origin}: {first.what}"
            )
        if found.num_not_normalized and config.text.normalization != "none":
            notes.append(
                f"{name}: {counted(found.num_not_normalized, 'pair')} not in Unicode form NFC; "
                f"all text is normalized to {config.text.normalization}"
            )
        return found.pairs

    if pairs is None and not config.data.train:
        raise ConfigError("no training data given", where="data.train", fix="name a file: seq2see train pairs.tsv")
    train = list(pairs) if pairs is not None else read(config.data.train, "train")
    files = [] if pairs is not None else list(map(Path, config.data.train))
    names = chosen.get("source", config.data.source)
    unit_is_given = config.text.source is not None
    if has_source and (worst := worst_findings(train, files, names, unit_is_given=unit_is_given)):
        words = [*map(quoted, config.data.train), *flags_of(table)]
        more = f"; all of them: seq2see check {' '.join(words)}" if pairs is None else ""
        notes += [*worst[:-1], worst[-1] + more]
    kinds: Mapping[int, ValueUnit] = {}
    widths: Mapping[int, int] = {}
    if has_source and config.data.skip_bad:
        units = config.text.source
        kinds = kinds_in([pair.source for pair in train]) if units is None else kinds_of(units)
        step = max(1, len(train) // NUM_SAMPLED)
        widths = usual_widths(kinds, [pair.source for pair in train[::step]])
        train, skipped = without_unreadable(kinds, widths, train, "train")
        notes += skipped
    sources = [pair.source for pair in train]
    grouping = grouping_of(config.data.group, sources, names, case=config.text.case, has_source=has_source)
    if dev_pairs is not None or config.data.dev:
        dev = list(dev_pairs) if dev_pairs is not None else read(config.data.dev, "dev")
        if has_source:
            where = str(from_here(config.data.dev[0])) if dev_pairs is None else "dev"
            require_as_many_fields(sources, dev, formats, where)
        dev, skipped = without_unreadable(kinds, widths, dev, "dev")
        notes += skipped
        notes.insert(0, f"data: {counted(len(train), 'pair')} to train on, {counted(len(dev), 'dev pair')}")
        by_source = Grouping(case=config.text.case)
        trained = set(map(by_source.key, train))
        shared = sum(by_source.key(pair) in trained for pair in dev)
        if shared:
            notes.append(f"note: {shared:,} of the {len(dev):,} dev pairs have a source that is also in train")
        if grouping.field:
            notes.append(shared_line(grouping, dev, map(grouping.key, train)))
    else:
        total, seed = len(train), split_seed_of(config)
        train, dev = split_dev(
            train,
            seed=seed,
            share=config.data.dev_share,
            max_pairs=DEV_PAIRS,
            grouping=grouping,
        )
        kind = grouping.name if has_source else "lines"
        notes.insert(
            0,
            f"data: {counted(total, 'pair')}, of which {len(dev):,} are set aside as dev (by distinct {kind}, "
            f"seed {seed})",
        )
    if pairs is None:
        notes += size_notes(config.data.train)
    return RunData(train, dev, notes, columns=chosen, grouping=grouping)


def require_as_many_fields(
    sources: Sequence[str], dev: Sequence[Pair], formats: Mapping[str, Format], where: str
) -> None:
    """DataError for dev pairs of which none has as many source columns as the training pairs: none could be scored."""
    wanted = num_fields(sources)
    numbers = {pair.source.count(FIELD_BREAK) + 1 for pair in dev}
    if not numbers or wanted in numbers or (wanted == 1 and any(FIELD_BREAK in source for source in sources)):
        return
    train, own = formats.get("train"), formats.get("dev")
    said = f" ({own.describe()})" if own is not None and own.describe() else ""
    fix = "give dev pairs with the columns of the training pairs"
    if isinstance(train, TableFormat) and isinstance(own, TableFormat):
        used, target = own.source[:wanted], own.target
        if (train.source, train.target) == (used, target) and target is not None:
            flags = flags_of(TableOptions(source=tuple(str(at + 1) for at in used), target=str(target + 1)))
            fix = f"choose {'one' if wanted == 1 else wanted} as source: {' '.join(flags)}"
    what = f"the training pairs have {counted(wanted, 'source column')}, found {min(numbers)}{said}"
    raise DataError(what, where=where, fix=fix)


def from_here(path: str) -> Path:
    """The path from the working folder, if it is in there: as it was given, and shorter in messages."""
    with suppress(ValueError, OSError):
        return Path(path).relative_to(Path.cwd())
    return Path(path)


def with_units(data: RunData, options: TextOptions, *, has_source: bool, is_new: bool) -> RunData:
    """The data with the units of their texts, and with notes on them. ConfigError for conflicting options.

    If the vocabularies are to be made, also for texts that don't suit their unit. A prepared corpus has its own.
    """
    if data.corpus or data.text is not None:
        return data
    sources = [pair.source for pair in data.train] if has_source else None
    targets = [pair.target or "" for pair in data.train]
    text, lines = choose_text(options, sources, targets)
    if is_new:
        require_symbols_apart(text, sources, targets)
        lines += one_text_lines(text, sources or ())
    return replace(data, text=text, notes=[*data.notes, *lines])


def without_unreadable(
    kinds: Mapping[int, ValueUnit], widths: Mapping[int, int], pairs: Sequence[Pair], name: str
) -> tuple[list[Pair], list[str]]:
    """The pairs whose fields of these kinds can be read, and a line on the others. DataError if there are only such."""
    kept, errors = readable(kinds, widths, pairs)
    return list(compress(pairs, kept)), [f"{name}: {unreadable_line(errors)}"] if errors else []


def split_seed_of(config: Config) -> int:
    """The seed of the choice of dev pairs."""
    return config.training.seed if config.data.split_seed is None else config.data.split_seed


def corpus_data(corpus: Corpus) -> RunData:
    """The pairs of a prepared corpus."""
    facts = corpus.facts
    train, dev = counted(facts["pairs"], "pair"), counted(len(corpus.dev), "dev pair")
    notes = [f"data: {train} to train on, {dev}, prepared in {corpus.folder}"]
    if facts["skipped"]:
        notes.append(f"train: skipped {counted(facts['skipped'], 'invalid line')}")
    for name, left_out in facts.get("left_out", {}).items():
        if left_out:
            longest = f"longer than {facts['asked']['data.longest']:,} tokens (data.longest)"
            notes.append(f"{name}: {counted(left_out, 'pair')} left out when the corpus was prepared: {longest}")
    return RunData(CorpusPairs(corpus), corpus.dev, notes, corpus, columns_of(corpus))


def columns_of(corpus: Corpus) -> dict[str, Any]:
    """The options of the columns that a corpus was prepared from."""
    return known_from(corpus.facts.get("columns")).given()


def size_notes(paths: Sequence[str]) -> list[str]:
    """A note if the files are large: a prepared corpus is not read into memory."""
    size = sum(Path(path).stat().st_size for path in paths)
    if size < LARGE_BYTES:
        return []
    return [
        f"note: {size / 1e9:.1f} GB of text are read into memory; "
        "a corpus made by seq2see prepare is read from disk as needed, and starts at once"
    ]


def without_long_pairs(data: RunData, limit: LengthLimit | None) -> RunData:
    """The data without pairs beyond the limit, and with notes on how many were left out.

    DataError if none is left to train on or to evaluate on.
    """
    if limit is None or data.corpus:
        return data
    kept, notes = {}, []
    for name, pairs in (("train", data.train), ("dev", data.dev)):
        kept[name], long = limit.split(pairs)
        if long:
            notes.append(left_out_line(name, long, len(pairs), limit))
        require_some(name, kept[name], limit)
    return replace(data, train=kept["train"], dev=kept["dev"], notes=[*data.notes, *notes])


def limit_of(longest: int | None, text: TextOptions, codecs: Codecs | None) -> LengthLimit | None:
    """The limit that the configuration sets, if any."""
    return None if longest is None else LengthLimit(longest, text, codecs)


def read_run_data(run: Path, *, has_source: bool, fix: str, codecs: Codecs | None = None) -> RunData:
    """The pairs that the run in this folder was trained and evaluated on, read again.

    `codecs` are those of its model, by which `data.longest` counts. Raises ConfigError, with this `fix`, if its files
    can't be read or have another content than they had.
    """
    config = unchanged_config(run, fix=fix)
    try:
        data = read_data(config, None, None, has_source=has_source)
        return without_long_pairs(data, limit_of(config.data.longest, config.text, codecs))
    except UserError as error:
        raise ConfigError(f"the data of the run can't be read: {error.what}", where=error.where, fix=fix) from None


def dev_sample(data: RunData) -> Sequence[Pair]:
    """The dev pairs that training evaluates on: at most DEV_PAIRS, evenly spread."""
    return sample_evenly(data.dev, DEV_PAIRS)


def as_jsonl(pairs: Sequence[Pair], columns: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    """The pairs as JSON lines, with the names or numbers of several source columns as keys."""
    names = columns.get("source") or ("source",)
    target = columns.get("target") or "target"
    lines = []
    for pair in pairs:
        texts = pair.source.split("\t") if len(names) > 1 else [pair.source]
        lines.append(json.dumps({**dict(zip(names, texts, strict=True)), target: pair.target}) + "\n")
    return "".join(lines).encode()
