"""Several runs that answer as one: unlike architectures, one vocabulary, the mean of their probabilities."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import seq2see
from seq2see import Model, Pair, Prediction
from seq2see.errors import CheckpointError, ConfigError
from seq2see.inference.searching import NEVER_GENERATED
from seq2see.model import Padded
from seq2see.text import BOS, EOS

NAMES = ("attention", "transformer", "plain")
TEXTS = ["abc", "d", "edcba", "bbad", "ce"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path, tiny_settings: dict[str, Any]) -> list[Path]:
    """Runs of unlike architectures on the same pairs."""
    folder = tmp_path_factory.mktemp("ensemble")
    torch.set_num_threads(1)
    settings = {key: value for key, value in tiny_settings.items() if key != "model.embedding"}
    for name in NAMES:
        more = {"training.max_updates": 40, "training.evaluate_every": 40}
        seq2see.train(tiny_pairs, model=name, out=folder / name, settings=settings | more, device="cpu", quiet=True)
    return [folder / name for name in NAMES]


@pytest.fixture(scope="module")
def members(runs: list[Path]) -> list[Model]:
    return [seq2see.load(run, engine="torch", device="cpu") for run in runs]


@pytest.fixture(scope="module")
def together(runs: list[Path]) -> Model:
    return seq2see.load(runs, device="cpu")


@torch.no_grad()
def mean_log_probs(members: Sequence[Model], text: str, ids: Sequence[int]) -> torch.Tensor:
    """By hand, in float64: the logarithm [T V] of the members' mean probabilities, each given BOS and these ids."""
    found = []
    for member in members:
        assert member.source_codec is not None
        source = torch.tensor([member.source_codec.encode(text)])
        logits = member.engine.network(Padded(source, torch.tensor([source.size(1)])), torch.tensor([[BOS, *ids]]))
        found.append(logits[0].double().softmax(-1))
    return torch.stack(found).mean(0).log().index_fill(-1, torch.tensor(NEVER_GENERATED), -math.inf)


def greedy_by_hand(members: Sequence[Model], text: str, most: int) -> tuple[list[int], float]:
    """The best token of the mean, again and again, everything read anew for each."""
    ids: list[int] = []
    total = 0.0
    while len(ids) < most and (not ids or ids[-1] != EOS):
        last = mean_log_probs(members, text, ids)[-1]
        ids.append(int(last.argmax()))
        total += float(last.max())
    return ids, total


def same(first: list[Prediction], second: list[Prediction]) -> bool:
    return all(
        a.target_tokens == b.target_tokens and abs(a.log_prob - b.log_prob) < 1e-4
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.all, other.all, strict=True)
    )


def test_greedy_answers_are_those_of_the_mean_by_hand(members: list[Model], together: Model) -> None:
    assert len(together.members) == 3
    answers = together.predict(TEXTS, max_length=9)
    for text, answer in zip(TEXTS, answers, strict=True):
        ids, log_prob = greedy_by_hand(members, text, 9)
        assert answer.target_tokens == together.target_codec.tokens(ids)
        assert answer.log_prob == pytest.approx(log_prob, rel=1e-5)
    alone = [[p.log_prob for p in member.predict(TEXTS, max_length=9)] for member in members]
    assert [p.log_prob for p in answers] not in alone


def test_a_wide_beam_finds_the_best_of_all_by_hand(members: list[Model], together: Model) -> None:
    """All answers of one or two letters, forced through every member; no answer is empty."""
    letters = [id_ for id_ in range(len(together.target_codec.vocabulary)) if id_ not in (*NEVER_GENERATED, EOS)]
    every = [(*ids, EOS) for length in (1, 2) for ids in itertools.product(letters, repeat=length)]
    for text in TEXTS[:2]:
        worth = {
            ids: float(mean_log_probs(members, text, ids[:-1]).gather(1, torch.tensor(ids)[:, None]).sum())
            for ids in every
        }
        best = sorted(worth, key=lambda ids: -worth[ids])[:4]
        (answer,) = together.predict(text, beam=len(letters) ** 2 * 2, n_best=4, max_length=3)
        assert [a.target_tokens for a in answer.all] == [together.target_codec.tokens(ids) for ids in best]
        assert [a.log_prob for a in answer.all] == pytest.approx([worth[ids] for ids in best], rel=1e-5)


def test_the_batch_and_the_company_change_nothing(together: Model) -> None:
    for way in ({}, {"beam": 4, "n_best": 2}, {"sample": True, "n_best": 2}):
        whole = together.predict(TEXTS, **way)
        assert same(together.predict(TEXTS, batch_size=1, **way), whole)
        assert same(together.predict(TEXTS, batch_size=2, **way), whole)


