"""From folders and files to models: which engine computes, and several models as an ensemble."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TypeVar, get_args, overload

from seq2see.data.options import known_from
from seq2see.data.source_record import merged
from seq2see.errors import CheckpointError, ConfigError, did_you_mean
from seq2see.inference.engine import Engine, make_numpy_engine
from seq2see.inference.notes import Seen
from seq2see.inference.options import EngineName
from seq2see.inference.predictor import Predictor
from seq2see.storage.hub import fetched
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.system_errors import reported, require_possible
from seq2see.text import Codecs

MEMBER = "seed-{}"
"""The name of a run in a folder of several."""
ENGINES = get_args(EngineName)
P = TypeVar("P", bound=Predictor)


@overload
def load(path: str | Path | Sequence[str | Path], *, device: str = "auto", engine: str = "auto") -> Predictor: ...
@overload
def load(
    path: str | Path | Sequence[str | Path], *, device: str = "auto", engine: str = "auto", kind: type[P]
) -> P: ...


def load(
    path: str | Path | Sequence[str | Path],
    *,
    device: str = "auto",
    engine: str = "auto",
    kind: type[Predictor] = Predictor,
) -> Predictor:
    """The model of a run folder, of its `model/` folder alone, or of a packed file; several are an ensemble.

    A folder of several, as `train --seeds` and `pack` make it, is an ensemble too. `hf://owner/name` is a model of the
    Hugging Face Hub, downloaded by huggingface_hub.

    `engine` computes: numpy, torch, or auto: torch for a GPU (`device` cuda or mps), else NumPy, which needs no PyTorch
    and is faster on a CPU (docs/shipping.md). Both give the same answers. torch-bfloat16 multiplies in that format: on
    processors with instructions for it that is faster for many texts, and log-probabilities differ in the second
    decimal, so a few answers do. `kind` is the class of the result.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged, and ConfigError for an
    invalid argument, or for models with different vocabularies.
    """
    paths = [member for place in as_paths(path, where="load") for member in members_of(fetched(place))]
    if not paths:
        raise ConfigError("no run was given", where="load", fix="give one, or several for an ensemble")
    make = engine_maker(engine, device)
    models = [model_of(load_model(each), make, kind) for each in paths]
    first, *others = models
    for place, other in zip(paths[1:], others, strict=True):
        if vocabularies_of(other) != vocabularies_of(first):
            raise ConfigError(
                f"has another vocabulary than {paths[0]}",
                where=str(place),
                fix="train the members of an ensemble on the same data with the same text options and the same --dev: "
                "the dev pairs that are set aside without it depend on the seed (or train them with --seeds)",
            )
    return kind(
        first.engine,
        first.source_codec,
        first.target_codec,
        max_length=max(model.max_length for model in models),
        length_penalty=sum(model.length_penalty for model in models) / len(models),
        no_repeat=first.no_repeat,
        metric=first.metric,
        name=" + ".join(model.name for model in models),
        others=[model.engine for model in others],
        paths=paths,
        seen=reduce(Seen.joined, (model.seen for model in models)),
        record=merged([model.record for model in models]),
        table=first.table,
        card=first.card,
    )


def members_of(path: Path) -> list[Path]:
    """The models of a folder of several, in the order of their seeds; otherwise the path alone."""
    require_possible(path, CheckpointError)
    if not path.is_dir():
        return [path]
    with reported(path, "read", CheckpointError):
        inside = list(path.iterdir())
    seeds = {each: match for each in inside if (match := re.fullmatch(r"seed-(\d+)(\.seq2see)?", each.name))}
    return sorted(seeds, key=lambda each: int(seeds[each][1])) or [path]


def vocabularies_of(model: Predictor) -> Codecs:
    """What the members of an ensemble have to share; of transducers, each has its own alignment."""
    return model.source_codec, replace(model.target_codec, aligner=None)


def as_paths(paths: object, *, where: str) -> list[Path]:
    """One path or several as a list. ConfigError for anything else."""
    given = list(paths) if isinstance(paths, Iterable) and not isinstance(paths, str) else [paths]
    found = []
    for each in given:
        if not isinstance(each, str | Path):
            raise ConfigError(f"must be a path or several, not {each!r}", where=where, fix="give a str or a Path")
        found.append(Path(each))
    return found


def model_of(saved: SavedModel, make: Callable[[SavedModel], Engine], kind: type[Predictor] = Predictor) -> Predictor:
    """The model with an engine made for it."""
    return kind(
        make(saved),
        saved.source_codec,
        saved.target_codec,
        max_length=saved.config["max_length"],
        length_penalty=saved.config.get("length_penalty", 0.0),
        no_repeat=saved.config.get("no_repeat"),
        metric=saved.config.get("metric", ""),
        name=saved.blueprint.name,
        seen=Seen.of(
            saved.config.get("trained"),
            saved.source_codec or saved.target_codec,
            "source" if saved.source_codec else "target",
        ),
        record=saved.record,
        table=known_from(saved.config.get("columns")),
        card=saved.card,
    )


def engine_maker(engine: str, device: str) -> Callable[[SavedModel], Engine]:
    """The function that makes the named engine from a saved model. ConfigError for an unknown or unsuitable one."""
    if engine not in ENGINES:
        raise ConfigError(f"unknown engine {engine!r}", where="engine", fix=did_you_mean(engine, ENGINES))
    on_cpu = device in ("auto", "cpu")
    if engine.startswith("torch") or (engine == "auto" and not on_cpu):
        from seq2see.inference.torch_engine import find_device, make_torch_engine

        where = find_device(device)
        return lambda saved: make_torch_engine(saved, where, bfloat16=engine == "torch-bfloat16")
    if not on_cpu:
        raise ConfigError(f"--engine numpy computes on the CPU alone, not on {device}", where="device", fix="use cpu")
    return make_numpy_engine
