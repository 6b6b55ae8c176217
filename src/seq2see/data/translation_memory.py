"""Translation memories as lines of JSON: TMX 1.4, and the bilingual files of XLIFF 1.2 and 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from seq2see.errors import DataError

_XML = (b"<?xml", b"<tmx", b"<xliff", b"<!DOCTYPE tmx")
_ROOTS = (b"<tmx", b"<xliff")
_UNITS = {"tu", "trans-unit", "segment"}
_CODES = {"bpt", "ept", "it", "ph", "ut", "x", "bx", "ex", "sc", "ec", "cp"}
"""Inline elements that stand for formatting; what is inside, if anything, is no text."""
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def is_translation_memory(start: bytes) -> bool:
    """Whether a file that begins so is TMX or XLIFF, in any encoding of XML."""
    text = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t")
    return text.startswith(_XML) and any(root in text for root in _ROOTS)


def memory_lines(stream: BinaryIO, where: str) -> Iterator[bytes]:
    """A line per unit: its texts by language (TMX, that of the source first), or as source and target (XLIFF).

    Codes of formatting are left out. DataError for XML that is damaged.
    """
    parents: list[Element] = []
    first = ""
    try:
        for event, element in ElementTree.iterparse(stream, events=("start", "end")):
            if event == "start":
                parents.append(element)
                continue
            parents.pop()
            name = _name(element)
            if name == "header":
                first = element.get("srclang", "").casefold()
            if name not in _UNITS:
                continue
            texts = _texts(element)
            ordered = sorted(texts, key=lambda language: language.casefold() != first)
            yield json.dumps({language: texts[language] for language in ordered}, ensure_ascii=False).encode() + b"\n"
            if parents:
                parents[-1].clear()  # else the whole file would stay in memory
    except RecursionError:
        raise DataError("the XML is nested too deeply", where=where, fix="export the file again") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two for encodings
        raise DataError(f"the XML is damaged: {error}", where=where, fix="export the file again") from None


def _texts(unit: Element) -> dict[str, str]:
    """The texts of a unit by what they are called; the first of several."""
    found: dict[str, str] = {}
    for each in unit:
        name = _name(each)
        if name == "tuv":
            segment = next((part for part in each if _name(part) == "seg"), None)
            name = each.get(_LANGUAGE) or each.get("lang") or ""
        else:
            segment = each if name in ("source", "target") else None
        if segment is not None:
            found.setdefault(name, " ".join(_text(segment).split()))
    return found


def _text(element: Element) -> str:
    """The text without codes of formatting."""
    inner = "" if _name(element) in _CODES else (element.text or "") + "".join(map(_text, element))
    return inner + (element.tail or "" if _name(element) not in ("seg", "source", "target") else "")


def _name(element: Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]
