"""Fine-tuning: what is kept, what is extended, what is printed, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import seq2see
from seq2see import Pair
from seq2see.config import Config, make_config, read_toml
from seq2see.data import Examples
from seq2see.data.batch import collate
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import Seq2Seq, Sizes, build, restore
from seq2see.run.fine_tune import Pretrained, initial_state, read_pretrained, used_ids
from seq2see.run.plan import RunPlan
from seq2see.run.planning import plan_run
from seq2see.run.train import Trained, train
from seq2see.storage.checkpoints import load_checkpoint
from seq2see.storage.saved_model import load_model, write_packed
from seq2see.text import SPECIALS, Codec, Vocabulary, make_tokenizer
from seq2see.training import Event, TrainingState, Updated
from seq2see.training.batch import to_tensors

from ..conftest import TINY

NEW = [("abß", "ßba"), ("ſcd", "dcſ"), ("eßa", "aße"), ("ad", "da"), ("aß", "ßa"), ("ſß", "ßſ")] * 3
"""Pairs with two letters that the tiny runs have never seen, ß the more frequent."""
BASES: dict[str, dict[str, Any]] = {
    "attention": {},
    "peeky, tied": {"model.name": "peeky", "model.tie": "target", "model.embedding": None},
    "gnmt, bpe": {"model.name": "gnmt", "model.layers": 2, "text.source": "bpe", "text.target": "unigram"},
    "stacked, bytes": {"model.name": "stacked", "text.source": "graphemes", "text.target": "bytes"},
    "transformer, all one": {
        "model.name": "transformer", "model.layers": 1, "model.embedding": None, "model.tie": "all",
        "model.positions": "learned", "model.max_positions": 40, "text.joint": True,
    },
    "joint, not tied": {"model.name": "plain", "text.joint": True},
    "one vocabulary, sources cut": {"text.joint": True, "text.truncate": 5},
    "language_model": {"model.name": "language_model"},
    "transformer_language_model": {
        "model.name": "transformer_language_model", "model.layers": 1, "model.embedding": None,
    },
}  # fmt: skip


class Stopped(BaseException):
    """The power goes off."""


def settings_of(own: dict[str, Any]) -> dict[str, Any]:
    chosen = {"model.name": "attention", "training.max_updates": 60, "training.evaluate_every": 20}
    return {key: value for key, value in (TINY | chosen | own).items() if value is not None}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, tiny_pairs: Path) -> Callable[[str], Path]:
    """The run folder of each of BASES, trained when it is asked for; look at it, don't write into it."""
    made: dict[str, Path] = {}
    sources = [line.partition("\t")[0] for line in tiny_pairs.read_text().splitlines()]

    def base(name: str) -> Path:
        if name not in made:
            is_language = name.endswith("language_model")
            pairs = [("" if is_language else source, source[::-1]) for source in sources]
            out = tmp_path_factory.mktemp("bases") / "old"
            seq2see.train(pairs, out=out, settings=settings_of(BASES[name]), device="cpu", quiet=True)
            made[name] = out
        return made[name]

    return base


def config_of(path: Path, **own: Any) -> tuple[Config, set[str]]:
    """The configuration of a short run that starts from a model, and the keys that are set in it."""
    short = {"training.start_from": str(path), "training.max_updates": 9, "training.evaluate_every": 3}
    values = short | {"training.batch_size": 8, "training.precision": "float32"}
    values |= {key.replace("__", "."): value for key, value in own.items()}
    return make_config({}, values), set(values)


def pairs_for(path: Path | None = None) -> list[Pair]:
    is_language = path is not None and "language" in load_model(path).config["model"]["name"]
    return [Pair("" if is_language else source, target, "new") for source, target in NEW]


def started(path: Path, folder: Path, **own: Any) -> tuple[Pretrained, RunPlan, Seq2Seq, TrainingState]:
    """All that there is before the first update, and a new model of the same sizes."""
    config, given = config_of(path, **own)
    start, config = read_pretrained(config, folder, given)
    plan = plan_run(config, pairs_for(path), pairs_for(path)[:2], pretrained=start)
    torch.manual_seed(plan.config.training.seed)
    network = build(plan.blueprint, plan.sizes)
    return start, plan, network, initial_state(start, network)


