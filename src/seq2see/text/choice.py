"""Chooses a tokenizer for each side from the texts, and checks that the text options are consistent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import regex  # type: ignore[import-untyped]

from seq2see.errors import ConfigError
from seq2see.text.fields import ARRAYS, FIELD_UNITS, PICTURES, VALUE_UNITS, columns_of, is_value_unit, num_fields
from seq2see.text.options import TextOptions
from seq2see.text.subwords import SUBWORD_UNITS
from seq2see.text.tokenizers import Characters, Decomposed, Graphemes, Units, are_spaced_tags, tags_in

SENTENCE_UNITS = ("words", *SUBWORD_UNITS)
"""Units of running text, where exact match says little: there are many correct answers."""

PICTURE_NAME, ARRAY_NAME = (re.compile(rf".*\.({'|'.join(each)})", re.IGNORECASE) for each in (PICTURES, ARRAYS))
_JSON_VECTORS = re.compile(r"\[\s*(\[\s*)?(-?\d|-?Infinity|NaN|null)([-+\d.eE,\s\[\]]++|Infinity|NaN|null)*+(?<=\])")
"""Numbers that are missing or infinite are told when the series is read."""
_MARKED = re.compile(r"<[^<>]+>")
_LIST = re.compile(r"[^;|,][;|,][^;|,]")
MOST_REPEATED = 0.05
"""The share of lists of tags in which some are there twice by mistake."""
MANY_BREAKS = 0.01
"""Share of the texts that have line breaks, from which on these are kept."""
_MAX_LINES = 20_000
_MAX_CHARACTERS = 2_000_000
_MAX_CHARACTERS_FOR_GRAPHEMES = 100_000
_FEW_TEXTS, _NEARLY_ALL = 20, 0.8
"""Texts that say something about a side, and the share of them that holds for nearly all."""
_WITHOUT_BLANKS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def choose_tokenizer(texts: Sequence[str]) -> tuple[str, str]:
    """The name of a suitable tokenizer for one side of the data, and the reason.

    Few distinct tokens between blanks are symbols. Long lines of several words are sentences: subwords, or words if
    hardly any is rare. Everything else is spelling.
    """
    # Evenly spaced over the data: many files are sorted by length.
    step = 1 + max(len(texts) // _MAX_LINES, sum(map(len, texts)) // _MAX_CHARACTERS)
    sample = texts[::step]
    lines = [line.split() for line in sample if line and not line.isspace()]
    if not lines:
        return "characters", "there is no text to choose by"
    tokens = [token for line in lines for token in line]
    counts = Counter(tokens)
    num_distinct = len(counts)
    tokens_per_line = len(tokens) / len(lines)
    characters_per_token = sum(map(len, tokens)) / len(tokens)
    characters_per_line = characters_per_token * tokens_per_line + tokens_per_line - 1
    uses = len(tokens) / num_distinct
    # Symbols are divided by any white space, so line breaks would be lost; words keep them as tokens.
    has_breaks = sum("\n" in text.strip() for text in sample) >= MANY_BREAKS * len(lines)
    symbols, kept = ("words", " and line breaks") if has_breaks else ("symbols", "")

    if tokens_per_line >= 2 and num_distinct <= 400 and uses >= 10:
        return symbols, f"only {num_distinct} different tokens between blanks{kept}, {tokens_per_line:.1f} per line"
    single = sum(len(token) == 1 or _MARKED.fullmatch(token) is not None for token in tokens) / len(tokens)
    if tokens_per_line >= 3 and (single >= 0.95 or (characters_per_token < 2 and num_distinct <= 400)):
        return symbols, f"tokens of about one character between blanks{kept}, {tokens_per_line:.1f} per line"
    # A higher limit would include the numbers up to a hundred, which have a spelling.
    if tokens_per_line < 2 and num_distinct <= 50 and uses >= 10:
        return symbols, f"only {num_distinct} different texts of a word{kept}, each about {uses:.0f} times"
    if tokens_per_line >= 3.5 and characters_per_line >= 20:
        sentences = f"sentences of about {tokens_per_line:.0f} words"
        # The markers of subword-nmt and SentencePiece.
        if sum(token.endswith("@@") or token.startswith("▁") for token in tokens) >= 0.005 * len(tokens):
            return "words", f"{sentences}, already split into subwords"
        rare = sum(count == 1 for count in counts.values()) / len(tokens)
        if rare < 0.01:
            return "words", f"{sentences}, hardly any of them rare"
        return "bpe", f"{sentences}, {100 * rare:.0f} % of them occur only once"
    without_blanks = sum(len(_WITHOUT_BLANKS.findall(token)) for token in tokens) / sum(map(len, tokens))
    if without_blanks >= 0.5 and characters_per_line >= 10:
        return "bpe", f"sentences of about {characters_per_line:.0f} characters in a script without blanks"

    spelled = f"{tokens_per_line:.1f} words per line of about {characters_per_line:.0f} characters: spelling matters"
    some = "".join(sample)[:_MAX_CHARACTERS_FOR_GRAPHEMES]
    graphemes = Graphemes().split(some)
    # A rare letter with marks would be an unknown grapheme, while the letter and the marks are known characters.
    if len(graphemes) < 0.95 * len(some) and len(graphemes) >= 50 * len(set(graphemes)):
        return "graphemes", f"{spelled}, with combining marks"
    kinds, parts = Counter(Characters().split(some)), set(Decomposed().split(some))
    rare = sum(count <= 2 for count in kinds.values())
    if len(kinds) >= 2 * len(parts) and rare >= 0.2 * len(kinds):
        reason = (
            f"{rare} of the {len(kinds)} different characters occur at most twice, and have only {len(parts)} parts"
        )
        return "decomposed", f"{spelled}; {reason}"
    return "characters", spelled


def choose_text(
    options: TextOptions, sources: Sequence[str] | None, targets: Sequence[str]
) -> tuple[TextOptions, list[str]]:
    """The options with a tokenizer for each side, and a line on each. ConfigError for conflicting options.

    `sources` is None for a language model.
    """
    sides = {"target": targets} if sources is None else {"source": sources, "target": targets}
    given = {side: unit for side in sides if (unit := getattr(options, side)) is not None}
    choices = [line for side, unit in given.items() for line in given_lines(side, unit)]
    if sources is not None and options.source is None:
        number = num_fields(sources)
        if number > 1 or reason_for_values(sources):
            options, lines = choose_fields(options, sources, number)
            choices += lines
    elif options.source in ("tags", *VALUE_UNITS):  # the only field
        options = replace(options, source=(options.source,))
    for side, texts in sides.items():
        if getattr(options, side) is None:
            if options.joint and given:
                name, reason = next(iter(given.values())), "the same as the other side: the vocabulary is joint"
            else:
                name, reason = choose_tokenizer(texts)
            options = replace(options, **{side: name})
            choices.append(f"{side}: {name} ({reason})")
    require_consistent(options, {side: getattr(options, side) for side in sides})
    if isinstance(options.source, tuple) and sources and (number := num_fields(sources)) != len(options.source):
        what = f"has units for {len(options.source)} source columns ({', '.join(options.source)}), found {number}"
        fix = "choose the columns, such as --source 1,2 --target 3; or leave text.source out, and a recipe that sets it"
        raise ConfigError(what, where="text.source", fix=fix)
    return options, choices


def given_lines(side: str, unit: Units) -> list[str]:
    """The lines on a unit that isn't chosen here: one for each field."""
    if isinstance(unit, str):
        return [f"{side}: {unit} (text.{side})"]
    if len(unit) == 1:
        return [f"{side}: {unit[0]} (text.{side})"]
    return [f"{side}, field {number}: {name} (text.{side})" for number, name in enumerate(unit, start=1)]


