"""`text.truncate` in a run: trained, answered, scored, packed and resumed on the first tokens, and said."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import seq2see
from seq2see import Pair
from seq2see.config import make_config
from seq2see.errors import ConfigError
from seq2see.inference.notes import UnknownTextWarning
from seq2see.run.planning import plan_run
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model
from seq2see.text import Codec


@pytest.fixture(scope="module")
def run(tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run on sources of at most 3 tokens, and what was said."""
    folder = tmp_path_factory.mktemp("run") / "run"
    console = Console(file=(said := io.StringIO()), width=300)
    train(
        make_config({}, tiny_settings | {"data.train": [str(tiny_pairs)], "text.truncate": 3}), folder, console=console
    )
    return folder, said.getvalue()


def test_the_sources_are_cut_and_counted(run: tuple[Path, str], tiny_pairs: Path) -> None:
    folder, said = run
    train_pairs = [line.split("\t")[0] for line in (tiny_pairs.read_text(encoding="utf-8")).splitlines()]
    long = sum(len(source) > 3 for source in train_pairs)
    number = int(said.partition(" sources are cut to 3 tokens (text.truncate)")[0].split()[-3])
    assert 0.7 * long < number <= long  # the others are in dev
    assert load_model(folder / "model").source_codec.truncate == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("columns", [1, 2])
def test_they_are_split_into_units_once(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [("\t".join([f"word{at}" * 3] * columns)) for at in range(30)]
    pairs = [Pair(source, f"{at}") for at, source in enumerate(sources)]
    split, cut = Codec._cut, Counter[str]()

    def counting(codec: Codec, tokens: list[str]) -> list[str]:
        cut["".join(tokens)] += 1
        return split(codec, tokens)

    monkeypatch.setattr(Codec, "_cut", counting)
    config = make_config({}, {"text.truncate": 9, "model.name": "bidirectional", "text.target": "characters"})
    plan = plan_run(config, pairs[:20], pairs[20:])
    assert "20 of 20 sources are cut to 9 tokens (text.truncate)" in plan.notes
    assert plan.examples.sources.num_cut == 20
    read = [number for text, number in cut.items() if text.count("word") == 3 * columns]
    assert read == [1] * len(pairs)


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_long_text_is_answered_as_its_beginning(run: tuple[Path, str], engine: str, tmp_path: Path) -> None:
    model = seq2see.load(run[0], engine=engine)  # type: ignore[arg-type]
    with pytest.warns(UnknownTextWarning, match=r"cut to 3 tokens.*: 2 of 3 texts \(first: text 1\)"):
        answers = model.predict(["abcde", "abc", "abcee"])
    assert answers[0].text == answers[1].text == answers[2].text
    assert answers[0].log_prob == answers[1].log_prob
    with pytest.warns(UnknownTextWarning, match="cut to 3 tokens"):
        scores = model.score([("abcde", "cba"), ("abc", "cba")])
    assert scores[0].log_prob == scores[1].log_prob
    model.pack(tmp_path / "m.seq2see")
    packed = seq2see.load(tmp_path / "m.seq2see")
    with pytest.warns(UnknownTextWarning, match="cut to 3 tokens"):
        assert packed.predict("abcde")[0].text == answers[0].text


def test_a_fine_tuned_model_keeps_the_number(
    run: tuple[Path, str], tiny_pairs: Path, tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    started = {"training.start_from": str(run[0])}
    settings = tiny_settings | started | {"text.truncate": 4}
    with pytest.raises(ConfigError) as caught:
        seq2see.train(tiny_pairs, out=tmp_path / "new", settings=settings, quiet=True)
    assert caught.value.where == "text.truncate"
    tuned = seq2see.train(tiny_pairs, out=tmp_path / "tuned", settings=tiny_settings | started, quiet=True)
    assert tuned.source_codec is not None
    assert tuned.source_codec.truncate == 3