def further(path: Path, folder: Path, *, more: dict[str, Any] | None = None, **own: Any) -> tuple[str, Trained]:
    """Train on the new pairs; what was said, and the run."""
    config, given = config_of(path, **own)
    console = Console(file=io.StringIO(), width=300)
    arguments = {"pairs": pairs_for(), "dev_pairs": pairs_for()[:4], "device": "cpu"} | (more or {})
    trained = train(config, folder, given=given, console=console, **arguments)
    return console.file.getvalue(), trained  # type: ignore[attr-defined]


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def events_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASES)
def test_old_rows_stay_to_the_bit_and_new_ones_are_as_in_a_new_model(
    name: str, bases: Callable[[str], Path], tmp_path: Path
) -> None:
    base = bases(name)
    start, plan, fresh, state = started(base, tmp_path / "new")
    old, checkpoint = load_model(base), load_checkpoint(base / "checkpoints")
    grown = 0
    for key, tensor in fresh.tensors().items():
        rows = len(old.tensors[key])
        grown += len(tensor) - rows
        assert state.model[key][:rows].numpy().tobytes() == old.tensors[key].tobytes()
        assert torch.equal(state.model[key][rows:], tensor[rows:])
        for moment in ("exp_avg", "exp_avg_sq"):
            there = checkpoint.tensors[f"optimizer.{moment}.{key}"]
            assert state.optimizer[f"{moment}.{key}"][:rows].numpy().tobytes() == there.tobytes()
            assert not state.optimizer[f"{moment}.{key}"][rows:].any()
        assert state.optimizer[f"step.{key}"] == checkpoint.tensors[f"optimizer.step.{key}"] > 0
    both = [(before, now) for before, now in zip(start.codecs, plan.codecs, strict=True) if before and now]
    for before, now in both:
        assert now.vocabulary.tokens[: len(before.vocabulary.tokens)] == before.vocabulary.tokens
    assert grown == rows_expected(name)
    if "joint" in name or "all one" in name:
        assert plan.codecs[0] is plan.codecs[1]
    if "cut" in name:
        assert plan.codecs[0] == replace(plan.codecs[1], truncate=5)


def rows_expected(name: str) -> int:
    """Tables times letters: the embedding of each side that grows, of the output layer weights and biases."""
    own = BASES[name]
    if name == "stacked, bytes":  # bytes never grow
        return 2
    biases, tied = 2, own.get("model.tie", "target" if "transformer" in name else "none")
    tables = {"none": 3, "target": 2, "all": 1}[tied] - ("language" in name)
    return 2 * tables + biases


@pytest.mark.parametrize("name", BASES)
def test_before_the_first_update_the_old_texts_have_the_answers_of_the_old_model(
    name: str, bases: Callable[[str], Path], tmp_path: Path
) -> None:
    base = bases(name)
    old = seq2see.load(base, device="cpu", engine="torch")
    start, plan, network, state = started(base, tmp_path / "new")
    network.load_tensors(state.model)
    grown = Predictor(TorchEngine(network.eval(), max_positions=None), *plan.codecs, max_length=plan.max_length)
    assert plan.max_length >= old.max_length
    sources = ["abc", "de", "ecb", "badce"]
    texts = [""] if old.source_codec is None else sources
    for before, now in zip(old.predict(texts), grown.predict(texts), strict=True):
        assert now.target_tokens == before.target_tokens
        if plan.codecs[1] is start.codecs[1]:  # the output layer has no new rows
            assert now.log_prob == pytest.approx(before.log_prob, abs=1e-6)
    pairs = [Pair("" if old.source_codec is None else source, source[::-1], "old") for source in sources]
    examples = [Examples.encode(pairs, *codecs) for codecs in (start.codecs, plan.codecs)]
    assert examples[0].target_ids.tolist() == examples[1].target_ids.tolist()
    batch = to_tensors(collate(examples[0], np.arange(len(pairs))), torch.device("cpu"))
    tensors = {key: torch.from_numpy(array) for key, array in start.saved.tensors.items()}
    source, target = start.codecs
    sizes = Sizes(len(source.vocabulary) if source else 0, len(target.vocabulary))
    first = restore(start.blueprint, sizes, tensors).eval()
    with torch.no_grad():
        expected = first(batch.source, batch.decoder_input)
        found = network(batch.source, batch.decoder_input)
    # Among the old tokens nothing has changed; the new ones take a share of their own.
    torch.testing.assert_close(found[..., : sizes.target], expected, atol=1e-5, rtol=1e-5)


