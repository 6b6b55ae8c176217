"""Both engines give the same answers: every architecture, every way of looking for them, scores and attention too."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seq2see
from seq2see import Model, Pair, cli
from seq2see.data import Examples, collate
from seq2see.data.batch import pad
from seq2see.errors import CheckpointError, ConfigError
from seq2see.inference import torch_engine
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import ENGINES
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, max_positions, resolve
from seq2see.model.tensors import map_carry
from seq2see.run.state import to_numpy
from seq2see.runtime import Network
from seq2see.storage.saved_model import SavedModel, load_model, write_packed
from seq2see.text import BOS, EOS, Codec, make_tokenizer
from seq2see.training.precision import has_instructions

CODEC = Codec.build(make_tokenizer("characters"), ["abcdefg"])
SIZE = len(CODEC.vocabulary)
TEXTS = ["a", "bcdefgab", "gf", "cdc", "fedcba", "gg"]
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam": {"beam": 5, "n_best": 3, "length_penalty": 0.7},
    "groups": {"beam": 6, "n_best": 4, "beam_groups": 3, "diversity": 1.0},
    "least risk": {"beam": 6, "n_best": 2, "mbr": "cer"},
    "phrases": {"beam": 3, "contain": ["ab", "c"], "forbid": ["gg"], "no_repeat": 3, "max_length": 20},
    "sampling": {"sample": True, "n_best": 3, "temperature": 0.8, "top_k": 5, "seed": 4},
}


def new_models(name: str, **options: Any) -> tuple[Model, Model]:
    """The same random weights on torch and on NumPy."""
    torch.manual_seed(7)
    blueprint = resolve(ModelOptions(name=name, width=16, **options))
    source = CODEC if ARCHITECTURES[name].has_source else None
    network = build(blueprint, Sizes(SIZE if source else 0, SIZE)).eval()
    with torch.no_grad():
        network.decoder.output.weight.mul_(2.0 if ARCHITECTURES[name].has_blocks else 6.0)
        network.decoder.output.bias[EOS] = 0.5
    saved = SavedModel({"model": asdict(blueprint)}, to_numpy(network.tensors()), source, CODEC)
    return tuple(  # type: ignore[return-value]
        Model(engine, source, CODEC, max_length=12)
        for engine in (TorchEngine(network, max_positions=max_positions(blueprint)), make_numpy_engine(saved))
    )


needs_bfloat16 = pytest.mark.skipif(not has_instructions(), reason="needs a processor with bfloat16 products")


def in_bfloat16(name: str, **options: Any) -> tuple[Model, Model]:
    """The same random weights in float32, and with products in bfloat16."""
    exact, _ = new_models(name, **options)
    network = copy.deepcopy(exact.engine.network)  # type: ignore[attr-defined]
    engine = TorchEngine(network, max_positions=exact.engine.max_positions, bfloat16=True)
    return exact, Model(engine, exact.source_codec, CODEC, max_length=12)


def check_same(ours: Model, theirs: Model, texts: list[str], options: dict[str, Any]) -> None:
    for one, other in zip(ours.predict(texts, **options), theirs.predict(texts, **options), strict=True):
        assert len(one.all) == len(other.all)
        for mine, its in zip(one.all, other.all, strict=True):
            assert (mine.text, mine.source_tokens, mine.target_tokens) == (
                its.text,
                its.source_tokens,
                its.target_tokens,
            )
            assert mine.finished == its.finished
            assert mine.log_prob == pytest.approx(its.log_prob, abs=1e-4)
            assert mine.score == pytest.approx(its.score, abs=1e-4)
            assert (mine.weights is None) == (its.weights is None)
            if mine.weights is not None and its.weights is not None:
                np.testing.assert_allclose(mine.weights, its.weights, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_answers_are_the_same(name: str, way: str) -> None:
    theirs, ours = new_models(name)
    options = dict(WAYS[way])
    for batch_size in (1, 4, 64):
        check_same(ours, theirs, TEXTS, options | {"batch_size": batch_size})
    if way == "beam" and theirs.has_attention:
        check_same(ours, theirs, TEXTS, options | {"coverage_penalty": 0.3})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_scores_are_the_same(name: str) -> None:
    theirs, ours = new_models(name)
    pairs = [Pair(text if theirs.source_codec else "", TEXTS[-place], "") for place, text in enumerate(TEXTS)]
    assert (ours.has_attention, ours.max_positions, ours.num_parameters) == (
        theirs.has_attention,
        theirs.max_positions,
        theirs.num_parameters,
    )
    for batch_size in (1, 3, 64):
        scores = [model.score(pairs, batch_size=batch_size) for model in (ours, theirs)]
        for one, other in zip(*scores, strict=True):
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)
            assert one.num_tokens == other.num_tokens


def test_learned_positions_end_where_they_end() -> None:
    theirs, ours = new_models("transformer", positions="learned", max_positions=9)
    assert ours.max_positions == theirs.max_positions == 9
    check_same(ours, theirs, TEXTS, {"max_length": 30, "min_length": 9})
    for model in (ours, theirs):
        with pytest.raises(seq2see.UserError, match="has positions for 9"):
            model.predict("abcdefgabc", strict=True)


def test_the_check_notices_another_weight() -> None:
    theirs, ours = new_models("attention")
    next(iter(theirs.engine.network.parameters())).data.add_(0.5)  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        check_same(ours, theirs, TEXTS, {})


def test_engines_answer_together() -> None:
    """An ensemble doesn't ask who calculates: half torch and half NumPy is the same as either."""
    theirs, ours = new_models("attention")
    others, own = new_models("plain")
    mixed = Model(theirs.engine, CODEC, CODEC, max_length=12, others=[own.engine])
    alone = Model(ours.engine, CODEC, CODEC, max_length=12, others=[others.engine])
    check_same(mixed, alone, TEXTS, WAYS["beam"])


