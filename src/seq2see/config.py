"""The configuration of a run: the options of each part, from TOML and `key=value` settings, and back to TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from seq2see.blueprint import ModelOptions
from seq2see.data.options import DataOptions, columns_in
from seq2see.errors import ConfigError, did_you_mean
from seq2see.metrics.names import metric_called
from seq2see.printable import has_surrogates, one_line
from seq2see.system_errors import absolute, reported
from seq2see.text.options import TextOptions
from seq2see.training.options import TrainingOptions

USUAL_NAMES = {
    "data.train": "train_file train_data trainpref src_train train_src",
    "data.dev": "valid validation val validation_file valid_file eval_file dev_file validpref valid_src src_valid",
    "data.dev_share": "validation_split val_split dev_size validation_split_percentage",
    "data.workers": "num_workers dataloader_num_workers",
    "text.source": "src_level source_level src_tokenizer tokenizer level",
    "text.target": "trg_level tgt_level target_level tgt_tokenizer",
    "text.normalization": "normalize normalise normalisation unicode_normalization",
    "text.case": "do_lower_case lowercase lower_case uncased src_lowercase",
    "text.truncate": "max_source_length max_src_len truncate_source src_seq_length_trunc max_sent_length src_truncate",
    "text.protect": "user_defined_symbols glossaries added_tokens additional_special_tokens protected_patterns",
    "text.joint": "share_vocab joined_dictionary share_dict shared_vocab joint_dictionary",
    "text.max_vocabulary": "vocab_size vocabulary_size src_vocab_size tgt_vocab_size voc_limit max_vocab_size",
    "text.min_count": "min_frequency word_frequency min_freq src_words_min_frequency voc_min_freq thresholdsrc",
    "text.subword_size": "bpe_merges num_merges bpe_size",
    "text.bpe_dropout": "src_bpe_dropout src_subword_alpha",
    "model.name": "arch architecture model_type encoder_type",
    "model.width": "hidden_size hidden_dim d_model rnn_size hidden units enc_hid_size model_dim encoder_hidden_size",
    "model.embedding": "embedding_dim emb_dim word_vec_size embed_dim embedding_size encoder_embed_dim",
    "model.layers": "num_layers n_layers num_hidden_layers",
    "model.encoder_layers": "enc_layers num_encoder_layers",
    "model.decoder_layers": "dec_layers num_decoder_layers",
    "model.dropout": "dropout_rate attention_dropout hidden_dropout",
    "model.heads": "num_heads nhead n_heads attention_heads num_attention_heads encoder_attention_heads",
    "model.feed_forward": "ff_size transformer_ff ffn_dim encoder_ffn_dim encoder_ffn_embed_dim intermediate_size",
    "model.positions": "position_encoding position_encoding_type pos_encoding",
    "model.max_positions": "max_position_embeddings max_source_positions max_target_positions n_positions",
    "model.activation": "activation_fn activation_function pos_ffn_activation_fn",
    "model.norm": "layer_norm encoder_normalize_before",
    "model.direction": "brnn bidirectional_encoder encoder_bidirectional",
    "model.cell": "rnn_type cell_type rnn_cell",
    "model.score": "global_attention attention_type attention_score",
    "model.tie": "tie_embeddings tied_embeddings tied_softmax share_embeddings share_all_embeddings",
    "training.max_updates": "max_steps train_steps max_update steps updates num_train_steps iterations num_steps",
    "training.max_epochs": "epochs epoch max_epoch num_epochs n_epochs num_train_epochs",
    "training.rate": "lr learning_rate",
    "training.schedule": "lr_scheduler lr_scheduler_type decay_method scheduling scheduler",
    "training.warmup": "warmup_steps warmup_updates warmup_ratio learning_rate_warmup",
    "training.batch_size": "per_device_train_batch_size train_batch_size max_sentences bsz",
    "training.batch_tokens": "max_tokens",
    "training.accumulate": "gradient_accumulation_steps update_freq accum_count batch_multiplier",
    "training.optimizer": "optim optimiser",
    "training.clip": "clip_norm max_grad_norm clip_grad_norm gradient_clipping",
    "training.label_smoothing": "label_smoothing_factor smoothing",
    "training.evaluate_every": "eval_steps valid_steps validation_freq validate_interval_updates eval_every",
    "training.checkpoint_every": "save_steps save_checkpoint_steps save_interval_updates save_every save_interval",
    "training.keep_checkpoints": "save_total_limit keep_checkpoint keep_last_epochs keep_best_ckpts keep_last_ckpts",
    "training.metric": "metric_for_best_model best_checkpoint_metric early_stopping_metric",
    "training.patience": "early_stopping early_stopping_patience early_stop",
    "training.ema": "ema_decay average_decay",
    "training.average": "average_checkpoints num_epoch_checkpoints",
    "training.precision": "fp16 bf16 dtype amp model_dtype mixed_precision",
    "training.seed": "random_seed",
    "training.shard": "fsdp use_sharded_state",
    "training.source_embeddings": "src_embeddings pre_word_vecs_enc encoder_embed_path pretrained_embeddings",
    "training.target_embeddings": "tgt_embeddings pre_word_vecs_dec decoder_embed_path",
    "training.freeze_embeddings": "freeze_word_vecs_enc freeze_word_vecs_dec freeze_word_embeddings fix_word_vecs_enc",
    "training.start_from": "train_from finetune_from_model restore_file load_model pretrained model_name_or_path",
}
"""By key: what Hugging Face, fairseq, OpenNMT, Eole and JoeyNMT call the same option, or one that takes its place."""


@dataclass(frozen=True)
class Config:
    """All options of a run; those that are None are chosen from the data."""

    data: DataOptions = field(default_factory=DataOptions)
    text: TextOptions = field(default_factory=TextOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)


MAX_BYTES = 2**20
"""Bytes of a TOML file: far more than any recipe has."""


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; relative paths in it are resolved against the file's folder."""
    require_small_file(path)
    with reported(path, "read", ConfigError, also="give the path of a TOML file"):
        content = path.read_bytes()
    try:
        values = tomllib.loads(content.decode(errors="surrogateescape"))  # a path may be any bytes
    except (ValueError, RecursionError) as error:  # ValueError: also for numbers of thousands of digits
        what = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"is not valid TOML: {what}", where=str(path), fix="correct the file at that place") from None
    set_data_folder(values, path.parent)
    require_utf8(values, where=str(path))
    return values