def test_on_the_same_pairs_it_goes_on_getting_better_from_where_it_was(tiny_pairs: Path, tmp_path: Path) -> None:
    settings = settings_of({"training.max_updates": 90, "training.evaluate_every": 30})
    seq2see.train(tiny_pairs, out=tmp_path / "old", settings=settings, device="cpu", quiet=True)
    again = {key: value for key, value in settings.items() if key.startswith("training.")}
    again |= {"training.start_from": tmp_path / "old", "training.rate": 5e-3}
    seq2see.train(tiny_pairs, out=tmp_path / "new", settings=again, device="cpu", quiet=True)
    of_old = load_model(tmp_path / "old").config["trained"]["dev"]["loss"]
    evaluations = [event for event in events_of(tmp_path / "new") if event["event"] == "evaluation"]
    assert evaluations[0]["update"] == 0
    assert evaluations[0]["dev_loss"] == pytest.approx(of_old, abs=1e-6)
    assert evaluations[-1]["dev_loss"] < of_old - 0.05
    trained = events_of(tmp_path / "new")[1]
    assert trained["event"] == "update"
    assert trained["loss"] < events_of(tmp_path / "old")[0]["loss"] - 0.3


def test_a_model_that_only_gets_worse_stays_as_it_was(bases: Callable[[str], Path], tmp_path: Path) -> None:
    base = bases("attention")
    further(base, tmp_path / "new", training__rate=30.0, training__schedule="constant", training__metric="loss")
    old, new = load_model(base), load_model(tmp_path / "new")
    assert new.config["trained"]["updates"] == 0
    for key, array in old.tensors.items():
        assert np.array_equal(new.tensors[key][: len(array)], array)


# --- from what ----------------------------------------------------------------------------------------------------


def test_what_is_different_is_said(bases: Callable[[str], Path], tmp_path: Path) -> None:
    said, _ = further(bases("attention"), tmp_path / "new", training__rate=1e-3)
    assert f"fine-tuning {bases('attention')}: attention, weights in float32" in said
    assert "source: 2 tokens added ('ß', 'ſ'); 0 of the 5 old tokens are not in the new pairs" in said
    assert "optimizer: moments of update 60 kept, zero for new tokens" in said
    assert "training options changed: rate 0.001 (was 0.01), max_updates 9 (was 60)" in said
    assert "start_from" not in said


def test_tokens_that_the_new_pairs_lack_are_counted_on_each_side(bases: Callable[[str], Path], tmp_path: Path) -> None:
    pairs = [Pair("ab", "ab", ""), Pair("abc", "a", "")] * 8
    said, _ = further(bases("attention"), tmp_path / "a", more={"pairs": pairs})
    assert "source: no tokens added; 2 of the 5 old tokens are not in the new pairs" in said
    assert "target: no tokens added; 3 of the 5 old tokens are not in the new pairs" in said
    said, _ = further(bases("joint, not tied"), tmp_path / "b", more={"pairs": pairs})
    assert "both sides: no tokens added; 2 of the 5 old tokens are not in the new pairs" in said


@pytest.mark.parametrize("block", [1, 3, 100])
def test_the_ids_in_use_are_found_block_by_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2see.run.fine_tune.BLOCK_IDS", block)
    codec = Codec(make_tokenizer("characters", "NFC"), Vocabulary(tuple("abcdef")))
    sides = [np.array(ids, dtype=np.int32) for ids in ([5, 3, 5, 9, 3], [], [6])]
    assert used_ids(codec, *sides).tolist() == [3, 5, 6, 9]


