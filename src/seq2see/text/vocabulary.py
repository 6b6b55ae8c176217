"""The tokens that a model knows, and their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from seq2see.errors import DataError

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
LONGEST_TOKEN = 10_000
"""Characters of a token: a longer one of the data is not kept."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of the data, with ids from 4 on; 0 to 3 are the special tokens.

    Special tokens are identified by id, never by spelling: a token "<eos>" of the data gets an id of its own.
    """

    tokens: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The token of each id, special tokens by name."""

    def __post_init__(self) -> None:
        ids = {token: number for number, token in enumerate(self.tokens, start=len(SPECIALS))}
        if len(ids) != len(self.tokens):
            repeated = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise DataError(f"the vocabulary contains {repeated!r} more than once", fix="keep each token once")
        if (longest := max(map(len, self.tokens), default=0)) > LONGEST_TOKEN:
            raise DataError(
                f"a token has {longest:,} characters, at most {LONGEST_TOKEN:,} are possible", fix="remove it"
            )
        try:
            "\n".join(self.tokens).encode()
        except UnicodeEncodeError as error:
            raise DataError(f"a token contains a lone surrogate: {error.reason}", fix="remove that token") from None
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_names", (*SPECIALS, *self.tokens))

    @classmethod
    def build(cls, token_lists: Iterable[list[str]], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """Tokens that occur at least `min_count` times, most frequent first; `max_size` includes the special tokens."""
        return cls(()).grown(token_lists, max_size=max_size, min_count=min_count)

    def grown(self, token_lists: Iterable[list[str]], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """This vocabulary with the new tokens that `build` would keep appended; existing ids do not change."""
        counts: Counter[str] = Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return self.grown_by(counts, max_size=max_size, min_count=min_count)

    def grown_by(self, counts: Mapping[str, int], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """Like `grown`, from the frequency of each token."""
        kept = [
            token
            for token, count in counts.items()
            if count >= min_count and token not in self and len(token) <= LONGEST_TOKEN
        ]
        kept.sort(key=lambda token: (-counts[token], token))
        return Vocabulary((*self.tokens, *(kept if max_size is None else kept[: max(0, max_size - len(self))])))

    def id(self, token: str) -> int:
        """The id of a token of the data; UNK if it is unknown."""
        return self._ids.get(token, UNK)

    def token(self, number: int) -> str:
        """The token of an id, or the name of a special token. Raises IndexError for an invalid id."""
        if not 0 <= number < len(self._names):
            raise IndexError(f"token id {number} is out of range for a vocabulary of {len(self)}")
        return self._names[number]

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.tokens)
