"""Attention shown and exported.

    found = seq2see.attend(model, ["a text", "another"], heads=True)
    save_attention(found, "heat.html")          # or .svg, .png, .pdf, .json, .tsv

Only .png, .pdf and `Attention.plot` need matplotlib.
"""

from seq2see.pictures.attention import Attention, attend, attention_of
from seq2see.pictures.fonts import MissingGlyphWarning
from seq2see.pictures.labels import token_label
from seq2see.pictures.prediction import prediction_html
from seq2see.pictures.save import save_attention, save_heat_map
from seq2see.pictures.terminal import RAMP, heat_lines

__all__ = [
    "RAMP",
    "Attention",
    "MissingGlyphWarning",
    "attend",
    "attention_of",
    "heat_lines",
    "prediction_html",
    "save_attention",
    "save_heat_map",
    "token_label",
]
