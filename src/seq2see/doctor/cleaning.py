"""Writes a clean copy of a file of pairs: safe changes only, and all of them are counted.

The copy is TSV or, if its name ends in .csv, CSV, in UTF-8 with LF. Cleaning is idempotent, and training accepts every
line of the copy.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast

from seq2see.data.options import TableOptions
from seq2see.data.reading import gc_paused
from seq2see.data.unreadable import error_of, kinds_in
from seq2see.data.values import beside, moved
from seq2see.doctor import characters
from seq2see.doctor.columns import widths_in, with_installed
from seq2see.doctor.diagnosed import diagnosed
from seq2see.doctor.rows import Faults, PairSource, pair_sources
from seq2see.errors import ConfigError, DataError
from seq2see.storage.files import flush, replacing, require_place
from seq2see.text.fields import ValueUnit

OTHER_FORMATS = (".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".ods", ".tmx", ".xlf", ".xliff", ".po")
"""Endings of names that promise what isn't written."""
_BLANKS = re.compile("  +")

CHANGES = {
    "byte-order-mark-at-start": "byte order marks at the beginning removed",
    "windows-line-ends": "line ends CR LF replaced by LF",
    "byte-order-mark-inside": "texts with U+FEFF inside: removed",
    "control": "texts with control characters: white space replaced by blanks, others removed",
    "invisible": "texts with meaningless invisible characters: removed",
    "unusual-spaces": "texts with unusual spaces: replaced by blanks",
    "not-nfc": "texts normalized to NFC",
    "doubled-blanks": "texts with several blanks in a row: replaced by one",
    "space-around": "texts with white space at the ends: stripped",
}
LEFT_OUT = {
    "unusable": "invalid lines (seq2see check explains them)",
    "unreadable": "pairs with a picture or series that can't be read",
    "emptied": "pairs with an empty side after cleaning",
    "duplicates": "repeated pairs",
}


@dataclass(frozen=True)
class CleaningResult:
    """The number of changes by name of the finding, of pairs left out, and of `pairs` written."""

    path: str
    pairs: int
    changed: dict[str, int]
    left_out: dict[str, int]
    format: str = ""
    """How a file that is not source TAB target was read."""

    def as_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return {
            "path": self.path,
            "pairs": self.pairs,
            "changed": self.changed,
            "left_out": self.left_out,
            "format": self.format,
        }


def clean_text(text: str, changed: Counter[str]) -> str:
    """The cleaned text; changes are counted in `changed`. Idempotent."""
    if text.isascii() and not characters.SUSPICIOUS.search(text) and "  " not in text and text == text.strip():
        return text
    steps = (
        ("control", _without_controls),
        ("byte-order-mark-inside", lambda text: text.replace(characters.BYTE_ORDER_MARK, "")),
        ("invisible", lambda text: characters.invisible(text).sub("", text)),
        ("unusual-spaces", lambda text: characters.unusual_space(text).sub(" ", text)),
        ("not-nfc", lambda text: unicodedata.normalize("NFC", text)),
        ("doubled-blanks", lambda text: _BLANKS.sub(" ", text)),
        ("space-around", str.strip),
    )
    done: set[str] = set()
    before = None
    while text != before:  # NFC reorders marks, so a joiner may get other neighbors
        before = text
        for name, step in steps:
            after = step(text)
            if after != text:
                done.add(name)
            text = after
    changed.update(done)
    return text


def _without_controls(text: str) -> str:
    return characters.CONTROL.sub("", characters.WHITE_CONTROL.sub(" ", text))


