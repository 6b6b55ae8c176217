"""Weights in a file beside an exported C file: read as they were written, and refused if they were not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import seq2see
from seq2see.blueprint import ModelOptions, resolve
from seq2see.cli import run
from seq2see.export.c_checking import check_in_c, compiled
from seq2see.export.c_target import c_source, weights_file
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.storage.weights import read_weights

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NO_MODEL = "-7"
BAD_FILE = "-8"
# For each path what seq2see_init returns, and then an answer; before them the answer without seq2see_init.
MAIN = r"""
int main(int argc, char **argv)
{
  char out[256];
  printf("%d\n", seq2see("abc", out, sizeof(out)));
  for (int i = 1; i < argc; i++) {
    const int error = seq2see_init(*argv[i] ? argv[i] : NULL);
    printf("%d %d\n", error, seq2see("abc", out, sizeof(out)));
  }
  seq2see_close(ready);
  return 0;
}
"""


@pytest.fixture
def bundle(exported):
    return exported(resolve(ModelOptions(name="attention", width=16, embedding=8)), weights="int8")[1]


@pytest.fixture
def refusals(bundle, compiler, tmp_path):
    """Builds the program above with a compiler, and gives what it says to paths."""

    def ask(paths, compiler=compiler, *, separate=True, flags=SANITIZERS) -> list[str]:
        own = tmp_path / "built"
        own.mkdir(exist_ok=True)
        program = compiled(
            f"#include <stdio.h>\n{c_source(bundle, separate=separate)}{MAIN}", own, compiler, (*WARNINGS, *flags)
        )
        ran = subprocess.run([program, *paths], capture_output=True, encoding="utf-8", check=False, timeout=300)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return ran.stdout.splitlines()

    return ask


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_answers_are_those_of_the_same_weights_in_numpy(weights, exported, texts, saved, compiler) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    _, bundle = exported(o, weights=weights)
    tensors = read_weights(bundle.weights, weights, where="a model")
    model = model_of(saved(o)._replace(tensors=tensors), make_numpy_engine)
    source = c_source(bundle, separate=True)
    assert len(source) < len(c_source(bundle)) - 2000
    check = check_in_c(source, model, texts(model), weights_file(bundle))
    assert not isinstance(check, str)
    assert check.same == (check.count, check.count) and check.largest_difference < 1e-4


def test_wrong_and_damaged_files_are_refused_with_an_error(bundle, saved, exported, refusals, tmp_path) -> None:
    content = weights_file(bundle)
    _, other = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)), weights="float16")
    wrong = [b"", content[:1], content[:-1], content[: len(content) // 2], content + b"\0", weights_file(other)]
    for place in range(0, len(content), len(content) // 40):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        wrong.append(bytes(changed))
    paths = [tmp_path / f"{number}.weights" for number in range(len(wrong))]
    for path, each in zip(paths, wrong, strict=True):
        path.write_bytes(each)
    good = tmp_path / "good.weights"
    good.write_bytes(content)
    without, *first = refusals([*paths, tmp_path, tmp_path / "none", ""])
    assert without == NO_MODEL
    assert first == [f"{BAD_FILE} {NO_MODEL}"] * len(paths) + [f"{NO_MODEL} {NO_MODEL}"] * 3
    opened, refused, again = refusals([good, paths[1], good])[1:]
    length = opened.split()[1]
    assert opened == again == f"0 {length}" and int(length) >= 0
    assert refused == f"{BAD_FILE} {length}"  # the model before it still answers


def test_weights_in_the_source_are_prepared_once_and_take_no_file(refusals, tmp_path) -> None:
    without, ready, refused = refusals(["", tmp_path / "some"], separate=False)
    assert ready == f"0 {without}"
    assert refused == f"-5 {without}"


@pytest.mark.parametrize("separate", [True, False])
def test_clang_has_no_warnings_either(separate, refusals) -> None:
    clang = next((found for each in ("clang", "clang-14") if (found := shutil.which(each))), None)
    if clang is None:
        pytest.skip("there is no clang: apt-get install clang")
    assert refusals([], [clang], separate=separate, flags=())[0] == (
        NO_MODEL if separate else refusals([], separate=False)[0]
    )


def test_the_command_and_the_model_write_three_files_that_belong_together(tiny_run, tmp_path, compiler, capsys) -> None:
    exported = seq2see.load(tiny_run, engine="numpy").export(tmp_path / "one.c", separate_weights=True)
    assert run(["export", str(tiny_run), "-o", str(tmp_path / "two.c"), "--separate-weights"]) == 0
    for ending in (".c", ".h", ".weights", ".vectors.tsv"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()
    assert exported.size == sum((tmp_path / f"one{ending}").stat().st_size for ending in (".c", ".weights"))
    assert exported.check is not None and exported.check.same == (exported.check.count, exported.check.count)
    program = compiled((tmp_path / "one.c").read_text("utf-8"), tmp_path, compiler)

    def ran(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
        command = [str(each) for each in (program, *arguments)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)

    assert ran(tmp_path / "one.weights", "check", tmp_path / "one.vectors.tsv").returncode == 0
    for wrong, code in ((tmp_path / "one.h", -8), (tmp_path / "none", -7)):
        found = ran(wrong)
        assert found.returncode == 2 and f"error {code}" in found.stderr


def test_other_targets_have_no_separate_weights(tiny_run, tmp_path, capsys) -> None:
    assert run(["export", str(tiny_run), "-o", str(tmp_path / "one.html"), "--separate-weights"]) == 2
    said = capsys.readouterr().err
    assert "only from .c" in said and "one.c" in said
    assert not list(tmp_path.iterdir())
