"""From folders to models: which engine does the arithmetic, and several models as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from seq2see.errors import CheckpointError, ConfigError, UserError, did_you_mean
from seq2see.inference.engine import Engine, make_numpy_engine
from seq2see.inference.predictor import Predictor
from seq2see.storage.saved_model import SavedModel, load_model

ENGINES = ("auto", "torch", "numpy")


def load(path: str | Path | Sequence[str | Path], *, device: str = "auto", engine: str = "auto") -> Predictor:
    """The model of a run, of its `model/` folder alone, or of a packed file; of several, an ensemble.

    `engine` does the arithmetic: torch, numpy (which needs no PyTorch, and is quick to start), or auto, which is torch
    where PyTorch is installed. Both give the same answers.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged, and ConfigError for
    models that don't share their vocabularies.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    if not paths:
        raise ConfigError("no run was named", where="load", fix="name one, or several for an ensemble")
    make = engine_maker(engine, device)
    models = [model_of(load_model(each), make) for each in paths]
    first, *others = models
    for place, other in zip(paths[1:], others, strict=True):
        if (other.source_codec, other.target_codec) != (first.source_codec, first.target_codec):
            raise ConfigError(
                f"its vocabulary is not that of {paths[0]}",
                where=str(place),
                fix="train an ensemble's members on the same data with the same text options and the same --dev: "
                "what is set aside without it depends on the seed",
            )
    if not others:
        return first
    return Predictor(
        first.engine,
        first.source_codec,
        first.target_codec,
        max_length=max(model.max_length for model in models),
        name=" + ".join(model.name for model in models),
        others=[model.engine for model in others],
    )


def model_of(saved: SavedModel, make: Callable[[SavedModel], Engine]) -> Predictor:
    """The model with an engine made for it. CheckpointError where its configuration and tensors make none."""
    try:
        own = make(saved)
    except (UserError, ValueError) as error:
        what = f"holds no model that can be built: {str(error).splitlines()[0]}"
        raise CheckpointError(what, where=saved.origin, fix="copy it again from where it was made") from error
    return Predictor(
        own,
        saved.source_codec,
        saved.target_codec,
        max_length=saved.config["max_length"],
        name=saved.config["model"]["name"],
    )


def engine_maker(engine: str, device: str) -> Callable[[SavedModel], Engine]:
    """What makes an engine of that name from a saved model. Raises ConfigError for one that isn't there."""
    if engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", where="engine", fix=did_you_mean(engine, ENGINES))
    if engine == "torch" or (engine == "auto" and (find_spec("torch") or device not in ("auto", "cpu"))):
        from seq2see.inference.torch_engine import find_device, make_torch_engine

        where = find_device(device)
        return lambda saved: make_torch_engine(saved, where)
    if device not in ("auto", "cpu"):
        raise ConfigError(
            f"NumPy doesn't calculate on {device}", where="device", fix="leave it out, or use engine torch"
        )
    return make_numpy_engine
