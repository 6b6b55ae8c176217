"""A model as a repository of the Hugging Face Hub: its folder, with a card that has the metadata the hub reads."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2see.console import counted
from seq2see.data.source_record import NO_RECORD
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationReport
from seq2see.storage.archive import SUFFIX
from seq2see.storage.hub import REPOSITORY, hub_errors
from seq2see.storage.saved_model import SavedModel, find_model_folder, load_model, write_packed
from seq2see.version import __version__

PLACE = "path/to/this/folder"
"""What a card loads the model from."""


@dataclass(frozen=True)
class HubOptions:
    """The arguments of `seq2see.Model.save_pretrained`."""

    license: str | None = None
    language: str | Sequence[str] | None = None
    evaluation: EvaluationReport | None = None
    weights: str = "float32"
    hashes: bool = False


def save_for_hub(run: Path, folder: Path, options: HubOptions, *, repository: str = "") -> None:
    """Write the model of `run` as a folder for the hub, or for this repository of it."""
    if folder.suffix == SUFFIX:
        raise ConfigError("must be a folder, not a packed file", where=str(folder), fix=f"name it {folder.stem}")
    saved = load_model(run)
    if folder.is_dir() and not run.is_file() and folder.samefile(find_model_folder(run)):
        raise ConfigError("is the model that would be saved", where=str(folder), fix="choose another folder")
    name = repository.rpartition("/")[2] or Path(os.path.realpath(folder)).name
    card = hub_card(saved, metadata(saved, name, options), repository)
    record = saved.record if options.hashes else NO_RECORD
    write_packed(folder, saved._replace(record=record), weights=options.weights, card=card, editable_card=True)


def push(run: Path, repository: str, options: HubOptions, *, private: bool | None, token: str | None) -> str:
    """Make or update a repository of the hub; returns its address. See `seq2see.Model.push_to_hub`."""
    if not re.fullmatch(REPOSITORY, repository):
        raise ConfigError(
            "must be owner/name", where=repository, fix="name your account or organization, and the model"
        )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        save_for_hub(run, folder, options, repository=repository)
        with hub_errors(repository, "uploaded"):
            from huggingface_hub import HfApi

            hub = HfApi(token=token, library_name="seq2see", library_version=__version__)
            address = hub.create_repo(repository, private=private, exist_ok=True)
            hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Model made with Seq2See")
    return str(address)


# --- the card


def metadata(saved: SavedModel, name: str, options: HubOptions) -> dict[str, Any]:
    """What the hub reads of a card: of the metrics those of an evaluation, by default those on dev while training."""
    has_source = saved.source_codec is not None
    found: dict[str, Any] = {"library_name": "seq2see"}
    if options.license is not None:
        found["license"] = options.license
    if options.language is not None:
        found["language"] = [options.language] if isinstance(options.language, str) else list(options.language)
    found["tags"] = ["seq2see", "seq2seq" if has_source else "language-model", saved.blueprint.name]
    values, pairs = metrics_of(saved, options.evaluation)
    if values:
        result = {
            "task": {"type": "text2text-generation" if has_source else "text-generation"},
            "dataset": {"type": "pairs", "name": pairs},
            "metrics": [{"type": metric, "value": value} for metric, value in values.items()],
        }
        found["model-index"] = [{"name": name.rpartition("/")[2], "results": [result]}]
    return found


def metrics_of(saved: SavedModel, evaluation: EvaluationReport | None) -> tuple[Mapping[str, float], str]:
    """The metrics by name, and what they were measured on."""
    if evaluation is None:
        trained = saved.config.get("trained", {})
        return trained.get("dev") or {}, "dev pairs, while training"
    scores = {name: estimate.value for name, estimate in evaluation.scores.items()}
    if evaluation.exact_match is not None:
        scores = {"exact_match": evaluation.exact_match, **scores}
    return scores, counted(evaluation.count, "test item")


def hub_card(saved: SavedModel, values: Mapping[str, Any], repository: str) -> str:
    """The model's card below its metadata, which are JSON in YAML; without those of an earlier card."""
    text = re.sub(r"\A---\n.*?\n---\n+", "", saved.card, flags=re.DOTALL)
    if repository:
        text = re.sub(rf"{re.escape(PLACE)}|hf://{REPOSITORY}", f"hf://{repository}", text)
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---", "", text])