@pytest.mark.parametrize("kind", ["folder", "file", "int8", "no checkpoints"])
def test_without_its_run_a_model_has_no_moments_which_is_said(
    kind: str, bases: Callable[[str], Path], tmp_path: Path
) -> None:
    base = bases("transformer, all one")
    if kind == "folder":
        path = base / "model"
    elif kind == "no checkpoints":
        path = Path(shutil.copytree(base, tmp_path / "bare"))
        shutil.rmtree(path / "checkpoints")
    else:
        path = tmp_path / "old.seq2see"
        write_packed(path, load_model(base), weights="int8" if kind == "int8" else "float32")
    said, _ = further(path, tmp_path / "new", training__rate=1e-3)
    why = "has no checkpoint" if kind == "no checkpoints" else "is a model without its run"
    assert f"optimizer: starts without moments, since {path} {why}" in said
    assert f"weights in {'int8' if kind == 'int8' else 'float32'}" in said
    assert ("training options changed" in said) == (kind == "no checkpoints")
    steps = {int(array) for key, array in tensors_of(tmp_path / "new").items() if key.startswith("optimizer.step")}
    assert steps == {9}
    assert (tmp_path / "new" / "config.toml").read_text().count("joint = true") == 1


def test_without_its_run_a_joint_vocabulary_is_still_known_where_sources_are_cut(
    bases: Callable[[str], Path], tmp_path: Path
) -> None:
    said, _ = further(bases("one vocabulary, sources cut") / "model", tmp_path / "new")
    assert "both sides: 2 tokens added" in said
    text = read_toml(tmp_path / "new" / "config.toml")["text"]
    assert (text["joint"], text["truncate"]) == (True, 5)


def test_a_model_of_one_text_reads_one_column(bases: Callable[[str], Path], tmp_path: Path) -> None:
    (table := tmp_path / "forms.csv").write_text("lemma,tags,form\n" + "abc,V;PL,cba\nde,N;SG,ed\n" * 9)
    start = {"training.start_from": str(bases("attention"))}
    with pytest.raises(ConfigError, match="reads 1 source column, found 2") as caught:
        seq2see.train(table, out=tmp_path / "new", settings=TINY | start, quiet=True)
    assert caught.value.fix == "choose one: --source lemma --target form"
    columns = {"data.source": ["lemma"], "data.target": "form"}
    seq2see.train(table, out=tmp_path / "new", settings=TINY | start | columns, quiet=True)


def test_a_model_of_one_text_made_of_two_columns_reads_two(tmp_path: Path) -> None:
    (table := tmp_path / "forms.csv").write_text("lemma,tags,form\n" + "abc,V;PL,cba\nde,N;SG,ed\n" * 9)
    one_text = {"text.source": "characters", "data.source": ["lemma", "tags"], "data.target": "form"}
    seq2see.train(table, out=tmp_path / "base", settings=TINY | one_text, quiet=True)
    start = {"training.start_from": str(tmp_path / "base")}
    model = seq2see.train(table, out=tmp_path / "new", settings=TINY | start, quiet=True)
    assert model.table.source == ("lemma", "tags")


def test_by_default_the_columns_are_those_that_the_model_was_trained_on(tmp_path: Path) -> None:
    """By their names, pronunciations would be the targets; without a header, nobody could tell."""
    words = [f"{first}{second}" for first in "abcd" for second in "efgh"]
    rows = [f"{word}\t{' '.join(reversed(word)).upper()}\tn" for word in words]
    (table := tmp_path / "t.tsv").write_text("\n".join(["word\tpronunciation\tnote", *rows]), encoding="utf-8")
    (bare := tmp_path / "bare.tsv").write_text("\n".join(rows), encoding="utf-8")
    renamed = [f"{' '.join(word).upper()}\t{word}" for word in words]
    (other := tmp_path / "other.tsv").write_text("\n".join(["source\ttarget", *renamed]), encoding="utf-8")
    named = {"data.source": ["pronunciation"], "data.target": "word"}
    numbered = {"data.source": ["2"], "data.target": "1"}
    for base, given, new, columns in (
        ("names", named, table, (("pronunciation",), "word")),
        ("numbers", numbered, bare, (("2",), "1")),
        ("names", named, other, (("source",), "target")),  # without these columns, as if there were no model
    ):
        if not (tmp_path / base).exists():
            seq2see.train(table if base == "names" else bare, out=tmp_path / base, settings=TINY | given, quiet=True)
        start = {"training.start_from": str(tmp_path / base), "training.max_updates": 2}
        out = tmp_path / f"{base}_{new.stem}"
        model = seq2see.train(new, dev=new, out=out, settings=TINY | start, quiet=True)
        assert (model.table.source, model.table.target) == columns
        data = read_toml(out / "config.toml")["data"]
        assert (tuple(data.get("source", ())), data.get("target")) == columns
    forwards = {"data.source": ["word"], "data.target": "pronunciation"}
    start = {"training.start_from": str(tmp_path / "names")}
    model = seq2see.train(table, out=tmp_path / "turned", settings=TINY | start | forwards, quiet=True)
    assert (model.table.source, model.table.target) == (("word",), "pronunciation")


