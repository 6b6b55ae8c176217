"""The card of a model shows names and texts of the user's as they are: none of them is Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

import seq2see
from seq2see.printable import markdown_code

NAMES = ["pairs.tsv", "![x](http://a.example/t.png).tsv", "<b>.tsv", "a`b``c.tsv", "`", " _a_ *b* ", "# x\n\n# y.tsv"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_markdown_is_code(name: str) -> None:
    (line,) = MarkdownIt().parseInline(f"trained on pairs ({markdown_code(name)}), 3 updates")
    kinds = [(part.type, part.content) for part in line.children or []]
    shown = name.replace("\n", r"\n")
    assert kinds == [("text", "trained on pairs ("), ("code_inline", shown), ("text", "), 3 updates")]


def test_the_card_of_a_file_with_markdown_in_its_name(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    data = tmp_path / "[link](x) `code`.tsv"
    data.write_text("".join(f'"{letter}\\\t{letter}\n' for letter in "abcdefgh") * 3)
    seq2see.train(data, out=tmp_path / "run", settings=tiny_settings | {"training.max_updates": 1}, quiet=True)
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    parsed = [part for block in MarkdownIt().parse(card) for part in block.children or []]
    assert data.name in [part.content for part in parsed if part.type == "code_inline"]
    assert "link_open" not in [part.type for part in parsed]
    (call,) = (line.strip() for line in card.splitlines() if "model.predict" in line)
    assert eval(call.removeprefix("model.predict(").removesuffix(")[0].text"))[0].startswith('"')
