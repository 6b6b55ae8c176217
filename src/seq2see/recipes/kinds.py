"""The names of the recipes."""

from typing import Literal

Kind = Literal[
    "translation",
    "summary",
    "questions",
    "chat",
    "captions",
    "pronunciation",
    "inflection",
    "normalization",
    "transliteration",
]
"""A usual use of sequence-to-sequence models."""

BRITISH = {"normalisation": "normalization"}
"""Other spellings of their names."""