def test_targets_of_unknown_symbols_are_refused(tmp_path: Path) -> None:
    """As phones without blanks between them; a few new symbols are added."""
    phones = [(f"{first}{second}", f"{second} {first}") for first in "abcd" for second in "efgh"]
    out, symbols = tmp_path / "base", {"text.target": "symbols", "training.max_updates": 1}
    seq2see.train(phones, out=out, settings=TINY | symbols, quiet=True)
    start = TINY | {"training.start_from": str(out), "training.max_updates": 1}
    joined = [(source, f"[{target.replace(' ', '')}]") for source, target in phones]
    with pytest.raises(
        DataError, match=r"of the 14 symbols .* knows none: the first target is '\[ea\]'.* writes"
    ) as caught:
        seq2see.train(joined, out=tmp_path / "new", settings=start, quiet=True)
    assert caught.value.fix is not None and "with blanks between symbols" in caught.value.fix
    new = [(source, f"{target} x{number}") for number, (source, target) in enumerate(phones)]
    seq2see.train(new, out=tmp_path / "new", settings=start, quiet=True)


def tensors_of(run: Path) -> dict[str, np.ndarray]:
    return load_checkpoint(run / "checkpoints").tensors


def test_the_run_that_it_starts_from_is_left_as_it_is(bases: Callable[[str], Path], tmp_path: Path) -> None:
    before = files_of(bases("attention"))
    further(bases("attention"), tmp_path / "new")
    assert files_of(bases("attention")) == before
    assert {int(array) for key, array in tensors_of(tmp_path / "new").items() if "step" in key} == {69}


def test_int8_weights_are_what_training_starts_from(bases: Callable[[str], Path], tmp_path: Path) -> None:
    write_packed(tmp_path / "small.seq2see", load_model(bases("attention")), weights="int8")
    _, _, _, state = started(tmp_path / "small.seq2see", tmp_path / "new")
    for key, array in load_model(tmp_path / "small.seq2see").tensors.items():
        assert np.array_equal(state.model[key].numpy()[: len(array)], array)


# --- as a recipe, from a program ------------------------------------------------------------------------------------


