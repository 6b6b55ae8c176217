"""Every key can be set, and every error names the key, the place and the closest valid choice."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from seq2see.config import Config, dotted, make_config, option_choices, option_names, parse_setting, read_toml, to_toml
from seq2see.errors import ConfigError
from seq2see.model import resolve

KEYS = list(option_names(Config))

# A value other than the default for every key there is; a new option fails the first test until it is put down here.
OTHER: dict[str, Any] = {
    "data.source": ("lemma", "tags"),
    "data.target": "form",
    "data.names": ("lemma", "form", "tags"),
    "data.delimiter": ";",
    "data.header": "no",
    "data.quotes": "yes",
    "data.comment": "#",
    "data.encoding": "cp1252",
    "data.train": ("/a.tsv",),
    "data.dev": ("/b.src", "/b.tgt"),
    "data.dev_share": 0.25,
    "data.split_seed": 7,
    "data.group": "lemma",
    "data.skip_bad": True,
    "data.longest": 500,
    "data.workers": 3,
    "text.source": "words",
    "text.target": "symbols",
    "text.normalization": "NFKC",
    "text.case": "fold",
    "text.truncate": 400,
    "text.protect": "<[^<>]*>",
    "text.joint": True,
    "text.max_vocabulary": 50,
    "text.min_count": 3,
    "text.subword_size": 40,
    "text.bpe_dropout": 0.1,
    "model.name": "gnmt",
    "model.width": 64,
    "model.embedding": 32,
    "model.layers": 5,
    "model.encoder_layers": 6,
    "model.decoder_layers": 7,
    "model.dropout": 0.0,
    "model.direction": "both",
    "model.merge": "sum",
    "model.cell": "gru",
    "model.score": "additive",
    "model.diagonal": True,
    "model.copy": True,
    "model.tags": "every_step",
    "model.query": "current",
    "model.output": "direct",
    "model.heads": 8,
    "model.feed_forward": 48,
    "model.positions": "learned",
    "model.max_positions": 99,
    "model.norm": "post",
    "model.activation": "swiglu",
    "model.tie": "target",
    "training.rate": 0.002,
    "training.schedule": "cosine",
    "training.warmup": 0.0,
    "training.max_updates": 10,
    "training.max_epochs": 3,
    "training.batch_size": 7,
    "training.batch_tokens": 900,
    "training.optimizer": "adamw",
    "training.weight_decay": 0.01,
    "training.clip": 5.0,
    "training.coverage": 0.5,
    "training.guided_attention": 0.25,
    "training.sample_alignments": True,
    "training.label_smoothing": 0.0,
    "training.evaluate_every": 4,
    "training.checkpoint_every": 2,
    "training.checkpoint_minutes": 7.5,
    "training.keep_checkpoints": 3,
    "training.choose_length_penalty": True,
    "training.metric": "loss",
    "training.no_repeat": 3,
    "training.patience": 6,
    "training.accumulate": 2,
    "training.ema": 0.5,
    "training.average": 4,
    "training.average_of": "best",
    "training.shard": True,
    "training.timeout": 60.0,
    "training.precision": "bfloat16",
    "data.balance": "language",
    "data.temperature": 3.0,
    "data.distortion": 0.5,
    "data.also_source": "/words.txt",
    "data.also_target": "/phones.txt",
    "training.denoising_updates": 3,
    "training.source_embeddings": "/source.vec",
    "training.target_embeddings": "/target.vec",
    "training.freeze_embeddings": True,
    "training.start_from": "/old",
    "training.seed": 11,
}


def value_of(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def tables(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        made.setdefault(section, {})[name] = list(value) if isinstance(value, tuple) else value
    return made


def as_setting(key: str, value: Any) -> str:
    """As it would be typed after --set: numbers and words bare, lists as in TOML."""
    if isinstance(value, tuple):
        return f"{key}={[*value]}"
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def test_every_key_is_put_down_above_with_a_value_of_its_own() -> None:
    assert set(OTHER) == set(KEYS)
    assert all(value_of(Config(), key) != value for key, value in OTHER.items())


@pytest.mark.parametrize("key", KEYS)
def test_every_key_can_be_set_on_the_command_line(key: str) -> None:
    config = make_config({}, dict([parse_setting(as_setting(key, OTHER[key]))]))
    assert value_of(config, key) == OTHER[key]
    assert all(value_of(config, other) == value_of(Config(), other) for other in KEYS if other != key)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_can_be_set_in_a_recipe(key: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps(tables({key: OTHER[key]})), encoding="utf-8")
    assert value_of(make_config(read_toml(path), {}), key) == OTHER[key]


def test_settings_go_before_the_recipe_and_leave_it_alone() -> None:
    values = {"model": {"width": 64, "layers": 2}}
    config = make_config(values, {"model.width": 128})
    assert (config.model.width, config.model.layers) == (128, 2)
    assert values == {"model": {"width": 64, "layers": 2}}


def test_a_single_path_needs_no_brackets() -> None:
    assert make_config({"data": {"train": "pairs.tsv"}}, {"data.dev": "dev.tsv"}).data.dev == (
        str(Path("dev.tsv").absolute()),
    )


@pytest.mark.parametrize("chosen", [{}, OTHER, {key: OTHER[key] for key in KEYS[::2]}])
def test_a_configuration_survives_toml(chosen: dict[str, Any], tmp_path: Path) -> None:
    config = make_config(tables(chosen), {})
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert make_config(read_toml(path), {}) == config


def test_toml_names_every_section_even_if_nothing_is_set() -> None:
    text = to_toml(Config())
    assert all(f"[{item.name}]" in text for item in fields(Config))
    assert "None" not in text


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("training.rate=2e-3", 0.002),
        ("training.rate = 1", 1),
        ("model.name=gnmt", "gnmt"),
        ('model.name="gnmt"', "gnmt"),
        ("data.skip_bad=true", True),
        ("data.train=a=b.tsv", "a=b.tsv"),
        ('data.train=["a", "b"]', ["a", "b"]),
        ("data.train=C:\\x y.tsv", "C:\\x y.tsv"),
    ],
)
def test_a_setting_is_read_as_toml_or_else_as_text(setting: str, value: Any) -> None:
    assert parse_setting(setting)[1] == value


@pytest.mark.parametrize("setting", ["training.rate", "=3", " =3", "pairs.tsv"])
def test_invalid_settings_are_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="must have the form key=value") as caught:
        parse_setting(setting)
    assert caught.value.where == "--set"
    assert "key=value" in caught.value.fix
    assert repr(setting) in caught.value.what


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.widht", "model.width"),
        ("modl.width", "model.width"),
        ("width", "model.width"),
        ("training.width", "model.width"),
        ("training.learning_rate", "training.rate"),
        ("rate", "training.rate"),
        ("train.rate", "training.rate"),
        ("training.batchsize", "training.batch_size"),
        ("text.normalisation", "text.normalization"),
        ("model.width.x", "model.width"),
        ("model", "model.name"),
        ("training", "training.rate"),
    ],
)
def test_a_mistyped_key_gets_the_nearest_one(typed: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {typed: 1}, settings_where="recipe.toml")
    assert repr(typed) in caught.value.what
    assert caught.value.where == "recipe.toml"
    assert caught.value.fix == f"did you mean {meant!r}?"


@pytest.mark.parametrize("table", [{"widht": 3}, {"width": 3, "widht": 3}])
def test_a_mistyped_key_in_a_table_gets_the_nearest_one(table: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"model\.width'\?") as caught:
        make_config({"model": table}, {})
    assert "'model.widht'" in caught.value.what


def test_settings_may_be_sections() -> None:
    settings = {"training": {"max_updates": 2, "rate": 0.5}, "model.width": 8}
    expected = {"training.max_updates": 2, "training.rate": 0.5, "model.width": 8}
    assert dotted(settings) == expected
    assert dotted({"unknown": {"a": 1}}) == {"unknown": {"a": 1}}


def test_a_mistyped_section_is_named() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'data\.train'") as caught:
        make_config({"daat": {"train": "a.tsv"}}, {})
    assert "'daat.train'" in caught.value.what


def test_a_key_like_no_other_gets_the_list() -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {"zzz.qqq": 1})
    assert all(f"{section}.…" in caught.value.fix for section in ("data", "text", "model", "training"))
    with pytest.raises(ConfigError) as caught:
        make_config({}, {"text.qqq": 1})
    assert all(key in caught.value.fix for key in KEYS if key.startswith("text."))
    assert "training.rate" not in caught.value.fix


@pytest.mark.parametrize("values", [{"model": 3}, {"model": "gnmt"}, {"model": ["gnmt"]}, {"data": "a.tsv"}])
def test_a_value_in_place_of_a_section_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be a section") as caught:
        make_config(values, {})
    assert caught.value.where in values


@pytest.mark.parametrize("key", [key for key in KEYS if option_choices(key)])
def test_a_mistyped_choice_gets_the_nearest_one(key: str) -> None:
    choice = str(option_choices(key)[-1])
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: choice[:-1] + choice[-1] * 2})
    assert caught.value.where == key
    assert "did you mean" in caught.value.fix
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: 17.5})
    assert all(str(choice) in caught.value.fix for choice in option_choices(key))


def test_a_number_or_a_word() -> None:
    assert make_config({}, {"training.batch_tokens": 17}).training.batch_tokens == 17
    with pytest.raises(ConfigError) as caught:
        make_config({}, {"training.batch_tokens": 0})
    assert caught.value.what == "takes a whole number >= 1, or auto, not 0"


def test_the_choices_are_found() -> None:
    assert set(option_choices("training.schedule")) == {"linear", "constant", "inverse_sqrt", "cosine", "plateau"}
    assert "graphemes" in option_choices("text.source")
    assert not option_choices("model.name")
    assert not option_choices("training.rate")


@pytest.mark.parametrize(
    ("key", "value", "bound"),
    [
        ("data.dev_share", 0, "> 0"),
        ("data.dev_share", 1, "< 1"),
        ("text.max_vocabulary", 4, ">= 5"),
        ("text.min_count", 0, ">= 1"),
        ("model.width", 0, ">= 1"),
        ("model.embedding", -3, ">= 1"),
        ("model.layers", 0, ">= 1"),
        ("model.dropout", 1, "< 1"),
        ("model.dropout", -0.1, ">= 0"),
        ("training.rate", 0, "> 0"),
        ("training.rate", -1e-3, "> 0"),
        ("training.rate", float("nan"), "> 0"),
        ("training.warmup", 1.5, "<= 1"),
        ("training.warmup", -1, ">= 0"),
        ("training.max_updates", 0, ">= 1"),
        ("training.max_epochs", 0, ">= 1"),
        ("training.batch_size", 0, ">= 1"),
        ("training.batch_tokens", 0, ">= 1"),
        ("training.weight_decay", -1, ">= 0"),
        ("training.clip", 0, "> 0"),
        ("training.label_smoothing", 1, "< 1"),
        ("training.evaluate_every", 0, ">= 1"),
        ("training.checkpoint_every", 0, ">= 1"),
        ("training.patience", 0, ">= 1"),
    ],
)
def test_a_value_out_of_range_names_key_value_and_range(key: str, value: float, bound: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: value})
    assert caught.value.where == key
    assert repr(value) in caught.value.what
    assert bound in caught.value.what
    assert key in caught.value.fix


@pytest.mark.parametrize(("key", "value"), [("training.seed", -1), ("training.seed", 10**30), ("training.rate", 1e999)])
def test_what_no_run_could_use_is_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: value})
    assert caught.value.where == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.width", "wide"),
        ("model.width", 1.5),
        ("model.width", [3]),
        ("model.name", 3),
        ("training.rate", "fast"),
        ("training.seed", "one"),
        ("data.skip_bad", "maybe"),
        ("data.train", 3),
        ("data.train", {"a": 1}),
        ("data.train", [1]),
    ],
)
def test_a_value_of_another_type_names_key_and_value(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: value})
    assert caught.value.where == key
    assert str(value) in caught.value.what
    assert "takes" in caught.value.what


def test_a_list_of_numbers_in_a_recipe_is_no_list_of_paths(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[data]\ntrain = [1]\n")
    with pytest.raises(ConfigError) as caught:
        make_config(read_toml(path), {}, where=str(path))
    assert caught.value.where == "data.train"


@pytest.mark.parametrize(
    "setting",
    [
        "model.width=" + "[" * 50_000,
        "model.width=" + "9" * 5000,
        "model.width=0x" + "f" * 5000,
        "model.width=[0x" + "f" * 5000 + "]",
        "data.train=[" + "9" * 30 + "]",
        "training.optimizer=" + "x" * 100_000,
        "x" * 100_000 + "=1",
        "x" * 100_000,
        "model.name=caf\udce9",
        "caf\udce9=1",
        "training.rate=" + "[" * 200 + "]" * 200,
    ],
    ids=lambda setting: setting[:24].encode("unicode-escape").decode(),
)
def test_a_setting_of_any_size_and_depth_is_one_short_message(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, dict([parse_setting(setting)]))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("key", ["data.names", "data.source", "text.source"])
def test_a_list_of_texts_must_be_utf8(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({}, {key: ["a", "caf\udce9"]})
    assert caught.value.what == f"'caf\\xe9' is not valid UTF-8 ({key})"


def test_a_path_that_is_not_utf8_survives_toml(tmp_path: Path) -> None:
    name = b"caf\xe9.tsv".decode(errors="surrogateescape")
    config = make_config(
        {}, {"data.train": [f"/{name}"], "data.dev": f"/dev {name}", "training.start_from": f"/{name}"}
    )
    path = tmp_path / "config.toml"
    path.write_bytes(to_toml(config).encode(errors="surrogateescape"))
    assert b"caf\xe9.tsv" in path.read_bytes()
    assert make_config(read_toml(path), {}) == config


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[data\n", "line 1"),
        (b"a = 1\nb = = 2\n", "line 2"),
        (b"a=1\na=2", "TOML"),
        (b"a = '\xff'", "not valid UTF-8 (a)"),
        (b"[model]\nname = 'caf\xe9'", "not valid UTF-8 (model.name)"),
        (b"[data]\nnames = ['a', 'caf\xe9']", "not valid UTF-8 (data.names)"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
    ],
)
def test_a_broken_recipe_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    assert caught.value.where == str(path)
    assert said in caught.value.what


def test_a_recipe_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.toml", tmp_path / "no" / "folder.toml"):
        with pytest.raises(ConfigError, match="can't be read") as caught:
            read_toml(path)
        assert caught.value.where == str(path)


def test_paths_in_a_recipe_start_at_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "r.toml").write_text('[data]\ntrain = ["a.src", "../a.tgt"]\ndev = "/abs/dev.tsv"\n')
    monkeypatch.chdir(tmp_path)
    for path in (folder / "r.toml", Path("recipes/r.toml")):
        data = read_toml(path)["data"]
        assert [Path(name) for name in data["train"]] == [folder / "a.src", folder / "../a.tgt"]
        assert data["dev"] == ["/abs/dev.tsv"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("bidirektional", "bidirectional"), ("gmnt", "gnmt"), ("lstm", "one of"), ("Attention", "att")]
)
def test_a_mistyped_model_gets_the_nearest_one(typed: str, meant: str) -> None:
    config = make_config({}, {"model.name": typed})
    with pytest.raises(ConfigError) as caught:
        resolve(config.model)
    assert caught.value.where == "model.name"
    assert repr(typed) in caught.value.what
    assert meant in caught.value.fix


def test_defaults_are_as_if_nothing_was_said() -> None:
    assert make_config({}, {}) == Config()
    assert set(asdict(Config())) == {"data", "text", "model", "training"}


@pytest.mark.parametrize("units", ["tags,bpe", "tags, bpe", ["tags", "bpe"]])
def test_units_of_several_fields_may_be_separated_by_commas(units: str | list[str]) -> None:
    assert make_config({}, {"text.source": units}).text.source == ("tags", "bpe")
    assert make_config({"text": {"source": units}}, {}).text.source == ("tags", "bpe")
    with pytest.raises(ConfigError, match=r"text\.source"):
        make_config({}, {"text.source": "tags,bpf"})
