"""What of the training pairs decides which model suits them, and how it is trained."""

from __future__ import annotations

from typing import NamedTuple

from seq2see.data import Examples
from seq2see.storage.saved_model import sizes_of
from seq2see.text import Codecs, Fields
from seq2see.text.choice import SENTENCE_UNITS
from seq2see.text.options import TextOptions

SPELLED = ("characters", "graphemes")
FEWEST_TRANSLATIONS = 10_000
"""Fewer pairs of sentences aren't many."""


class Traits(NamedTuple):
    """What is known of the training pairs."""

    num_pairs: int
    can_match: bool = True
    """Exact matches can be expected. Of sentences and language models they can't, so the loss ranks the models."""
    is_spelled: bool = False
    """The source is characters and nothing else."""
    spells_tags: bool = False
    """Targets of characters or symbols have sources of tags beside a text."""
    are_many_translations: bool = False
    """The pairs are sentences and their translations, and many."""
    has_pictures: bool = False

    @classmethod
    def of(cls, text: TextOptions, codecs: Codecs, examples: Examples) -> Traits:
        """Those of these pairs, which are encoded with these codecs."""
        has_source = codecs[0] is not None
        kinds = [field.kind for field in sizes_of(codecs).fields]
        return cls(
            len(examples),
            can_match=has_source and text.target not in SENTENCE_UNITS,
            is_spelled=text.source in SPELLED,
            spells_tags="tags" in kinds and len(kinds) > 1 and can_align(text, codecs),
            are_many_translations=has_source and are_many_translations(text, examples),
            has_pictures="picture" in kinds,
        )


def can_align(text: TextOptions, codecs: Codecs) -> bool:
    """Whether a transducer may be chosen: of sources that are text, and targets of characters or symbols."""
    source, _ = codecs
    if source is None or text.joint or text.target in SENTENCE_UNITS:
        return False
    return not (isinstance(source.tokenizer, Fields) and source.tokenizer.has_values)


def are_many_translations(text: TextOptions, examples: Examples) -> bool:
    """Whether there are many pairs of sentences, of which neither side is more than twice as long as the other."""
    if len(examples) < FEWEST_TRANSLATIONS:
        return False
    units = text.source if isinstance(text.source, tuple) else (text.source,)
    if text.target not in SENTENCE_UNITS or not set(units) - {"tags"} or not set(units) <= {"tags", *SENTENCE_UNITS}:
        return False
    shorter, longer = sorted((float(examples.source_lengths.mean()), float(examples.target_lengths.mean())))
    return longer <= 2 * shorter
