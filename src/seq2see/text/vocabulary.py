"""Which tokens a model knows, and the number of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from seq2see.errors import DataError

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of the data, numbered from 4 on; 0 to 3 are the specials.

    A special is a number, never a spelling: a token of the data that is spelt "<eos>" gets a number of its own.
    """

    tokens: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {token: number for number, token in enumerate(self.tokens, start=len(SPECIALS))}
        if len(ids) != len(self.tokens):
            repeated = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise DataError(f"the vocabulary holds {repeated!r} more than once", fix="keep each token once")
        try:
            "\n".join(self.tokens).encode()
        except UnicodeEncodeError as error:
            raise DataError(f"a token holds half of a surrogate pair: {error.reason}", fix="drop that token") from None
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def build(cls, token_lists: Iterable[list[str]], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """The tokens seen at least `min_count` times, most frequent first; `max_size` counts the specials too."""
        return cls(()).grown(token_lists, max_size=max_size, min_count=min_count)

    def grown(self, token_lists: Iterable[list[str]], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """This vocabulary and, behind it, what it lacks of the tokens that `build` would keep: no number changes."""
        counts: Counter[str] = Counter()
        for tokens in token_lists:
            counts.update(tokens)
        return self.grown_by(counts, max_size=max_size, min_count=min_count)

    def grown_by(self, counts: Mapping[str, int], *, max_size: int | None = None, min_count: int = 1) -> Vocabulary:
        """As `grown`, from how often each token was seen."""
        kept = [token for token, count in counts.items() if count >= min_count and token not in self]
        kept.sort(key=lambda token: (-counts[token], token))
        return Vocabulary((*self.tokens, *(kept if max_size is None else kept[: max(0, max_size - len(self))])))

    def id(self, token: str) -> int:
        """The number of a token of the data; UNK where it is not known."""
        return self._ids.get(token, UNK)

    def token(self, number: int) -> str:
        """The token of a number, the name of a special included. Raises IndexError for one that isn't there."""
        if not 0 <= number < len(self):
            raise IndexError(f"there is no token {number}: the vocabulary has {len(self)}")
        return SPECIALS[number] if number < len(SPECIALS) else self.tokens[number - len(SPECIALS)]

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.tokens)
