"""Pretrained embeddings: what a run starts from, what stays frozen, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import seq2see
from seq2see.config import make_config
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.run.embeddings import spellings_of
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model

LETTERS = "abcdf"
WIDTH = 12
VECTORS = np.random.default_rng(0).normal(size=(len(LETTERS), WIDTH)).astype(np.float32) / 10


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Vectors of four of the five letters of the tiny pairs, and of another one."""
    path = tmp_path / "letters.vec"
    lines = (f"{letter} {' '.join(map(str, row))}\n" for letter, row in zip(LETTERS, VECTORS.tolist(), strict=True))
    path.write_text(f"{len(LETTERS)} {WIDTH}\n" + "".join(lines), encoding="utf-8")
    return path


def rows_of(run: Path, side: str) -> np.ndarray:
    """The embeddings of a, b, c and d in the model of a run."""
    saved = load_model(run / "model")
    codec, part = (saved.source_codec, "encoder") if side == "source" else (saved.target_codec, "decoder")
    assert codec is not None
    return np.asarray(saved.tensors[f"{part}.embedding.weight"][[codec.vocabulary.id(letter) for letter in "abcd"]])


def given(vectors: Path, tiny_settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Settings with vectors on both sides."""
    settings = {key: value for key, value in tiny_settings.items() if key != "model.embedding"}
    files = {f"training.{side}_embeddings": str(vectors) for side in ("source", "target")}
    return settings | files | {"training.max_updates": 4, "training.evaluate_every": 2} | more


SCALED = VECTORS[:4] / VECTORS[:4].std()


def trained(pairs: Path, out: Path, settings: dict[str, Any], **options: Any) -> str:
    """What a training says."""
    said = io.StringIO()
    config = make_config({"data": {"train": [str(pairs)]}}, settings)
    train(config, out, device="cpu", console=Console(file=said, width=300), **options)
    return said.getvalue()


@pytest.mark.parametrize("is_frozen", [False, True])
def test_embeddings_start_from_the_vectors(
    is_frozen: bool, vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    more = {"training.freeze_embeddings": is_frozen, "training.optimizer": "adamw", "training.weight_decay": 0.1}
    said = trained(tiny_pairs, tmp_path / "run", given(vectors, tiny_settings, **more))
    assert "source: 4 of the 5 tokens have vectors of 12 numbers in letters.vec" in said
    assert "target: 4 of the 5 tokens have vectors of 12 numbers in letters.vec" in said
    for side in ("source", "target"):
        rows = rows_of(tmp_path / "run", side)
        assert rows.shape == (4, WIDTH)
        difference = np.abs(rows - SCALED).max()
        assert difference < 1e-6 if is_frozen else 1e-3 < difference < 0.2  # the deviation may differ in the last bit
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "- began with `letters.vec` (training.target_embeddings)" in card
    assert str(tmp_path) not in card
    record = json.loads((tmp_path / "run" / "files.json").read_text(encoding="utf-8"))
    assert len(record["others"]["training.source_embeddings"]) == 64


def test_a_packed_model_needs_no_file_of_vectors(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    model = seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(vectors, tiny_settings), quiet=True)
    model.pack(tmp_path / "m.seq2see", data=tiny_pairs)
    vectors.unlink()
    answers = [
        [answer.text for answer in seq2see.load(tmp_path / place, engine=engine).predict(["abc", "de"])]
        for place, engine in (("run", "torch"), ("m.seq2see", "numpy"))
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_resumed_run_ends_the_same_bit_for_bit(
    is_frozen: bool, vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = given(vectors, tiny_settings, **{"training.freeze_embeddings": is_frozen})
    settings |= {"training.schedule": "constant", "training.warmup": 0.0}
    for name in ("whole", "parts"):
        short = {"training.max_updates": 2} if name == "parts" else {}
        seq2see.train(tiny_pairs, out=tmp_path / name, settings=settings | short, quiet=True)
    if not is_frozen:
        vectors.unlink()  # the checkpoint has all that is needed
    more = {"training.max_updates": 4}
    seq2see.train(tiny_pairs, out=tmp_path / "parts", settings=more, resume=True, allow_changes=True, quiet=True)
    one, other = (load_model(tmp_path / name / "model").tensors for name in ("whole", "parts"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    records = [json.loads((tmp_path / name / "files.json").read_text(encoding="utf-8")) for name in ("whole", "parts")]
    assert records[0]["others"] == records[1]["others"]


def test_a_run_with_frozen_vectors_is_not_resumed_with_others(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = given(vectors, tiny_settings, **{"training.freeze_embeddings": True})
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    vectors.write_text(vectors.read_text(encoding="utf-8").replace("a 0.", "a 1."), encoding="utf-8")
    with pytest.raises(CheckpointError, match="other vectors") as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", resume=True, quiet=True)
    assert caught.value.where == str(vectors)


def test_a_tied_table_has_the_deviation_of_an_output_layer(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    more = {"model.name": "transformer", "model.width": WIDTH, "model.heads": 2, "training.freeze_embeddings": True}
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(vectors, tiny_settings, **more), quiet=True)
    np.testing.assert_allclose(rows_of(tmp_path / "run", "target"), SCALED / WIDTH**0.5, rtol=1e-5)


def test_a_joint_table_takes_the_vectors_of_either_side(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    more = {"text.joint": True, "text.source": "characters", "text.target": "characters"}
    more |= {"model.tie": "all", "model.width": WIDTH, "training.freeze_embeddings": True}
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(vectors, tiny_settings, **more), quiet=True)
    np.testing.assert_allclose(rows_of(tmp_path / "run", "source"), SCALED / WIDTH**0.5, rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "where", "what"),
    [
        ({"model.embedding": 8}, "training.source_embeddings", "must have 8 numbers per vector"),
        ({"model.name": "transformer", "model.heads": 2}, "training.source_embeddings", "must have 16 numbers"),
        ({"model.name": "language_model"}, "training.source_embeddings", "no effect on a language model"),
        ({"training.freeze_embeddings": True, "training.shard": True}, "training.freeze_embeddings", "unsupported"),
        (
            {f"training.{side}_embeddings": None for side in ("source", "target")}
            | {"training.freeze_embeddings": True},
            "training.freeze_embeddings",
            "no effect without pretrained embeddings",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_fix(
    more: dict[str, Any],
    where: str,
    what: str,
    vectors: Path,
    tiny_pairs: Path,
    tiny_settings: dict[str, Any],
    tmp_path: Path,
) -> None:
    settings = given(vectors, tiny_settings, **{"model.width": 16}, **more)
    with pytest.raises(UserError, match=what) as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    assert caught.value.where == where
    assert not (tmp_path / "run").exists()


def test_the_fix_of_a_transformers_width_works(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    more = {"model.name": "transformer", "model.width": 16, "model.heads": 2}
    with pytest.raises(ConfigError) as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(vectors, tiny_settings, **more), quiet=True)
    key, _, value = (caught.value.fix or "").removeprefix("set ").partition("=")
    assert key == "model.width"
    settings = given(vectors, tiny_settings, **more | {key: int(value)})
    assert seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True).name == "transformer"


def test_a_file_for_another_unit_is_refused(tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "words.vec"
    path.write_text("the 1 2\nhouse 3 4\n", encoding="utf-8")
    with pytest.raises(DataError, match="a vector of none of the 5 source tokens") as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(path, tiny_settings), quiet=True)
    assert caught.value.where == str(path)
    assert "text.source" in (caught.value.fix or "")


def test_a_fine_tuned_model_keeps_its_own(
    vectors: Path, tiny_run: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = {"training.start_from": str(tiny_run), "training.source_embeddings": str(vectors)}
    with pytest.raises(ConfigError, match="fine-tuned"):
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)


def test_models_by_hand_have_none(
    vectors: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--engine scratch") as caught:
        seq2see.train(
            tiny_pairs,
            out=tmp_path / "run",
            engine="scratch",
            settings={"training.source_embeddings": str(vectors)},
            quiet=True,
        )
    assert caught.value.where == "training.source_embeddings"


def test_words_and_subwords_are_looked_up_by_their_spellings() -> None:
    assert spellings_of("Haus") == ["Haus", "haus"]
    assert spellings_of(" Haus") == ["▁Haus", "Haus", "▁haus", "haus"]
    assert spellings_of(" ") == [" "]