TRAINING_PATHS = ("start_from", "source_embeddings", "target_embeddings")
"""The options of training that are paths."""
DATA_PATHS = ("also_source", "also_target")
"""The options of data that are each one path."""
PATHS = {
    ("data", "train"),
    ("data", "dev"),
    *(("data", name) for name in DATA_PATHS),
    *(("training", name) for name in TRAINING_PATHS),
}
"""The options whose values are paths: they may be names that aren't UTF-8."""


def require_utf8(values: Mapping[str, Any], *, where: str) -> None:
    """ConfigError for a key or value that isn't UTF-8, other than a path."""
    for section, table in values.items():
        for name, value in table.items() if isinstance(table, Mapping) else [("", table)]:
            key = f"{section}.{name}" if name else section
            texts = value if isinstance(value, list | tuple) else [value]
            for text in (key, *([] if (section, name) in PATHS else texts)):
                if isinstance(text, str) and has_surrogates(text):
                    what = f"'{one_line(text):.80}' is not valid UTF-8" + ("" if text is key else f" ({key})")
                    fix = "convert the file to UTF-8" if where != "--set" else "write it in UTF-8"
                    raise ConfigError(what, where=where, fix=fix)


def require_small_file(path: Path) -> None:
    """ConfigError for a pipe or a device, which may have no end, and for a file too large for a recipe."""
    if not path.exists() or path.is_dir():
        return
    if not path.is_file():
        raise ConfigError("is not a regular file", where=str(path), fix="give the path of a TOML file")
    if (size := path.stat().st_size) > MAX_BYTES:
        what = f"must have at most {MAX_BYTES:,} bytes, and has {size:,}"
        raise ConfigError(what, where=str(path), fix="give the path of a TOML file")


