"""The examples for ONNX, in Python and in JavaScript, give the answers of `seq2see predict`, greedy and of a beam."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.storage.files import write_folder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
TEXTS = ["", " \t\x1c\u3000", "a", "abc", "hgfedcba", "cab", "ddddddddddddd", "bad"]
RUN_IN_NODE = """
import { readFileSync } from "node:fs";
import { load, search } from "./onnx_search.mjs";
const [texts, model] = [JSON.parse(readFileSync(0, "utf8")), await load("model.onnx")];
const answers = [];
for (const beam of [1, 5]) for (const text of texts) {
  answers.push((await search(model, text, beam)).map(({ text, logProb }) => [text, logProb]));
}
console.log(JSON.stringify(answers));
"""
RUN_IN_PYTHON = """
import json, sys
from onnx_search import Model
model, texts = Model("model.onnx"), json.load(sys.stdin)
found = [model.search(text, beam) for beam in (1, 5) for text in texts]
print(json.dumps([[[text, float(log_prob)] for text, log_prob in answers] for answers in found]))
"""


@pytest.fixture
def onnxruntime_node(node) -> str:
    """The node_modules with onnxruntime-node; without it, the test is skipped."""
    found = subprocess.run(
        [node, "-p", "require.resolve('onnxruntime-node')"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(
            "there is no onnxruntime-node: npm install onnxruntime-node, and name its node_modules in NODE_PATH"
        )
    return found.stdout.split("/onnxruntime-node/")[0]


@pytest.fixture(params=["attention", "bidirectional", "transformer"])
def exported_folder(request, exported, tmp_path):
    """A model, and the folder in which it is exported."""
    from seq2see.export.onnx.files import files

    options = {"heads": 2, "feed_forward": 24} if request.param == "transformer" else {"embedding": 8}
    model, bundle = exported(resolve(ModelOptions(name=request.param, width=16, **options)), length_penalty=0.7)
    write_folder(tmp_path / "model.onnx", files(bundle))
    return model, tmp_path


def assert_same(model, printed) -> None:
    found = json.loads(printed)
    expected = [*model.predict(TEXTS), *model.predict(TEXTS, beam=5, n_best=5)]
    assert len(found) == len(expected)
    for own, other in zip(found, expected, strict=True):
        answers = [other, *other.alternatives]
        assert [text for text, _ in own] == [each.text for each in answers]
        assert [log_prob for _, log_prob in own] == pytest.approx([each.log_prob for each in answers], abs=1e-4)


def run(command, folder, **environment) -> str:
    texts = json.dumps(TEXTS)
    own = {**os.environ, **environment}
    ran = subprocess.run(command, input=texts, capture_output=True, text=True, cwd=folder, env=own, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


def test_the_example_in_python(exported_folder) -> None:
    model, folder = exported_folder
    assert_same(model, run([sys.executable, "-c", RUN_IN_PYTHON], folder, PYTHONPATH=str(EXAMPLES)))


def test_the_example_in_javascript(exported_folder, node, onnxruntime_node) -> None:
    model, folder = exported_folder
    shutil.copy(EXAMPLES / "onnx_search.mjs", folder)
    (folder / "node_modules").symlink_to(onnxruntime_node)
    assert_same(model, run([node, "--input-type=module", "-e", RUN_IN_NODE], folder))
