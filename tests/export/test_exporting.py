"""`seq2see export` and `Model.export`: the file, what was checked, and what can't be exported."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from tests.conftest import train_tiny

import seq2see
from seq2see.cli import run
from seq2see.errors import UserError
from seq2see.export import ENDINGS, c_checking, c_wasm, checking
from seq2see.export.c_checking import NO_COMPILER
from seq2see.export.checking import NO_NODE
from seq2see.export.exporting import TARGETS
from seq2see.program import read_programs
from seq2see.storage.saved_model import write_packed


def test_each_ending_has_the_weights_that_the_page_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "shipping.md").read_text("utf-8")
    rows = re.findall(r"^\| (`\..*`) \|.*\| (float32|int8|none) \|$", page, re.MULTILINE)
    said = {ending: weights for endings, weights in rows for ending in re.findall(r"`(\.\w+)`", endings)}
    assert said == {ending: "none" if ending == ".json" else target.weights for ending, target in TARGETS.items()}


@pytest.fixture
def model(tiny_run: Path) -> seq2see.Model:
    return seq2see.load(tiny_run, engine="numpy")


def command(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


@pytest.mark.parametrize("ending", [".mjs", ".html", ".c", ".json"])
def test_the_command_and_the_model_write_the_same_file(model, tiny_run, tmp_path, ending, node, capsys) -> None:
    exported = model.export(tmp_path / f"one{ending}")
    assert command("export", tiny_run, "-o", tmp_path / f"other{ending}") == 0
    assert exported.path.read_bytes() == (tmp_path / f"other{ending}").read_bytes()
    assert exported.size == exported.path.stat().st_size
    said = capsys.readouterr().out
    assert all(line in said for line in exported.lines() if not line.endswith("ms an answer"))
    assert f"weights {'float32' if ending == '.json' else 'int8'}" in said
    assert re.search(r"exact match: [\d.]+ % before, [\d.]+ % after", said)


def test_what_was_checked_is_in_the_file(model, tmp_path, node) -> None:
    exported = model.export(tmp_path / "one.mjs", weights="int8")
    assert exported.check is not None
    assert exported.check.same == (exported.check.count, exported.check.count)
    assert exported.check.largest_difference < 1e-4
    assert exported.parity is not None
    head = (tmp_path / "one.mjs").read_text("utf-8").splitlines()[:20]
    for line in [*exported.parity.lines()[1:], *exported.check.lines()]:
        assert f"// {line}" in head
    page = model.export(tmp_path / "one.html", wasm=False).path.read_text("utf-8")
    assert f"<li>{exported.check.lines()[0]}</li>" in page


@pytest.mark.filterwarnings("ignore::seq2see.inference.reading.UnansweredTextWarning")
@pytest.mark.parametrize("ending", [".mjs", ".c"])
def test_texts_without_an_answer_are_not_checked(model, tmp_path, node, compiler, ending) -> None:
    data = [("ab", "ba"), ("a\tb", "ba"), ("a" * 20_000, "a"), ("ba", "ab")]
    exported = model.export(tmp_path / f"one{ending}", weights="float32", data=data)
    assert exported.check is not None and (exported.check.count, exported.check.same) == (2, (2, 2))


def test_types_stand_beside_a_module(model, tmp_path) -> None:
    for ending, types in ((".js", ".d.ts"), (".mjs", ".d.mts")):
        model.export(tmp_path / f"one{ending}", data=[("ab", "ba")])
        assert "declare class Model" in (tmp_path / f"one{types}").read_text("utf-8")


def test_the_operations_alone_are_those_of_the_model(model, tmp_path) -> None:
    path = model.export(tmp_path / "one.json").path
    assert read_programs(path.read_text("utf-8")).has_attention


def test_a_packed_model_is_exported_and_says_that_it_was_not_checked(model, tmp_path) -> None:
    packed = tmp_path / "small.seq2see"
    model.pack(packed)
    exported = seq2see.load(packed, engine="numpy").export(tmp_path / "small.html")
    assert exported.check is None
    assert exported.parity is None
    assert "--data" in exported.notes[0]
    assert "<title>small</title>" in exported.path.read_text("utf-8")
    assert seq2see.load(packed, engine="numpy").export(tmp_path / "b.html", data=[("ab", "ba")]).parity is not None


def test_without_node_it_says_that_it_was_not_checked(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checking, "find_node", lambda: None)
    exported = model.export(tmp_path / "one.mjs")
    assert exported.notes == (NO_NODE,)
    assert exported.parity is not None


@pytest.mark.parametrize("ending", ["onnx", "ctranslate2"])
def test_a_missing_package_is_named(ending, saved, blueprint, tmp_path, monkeypatch) -> None:
    write_packed(tmp_path / "small.seq2see", saved(blueprint("transformer")))
    for module in [name for name in sys.modules if name.startswith(("seq2see.export.onnx", "ctranslate2."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, ending, None)
    with pytest.raises(UserError, match=rf"\.{ending} needs the package {ending}") as caught:
        seq2see.load(tmp_path / "small.seq2see").export(tmp_path / f"one.{ending}")
    assert caught.value.fix == f'pip install "seq2see[{ending}]"'
    assert not (tmp_path / f"one.{ending}").exists()


@pytest.mark.parametrize("name", ["one", "one.htm", "one.jss", "one.tflite"])
def test_an_unknown_ending_lists_those_there_are(tiny_run, tmp_path, capsys, name) -> None:
    assert command("export", tiny_run, "-o", tmp_path / name) == 2
    said = capsys.readouterr().err
    assert all(ending in said for ending in ENDINGS)
    if name in ("one.htm", "one.jss"):
        assert "fix:" in said
    assert not list(tmp_path.iterdir())


def test_an_ensemble_is_refused_by_the_command_and_the_model(tiny_run, tmp_path, capsys) -> None:
    for seed in (1, 2):
        shutil.copytree(tiny_run, tmp_path / "both" / f"seed-{seed}")
    assert command("export", tmp_path / "both", "-o", tmp_path / "one.html") == 2
    said = capsys.readouterr().err
    assert "seed-1" in said.partition("fix:")[2]
    both = [str(tmp_path / "both" / f"seed-{seed}") for seed in (1, 2)]
    with pytest.raises(seq2see.ConfigError, match="one model"):
        seq2see.load(both, engine="numpy").export(tmp_path / "one.html")


def test_what_programs_do_not_read_is_refused_with_another_way(tmp_path, capsys) -> None:
    pairs = [(f"[[{n}.5, 1.0], [0.0, {n}.0], [1.5, 2.0]]", "ab" * (1 + n % 2)) for n in range(60)]
    path = train_tiny(pairs, tmp_path / "vectors", **{"text.source": "vectors"})
    assert command("export", path, "-o", tmp_path / "one.html") == 2
    said = capsys.readouterr().err
    assert "vectors" in said
    assert "seq2see pack" in said.partition("fix:")[2]


def held_in(page: str) -> dict[str, object]:
    """The model in a page."""
    found = re.search(r'id="model">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_a_page_computes_in_webassembly_and_without_it_on_request(model, tiny_run, tmp_path, clang, capsys) -> None:
    for name, options, keys, said in (
        ("one", [], {"wasm"}, "in WebAssembly, since clang is installed (--no-wasm"),
        ("other", ["--no-wasm"], {"programs", "weights"}, "in JavaScript, as --no-wasm (wasm=False) says"),
    ):
        assert command("export", tiny_run, "-o", tmp_path / f"{name}.html", *options) == 0
        assert f"the page computes {said}" in capsys.readouterr().out
        page = (tmp_path / f"{name}.html").read_text("utf-8")
        assert keys <= held_in(page).keys() and ("wasm-unsafe-eval" in page) == (name == "one")
    exported = model.export(tmp_path / "again.html", wasm=False)
    assert exported.path.read_bytes() == (tmp_path / "other.html").read_bytes()
    built = b64decode(str(held_in((tmp_path / "one.html").read_text("utf-8"))["wasm"]))
    assert built == model.export(tmp_path / "one.wasm").path.read_bytes()


def test_without_clang_a_page_computes_in_javascript_and_says_why(model, tmp_path, monkeypatch) -> None:
    installed = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if name == "wasm-ld" else installed(name))
    exported = model.export(tmp_path / "one.html", data=[("ab", "ba")])
    assert "in JavaScript" in exported.notes[-1] and "needs wasm-ld: apt-get install clang lld" in exported.notes[-1]
    assert "weights" in held_in(exported.path.read_text("utf-8"))


@pytest.mark.parametrize("script", ["echo error: no target wasm32 >&2; exit 1", "exec sleep 60"])
def test_a_page_computes_in_javascript_where_clang_builds_nothing(model, tmp_path, monkeypatch, script) -> None:
    for name in ("clang", "wasm-ld"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(c_checking, "SECONDS", 1)
    c_wasm.built.cache_clear()
    exported = model.export(tmp_path / "one.html", data=[("ab", "ba")])
    reason = "no target wasm32" if "wasm32" in script else "more than 0 minutes"
    assert "in JavaScript" in exported.notes[-1] and reason in exported.notes[-1]
    assert "weights" in held_in(exported.path.read_text("utf-8"))


@pytest.mark.parametrize("ending", [".mjs", ".wasm", ".c"])
def test_only_a_page_can_do_without_webassembly(tiny_run, tmp_path, capsys, ending) -> None:
    assert command("export", tiny_run, "-o", tmp_path / f"one{ending}", "--no-wasm") == 2
    said = capsys.readouterr().err
    assert f"is for .html, not for {ending}" in said and "one.html" in said.partition("fix:")[2]
    assert not list(tmp_path.iterdir())


def test_names_in_the_page_are_escaped(tiny_run, tmp_path) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "<b>&\u2028"))
    model = seq2see.load(run, engine="numpy")
    page = model.export(tmp_path / "one.html", data=[("ab", "ba")], wasm=False).path.read_text("utf-8")
    assert "<title>&lt;b&gt;&amp;" in page
    assert held_in(page)["name"].startswith("<b>&")


def test_a_header_and_answers_stand_beside_a_c_file(model, tmp_path, compiler) -> None:
    exported = model.export(tmp_path / "one.c")
    assert exported.check is not None and exported.check.same == (exported.check.count, exported.check.count)
    assert f" * {exported.check.lines()[0]}" in exported.path.read_text("utf-8")
    assert "int seq2see(const char *text, char *out, size_t room);" in (tmp_path / "one.h").read_text("utf-8")
    assert (tmp_path / "one.vectors.tsv").read_text("utf-8").startswith("1\t")


def test_without_a_compiler_it_is_said_that_nothing_was_checked(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(c_checking, "find_compiler", lambda: None)
    assert model.export(tmp_path / "one.c", data=[("ab", "ba")]).notes == (NO_COMPILER,)


def test_a_compiler_that_fails_is_named(model, tmp_path, monkeypatch) -> None:
    for command in ("false", "no-such-compiler -O1"):
        monkeypatch.setenv("CC", command)
        with pytest.raises(seq2see.UserError, match=r"can.t (compile|run)") as caught:
            model.export(tmp_path / "one.c", data=[("ab", "ba")])
        assert command.split()[0] in str(caught.value) and "CC" in str(caught.value.fix)
