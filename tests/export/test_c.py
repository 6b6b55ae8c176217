"""An exported C file answers as the NumPy engine does, for every architecture and option; it bears any input."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.export.c_checking import ESCAPES, check_in_c, compiled, run_program, vectors
from seq2see.export.c_target import c_source
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.storage.weights import read_weights
from seq2see.text import Codec, make_tokenizer

_module = importlib.util.spec_from_file_location("export_javascript", Path(__file__).parent / "test_javascript.py")
assert _module is not None and _module.loader is not None
in_javascript = importlib.util.module_from_spec(_module)
_module.loader.exec_module(in_javascript)

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
QUICK = ("attention", "transformer", "transducer-copy", "language_model", "peeky-both-2-layers-two-fields")
# Lines: beam, n_best, length_penalty, min_length, max_length, room, text in hexadecimal; an answer as JSON each.
MAIN = r"""
#include <stdio.h>

static void print_number(const char *name, double number)
{
  if (number == -INFINITY) printf(",\"%s\":-Infinity", name);
  else printf(",\"%s\":%.9g", name, number);
}

static void print_answer(const seq2see_answers *all, const seq2see_answer *answer)
{
  /* A TAB in a token is no JSON, so the reader isn't strict. */
  printf("{\"text\":\"");
  for (const char *at = answer->text; *at; at++) printf("%02x", (unsigned char)*at);
  printf("\",\"finished\":%s", answer->finished ? "true" : "false");
  print_number("logProb", answer->log_prob);
  print_number("score", answer->score);
  printf(",\"sourceTokens\":[");
  for (size_t i = 0; i < all->num_source; i++) printf("%s\"%s\"", i ? "," : "", seq2see_source_token(all->source[i]));
  printf("],\"tokens\":[");
  for (size_t i = 0; i < answer->num_tokens; i++) printf("%s\"%s\"", i ? "," : "", seq2see_token(answer->tokens[i]));
  printf("],\"tokenLogProbs\":[");
  for (size_t i = 0; i < answer->num_tokens; i++) printf("%s%.9g", i ? "," : "", answer->token_log_probs[i]);
  printf("],\"weights\":[");
  for (size_t i = 0; answer->weights && i < answer->num_tokens; i++) {
    printf(i ? ",[" : "[");
    const float *const row = answer->weights + i * all->num_source;
    for (size_t j = 0; j < all->num_source; j++) printf("%s%.7g", j ? "," : "", row[j]);
    putchar(']');
  }
  printf("]");
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

int main(void)
{
  static char line[1 << 22], out[1 << 16];
  seq2see_model *model;
  if (seq2see_open(NULL, &model)) return 2;
  while (fgets(line, sizeof(line), stdin)) {
    seq2see_options options;
    seq2see_answers *answers;
    size_t length = 0, room, start;
    int at, error;
    if (sscanf(line, "%d %d %lf %d %d %zu %n", &options.beam, &options.n_best, &options.length_penalty,
               &options.min_length, &options.max_length, &room, &at) != 6) return 3;
    for (start = (size_t)at; line[start] > ' '; start += 2)
      line[length++] = (char)(16 * digit(line[start]) + digit(line[start + 1]));
    line[length] = 0;
    if (room) {
      char *const exact = malloc(room - 1 ? room - 1 : 1);
      error = seq2see(line, room - 1 ? exact : out, room - 1);
      printf("{\"returned\":%d,\"length\":%d}\n", error, error < 0 ? 0 : (int)strlen(exact));
      free(exact);
      continue;
    }
    error = seq2see_predict(model, line, &options, &answers);
    if (error) {
      printf("{\"error\":%d}\n", error);
      continue;
    }
    print_answer(answers, answers->answers);
    printf(",\"alternatives\":[");
    for (size_t i = 1; i < answers->count; i++) {
      if (i > 1) putchar(',');
      print_answer(answers, answers->answers + i);
      printf(",\"alternatives\":[]}");
    }
    printf("]}\n");
    seq2see_free(answers);
  }
  seq2see_close(model);
  return 0;
}
"""


@pytest.fixture
def built(compiler, tmp_path):
    """Compiles an exported file with the program above, with warnings as errors."""

    def build(bundle, flags=SANITIZERS, compiler=compiler) -> Path:
        return compiled(c_source(bundle) + MAIN, tmp_path, compiler, (*WARNINGS, *flags))

    return build


def asked(program: Path, rows) -> list[dict]:
    """What the program says to options and texts, as bytes."""
    given = "".join(f"{' '.join(map(str, options))} {text.hex()}\n" for options, text in rows)
    ran = subprocess.run([program], input=given, capture_output=True, encoding="utf-8", check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [json.loads(line, strict=False) for line in ran.stdout.split("\n")[:-1]]


def row_of(options) -> tuple:
    """The options of the ES module as those of the program; there 0 is no penalty, here the model's own."""
    penalty = options.get("lengthPenalty", 0)
    lengths = options.get("minLength", 0), options.get("maxLength", 0)
    return options.get("beam", 0), options.get("nBest", 0), penalty, *lengths, 0


def read(answer: dict) -> dict:
    """With its text as a str."""
    alternatives = [read(each) for each in answer["alternatives"]]
    return {**answer, "text": bytes.fromhex(answer["text"]).decode(), "alternatives": alternatives}


def assert_answers_are_the_same(program, model, texts) -> None:
    rows = [(row_of(own), text.encode()) for own, _ in in_javascript.OPTIONS for text in texts]
    found = iter(asked(program, rows))
    for _, options in in_javascript.OPTIONS:
        for expected in in_javascript.answers_in_python(model, texts, options):
            in_javascript.assert_same(read(next(found)), expected)


@pytest.mark.parametrize("name", QUICK)
def test_the_answers_are_those_of_the_numpy_engine(name, blueprints, exported, texts, built) -> None:
    model, bundle = exported(blueprints[name])
    assert_answers_are_the_same(built(bundle), model, texts(model))


@pytest.mark.slow
def test_the_answers_of_every_architecture_are_those_of_the_numpy_engine(variant, exported, texts, built) -> None:
    model, bundle = exported(variant)
    assert_answers_are_the_same(built(bundle), model, texts(model))


@pytest.mark.parametrize("dialect", ["-std=gnu99", "-std=gnu17"])
def test_the_names_of_the_system_are_not_ours(dialect, exported, compiler, tmp_path) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    (tmp_path / "model.c").write_text(c_source(bundle), encoding="utf-8")
    command = [*compiler, dialect, "-Wall", "-Wextra", "-Werror", "-DSEQ2SEE_MAIN", "-c", "model.c", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_clang_builds_the_same(name, blueprints, exported, texts, built) -> None:
    clang = next((found for each in ("clang", "clang-14") if (found := shutil.which(each))), None)
    if clang is None:
        pytest.skip("there is no clang: apt-get install clang")
    model, bundle = exported(blueprints[name])
    assert_answers_are_the_same(built(bundle, (), [clang]), model, texts(model))


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_the_weights_are_read_as_stored(weights, exported, texts, saved) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    _, bundle = exported(o, weights=weights)
    tensors = read_weights(bundle.weights, weights, where="a model")
    model = model_of(saved(o)._replace(tensors=tensors), make_numpy_engine)
    check = check_in_c(c_source(bundle), model, texts(model))
    if isinstance(check, str):
        pytest.skip(check)
    assert check.same == (check.count, check.count) and check.largest_difference < 1e-4


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_vectors_prove_that_a_device_answers_the_same(exported, texts, compiler, tmp_path) -> None:
    model, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    program = compiled(c_source(bundle), tmp_path, compiler)
    path = tmp_path / "model.vectors.tsv"
    path.write_text(vectors(model, texts(model)))
    command = [program, "check", path]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert ran.returncode == 0 and ran.stdout.startswith("16 of 16 answers are the same")
    path.write_text(path.read_text().replace("\t-", "\t-9", 1))
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 1
    assert len(run_program(program, ["a"], 5, 3)[0]) == 3


def test_lines_may_end_in_cr_lf_and_one_without_an_answer_shows_in_the_status(exported, compiler, tmp_path) -> None:
    _, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)))
    program = compiled(c_source(bundle), tmp_path, compiler)

    def ran(given: bytes) -> tuple[int, list[bytes]]:
        run = subprocess.run([program], input=given, capture_output=True, check=False, timeout=60)
        return run.returncode, run.stdout.splitlines()

    assert ran(b"abc\r\nab\r\n") == ran(b"abc\nab\n") == ran(b"abc\r\nab")
    status, (first, second) = ran(b"ab\xe8\nabc\n")
    assert (status, first) == (1, b"error\t-4") and second == ran(b"abc\n")[1][0]
    assert ran(b"abc\n")[0] == 0