@pytest.mark.parametrize("way", [{}, {"beam": 4, "n_best": 3}, {"sample": True, "seed": 3, "n_best": 3}])
@pytest.mark.parametrize("times", [2, 3])
def test_one_member_several_times_is_the_member_alone(runs: list[Path], times: int, way: dict[str, Any]) -> None:
    for run in runs:
        alone, repeated = seq2see.load(run, device="cpu"), seq2see.load([run] * times, device="cpu")
        assert len(repeated.members) == times
        assert same(repeated.predict(TEXTS, **way), alone.predict(TEXTS, **way))


def test_the_order_of_the_members_changes_no_answer(runs: list[Path], together: Model) -> None:
    turned = seq2see.load(runs[::-1], device="cpu")
    assert same(turned.predict(TEXTS, beam=3), together.predict(TEXTS, beam=3))


def test_its_name_size_and_looks_are_those_of_all(members: list[Model], together: Model, runs: list[Path]) -> None:
    assert together.name == "attention + transformer + plain"
    assert together.num_parameters == sum(member.num_parameters for member in members)
    assert together.max_length == max(member.max_length for member in members)
    assert together.has_attention
    assert not seq2see.load([runs[2]] * 2, device="cpu").has_attention
    (looked,), (first,) = seq2see.load([runs[2], runs[0]], device="cpu").predict("abc"), members[0].predict("abc")
    assert looked.weights is not None  # of the first that looks, wherever it stands
    assert first.weights is not None
    assert looked.weights[0] == pytest.approx(first.weights[0], abs=1e-6)


def test_its_scores_are_those_of_its_answers(together: Model) -> None:
    answers = [a for answer in together.predict(TEXTS, beam=4, n_best=4, max_length=20) for a in answer.all]
    finished = [answer for answer in answers if answer.finished]
    assert len(finished) > 5
    scores = together.score([Pair("".join(a.source_tokens[:-1]), a.text, "") for a in finished])
    assert [score.log_prob for score in scores] == pytest.approx([a.log_prob for a in finished], rel=1e-5)


def test_one_path_in_a_list_is_that_model(runs: list[Path], members: list[Model]) -> None:
    assert same(seq2see.load([runs[0]], device="cpu").predict(TEXTS), members[0].predict(TEXTS))
    assert same(seq2see.load([str(runs[0] / "model")], device="cpu").predict(TEXTS), members[0].predict(TEXTS))


def test_members_that_are_not_alike_are_refused(
    runs: list[Path], tiny_run: Path, tiny_language_run: Path, tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    assert len(seq2see.load([runs[0], tiny_run], device="cpu").members) == 2  # the same pairs: the same vocabulary
    other = tmp_path / "other"
    pairs = [("xyz", "zyx"), ("xx", "yy"), ("z", "x"), ("yx", "xy")] * 3
    seq2see.train(pairs, out=other, settings=tiny_settings | {"training.max_updates": 2}, device="cpu", quiet=True)
    for unlike in (other, tiny_language_run):
        with pytest.raises(ConfigError) as caught:
            seq2see.load([runs[0], runs[2], unlike], device="cpu")
        assert caught.value.where == str(unlike)
        assert str(runs[0]) in caught.value.what
        assert "same data" in caught.value.fix
    with pytest.raises(ConfigError, match="no run was given"):
        seq2see.load([])
    shutil.copytree(runs[0], tmp_path / "broken")
    (tmp_path / "broken" / "model" / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="broken"):
        seq2see.load([runs[1], tmp_path / "broken"], device="cpu")


def test_language_models_go_on_together(
    tiny_language_run: Path, tiny_text: Path, tmp_path: Path, tiny_settings: dict[str, Any]
) -> None:
    settings = {key: value for key, value in tiny_settings.items() if key != "model.embedding"}
    other = tmp_path / "transformer"
    name = "transformer_language_model"
    seq2see.train(tiny_text, model=name, out=other, settings=settings, device="cpu", quiet=True)
    together = seq2see.load([tiny_language_run, other], device="cpu")
    for prompt, answer in zip(["ab", "", "c"], together.predict(["ab", "", "c"], beam=3), strict=True):
        assert answer.text.startswith(prompt)
    (whole,) = together.predict("", beam=3)
    (scored,) = together.score([Pair("", whole.text, "")])
    assert whole.finished
    assert scored.log_prob == pytest.approx(whole.log_prob, rel=1e-5)