@needs_bfloat16
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bfloat16_rounds_and_no_more(name: str) -> None:
    exact, rounded = in_bfloat16(name)
    pairs = [Pair(text if exact.source_codec else "", TEXTS[-place], "") for place, text in enumerate(TEXTS)]
    differences = [
        abs(one.log_prob - other.log_prob) / one.num_tokens
        for one, other in zip(exact.score(pairs), rounded.score(pairs), strict=True)
    ]
    assert 0 < max(differences) < 0.05  # nats per token; bfloat16 has 8 bits


@needs_bfloat16
@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_in_bfloat16_answers_are_the_same_in_any_batch(name: str, beam: int) -> None:
    _, model = in_bfloat16(name)
    together = model.predict(TEXTS, beam=beam)
    for batch_size in (1, 4):
        for one, other in zip(model.predict(TEXTS, beam=beam, batch_size=batch_size), together, strict=True):
            assert one.text == other.text
            assert one.log_prob == pytest.approx(other.log_prob, abs=0.02)


def largest_change_in_other_batches(name: str) -> float:
    """Of the log-probabilities of answers to sources of 1 to 60 letters; all tokens have to be the same."""
    _, model = in_bfloat16(name)
    chance = random.Random(1)
    texts = ["".join(chance.choices("abcdefg", k=chance.randint(1, 60))) for _ in range(120)]
    together, changes = model.predict(texts, batch_size=64), [0.0]
    for one, other in zip(model.predict(texts, batch_size=9), together, strict=True):
        assert one.text == other.text
        changes.append(abs(one.log_prob - other.log_prob))
    return max(changes)


@needs_bfloat16
@pytest.mark.parametrize("name", ["transformer", "lstm_transformer", "bidirectional", "transducer"])
def test_in_bfloat16_padding_is_in_whole_vectors(name: str) -> None:
    assert largest_change_in_other_batches(name) < 1e-4


@needs_bfloat16
def test_that_notices_padding_of_other_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.model.transformer.in_whole_vectors", lambda x: x)
    assert largest_change_in_other_batches("transformer") > 1e-4


