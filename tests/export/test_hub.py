"""Models as repositories of the Hugging Face Hub, with a server on this machine in its place."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import seq2see
from seq2see.blueprint import ModelOptions, resolve
from seq2see.data import Pair
from seq2see.data.source_record import record_of_pairs
from seq2see.errors import CheckpointError, ConfigError
from seq2see.storage.saved_model import RECORD, load_model, write_packed

hub = pytest.importorskip("huggingface_hub")

REPOSITORY = "owner/small-model"
CARD = """# A small model

- trained on 3 pairs

    import seq2see
    model = seq2see.load("path/to/this/folder")
    model.predict(['abc'])[0].text
"""
RUN = """
import sys, seq2see
model = seq2see.load(sys.argv[1])
print(model.push_to_hub(sys.argv[2], token="hf_token", license="mit", language="hu"))
copy = seq2see.load(f"hf://{sys.argv[2]}@main")
assert copy.predict(["abc", "bad"]) == model.predict(["abc", "bad"])
print(copy.card)
"""


class Hub(BaseHTTPRequestHandler):
    """One repository, as far as uploading and downloading files needs it."""

    files: dict[str, bytes]
    tokens: set[str]

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def answer(self, content: bytes = b"{}", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.tokens.add(self.headers.get("Authorization", ""))
        if self.path.endswith("/api/repos/create"):
            self.answer(json.dumps({"url": f"{self.endpoint}/{REPOSITORY}"}).encode())
        elif "/preupload/" in self.path:
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            self.answer(json.dumps({"files": files}).encode())
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            found = {"commitUrl": f"{self.endpoint}/{REPOSITORY}/commit/{self.commit}", "commitOid": self.commit}
            self.answer(json.dumps({"success": True, **found}).encode())
        else:
            self.answer()

    def do_GET(self) -> None:
        name = self.path.partition(f"/{REPOSITORY}/resolve/{self.commit}/")[2]
        if name in self.files:
            content = self.files[name]
            self.answer(content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=self.commit)
        elif self.path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
            self.answer(json.dumps(tree).encode())
        elif self.path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.answer(json.dumps({"id": REPOSITORY, "sha": self.commit, "siblings": siblings}).encode())
        else:
            self.answer(b'{"error": "Repository not found"}', 404, X_Error_Code="RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def server(tmp_path):
    """The server, its files and the environment in which it is the hub."""
    handler = type("Own", (Hub,), {"files": {}, "tokens": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as own:
        threading.Thread(target=own.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{own.server_address[1]}"
        environment = {
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1",
        }
        environment["HF_HUB_DISABLE_XET"] = "1"
        yield handler, environment
        own.shutdown()


@pytest.fixture
def path(saved, tmp_path):
    """A packed model, with a card and a record of its sources."""
    dev = {"exact_match": 0.75, "loss": 0.5}
    content = saved(resolve(ModelOptions(name="attention", width=16, embedding=8)), trained={"pairs": 3, "dev": dev})
    record = record_of_pairs([Pair("abc", "a")], [], (content.source_codec, content.target_codec))
    write_packed(tmp_path / "model.seq2see", content._replace(card=CARD, record=record))
    return tmp_path / "model.seq2see"


def ran(code, *arguments, environment):
    command = [sys.executable, "-W", "error::UserWarning", "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_model_is_uploaded_and_downloaded(path, server) -> None:
    handler, environment = server
    done = ran(RUN, path, REPOSITORY, environment=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    address, *card = done.stdout.splitlines()
    assert address.endswith(REPOSITORY)
    assert handler.tokens == {"Bearer hf_token"}
    assert set(handler.files) >= {"README.md", "config.json", "model.safetensors", "target.vocabulary.json"}
    assert RECORD not in handler.files, "hashes of training sources aren't published"
    assert f'    model = seq2see.load("hf://{REPOSITORY}")' in card
    asked = subprocess.run(
        [sys.executable, "-m", "seq2see", "predict", f"hf://{REPOSITORY}", "abc"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.stdout.strip() == seq2see.load(path).predict("abc")[0].text


def test_what_the_hub_refuses_is_said(path, server) -> None:
    _, environment = server
    said = ran("import seq2see; seq2see.load('hf://owner/another')", environment=environment).stderr
    assert "CheckpointError: hf://owner/another: can't be downloaded: " in said
    assert "HF_TOKEN" in said


@pytest.mark.parametrize("name", ["hf://owner", "hf://owner/a/b", "hf://owner/a b", "hf://.a/b", "hf://"])
def test_another_form_is_refused(name) -> None:
    with pytest.raises(ConfigError, match="must be hf://owner/name"):
        seq2see.load(name)


def test_the_card_has_the_metadata_that_the_hub_reads(path, tmp_path) -> None:
    folder = tmp_path / "small"
    seq2see.load(path).save_pretrained(folder, license="apache-2.0", language=["hu", "en"])
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.language == ["hu", "en"]
    assert card.data.library_name == "seq2see"
    assert card.data.tags == ["seq2see", "seq2seq", "attention"]
    assert card.data.model_name == "small"
    found = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert found == {"exact_match": 0.75, "loss": 0.5}
    assert card.text.strip() == CARD.strip()


def test_metrics_may_be_those_of_an_evaluation(path, tmp_path) -> None:
    model = seq2see.load(path)
    report = model.evaluate([Pair("abc", "bca"), Pair("bad", model.predict("bad")[0].text)])
    model.save_pretrained(tmp_path / "small", evaluation=report)
    card = hub.ModelCard.load(tmp_path / "small" / "README.md")
    found = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert found["exact_match"] == 0.5
    assert found["loss"] == pytest.approx(report.loss)
    assert card.data.eval_results[0].dataset_name == "2 test items"
    assert card.data.license is None


def test_a_saved_model_answers_the_same_and_its_card_may_be_edited(path, tmp_path) -> None:
    model = seq2see.load(path)
    model.save_pretrained(tmp_path / "small", weights="int8")
    card = tmp_path / "small" / "README.md"
    card.write_text(card.read_text("utf-8") + "\nEdited.\n", "utf-8")
    copy = seq2see.load(tmp_path / "small")
    assert copy.card.endswith("Edited.\n")
    assert load_model(tmp_path / "small").config["weights"] == "int8"
    copy.save_pretrained(tmp_path / "again")
    again = (tmp_path / "again" / "README.md").read_text("utf-8")
    assert again.count("library_name") == 1, "metadata are replaced"
    assert again.endswith("Edited.\n")


def test_a_model_is_not_saved_onto_itself(path, tmp_path) -> None:
    seq2see.load(path).save_pretrained(tmp_path / "small", license="mit")
    before = (tmp_path / "small" / "README.md").read_bytes()
    with pytest.raises(ConfigError, match="is the model that would be saved"):
        seq2see.load(tmp_path / "small").save_pretrained(tmp_path / "small")
    assert (tmp_path / "small" / "README.md").read_bytes() == before


def test_hashes_of_sources_are_saved_if_wanted(path, tmp_path) -> None:
    seq2see.load(path).save_pretrained(tmp_path / "small", hashes=True)
    assert (tmp_path / "small" / RECORD).is_file()


def test_a_damaged_model_is_still_refused(path, tmp_path) -> None:
    seq2see.load(path).save_pretrained(tmp_path / "small")
    config = tmp_path / "small" / "config.json"
    config.write_text(config.read_text("utf-8").replace("attention", "plain"), "utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        seq2see.load(tmp_path / "small")


def test_an_ensemble_is_refused(path) -> None:
    model = seq2see.load([path, path])
    with pytest.raises(ConfigError, match="save_pretrained: needs one model"):
        model.save_pretrained(path.parent / "small")
    with pytest.raises(ConfigError, match="push_to_hub: needs one model"):
        model.push_to_hub(REPOSITORY)


def test_a_repository_has_an_owner(path) -> None:
    with pytest.raises(ConfigError, match="must be owner/name"):
        seq2see.load(path).push_to_hub("name")
