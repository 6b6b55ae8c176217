"""Options of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from seq2see.errors import ConfigError
from seq2see.printable import quoted

Decision = Literal["auto", "yes", "no"]


@dataclass(frozen=True)
class TableOptions:
    """How the lines of a file become pairs. What is not given is found out from the file."""

    source: tuple[str, ...] = ()
    """Columns of the source by name or number, separated by commas; in JSON keys, such as translation.en."""
    target: str | None = None
    """The column of the target; by default told from names, tags or the number of columns."""
    names: tuple[str, ...] = ()
    """Names of the columns of a file that has no header."""
    delimiter: Annotated[str, Meta(min_length=1)] | None = None
    """What separates columns: tab, comma, semicolon, pipe, blanks (two or more), first-blank, probabilities (between
    a word and its symbols, which are left out), or another text; by default it is found out."""
    header: Decision = "auto"
    """Whether the first line has the names of the columns."""
    quotes: Decision = "auto"
    """Whether cells may be in quotation marks, as in CSV."""
    comment: str | None = None
    """What comment lines begin with; several are separated by blanks, and "" is none; by default
    they are found out."""
    encoding: str | None = None
    """Encoding of files that are not UTF-8, such as cp1252; by default only UTF-16 with a byte order mark is read."""

    def __post_init__(self) -> None:
        for name in ("source", "names"):
            object.__setattr__(self, name, columns_in(getattr(self, name), keep_empty=name == "names"))
        if isinstance(self.target, int) and not isinstance(self.target, bool):
            object.__setattr__(self, "target", str(self.target))
        if self.delimiter == "":
            fix = (
                "give tab, comma, semicolon, pipe, blanks, first-blank, probabilities or another text, or leave it out"
            )
            raise ConfigError("must not be empty", where="delimiter", fix=fix)

    def over(self, other: TableOptions) -> TableOptions:
        """These options, and for those that are not given the other ones."""
        return replace(table_options(other), **self.given())

    def given(self) -> dict[str, Any]:
        """The options of the table that differ from the defaults, by name."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(TableOptions)
            if getattr(self, each.name) != each.default
        }


def known_columns(options: TableOptions) -> dict[str, Any]:
    """What a model remembers of its table, as JSON: options that also read another file, with a header or without."""
    given = options.given()
    given.pop("header", None)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def known_from(stored: Any) -> TableOptions:
    """The options that `known_columns` made; none for anything else."""
    names = {each.name for each in fields(TableOptions)}
    if not isinstance(stored, dict) or not stored.keys() <= names:
        return TableOptions()
    try:
        return msgspec.convert(stored, TableOptions)
    except msgspec.ValidationError:
        return TableOptions()


def columns_in(given: Any, *, keep_empty: bool = False) -> Any:
    """Names or numbers of columns as a tuple: `"lemma,features"` and `[1, 3]` are two each.

    In a list, a name may have a comma. With `keep_empty`, a text such as `,word` has two names, of which one is empty.
    """
    if isinstance(given, str):
        parts = [name.strip() for name in given.split(",")] if given.strip() else []
        return tuple(name for name in parts if name or keep_empty)
    if isinstance(given, int) and not isinstance(given, bool):
        return (str(given),)
    if not isinstance(given, list | tuple):
        return given
    return tuple(str(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in given)


def whole_names(asked: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    """The columns asked for, where the parts of a name that has commas itself are that name again."""
    parts_of = {name: columns_in(name) for name in names if "," in name}
    found, at = list[str](), 0
    while at < len(asked):
        whole = next(
            (name for name, parts in parts_of.items() if parts and tuple(asked[at:][: len(parts)]) == parts), None
        )
        found.append(asked[at] if whole is None else whole)
        at += 1 if whole is None else len(parts_of[whole])
    return tuple(found)


def columns_read(found: Mapping[str, Any], options: TableOptions) -> dict[str, Any]:
    """The options that read the same columns again: those that were found out, and those given."""
    read = {**found, **options.given()}
    return {**read, "source": whole_names(read["source"], read.get("names", ()))} if "source" in read else read


def table_options(options: TableOptions) -> TableOptions:
    """The options of the table alone."""
    return TableOptions(**{each.name: getattr(options, each.name) for each in fields(TableOptions)})


def flags_of(table: TableOptions) -> list[str]:
    """The words of a command that give these options."""
    words = []
    for name, value in table.given().items():
        word = quoted(",".join(value) if isinstance(value, tuple) else str(value))
        # Alone, a value such as -> would be read as an option.
        words += [f"--{name}={word}"] if word.lstrip("'").startswith("-") else [f"--{name}", word]
    return words


@dataclass(frozen=True)
class DataOptions(TableOptions):
    """The files of pairs and how they are read."""

    train: tuple[str, ...] = ()
    """One file of pairs (a table of any kind, JSON, Parquet), or two parallel files; each may be gzipped."""
    dev: tuple[str, ...] = ()
    """The same for dev pairs (--dev); by default a part of data.train is set aside."""
    also_source: str | None = None
    """A file of source texts without targets, one per line (--also-source): the encoder first learns to restore them
    from noise; by default none."""
    also_target: str | None = None
    """A file of target texts without sources, one per line (--also-target): the decoder first learns to restore them
    from noise; by default none."""
    dev_share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the pairs to set aside for dev."""
    split_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    """Seed of the choice of these pairs; by default training.seed, or with --seeds the first of them."""
    group: Annotated[int, Meta(ge=1)] | str | None = None
    """The source column whose values are never in both training and dev pairs, such as the lemma: by name, or by its
    number among those of the source; by default the first of several that is not a label such as the language, with
    at most 20 values; none: only whole sources are kept apart."""
    balance: Annotated[int, Meta(ge=1)] | str | None = None
    """The source column by whose values small groups of pairs have a larger share of each epoch, such as the language:
    by name, or by its number among those of the source; by default all pairs count the same."""
    temperature: Annotated[float, Meta(ge=1, le=1e6)] = 5.0
    """With data.balance: a group of n pairs has a share in proportion to n^(1/temperature): 1 keeps the shares of the
    data, 100 makes them nearly equal."""
    distortion: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """Strength of random distortions of the pictures in training, new ones in each epoch: 1 rotates by up to 8°,
    shears by up to 20 %, shrinks by up to a half, and moves points by some 1.5 pixels; 0 leaves them as they are."""
    skip_bad: bool = False
    """Skip invalid lines, and count them (--skip-bad)."""
    longest: Annotated[int, Meta(ge=1)] | None = None
    """Most tokens of a source or target; longer pairs are left out of training and dev, and counted; by
    default all are kept."""
    workers: Annotated[int, Meta(ge=0)] = 0
    """Threads that prefetch batches; the result does not depend on their number."""
