"""Pretrained word vectors as the initial embeddings of a run's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2see.blueprint import ModelOptions, find, resolve
from seq2see.console import counted
from seq2see.data.word_vectors import read_word_vectors
from seq2see.errors import CheckpointError, ConfigError, DataError
from seq2see.model import Seq2Seq
from seq2see.model.embedding import Embedding
from seq2see.run.embedding_files import embedding_files
from seq2see.text import Codecs, Vocabulary
from seq2see.text.alignment import STEP_TOKEN
from seq2see.text.fields import FIELD_BREAK, VALUE
from seq2see.training import TrainingOptions

NOT_WORDS = frozenset({STEP_TOKEN, FIELD_BREAK, VALUE})
"""Tokens that stand for no text."""


class Embedded(NamedTuple):
    """The tokens of a side that have pretrained vectors."""

    side: str
    path: Path
    rows: npt.NDArray[np.int64]
    """Their ids [N]."""
    vectors: npt.NDArray[np.float32]
    """[N E]."""
    num_tokens: int
    """Of the vocabulary, special tokens not counted."""

    @property
    def width(self) -> int:
        """Numbers per vector."""
        return int(self.vectors.shape[1])

    def line(self) -> str:
        """For the terminal."""
        share = f"{len(self.rows):,} of the {self.num_tokens:,} tokens have vectors of {counted(self.width, 'number')}"
        return f"{self.side}: {share} in {self.path.name}"


def read_embeddings(options: TrainingOptions, codecs: Codecs) -> list[Embedded]:
    """The pretrained vectors of the tokens of both sides. ConfigError for a file that has none of them."""
    found = []
    for side, path in embedding_files(options).items():
        codec = codecs[0] if side == "source" else codecs[1]
        assert codec is not None
        found.append(embedded(side, Path(path), codec.vocabulary))
    return found


def embedded(side: str, path: Path, vocabulary: Vocabulary) -> Embedded:
    """The pretrained vectors of the tokens of a vocabulary: of the token itself, or of its lower-cased form."""
    spellings = {token: spellings_of(token) for token in vocabulary.tokens if token not in NOT_WORDS}
    read = read_word_vectors(path, {spelling for some in spellings.values() for spelling in some})
    rows, vectors = [], []
    for token, some in spellings.items():
        spelling = next((each for each in some if each in read.found), None)
        if spelling is not None:
            rows.append(vocabulary.id(token))
            vectors.append(read.found[spelling])
    if not rows:
        shown = ", ".join(repr(token) for token in list(spellings)[:5])
        what = f"has a vector of none of the {len(spellings):,} {side} tokens ({shown}, …)"
        fix = f"set text.{side} to the unit that it is for, such as words, or leave training.{side}_embeddings out"
        raise DataError(what, where=str(path), fix=fix)
    return Embedded(side, path, np.array(rows, np.int64), np.stack(vectors), len(spellings))


def spellings_of(token: str) -> list[str]:
    """The words whose vectors a token may have, the best first; subwords begin with a blank, or elsewhere with ▁."""
    forms = [token]
    if token.startswith(" ") and token.strip():
        forms = ["▁" + token[1:], token[1:]]
    return list(dict.fromkeys([*forms, *(form.lower() for form in forms)]))


def with_width(options: ModelOptions, asked: ModelOptions, found: Sequence[Embedded]) -> ModelOptions:
    """The chosen options of the model with the embeddings as wide as the vectors. ConfigError where they can't be.

    `asked` are the options that were given.
    """
    for each in found:
        o = resolve(options)
        needed = find(o.name).needed_embedding(o.width, o.tie, o.output)
        is_free = needed is None and asked.embedding is None and each is found[0]
        if is_free:
            options = replace(options, embedding=each.width)
        elif each.width != o.embedding:
            fix = f"set model.width={each.width}" if needed else "leave model.embedding out"
            if needed and needed != o.width:
                fix = "set model.tie=none"
            if each is not found[0] and found[0].width != each.width:
                fix = "give vectors of the same length for both sides"
            what = f"must have {o.embedding} numbers per vector, as the model's embeddings, found {each.width}"
            raise ConfigError(what, where=f"training.{each.side}_embeddings", fix=fix)
    return options


def table_of(network: Seq2Seq, side: str) -> tuple[str, Embedding]:
    """The embedding of a side, and the name of its tensor, which both sides may share."""
    embedding = network.encoder.embedding if side == "source" else network.decoder.embedding
    assert isinstance(embedding, Embedding)
    return next(name for name, own in network.named_parameters() if own is embedding.weight), embedding


def scaled_rows(network: Seq2Seq, each: Embedded) -> tuple[str, Tensor, Tensor]:
    """The name of the table, the rows, and their vectors, scaled as one to the deviation of the model's random ones."""
    name, embedding = table_of(network, each.side)
    deviation = float(each.vectors.std()) or 1.0
    return name, torch.from_numpy(each.rows), torch.from_numpy(each.vectors) / (deviation * embedding.scale)


def embed(network: Seq2Seq, found: Sequence[Embedded]) -> None:
    """Put the vectors into the tables of a new network."""
    with torch.no_grad():
        for each in found:
            _, rows, vectors = scaled_rows(network, each)
            table_of(network, each.side)[1].weight[rows] = vectors


def frozen_rows(network: Seq2Seq, found: Sequence[Embedded]) -> dict[str, Tensor]:
    """By the name of a table, the rows that keep their values."""
    rows: dict[str, Tensor] = {}
    for name, own, _ in (scaled_rows(network, each) for each in found):
        rows[name] = torch.cat([rows[name], own]) if name in rows else own
    return rows


def require_same_vectors(network: Seq2Seq, found: Sequence[Embedded], tensors: Mapping[str, Tensor]) -> None:
    """CheckpointError if the frozen rows of a resumed run are not the vectors of its files."""
    embed(network, found)
    for name, rows in frozen_rows(network, found).items():
        if not torch.equal(network.tensors()[name][rows], tensors[name][rows]):
            what = "has other vectors than when the run was started"
            side = next(each for each in found if table_of(network, each.side)[0] == name)
            raise CheckpointError(what, where=str(side.path), fix="restore the file, or start a new run with --out")
