"""Learns subwords from the training texts with the library `tokenizers`, which is not needed to apply them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from seq2see.errors import ConfigError, DataError, UserError
from seq2see.text.codec import Codec
from seq2see.text.protected import Protected, chunked
from seq2see.text.subwords import BytePairEncoding, Unigram, atoms_of, chunks_of, words_of
from seq2see.text.tokenizers import Case, Normalization, normal_form
from seq2see.text.vocabulary import SPECIALS, Vocabulary

if TYPE_CHECKING:
    from tokenizers import models, trainers

DEFAULT_MIN_COUNT = 10
"""Minimum frequency of a pair to be merged, if neither size nor min_count is given."""
MAX_TEXTS = 1_000_000
"""Maximum number of texts to learn from, evenly spaced: more hardly change the pieces."""

_MAX_WORDS = 5_000_000
_MAX_WORD_LENGTH = 100
_BREAK = "\0"  # `tokenizers` takes it for the end of a word
_PRIVATE = (*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE))


def learn_codec(
    unit: str,
    texts: Sequence[str],
    *,
    normalization: Normalization = "NFC",
    case: Case = "keep",
    size: int | None = None,
    max_size: int = 16_000,
    min_count: int | None = None,
) -> Codec:
    """A codec for the texts; `unit` is "bpe" or "unigram".

    `size` is the maximum size of the vocabulary, including special tokens and all single characters. Without it, BPE
    merges pairs that occur at least `min_count` times (by default DEFAULT_MIN_COUNT), up to `max_size` tokens.
    Characters need a frequency of `min_count`, if given; the most frequent are kept.

    BPE is deterministic. The scores of unigram vary in the last digits between runs, which rounding hides except in
    rare cases. Raises ConfigError for a size smaller than the number of characters, DataError for texts from which
    `tokenizers` can't learn, UserError if it is not installed.
    """
    words = count_words(texts[:: text_step(len(texts))], normalization, case)
    limits: dict[str, Any] = {"size": size, "max_size": max_size, "min_count": min_count}
    return learn_from_words(unit, words, normalization=normalization, case=case, **limits)


def text_step(num_texts: int) -> int:
    """Every `text_step`-th text is learned from."""
    return max(1, -(-num_texts // MAX_TEXTS))


def learn_from_words(
    unit: str,
    words: Counter[str],
    *,
    normalization: Normalization = "NFC",
    case: Case = "keep",
    size: int | None = None,
    max_size: int = 16_000,
    min_count: int | None = None,
    num_protected: int = 0,
) -> Codec:
    """Like `learn_codec`, from the words of `count_words`; it leaves room for `num_protected` tokens."""
    num_tokens = max(0, (size or max_size) - len(SPECIALS) - num_protected)
    alphabet = choose_alphabet(words, min_count or 1)
    if size and len(alphabet) > num_tokens:
        least = len(alphabet) + num_protected + len(SPECIALS)
        protected = f", {num_protected:,} protected units" if num_protected else ""
        raise ConfigError(
            f"must be at least {least:,} for {len(alphabet):,} different characters{protected} and "
            f"{len(SPECIALS)} special tokens, found {size:,}",
            where="text.subword_size",
            fix=f"set it to {least}{_without_rare_characters(words, num_tokens)}",
        )
    spelling = Spelling(alphabet[:num_tokens])
    spelled = spelling.spell(words)
    merges: list[tuple[str, str]] = []
    if unit == "bpe" or not size:
        merges = learn_merges(spelled, num_tokens, min_count or (2 if size else DEFAULT_MIN_COUNT))
    tokens = tuple(dict.fromkeys([*spelling.atoms, *(spelling.read(left + right) for left, right in merges)]))
    if unit == "bpe":
        pairs = tuple((spelling.read(left), spelling.read(right)) for left, right in merges)
        return Codec(BytePairEncoding(normalization, pairs, case=case), Vocabulary(tokens))
    scores = learn_scores(spelled, list(spelling.atom_of), num_tokens if size else len(tokens))
    pieces = tuple(map(spelling.read, scores))
    return Codec(Unigram(normalization, pieces, tuple(scores.values()), case=case), Vocabulary(pieces))


def count_words(
    texts: Iterable[str], normalization: Normalization, case: Case = "keep", protect: str | None = None
) -> Counter[str]:
    """The frequency of each word in the texts, outside protected units."""
    if protect is None:
        chunks = Counter(chunk for text in texts for chunk in chunks_of(normal_form(text, normalization, case)))
    else:
        tokenizer = Protected(normalization, pattern=protect, case=case)
        found = (each for text in texts for each in chunked(tokenizer.parts(text)) if not isinstance(each, str))
        chunks = Counter(chain.from_iterable(found))
    words: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for word in words_of(chunk):
            words[word] += count
    return words


def choose_alphabet(words: Counter[str], min_count: int) -> list[str]:
    """The characters (and escapes) with a frequency of at least `min_count`, most frequent first."""
    counts = _counts_of_atoms(words)
    kept = [atom for atom, count in counts.items() if count >= min_count]
    return sorted(kept, key=lambda atom: (-counts[atom], atom))


def _counts_of_atoms(words: Counter[str]) -> Counter[str]:
    """The frequency of each character and escape."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for atom in atoms_of(word):
            counts[atom] += count
    counts.pop(_BREAK, None)
    return counts


