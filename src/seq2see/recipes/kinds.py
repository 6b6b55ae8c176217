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

OTHER_NAMES = {
    "normalisation": "normalization",
    "g2p": "pronunciation",
    "grapheme-to-phoneme": "pronunciation",
    "mt": "translation",
    "nmt": "translation",
    "summarization": "summary",
    "summarisation": "summary",
    "qa": "questions",
    "dialogue": "chat",
    "captioning": "captions",
    "morphology": "inflection",
}
"""What the uses are called besides."""
