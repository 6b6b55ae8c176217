"""Items by what of them a model has seen in training: the source, and of sources with several fields each part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2see.data.groups import field_names
from seq2see.data.source_record import FieldRecord, SourceRecord
from seq2see.evaluation.items import IN_TRAINING, Slice, slices_by_training
from seq2see.text.fields import FIELD_BREAK, num_fields

SEEN = "seen"
"""The value of `by` that asks for these slices."""
UNKNOWN = "unknown"


def slices_by_seen(
    record: SourceRecord, texts: Sequence[str], was_dev: Sequence[bool], names: Sequence[str] = ()
) -> list[Slice]:
    """The items whose field and other fields were both seen, one of the two, or neither, as in the SIGMORPHON tasks.

    `texts` are the sources as the model reads them. Of sources with one field: those in the training data, other dev
    sources, and new ones. What the model has no record of is unknown. `names` are those of the columns of the source.
    """
    if record.is_complete and record.fields is not None:
        return slices_by_fields(record.fields, texts, names)
    is_known = record.train.contains(texts)
    if record.is_complete and num_fields(texts) == 1:
        return slices_by_training(is_known, was_dev, SEEN, fewest=1)
    known = np.array(is_known, dtype=bool)
    parts = {IN_TRAINING: known, UNKNOWN: ~known}
    return [Slice(SEEN, name, np.flatnonzero(rows)) for name, rows in parts.items() if rows.any()]


def slices_by_fields(fields: FieldRecord, texts: Sequence[str], names: Sequence[str] = ()) -> list[Slice]:
    """Up to four slices."""
    own, others = (np.array(each, dtype=bool) for each in fields.contains(texts))
    known = field_names(names, 1 + max((text.count(FIELD_BREAK) for text in texts), default=1))
    first = known.pop(fields.number - 1) if fields.number <= len(known) else f"source field {fields.number}"
    second = known[0] if len(known) == 1 else "the other fields"
    parts = {
        f"{first} and {second} seen": own & others,
        f"only {first} seen": own & ~others,
        f"only {second} seen": ~own & others,
        "neither seen": ~own & ~others,
    }
    return [Slice(SEEN, name, np.flatnonzero(rows)) for name, rows in parts.items() if rows.any()]
