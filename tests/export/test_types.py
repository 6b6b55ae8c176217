"""The TypeScript declarations beside an ES module are those of what it does. Skipped where there is no tsc."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.export.checking import run_in_node
from seq2see.export.javascript import declarations, module

RIGHT = """
import { load, type Prediction } from "./model.mjs";
const model = await load();
const found: Prediction = model.predict("ab", { beam: 5, nBest: 5, lengthPenalty: 0.7, minLength: null, maxLength: 9 });
const rows: number[][] = found.weights ?? [];
const texts: string[] = [found, ...found.alternatives].map((each) => each.text);
const sum: number = found.logProb + found.score + found.tokenLogProbs[0] + rows.length + texts.length;
export { sum };
"""
WRONG = """
import { load } from "./model.mjs";
const model = await load();
model.predict("ab", { beam: "5" });
model.predict("ab", { beem: 5 });
model.predict(["ab"]);
model.predict("ab").weights.length;
model.predict("ab").log_prob;
"""


def test_calls_are_checked(tmp_path: Path) -> None:
    tsc = shutil.which("tsc")
    if tsc is None:
        pytest.skip("there is no TypeScript: npm install -g typescript")
    for name, text in (("right.mts", RIGHT), ("wrong.mts", WRONG), ("model.d.mts", declarations())):
        (tmp_path / name).write_text(text, encoding="utf-8")
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "", "--pretty", "false"]
    ran = subprocess.run(
        [tsc, *options, "right.mts", "wrong.mts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [int(found) for found in re.findall(r"^wrong\.mts\((\d+),", ran.stdout, re.MULTILINE)]
    assert lines == [4, 5, 6, 7, 8], ran.stdout
    assert "right.mts" not in ran.stdout


def test_an_answer_has_the_declared_properties(exported, node) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    (answers,), _ = run_in_node(module(bundle), ["ab", ""], [{}], node)
    body = declarations().partition("interface Prediction {")[2].partition("\n}")[0]
    declared = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
    for answer in answers:
        assert set(answer) == declared