@needs_bfloat16
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bidirectional", {"cell": "gru", "score": "additive", "copy": True}),
        ("attention", {"diagonal": True, "layers": 2}),
        ("transformer", {"copy": True, "diagonal": True}),
        ("transformer", {"positions": "rotary", "norm": "post", "activation": "swiglu"}),
    ],
)
def test_all_options_round_and_no_more(name: str, options: dict[str, Any]) -> None:
    exact, rounded = in_bfloat16(name, **options)
    pairs = [Pair(text, TEXTS[-place], "") for place, text in enumerate(TEXTS)]
    for one, other in zip(exact.score(pairs), rounded.score(pairs), strict=True):
        assert other.log_prob == pytest.approx(one.log_prob, abs=0.06 * one.num_tokens)
    for own in rounded.predict(TEXTS, beam=3, coverage_penalty=0.2):
        assert own.weights is not None
        np.testing.assert_allclose(own.weights.sum(1), 1, atol=0.02)


@needs_bfloat16
def test_the_state_of_an_lstm_is_summed_in_float32() -> None:
    _, rounded = in_bfloat16("attention")
    source = pad(Examples.encode([Pair("abc", "a")], CODEC, CODEC).sources, np.arange(1))
    state = rounded.engine.start(source, np.empty((1, 0), np.int64))
    _, state, _ = rounded.engine.step(np.array([BOS]), state)
    kinds = set[torch.dtype]()
    map_carry(lambda tensor: kinds.add(tensor.dtype) or tensor, state.own.carry)  # type: ignore[func-returns-value]
    assert torch.float32 in kinds


@needs_bfloat16
def test_a_shared_table_is_rounded_for_the_output_alone() -> None:
    exact, rounded = in_bfloat16("transformer", tie="target")
    decoder = rounded.engine.network.decoder  # type: ignore[attr-defined]
    assert decoder.output.weight.dtype == torch.bfloat16
    assert decoder.embedding.weight.dtype == torch.float32
    assert rounded.num_parameters == exact.num_parameters


@needs_bfloat16
@pytest.mark.parametrize("name", ["bidirectional", "transformer"])
def test_the_heads_are_shown_in_bfloat16(name: str) -> None:
    pairs = [Pair(text, text[::-1]) for text in TEXTS]
    batch = collate(Examples.encode(pairs, CODEC, CODEC), np.arange(len(pairs)))
    for exact, rounded in zip(*(model.engine.heads(batch) for model in in_bfloat16(name)), strict=True):
        assert (exact is None) == (rounded is None)
        if exact is not None and rounded is not None:
            assert rounded.dtype == np.float32
            np.testing.assert_allclose(rounded, exact, rtol=0, atol=0.05)


