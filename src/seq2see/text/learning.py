"""Learning subwords from the training texts, by the library `tokenizers`; `subwords` applies them without it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from seq2see.errors import ConfigError, DataError, UserError
from seq2see.text.codec import Codec
from seq2see.text.subwords import BytePairEncoding, Unigram, atoms_of, stretches_of, words_of
from seq2see.text.tokenizers import Normalization, normal_form
from seq2see.text.vocabulary import SPECIALS, Vocabulary

if TYPE_CHECKING:
    from tokenizers import models, trainers

OCCURRENCES = 10
"""How often two neighbours must occur to become a piece, where the number of pieces is left to the data."""
MOST_TEXTS = 1_000_000
"""Texts learnt from at most, evenly spread: more hardly change the pieces."""

_MOST_WORDS = 5_000_000
_LONGEST_WORD = 100
_BREAK = "\0"  # what `tokenizers` takes for the end of a word
_MARK = "\U0010ffff"  # no character by definition
_PRIVATE = (*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE))


def learn_codec(
    unit: str,
    texts: Sequence[str],
    *,
    normalization: Normalization = "NFC",
    size: int | None = None,
    max_size: int = 16_000,
    min_count: int | None = None,
) -> Codec:
    """A codec for the texts whose unit is "bpe" or "unigram".

    `size` is how many tokens there may be, the specials and all single characters among them. Without it there are as
    many as BPE makes by merging neighbours that occur at least `min_count` times (OCCURRENCES where nothing is said),
    and at most `max_size`. Characters are kept from `min_count` on, or else all, the most frequent first.

    BPE learns the same from the same texts. Unigram's scores differ in the last digits from one time to the next, which
    rounding hides but for rare cases: keep what was learnt. Raises ConfigError for a size that the characters alone
    exceed, DataError for texts that `tokenizers` can't learn from, UserError where it is not installed.
    """
    words = count_words(texts[:: text_step(len(texts))], normalization)
    return learn_from_words(unit, words, normalization=normalization, size=size, max_size=max_size, min_count=min_count)


def text_step(num_texts: int) -> int:
    """Every so manieth text is learnt from."""
    return max(1, -(-num_texts // MOST_TEXTS))


def learn_from_words(
    unit: str,
    words: Counter[str],
    *,
    normalization: Normalization = "NFC",
    size: int | None = None,
    max_size: int = 16_000,
    min_count: int | None = None,
) -> Codec:
    """As `learn_codec`, from the words of `count_words`."""
    room = (size or max_size) - len(SPECIALS)
    alphabet = choose_alphabet(words, min_count or 1)
    if size and len(alphabet) > room:
        raise ConfigError(
            f"{size:,} is too small for {len(alphabet):,} different characters and {len(SPECIALS)} specials",
            where="text.subword_size",
            fix=f"give at least {len(alphabet) + len(SPECIALS):,}, or leave rare characters out: "
            f"text.min_count={(min_count or 1) + 1}",
        )
    spelling = Spelling(alphabet[:room])
    spelt = spelling.spell(words)
    merges: list[tuple[str, str]] = []
    if unit == "bpe" or not size:
        merges = learn_merges(spelt, room, min_count or (2 if size else OCCURRENCES))
    tokens = tuple(dict.fromkeys([*spelling.atoms, *(spelling.read(left + right) for left, right in merges)]))
    if unit == "bpe":
        pairs = tuple((spelling.read(left), spelling.read(right)) for left, right in merges)
        return Codec(BytePairEncoding(normalization, pairs), Vocabulary(tokens))
    scores = learn_scores(spelt, list(spelling.atom_of), room if size else len(tokens))
    pieces = tuple(map(spelling.read, scores))
    return Codec(Unigram(normalization, pieces, tuple(scores.values())), Vocabulary(pieces))


def count_words(texts: Iterable[str], normalization: Normalization) -> Counter[str]:
    """The words of all texts, each with the number of times it occurs."""
    stretches = Counter(stretch for text in texts for stretch in stretches_of(normal_form(text, normalization)))
    words: Counter[str] = Counter()
    for stretch, count in stretches.items():
        for word in words_of(stretch):
            words[word] += count
    return words


def choose_alphabet(words: Counter[str], min_count: int) -> list[str]:
    """The characters (and escapes) that occur often enough, most frequent first."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for atom in atoms_of(word):
            counts[atom] += count
    kept = [atom for atom, count in counts.items() if count >= min_count and atom not in (_BREAK, _MARK)]
    return sorted(kept, key=lambda atom: (-counts[atom], atom))