def set_data_folder(values: dict[str, Any], folder: Path) -> None:
    """Make the paths absolute, resolved against `folder`; under `data`, a single path or column needs no brackets."""
    training = values.get("training")
    data = values.get("data")
    for table, names in ((training, TRAINING_PATHS), (data, DATA_PATHS)):
        for key in names:
            if isinstance(table, dict) and isinstance(table.get(key), str | Path):
                table[key] = str(absolute(folder / table[key]))
    for key in ("train", "dev"):
        if isinstance(data, dict) and key in data:
            named = [data[key]] if isinstance(data[key], str) else data[key]
            if isinstance(named, list | tuple):
                named = [str(absolute(folder / name)) if isinstance(name, str) else name for name in named]
            data[key] = named
    if isinstance(data, dict):
        data |= {key: columns_in(data[key], keep_empty=key == "names") for key in ("source", "names") if key in data}
        data |= {key: str(data[key]) for key in ("target", "comment", "delimiter") if isinstance(data.get(key), int)}


def parse_setting(setting: str) -> tuple[str, Any]:
    """`training.rate=2e-3` as ("training.rate", 0.002): the value is read as TOML, or else as text."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"must have the form key=value, not {setting!r:.80}",
            where="--set",
            fix="write key=value, such as training.rate=2e-3; files come before --set",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    except (ValueError, RecursionError):
        what = f"the value of {key.strip()!r:.80} has too many digits, or is nested too deeply"
        raise ConfigError(what, where="--set", fix="give a smaller value") from None
    return key.strip(), value


def make_config(
    values: Mapping[str, Any], settings: Mapping[str, Any], *, where: str = "recipe", settings_where: str = "--set"
) -> Config:
    """The configuration from tables that came from `where`; `settings` (dotted keys) take precedence.

    Raises ConfigError with the place and the closest key or value.
    """
    known = list(option_names(Config))
    sections = {name.partition(".")[0] for name in known}
    merged: dict[str, Any] = {}
    for section, table in values.items():
        if section not in sections:
            raise unknown_key(
                f"{section}.{next(iter(table))}" if isinstance(table, Mapping) and table else section, where
            )
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"must be a section, not {shown(table)}", where=section, fix=f"set one of its keys: [{section}]"
            )
        for name in table:
            if f"{section}.{name}" not in known:
                raise unknown_key(f"{section}.{name}", where)
        merged[section] = dict(table)
    for key, value in settings.items():
        if key not in known:
            raise unknown_key(key, settings_where)
        section, _, name = key.partition(".")
        merged.setdefault(section, {})[name] = value
    set_data_folder(merged, Path())
    if isinstance(units := merged.get("text", {}).get("source"), str) and "," in units:  # as columns may be given
        merged["text"]["source"] = columns_in(units)
    require_utf8(merged, where=settings_where)
    for section, table in merged.items():
        for name, value in table.items():
            if beyond(value):
                what = "numbers must fit into 64 bits"
                raise ConfigError(what, where=f"{section}.{name}", fix="give a smaller number")
    try:
        return msgspec.convert(merged, Config, strict=False)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ConfigError):  # of the options themselves
            raise error.__cause__ from None
        raise invalid_value(str(error), merged) from None


def beyond(value: object) -> bool:
    """Whether the value has an integer beyond 64 bits, which msgspec can't check."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    if isinstance(value, Mapping):
        return any(map(beyond, value.values()))
    return isinstance(value, list | tuple) and any(map(beyond, value))


def shown(value: object) -> str:
    """The value for a message, cut if it is long."""
    return f"{value!r:.80}"


