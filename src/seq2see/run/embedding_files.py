"""The files of pretrained word vectors that a run names, and what they conflict with."""

from __future__ import annotations

from seq2see.errors import ConfigError
from seq2see.training.options import TrainingOptions


def embedding_files(options: TrainingOptions) -> dict[str, str]:
    """The files of pretrained vectors by side."""
    files = {"source": options.source_embeddings, "target": options.target_embeddings}
    return {side: path for side, path in files.items() if path is not None}


def require_possible_embeddings(options: TrainingOptions, *, has_source: bool) -> None:
    """ConfigError for options of pretrained vectors that conflict with others."""
    files = embedding_files(options)
    if options.freeze_embeddings and not files:
        fix = "set training.source_embeddings or training.target_embeddings too"
        raise ConfigError("has no effect without pretrained embeddings", where="training.freeze_embeddings", fix=fix)
    for side in files:
        where = f"training.{side}_embeddings"
        if options.start_from:
            what = "has no effect on a model that is fine-tuned, which has embeddings of its own"
            raise ConfigError(what, where=where, fix="leave it out, or train a new model without --from")
        if side == "source" and not has_source:
            raise ConfigError("has no effect on a language model", where=where, fix="set training.target_embeddings")
    if options.freeze_embeddings and options.shard:
        what = "unsupported with training.shard, which splits the tables among the processes"
        raise ConfigError(what, where="training.freeze_embeddings", fix="leave one of the two out")
