"""A lexicon before a model: texts that it has are looked up, only the others are computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seq2see.data import Pair, read_pairs
from seq2see.data.advice import new_file, quoted_path
from seq2see.data.options import flags_of
from seq2see.errors import ConfigError, DataError
from seq2see.inference.options import NO_CONSTRAINTS
from seq2see.inference.pair_files import require_fields
from seq2see.inference.predictor import Predictor
from seq2see.inference.requests import Request
from seq2see.inference.results import EMPTY, Prediction
from seq2see.text.fields import without_white_space_around

Answered = Iterator[tuple[str, Prediction]]


class Lexicon:
    """The answers to known texts, several of one text in order.

    Texts are compared in the normal form in which the model reads them, without white space at the ends.
    """

    def __init__(self, pairs: Sequence[Pair], model: Predictor) -> None:
        if model.source_codec is None:
            raise ConfigError("has no effect on a language model", where="--lexicon", fix="leave it out")
        self._codec = model.source_codec
        self._answers: dict[str, dict[str, None]] = {}
        for pair in pairs:
            self._answers.setdefault(self._key(pair.source), {})[pair.target or ""] = None

    @classmethod
    def of_file(cls, path: Path, model: Predictor) -> Lexicon:
        """That of a file of pairs, in the columns that the model was trained on.

        DataError for an invalid one, and for another number of source columns than the model has.
        """
        try:
            found = read_pairs([path], known=model.table, may_rename=True)
        except DataError as error:
            if "--skip-bad" not in error.fix:
                raise
            words = ["seq2see check", quoted_path(str(path)), *flags_of(model.table), "--fix -o"]
            copy = quoted_path(new_file(str(path), "-clean.tsv"))
            fix = f"correct them, or make a copy without them: {' '.join(words)} {copy}"
            raise DataError(error.what, where=error.where, fix=fix) from None
        lexicon = cls(found.pairs, model)
        require_fields(model, found, str(path))
        return lexicon

    def _key(self, text: str) -> str:
        return without_white_space_around(self._codec.normalize(text))

    def answer(self, text: str, n_best: int) -> Prediction | None:
        """What the lexicon has for a text, at most `n_best` answers; None for an unknown text."""
        texts = list(self._answers.get(self._key(text), ()))[:n_best]
        if not texts:
            return None
        first, *others = (replace(EMPTY, text=each, looked_up=True) for each in texts)
        return replace(first, alternatives=tuple(others))

    def before(
        self, model: Callable[[Iterator[Request]], Answered], requests: Iterable[Request], n_best: int
    ) -> Answered:
        """Each text with its answer, in order: that of the lexicon, or that of the `model`, which is asked the others.

        A text with constraints of its own is left to the model.
        """
        waiting: deque[tuple[str, Prediction | None]] = deque()

        def others() -> Iterator[Request]:
            for request in requests:
                is_plain = request.own == NO_CONSTRAINTS and request.error is None
                found = self.answer(request.text, n_best) if is_plain else None
                waiting.append((request.text, found))
                yield request if found is None else request._replace(text="")

        for _, answer in model(others()):
            text, found = waiting.popleft()
            yield text, found or answer
