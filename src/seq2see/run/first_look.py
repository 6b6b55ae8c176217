"""What a new run says at once: its data are read before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from seq2see.blueprint import find, resolve
from seq2see.config import Config
from seq2see.data import Pair
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError
from seq2see.run.embedding_files import require_possible_embeddings
from seq2see.run.folder import require_free
from seq2see.run.pairs import RunData, read_data, require_possible_unpaired, with_units


def read_first(
    config: Config,
    folder: Path,
    say: Callable[[str], None],
    *,
    force: bool,
    pairs: Sequence[Pair] | None = None,
    dev_pairs: Sequence[Pair] | None = None,
) -> RunData | None:
    """The data of a new run, with what there is to say about them said.

    None where something else comes first: a pretrained model, other processes, or the message that PyTorch is missing.
    Raises what training would raise: ConfigError for the model, DataError for the data, ConfigError for the folder.
    """
    is_alone = os.environ.get("WORLD_SIZE", "1") == "1"
    if config.training.start_from or not is_alone or find_spec("torch") is None:
        return None
    require_model(config)
    data = read_request(config, folder, pairs, dev_pairs, force=force)
    for line in data.notes:
        say(line)
    return replace(data, notes=[])


def read_request(
    config: Config,
    folder: Path,
    pairs: Sequence[Pair] | None,
    dev_pairs: Sequence[Pair] | None,
    *,
    force: bool,
    known: TableOptions = TableOptions(),  # noqa: B008 (frozen)
) -> RunData:
    """The data of a new run, by default in the columns `known` from the model that it starts from.

    What is wrong with them is said before what is wrong with the folder: otherwise a mistyped name would be found only
    after an existing run has been given up with `force`.
    """
    has_source = find(resolve(config.model).name).has_source
    require_possible_embeddings(config.training, has_source=has_source)
    require_possible_unpaired(config, has_source=has_source)
    data = with_units(
        read_data(config, pairs, dev_pairs, has_source=has_source, known=known),
        config.text,
        has_source=has_source,
        is_new=config.training.start_from is None,
    )
    require_free(folder, force=force)
    return data


def require_model(config: Config) -> None:
    """ConfigError for options of the model that are invalid, or that conflict with those of the texts."""
    if resolve(config.model).tie == "all" and not config.text.joint:
        what = "all requires one vocabulary for both sides"
        raise ConfigError(what, where="model.tie", fix="set text.joint=true too")
    name = resolve(config.model).name
    if config.text.joint and find(name).is_transducer:
        raise ConfigError("unsupported by a transducer", where="text.joint", fix="set text.joint=false")
    if config.training.attention_losses and not find(name).has_attention:
        key = next(iter(config.training.attention_losses))
        what = f"must be 0 with model {name!r}, which has no attention to the source"
        raise ConfigError(what, where=f"training.{key}", fix="leave it out, or choose --model bidirectional")