def test_the_configuration_is_a_recipe_of_the_same_run(
    bases: Callable[[str], Path], tmp_path: Path, tiny_pairs: Path
) -> None:
    base = bases("transformer, all one")
    (tmp_path / "new.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in NEW))
    settings = {"training.start_from": str(base), "training.max_updates": 4, "training.precision": "float32"}
    seq2see.train(tmp_path / "new.tsv", out=tmp_path / "one", settings=settings, device="cpu", quiet=True)
    values = read_toml(tmp_path / "one" / "config.toml")
    assert values["training"]["start_from"] == str(base)
    given = {f"{section}.{key}" for section, table in values.items() for key in table}
    quiet = Console(quiet=True)
    train(make_config(values, {}), tmp_path / "two", given=given, device="cpu", console=quiet)
    for part in ("model", "config.toml"):
        one, two = tmp_path / "one" / part, tmp_path / "two" / part
        assert (files_of(one) == files_of(two)) if one.is_dir() else (one.read_text() == two.read_text())


def test_a_relative_path_in_a_recipe_is_taken_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('[training]\nstart_from = "runs/old"\n')
    assert read_toml(tmp_path / "recipe.toml")["training"]["start_from"] == str(tmp_path / "runs" / "old")
    assert make_config({}, {"training.start_from": "a"}).training.start_from == str(Path("a").absolute())


def test_a_program_gives_texts_to_a_language_model(bases: Callable[[str], Path], tmp_path: Path) -> None:
    settings = {"training.start_from": bases("language_model"), "training.max_updates": 2}
    texts = [("", target) for _, target in NEW]
    model = seq2see.train(texts, out=tmp_path / "r", settings=settings, device="cpu", quiet=True)
    assert model.name == "language_model"
    assert "ß" in model.target_codec.vocabulary
    again = {"training.start_from": bases("language_model")}
    seq2see.train(texts, out=tmp_path / "r", settings=again, resume=True, device="cpu", quiet=True)


def test_dropout_may_be_another_and_is_else_that_of_the_model(bases: Callable[[str], Path], tmp_path: Path) -> None:
    base = bases("attention")
    _, like = read_pretrained(config_of(base)[0], tmp_path / "r", config_of(base)[1])
    assert like.model.dropout == 0.1
    config, given = config_of(base, model__dropout=0.3)
    assert read_pretrained(config, tmp_path / "r", given)[1].model.dropout == 0.3


def test_what_is_added_keeps_to_the_rules_of_a_vocabulary(bases: Callable[[str], Path], tmp_path: Path) -> None:
    def added(**own: Any) -> tuple[str, ...]:
        _, plan, _, _ = started(bases("attention"), tmp_path / "new", **own)
        return plan.codecs[1].vocabulary.tokens[5:]

    assert added() == ("ß", "ſ")
    assert added(text__min_count=7) == ("ß",)
    assert added(text__max_vocabulary=len(SPECIALS) + 6) == ("ß",)
    assert added(text__max_vocabulary=5) == ()


# --- resumed -------------------------------------------------------------------------------------------------


def end_of(run: Path) -> tuple[object, ...]:
    found = load_checkpoint(run / "checkpoints")
    tensors = {name: array.tobytes() for name, array in found.tensors.items()}
    progress = {name: value for name, value in found.progress.items() if "seconds" not in name}
    metrics = [{name: value for name, value in event.items() if "second" not in name} for event in events_of(run)]
    return tensors, progress, files_of(run / "model"), metrics, (run / "config.toml").read_text()


@pytest.mark.parametrize("name", ["gnmt, bpe", "transformer, all one"])
def test_a_resumed_run_needs_the_model_no_more_and_ends_alike_to_the_bit(
    name: str, bases: Callable[[str], Path], tmp_path: Path
) -> None:
    old = Path(shutil.copytree(bases(name), tmp_path / "old"))
    further(old, tmp_path / "whole", training__rate=5e-3)

    run = tmp_path / "broken"

    def break_off(event: Event) -> None:
        if not isinstance(event, Updated) and len(list((run / "checkpoints").glob("*"))) == 1:
            raise Stopped

    with pytest.raises(Stopped):
        further(old, run, training__rate=5e-3, more={"callbacks": [break_off]})
    shutil.rmtree(old)
    said, trained = further(old, run, training__rate=5e-3, more={"resume": True})
    assert "resuming after update 3" in said
    assert trained.finished.update == 9
    assert end_of(run) == end_of(tmp_path / "whole")


def test_a_resumed_run_starts_from_nothing_else(bases: Callable[[str], Path], tmp_path: Path) -> None:
    further(bases("attention"), tmp_path / "r")
    with pytest.raises(ConfigError, match="the run was started with") as caught:
        further(bases("joint, not tied"), tmp_path / "r", more={"resume": True, "allow_changes": True})
    assert "training.start_from" in caught.value.where
    assert "only a new run starts from a model" in caught.value.fix


# --- refused --------------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "another architecture": ({"model__name": "plain"}, "model.name", "must be 'attention', .* not 'plain'"),
    "another width": ({"model__width": 32}, "model.width", "must be 16, .* not 32"),
    "an option without use": ({"model__heads": 4}, "model.heads", "has no effect"),
    "another tie": ({"model__tie": "all"}, "model.tie", "must be 'none', .* not 'all'"),
    "another unit": ({"text__source": "bytes"}, "text.source", "must be 'characters', .* not 'bytes'"),
    "another form": ({"text__normalization": "NFD"}, "text.normalization", "must be 'NFC', .* not 'NFD'"),
    "another case": ({"text__case": "fold"}, "text.case", "must be 'keep', .* not 'fold'"),
    "joint": ({"text__joint": True}, "text.joint", "must be False, .* not True"),
    "subwords": ({"text__subword_size": 50}, "text.subword_size", "must be None, .* not 50"),
}