def given_keys(values: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """The dotted keys that were set explicitly."""
    return {f"{section}.{name}" for section, table in values.items() for name in table} | set(settings)


def option(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def key_of(name: str) -> str | None:
    """The dotted key of the option that is called so without its section, or in other toolkits: `lr`, `--max-steps`."""
    plain = re.sub(r"[-.\s]+", "_", name.strip("- ").lower())
    ours = (key for key in option_names(Config) if plain == key.rpartition(".")[2])
    return next(ours, next((key for key, names in USUAL_NAMES.items() if plain in names.split()), None))


def dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by dotted keys: {"training": {"rate": 0.1}} is {"training.rate": 0.1}."""
    sections = {name.partition(".")[0] for name in option_names(Config)}
    found: dict[str, Any] = {}
    for key, value in settings.items():
        is_section = key in sections and isinstance(value, Mapping)
        found |= {f"{key}.{name}": each for name, each in value.items()} if is_section else {str(key): value}
    return found


def unknown_key(key: str, where: str) -> ConfigError:
    """The error for an unknown key, with the one that is meant, the closest known key, or those of its section."""
    known = list(option_names(Config))
    section, _, last = key.rpartition(".")
    meant = key_of(last) or next((name for name in known if name.startswith(f"{key}.")), None)
    own = [name for name in known if name.startswith(f"{section}.")]
    near = did_you_mean(key, known)
    if meant is None and near.startswith("one of") and not section:
        meant = next(map(key_of, get_close_matches(last, [name.partition(".")[2] for name in known], n=1)), None)
    fix = f"did you mean {meant!r}?" if meant else near
    if not meant and near.startswith("one of"):
        fix = did_you_mean(key, own or sorted({f"{name.partition('.')[0]}.…" for name in known}))
    return ConfigError(f"unknown option {key!r:.80}", where=where, fix=fix)


WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
"""msgspec's names of types in plain words."""


def invalid_value(message: str, values: Mapping[str, Any]) -> ConfigError:
    """msgspec's "Expected `float` > 0.0 - at `$.training.rate`" as a ConfigError with key, value and choices."""
    expected, _, place = message.partition(" - at ")
    keys = re.findall(r"\w+", place.strip("`$."))
    found: Any = values
    for key in keys[:2]:
        found = found[key]
    key = ".".join(keys[:2])
    choices = [str(choice) for choice in option_choices(key)]
    if choices:
        listed, near = f"one of: {', '.join(choices)}", did_you_mean(metric_called(str(found)), choices)
        if takes_numbers(key):
            wanted = f"a whole number >= 1, or {', '.join(choices)}"
            fix = near if near != listed else f"set {key} to {wanted}"
            return ConfigError(f"takes {wanted}, not {shown(found)}", where=key, fix=fix)
        fix = listed if near == listed else f"{near} ({listed})"
        return ConfigError(f"invalid value {shown(found)}", where=key, fix=fix)
    wanted = expected.removeprefix("Expected ").partition(", got")[0].replace("`", "").replace(" | null", "")
    for kind, words in WORDS.items():
        wanted = re.sub(rf"\b{kind}\b", words, wanted)
    return ConfigError(f"takes {wanted}, not {shown(found)}", where=key, fix=f"set {key} to {wanted}")


def option_names(kind: type, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a dataclass of dataclasses."""
    for item in fields(kind):
        inner = item.default_factory if callable(item.default_factory) else None
        if isinstance(inner, type) and is_dataclass(inner):
            yield from option_names(inner, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}"


def option_choices(key: str) -> Sequence[object]:
    """The allowed words of a key; empty if it is not limited to some."""
    return [value for kind in kinds_of(key) if isinstance(kind, msgspec.inspect.LiteralType) for value in kind.values]


def takes_numbers(key: str) -> bool:
    """Whether the key also takes a number."""
    return any(isinstance(kind, msgspec.inspect.IntType) for kind in kinds_of(key))


def kinds_of(key: str) -> Sequence[msgspec.inspect.Type | None]:
    """The types of the values of a key."""
    described: Any = msgspec.inspect.type_info(Config)
    for name in key.split("."):
        described = next((item.type for item in getattr(described, "fields", ()) if item.name == name), None)
    return getattr(described, "types", (described,))


def to_toml(config: Config) -> str:
    """The configuration as a recipe for `seq2see train`; options that are None are left out, since TOML has no null."""
    return tomli_w.dumps(
        {
            section: {key: value for key, value in table.items() if value is not None}
            for section, table in asdict(config).items()
        }
    )
