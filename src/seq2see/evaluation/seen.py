"""Items by what of them a model has seen in training: the source, and of sources with several fields each part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2see.data.source_record import FieldRecord, SourceRecord
from seq2see.evaluation.items import IN_TRAINING, Slice, slices_by_training
from seq2see.text.fields import FIELD_BREAK, num_fields

SEEN = "seen"
"""The value of `by` that asks for these slices."""
UNKNOWN = "unknown"


def slices_by_seen(record: SourceRecord, texts: Sequence[str], was_dev: Sequence[bool]) -> list[Slice]:
    """The items whose field and other fields were both seen, one of the two, or neither, as in the SIGMORPHON tasks.

    `texts` are the sources as the model reads them. Of sources with one field: those in the training data, other dev
    sources, and new ones. What the model has no record of is unknown.
    """
    if record.is_complete and record.fields is not None:
        return slices_by_fields(record.fields, texts)
    is_known = record.train.contains(texts)
    if record.is_complete and num_fields(texts) == 1:
        return slices_by_training(is_known, was_dev, SEEN, fewest=1)
    known = np.array(is_known, dtype=bool)
    parts = {IN_TRAINING: known, UNKNOWN: ~known}
    return [Slice(SEEN, name, np.flatnonzero(rows)) for name, rows in parts.items() if rows.any()]


def slices_by_fields(fields: FieldRecord, texts: Sequence[str]) -> list[Slice]:
    """Up to four slices."""
    own, others = (np.array(each, dtype=bool) for each in fields.contains(texts))
    first, second = field_names(fields.number, 1 + max((text.count(FIELD_BREAK) for text in texts), default=1))
    parts = {
        f"{first} and {second} seen": own & others,
        f"only {first} seen": own & ~others,
        f"only {second} seen": ~own & others,
        "neither seen": ~own & ~others,
    }
    return [Slice(SEEN, name, np.flatnonzero(rows)) for name, rows in parts.items() if rows.any()]


def field_names(number: int, num: int) -> tuple[str, str]:
    """What field `number` of `num` is called, and what the others are."""
    return f"field {number}", f"field {3 - number}" if num == 2 else "the other fields"
