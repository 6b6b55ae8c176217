"""Training from a program: the function behind `seq2see.train`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console

from seq2see.config import given_keys, make_config
from seq2see.data import Pair
from seq2see.errors import ConfigError, DataError
from seq2see.inference.predictor import Predictor
from seq2see.model import DEFAULT, find
from seq2see.run.fine_tune import architecture_at
from seq2see.run.folder import has_checkpoint, stored_config
from seq2see.run.train import train as train_run

Model = Predictor

PairsOrPath: TypeAlias = str | Path | Sequence[str | Path] | Iterable[tuple[str, str]] | Iterable[Pair]


def train(
    data: PairsOrPath,
    *,
    model: str | None = None,
    dev: PairsOrPath | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    engine: str = "torch",
    device: str = "auto",
    force: bool = False,
    resume: bool = False,
    fallback_previous: bool = False,
    allow_changes: bool = False,
    auto_resume: bool = False,
    quiet: bool = False,
) -> Model:
    """Train a model and return the best one; everything else stays in the run folder `out`.

    `data` and `dev` are a path (TSV, JSONL), two paths (parallel files), or (source, target) pairs; for
    `model="language_model"` a path to text, or ("", text) pairs. `settings` are the keys of a recipe, such
    as `{"training.rate": 2e-3, "model.width": 128}`; `{"training.start_from": "runs/old"}` trains a model further.
    `resume`, `fallback_previous`, `allow_changes` and `auto_resume` are those of `seq2see train`. Where a launcher has
    started several processes of a program, each calls this and gets the same model.
    `engine="scratch"` trains the models written by hand in NumPy. Raises UserError for all that can be put right.
    """
    values: dict[str, dict[str, Any]] = {"data": {}, "model": {"name": model} if model else {}}
    named = (settings or {}).get("model.name")
    if model is not None and named is not None:
        raise ConfigError("the model is named twice", where="model, settings", fix="give one of the two")
    started_from = (settings or {}).get("training.start_from")
    if started_from and not (model or named):
        goes_on = out and (resume or (auto_resume and has_checkpoint(Path(out))))
        named = stored_config(Path(str(out))).model.name if goes_on else architecture_at(Path(started_from))
    has_source = find(str(model or named or DEFAULT)).has_source
    pairs: dict[str, list[Pair]] = {}
    for name, given in (("train", data), ("dev", dev)):
        if isinstance(given, str | Path):
            given = [given]
        items = list(given or ())
        if items and all(isinstance(item, str | Path) for item in items):
            values["data"][name] = [str(Path(str(item)).absolute()) for item in items]
        elif given is not None:
            pairs[name] = as_pairs(items, has_source=has_source)
    if out is None:
        if "train" in pairs:
            raise ConfigError(
                "pairs given in a program need a run folder", where="out", fix='say where: out="runs/mine"'
            )
        out = default_folder(values["data"]["train"][0])
    config = make_config(values, settings or {}, settings_where="settings")
    trained = train_run(
        config,
        Path(out),
        given=given_keys(values, settings or {}),
        pairs=pairs.get("train"),
        dev_pairs=pairs.get("dev"),
        engine=engine,
        device=device,
        force=force,
        resume=resume,
        fallback_previous=fallback_previous,
        allow_changes=allow_changes,
        auto_resume=auto_resume,
        console=Console(stderr=True, quiet=quiet),
    )
    return trained.load(device)


def default_folder(data: str | Path) -> Path:
    """runs/pairs for pairs.tsv.gz."""
    return Path("runs") / (Path(data).name.strip(".").partition(".")[0] or "run")


def as_pairs(items: Sequence[object], *, has_source: bool) -> list[Pair]:
    """Pairs of a program, each checked. Raises DataError that names the first that is none."""
    pairs = []
    for number, item in enumerate(items, start=1):
        origin = item.origin if isinstance(item, Pair) else f"pair {number}"
        match item[:2] if isinstance(item, Pair) else item:
            case (str(source), str(target)) if target.strip() and (source.strip() or not has_source):
                pairs.append(Pair(source if has_source else "", target, origin))
            case _:
                fix = 'give ("source", "target"), both with text' if has_source else 'give ("", "text")'
                raise DataError(f"{item!r} is not a pair", where=f"pair {number}", fix=fix)
    if not pairs:
        raise DataError("there are no pairs", fix="give a path, or a list of (source, target)")
    return pairs
