"""The tables with which C cuts and joins texts: vocabularies, and of Unicode what the model's units and form need.

They come from the Unicode data of this Python, with which the engines read texts, so that the answers are the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import regex  # type: ignore[import-untyped]

from seq2see.errors import ConfigError
from seq2see.text import Codec, Fields, Tokenizer
from seq2see.text.subwords import SUBWORD_UNITS, BytePairEncoding, Unigram

FORMS = {"none": 0, "NFC": 1, "NFD": 2, "NFKC": 3}
UNITS = ("characters", "decomposed", "graphemes", "words", "symbols", "bytes", "tags", "bpe", "unigram")
JOINS = {
    "decomposed": ("join_decomposed",),
    "words": ("join_words",),
    "symbols": ("join_symbols",),
    "bytes": ("join_bytes",),
    "tags": ("join_tags",),
    "bpe": ("join_subwords",),
    "unigram": ("join_subwords",),
}
"""How tokens become a text; by default one after the other."""
GRAPHEME_KINDS = ("CR", "LF", "CN", "EX", "ZWJ", "RI", "PP", "SM", "L", "V", "T")
"""The values of Grapheme_Cluster_Break, in the order that the C text has."""
PICTURE, CONSONANT, LINKER, BETWEEN = 14, 16, 32, 64
LINE = 118
SYLLABLES = range(0xAC00, 0xAC00 + 11172)
"""Of Hangul, which are computed."""


def numbers(declaration: str, values: Iterable[object]) -> list[str]:
    """An array, in lines of a usual length."""
    lines, line = [f"{declaration} = {{"], " "
    for each in map(str, values):
        if len(line) + len(each) + 2 > LINE:
            lines.append(line)
            line = " "
        line += f" {each},"
    if line == " " and len(lines) == 1:
        line = "  0,"
    return [*lines, line, "};"]


@cache
def ranges_of(kind: Callable[[str], int]) -> list[tuple[int, int, int]]:
    """The first and last of neighboring characters of one kind, and the kind; of those whose kind isn't 0."""
    found: list[tuple[int, int, int]] = []
    for code, character in enumerate(every_character()):
        own = kind(character) if character else 0
        if own and found and found[-1][1:] == (code - 1, own):
            found[-1] = (found[-1][0], code, own)
        elif own:
            found.append((code, code, own))
    return found


@cache
def every_character() -> tuple[str, ...]:
    """By code; surrogates are empty."""
    return tuple("" if 0xD800 <= code < 0xE000 else chr(code) for code in range(0x110000))


def having(condition: str) -> set[str]:
    """The characters that a regular expression matches."""
    return set(regex.findall(condition, "".join(every_character())))


def range_table(name: str, ranges: Sequence[tuple[int, int, int]]) -> list[str]:
    """Ranges in C."""
    table = [f"enum {{ NUM_{name} = {len(ranges)} }};"]
    return [*table, *numbers(f"static const Range {name}[]", (f"{{{a}, {b}, {kind}}}" for a, b, kind in ranges))]


def mapping_table(name: str, mapping: dict[int, str]) -> list[str]:
    """Characters and what stands for them in C."""
    targets: list[int] = []
    rows = []
    for code, to in sorted(mapping.items()):
        rows.append(f"{{{code}, {len(targets)}, {len(to)}}}")
        targets += map(ord, to)
    return [
        f"enum {{ NUM_{name} = {len(rows)} }};",
        *numbers(f"static const uint32_t {name}_TARGETS[]", targets),
        *numbers(f"static const Mapping {name}[]", rows),
    ]


@cache
def decompositions(form: str) -> dict[int, str]:
    """What a normal form makes of single characters, without Hangul syllables."""
    found = {}
    for code, character in enumerate(every_character()):
        if character and code not in SYLLABLES and (to := unicodedata.normalize(form, character)) != character:  # type: ignore[arg-type]
            found[code] = to
    return found


@cache
def lower_case() -> dict[int, str]:
    """The characters that lower case changes."""
    return {ord(each): each.lower() for each in every_character() if each and each.lower() != each}


@cache
def compositions() -> list[str]:
    """The pairs that are composed."""
    rows = []
    for code, character in enumerate(every_character()):
        parts = unicodedata.decomposition(character).split() if character else []
        if len(parts) == 2 and not parts[0].startswith("<") and unicodedata.normalize("NFC", character) == character:
            rows.append((int(parts[0], 16), int(parts[1], 16), code))
    written = (f"{{{a}, {b}, {both}}}" for a, b, both in sorted(rows))
    return [
        f"enum {{ NUM_COMPOSITIONS = {len(rows)} }};",
        "typedef struct {",
        "  uint32_t first, second, both;",
        "} Composition;",
        *numbers("static const Composition COMPOSITIONS[]", written),
    ]