def _without_rare_characters(words: Counter[str], num_tokens: int) -> str:
    """The end of a fix: the frequency from which on so few characters are left, and what share of the text is lost.

    Empty if there is none.
    """
    counts = sorted(_counts_of_atoms(words).values(), reverse=True)
    least = counts[num_tokens] + 1
    kept = [count for count in counts if count >= least]
    if not kept:
        return ""
    share = 100 * (1 - sum(kept) / sum(counts))
    return f", or drop rare characters ({share:.2g} % of the text): text.min_count={least}"


class Spelling:
    """Maps escapes, which `tokenizers` does not know, to characters that do not occur in the texts, and back."""

    def __init__(self, alphabet: Sequence[str]) -> None:
        used = set(alphabet)
        unused = (chr(number) for number in _PRIVATE if chr(number) not in used)
        self.atom_of = {atom if len(atom) == 1 else next(unused): atom for atom in alphabet}
        self._character_of = {atom: character for character, atom in self.atom_of.items()}

    @property
    def atoms(self) -> list[str]:
        """The alphabet."""
        return list(self._character_of)

    def spell(self, words: Counter[str]) -> Counter[str]:
        """The words in this spelling, split where they are too long or contain characters outside the alphabet."""
        spelled: Counter[str] = Counter()
        for word, count in words.items():
            shown = "".join(self._character_of.get(atom, _BREAK) for atom in atoms_of(word))
            for part in shown.split(_BREAK):
                for start in range(0, len(part), _MAX_WORD_LENGTH):
                    spelled[part[start : start + _MAX_WORD_LENGTH]] += count
        return spelled

    def read(self, shown: str) -> str:
        """A piece in its original spelling."""
        return "".join(self.atom_of[character] for character in shown)


def learn_merges(words: Counter[str], num_tokens: int, min_count: int) -> list[tuple[str, str]]:
    """The merges of BPE, in order; together with the characters they make up to `num_tokens` tokens."""
    tokenizers = import_tokenizers()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=num_tokens, min_frequency=min_count, show_progress=False)
    learned = train(tokenizers.models.BPE(), trainer, words)
    return [(left, right) for left, right in learned["merges"]]


def learn_scores(words: Counter[str], alphabet: Sequence[str], num_tokens: int) -> dict[str, float]:
    """The pieces of a unigram model with their scores, best first: the whole alphabet and the best other pieces."""
    tokenizers = import_tokenizers()
    # With hardly more pieces than characters, the trainer does not terminate.
    asked = max(num_tokens + 1, 2 * len(alphabet) + 100)
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=asked, show_progress=False)
    # A candidate piece must be followed by different characters: without " giants", " giant" would not be one.
    used = {character for word in words for character in word}
    mark = next(chr(code) for code in range(sys.maxunicode, 0, -1) if chr(code) not in used)
    words = words + Counter(word + mark for word, count in words.items() if count > 1)
    learned = train(tokenizers.models.Unigram(), trainer, words)
    scores = {piece: round(score, 6) for piece, score in learned["vocab"] if score is not None and mark not in piece}
    # The trainer gives characters without a score one just above the lowest, in an order that varies between runs.
    lowest = min(scores.values(), default=0.0)
    left_without = lowest + 1e-4 * (len(alphabet) + 1)
    kept = {atom: score if (score := scores.get(atom, lowest)) > left_without else lowest for atom in alphabet}
    others = sorted(scores.keys() - kept.keys(), key=lambda piece: (-scores[piece], piece))
    kept |= {piece: scores[piece] for piece in others[: max(0, num_tokens - len(kept))]}
    return dict(sorted(kept.items(), key=lambda item: (-item[1], item[0])))


def train(model: models.Model, trainer: trainers.Trainer, words: Counter[str]) -> dict[str, Any]:
    """Train the model on the words; returns its JSON representation."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer(model)
    share = min(1, _MAX_WORDS / max(1, words.total()))
    repeated = (repeat(word, max(1, round(count * share))) for word, count in words.items())
    try:
        tokenizer.train_from_iterator(chain.from_iterable(repeated), trainer)
        learned: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic is not an Exception
        raise DataError(
            f"the library tokenizers failed to learn subwords from these texts: {error}",
            where="text.source, text.target",
            fix="use another unit, such as text.source=characters",
        ) from error
    return learned


def import_tokenizers() -> Any:
    """The library, which is part of the extra `train`; UserError if it is not installed."""
    try:
        import tokenizers
    except ImportError:
        raise UserError("learning subwords needs the library tokenizers", fix='pip install "seq2see[train]"') from None
    return tokenizers
