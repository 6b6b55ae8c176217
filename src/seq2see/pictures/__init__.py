"""Where a model looks, made to be seen and to be reckoned with.

    looked = seq2see.attend(model, ["a text", "another"], heads=True)
    save_attention(looked, "heat.html")          # or .svg, .png, .pdf, .json, .tsv

Answers are taken apart into panels of numbers (`looked`), tokens into labels (`labels`), and both go to the terminal,
to a page, to a drawing, or to a file for other programs. Only .png and .pdf need matplotlib.
"""

from seq2see.pictures.fonts import MissingGlyphWarning
from seq2see.pictures.labels import shown
from seq2see.pictures.looked import Attention, attend, attention_of
from seq2see.pictures.saving import save_attention, save_heat_map
from seq2see.pictures.terminal import RAMP, heat_lines

__all__ = [
    "RAMP",
    "Attention",
    "MissingGlyphWarning",
    "attend",
    "attention_of",
    "heat_lines",
    "save_attention",
    "save_heat_map",
    "shown",
]
