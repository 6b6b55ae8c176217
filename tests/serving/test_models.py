"""Models by name, and model files that are replaced while they serve."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import train_tiny
from tests.serving.conftest import eventually, require_extra, running

import seq2see

require_extra()

from seq2see.inference.examples import examples_in  # noqa: E402
from seq2see.serving.models import Models, Served, load_served, named, require_servable  # noqa: E402 (needs the extra)
from seq2see.serving.problems import ProblemError  # noqa: E402
from seq2see.serving.snapshots import Snapshot  # noqa: E402
from seq2see.text import Characters, Fields, Values  # noqa: E402


@pytest.fixture(scope="module")
def packed(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "one.seq2see"
    seq2see.load(tiny_run).pack(path)
    return path


@pytest.fixture(scope="module")
def other(tiny_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    run = train_tiny(tiny_pairs, folder / "run", **{"training.max_updates": 20, "training.seed": 9})
    seq2see.load(run).pack(folder / "other.seq2see")
    return folder / "other.seq2see"


def replace(path: Path, content: bytes) -> None:
    """As `seq2see pack` and `mv` replace a file: whole, at once."""
    new = path.with_name("new")
    new.write_bytes(content)
    os.replace(new, path)


def test_names_are_those_of_files_and_folders_or_given() -> None:
    found = named(["runs/pairs", "runs/old/model", "a/dates.seq2see", "en=runs/x=1", "./b.seq2see"])
    assert {name: str(path) for name, path in found.items()} == {
        "pairs": "runs/pairs",
        "old": "runs/old/model",
        "dates": "a/dates.seq2see",
        "en": "runs/x=1",
        "b": "b.seq2see",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a/x.seq2see", "b/x"], "has the same name as a/x.seq2see"),
        (["my model"], "letters, digits"),
        (["=a"], "letters, digits"),
    ],
)
def test_names_that_can_not_be_used_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(seq2see.ConfigError, match=message) as caught:
        named(words)
    assert caught.value.fix.startswith("give one: ")


def test_a_name_is_given_in_words_that_a_shell_takes_as_one() -> None:
    with pytest.raises(seq2see.ConfigError) as caught:
        named(["runs/ñame run"])
    assert caught.value.fix == "give one: 'name=runs/ñame run'"
    with pytest.raises(seq2see.ConfigError, match="RUN: is empty"):
        named([""])


def test_a_replaced_file_takes_over_and_a_broken_one_does_not(packed: Path, other: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    shutil.copy(packed, path)
    models = Models({"m": path}, "numpy", tmp_path)
    said: list[tuple[str, object]] = []

    def look() -> list[tuple[str, object]]:
        said.clear()
        models.look(lambda name, found: said.append((name, found)))
        return list(said)

    first = models.find("m")
    assert look() == []
    replace(path, other.read_bytes())
    ((name, second),) = look()
    assert (name, models.find(None)) == ("m", second)
    assert isinstance(second, Served)
    assert second.version != first.version
    assert look() == []

    broken = bytearray(packed.read_bytes())
    broken[len(broken) // 2] ^= 255
    replace(path, bytes(broken))
    ((_, error),) = look()
    assert isinstance(error, seq2see.CheckpointError)
    assert (models.find("m"), look()) == (second, [])
    assert str(path) in models.refusal("m")

    path.unlink()
    ((_, error),) = look()
    assert isinstance(error, seq2see.CheckpointError)
    assert models.find("m") is second

    replace(path, packed.read_bytes())
    ((_, third),) = look()
    assert isinstance(third, Served)
    assert (third.version, models.refusal("m")) == (first.version, "")


def test_an_ensemble_is_served_and_looked_at_as_one_model(packed: Path, tiny_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    shutil.copy(packed, folder / "seed-1.seq2see")
    seq2see.load(tiny_run).pack(folder / "seed-2.seq2see", weights="float16")
    models = Models({"m": folder}, "numpy", tmp_path)
    first = models.find("m")
    assert len(first.model.members) == 2
    replace(folder / "seed-2.seq2see", packed.read_bytes())
    models.look(lambda name, found: None)
    assert models.find("m").version != first.version


def test_examples_are_read_from_the_model_card_whatever_it_says() -> None:
    assert examples_in("text\n    model.predict(['2/8/28'])[0].text\n") == ["2/8/28"]
    assert examples_in("m.predict(['a', 'b']); m.predict([''])[0]; m.predict([open('x')]); m.predict([1 +])") == [
        "a",
        "b",
    ]
    assert examples_in("") == []


def test_a_run_folder_is_looked_at_too(tiny_run_copy: Path, tmp_path: Path) -> None:
    models = Models({"m": tiny_run_copy}, "numpy", tmp_path)
    manifest = tiny_run_copy / "model" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    said: list[object] = []
    models.look(lambda name, found: said.append(found))
    assert len(said) == 1


def test_a_model_that_answers_with_an_error_is_refused(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seq2see.Model.__mro__[1], "predict", lambda *_, **__: [][0])
    with pytest.raises(seq2see.CheckpointError, match="can't answer"):
        load_served("m", packed, "numpy", tmp_path)


def with_source(*parts: Any) -> Any:
    """As much of a model as says what its sources are."""
    return SimpleNamespace(source_codec=SimpleNamespace(tokenizer=Fields("none", parts)))


def test_models_whose_sources_are_files_are_not_served(tmp_path: Path) -> None:
    picture, series = Values("none", "picture", 1, (0.0,), (1.0,)), Values("none", "vectors", 2, (0.0, 0.0), (1.0, 1.0))
    with pytest.raises(seq2see.CheckpointError, match="reads pictures from files"):
        require_servable(with_source(picture), tmp_path)
    model = with_source(Characters("none"), series)
    require_servable(model, tmp_path)
    served = Served("m", tmp_path, model, Snapshot("m", tmp_path, ()), "", "", ())
    served.require_readable(["ab\t[[1, 2]]", "ab\t", "ab"], str)
    for text in ("ab\t/etc/passwd", "ab\tx.npy", "ab\t ./x.npz"):
        with pytest.raises(ProblemError, match="can't name a file") as caught:
            served.require_readable(["ab\t[[1, 2]]", text], lambda row: f"$.texts[{row}]")
        assert (caught.value.status, caught.value.where) == (422, "$.texts[1]")


def test_files_are_replaced_under_load_without_a_failed_request(packed: Path, other: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    shutil.copy(packed, path)
    contents = [other.read_bytes(), packed.read_bytes()]
    expected = {seq2see.load(each).predict("abcde")[0].text for each in (packed, other)}
    statuses: list[int] = []
    texts: set[str] = set()
    is_done = threading.Event()
    with running({"m": path}, reload_every=0.02) as service:

        def ask() -> None:
            while not is_done.is_set():
                reply = service.ask("/v1/predict", {"texts": "abcde"})
                statuses.append(reply.status)
                texts.add(reply.json["results"][0]["answers"][0]["text"])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for each in threads:
            each.start()
        for number in range(6):
            replace(path, contents[number % 2])
            eventually(lambda n=number: service.metric('seq2see_reloads_total{model="m",result="loaded"}') == n + 1)
        replace(path, b"no model")
        eventually(lambda: service.metric('seq2see_reloads_total{model="m",result="refused"}') == 1)
        eventually(lambda: service.metric('seq2see_model_refused{model="m"}') == 1)
        eventually(lambda: service.metric('seq2see_model{model="m"') == 1)
        assert "m.seq2see" in service.ask("/v1/models").json["models"][0]["refused"]
        is_done.set()
        for each in threads:
            each.join()
    assert set(statuses) == {200}
    assert texts == expected