LETTERS = "\\\t\r\n abenrtu"


@pytest.fixture
def program(exported, compiler, tmp_path):
    """The program of a model that knows backslashes and ends of lines, and the model."""
    codecs = tuple(Codec.build(make_tokenizer("characters"), [LETTERS]) for _ in range(2))
    model, bundle = exported(resolve(ModelOptions(name="attention", width=16, embedding=8)), codecs)
    return compiled(c_source(bundle), tmp_path, compiler), model


def ran(program: Path, given: bytes, *arguments: str, redirected: str = "") -> tuple[int, list[str], str]:
    """The exit status, the lines of the output and what is said on stderr."""
    command = ["sh", "-c", f'exec "$0" "$@" {redirected}', program, *arguments]
    run = subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)
    return run.returncode, run.stdout.decode().splitlines(), run.stderr.decode()


def test_a_text_is_the_line_as_it_is_unless_lines_are_escaped(program) -> None:
    built, model = program
    texts = [r"\beta", r"\tau \nu", r"\\", r"ab\r", "\\"]
    others = ["\\", "a\tb", "a\nb", "b\r", r"\t", r"\nu"]
    for arguments, given, expected in (
        ((), texts, model.predict(texts)),
        (("escaped",), [text.translate(ESCAPES) for text in others], model.predict(others)),
    ):
        status, lines, _ = ran(built, "".join(f"{line}\n" for line in given).encode(), *arguments)
        assert (status, [line.split("\t")[0] for line in lines]) == (
            0,
            [answer.text.translate(ESCAPES) for answer in expected],
        )
        numbers = [float(line.split("\t")[1]) for line in lines]
        assert numbers == pytest.approx([answer.log_prob for answer in expected], abs=1e-4)