class Spelling:
    """How words are shown to `tokenizers`, which knows no escapes: each becomes a character that the texts lack."""

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
        """The words so spelt, in parts where they are long or hold characters outside the alphabet."""
        spelt: Counter[str] = Counter()
        for word, count in words.items():
            shown = "".join(self._character_of.get(atom, _BREAK) for atom in atoms_of(word))
            for part in shown.split(_BREAK):
                for start in range(0, len(part), _LONGEST_WORD):
                    spelt[part[start : start + _LONGEST_WORD]] += count
        return spelt

    def read(self, shown: str) -> str:
        """A piece as it stands in the texts."""
        return "".join(self.atom_of[character] for character in shown)


def learn_merges(words: Counter[str], room: int, min_count: int) -> list[tuple[str, str]]:
    """The merges of BPE in the order they are done, as many as make `room` tokens with the characters."""
    tokenizers = import_tokenizers()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=room, min_frequency=min_count, show_progress=False)
    learnt = train(tokenizers.models.BPE(), trainer, words)
    return [(left, right) for left, right in learnt["merges"]]


def learn_scores(words: Counter[str], alphabet: Sequence[str], room: int) -> dict[str, float]:
    """The pieces of a unigram model with their scores, best first: all of the alphabet and the best others."""
    tokenizers = import_tokenizers()
    # Asked for hardly more pieces than there are characters, it never ends.
    asked = max(room + 1, 2 * len(alphabet) + 100)
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=asked, show_progress=False)
    # It considers as pieces what goes on in more than one way: " giant" would be none where there is no " giants".
    words = words + Counter(word + _MARK for word, count in words.items() if count > 1)
    learnt = train(tokenizers.models.Unigram(), trainer, words)
    scores = {piece: round(score, 6) for piece, score in learnt["vocab"] if score is not None and _MARK not in piece}
    # The characters that were left without a score get some just above the lowest, in an order that is never the same.
    lowest = min(scores.values(), default=0.0)
    left_without = lowest + 1e-4 * (len(alphabet) + 1)
    kept = {atom: score if (score := scores.get(atom, lowest)) > left_without else lowest for atom in alphabet}
    others = sorted(scores.keys() - kept.keys(), key=lambda piece: (-scores[piece], piece))
    kept |= {piece: scores[piece] for piece in others[: max(0, room - len(kept))]}
    return dict(sorted(kept.items(), key=lambda item: (-item[1], item[0])))


def train(model: models.Model, trainer: trainers.Trainer, words: Counter[str]) -> dict[str, Any]:
    """What `tokenizers` learns from the words, as its own JSON has it."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer(model)
    share = min(1, _MOST_WORDS / max(1, words.total()))
    repeated = (repeat(word, max(1, round(count * share))) for word, count in words.items())
    try:
        tokenizer.train_from_iterator(chain.from_iterable(repeated), trainer)
        learnt: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of its Rust code is no Exception
        raise DataError(
            f"the library tokenizers can't learn subwords from these texts: {error}",
            where="text.source, text.target",
            fix="choose another unit, such as text.source=characters",
        ) from error
    return learnt


def import_tokenizers() -> Any:
    """The library, which comes with the extra `train`; UserError where it is missing."""
    try:
        import tokenizers
    except ImportError:
        raise UserError("learning subwords needs the library tokenizers", fix='pip install "seq2see[train]"') from None
    return tokenizers
