"""Each option of a service does what it says; those of connections and signals are tested elsewhere in this folder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import eventually, require_extra, running

import seq2see

require_extra()


@pytest.mark.parametrize(
    ("option", "value", "asked", "status", "where"),
    [
        ("max_texts", 2, {"texts": ["a", "b", "c"]}, 413, "$.texts"),
        ("max_characters", 3, {"texts": ["abcd"]}, 413, "$.texts[0]"),
        ("max_hypotheses", 4, {"texts": "a", "beam": 5}, 422, "$.beam, $.n_best"),
        ("max_hypotheses", 5, {"texts": ["a", "b"], "beam": 3, "beam_steps": True}, 422, "$.beam, $.texts"),
        ("max_answer", 7, {"texts": "a", "max_length": 8}, 422, "$.max_length"),
        ("max_body", 20, {"texts": "aaaaaaaaaaaaaaaaaaaa"}, 413, "the body"),
        ("deadline", 3.0, {"texts": "a", "deadline": 4}, 422, "$.deadline"),
    ],
)
def test_a_limit_holds_for_requests_and_is_part_of_the_document(
    tiny_run: Path, option: str, value: float, asked: dict[str, Any], status: int, where: str
) -> None:
    with running({"tiny": tiny_run}, **{option: value}) as service:
        reply = service.ask("/v1/predict", asked)
        assert (reply.status, reply.json["where"]) == (status, where)
        assert str(int(value)) in reply.json["detail"]
        assert service.ask("/v1/predict", {"texts": "a"}).status == 200
        properties = service.ask("/openapi.json").json["components"]["schemas"]["Predict"]["properties"]
        documented = {
            "max_texts": properties["texts"]["anyOf"][1]["maxItems"],
            "max_characters": properties["texts"]["anyOf"][0]["maxLength"],
            "max_hypotheses": properties["beam"]["maximum"],
            "max_answer": properties["max_length"]["anyOf"][0]["anyOf"][0]["maximum"],
            "deadline": properties["deadline"]["maximum"],
            "max_body": value,
        }
        assert documented[option] == value


def test_a_batch_of_1_answers_each_text_alone(tiny_run: Path) -> None:
    texts = ["abc", "deab", "ccab", "e"]
    with running({"tiny": tiny_run}, batch=1) as service:
        together = service.ask("/v1/predict", {"texts": texts}).json["results"]
        alone = [service.ask("/v1/predict", {"texts": text}).json["results"][0] for text in texts]
        assert together == alone, "to the bit"
        eventually(lambda: service.metric('seq2see_batch_texts_bucket{le="1.0"}') == 8)


def test_what_waits_is_bounded_in_tokens(tiny_run: Path) -> None:
    slow = {"texts": ["abcde" * 20], "min_length": 50_000, "max_length": 50_000, "beam": 30, "deadline": 1}
    with running({"tiny": tiny_run}, max_queued_tokens=100, max_answer=50_000) as service:
        waiting = threading.Thread(target=service.ask, args=["/v1/predict", slow])
        waiting.start()
        eventually(lambda: service.app.service.batcher.num_requests == 1)
        eventually(lambda: service.metric("seq2see_queue_tokens") == 101 * 30)
        assert service.ask("/v1/predict", {"texts": "abcde" * 4}).status == 503
        waiting.join()
        assert service.ask("/v1/predict", {"texts": "abcde" * 4}).status == 200


def test_only_allowed_host_names_are_answered(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}, allow_host=("a.example",)) as service:
        assert service.ask("/v1/models", headers={"Host": "A.example:80"}).status == 200
        assert service.ask("/v1/models").status == 400


def test_torch_computes_the_same(tiny_run: Path) -> None:
    pytest.importorskip("torch")
    with running({"tiny": tiny_run}, engine="torch") as service:
        (answer,) = service.ask("/v1/predict", {"texts": "abc"}).json["results"][0]["answers"]
    expected = seq2see.load(tiny_run).predict("abc")[0]
    assert answer["text"] == expected.text
    assert answer["log_prob"] == pytest.approx(expected.log_prob, rel=1e-4)


def test_several_workers_answer_one_request_together(tiny_run: Path) -> None:
    texts = ["".join("abcde"[int(digit) % 5] for digit in str(number)) for number in range(100, 160)]
    with running({"tiny": tiny_run}, workers=2, batch=4) as service:
        results = service.ask("/v1/predict", {"texts": texts}).json["results"]
    expected = seq2see.load(tiny_run).predict(texts)
    assert [each["answers"][0]["text"] for each in results] == [each.text for each in expected]