def test_a_line_with_a_nul_has_no_answer_and_a_byte_order_mark_is_no_text(program) -> None:
    built, _ = program
    _, (first, second), _ = ran(built, b"ab\nbe\n")
    assert ran(built, b"ab\nb\0e\nbe\n") == (1, [first, "error\t-4", second], "")
    assert ran(built, b"ab\n\0\nbe\n")[:2] == (1, [first, "error\t-4", second])
    assert ran(built, b"\xef\xbb\xbfab\nbe") == (0, [first, second], "")
    assert ran(built, b"be\n\xef\xbb\xbfab\n")[1][1] != first


def test_what_cannot_be_read_or_written_ends_the_program_with_2(program, tmp_path) -> None:
    built, _ = program
    assert ran(built, b"ab\n" * 9, redirected=">&-")[0] == 2
    assert "the output can't be written" in ran(built, b"ab\n", redirected=">&-")[2]
    status, _, said = ran(built, b"", redirected=f"< {tmp_path}")
    assert (status, said) == (2, "the input can't be read: Is a directory\n")
    status, _, said = ran(built, b"", "check", str(tmp_path))
    assert status == 2 and said == f"{tmp_path}: Is a directory\n"


def test_an_invalid_argument_is_named_with_its_range(program) -> None:
    built, _ = program
    refused = {
        each: f"BEAM must be a whole number from 1 to 64, not {each}"
        for each in ("abc", "5x", "0", "-1", "65", "18446744073709551617")
    }
    refused |= {
        "5 6": "N_BEST must be a whole number from 1 to 5, not 6",
        "5 5 ab": "unexpected argument ab",
        "check": "check needs the file VECTORS.tsv",
        "check a.tsv 5": "unexpected argument 5",
    }
    for arguments, said in refused.items():
        status, lines, message = ran(built, b"ab\n", *arguments.split())
        assert (status, lines) == (2, []) and message.startswith(f"{said}\nusage: ")
    assert ran(built, b"ab\n", "64", "64")[0] == 0


