"""From files of any size to a prepared corpus: `peeky prepare`."""

from peeky.preparing.prepare import Prepared, prepare_corpus

__all__ = ["Prepared", "prepare_corpus"]