def choose_fields(options: TextOptions, sources: Sequence[str], number: int) -> tuple[TextOptions, list[str]]:
    """The options with a unit for each field of the sources, and one line per choice."""
    units: list[Any] = []
    lines = []
    first: Sequence[str] = ()
    for index, column in enumerate(columns_of(sources, number)):
        found = reason_for_values(column)
        first = first or column  # what the others tell more about
        if not found and index and (reason := reason_for_tags(column, first)):
            found = "tags", reason
        unit, reason = found or choose_tokenizer(column)
        units.append(unit)
        lines.append(f"source{f', field {index + 1}' if number > 1 else ''}: {unit} ({reason})")
    return replace(options, source=tuple(units)), lines


def one_text_lines(options: TextOptions, sources: Sequence[str]) -> list[str]:
    """A note on sources of several columns if one unit reads them as one text, with the setting that keeps them apart.

    Nothing for a joint vocabulary, which is that of one text.
    """
    unit, number = options.source, num_fields(sources)
    if not isinstance(unit, str) or number == 1 or options.joint:
        return []
    own = choose_fields(options, sources, number)[0].source or ()
    units = [each if unit not in FIELD_UNITS or each in ("tags", *VALUE_UNITS) else unit for each in own]
    what = f"the {number} source columns are read as one text, since text.source is one unit"
    return [f"note: {what}; to read each by itself: --set text.source={','.join(units)}"]


