"""What a service answers over HTTP, and how it refuses."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import Running, eventually, require_extra, running

import seq2see

require_extra()

TEXTS = ["abc", "deab", "", "ccab"]


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> seq2see.Model:
    return seq2see.load(tiny_run)


def texts_of(reply: Any) -> list[list[str]]:
    assert reply.status == 200, reply.body
    return [[answer["text"] for answer in each["answers"]] for each in reply.json["results"]]


def received(client: socket.socket, end: bytes) -> bytes:
    """A response, which ends so."""
    found = b""
    while not found.endswith(end):
        found += client.recv(10_000)
    return found


# --- answers ---


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"beam": 4, "n_best": 3, "length_penalty": 0.6},
        {"sample": True, "seed": 5, "temperature": 1.5, "n_best": 2},
        {"prefix": ["a", None, None, "e"], "max_length": 5},
        {"contain": ["ab"], "forbid": [["c"], None, None, None]},
        {"glossary": {"ab": "cc"}, "placeholders": "d+", "min_ratio": 0.5, "max_ratio": 3, "no_repeat": 3},
        {"batch_size": 1, "max_input_length": 50, "strict": True, "top_k": None},
    ],
)
def test_predict_takes_the_options_of_the_library_and_gives_its_answers(
    service: Running, model: seq2see.Model, way: dict[str, Any]
) -> None:
    reply = service.ask("/v1/predict", {"texts": TEXTS, "model": "tiny", **way})
    expected = model.predict(TEXTS, **way)
    assert texts_of(reply) == [[answer.text for answer in each.all] for each in expected]
    for found, wanted in zip(reply.json["results"], expected, strict=True):
        for answer, own in zip(found["answers"], wanted.all, strict=True):
            assert answer["tokens"] == own.target_tokens
            assert answer["token_log_probs"] == pytest.approx(own.token_log_probs, rel=1e-4, abs=1e-5)
            assert answer["log_prob"] == pytest.approx(own.log_prob, rel=1e-5) or not own.target_tokens
    assert reply.json["model"] == "tiny"


def test_one_text_is_a_list_of_one(service: Running, model: seq2see.Model) -> None:
    assert texts_of(service.ask("/v1/predict", {"texts": "abc", "model": "tiny"})) == [[model.predict("abc")[0].text]]


def test_a_text_of_several_columns_is_a_list_of_them(service: Running) -> None:
    columns, text = {"texts": [["ab", "c"]], "model": "tiny"}, {"texts": ["ab\tc"], "model": "tiny"}
    assert texts_of(service.ask("/v1/predict", columns)) == texts_of(service.ask("/v1/predict", text))
    pairs = [{"source": ["ab", "c"], "target": "d"}, {"source": "ab\tc", "target": "d"}]
    one, other = (service.ask("/v1/score", {"pairs": [pair], "model": "tiny"}).json["results"] for pair in pairs)
    assert one == other
    for wrong in ([], ["a", 1], ["a\tb", "c"]):
        reply = service.ask("/v1/predict", {"texts": ["a", wrong], "model": "tiny"})
        assert (reply.status, reply.json["where"]) == (422, "$.texts[1]")
        assert "a list of its columns" in reply.json["detail"]


def test_attention_comes_on_request(service: Running, model: seq2see.Model) -> None:
    own = {"texts": ["abc"], "model": "tiny"}
    (answer,) = service.ask("/v1/predict", {**own, "attention": True}).json["results"][0]["answers"]
    expected = model.predict("abc")[0]
    assert answer["attention"]["source"] == expected.source_tokens
    assert answer["attention"]["target"] == expected.target_tokens
    assert answer["attention"]["weights"][0] == pytest.approx(expected.weights[0].tolist(), abs=1e-5)
    (answer,) = service.ask("/v1/predict", own).json["results"][0]["answers"]
    assert "attention" not in answer


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/stream"])
def test_the_steps_of_a_beam_come_on_request(service: Running, model: seq2see.Model, path: str) -> None:
    own = {"texts": "deab", "model": "tiny", "beam": 3, "n_best": 2}
    reply = service.ask(path, {**own, "beam_steps": True})
    (result,) = (
        reply.json["results"] if path == "/v1/predict" else [each for name, each in reply.events if "source" in each]
    )
    best, other = result["answers"]
    (expected,) = model.predict("deab", beam=3, n_best=2, beam_steps=True)
    assert best["text"] == expected.text
    assert [[(each["token"], each["parent"], each["fate"]) for each in step] for step in best["beam_steps"]] == [
        [(each.token, each.parent, each.fate) for each in step] for step in expected.beam_steps
    ]
    scores = [each["score"] for step in best["beam_steps"] for each in step]
    assert scores == pytest.approx([each.score for step in expected.beam_steps for each in step], rel=1e-4)
    assert "beam_steps" not in other
    (plain,) = service.ask("/v1/predict", own).json["results"]
    assert [each["text"] for each in plain["answers"]] == [best["text"], other["text"]]
    assert "beam_steps" not in plain["answers"][0]


def test_a_language_model_continues_texts(service: Running, tiny_language_run: Path) -> None:
    expected = seq2see.load(tiny_language_run).predict(["ab", ""], sample=True, seed=2)
    reply = service.ask("/v1/predict", {"texts": ["ab", ""], "model": "language", "sample": True, "seed": 2})
    assert texts_of(reply) == [[each.text] for each in expected]
    reply = service.ask("/v1/predict", {"texts": ["ab"], "model": "language", "attention": True})
    assert (reply.status, reply.json["where"]) == (422, "$.attention")


def test_a_text_that_cannot_be_answered_says_why_and_the_others_are_answered(service: Running) -> None:
    own = {"texts": ["abcabc", "ab"], "model": "tiny", "max_input_length": 3}
    first, second = service.ask("/v1/predict", own).json["results"]
    assert first["answers"][0]["error"].startswith("6 tokens, and max_input_length is 3")
    assert (first["answers"][0]["log_prob"], first["answers"][0]["text"]) == (None, "")
    assert second["answers"][0]["text"]
    reply = service.ask("/v1/predict", {**own, "strict": True})
    assert (reply.status, reply.json["where"]) == (422, "$.texts[0]")


def test_notes_name_what_is_unlike_the_training_data(service: Running) -> None:
    assert "'z' in 1" in service.ask("/v1/predict", {"texts": ["abz"], "model": "tiny"}).json["notes"][0]


def test_score_gives_the_scores_of_the_library(service: Running, model: seq2see.Model) -> None:
    pairs = [{"source": "abc", "target": "cba"}, {"source": "ab", "target": "zz"}, {"source": "a", "target": "b"}]
    reply = service.ask("/v1/score", {"pairs": pairs, "model": "tiny"})
    with pytest.warns(UserWarning, match="can't write"):
        expected = model.score([(each["source"], each["target"]) for each in pairs])
    first, second, third = reply.json["results"]
    assert first["log_prob"] == pytest.approx(expected[0].log_prob, rel=1e-5)
    assert (second["log_prob"], second["unknown"]) == (None, ["z", "z"])
    assert third["num_tokens"] == expected[2].num_tokens
    reply = service.ask("/v1/score", {"pairs": [{"target": "ab"}], "model": "language"})
    assert reply.json["results"][0]["num_tokens"] == 3


def test_a_stream_has_tokens_answers_and_an_end(service: Running) -> None:
    own = {"texts": ["abc", "deab"], "model": "tiny"}
    whole = service.ask("/v1/predict", own).json["results"]
    reply = service.ask("/v1/stream", own)
    assert reply.headers["content-type"].startswith("text/event-stream")
    for index, expected in enumerate(whole):
        tokens = [content for name, content in reply.events if name == "token" and content["index"] == index]
        answer = expected["answers"][0]
        assert [each["token"] for each in tokens] == answer["tokens"]
        assert [each["log_prob"] for each in tokens] == pytest.approx(answer["token_log_probs"], rel=1e-4, abs=1e-5)
        assert tokens[-1]["text"] == answer["text"]
    answers = {content["index"]: content["answers"][0]["text"] for name, content in reply.events if name == "answer"}
    assert answers == {index: each["answers"][0]["text"] for index, each in enumerate(whole)}
    assert reply.events[-1][0] == "done"


@pytest.mark.parametrize(
    "search",
    [{"beam": 3, "n_best": 3}, {"beam": 3, "mbr": "cer"}, {"sample": True, "mbr": "cer", "mbr_samples": 5}],
    ids=str,
)
def test_a_stream_of_several_hypotheses_has_whole_answers(service: Running, search: dict[str, Any]) -> None:
    events = service.ask("/v1/stream", {"texts": ["abc", "xx"], "model": "tiny", **search}).events
    assert sorted(name for name, _ in events) == ["answer", "answer", "done", "notes"]


def test_a_stream_of_samples_that_are_compared_has_no_tokens(service: Running) -> None:
    own = {"texts": ["abc"], "model": "tiny", "sample": True, "mbr": "cer", "mbr_samples": 5}
    assert [name for name, _ in service.ask("/v1/stream", own).events] == ["answer", "done"]


def test_a_stream_that_can_not_begin_is_refused_as_any_request(service: Running) -> None:
    reply = service.ask("/v1/stream", {"texts": ["a"], "model": "tiny", "beam": 0})
    assert (reply.status, reply.json["where"]) == (422, "$.beam")


def test_models_are_listed(service: Running, model: seq2see.Model) -> None:
    found = {each["name"]: each for each in service.ask("/v1/models").json["models"]}
    assert list(found) == ["tiny", "language"]
    assert found["tiny"]["parameters"] == model.num_parameters
    assert (found["language"]["source"], found["tiny"]["has_attention"]) == (None, True)


# --- refusals ---

PREDICT: dict[str, Any] = {"texts": ["abc"], "model": "tiny"}


@pytest.mark.parametrize(
    ("change", "status", "where", "words", "fix"),
    [
        ({"beem": 3}, 422, "$.beem", "unknown key", "did you mean 'beam'?"),
        ({"beam": 0}, 422, "$.beam", "must be at least 1, not 0", "at least 1"),
        ({"beam": "5"}, 422, "$.beam", 'must be a whole number, not "5"', "a whole number"),
        ({"length_penalty": 1}, 422, "$.length_penalty", "no effect without a beam", 'add "beam": 5'),
        ({"n_best": 3}, 422, "$.n_best", "must be 1 for greedy search", '"beam"'),
        ({"beam": 50, "n_best": 10}, 422, "$.beam, $.n_best", "at most 100, not 500", "less"),
        ({"sample": True, "mbr": "cer", "mbr_samples": 101}, 422, "$.mbr_samples", "at most 100, not 101", "less"),
        ({"mbr": "cer"}, 422, "$.mbr", "needs several answers", '"beam": 10, or "sample": true'),
        ({"min_length": 9, "max_length": 3}, 422, "$.min_length, $.max_length", "is larger than", "swap"),
        ({"max_length": [5000]}, 422, "$.max_length", "at most 1,000, not 5,000", "less"),
        ({"min_ratio": 999}, 422, "$.min_ratio", "asks for 3,996 tokens", "less"),
        ({"contain": ["a", ""]}, 422, "$.contain[1]", "must not be an empty text", "leave it out"),
        ({"prefix": ["a", "b"]}, 422, "$.prefix", "one value per text", "null"),
        ({"placeholders": "("}, 422, "$.placeholders", "must be a regular expression", "pattern"),
        ({"glossary": "/etc/passwd"}, 422, "$.glossary", "must be an object", "term"),
        ({"glossary": {"a": 3}}, 422, "$.glossary", "must have texts", ""),
        ({"seed": 2**70, "sample": True}, 422, "$.seed", "must be", ""),
        ({"texts": []}, 422, "$.texts", "at least one", "give one"),
        ({"texts": ["a", None]}, 422, "$.texts[1]", "must be a text, not null", "quotation marks"),
        ({"texts": {"a": 1}}, 422, "$.texts", "must be a text or a list of texts", ""),
        ({"texts": ["a" * 10_001]}, 413, "$.texts[0]", "at most 10,000 characters, not 10,001", "shorten"),
        ({"texts": ["a"] * 1_001}, 413, "$.texts", "at most 1,000, not 1,001", "several"),
        ({"model": "tinny"}, 404, "$.model", "unknown model 'tinny'", "did you mean 'tiny'?"),
        ({"model": "../tiny"}, 404, "$.model", "unknown model", ""),
        ({"model": 3}, 422, "$.model", "must be a text", "tiny, language"),
        ({"model": None}, 422, "$.model", "is missing", "tiny, language"),
        ({"deadline": 99}, 422, "$.deadline", "at most 30", "leave it out"),
        ({"deadline": True}, 422, "$.deadline", "seconds", "leave it out"),
        ({"attention": 1}, 422, "$.attention", "must be true or false, not 1", "true or false"),
        ({"beam": True}, 422, "$.beam", "must be a whole number, not true", "give a whole number"),
        ({"sample": None}, 422, "$.sample", "must be true or false, not null", "give true or false"),
        ({"prefix": [False]}, 422, "$.prefix[0]", "must be a text, not false", "give a text"),
        ({"contain": "ab"}, 422, "$.contain", 'must be a list of texts, not "ab"', 'give "contain": ["ab"]'),
        ({"contain": ["a", [None]]}, 422, "$.contain", 'such as "a"', 'make contain[0] a list: ["a"]'),
        ({"glossary": {"a": None}}, 422, "$.glossary", "must have texts as terms, not null", ""),
        ({"temperature": 2}, 422, "$.temperature", "no effect", 'add "sample": true, or'),
        ({"mbr_samples": 5}, 422, "$.mbr_samples", "no effect", '"sample": true'),
        ({"sample": True, "mbr_samples": 5}, 422, "$.mbr_samples", "no effect without mbr", 'add "mbr": "chrf"'),
        ({"beam": 4, "diversity": 1}, 422, "$.diversity", "no effect", 'add "beam_groups": …'),
    ],
)
def test_what_is_invalid_is_refused_with_its_place_and_a_fix(
    service: Running, change: dict[str, Any], status: int, where: str, words: str, fix: str
) -> None:
    reply = service.ask("/v1/predict", {**PREDICT, **change})
    assert reply.status == status
    problem = reply.json
    assert (problem["where"], problem["status"]) == (where, status)
    assert words in problem["detail"]
    assert fix in problem["fix"]
    assert reply.headers["content-type"] == "application/problem+json"
    assert not re.search(r"\b(True|False|None|dict)\b|=|--", problem["detail"] + problem["fix"])
    assert problem["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"pairs": None}, 422, "$.pairs"),
        ({"pairs": []}, 422, "$.pairs"),
        ({"pairs": [["a", "b"]]}, 422, "$.pairs[0]"),
        ({"pairs": [{"source": "a"}]}, 422, "$.pairs[0].target"),
        ({"pairs": [{"source": "a", "target": "b"}, {"target": "b"}]}, 422, "$.pairs[1].source"),
        ({"pairs": [{"source": "a", "target": "b", "targe": ""}]}, 422, "$.pairs[0].targe"),
        ({"pairs": [{"source": "a", "target": 5}]}, 422, "$.pairs[0].target"),
        ({"pairs": [{"source": "a", "target": " "}]}, 422, "$.pairs[0].target"),
        ({"pairs": [{"source": "a", "target": "b"}], "batch_size": 0}, 422, "$.batch_size"),
        ({"pairs": [{"source": "abc", "target": "b"}], "max_input_length": 1, "strict": True}, 422, "$.pairs[0]"),
        ({"pairs": [{"source": "a", "target": "b"}], "model": "language"}, 422, "$.pairs[0].source"),
    ],
)
def test_invalid_pairs_are_refused_with_their_place(
    service: Running, change: dict[str, Any], status: int, where: str
) -> None:
    reply = service.ask("/v1/score", {"model": "tiny", **change})
    assert (reply.status, reply.json["where"]) == (status, where)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b'{"texts": "\xff"}', {}, 400),
        (b'{"texts": NaN}', {}, 400),
        (b'["a"]', {}, 422),
        (b"[" * 5_000, {}, 400),
        (b'{"texts": "a"}', {"Content-Type": "text/plain"}, 415),
        (b'{"texts": "a"}', {"Content-Type": "application/json; charset=latin-1"}, 415),
        (b'{"texts": "a"}', {"Content-Encoding": "gzip"}, 415),
        (b'{"texts": "' + b"a" * 1_000_000 + b'"}', {}, 413),
    ],
)
def test_bodies_that_are_no_json_are_refused(
    service: Running, body: bytes, headers: dict[str, str], status: int
) -> None:
    reply = service.ask("/v1/predict", body, headers=headers)
    assert (reply.status, reply.json["status"]) == (status, status)
    assert reply.json["fix"]


def test_a_body_without_a_length_is_bounded_too(tiny_run: Path) -> None:
    with (
        running({"tiny": tiny_run}, max_body=100) as service,
        socket.create_connection(("127.0.0.1", service.port)) as client,
    ):
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.sendall(b"Transfer-Encoding: chunked\r\n\r\n" + b"40\r\n" + b" " * 64 + b"\r\n" * 1)
        client.sendall(b"40\r\n" + b" " * 64 + b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_is_not_waited_for(tiny_run: Path) -> None:
    with (
        running({"tiny": tiny_run}, deadline=0.2) as service,
        socket.create_connection(("127.0.0.1", service.port)) as client,
    ):
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.sendall(b"Content-Length: 50\r\n\r\n{")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_unknown_paths_and_methods_are_refused(service: Running) -> None:
    reply = service.ask("/v1/predictt", {})
    assert (reply.status, reply.json["fix"]) == (404, "did you mean '/v1/predict'?")
    reply = service.ask("/v1/predict")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


# --- what every request gets ---


def test_every_response_has_an_id_and_strict_headers(service: Running) -> None:
    reply = service.ask("/health/live", headers={"X-Request-ID": "my-own.1"})
    assert reply.headers["x-request-id"] == "my-own.1"
    assert reply.headers["x-content-type-options"] == "nosniff"
    reply = service.ask("/health/live", headers={"X-Request-ID": "not valid!"})
    assert reply.headers["x-request-id"] != "not valid!"
    assert "server" not in reply.headers


def test_other_host_names_are_refused_except_for_probes(service: Running) -> None:
    reply = service.ask("/v1/models", headers={"Host": "evil.example"})
    assert (reply.status, reply.json["where"]) == (400, "Host")
    assert service.ask("/v1/models", headers={"Host": "LOCALHOST:99"}).status == 200
    assert service.ask("/v1/models", headers={"Host": "[::1]:80"}).status == 200
    assert service.ask("/health/ready", headers={"Host": "10.0.0.7:8000"}).status == 200


def test_keys_are_needed_where_there_are_keys(tiny_run: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# keys\n{sha256(b'first').hexdigest()}  -\n{sha256(b'second').hexdigest()} team\n")
    with running({"tiny": tiny_run}, api_key_file=keys) as service:
        assert service.ask("/health/live").status == 200
        for path in ("/v1/models", "/metrics", "/anything", "/v1/../v1/models", "//v1/models"):
            reply = service.ask(path)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer"), path
        for key in ("first", "second"):
            assert service.ask("/v1/models", headers={"Authorization": f"Bearer {key}"}).status == 200
        for given in ("Bearer third", "Basic first", "first", "Bearer", f"Bearer {sha256(b'first').hexdigest()}"):
            assert service.ask("/v1/models", headers={"Authorization": given}).status == 401
        assert "key" in service.ask("/openapi.json").json["components"]["securitySchemes"]


def test_a_file_of_keys_that_are_not_hashed_is_refused_without_repeating_them(tmp_path: Path) -> None:
    from seq2see.serving.access import Keys

    path = tmp_path / "keys"
    path.write_text("my-secret-key\n")
    with pytest.raises(seq2see.ConfigError, match="64 hexadecimal digits") as caught:
        Keys.read(path)
    assert "my-secret" not in str(caught.value)
    assert "keys:1" in str(caught.value)
    path.write_text("# none\n")
    with pytest.raises(seq2see.ConfigError, match="has no key"):
        Keys.read(path)


def test_pages_of_other_origins_may_ask_only_where_they_are_named(service: Running, tiny_run: Path) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in service.ask("/v1/models", headers=asked).headers
    with running({"tiny": tiny_run}, cors=("https://a.example",)) as own:
        reply = own.ask("/v1/predict", method="OPTIONS", headers=asked)
        assert reply.headers["access-control-allow-origin"] == "https://a.example"
        assert own.ask("/v1/models", headers=asked).headers["access-control-allow-origin"] == "https://a.example"
        other = own.ask("/v1/models", headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_proxy_may_offer_it_below_a_path(tiny_run: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{sha256(b'first').hexdigest()}\n")
    with running({"tiny": tiny_run}, root_path="/models", api_key_file=keys) as service:
        own = {"Authorization": "Bearer first"}
        assert service.ask("/v1/models", headers=own).status == 200
        assert service.ask("/v1/models").status == 401
        assert service.ask("/health/live").status == 200
        assert service.ask("/openapi.json").json["servers"] == [{"url": "/models"}]


# --- under load ---


def test_requests_that_wait_together_are_answered_together(service: Running, model: seq2see.Model) -> None:
    texts = ["".join("abcde"[int(digit) % 5] for digit in str(number)) for number in range(100, 160)]
    found: dict[str, str] = {}
    before = service.metric("seq2see_batch_texts_count")

    def ask(text: str) -> None:
        found[text] = texts_of(service.ask("/v1/predict", {"texts": text, "model": "tiny"}))[0][0]

    threads = [threading.Thread(target=ask, args=[text]) for text in texts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == {text: model.predict(text)[0].text for text in texts}
    assert service.metric("seq2see_batch_texts_count") - before < len(texts)


SLOW: dict[str, Any] = {"texts": ["abcde" * 20], "min_length": 50_000, "max_length": 50_000, "beam": 30}
"""Takes far longer than the minute that a test waits for an answer: who is answered after it did not wait for it."""


def test_a_deadline_that_has_passed_is_said_and_frees_the_search(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}, max_answer=50_000) as service:
        assert service.ask("/v1/predict", {**SLOW, "deadline": 0.3}).status == 504
        eventually(lambda: service.app.service.batcher.num_requests == 0)
        assert texts_of(service.ask("/v1/predict", {"texts": "abc"}))
        eventually(lambda: service.metric("seq2see_given_up_total") == 1)


def test_a_stream_ends_with_an_error_at_its_deadline(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}, max_answer=50_000) as service:
        events = service.ask("/v1/stream", {**SLOW, "deadline": 0.3}).events
        assert (events[-1][0], events[-1][1]["status"]) == ("error", 504)


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/stream"])
def test_a_client_that_goes_away_frees_its_place(tiny_run: Path, path: str) -> None:
    with running({"tiny": tiny_run}, max_answer=50_000) as service:
        body = json.dumps(SLOW).encode()
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode())
            client.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            eventually(lambda: service.app.service.batcher.num_requests == 1)
        eventually(lambda: service.app.service.batcher.num_requests == 0)
        assert texts_of(service.ask("/v1/predict", {"texts": "abc"}))
        eventually(lambda: service.metric('seq2see_given_up_total{reason="client gone"}') == 1)
        eventually(lambda: service.metric(f'seq2see_requests_total{{path="{path}",status="499"}}') == 1)


def test_a_full_queue_says_when_to_come_again(tiny_run: Path) -> None:
    with running({"tiny": tiny_run}, max_queue=1, max_answer=50_000) as service:
        waiting = threading.Thread(target=service.ask, args=["/v1/predict", {**SLOW, "deadline": 1}])
        waiting.start()
        eventually(lambda: service.app.service.batcher.num_requests == 1)
        reply = service.ask("/v1/predict", {"texts": "abc"})
        assert (reply.status, reply.json["detail"]) == (503, "the queue is full")
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert service.ask("/health/ready").status == 200
        waiting.join()


def test_an_event_loop_that_can_not_keep_up_refuses_before_it_reads(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running({"tiny": tiny_run}, cors=("https://a.example",)) as service:
        monkeypatch.setattr("seq2see.serving.service.MOST_LAG", -1)
        for path in ("/v1/predict", "/v1/score", "/v1/stream"):
            reply = service.ask(path, b"not even JSON")
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json["request_id"] == reply.headers["x-request-id"]
        assert service.ask("/health/live").status == 200
        reply = service.ask("/v1/predict", PREDICT, headers={"Origin": "https://a.example"})
        assert reply.headers["access-control-allow-origin"] == "https://a.example", "a page has to see the status"
        assert service.ask("/v1/predict", PREDICT, headers={"Expect": "100-continue"}).status == 200
        monkeypatch.undo()
        assert service.ask("/v1/predict", PREDICT).status == 200
        eventually(lambda: service.metric('seq2see_requests_total{path="/v1/stream",status="503"}') == 1)


def test_a_refused_request_leaves_its_connection_as_it_wants_it(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.serving.protocol.HEAD_SECONDS", 0.3)
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 16\r\n"
    body = b'{"texts": "abc"}'
    with running({"tiny": tiny_run}) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            for lag, status in ((-1, b"503"), (9, b"200"), (-1, b"503")):
                monkeypatch.setattr("seq2see.serving.service.MOST_LAG", lag)
                client.sendall(head + b"\r\n" + body[:5])
                client.sendall(body[5:])
                assert received(client, b"}").startswith(b"HTTP/1.1 " + status)
            client.sendall(head + b"Connection: close\r\n\r\n" + body)
            assert b"Connection: close" in received(client, b"}")
            assert client.recv(1) == b""
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(head + b"\r\n" + body[:5])
            assert client.recv(1) == b"", "the rest of the body doesn't come"


def test_slow_heads_and_large_ones_end_their_connection(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.serving.protocol.HEAD_SECONDS", 0.2)
    with running({"tiny": tiny_run}) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: ")
            assert client.recv(100) == b""
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert received(client, b'{"status":"ok"}').startswith(b"HTTP/1.1 200")
            client.sendall(b"GET /health/live HTTP/1.1\r\n")
            assert client.recv(100) == b""
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as client:
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Large: ")
            client.sendall(b"a" * 65_536)
            time.sleep(0.1)
            client.sendall(b"a" * 1_000)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_the_openapi_document_names_every_option(service: Running) -> None:
    from dataclasses import fields

    document = service.ask("/openapi.json").json
    properties = document["components"]["schemas"]["Predict"]["properties"]
    names = {field.name for field in fields(seq2see.GenerationOptions)}
    assert names <= properties.keys()
    assert all(properties[name]["description"] for name in names)
    assert properties["beam"]["default"] == 1
    assert set(document["paths"]) == {each for each in service.app.paths if each not in ("/", "/docs")}