@gc_paused()
def clean(
    paths: Sequence[Path | str],
    output: Path,
    *,
    keep_duplicates: bool = False,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> CleaningResult:
    """Write a clean copy of one file of pairs, or of two parallel files, as TSV or .csv (gzipped if it ends in .gz).

    Several source columns stay columns, under a header; CSV always has one. `table` says what is not to be found out
    from the file.

    Repeated pairs are recognized by a 16-byte digest, about 120 MB per million pairs. The copy is written atomically.
    Raises ConfigError if the output is an input, DataError if most lines are invalid or a file is not text.
    """
    files = _one_set([Path(path) for path in paths], table)
    _require_other_file(files.paths, output)
    faults, changed, left_out = Faults(), Counter[str](), Counter[str]()
    seen: set[bytes] = set()
    num_pairs = num_valid = 0
    kinds, folder, first_unreadable = value_kinds(files), files.paths[0].parent, None
    widths = widths_in(files, kinds)
    is_csv = _ending(output) == ".csv"
    with replacing(output) as part:
        with ExitStack() as stack:
            file = _opened(part, output, stack)
            as_line = _as_csv if is_csv else _as_tsv
            if names := _header_of(files, always=is_csv):
                file.write(as_line(names))
            for block in files.blocks(faults):
                lines = []
                num_valid += len(block.sources)
                for given, target, line_number in zip(block.sources, block.targets, block.lines.tolist(), strict=True):
                    if kinds and (error := error_of(kinds, widths, beside(given, folder), files.origin(line_number))):
                        first_unreadable = first_unreadable or error
                        left_out["unreadable"] += 1
                        continue
                    source = moved(given, folder, output.parent)
                    fields = source.split("\t") if files.num_fields > 1 else [source]
                    cells = [clean_text(field, changed) for field in (*fields, target)]
                    line = as_line(cells)
                    if not any(cells[:-1]) or not cells[-1]:
                        left_out["emptied"] += 1
                        continue
                    if not keep_duplicates:
                        digest = hashlib.blake2b(line.encode(), digest_size=16).digest()
                        if digest in seen:
                            left_out["duplicates"] += 1
                            continue
                        seen.add(digest)
                    lines.append(line)
                file.writelines(lines)
                num_pairs += len(lines)
        if first_unreadable and not num_pairs:
            raise first_unreadable
        _require_whole(faults, files, num_valid, num_pairs)
        flush(part)
    left_out["unusable"] = faults.unusable
    changed.update({name: faults.counts[name] for name in CHANGES if faults.counts[name]})
    return CleaningResult(
        str(output),
        num_pairs,
        {name: changed[name] for name in CHANGES if changed[name]},
        {name: left_out[name] for name in LEFT_OUT if left_out[name]},
        files.describe(),
    )


def value_kinds(files: PairSource) -> dict[int, ValueUnit]:
    """The fields that name pictures or series in all lines, by index; without Pillow, pictures are not looked at."""
    kinds: dict[int, ValueUnit] | None = None
    for block in files.blocks(Faults()):
        if block.sources:
            own = kinds_in(block.sources)
            kinds = own if kinds is None else {index: kind for index, kind in kinds.items() if own.get(index) == kind}
            if not kinds:
                break
    return with_installed(kinds or {})


def _header_of(files: PairSource, *, always: bool) -> list[str]:
    """The names of several source columns and of the target; none for pairs of two texts, unless `always`."""
    if files.format is None or (files.num_fields < 2 and not always):
        return ["source", "target"] if always else []
    chosen = files.format.chosen()
    names = [*cast(tuple[str, ...], chosen.get("source", ())), cast(str, chosen.get("target", ""))]
    if len(names) <= files.num_fields or all(name.isdecimal() for name in names):
        numbered = [f"source.{number}" for number in range(1, files.num_fields + 1)]
        names = [*(numbered if files.num_fields > 1 else ["source"]), "target"]
    return names


def _as_tsv(cells: Sequence[str]) -> str:
    return "\t".join(cells) + "\n"


def _as_csv(cells: Sequence[str]) -> str:
    csv.writer(line := StringIO(), lineterminator="\n").writerow(cells)
    return line.getvalue()


def _ending(output: Path) -> str:
    return (output.with_suffix("") if output.suffix == ".gz" else output).suffix


def _one_set(paths: Sequence[Path], table: TableOptions) -> PairSource:
    files = pair_sources(paths, table)
    if len(files) != 1:
        fix = "clean one file, or two parallel files, at a time"
        raise ConfigError(f"needs 1 set of pairs, found {len(files)}", where="--fix", fix=fix)
    return files[0]


def _require_other_file(inputs: Sequence[Path], output: Path) -> None:
    require_place(output)
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise ConfigError("would overwrite the original", where="-o", fix="name another file")
    if output.is_dir():
        raise ConfigError(f"is a folder: {output}", where="-o", fix="name a file in it")
    if (ending := _ending(output)) in OTHER_FORMATS:
        what = f"the clean copy is TSV or CSV, unsupported format {ending}"
        raise ConfigError(what, where="-o", fix="use the extension .tsv or .csv")


def _opened(part: Path, output: Path, stack: ExitStack) -> IO[str]:
    raw = stack.enter_context(part.open("wb"))
    stream: Any = raw
    if output.suffix == ".gz":
        stream = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
    return stack.enter_context(TextIOWrapper(stream, encoding="utf-8", newline="\n"))


def _require_whole(faults: Faults, files: PairSource, num_valid: int, num_pairs: int) -> None:
    """DataError for faults of whole files, and if most lines would be left out."""
    for name in faults.of_whole_files():
        raise DataError(faults.examples[name][0].detail, where=files.name, fix=faults.remedies[name])
    if num_valid and not num_pairs:
        what = "no text is left of the pairs, so nothing was written"
        raise DataError(what, where=files.name, fix="add pairs with text on both sides")
    if faults.unusable > num_valid or not num_valid:
        advice = next(iter(diagnosed(files, faults).values()), None)
        num_lines = num_valid + faults.unusable
        what = f"only {num_valid:,} of {num_lines:,} lines are valid, so nothing was written"
        if advice is None:
            fix = faults.remedies.get("encoding") or "correct the lines that seq2see check shows"
            raise DataError(what, where=files.name, fix=fix)
        raise DataError(f"{what}; {advice.full_what}", where=files.name, fix=advice.full_fix)
