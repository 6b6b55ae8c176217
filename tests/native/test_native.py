"""`seq2see.native`: a shared library built from exported C answers as NumPy does, and nothing else is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import seq2see
from seq2see.errors import UserError
from seq2see.export.c_checking import NO_COMPILER, find_compiler
from seq2see.native import load
from seq2see.native.library import whole

TEXTS = ["ab", "cba", "abcabc", "", "ac"]
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


@pytest.fixture(scope="module")
def libraries(tiny_run, tmp_path_factory):
    """Folder with two libraries and the NumPy model whose weights they hold: in one they are in a file."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip(NO_COMPILER)
    folder = tmp_path_factory.mktemp("native")
    model = seq2see.load(tiny_run, engine="numpy")
    for name, separate in (("whole", False), ("parts", True)):
        model.export(folder / f"{name}.c", weights="float32", separate_weights=separate, data=[("ab", "ba")])
        command = [*compiler, *FLAGS, f"{name}.c", "-lm", "-o", f"{name}.so"]
        subprocess.run(command, cwd=folder, check=True)
    return folder, model


@pytest.mark.parametrize(
    "options",
    [{}, {"beam": 5}, {"beam": 5, "n_best": 3}, {"beam": 3, "length_penalty": 0.0}, {"min_length": 4, "max_length": 6}],
)
@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_answers_are_those_of_numpy(libraries, options) -> None:
    folder, model = libraries
    expected = model.predict(TEXTS, **options)
    for native in (load(folder / "whole.so"), load(str(folder / "parts.so"), weights=folder / "parts.weights")):
        for own, other in zip(native.predict(TEXTS, **options), expected, strict=True):
            for one, two in zip((own, *own.alternatives), (other, *other.alternatives), strict=True):
                assert (one.text, one.finished) == (two.text, two.finished)
                assert list(one.source_tokens) == two.source_tokens
                assert list(one.target_tokens) == two.target_tokens
                assert one.log_prob == pytest.approx(two.log_prob, abs=1e-4)
                assert one.score == pytest.approx(two.score, abs=1e-4)
                assert one.token_log_probs == pytest.approx(two.token_log_probs, abs=1e-4)
                for row, other_row in zip(one.weights or (), [] if two.weights is None else two.weights, strict=True):
                    assert row == pytest.approx(list(other_row), abs=1e-4)


def test_nothing_outside_the_standard_library_is_imported(libraries) -> None:
    folder, model = libraries
    code = (
        "import sys; from seq2see.native import load; "
        f"print(load({str(folder / 'whole.so')!r}).predict('abc', beam=5)[0].text); "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(loaded - {*sys.stdlib_module_names, 'seq2see', '__main__'}))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(seq2see.__file__).parents[1])}
    command = [sys.executable, "-S", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert ran.returncode == 0, ran.stderr
    answer, others = ran.stdout.splitlines()
    assert answer == model.predict("abc", beam=5)[0].text
    assert others == "[]"


def test_threads_share_a_model(libraries) -> None:
    folder, _ = libraries
    native = load(folder / "whole.so")
    expected = native.predict(TEXTS, beam=5)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(native.predict(TEXTS, beam=5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam": 0}, "beam must be 1 to 64"),
        ({"beam": 65}, "beam must be 1 to 64"),
        ({"beam": 2, "n_best": 3}, "n_best must be 1 to 2"),
        ({"beam": "5"}, "beam must be 1 to 64"),
        ({"max_length": 0}, "max_length must be 1 to 1,000,000"),
        ({"min_length": 5, "max_length": 4}, "min_length must be 1 to 4"),
        ({"length_penalty": -1.0}, "length_penalty must be 0 to 1,000,000"),
        ({"length_penalty": float("nan")}, "length_penalty must be 0 to 1,000,000"),
    ],
)
def test_an_option_out_of_range_is_named(libraries, options, said) -> None:
    folder, _ = libraries
    with pytest.raises(seq2see.ConfigError, match=said):
        load(folder / "whole.so").predict("ab", **options)


@pytest.mark.parametrize("text", ["a" * 20_000, "a\0b", "\ud800", "a\tb", ("a", "b")])
def test_a_text_that_can_not_be_read_is_refused(libraries, text) -> None:
    folder, _ = libraries
    with pytest.raises(seq2see.DataError) as caught:
        load(folder / "whole.so").predict([text])
    assert caught.value.fix


@pytest.mark.parametrize("text", [5, None, (), ("a", 5), ("a\tb", "c"), {"a": "b"}])
def test_what_is_no_text_is_refused(libraries, text) -> None:
    folder, _ = libraries
    with pytest.raises(seq2see.ConfigError, match="a text must be a str, or a tuple of its fields"):
        load(folder / "whole.so").predict([text])


def test_a_text_may_be_a_tuple_of_its_fields() -> None:
    assert whole(("walk", "V;PST")) == whole(["walk", "V;PST"]) == whole("walk\tV;PST") == "walk\tV;PST"


def test_what_can_not_be_loaded_is_named_with_a_fix(libraries, tmp_path) -> None:
    folder, _ = libraries
    (tmp_path / "text.so").write_text("text")
    cases = [
        ((tmp_path / "none.so", None), "no such file"),
        ((tmp_path, None), "is no file"),
        ((tmp_path / "text.so", None), "is no library of an exported model"),
        ((folder / "whole.so", folder / "parts.weights"), "the weights are in the library"),
        ((folder / "parts.so", None), "file of their own"),
        ((folder / "parts.so", tmp_path / "none"), "can't be read"),
        ((folder / "parts.so", tmp_path / "text.so"), "is not the file of the weights of parts.so"),
    ]
    for (path, weights), said in cases:
        with pytest.raises(UserError, match=said) as caught:
            load(path, weights=weights)
        assert caught.value.fix
    with pytest.raises(UserError) as caught:
        load(folder / "parts.so")
    load(folder / "parts.so", weights=str(caught.value.fix).split('weights="')[1].split('"')[0])


@pytest.mark.parametrize(
    ("name", "fix"),
    [("num_beams", "it is called beam here"), ("bean", "did you mean 'beam'?"), ("lenpen", "length_pen")],
)
def test_an_option_of_another_name_is_refused_with_its_name_here(libraries, name, fix) -> None:
    with pytest.raises(UserError, match=f"unknown option '{name}'") as caught:
        load(libraries[0] / "whole.so").predict("ab", **{name: 5})
    assert fix in caught.value.fix
