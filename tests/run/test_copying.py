"""Copying in a run: tokens are matched by text, both engines give the same answers, and coverage needs attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import seq2see
from seq2see import Pair
from seq2see.blueprint import STEP
from seq2see.config import make_config
from seq2see.errors import ConfigError
from seq2see.run.planning import plan_run
from seq2see.storage.saved_model import copies_of, load_model, sizes_of
from seq2see.text import Codec, make_tokenizer
from seq2see.text.alignment import STEP_TOKEN


def test_tokens_are_matched_by_text() -> None:
    source = Codec.build(make_tokenizer("characters"), ["abcx"])
    target = Codec.build(make_tokenizer("characters"), ["ycba"])
    copies = copies_of(source, target)
    assert copies[:4] == (0, 0, 0, 0)
    for letter in "abcx":
        assert copies[source.vocabulary.id(letter)] == (target.vocabulary.id(letter) if letter != "x" else 0)


@pytest.mark.parametrize("name", ["bidirectional", "transducer", "transformer"])
def test_both_engines_copy_alike(name: str, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    settings = tiny_settings | {"model.name": name, "model.copy": True, "training.max_updates": 20}
    if name == "transformer":
        settings.pop("model.embedding", None)
        settings["model.heads"] = 2
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    saved = load_model(tmp_path / "run" / "model")
    copies = sizes_of((saved.source_codec, saved.target_codec)).copies
    assert sum(token > 0 for token in copies) == 5
    assert saved.target_codec.vocabulary.tokens[0] != STEP_TOKEN or STEP not in copies
    texts = ["abc", "edcba", "bb"]
    answers = [seq2see.load(tmp_path / "run", engine=engine).predict(texts, beam=3) for engine in ("torch", "numpy")]
    for one, other in zip(*answers, strict=True):
        assert one.text == other.text
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)


@pytest.mark.parametrize("key", ["training.coverage", "training.guided_attention"])
def test_losses_of_attention_need_attention(
    key: str, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("plain", "transducer"):
        settings = tiny_settings | {"model.name": name, key: 1.0}
        with pytest.raises(ConfigError, match="no attention") as caught:
            seq2see.train(tiny_pairs, out=tmp_path / name, settings=settings, quiet=True)
        assert caught.value.where == key
    settings = tiny_settings | {"model.name": "bidirectional", key: 1.0, "training.max_updates": 2}
    assert seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True).name == "bidirectional"


MAILS = [
    (f"the meeting{n} about the contract{n} is moved to room{n % 7}", f"meeting{n} moved to room{n % 7}")
    for n in range(60)
]


@pytest.mark.parametrize(
    ("more", "is_said"),
    [
        ({}, True),
        ({"text.joint": True}, False),
        ({"text.target": "unigram"}, False),
        ({"model.copy": False}, False),
        ({"text.source": "words", "text.target": "words"}, False),
        ({"text.case": "fold"}, False),
    ],
    ids=str,
)
def test_subwords_that_cannot_be_copied_are_said(more: dict[str, Any], is_said: bool) -> None:
    settings = {"model.name": "bidirectional", "model.copy": True, "text.source": "bpe", "text.target": "bpe"} | more
    pairs = [Pair(source, target) for source, target in MAILS]
    plan = plan_run(make_config({}, settings), pairs[6:], pairs[:6])
    said = [line for line in plan.notes if "can't be copied" in line]
    assert len(said) == is_said
    if not is_said:
        return
    source, target = plan.codecs
    assert source is not None
    ids = [number for pair in pairs[6:] for number in source.encode(pair.source, end=False)]
    share = sum(source.vocabulary.token(number) not in target.vocabulary for number in ids) / len(ids)
    assert said[0].startswith(f"note: {100 * share:.0f} % of the source tokens can't be copied")
