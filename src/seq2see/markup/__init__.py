"""HTML pages: elements that escape every text, and the one design that all pages share.

A page is a single file with its style and a small script, and loads nothing. Everything is there without the script,
which only adds sorting, filters, values on hover, the switch of the color scale and the choice of light or dark.
"""

from seq2see.markup.elements import (
    Markup,
    attributes_of,
    definitions,
    element,
    escaped,
    heat_table,
    joined,
    paragraph,
    scrollable,
    side_by_side,
    table,
    text_element,
    tiles,
)
from seq2see.markup.page import document

__all__ = [
    "Markup",
    "attributes_of",
    "definitions",
    "document",
    "element",
    "escaped",
    "heat_table",
    "joined",
    "paragraph",
    "scrollable",
    "side_by_side",
    "table",
    "text_element",
    "tiles",
]