def require_symbols_apart(options: TextOptions, sources: Sequence[str] | None, targets: Sequence[str]) -> None:
    """ConfigError for a side of symbols whose texts have none: without blanks, each text would be a symbol."""
    for side, texts in (("source", sources or ()), ("target", targets)):
        if getattr(options, side) == "symbols" and are_unspaced(texts):
            what = f"nearly all {side}s have no blanks, so that each would be a symbol of its own"
            fix = f"write the symbols with blanks between them, or set text.{side}=characters"
            raise ConfigError(f"{what}; the first is {texts[0]!r:.80}", where=f"text.{side}=symbols", fix=fix)


def are_unspaced(texts: Sequence[str]) -> bool:
    """Whether nearly all texts are one token between blanks that no other text has, unlike labels."""
    counts = Counter(map(str.strip, texts))
    num_single = sum(count == 1 and len(text) > 1 and " " not in text for text, count in counts.items())
    return len(texts) >= _FEW_TEXTS and num_single >= _NEARLY_ALL * len(texts)


def reason_for_values(texts: Sequence[str]) -> tuple[str, str] | None:
    """The unit of texts that name pictures or series of vectors, and why; None for other texts."""
    filled = [text.strip() for text in texts if text.strip()]
    for unit, pattern, what in (
        ("picture", PICTURE_NAME, "names of pictures"),
        ("vectors", ARRAY_NAME, "names of arrays"),
        ("vectors", _JSON_VECTORS, "lists of numbers in JSON"),
    ):
        if filled and all(map(pattern.fullmatch, filled)):
            return unit, what
    return None


def reason_for_tags(texts: Sequence[str], first: Sequence[str]) -> str | None:
    """Why these texts are sets of tags: lists of few parts, or few different words; None if they are not.

    In a set each tag is once: where some are there twice, such as the numbers of subject and object in `3;SG;>;1;SG`,
    their order means something. `first` are the texts of the first column.
    """
    filled = [text for text in texts if text.strip()]
    is_spaced = are_spaced_tags(texts, first)
    if not filled or (any(" " in text.strip() for text in filled) and not is_spaced):
        return None
    lists = [tags_in(text) for text in filled]
    if sum(len(set(tags)) < len(tags) for tags in lists) > MOST_REPEATED * len(lists):
        return None
    counts = Counter(tag for tags in lists for tag in tags)
    uses = counts.total() / max(1, len(counts))
    num_lists = sum(bool(_LIST.search(text)) for text in filled)
    if (is_spaced or 2 * num_lists >= len(filled)) and uses >= 5:
        return f"lists of {len(counts)} different tags, each about {uses:.0f} times"
    num_kinds = len(set(filled))
    if num_kinds <= 50 and len(filled) >= 10 * num_kinds:
        return f"only {num_kinds} different words, each about {len(filled) / num_kinds:.0f} times"
    return None


