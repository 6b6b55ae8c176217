"""`seq2see.train`: the same as the command, from a program."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import seq2see
from seq2see import Pair, UserError
from seq2see.data import TableOptions
from seq2see.data.given import as_pairs
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation import EvaluationArguments, EvaluationOptions
from seq2see.inference.options import GenerationArguments
from seq2see.run.folder import default_folder, stored_config

PAIRS = [("abc", "cba"), ("de", "ed"), ("ab", "ba"), ("ec", "ce"), ("bad", "dab")] * 3


@pytest.fixture
def quick(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return tiny_settings | {"training.max_updates": 2, "training.evaluate_every": 1}


def test_pairs_go_in_and_a_model_comes_out(tmp_path: Path, quick: dict[str, Any]) -> None:
    model = seq2see.train(PAIRS, out=tmp_path / "r", settings=quick, device="cpu", quiet=True)
    assert isinstance(model, seq2see.Model)
    assert model.name == "bidirectional"
    again = seq2see.load(tmp_path / "r", device="cpu")
    assert [p.text for p in model.predict(["abc", "de"])] == [p.text for p in again.predict(["abc", "de"])]


def test_pairs_a_generator_and_a_file_make_the_same_model(
    tmp_path: Path, quick: dict[str, Any], tiny_pairs: Path
) -> None:
    pairs = [tuple(line.split("\t")) for line in tiny_pairs.read_text().splitlines()]
    for name, data in (
        ("list", pairs),
        ("generator", (pair for pair in pairs)),
        ("Pair", [Pair(source, target, "here") for source, target in pairs]),
        ("path", tiny_pairs),
        ("text", str(tiny_pairs)),
    ):
        seq2see.train(data, out=tmp_path / name, settings=quick, device="cpu", quiet=True)  # type: ignore[arg-type]
    weights = {(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("list", "generator", "Pair")}
    weights |= {(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("path", "text")}
    assert len(weights) == 1


def test_two_paths_are_parallel_files(tmp_path: Path, quick: dict[str, Any]) -> None:
    for side, name in enumerate(("a.src", "a.tgt")):
        (tmp_path / name).write_text("".join(pair[side] + "\n" for pair in PAIRS))
    paths = [tmp_path / "a.src", str(tmp_path / "a.tgt")]
    model = seq2see.train(paths, out=tmp_path / "r", settings=quick, device="cpu", quiet=True)
    assert model.predict("abc")


def test_dev_may_be_pairs_or_a_path(tmp_path: Path, quick: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dev.tsv").write_text("ab\tba\n")
    for number, dev in enumerate(([("ab", "ba")], tmp_path / "dev.tsv")):
        seq2see.train(PAIRS, dev=dev, out=tmp_path / str(number), settings=quick, device="cpu")
        assert "15 pairs to train on, 1 dev pair\n" in capsys.readouterr().err


def test_quiet_says_nothing_and_loud_says_it_on_stderr(
    tmp_path: Path, quick: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    seq2see.train(PAIRS, out=tmp_path / "a", settings=quick, device="cpu", quiet=True)
    assert capfd.readouterr() == ("", "")
    seq2see.train(PAIRS, out=tmp_path / "b", settings=quick, device="cpu")
    said = capfd.readouterr()
    assert said.out == ""
    assert "run folder" in said.err


def test_the_model_is_chosen_by_name(tmp_path: Path, quick: dict[str, Any]) -> None:
    assert seq2see.train(PAIRS, model="plain", out=tmp_path / "r", settings=quick, quiet=True).name == "plain"


def test_a_recipe_goes_by_its_name_or_its_path(tmp_path: Path, quick: dict[str, Any]) -> None:
    forms = [((letter * 2, "V;PST"), letter + "d") for letter in "abcdefgh"]
    named = seq2see.train(forms, recipe="inflection", out=tmp_path / "named", settings=quick, quiet=True)
    assert stored_config(tmp_path / "named").text.source == ("characters", "tags")
    assert named.metric == "exact_match"
    path = tmp_path / "mine.toml"
    path.write_text('[data]\ntrain = "nowhere.tsv"\ndev = "nor.tsv"\n[model]\nname = "plain"\n', encoding="utf-8")
    assert seq2see.train(PAIRS, recipe=path, out=tmp_path / "own", settings=quick, quiet=True).name == "plain"
    with_model = seq2see.train(
        PAIRS, recipe=path, model="reverse", out=tmp_path / "m", settings=quick | {"data.dev_share": 0.2}, quiet=True
    )
    assert with_model.name == "reverse"
    with pytest.raises(ConfigError, match="unknown recipe 'sumary'") as caught:
        seq2see.train(PAIRS, recipe="sumary", out=tmp_path / "none", quiet=True)
    assert (caught.value.where, "did you mean 'summary'?" in caught.value.fix) == ("recipe", True)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("epochs", 'it is a setting: settings={"training.max_epochs": …}'),
        ("output_dir", "it is called out here"),
        ("arch", "it is called model here"),
        ("valid", "it is called dev here"),
        ("recipes", "did you mean 'recipe'?"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_name_that_it_has_here(name: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown option '{name}'") as caught:
        seq2see.train(PAIRS, **{name: 5})
    assert caught.value.fix == fix


def test_a_path_gives_the_run_its_name(
    tmp_path: Path, quick: dict[str, Any], tiny_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seq2see.train(tiny_pairs, settings=quick, device="cpu", quiet=True)
    assert (tmp_path / "runs" / "pairs" / "model").is_dir()
    assert default_folder("x/pairs.tsv.gz") == Path("runs/pairs")
    assert default_folder(Path("dates.toml")) == Path("runs/dates")


def test_a_hidden_file_does_not_make_runs_itself_the_run() -> None:
    assert default_folder(".pairs.tsv") != Path("runs")


def test_a_relative_path_is_kept_absolute(
    tmp_path: Path, quick: dict[str, Any], tiny_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_pairs.parent)
    seq2see.train("pairs.tsv", out=tmp_path / "r", settings=quick, device="cpu", quiet=True)
    assert f'"{tiny_pairs}"' in (tmp_path / "r" / "config.toml").read_text()


@pytest.mark.parametrize(
    "items",
    [
        [("a",)],
        [("a", "b", "c")],
        [("a", None)],
        [("a", "")],
        [("", "b")],
        [("  ", "b")],
        [(1, 2)],
        [None],
        ["ab", ("a", "b")],
        [Pair("a", None, "here")],
        [Pair("a", "", "here")],
        [["a", "b", "c"]],
    ],
)
def test_what_is_no_pair_is_named(items: list[Any], tmp_path: Path, quick: dict[str, Any]) -> None:
    good = [("x", "y"), ("y", "x")]
    with pytest.raises(DataError, match="is not a pair") as caught:
        seq2see.train([*good, *items], out=tmp_path / "r", settings=quick, quiet=True)
    assert "3" in caught.value.where
    assert '("source", "target")' in caught.value.fix


def test_lists_will_do_for_tuples() -> None:
    assert as_pairs([["a", "b"]], has_source=True) == [Pair("a", "b", "pair 1")]


@pytest.mark.parametrize("kind", [str, object])
def test_rows_of_an_array_and_dicts_are_pairs(kind: type) -> None:
    rows = [["a", "b"], ["c", "d"]]
    expected = [Pair("a", "b", "pair 1"), Pair("c", "d", "pair 2")]
    assert as_pairs(list(np.array(rows, dtype=kind)), has_source=True) == expected
    assert as_pairs([{"source": one, "target": other} for one, other in rows], has_source=True) == expected
    columns = [{"source": ["a", "V"], "target": "b"}]
    assert as_pairs(columns, has_source=True) == [Pair("a\tV", "b", "pair 1")]
    for wrong in ({"source": "a"}, np.array(["a", "b", "c"])):
        with pytest.raises(DataError, match="is not a pair"):
            as_pairs([wrong], has_source=True)


def test_no_pairs_are_refused(tmp_path: Path) -> None:
    for nothing in ([], iter(())):
        with pytest.raises(DataError, match="no pairs"):
            seq2see.train(nothing, out=tmp_path / "r", quiet=True)
    with pytest.raises(DataError, match="no pairs") as caught:
        seq2see.train(PAIRS, dev=[], out=tmp_path / "r", quiet=True)
    assert caught.value.where == "dev" and "leave it out" in caught.value.fix
    with pytest.raises(DataError, match="is not a pair") as caught:
        seq2see.train(PAIRS, dev=[("a",)], out=tmp_path / "r", quiet=True)
    assert caught.value.where == "dev pair 1"


def test_pairs_need_a_folder() -> None:
    with pytest.raises(ConfigError, match="run folder") as caught:
        seq2see.train(PAIRS)
    assert "out=" in caught.value.fix


@pytest.mark.parametrize(
    ("settings", "where", "said"),
    [
        ({"model.widht": 3}, "settings", "model.width"),
        ({"model.width": 0}, "model.width", ">= 1"),
        ({"model.name": "gntm"}, "model.name", "gnmt"),
        ({"training": {"rates": 1}}, "settings", "training.rate"),
        ({"model": {"name": "plain"}, "data": {"train": ["a.tsv"]}}, "data", "conflicts with settings data.train"),
    ],
)
def test_mistakes_in_settings_are_the_users_to_mend(
    settings: dict[str, Any], where: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        seq2see.train(PAIRS, out=tmp_path / "r", settings=settings, quiet=True)
    assert caught.value.where == where
    assert said in str(caught.value)


def test_a_run_that_is_there_is_refused_replaced_or_gone_on_with(tmp_path: Path, quick: dict[str, Any]) -> None:
    def train(**more: Any) -> seq2see.Model:
        return seq2see.train(PAIRS, out=tmp_path / "r", settings=quick, device="cpu", quiet=True, **more)

    train()
    with pytest.raises(ConfigError, match="exists"):
        train()
    assert train(resume=True)
    assert train(force=True)
    log = tmp_path / "r" / "metrics.jsonl"
    before = log.read_text()
    assert train(auto_resume=True)
    assert log.read_text().startswith(before)  # gone on with, not begun anew
    with pytest.raises(ConfigError, match="--auto-resume --force"):
        train(auto_resume=True, force=True)


def test_a_language_model_learns_from_texts(tmp_path: Path, quick: dict[str, Any], tiny_text: Path) -> None:
    from_path = seq2see.train(
        tiny_text, model="language_model", out=tmp_path / "a", settings=quick, device="cpu", quiet=True
    )
    texts = [("", text) for text in tiny_text.read_text().splitlines()]
    from_pairs = seq2see.train(
        texts, model="language_model", out=tmp_path / "b", settings=quick, device="cpu", quiet=True
    )
    assert from_path.predict("a")[0].text == from_pairs.predict("a")[0].text


# --- the public surface ---------------------------------------------------------------------------------------------


def test_dir_shows_every_public_name() -> None:
    assert dir(seq2see) == sorted(seq2see.__all__)
    assert {"train", "load", "evaluate", "compare", "attend", "Model", "Prediction"} <= set(dir(seq2see))


@pytest.fixture
def model(tiny_run: Path) -> seq2see.Model:
    return seq2see.load(tiny_run)


def test_a_model_for_the_cpu_computes_on_numpy(model: seq2see.Model, tiny_run: Path) -> None:
    assert model.engine.name == "numpy"
    assert seq2see.load(tiny_run, device="cpu").engine.name == "numpy"
    assert seq2see.load(tiny_run, engine="torch", device="cpu").engine.name == "torch"
    with pytest.raises(ConfigError, match="not on cuda"):
        seq2see.load(tiny_run, engine="numpy", device="cuda")


def test_scores_take_what_train_takes(model: seq2see.Model, tiny_pairs: Path) -> None:
    tuples = [tuple(line.split("\t")) for line in tiny_pairs.read_text().splitlines()]
    pairs = [Pair(source, target) for source, target in tuples]
    expected = model.score(pairs)
    for data in (
        tuples,
        tiny_pairs,
        str(tiny_pairs),
        [tiny_pairs],
        iter(tuples),
        zip(*zip(*tuples, strict=True), strict=True),
    ):
        assert model.score(data) == expected  # type: ignore[arg-type]
    assert model.loss(tuples) == model.loss(pairs)  # type: ignore[arg-type]
    report = model.evaluate(tuples, samples=100)  # type: ignore[arg-type]
    assert str(report) == str(seq2see.evaluate(model, tiny_pairs, samples=100))
    assert report.exact_match == model.evaluate(pairs, samples=100).exact_match
    for wrong in ([1], [("a",)], [("a", None)], [None], []):
        with pytest.raises(DataError):
            model.score(wrong)  # type: ignore[arg-type]


def test_what_is_evaluated_by_the_command_is_evaluated_by_the_model(
    model: seq2see.Model, tiny_run: Path, tiny_pairs: Path
) -> None:
    from seq2see.evaluation import EvaluationOptions, evaluate_runs

    options = {"metrics": ["cer", "exact_match"], "samples": 100, "beam": 2}
    ours = model.evaluate(tiny_pairs, **options)  # type: ignore[arg-type]
    theirs = evaluate_runs([tiny_run], [tiny_pairs], EvaluationOptions(**options)).reports[0]  # type: ignore[arg-type]
    assert ours.scores == theirs.scores
    assert ours.to_dicts()[0] == theirs.to_dicts()[0]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"beam": "5"}, "beam"), ({"samples": 10}, "samples"), ({"group": 1}, "group"), ({"metrics": "cer"}, "metrics"),
        ({"seed": -1}, "seed"), ({"by": 3}, "by"), ({"by": "3"}, "by"), ({"metric": ["cer"]}, "evaluate"),
    ],
)  # fmt: skip
def test_invalid_options_of_an_evaluation_are_refused(model: seq2see.Model, options: Any, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model.evaluate([("abc", "cba")], **options)
    assert caught.value.where == where


def test_the_keyword_arguments_are_the_fields_of_the_options() -> None:
    fields_ = {field.name for kind in (EvaluationOptions, TableOptions) for field in fields(kind)}
    assert set(get_type_hints(EvaluationArguments)) == fields_
    assert fields_ <= set(signature(seq2see.Model.evaluate).parameters)
    assert set(get_type_hints(GenerationArguments)) <= set(signature(seq2see.Model.attend).parameters)


def test_a_prediction_is_a_value(model: seq2see.Model) -> None:
    one, again = model.predict("abc", beam=3, n_best=2) + model.predict("abc", beam=3, n_best=2)
    assert one == again
    assert hash(one) == hash(again)
    assert one != one.alternatives[0]
    assert one != "abc"
    assert f"{one}" == one.text
    with pytest.raises(FrozenInstanceError):
        one.text = "b"  # type: ignore[misc]
    for answer in (one, *one.alternatives, *model.predict(["abc", "de"]), *model.predict("abc", sample=True, n_best=3)):
        assert len(answer.token_log_probs) == len(answer.target_tokens)
        assert sum(answer.token_log_probs) == pytest.approx(answer.log_prob, abs=1e-9)
    (scored,) = model.score([("abc", one.text)])
    assert one.finished
    assert scored.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-4)
    assert one.to_dict()["tokens"] == one.target_tokens


def test_a_model_says_what_it_is(model: seq2see.Model, tiny_run: Path) -> None:
    for said in (repr(model), model._repr_html_()):
        assert "bidirectional" in said
        assert "numpy" in said
        assert str(tiny_run) in said
    assert "<script>" not in seq2see.load(tiny_run)._repr_html_()


def test_notebooks_show_predictions_attention_and_reports(model: seq2see.Model) -> None:
    prediction = model.predict("abc")[0]
    (attention,) = model.attend("abc")
    report = model.evaluate([("abc", "cba")], samples=100)
    for shown in (prediction, attention, report):
        page = shown._repr_html_()
        assert page.startswith("<")
    assert "<svg" in attention._repr_html_()
    assert "exact match" in report._repr_html_()


def test_a_model_is_packed_and_loaded(model: seq2see.Model, tmp_path: Path) -> None:
    packed = model.pack(tmp_path / "m.seq2see", weights="int8", data=PAIRS)
    assert packed.size == (tmp_path / "m.seq2see").stat().st_size
    assert packed.parity.count == len(PAIRS)
    assert seq2see.load(packed.path).predict("abc")[0].text
    together = seq2see.load([model.paths[0], model.paths[0]])
    with pytest.raises(ConfigError, match="one model"):
        together.pack(tmp_path / "n.seq2see")


def test_attention_of_a_model_or_a_path(model: seq2see.Model, tiny_run: Path) -> None:
    (one,) = model.attend("abc", beam=2)
    (other,) = seq2see.attend(tiny_run, ["abc"], beam=2)
    assert one.prediction == other.prediction
    assert one.weights.shape == (len(one.prediction.target_tokens), 4)
    assert len(one.to_dicts()) == one.weights.size


@pytest.mark.parametrize("name", ["train", "dev"])
def test_data_given_twice_are_refused(tmp_path: Path, quick: dict[str, Any], name: str) -> None:
    settings = quick | {f"data.{name}": ["other.tsv"]}
    with pytest.raises(ConfigError, match=f"conflicts with settings data.{name}"):
        seq2see.train(PAIRS, dev=PAIRS, out=tmp_path / "r", settings=settings, quiet=True)
    assert not (tmp_path / "r").exists()


def test_errors_are_value_errors_where_a_value_is_wrong(model: seq2see.Model) -> None:
    for wrong in (lambda: model.predict("a", beam=0), lambda: model.score([])):
        with pytest.raises(ValueError, match=r"at least 1|no pairs"):
            wrong()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_data_frames_are_taken(library: str, model: seq2see.Model, tmp_path: Path, quick: Any) -> None:
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"source": [source for source, _ in PAIRS], "target": [target for _, target in PAIRS]})
    assert model.predict(frame["source"]) == model.predict([source for source, _ in PAIRS])
    pairs = zip(frame["source"], frame["target"], strict=True)
    assert model.score(pairs) == model.score(PAIRS)
    trained = seq2see.train(
        zip(frame["source"], frame["target"], strict=True), out=tmp_path / "r", settings=quick, device="cpu", quiet=True
    )
    assert trained.predict("abc")
    rows = frames.DataFrame(model.evaluate(PAIRS, samples=100).to_dicts())
    assert set(rows["metric"]) >= {"exact_match", "loss"}
    with pytest.raises(DataError, match="is not a pair"):
        model.score(frames.Series([1, 2]))
    with pytest.raises(DataError, match="a DataFrame is neither") as caught:
        model.score(frame)
    assert "zip(" in caught.value.fix
    with pytest.raises(ConfigError, match="not a DataFrame"):
        model.predict(frame)


def no_call(*_: object, **__: object) -> None:
    raise AssertionError("it trained")


NOT_TAKEN: dict[str, tuple[Any, str]] = {
    "two texts": (lambda model: model.predict("a", "b"), "options"),
    "a dict of options": (lambda model: model.predict(["a"], {"beam": 5}), "options"),
    "score of a number": (lambda model: model.score(5), ""),
    "evaluate of nothing": (lambda model: model.evaluate(None), ""),
    "train on nothing": (lambda model: seq2see.train(None), "data"),  # type: ignore[arg-type]
    "train on a number": (lambda model: seq2see.train(5, out="r"), ""),  # type: ignore[arg-type]
    "a numbered setting": (lambda model: seq2see.train(PAIRS, out="r", settings={5: 1}), "settings"),  # type: ignore[dict-item]
    "start from a number": (
        lambda model: seq2see.train(PAIRS, out="r", settings={"training.start_from": 5}), "training.start_from"
    ),
    "force in words": (lambda model: seq2see.train(PAIRS, out="r", force="no"), "force"),  # type: ignore[arg-type]
    "resume in words": (lambda model: seq2see.train(PAIRS, out="r", resume="no"), "resume"),  # type: ignore[arg-type]
    "out a number": (lambda model: seq2see.train(PAIRS, out=5), "out"),  # type: ignore[arg-type]
    "settings in a list": (
        lambda model: seq2see.train(PAIRS, out="r", settings=["model.width=16"]), "settings"  # type: ignore[arg-type]
    ),
    "pack to a number": (lambda model: model.pack(5), "path"),
    "pairs in a dict": (lambda model: model.score({"abc": "cba"}), ""),
    "load nothing": (lambda model: seq2see.load(None), "load"),  # type: ignore[arg-type]
    "no engine": (lambda model: seq2see.load("r", engine=None), "engine"),  # type: ignore[arg-type]
    "a loaded model on another device": (lambda model: seq2see.evaluate(model, PAIRS, device="cpu"), "device, engine"),
    "several answers attended to": (lambda model: model.attend("abc", beam=2, n_best=2), "n_best"),
    "compare pairs": (lambda model: seq2see.compare(["plain", "peeky"], PAIRS, out="c"), "data"),  # type: ignore[arg-type]
    "compare text seeds": (
        lambda model: seq2see.compare(["plain", "peeky"], "p.tsv", out="c", seeds="2"), "seeds"  # type: ignore[arg-type]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_arguments_of_the_wrong_kind_get_one_message(
    name: str, model: seq2see.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, where = NOT_TAKEN[name]
    with pytest.raises(UserError) as caught:
        call(model)
    assert caught.value.where == where
    assert caught.value.fix
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "where"), [({"metrics": ["blue"]}, "metrics"), ({"by": "3"}, "by")])
def test_a_comparison_is_refused_before_it_trains(
    options: Any, where: str, tiny_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.comparison.planned.train_run", no_call)
    with pytest.raises(ConfigError) as caught:
        seq2see.compare(["plain", "peeky"], tiny_pairs, out=tmp_path / "c", quiet=True, **options)
    assert caught.value.where == where


@pytest.mark.parametrize("verb", ["compare", "cross_validate", "tune", "distill"])
def test_every_verb_takes_settings_by_key_or_by_section(
    verb: str, tiny_pairs: Path, tiny_run: Path, tmp_path: Path
) -> None:
    def call(settings: Any) -> object:
        out = tmp_path / "out"
        if verb == "compare":
            return seq2see.compare(["plain", "peeky"], tiny_pairs, out=out, settings=settings, quiet=True)
        if verb == "distill":
            return seq2see.distill([tiny_run], out=out, data=PAIRS, settings=settings, quiet=True)
        return getattr(seq2see, verb)(tiny_pairs, out=out, settings=settings, quiet=True)

    with pytest.raises(ConfigError) as by_section:
        call({"training": {"clip": -1.0}})
    with pytest.raises(ConfigError) as by_key:
        call({"training.clip": -1.0})
    assert str(by_section.value) == str(by_key.value)
    assert "training.clip" in str(by_key.value)
    with pytest.raises(ConfigError, match="must be a dict of keys and values, not 'width=3'"):
        call("width=3")
