"""Codec: a tokenizer with its vocabulary, text to ids and back."""

from __future__ import annotations

import json
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from seq2see.errors import CheckpointError, DataError, UserError
from seq2see.text.alignment import STEP_TOKEN, Aligner
from seq2see.text.fields import FIELD_BREAK, FIELD_UNITS, MAX_FIELDS, VALUE, Fields, Values, is_value_unit
from seq2see.text.protected import Protected, protect
from seq2see.text.subwords import SUBWORD_UNITS, MergeDropout, Subwords, read_subwords
from seq2see.text.tokenizers import (
    CASES,
    Case,
    Normalization,
    Tags,
    Tokenizer,
    as_case,
    as_normalization,
    make_tokenizer,
)
from seq2see.text.truncation import truncated
from seq2see.text.vocabulary import BOS, EOS, PAD, Vocabulary

_FORMAT = "seq2see-codec-1"


NUM_SHOWN = 5
"""Characters that a warning names."""


class UnicodeVersionWarning(UserWarning):
    """A codec was built with another Unicode version, and has characters that may be normalized differently."""


@dataclass(frozen=True)
class Codec:
    """Encodes text as ids, and decodes ids."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    aligner: Aligner | None = None
    """Aligns targets to their sources, for a transducer, whose vocabulary has the token STEP."""
    truncate: int | None = None
    """Longer texts are cut to this number of tokens: see `truncated`."""

    @property
    def step(self) -> int | None:
        """The id of STEP; None unless this is the codec of a transducer's targets."""
        return None if self.aligner is None else self.vocabulary.id(STEP_TOKEN)

    @classmethod
    def build(
        cls, tokenizer: Tokenizer, texts: Iterable[str], *, max_size: int | None = None, min_count: int = 1
    ) -> Codec:
        """A codec whose vocabulary comes from the texts, or from the tokenizer if it has a fixed alphabet."""
        return cls(tokenizer, Vocabulary(tokenizer.alphabet)).grown(texts, max_size=max_size, min_count=min_count)

    def grown(self, texts: Iterable[str], *, max_size: int | None = None, min_count: int = 1) -> Codec:
        """This codec with the new tokens of the texts appended, so that existing ids do not change.

        A subword codec gains only new characters and protected units; no new pieces are learned. A byte codec gains
        protected units alone.
        """
        if self.tokenizer.is_closed:
            return self
        texts = list(texts)
        vocabulary = self.vocabulary.grown(map(self.tokenizer.protected, texts), max_size=max_size)
        vocabulary = vocabulary.grown(map(self.tokenizer.split, texts), max_size=max_size, min_count=min_count)
        added = vocabulary.tokens[len(self.vocabulary.tokens) :]
        tokenizer = self.tokenizer.grown(added)
        if isinstance(tokenizer, Fields):
            tokenizer = tokenizer.ordered_by(vocabulary.tokens)
        return replace(self, tokenizer=tokenizer, vocabulary=vocabulary) if added else self

    def split(self, text: str) -> list[str]:
        """The tokens of the text, which is cut if it is too long."""
        return self._cut(self.tokenizer.split(text))

    def encode(self, text: str, *, end: bool = True) -> list[int]:
        """The ids of the text, with EOS at the `end`."""
        ids = list(map(self.vocabulary.id, self.split(text)))
        return [*ids, EOS] if end else ids

    def encode_cut(self, text: str) -> tuple[list[int], bool]:
        """The ids of the text, with EOS at the end, and whether it was cut."""
        tokens = self.tokenizer.split(text)
        kept = self._cut(tokens)
        return [*map(self.vocabulary.id, kept), EOS], len(kept) < len(tokens)

    def cuts(self, text: str) -> bool:
        """Whether the text is cut."""
        return self.truncate is not None and self.encode_cut(text)[1]

    def _cut(self, tokens: list[str]) -> list[str]:
        if self.truncate is None:
            return tokens
        return truncated(tokens, self.truncate, has_fields=isinstance(self.tokenizer, Fields))

    def joined(self, fields: Iterable[list[int]], *, end: bool = True) -> list[int]:
        """The ids of a text from those of its fields, with EOS at the `end`."""
        ids: list[int] = []
        for number, field in enumerate(fields):
            ids += [self.vocabulary.id(FIELD_BREAK), *field] if number else field
        return [*ids, EOS] if end else ids

    def encode_with_dropout(self, text: str, dropout: MergeDropout) -> list[int]:
        """Like `encode`, with BPE-dropout, for training."""
        return [*map(self.vocabulary.id, self._cut(self.tokenizer.split_with_dropout(text, dropout))), EOS]

    def decode(self, ids: Iterable[int], *, after: str = "") -> str:
        """The text up to the first EOS; an unknown token becomes `<unk>`. `after` is a text that the ids continue."""
        tokens = self.tokenizer.split(after) if after else []
        written, unwritten = list(ids), (PAD, BOS, self.step)
        if EOS in written:
            written = written[: written.index(EOS)]
        tokens += [self.vocabulary.token(number) for number in written if number not in unwritten]
        return self.tokenizer.join(tokens)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The token of each id, special tokens by name, for display."""
        return list(map(self.vocabulary.token, ids))

    def normalize(self, text: str) -> str:
        """The text in the tokenizer's normal form, which `decode` returns."""
        return self.tokenizer.normalize(text)

    def is_normalized(self, text: str) -> bool:
        """Whether `normalize` leaves the text unchanged."""
        return self.tokenizer.normalize(text) == text

    def unknown(self, text: str) -> list[str]:
        """The tokens of the text that are not in the vocabulary, in order."""
        return [token for token in self.split(text) if token not in self.vocabulary]

    def to_dict(self) -> dict[str, object]:
        """The codec as plain values, ready for JSON."""
        return {
            "format": _FORMAT,
            "tokenizer": self.tokenizer.name,
            "normalization": self.tokenizer.normalization,
            **({"case": self.tokenizer.case} if self.tokenizer.case != "keep" else {}),
            **({} if self.truncate is None else {"truncate": self.truncate}),
            "unicode": unicodedata.unidata_version,
            "tokens": list(self.vocabulary.tokens),
            **stored(self.tokenizer),
            **({} if self.aligner is None else {"alignment": self.aligner.to_dict()}),
        }

    @classmethod
    def from_dict(cls, values: object, *, where: str = "") -> Codec:
        """The codec from the values of `to_dict`. Raises CheckpointError, located at `where`, for anything else."""
        again = "copy the file again from where the model was trained"
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise CheckpointError(f"expected a codec of format {_FORMAT!r}", where=where, fix=again)
        name, normalization, tokens = (values.get(key) for key in ("tokenizer", "normalization", "tokens"))
        if not isinstance(name, str) or not isinstance(normalization, str):
            raise CheckpointError("'tokenizer' or 'normalization' is missing or not a string", where=where, fix=again)
        case = values.get("case", "keep")
        if case not in CASES:
            raise CheckpointError(f"'case' must be {' or '.join(CASES)}, not {case!r:.80}", where=where, fix=again)
        most = values.get("truncate")
        if most is not None and (type(most) is not int or not 0 < most < 2**31):
            raise CheckpointError(f"'truncate' must be a number of tokens, not {most!r:.80}", where=where, fix=again)
        if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
            raise CheckpointError("'tokens' is not a list of non-empty strings", where=where, fix=again)
        try:
            vocabulary = Vocabulary(tuple(tokens))
            codec = cls(
                read_tokenizer(name, as_normalization(normalization), tokens, values, as_case(case)),
                vocabulary,
                read_aligner(values, vocabulary),
                most,
            )
        except UserError as error:
            raise CheckpointError(error.what, where=where, fix=again) from error
        made_under = values.get("unicode")
        if made_under != unicodedata.unidata_version and normalization != "none":
            warn_of_unsettled(set().union(*vocabulary.tokens), str(made_under))
        return codec

    def to_json(self) -> bytes:
        """Readable JSON, one token per line."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=0).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, *, where: str = "") -> Codec:
        """The codec from the content of `to_json`. Raises CheckpointError, located at `where`, for anything else."""
        try:
            values = json.loads(content.decode())
        except (ValueError, RecursionError) as error:
            again = "copy the file again from where the model was trained"
            raise CheckpointError(f"damaged: invalid JSON: {error}", where=where, fix=again) from error
        return cls.from_dict(values, where=where)


def stored(tokenizer: Tokenizer) -> dict[str, object]:
    """What a tokenizer needs beside its name and normal form, ready for JSON."""
    if isinstance(tokenizer, Fields):
        return {"fields": [{"tokenizer": part.title, **stored(part)} for part in tokenizer.parts]}
    if isinstance(tokenizer, Values):
        return tokenizer.stored()
    if isinstance(tokenizer, Protected):
        return {"protect": tokenizer.pattern, **stored(tokenizer.inner)}
    return tokenizer.learned() if isinstance(tokenizer, Subwords) else {}


def read_tokenizer(
    name: str, normalization: Normalization, tokens: list[str], values: Mapping[str, object], case: Case
) -> Tokenizer:
    """The tokenizer of this name and the values of `stored`. UserError if they are invalid."""
    if name == Fields.name:
        fields = values.get("fields")
        if not isinstance(fields, list) or not 0 < len(fields) <= MAX_FIELDS or tokens[:1] != [FIELD_BREAK]:
            raise DataError(f"must have 1 to {MAX_FIELDS} fields, and a field break as the first token", where="fields")
        if not all(isinstance(field, dict) and field.get("tokenizer") in FIELD_UNITS for field in fields):
            raise DataError(f"must have tokenizers of fields: {', '.join(FIELD_UNITS)}", where="fields")
        parts = (read_tokenizer(field["tokenizer"], normalization, tokens, field, case) for field in fields)
        read = Fields(normalization, tuple(parts), case=case).ordered_by(tokens)
        if read.has_values and tokens[1:2] != [VALUE]:
            raise DataError("must have the token of a value as the second one", where="tokens")
        return read
    if is_value_unit(name):
        return Values.read(name, values)
    pattern = values.get("protect")
    if not isinstance(pattern, str | None) or (name == Tags.name and pattern is not None):
        raise DataError("must be the pattern of the protected units of a text", where="protect")
    if name in SUBWORD_UNITS:
        return protect(read_subwords(name, normalization, tokens, values, case=case), pattern)
    return protect(make_tokenizer(name, normalization, case), pattern)


def read_aligner(values: Mapping[str, object], vocabulary: Vocabulary) -> Aligner | None:
    """The aligner of a transducer's targets, if it has one. DataError for an invalid one."""
    if "alignment" not in values:
        return None
    if vocabulary.tokens[:1] != (STEP_TOKEN,):
        raise DataError("must begin with the token that moves on to the next source token", where="tokens")
    return Aligner.from_dict(values["alignment"], len(vocabulary))