def require_consistent(options: TextOptions, units: Mapping[str, Units]) -> None:
    """ConfigError for text options that conflict with these units, or have no effect on them."""
    named = " and ".join(f"{side} {unit if isinstance(unit, str) else ', '.join(unit)}" for side, unit in units.items())
    all_units = {name for unit in units.values() for name in ([unit] if isinstance(unit, str) else unit)}
    if not isinstance(options.source, str | None):
        require_fields(options, options.source)
    if options.joint and len(units) == 1:
        fix = "set text.joint=false"
        raise ConfigError("a language model has no second side to share a vocabulary with", where="text.joint", fix=fix)
    if options.case == "fold":
        if len(units) == 1:
            what = "lower-cases sources, and a language model has none"
            raise ConfigError(what, where="text.case=fold", fix="remove it, or lower-case the file")
        if options.joint:
            what = "lower-cases sources only, and a joint vocabulary is that of both sides"
            fix = "set text.joint=false, or lower-case the file and remove text.case"
            raise ConfigError(what, where="text.case=fold", fix=fix)
    if options.truncate is not None:
        require_truncation(options, units)
    if options.joint and options.source != options.target:
        fix = "use the same unit for both sides, such as text.source=bpe text.target=bpe, or set text.joint=false"
        raise ConfigError(
            f"a joint vocabulary needs the same unit on both sides, found {named}", where="text.joint", fix=fix
        )
    if options.subword_size and not all_units & set(SUBWORD_UNITS):
        fix = "use bpe or unigram for a side, or limit other vocabularies with text.max_vocabulary"
        raise ConfigError(f"needs bpe or unigram on a side, found {named}", where="text.subword_size", fix=fix)
    if options.subword_size and options.subword_size > options.max_vocabulary:
        raise ConfigError(
            f"{options.subword_size:,} is larger than text.max_vocabulary {options.max_vocabulary:,}",
            where="text.subword_size",
            fix=f"also set text.max_vocabulary={options.subword_size}, or use a smaller size",
        )
    if options.bpe_dropout and not all_units.isdisjoint(VALUE_UNITS):
        what = f"can't be combined with sources of numbers, found {named}"
        raise ConfigError(what, where="text.bpe_dropout", fix="remove text.bpe_dropout")
    if options.bpe_dropout and not all(has_bpe(unit) for unit in units.values()):
        fix = f"set {' '.join(f'text.{side}=bpe' for side in units)}, or remove text.bpe_dropout"
        raise ConfigError(f"needs bpe, found {named}", where="text.bpe_dropout", fix=fix)


def require_truncation(options: TextOptions, units: Mapping[str, Units]) -> None:
    """ConfigError for sources that can't be cut."""
    source = units.get("source")
    if len(units) == 1 or source is None:
        what = "cuts sources, and a language model has none"
        raise ConfigError(what, where="text.truncate", fix="remove it, or leave long texts out: data.longest")
    if any(is_value_unit(unit) for unit in ([source] if isinstance(source, str) else source)):
        what = "unsupported for vectors and pictures"
        raise ConfigError(what, where="text.truncate", fix="remove it, or leave long ones out: data.longest")


def require_fields(options: TextOptions, units: Sequence[str]) -> None:
    """ConfigError for units that the fields of a source can't have."""
    if not units or not set(units) <= set(FIELD_UNITS):
        what = f"each field takes one of {', '.join(FIELD_UNITS)}, not {', '.join(units) or 'none'}"
        raise ConfigError(what, where="text.source", fix="name one of these units per field")
    if options.joint:
        fix = "set text.joint=false"
        raise ConfigError("a joint vocabulary needs a source of one field", where="text.joint", fix=fix)


def has_bpe(units: Units) -> bool:
    """Whether BPE-dropout has an effect on this side."""
    return units == "bpe" or (not isinstance(units, str) and "bpe" in units)