@needs_bfloat16
def test_the_engine_is_named(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rounded = seq2see.load(tiny_run, engine="torch-bfloat16", device="cpu")
    assert rounded.engine.name == "torch-bfloat16"
    expected = rounded.predict(["abc", "de"], beam=2)
    arguments = ["--beam", "2", "--engine", "torch-bfloat16", "--device", "cpu"]
    assert cli.run(["predict", str(tiny_run), "abc", "de", *arguments]) == 0
    assert capsys.readouterr().out.splitlines() == [each.text for each in expected]


def test_bfloat16_is_refused_where_it_would_be_slow(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_engine, "has_instructions", lambda: False)
    with pytest.raises(ConfigError, match="a processor on which PyTorch finds instructions for it"):
        seq2see.load(tiny_run, engine="torch-bfloat16", device="cpu")


@pytest.mark.parametrize("engine", sorted({*ENGINES} - {"torch-bfloat16"}))
def test_a_run_is_loaded_by_any_engine(tiny_run: Path, tiny_language_run: Path, engine: str) -> None:
    model = seq2see.load(tiny_run, engine=engine)
    assert model.engine.name == ("numpy" if engine == "auto" else engine)
    check_same(model, seq2see.load(tiny_run, engine="torch", device="cpu"), ["abc", "de"], WAYS["beam"])
    assert len(seq2see.load([tiny_run, tiny_run], engine=engine).members) == 2
    language = seq2see.load(tiny_language_run, engine=engine)
    check_same(language, seq2see.load(tiny_language_run, device="cpu"), ["ab", ""], WAYS["sampling"])


def test_what_cannot_be_asked_of_an_engine_is_said(tiny_run: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'numpy'"):
        seq2see.load(tiny_run, engine="numpi")
    with pytest.raises(ConfigError, match="on the CPU alone, not on cuda"):
        seq2see.load(tiny_run, engine="numpy", device="cuda")


WITHOUT_TORCH = """
import sys
sys.modules |= dict.fromkeys(("torch", "jaxtyping", "tokenizers", "matplotlib", "rapidfuzz", "sacrebleu"))
from seq2see.cli import main
sys.argv = ["seq2see", *sys.argv[1:]]
main()
"""


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command on a machine that has the base install alone."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_base_install_predicts_evaluates_and_scores(tiny_run: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    expected = seq2see.load(tiny_run, device="cpu").predict(["abc", "de"], beam=3)
    answered = without_torch("predict", tiny_run, "abc", "de", "--beam", "3")
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.splitlines() == [each.text for each in expected]
    assert without_torch("predict", tiny_run, "abc", "--device", "cpu").returncode == 0
    assert without_torch("score", tiny_run, tiny_pairs).stdout.count("\n") == 120
    evaluated = without_torch("evaluate", tiny_run, tiny_pairs)
    assert evaluated.returncode == 0, evaluated.stderr
    assert "left out: CER needs the package rapidfuzz" in evaluated.stdout
    asked = without_torch("evaluate", tiny_run, tiny_pairs, "--metrics", "cer")
    assert asked.returncode == 2
    assert 'pip install "seq2see[metrics]"' in asked.stderr
    packed = without_torch(
        "pack", tiny_run, "-o", tmp_path / "small.seq2see", "--weights", "int8", "--data", tiny_pairs
    )
    assert packed.returncode == 0, packed.stderr
    assert without_torch("predict", tmp_path / "small.seq2see", "abc").returncode == 0


def test_what_the_base_install_lacks_is_said(tiny_run: Path, tiny_pairs: Path) -> None:
    for arguments in (("train", tiny_pairs), ("predict", tiny_run, "abc", "--engine", "torch")):
        answered = without_torch(*arguments)
        assert answered.returncode == 2
        assert 'pip install "seq2see[train]"' in answered.stderr
        assert "Traceback" not in answered.stderr


def test_a_model_that_is_none_is_named_in_the_same_words(tiny_run: Path, tmp_path: Path) -> None:
    saved = load_model(tiny_run)
    write_packed(tmp_path / "m.seq2see", saved._replace(tensors=dict(list(saved.tensors.items())[1:])))
    said = set()
    for engine in ("torch", "numpy"):
        with pytest.raises(CheckpointError, match="holds no valid model") as caught:
            seq2see.load(tmp_path / "m.seq2see", engine=engine)
        assert str(tmp_path / "m.seq2see") in caught.value.where
        said.add(str(caught.value))
    assert len(said) == 1


@pytest.mark.parametrize("method", ["__init__", "start", "step", "step_by_head", "self_attention"])
def test_an_invalid_value_that_a_product_reports_falsely_is_no_warning(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(Network, method)

    def reports(*arguments: Any, **options: Any) -> Any:
        np.subtract(np.array([np.inf]), np.array([np.inf]))  # warns
        return real(*arguments, **options)

    monkeypatch.setattr(Network, method, reports)
    model = new_models("transformer")[1]
    assert len(model.predict(["abc"], beam=2)) == 1
    assert len(model.predict(["abc"], prefix="a")) == 1
    assert len(model.score([("abc", "cb")])) == 1
    assert len(model.align([("abc", "cb")])) == 1