def warn_of_unsettled(characters: set[str], made_under: str) -> None:
    """UnicodeVersionWarning if there are characters that the two Unicode versions may normalize differently."""
    found = sorted(filter(is_unsettled, characters))
    if found:
        shown = ", ".join(f"U+{ord(character):04X}" for character in found[:NUM_SHOWN])
        more = f" and {len(found) - NUM_SHOWN:,} more" if len(found) > NUM_SHOWN else ""
        warnings.warn(
            f"the model was made with Unicode {made_under}, this Python has {unicodedata.unidata_version}: texts with "
            f"{shown}{more} may be normalized differently",
            UnicodeVersionWarning,
            stacklevel=3,
        )


def is_unsettled(character: str) -> bool:
    """Whether Unicode versions may normalize a character differently.

    Unicode promises never to change the normalization of an assigned character, so all that Unicode 3.2 had are settled
    (https://www.unicode.org/policies/stability_policy.html). Of the newer ones, those unassigned here, and those that
    decompose or combine.
    """
    return unicodedata.ucd_3_2_0.category(character) == "Cn" and bool(
        unicodedata.category(character) == "Cn"
        or unicodedata.combining(character)
        or unicodedata.decomposition(character)
    )


Codecs: TypeAlias = tuple[Codec | None, Codec]
"""The codecs of source and target; a language model has no source codec."""