def case_kind(character: str) -> int:
    """1 for a letter before or after which a capital sigma is none of its own, 2 for what doesn't count."""
    if f"{character}\u03a3".lower().endswith("\u03c2"):
        return 1
    return 2 if f"A{character}\u03a3".lower().endswith("\u03c2") else 0


@cache
def grapheme_kinds() -> Callable[[str], int]:
    """The number of the kind of each character, with the flags of Indic scripts and pictures."""
    kinds: dict[str, int] = {}
    for number, name in enumerate(GRAPHEME_KINDS, start=1):
        kinds |= dict.fromkeys(having(rf"\p{{GCB={name}}}"), number)
    for character in having(r"\p{Extended_Pictographic}"):
        kinds.setdefault(character, PICTURE)
    for value, flag in (("Consonant", CONSONANT), ("Linker", LINKER), ("Extend", BETWEEN)):
        for character in having(rf"\p{{InCB={value}}}"):
            kinds[character] = kinds.get(character, 0) | flag
    return lambda character: kinds.get(character, 0)


@cache
def letter_kinds() -> Callable[[str], int]:
    """1 for letters, 2 for marks, 3 for numbers."""
    kinds = {
        character: number
        for number, name in enumerate(("L", "M", "N"), start=1)
        for character in having(rf"\p{{{name}}}")
    }
    return lambda character: kinds.get(character, 0)


def parts_of(codec: Codec) -> tuple[Tokenizer, ...]:
    """Its tokenizer, or those of its fields. ConfigError for one that C doesn't have."""
    parts = codec.tokenizer.parts if isinstance(codec.tokenizer, Fields) else (codec.tokenizer,)
    for part in parts:
        if part.name not in UNITS:
            what = f"unsupported in C for a text of {part.title}"
            raise ConfigError(what, where="export", fix="ship such a model with seq2see pack")
    return parts


