"""What to do with the pairs of several files: commands that make one file, or two parallel ones, of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2see.data.advice import new_file, quoted_path
from seq2see.data.choosing import JSON_EXTENSIONS, TABLE_EXTENSIONS, beginning, extension, format_of, rows_of
from seq2see.data.files import open_content
from seq2see.data.options import TableOptions
from seq2see.data.standard_input import STDIN_FILE
from seq2see.data.table import Format, TableFormat
from seq2see.errors import UserError

_NOT_PLAIN = (b"\t", b"\r", b"\0", b"\xef\xbb\xbf")


def fix_for_several(paths: Sequence[Path], table: TableOptions) -> str:
    """How to name the pairs of more than two files."""
    lines = [_num_lines(path) for path in paths]
    if all(lines) and (sets := _parallel_sets(paths)):
        (source, target), (dev_source, dev_target) = (map(_quoted, each) for each in sets[:2])
        command = f"seq2see train {source} {target} --dev {dev_source} {dev_target}"
        sides = [" ".join(map(_quoted, side)) for side in zip(*sets, strict=True)]
        made = [_quoted(new_file(str(path), f"-all{path.suffix}")) for path in sets[0]]
        joining = " && ".join(f"cat {side} > {new}" for side, new in zip(sides, made, strict=True))
        return f"for pairs to evaluate on during training: {command} (dev=…); to read the pairs of all: {joining}"
    if joining := joining_command(paths, table):
        return f"make one file of all: {joining}"
    if all(lines) and len(set(lines)) == 1:
        source, *targets = map(_quoted, paths)
        pasting = " && ".join(f"paste {source} {target}" for target in targets)
        new = _quoted(new_file(str(paths[0]), "-all.tsv"))
        return f"if line n of each of the others is a target of line n of {source}: ({pasting}) > {new}"
    return "name one file with all pairs"


def _quoted(path: Path | str) -> str:
    return quoted_path(str(path))


def _num_lines(path: Path) -> int:
    """The number of lines of a file of text without columns, none of them blank; 0 for other files."""
    if path == STDIN_FILE or not path.is_file() or path.suffix == ".gz":
        return 0
    with path.open("rb") as file:
        lines = list(file)
    # With one of these, a command would make other lines of it than are read.
    are_plain = all(line.strip() and not any(each in line for each in _NOT_PLAIN) for line in lines)
    return len(lines) if lines and are_plain and lines[-1].endswith(b"\n") else 0


def _parallel_sets(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """The pairs of parallel files among these, told by their two endings, such as .en and .de; none if they aren't."""
    first = extension(paths[0])
    sources = [path for path in paths if extension(path) == first]
    targets = [path for path in paths if extension(path) != first]
    endings = {first, *map(extension, targets)}
    if len(sources) != len(targets) or len(endings) != 2 or endings & {*TABLE_EXTENSIONS, *JSON_EXTENSIONS}:
        return []
    named = {path.with_suffix(""): path for path in targets}
    if all(path.with_suffix("") in named for path in sources):
        return [(path, named[path.with_suffix("")]) for path in sources]
    are_beside = [extension(path) == first for path in paths] == [True, False] * len(sources)
    return list(zip(sources, targets, strict=True)) if are_beside else []


def joining_command(paths: Sequence[Path], table: TableOptions) -> str:
    """The command for a POSIX shell that writes the pairs of all files into one; empty if none simply does.

    They have to be lines of text in UTF-8 that are read alike; of several headers the first is kept.
    """
    try:
        formats = [_format_as_it_is(path, table) for path in paths]
    except (UserError, OSError):
        return ""
    first = formats[0] if formats else None
    if first is None or any(each != first for each in formats[1:]):
        return ""
    layout = first.layout if isinstance(first, TableFormat) else None
    names = [quoted_path(str(path)) for path in paths]
    made = quoted_path(new_file(str(paths[0]), f"-all{paths[0].suffix}"))
    if layout is None or not layout.header:
        return f"cat {' '.join(names)} > {made}"
    if layout.marks or layout.comments:
        return ""
    return f"(cat {names[0]} && {' && '.join(f'tail -n +2 {name}' for name in names[1:])}) > {made}"


def _format_as_it_is(path: Path, table: TableOptions) -> Format | None:
    """The format of a file whose own lines are those that are read, and whose last one ends; None for others.

    None, too, for text without the columns of a table, such as one of two parallel files.
    """
    if path == STDIN_FILE or not path.is_file():  # a pipe could not be read again
        return None
    with path.open("rb") as raw, open_content(path, table.encoding) as file:
        head = file.stream.peek()  # type: ignore[attr-defined]
        if not head or raw.read(len(head)) != head or head.startswith(b"\xef\xbb\xbf"):
            return None
        raw.seek(-1, 2)
        ends = raw.read() == b"\n"
        lines = beginning(file.stream)
        found = format_of(lines, table, str(path)) if ends else None
        return None if isinstance(found, TableFormat) and not rows_of(lines, found.layout) else found
