"""`seq2see settings`: every setting with what it takes, as text, JSON, and a recipe that can be filled in."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from seq2see.commands.application import app
from seq2see.commands.options import AS_FOUND, Table
from seq2see.commands.setting_list import all_settings
from seq2see.config import Config, make_config, option, option_names


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    app(["settings", *words], result_action="return_value")
    return capsys.readouterr().out


def test_every_setting_is_listed_with_a_description(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys)
    listed = json.loads(printed(capsys, "--format", "json"))
    assert [each["key"] for each in listed] == list(option_names(Config))
    for each in listed:
        assert f"\n{each['key']} " in text
        assert each["description"].endswith(".")
        assert each["type"] or each["choices"]
        default = option(Config(), each["key"])
        assert each["default"] == (list(default) if isinstance(default, tuple) else default)


def test_a_setting_without_a_default_says_what_happens_by_default() -> None:
    assert not [each.key for each in all_settings() if each.default is None and "by default" not in each.description]


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("training.rate", ["training.rate"]),
        ("checkpoint", ["training.checkpoint_every", "training.checkpoint_minutes", "training.keep_checkpoints"]),
        ("text.s*", ["text.source", "text.subword_size"]),
        ("--lr", ["training.rate"]),
        ("hidden_size", ["model.width"]),
    ],
)
def test_a_pattern_chooses(pattern: str, keys: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--format", "json", "--", pattern]
    assert [each["key"] for each in json.loads(printed(capsys, *words))] == keys


def test_types_and_ranges_are_what_is_accepted() -> None:
    found = {each.key: each for each in all_settings()}
    assert found["training.rate"].type == "number, above 0"
    assert found["model.dropout"].type == "number, at least 0 and below 1"
    assert (found["training.batch_tokens"].type, found["training.batch_tokens"].choices) == (
        "whole number, at least 1",
        ["auto"],
    )
    assert found["text.joint"].type == "true or false"
    for each in found.values():
        for choice in each.choices:
            assert option(make_config({}, {each.key: choice}), each.key) == choice


def test_the_recipe_is_valid_and_each_line_can_be_uncommented(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = printed(capsys, "--format", "toml")
    assert make_config(tomllib.loads(recipe), {}) == Config()
    sections = recipe.split("\n[")
    checked = 0
    for section in sections[1:]:
        name, _, rest = section.partition("]\n")
        for line in rest.splitlines():
            key, equals, value = line.removeprefix("# ").partition(" = ")
            if equals and f"{name}.{key}" in set(option_names(Config)) and value != "…":
                assert make_config(tomllib.loads(f"[{name}]\n{key} = {value}"), {}) == Config()
                checked += 1
    assert checked == sum(each.default not in (None, ()) for each in all_settings())


def test_columns_of_a_command_are_separated_by_commas() -> None:
    app = App()

    @app.default
    def table_of(table: Table = AS_FOUND) -> Any:
        return table

    given = app(["--source", "1,3", "--names", ",word,ipa"], result_action="return_value")
    assert (given.source, given.names) == (("1", "3"), ("", "word", "ipa"))
    assert app(["--source", "1", "--source", "3,"], result_action="return_value").source == ("1", "3")
