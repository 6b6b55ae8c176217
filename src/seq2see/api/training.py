"""Training in the Python API: one model, or several compared. Importing this imports PyTorch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Literal, Never, Unpack

from seq2see.api.model import DeviceName, Model, Paths, load
from seq2see.comparison import Comparison, CrossValidation
from seq2see.comparison import compare as compare_models
from seq2see.comparison import cross_validate as cross_validate_files
from seq2see.config import dotted, given_keys, key_of, make_config
from seq2see.console import Terminal
from seq2see.data import Pair
from seq2see.data.given import PairData, pairs_of, paths_or_pairs
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError, DataError
from seq2see.evaluation import EvaluationArguments, EvaluationOptions
from seq2see.inference.checking import hints_of, require_known, require_type, require_types, texts_of
from seq2see.inference.loading import as_paths
from seq2see.inference.options import Beam
from seq2see.model import DEFAULT, find
from seq2see.recipes import recipe_values
from seq2see.run.distillation import distill as distill_runs
from seq2see.run.fine_tune import architecture_at
from seq2see.run.folder import default_folder, has_checkpoint, stored_config
from seq2see.run.seeds import train_seeds
from seq2see.run.train import train as train_run
from seq2see.training.options import Seeds
from seq2see.tuning import Budget, Tuning
from seq2see.tuning import tune as tune_settings
from seq2see.usual_names import name_here


def train(
    data: PairData,
    *,
    model: str | None = None,
    recipe: str | Path | None = None,
    dev: PairData | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    engine: Literal["torch", "scratch"] = "torch",
    device: DeviceName = "auto",
    seeds: int = 1,
    force: bool = False,
    resume: bool = False,
    fallback_previous: bool = False,
    allow_changes: bool = False,
    auto_resume: bool = False,
    quiet: bool = False,
    **unknown: Never,
) -> Model:
    """Train a model and return the best one; everything else stays in the run folder `out`.

    `data` and `dev` are a path (a table, JSON), two paths (parallel files), or (source, target) pairs; for
    `model="language_model"` a path to text, or ("", text) pairs. `recipe` has settings for a usual use, such as
    "summary", or is the path of a recipe, whose data are not read. `settings` are the keys of a recipe, such
    as `{"training.rate": 2e-3, "model.width": 128}`, or its sections, `{"training": {"rate": 2e-3}}`;
    `{"data.source": "lemma,features", "data.target": "form"}` chooses columns, and
    `{"training.start_from": "runs/old"}` fine-tunes a model.
    With `seeds` above 1, runs from that many consecutive seeds are trained, in folders of `out`, and returned as an
    ensemble. `resume`, `fallback_previous`, `allow_changes` and `auto_resume` are those of `seq2see train`. Where a
    launcher has started several processes of a program, each calls this and gets the same model.
    `engine="scratch"` trains the models written by hand in NumPy. Raises UserError for invalid arguments or data.
    """
    for name in unknown:
        raise unknown_argument(name, [each for each in signature(train).parameters if each != "unknown"])
    flags = {
        "force": force,
        "resume": resume,
        "fallback_previous": fallback_previous,
        "allow_changes": allow_changes,
        "auto_resume": auto_resume,
        "quiet": quiet,
    }
    for name, flag in flags.items():
        require_type(name, flag, bool)
    if out is not None:
        (out,) = as_paths(out, where="out")
    settings = settings_of(settings)
    if data is None:
        raise DataError("no training data were given", where="data", fix="give a path, or a list of (source, target)")
    own_values = {} if recipe is None else recipe_values(str(recipe), where="recipe")
    values: dict[str, dict[str, Any]] = {"data": {}, "model": {}} | own_values
    for name in ("train", "dev"):
        values["data"].pop(name, None)
    named = settings.get("model.name")
    if model is not None and named is not None:
        raise ConfigError("the model is named twice", where="model, settings", fix="give one of the two")
    if model:
        values["model"]["name"] = model
    named = named or values["model"].get("name")
    started_from = settings.get("training.start_from")
    if started_from is not None and not isinstance(started_from, str | Path):
        what = f"must be a path, not {started_from!r}"
        raise ConfigError(what, where="training.start_from", fix="give the path of a run or a model")
    if started_from and not named:
        resumes = out and (resume or (auto_resume and has_checkpoint(Path(out))))
        named = stored_config(Path(str(out))).model.name if resumes else architecture_at(Path(started_from))
    has_source = find(str(named or DEFAULT)).has_source
    pairs: dict[str, list[Pair]] = {}
    for name, given in (("train", data), ("dev", dev)):
        if given is None:
            continue
        if f"data.{name}" in settings:
            fix = "give one of the two"
            raise ConfigError(f"conflicts with settings data.{name}", where=name if name == "dev" else "data", fix=fix)
        paths, own = paths_or_pairs(given, has_source=has_source, where="dev" if name == "dev" else "")
        if paths:
            values["data"][name] = [str(path.absolute()) for path in paths]
        else:
            pairs[name] = own
    if out is None:
        if "train" in pairs:
            what = "a run folder is needed for pairs given in a program"
            raise ConfigError(what, where="out", fix='add out="runs/mine"')
        out = default_folder(values["data"]["train"][0])
    config = make_config(values, settings, settings_where="settings")
    asked: dict[str, Any] = {
        "given": given_keys(values, settings),
        "pairs": pairs.get("train"),
        "dev_pairs": pairs.get("dev"),
        "engine": engine,
        "device": device,
        "force": force,
        "resume": resume,
        "fallback_previous": fallback_previous,
        "allow_changes": allow_changes,
        "auto_resume": auto_resume,
        "console": Terminal(stderr=True, quiet=quiet),
    }
    if require_type("seeds", seeds, Seeds) > 1:
        runs = train_seeds(config, Path(out), seeds, **asked)
        if runs is None:
            raise KeyboardInterrupt
        return load(runs, device=device)
    return load(train_run(config, Path(out), **asked).folder, device=device)


def distill(
    runs: Paths,
    *,
    out: str | Path,
    data: PairData | None = None,
    dev: PairData | None = None,
    sources: Iterable[str] = (),
    beam: int = 5,
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    force: bool = False,
    quiet: bool = False,
) -> Model:
    """Train one model on the answers of several runs, and on the true pairs of the first: `seq2see distill`.

    They answer the sources of these pairs, and further `sources` without targets. `data` and `dev` are the pairs, if
    those of the run were given in a program, or have moved. `settings` change the configuration
    of the first run. The model is returned; its run is in `out`, and what it was trained on beside that, in `out`-data.
    """
    trained = distill_runs(
        as_paths(runs, where="runs"),
        Path(out),
        data=() if data is None else pairs_of(data, has_source=True),
        dev=() if dev is None else pairs_of(dev, has_source=True),
        texts=texts_of(sources, where="sources"),
        beam=require_type("beam", beam, Beam),
        settings=settings_of(settings),
        device=device,
        force=require_type("force", force, bool),
        console=Terminal(stderr=True, quiet=quiet),
    )
    return load(trained.folder, device=device)


def compare(
    models: Iterable[str],
    data: Paths,
    *,
    out: str | Path,
    dev: Paths = (),
    test: Paths = (),
    seeds: int = 1,
    sizes: Iterable[int] = (),
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    quiet: bool = False,
    **options: Unpack[EvaluationArguments],
) -> Comparison | None:
    """Train architectures or recipes (.toml) on the same files and evaluate them side by side: `seq2see compare`.

    Scores are on the `test` files, by default on dev. With `sizes`, such as [100, 300, 900], each is trained on that
    many pairs, and the result has the scores by size. Everything is written to `out`, with a page compare.html. The
    same call continues after an interruption (then it returns None) and trains nothing twice.
    """
    table, others = table_and_others(options, where="compare")
    names = [models] if isinstance(models, str) else list(models)
    return compare_models(
        names,
        as_paths(data, where="data"),
        Path(out),
        dev=as_paths(dev, where="dev"),
        test=as_paths(test, where="test"),
        seeds=require_type("seeds", seeds, Seeds),
        sizes=[require_type("sizes", size, int) for size in sizes],
        settings=settings_of(settings),
        table=table,
        request=EvaluationOptions(**others),
        device=device,
        console=Terminal(stderr=True, quiet=quiet),
    )


def cross_validate(
    data: Paths,
    *,
    out: str | Path,
    folds: int = 5,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    quiet: bool = False,
    **options: Unpack[EvaluationArguments],
) -> CrossValidation | None:
    """Score settings by k-fold cross-validation: `seq2see cross`.

    Each fold of the files is predicted by a model that was trained on the others; pairs of one group (`data.group`, by
    default of one source) are in the same fold. The runs and the wrong predictions are written to `out`. The same call
    continues after an interruption (then it returns None) and trains nothing twice.
    """
    table, others = table_and_others(options, where="cross_validate")
    paths = [str(path.absolute()) for path in as_paths(data, where="data")]
    values: dict[str, dict[str, Any]] = {"data": {"train": paths} | dict(table.given()), "model": {}}
    if model is not None:
        values["model"]["name"] = model
    own_settings = settings_of(settings)
    config = make_config(values, own_settings, settings_where="settings")
    return cross_validate_files(
        config,
        Path(out),
        require_type("folds", folds, int),
        given=frozenset(given_keys(values, own_settings)),
        request=EvaluationOptions(**others),
        device=device,
        console=Terminal(stderr=True, quiet=quiet),
    )


def tune(
    data: Paths,
    *,
    out: str | Path,
    dev: Paths = (),
    trials: int | None = None,
    minutes: float | None = None,
    jobs: int = 1,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    quiet: bool = False,
) -> Tuning | None:
    """Try settings on dev and write the best as a recipe, out/best.toml: `seq2see tune`.

    What is in `settings` is not tuned. The same call continues after an interruption (then it returns None), and with
    a larger budget it adds trials. With several `jobs`, a program calls it under `if __name__ == "__main__":`.
    """
    files = {"train": as_paths(data, where="data"), "dev": as_paths(dev, where="dev")}
    values: dict[str, dict[str, Any]] = {"data": {}, "model": {"name": model} if model else {}}
    for name, paths in files.items():
        if paths:
            values["data"][name] = [str(path.absolute()) for path in paths]
    own_settings = settings_of(settings)
    config = make_config(values, own_settings, settings_where="settings")
    return tune_settings(
        config,
        Path(out),
        given=frozenset(given_keys(values, own_settings)),
        budget=Budget(trials, minutes),
        jobs=require_type("jobs", jobs, int),
        device=device,
        console=Terminal(stderr=True, quiet=quiet),
    )


OWN_ARGUMENTS = {"model.name": "model", "data.train": "data", "data.dev": "dev"}
"""Settings that `train` takes as an argument."""


def settings_of(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings by dotted keys, whether given by key or by section; ConfigError for what is no mapping."""
    if settings is not None and not isinstance(settings, Mapping):
        fix = 'give a dict: settings={"model.width": 128}'
        raise ConfigError(f"must be a dict of keys and values, not {settings!r}", where="settings", fix=fix)
    return dotted(settings or {})


def unknown_argument(name: str, known: Collection[str]) -> ConfigError:
    """The error for an argument that `train` doesn't have, with what is called so elsewhere: an argument, a setting."""
    key = key_of(name)
    fix = name_here(name, known)
    if key in OWN_ARGUMENTS:
        fix = f"it is called {OWN_ARGUMENTS[key]} here"
    elif key is not None:
        fix = f'it is a setting: settings={{"{key}": …}}'
    return ConfigError(f"unknown option {name!r}", where="train", fix=fix)


def table_and_others(options: EvaluationArguments, *, where: str) -> tuple[TableOptions, dict[str, Any]]:
    """The options of a table, and those of an evaluation, whose own checks turn lists into tuples."""
    own = {name: value for name, value in options.items() if name in hints_of(TableOptions)}
    others = {name: value for name, value in options.items() if name not in own}
    require_known(others, EvaluationOptions, where=where)
    table = TableOptions(**own)  # type: ignore[arg-type]
    require_types(table)
    return table, others