def test_a_line_of_the_vectors_that_is_damaged_is_no_right_answer(program, tmp_path) -> None:
    built, model = program
    path = tmp_path / "model.vectors.tsv"
    path.write_text(vectors(model, ["ab", "be"]))
    assert ran(built, b"", "check", str(path))[0] == 0
    for damaged in ("5\tab\n", "x\tab\tbe\t-1\n", "\n"):
        path.write_text(vectors(model, ["ab", "be"]) + damaged)
        status, (said,), _ = ran(built, b"", "check", str(path))
        assert status == 1 and said.startswith("4 of 5 answers are the same")


def test_a_name_stays_in_its_comment(exported, built) -> None:
    _, bundle = exported(resolve(ModelOptions(name="plain", width=16, embedding=8)))
    built(bundle._replace(facts={**bundle.facts, "name": "a*/ /* ??/\n b"}), ())


PIECES = [
    b"a",
    b"h",
    b"abc",
    b" ",
    b"\t",
    b"\n",
    b"\xff",
    b"\x80",
    b"\xc3",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
]
PIECES += [
    b"\xf0\x9f\x98\x80",
    b"\xe2\x82",
    b"\xc0\x80",
    b"e\xcc\x81\xcc\xa3",
    b"\xea\xb0\x81",
    b"\x01",
    b"\x7f",
    b"\\",
    b"%s",
]


def test_hostile_texts_and_options_end_in_an_error(exported, built) -> None:
    """Under sanitizers, which end the program at a read or write out of bounds, or a leak."""
    chance = random.Random(3)
    for name in ("attention", "transformer"):
        options = ModelOptions(
            name=name, width=16, **({"embedding": 8} if name == "attention" else {"feed_forward": 24})
        )
        _, bundle = exported(resolve(options))
        limits = {**bundle.limits, "maxInput": 300}
        program = built(bundle._replace(limits=limits))
        rows = []
        for _ in range(150):
            text = b"".join(chance.choices(PIECES, k=chance.choice((0, 1, 3, 9))))
            own = chance.choice((0, 0, 1, 2, 5)), chance.choice((0, 0, 1, 2)), chance.choice((0, -1, 0.7))
            rows.append(
                (
                    (
                        *own,
                        chance.choice((0, 1, 3)),
                        chance.choice((0, 0, 1, 4)),
                        chance.choice((0, 0, 1, 2, 3, 5, 99)),
                    ),
                    text,
                )
            )
        for answer, (own, text) in zip(asked(program, rows), rows, strict=True):
            is_text = is_utf8(text) and (b"\t" not in text or not text.decode().strip())  # the model has one field
            if own[-1]:
                assert answer["returned"] < own[-1] - 1 and answer["length"] == max(answer["returned"], 0)
                assert (answer["returned"] == -4) == (not is_text)
            elif not is_text and own[1] <= max(1, own[0]) and not 0 < own[4] < own[3]:
                assert answer["error"] == -4
        usual = (0, 0, 0, 0, 0, 0)
        refused = [((65, 0, 0, 0, 0, 0), -5), ((-1, 0, 0, 0, 0, 0), -5), ((2, 3, 0, 0, 0, 0), -5)]
        refused += [
            ((5, 0, "nan", 0, 0, 0), -5),
            ((5, 0, 1e9, 0, 0, 0), -5),
            ((0, 0, 0, 5, 4, 0), -5),
            ((0, 0, 0, -1, 0, 0), -5),
        ]
        refused += [((0, 0, 0, 0, 2_000_000, 0), -5)]
        found = asked(
            program, [*((own, b"abc") for own, _ in refused), (usual, b"a" * 301), (usual, b"a" * (2**20 + 1))]
        )
        assert [each["error"] for each in found] == [*(error for _, error in refused), -3, -3]
        (longest,) = asked(program, [(usual, b"a" * 300)])
        assert longest["finished"] in (True, False)


def test_a_text_without_an_answer_has_none_here(exported, two_fields, built) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    usual = (0, 0, 0, 0, 0, 0)
    for several, texts in in_javascript.WRONG_TEXTS.items():
        _, bundle = exported(two_fields(o) if several else o)
        found = asked(built(bundle), [(usual, text.encode()) for text in (*texts, "a\tV" if several else "\t")])
        assert [each.get("error") for each in found] == [*(-4 for _ in texts), None]


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