class TextWriter:
    """Collects the functions and tables that codecs need."""

    def __init__(self, codecs: Sequence[Codec]) -> None:
        self.units = sorted({part.name for codec in codecs for part in parts_of(codec)}, key=UNITS.index)
        forms = {codec.tokenizer.normalization for codec in codecs}
        if "decomposed" in self.units:
            forms.add("NFC")
        self.folds = any(codec.tokenizer.case == "fold" for codec in codecs)
        self.composes = bool(forms & {"NFC", "NFKC"})
        self.canonical = bool(forms & {"NFC", "NFD"}) or "decomposed" in self.units
        self.compatible = "NFKC" in forms
        self.decomposes = self.canonical or self.compatible

    def unicode_lines(self, section: Callable[[str], list[str]]) -> list[str]:
        """The tables and functions for normal forms and lower case, and `normal`."""
        points = self.decomposes or self.folds
        ranged = points or any(unit in ("graphemes", *SUBWORD_UNITS) for unit in self.units)
        lines = [*(section("points") if points else []), *(section("ranges") if ranged else [])]
        if points:
            lines += section("mappings")
        if self.decomposes:
            lines += range_table("MARKS", ranges_of(unicodedata.combining))
            lines += section("decomposing")
            lines += mapping_table("CANONICAL", decompositions("NFD")) if self.canonical else []
            lines += mapping_table("COMPATIBLE", decompositions("NFKD")) if self.compatible else []
        if self.composes:
            lines += [*compositions(), *section("composing")]
        if self.folds:
            lines += range_table("CASED", ranges_of(case_kind))
            lines += [*mapping_table("LOWER", lower_case()), *section("lowering")]
        if "graphemes" in self.units:
            lines += range_table("GRAPHEMES", ranges_of(grapheme_kinds()))
        if any(unit in SUBWORD_UNITS for unit in self.units):
            lines += range_table("LETTERS", ranges_of(letter_kinds()))
        return [*lines, *self.normal()]

    def normal(self) -> list[str]:
        """The function for the normal form of a text."""
        if not (self.decomposes or self.folds):
            return [
                "static Slice normal(Work *work, const Codec *codec, Slice text)",
                "{",
                "  (void)work, (void)codec;",
                "  return text;",
                "}",
                "",
            ]
        form = []
        if self.canonical:
            given = "work, points, CANONICAL, NUM_CANONICAL, CANONICAL_TARGETS"
            form += [f"if (form == 1 || form == 2) points = decomposed({given});"]
        if self.compatible:
            given = "work, points, COMPATIBLE, NUM_COMPATIBLE, COMPATIBLE_TARGETS"
            form += [f"if (form == 3) points = decomposed({given});"]
        if self.composes:
            form += ["if (form == 1 || form == 3) points = composed(points);"]
        return [
            "/* A text in the codec's normal form, and in lower case if it is folded. */",
            "static Points in_form(Work *work, Points points, int form)",
            "{",
            *(f"  {line}" for line in form),
            "  (void)work, (void)form;",
            "  return points;",
            "}",
            "",
            "static Slice normal(Work *work, const Codec *codec, Slice text)",
            "{",
            "  Points points = in_form(work, points_of(work, text), codec->form);",
            *(
                ["  if (codec->folds) points = in_form(work, lowered(work, points), codec->form);"]
                if self.folds
                else []
            ),
            "  return text_of(work, points);",
            "}",
            "",
        ]

    def unit_lines(self, section: Callable[[str], list[str]], target: Codec) -> list[str]:
        """The functions that cut and join."""
        joins = JOINS.get(target.tokenizer.name, ())
        lines = section("join_plain")
        if any(unit in SUBWORD_UNITS for unit in self.units):
            lines += section("subwords")
        for unit in self.units:
            lines += section(f"split_{unit}")
        return [*lines, *(line for join in joins for line in section(join))]

    def codec_lines(self, codec: Codec, name: str, *, joins: bool) -> list[str]:
        """A codec as C has it."""
        tokens = [token.encode() for token in codec.vocabulary.tokens]
        ends, total = [], 0
        for token in tokens:
            total += len(token) + 1
            ends.append(total)
        order = sorted(range(len(tokens)), key=tokens.__getitem__)
        lines = [
            *numbers(
                f"static const unsigned char {name}_tokens[]", (byte for token in tokens for byte in token + b"\0")
            ),
            *numbers(f"static const uint32_t {name}_ends[]", ends),
            *numbers(f"static const uint32_t {name}_order[]", order),
        ]
        rows = []
        for number, part in enumerate(parts_of(codec)):
            found, row = unit_row(part, f"{name}_{number}", codec)
            lines += found
            rows.append(row)
        join = JOINS.get(codec.tokenizer.name, ("join_plain",))[0] if joins else "join_plain"
        form = (
            "NFC"
            if codec.tokenizer.name == "decomposed" and codec.tokenizer.normalization == "none"
            else codec.tokenizer.normalization
        )
        is_ambiguous = codec.aligner is not None or codec.tokenizer.name in SUBWORD_UNITS
        values = [
            f"{name}_tokens",
            f"{name}_ends",
            f"{name}_order",
            len(tokens),
            -1 if codec.step is None else codec.step,
        ]
        values += [
            int(is_ambiguous),
            FORMS[form],
            int(codec.tokenizer.case == "fold"),
            codec.truncate or 0,
            f"{name}_units",
            len(rows),
            join,
        ]
        return [
            *lines,
            *numbers(f"static const Unit {name}_units[]", rows),
            f"static const Codec {name.upper()} = {{{', '.join(map(str, values))}}};",
            "",
        ]


def unit_row(part: Tokenizer, name: str, codec: Codec) -> tuple[list[str], str]:
    """The tables of a unit, and its row."""
    nulls = {"pairs": "NULL, NULL, NULL, NULL, 0", "scores": "NULL, 0, NULL, 0"}
    lines: list[str] = []
    if isinstance(part, BytePairEncoding):
        rows = sorted(
            ((left + right).encode(), len(left.encode()), rank) for rank, (left, right) in enumerate(part.merges)
        )
        ends, total = [], 0
        for both, _, _ in rows:
            total += len(both)
            ends.append(total)
        lines += numbers(f"static const unsigned char {name}_pairs[]", (byte for both, _, _ in rows for byte in both))
        lines += numbers(f"static const uint32_t {name}_pair_ends[]", ends)
        lines += numbers(f"static const uint32_t {name}_pair_lefts[]", (left for _, left, _ in rows))
        lines += numbers(f"static const uint32_t {name}_pair_ranks[]", (rank for _, _, rank in rows))
        nulls["pairs"] = f"{name}_pairs, {name}_pair_ends, {name}_pair_lefts, {name}_pair_ranks, {len(rows)}"
    if isinstance(part, Unigram):
        lines += numbers(f"static const double {name}_scores[]", map(repr, part.scores))
        lines += numbers(f"static const uint32_t {name}_lengths[]", part._lengths)
        nulls["scores"] = f"{name}_scores, {part._unknown!r}, {name}_lengths, {len(part._lengths)}"
    is_ordered = int(part.name == "tags" and isinstance(codec.tokenizer, Fields))
    return lines, f"{{split_{part.name}, {nulls['pairs']}, {nulls['scores']}, {is_ordered}}}"
