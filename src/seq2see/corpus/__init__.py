"""Prepares a corpus from files of any size: `seq2see prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.corpus.prepare import PreparedCorpus, prepare_corpus

__all__ = ["PreparedCorpus", "prepare_corpus"]

# Lazy, so that worker processes do not import torch.
__getattr__, __dir__ = lazily(__name__, {"prepare": "PreparedCorpus prepare_corpus"})
