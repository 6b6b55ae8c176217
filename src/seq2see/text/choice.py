"""Which tokenizer suits a text, told from the text; and whether the options of the text agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import regex  # type: ignore[import-untyped]

from seq2see.errors import ConfigError
from seq2see.text.options import TextOptions
from seq2see.text.subwords import SUBWORD_UNITS
from seq2see.text.tokenizers import Graphemes

SENTENCE_UNITS = ("words", *SUBWORD_UNITS)
"""Units of texts that can be said in many ways, so that hardly any answer is the expected one to the letter."""

_MOST_LINES = 20_000
_MOST_CHARACTERS = 2_000_000
_MOST_CHARACTERS_FOR_GRAPHEMES = 100_000
_WITHOUT_BLANKS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def choose_tokenizer(texts: Sequence[str]) -> tuple[str, str]:
    """The name of the tokenizer that suits one side of the data, and why in one clause.

    Few distinct tokens between blanks are symbols; long lines of several are sentences, of subwords unless hardly any
    word is rare; the rest is spelling.
    """
    # Spread over the whole of the data: many sets are sorted by length.
    step = 1 + max(len(texts) // _MOST_LINES, sum(map(len, texts)) // _MOST_CHARACTERS)
    sample = texts[::step]
    lines = [line.split() for line in sample if line and not line.isspace()]
    if not lines:
        return "characters", "there is no text to tell from"
    tokens = [token for line in lines for token in line]
    counts = Counter(tokens)
    num_distinct = len(counts)
    tokens_a_line = len(tokens) / len(lines)
    characters_a_token = sum(map(len, tokens)) / len(tokens)
    characters_a_line = characters_a_token * tokens_a_line + tokens_a_line - 1
    uses = len(tokens) / num_distinct

    if tokens_a_line >= 2 and num_distinct <= 400 and (uses >= 10 or (characters_a_token < 2 and tokens_a_line >= 3)):
        return "symbols", f"only {num_distinct} different tokens between blanks, {tokens_a_line:.1f} a line"
    # Numbers up to a hundred would look like answers too if more were let in here, and they have a spelling.
    if tokens_a_line < 2 and num_distinct <= 50 and uses >= 10:
        return "symbols", f"only {num_distinct} different answers, each some {uses:.0f} times"
    if tokens_a_line >= 3.5 and characters_a_line >= 20:
        sentences = f"sentences of some {tokens_a_line:.0f} words"
        # What subword-nmt and SentencePiece leave in a text that they have cut.
        if sum(token.endswith("@@") or token.startswith("▁") for token in tokens) >= 0.005 * len(tokens):
            return "words", f"{sentences}, cut into subwords already"
        rare = sum(count == 1 for count in counts.values()) / len(tokens)
        if rare < 0.01:
            return "words", f"{sentences}, hardly any of them rare"
        return "bpe", f"{sentences}, {100 * rare:.0f} % of them met only once"
    without_blanks = sum(len(_WITHOUT_BLANKS.findall(token)) for token in tokens) / sum(map(len, tokens))
    if without_blanks >= 0.5 and characters_a_line >= 10:
        return "bpe", f"sentences of some {characters_a_line:.0f} characters in a script without blanks"

    spelt = f"{tokens_a_line:.1f} words a line of some {characters_a_line:.0f} characters: spelling matters"
    some = "".join(sample)[:_MOST_CHARACTERS_FOR_GRAPHEMES]
    graphemes = Graphemes().split(some)
    # A rare letter with its marks would be unknown where the letter and the marks alone are not.
    if len(graphemes) < 0.95 * len(some) and len(graphemes) >= 50 * len(set(graphemes)):
        return "graphemes", f"{spelt}, and marks belong to their letters"
    return "characters", spelt


def choose_text(
    options: TextOptions, sources: Sequence[str] | None, targets: Sequence[str]
) -> tuple[TextOptions, list[str]]:
    """The options with a tokenizer for each side, and one line per choice. ConfigError for options that conflict.

    `sources` is None for a language model.
    """
    said = []
    sides = {"target": targets} if sources is None else {"source": sources, "target": targets}
    given = {name for side in sides if (name := getattr(options, side))}
    for side, texts in sides.items():
        if getattr(options, side) is None:
            if options.joint and given:
                name, reason = given.pop(), "as the other side, with which it is joint"
            else:
                name, reason = choose_tokenizer(texts)
            options = replace(options, **{side: name})
            said.append(f"{side}: {name} ({reason})")
    require_consistent(options, {side: getattr(options, side) for side in sides})
    return options, said


def require_consistent(options: TextOptions, units: Mapping[str, str]) -> None:
    """Refuse options of the text that change nothing with these units, or that these can't have."""
    named = " and ".join(f"{side} {unit}" for side, unit in units.items())
    if options.joint and len(units) == 1:
        fix = "leave text.joint out"
        raise ConfigError("a language model has one side, with nothing to share", where="text.joint", fix=fix)
    if options.joint and options.source != options.target:
        fix = "give both sides one unit, such as text.source=bpe text.target=bpe, or leave text.joint out"
        raise ConfigError(f"one vocabulary can't be both, {named}", where="text.joint", fix=fix)
    if options.subword_size and not set(units.values()) & set(SUBWORD_UNITS):
        fix = "choose bpe or unigram for a side, or limit other vocabularies by text.max_vocabulary"
        raise ConfigError(f"there are no subwords: {named}", where="text.subword_size", fix=fix)
    if options.subword_size and options.subword_size > options.max_vocabulary:
        raise ConfigError(
            f"{options.subword_size:,} is more than text.max_vocabulary, {options.max_vocabulary:,}",
            where="text.subword_size",
            fix=f"set text.max_vocabulary={options.subword_size} too, or a smaller size",
        )
    if options.bpe_dropout and set(units.values()) != {"bpe"}:
        fix = f"set {' '.join(f'text.{side}=bpe' for side in units)}, or leave text.bpe_dropout out"
        raise ConfigError(f"only bpe can be cut with dropout: {named}", where="text.bpe_dropout", fix=fix)
