"""The steps of a beam search, as predictions have them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.inference.test_engines import TEXTS, new_models

from seq2see.inference.results import BeamCandidate

WAYS: dict[str, dict[str, Any]] = {
    "beam": {"beam": 4, "n_best": 3, "length_penalty": 0.7},
    "groups": {"beam": 6, "n_best": 4, "beam_groups": 3, "diversity": 1.0},
    "constraints": {"beam": 3, "contain": ["ab"], "forbid": ["gg"], "prefix": "c"},
    "least risk": {"beam": 6, "n_best": 2, "mbr": "cer"},
}


def tokens_of(steps: tuple[tuple[BeamCandidate, ...], ...], step: int, place: int) -> list[str]:
    """The tokens of a hypothesis, from the first."""
    each = steps[step][place]
    return [*([] if each.parent is None else tokens_of(steps, step - 1, each.parent)), each.token]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_they_change_no_answer_and_end_in_the_answers(name: str, way: str) -> None:
    model = new_models(name)[1]
    plain = model.predict(TEXTS, **WAYS[way])
    recorded = model.predict(TEXTS, beam_steps=True, **WAYS[way])
    for one, other in zip(plain, recorded, strict=True):
        assert [(each.text, each.log_prob, each.score) for each in one.all] == [
            (each.text, each.log_prob, each.score) for each in other.all
        ]
        assert not one.beam_steps
        ends = {
            ("".join(tokens_of(other.beam_steps, step, place)), round(each.log_prob, 9))
            for step, own in enumerate(other.beam_steps)
            for place, each in enumerate(own)
            if each.fate in ("finished", "stopped")
        }
        for answer in other.all:
            assert ("".join(answer.target_tokens), round(answer.log_prob, 9)) in ends
        assert not any(each.beam_steps for each in other.alternatives)


def test_engines_agree() -> None:
    ours, theirs = (each.predict(TEXTS, beam=3, beam_steps=True) for each in new_models("bidirectional"))
    for one, other in zip(ours, theirs, strict=True):
        for mine, its in zip(one.beam_steps, other.beam_steps, strict=True):
            assert [each[:2] + each[4:] for each in mine] == [each[:2] + each[4:] for each in its]
            assert [each.log_prob for each in mine] == pytest.approx([each.log_prob for each in its], abs=1e-5)
