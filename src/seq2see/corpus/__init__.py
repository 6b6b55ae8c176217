"""From files of any size to a prepared corpus: `seq2see prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.corpus.prepare import Prepared, prepare_corpus

__all__ = ["Prepared", "prepare_corpus"]

# The processes that read parts need none of what the whole needs, torch least of all.
__getattr__, __dir__ = lazily(__name__, {"prepare": "Prepared prepare_corpus"})
