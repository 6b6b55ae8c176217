"""An exported model in WebAssembly, in Node.js, answers as the NumPy engine does, and bears errors."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import seq2see
from seq2see.blueprint import ModelOptions, resolve
from seq2see.cli import run
from seq2see.export.c_wasm import WITHOUT_ENDING, loader, wasm
from seq2see.export.checking import run_in_node
from seq2see.text.options import TextOptions

_module = importlib.util.spec_from_file_location("export_javascript", Path(__file__).parent / "test_javascript.py")
assert _module is not None and _module.loader is not None
in_javascript = importlib.util.module_from_spec(_module)
_module.loader.exec_module(in_javascript)

_text = importlib.util.spec_from_file_location("export_text", Path(__file__).parent / "test_text.py")
assert _text is not None and _text.loader is not None
in_text = importlib.util.module_from_spec(_text)
_text.loader.exec_module(in_text)

QUICK = ("attention", "transformer", "transducer-copy", "language_model", "peeky-both-2-layers-two-fields")
OPTIONS = (*in_javascript.OPTIONS[:2], ({"beam": 5, "lengthPenalty": 0}, {"beam": 5, "length_penalty": 0.0}))


pytestmark = pytest.mark.usefixtures("clang")


def assert_answers_are_the_same(model, bundle, texts, node, options=OPTIONS) -> None:
    found, _ = run_in_node(loader(), texts, [own for own, _ in options], node, {WITHOUT_ENDING: wasm(bundle)})
    for answers, (_, given) in zip(found, options, strict=True):
        for own, expected in zip(answers, in_javascript.answers_in_python(model, texts, given), strict=True):
            in_javascript.assert_same(own, expected)


@pytest.mark.parametrize("name", QUICK)
def test_the_answers_are_those_of_the_numpy_engine(name, blueprints, exported, texts, node) -> None:
    model, bundle = exported(blueprints[name])
    assert_answers_are_the_same(model, bundle, texts(model), node)


@pytest.mark.parametrize("unit", in_text.UNITS)
def test_texts_of_every_unit_are_read_and_written(unit, exported, node) -> None:
    texts = [text for text in in_text.random_texts(60) if text.strip() and not {"\0", "\t"} & set(text)]
    codec = in_text.codec_of(TextOptions(subword_size=200), unit, texts)
    target = codec if unit != "tags" else in_text.codec_of(TextOptions(), "characters", texts)
    made = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)), (codec, target))
    assert_answers_are_the_same(*made, texts, node, OPTIONS[:1])


@pytest.mark.slow
def test_the_answers_of_every_architecture_are_those_of_the_numpy_engine(variant, exported, texts, node) -> None:
    model, bundle = exported(variant)
    options = (*OPTIONS, *in_javascript.OPTIONS[3:])
    assert_answers_are_the_same(model, bundle, texts(model), node, options)


ERRORS = """
const { load } = await import(process.argv[1]);
const model = await load();
const before = JSON.stringify(model.predict("abc", { beam: 5, nBest: 3 }));
const said = [];
for (const [text, options] of JSON.parse(process.argv[2])) {
  try {
    model.predict(text, options);
    said.push("nothing");
  } catch (error) {
    said.push(`${error.constructor.name}: ${error.message}`);
  }
  if (JSON.stringify(model.predict("abc", { beam: 5, nBest: 3 })) !== before) said.push("another answer");
}
const start = model.own.memory.buffer.byteLength;
for (let i = 0; i < 300; i++) model.predict("abcabc", { beam: 5 });
said.push(model.own.memory.buffer.byteLength - start);
console.log(JSON.stringify(said));
"""


def test_errors_are_thrown_and_answers_take_no_more_memory_with_time(exported, node, tmp_path) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    bundle = bundle._replace(limits={**bundle.limits, "maxInput": 300})
    (tmp_path / "a model.wasm.mjs").write_text(loader())
    (tmp_path / "a model.wasm").write_bytes(wasm(bundle))
    wrong = [("a" * 301, {}), ("a\0b", {}), (3, {}), ("a\tb", {}), ("a", {"num_beams": 3})]
    wrong += [("a", options) for options in in_javascript.WRONG_OPTIONS.values()]
    url = (tmp_path / "a model.wasm.mjs").as_uri()
    command = [node, "--input-type=module", "-e", ERRORS, url, json.dumps(wrong)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    *said, more = json.loads(ran.stdout)
    reasons = [
        "more tokens",
        "NUL",
        "a string",
        "another number of fields",
        "unknown option num_beams",
        *(said.format(most=64) for said in in_javascript.WRONG_OPTIONS),
    ]
    assert all(reason in each for reason, each in zip(reasons, said, strict=True)), said
    assert all(each.startswith(("RangeError", "TypeError")) for each in said)
    assert more == 0


def test_the_command_and_the_model_write_a_file_and_its_module(tiny_run, tmp_path, node, capsys) -> None:
    exported = seq2see.load(tiny_run, engine="numpy").export(tmp_path / "one.wasm")
    assert exported.check is not None and exported.check.same == (exported.check.count, exported.check.count)
    assert exported.size == (tmp_path / "one.wasm").stat().st_size
    assert run(["export", str(tiny_run), "-o", str(tmp_path / "two.wasm")]) == 0
    for ending in (".wasm", ".wasm.mjs"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()
    assert "weights int8" in capsys.readouterr().out


def test_without_clang_it_is_said_what_to_install(tiny_run, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run(["export", str(tiny_run), "-o", str(tmp_path / "one.wasm")]) == 2
    said = capsys.readouterr().err
    assert "clang and wasm-ld" in said and "apt-get install clang lld" in said
    assert not list(tmp_path.iterdir())
