"""Files of pairs for a trained model: in the columns that it was trained on, and no others unless they are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path

from seq2see.data import Pair, PairFile, read_pairs
from seq2see.data.given import PairData, paths_or_pairs
from seq2see.data.lines import Columns
from seq2see.data.options import TableOptions, flags_of
from seq2see.data.remembered import has_columns, num_fields
from seq2see.data.table import TableFormat
from seq2see.errors import DataError
from seq2see.inference.predictor import Predictor
from seq2see.text import FIELD_BREAK, Fields, Tags, Values

_NO_OPTIONS = TableOptions()


def read_for(
    model: Predictor,
    paths: Sequence[Path],
    *,
    table: TableOptions = _NO_OPTIONS,
    label: str | None = None,
    skip_bad: bool = False,
) -> PairFile:
    """The pairs of these files as the model reads them: see `read_pairs`.

    DataError for another number of source columns than the model has.
    """
    columns: Columns = "pairs" if model.source_codec else "target"
    tokenizer = model.source_codec and model.source_codec.tokenizer
    found = read_pairs(
        paths,
        columns=columns,
        skip_bad=skip_bad,
        label=label,
        table=table,
        known=model.table,
        has_tags=not table.source and isinstance(tokenizer, Fields) and isinstance(tokenizer.parts[-1], Tags),
    )
    require_fields(model, found, str(paths[0]))
    return without_unreadable(model, found) if skip_bad else found


def without_unreadable(model: Predictor, found: PairFile) -> PairFile:
    """Without pairs whose pictures or series can't be read, which are noted. DataError if there are only such."""
    from seq2see.data.unreadable import kinds_of, readable, unreadable_line  # only here: answers need none of it

    tokenizer = model.source_codec and model.source_codec.tokenizer
    parts = tokenizer.parts if isinstance(tokenizer, Fields) else ()
    kinds = kinds_of([part.kind if isinstance(part, Values) else "" for part in parts])
    widths = {
        index: part.width for index, part in enumerate(parts) if isinstance(part, Values) and part.kind == "vectors"
    }
    kept, errors = readable(kinds, widths, found.pairs)
    if not errors:
        return found
    return replace(
        found,
        pairs=list(compress(found.pairs, kept)),
        labels=tuple(compress(found.labels, kept)),
        extra=tuple(compress(found.extra, kept)),
        unreadable=unreadable_line(errors),
    )


def pairs_for(model: Predictor, data: PairData, table: TableOptions = _NO_OPTIONS) -> list[Pair]:
    """The pairs given, or those of files given."""
    paths, pairs = paths_or_pairs(data, has_source=model.source_codec is not None)
    return pairs or read_for(model, paths, table=table).pairs


def require_fields(model: Predictor, found: PairFile, where: str) -> None:
    """DataError for another number of source columns than the model has."""
    if model.source_codec is None or found.format is None:
        return
    tokenizer = model.source_codec.tokenizer
    # A text of one unit may have been made of several columns, too.
    wanted = len(tokenizer.parts) if isinstance(tokenizer, Fields) else max(1, len(model.table.source))
    number = num_fields(found.format)
    if number == wanted or (number == 1 and FIELD_BREAK in found.pairs[0].source):  # as a text of JSON may have it
        return
    said, fix = found.format.describe() or "source TAB target", f"give {wanted} as source: --source … --target …"
    own = None
    if isinstance(found.format, TableFormat) and number > wanted:
        chosen = found.format.chosen()
        own = TableOptions(source=tuple(chosen["source"])[:wanted], target=chosen["target"])  # type: ignore[arg-type]
    elif has_columns(found.format, model.table):
        own = TableOptions(source=model.table.source, target=model.table.target)
    if own is not None:
        fix = f"choose {'one' if wanted == 1 else wanted} as source: {' '.join(flags_of(own))}"
    what = f"the model reads {wanted} source column{'s' if wanted > 1 else ''}, found {number} ({said})"
    raise DataError(what, where=where, fix=fix)
