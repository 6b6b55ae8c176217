"""The warm-up on texts of one side."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import seq2see
from seq2see.config import make_config
from seq2see.data.examples import Sequences
from seq2see.errors import UserError
from seq2see.run.denoising import DROPPED, MASKED, with_noise
from seq2see.run.distillation import distill
from seq2see.run.folder import has_checkpoint
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model
from seq2see.text import EOS, UNK

TEXTS = ["".join(letters) for letters in itertools.product("abc", "dex", "ab", "cd")]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """36 texts of the letters of the tiny pairs, and of x, which those lack."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


def given(tiny_settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Settings of a short run with a short warm-up."""
    short = {"training.max_updates": 4, "training.evaluate_every": 2, "training.denoising_updates": 8}
    return tiny_settings | short | more


def test_noise_masks_and_removes_tokens_but_never_all() -> None:
    texts = Sequences.pack([[*range(10, 10 + length), EOS] for length in range(1, 12)] * 200)
    noisy = with_noise(texts, seed=1, epoch=3)
    assert len(noisy) == len(texts)
    assert min(noisy.lengths) == 2
    assert (noisy.ids[noisy.offsets[1:] - 1] == EOS).all()
    tokens = len(texts.ids) - len(texts)
    assert (noisy.ids == UNK).sum() / tokens == pytest.approx(MASKED, abs=0.01)
    assert 1 - (len(noisy.ids) - len(noisy)) / tokens == pytest.approx(DROPPED, abs=0.02)
    again, other = with_noise(texts, seed=1, epoch=3), with_noise(texts, seed=1, epoch=4)
    assert np.array_equal(noisy.ids, again.ids)
    assert not np.array_equal(noisy.ids, other.ids)


@pytest.mark.parametrize(
    "more",
    [
        {"model.name": "bidirectional"},
        {"model.name": "transducer", "model.copy": True},
        {"model.name": "monotonic"},
        {
            "model.name": "transformer",
            "model.tie": "all",
            "model.copy": True,
            "model.heads": 2,
            "model.embedding": None,
            "model.positions": "learned",
            "model.max_positions": 16,
            "text.joint": True,
            "text.truncate": 4,
            "text.source": "characters",
            "text.target": "characters",
        },
    ],
    ids=lambda more: str(more["model.name"]),
)
def test_any_model_with_a_source_is_warmed_up(
    more: dict[str, Any], texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    also = {"data.also_source": str(texts), "data.also_target": str(texts)}
    said = io.StringIO()
    config = make_config({"data": {"train": [str(tiny_pairs)]}}, given(tiny_settings, **more) | also)
    train(config, tmp_path / "run", device="cpu", console=Console(file=said, width=300))
    assert "warm-up: the encoder learns to restore 34 source texts, 8 updates" in said.getvalue()
    assert "warm-up: the decoder learns to restore 34 target texts, 8 updates" in said.getvalue()
    assert "warm-up: update 8, loss" in said.getvalue()
    saved = load_model(tmp_path / "run" / "model")
    assert saved.source_codec is not None
    assert all("x" in codec.vocabulary for codec in (saved.source_codec, saved.target_codec))
    assert (saved.source_codec.truncate, saved.target_codec.truncate) == (more.get("text.truncate"), None)
    model = seq2see.load(tmp_path / "run", engine="numpy")
    assert model.predict(["abc"])[0].text == seq2see.load(tmp_path / "run").predict(["abc"])[0].text
    record = json.loads((tmp_path / "run" / "files.json").read_text(encoding="utf-8"))
    assert len(record["others"]["data.also_source"]) == 64


def test_only_the_part_of_its_side_is_warmed_up(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    texts.write_text("abcde\n" * 30, encoding="utf-8")  # the vocabularies stay, and so do the random values
    still = {"training.rate": 1e-12, "training.weight_decay": 0.0}  # which only the warm-up could change
    tensors = {}
    for side in ("", "source", "target"):
        more: dict[str, Any] = {f"data.also_{side}": str(texts)} if side else {"training.denoising_updates": None}
        settings = given(tiny_settings, **more)
        if not side:
            settings |= still
        seq2see.train(tiny_pairs, out=tmp_path / f"run{side}", settings=settings, quiet=True)
        tensors[side] = load_model(tmp_path / f"run{side}" / "model").tensors
    assert tensors["source"].keys() == tensors["target"].keys() == tensors[""].keys()
    name = "encoder.embedding.weight"
    moved = {side: np.abs(tensors[side][name] - tensors[""][name]).max() for side in ("source", "target")}
    assert moved["source"] > moved["target"] > 0


def test_a_resumed_run_ends_the_same_bit_for_bit_and_needs_no_texts(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    constant = {"training.schedule": "constant", "training.warmup": 0.0}
    settings = given(tiny_settings, **{"data.also_target": str(texts)}, **constant)
    for name in ("whole", "again", "parts"):
        short = {"training.max_updates": 2} if name == "parts" else {}
        seq2see.train(tiny_pairs, out=tmp_path / name, settings=settings | short, quiet=True)
    texts.unlink()
    more = {"training.max_updates": 4}
    seq2see.train(tiny_pairs, out=tmp_path / "parts", settings=more, resume=True, allow_changes=True, quiet=True)
    one, again, other = (load_model(tmp_path / name / "model").tensors for name in ("whole", "again", "parts"))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_an_interrupted_warm_up_begins_again(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = given(tiny_settings, **{"data.also_source": str(texts)})
    seq2see.train(tiny_pairs, out=tmp_path / "whole", settings=settings, quiet=True)
    config = make_config({"data": {"train": [str(tiny_pairs)]}}, settings)
    with monkeypatch.context() as patch:
        patch.setattr("seq2see.run.denoising.Trainer._reason_to_stop", lambda _: "interrupted")
        stopped = train(config, tmp_path / "run", device="cpu", console=Console(file=io.StringIO()))
    assert stopped.finished.reason == "interrupted"
    assert not has_checkpoint(tmp_path / "run")
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, auto_resume=True, quiet=True)
    one, other = (load_model(tmp_path / name / "model").tensors for name in ("whole", "run"))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_frozen_vectors_stay_frozen(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    vectors = tmp_path / "some.vec"
    vectors.write_text("a 1 2\nb 3 -4\n", encoding="utf-8")
    files = {"data.also_source": str(texts), "training.source_embeddings": str(vectors)}
    settings = given(tiny_settings, **files, **{"training.freeze_embeddings": True, "model.embedding": None})
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    saved = load_model(tmp_path / "run" / "model")
    assert saved.source_codec is not None
    rows = saved.tensors["encoder.embedding.weight"][[saved.source_codec.vocabulary.id(letter) for letter in "ab"]]
    np.testing.assert_allclose(rows / rows[0, 0], [[1, 2], [3, -4]], rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "where", "what"),
    [
        ({"model.name": "language_model"}, "data.also_source", "no effect on a language model"),
        ({"training.start_from": "RUN"}, "data.also_source", "fine-tuned"),
        ({"data.also_source": None}, "training.denoising_updates", "no effect without texts"),
        ({"data.also_source": "missing.txt"}, "missing.txt", "no such file"),
        ({"data.also_source": "PAIRS"}, "pairs.tsv", "2 columns separated by TAB, and should have one source text"),
    ],
)
def test_what_conflicts_is_refused(
    more: dict[str, Any],
    where: str,
    what: str,
    texts: Path,
    tiny_run: Path,
    tiny_pairs: Path,
    tiny_settings: dict[str, Any],
    tmp_path: Path,
) -> None:
    files = {"RUN": str(tiny_run), "PAIRS": str(tiny_pairs)}
    more = {key: files.get(str(value), value) for key, value in more.items()}
    settings = given(tiny_settings, **{"data.also_source": str(texts)} | more)
    with pytest.raises(UserError, match=what) as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    assert where in (caught.value.where or "")
    assert not (tmp_path / "run").exists()


def test_texts_beyond_the_models_positions_are_left_out(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    more = {"model.name": "transformer", "model.embedding": None, "model.heads": 2}
    more |= {"model.positions": "learned", "model.max_positions": 8, "data.also_source": str(texts)}
    texts.write_text("abcdeabcde\n" * 30, encoding="utf-8")
    with pytest.raises(UserError, match="no text of a length that the model reads") as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "run", settings=given(tiny_settings, **more), quiet=True)
    assert caught.value.where == "data.also_source"


def test_a_student_of_distillation_has_no_warm_up(
    texts: Path, tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = given(tiny_settings, **{"data.also_source": str(texts)})
    seq2see.train(tiny_pairs, out=tmp_path / "run", settings=settings, quiet=True)
    said = io.StringIO()
    short = {"training.max_updates": 2}
    distill([tmp_path / "run"], tmp_path / "student", settings=short, console=Console(file=said, width=300))
    assert "all updates done after 2 updates" in said.getvalue()
    assert "warm-up" not in said.getvalue()


def test_sources_of_several_fields_have_no_list(texts: Path, tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    pairs = [(f"{text}\tA;{text[0]}", text) for text in TEXTS]
    settings = given(tiny_settings, **{"data.also_source": str(texts)})
    with pytest.raises(UserError, match="several fields") as caught:
        seq2see.train(pairs, out=tmp_path / "run", settings=settings, quiet=True)
    assert caught.value.where == "data.also_source"


@pytest.mark.parametrize("tags", [None, "every_step", "decoder"])
def test_targets_of_lemmas_and_tags_may_have_a_list(
    tags: str | None, texts: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    pairs = [(f"{text}\tA;{text[0]}", text) for text in TEXTS]
    settings = given(
        tiny_settings, **{"data.also_target": str(texts), "model.name": "bidirectional", "model.tags": tags}
    )
    seq2see.train(pairs, out=tmp_path / "run", settings=settings, quiet=True)
    assert load_model(tmp_path / "run").blueprint.tags == (tags or "decoder")