@pytest.mark.parametrize(("own", "where", "what"), REFUSED.values(), ids=REFUSED)
def test_options_at_odds_with_the_model_are_refused(
    own: dict[str, Any], where: str, what: str, bases: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        further(bases("attention"), tmp_path / "new", **own)
    assert caught.value.where == where
    assert caught.value.fix
    assert not (tmp_path / "new").exists()


def test_the_same_options_are_not_refused(bases: Callable[[str], Path], tmp_path: Path) -> None:
    own = {"model__name": "attention", "model__width": 16, "text__source": "characters", "text__joint": False}
    assert further(bases("attention"), tmp_path / "new", **own)[1].finished.update == 9


def test_a_run_is_not_started_from_itself(bases: Callable[[str], Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(bases("attention"), tmp_path / "run"))
    (tmp_path / "link").symlink_to(run)
    before = files_of(run)
    for path in (run, run / "model", tmp_path / "link", tmp_path / "run" / ".." / "run"):
        with pytest.raises(ConfigError, match="would be replaced") as caught:
            further(path, run, more={"force": True})
        assert "--out" in caught.value.fix
    assert files_of(run) == before


def test_by_hand_nothing_is_started_from(bases: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't fine-tune") as caught:
        further(bases("attention"), tmp_path / "new", more={"engine": "scratch"})
    assert "--from" in caught.value.where
    assert not (tmp_path / "new").exists()


def harm(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_is_missing_or_damaged_is_named_and_nothing_is_lost(bases: Callable[[str], Path], tmp_path: Path) -> None:
    further(bases("attention"), tmp_path / "r")
    before = files_of(tmp_path / "r")
    broken = Path(shutil.copytree(bases("attention"), tmp_path / "broken"))
    harm(broken / "model" / "model.safetensors")
    other = Path(shutil.copytree(bases("attention"), tmp_path / "other"))
    harm(max((other / "checkpoints").glob("*/state.safetensors")))
    mixed = Path(shutil.copytree(bases("attention"), tmp_path / "mixed"))
    shutil.rmtree(mixed / "model")
    shutil.copytree(bases("joint, not tied") / "model", mixed / "model")
    toml = Path(shutil.copytree(bases("attention"), tmp_path / "toml"))
    (toml / "config.toml").write_text("[training")
    empty = tmp_path / "empty"
    empty.mkdir()
    expected = {
        tmp_path / "nowhere": "there is no such folder",
        tmp_path / "nowhere.seq2see": "no such file",
        empty: "is missing",
        broken: "model.safetensors",
        other: "state.safetensors",
        mixed: "belongs to a different model",
        toml: "is not valid TOML",
    }
    for path, message in expected.items():
        with pytest.raises(UserError) as caught:
            further(path, tmp_path / "r", more={"force": True})
        assert message in str(caught.value)
        assert str(path) in str(caught.value)
        assert files_of(tmp_path / "r") == before
    for path in (other, mixed):
        with pytest.raises(CheckpointError) as caught:
            further(path, tmp_path / "new")
        assert caught.value.fix.endswith(f"--from {path / 'model'}")
    assert further(other / "model", tmp_path / "new")[1].finished.update == 9


def test_a_model_of_other_tensors_than_it_says_is_refused(bases: Callable[[str], Path], tmp_path: Path) -> None:
    saved = load_model(bases("attention"))
    tensors = dict(saved.tensors)
    tensors["decoder.output.bias"] = tensors["decoder.output.bias"][:-1]
    write_packed(tmp_path / "odd.seq2see", saved._replace(tensors=tensors))
    with pytest.raises(CheckpointError, match="holds no valid model"):
        further(tmp_path / "odd.seq2see", tmp_path / "new")


def test_the_blueprint_of_the_new_model_is_that_of_the_old(bases: Callable[[str], Path], tmp_path: Path) -> None:
    base = bases("transformer, all one")
    further(base, tmp_path / "new", model__dropout=0.2)
    old, new = (load_model(path).blueprint for path in (base, tmp_path / "new"))
    assert new == replace(old, dropout=0.2)
