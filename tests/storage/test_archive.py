"""A model in one file or in a smaller folder: the same model again, or an error that names the file; nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2see
from seq2see.blueprint.resolution import ADDED_LATER
from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.archive import HEADER_SIZE, MAGIC, pack, unpack
from seq2see.storage.files import MANIFEST, hash_of, manifest_of, require_place
from seq2see.storage.saved_model import MODEL_FILES, SavedModel, find_model_folder, load_model, save_model, write_packed
from seq2see.storage.weights import WEIGHTS, Weights
from seq2see.text import Codec, Vocabulary, make_tokenizer
from seq2see.text.alignment import STEP_TOKEN, Aligner

TEXTS = ["abc", "de", "eddcba", "a", ""]


@pytest.fixture(scope="module")
def saved(tiny_run: Path) -> SavedModel:
    return load_model(tiny_run)


def files_in(path: Path) -> dict[str, bytes]:
    return unpack(path.read_bytes(), MODEL_FILES, where=str(path))


def crafted(path: Path, files: dict[str, bytes], *, manifest: bytes | None = None) -> Path:
    """A packed file whose hashes are right, whatever is in it."""
    inner = {name: content for name, content in files.items() if name != MANIFEST}
    hashes = manifest_of({name: hash_of(content) for name, content in sorted(inner.items())})
    path.write_bytes(pack({**inner, MANIFEST: hashes if manifest is None else manifest}))
    return path


def sealed(path: Path, archive: bytes) -> Path:
    """A packed file of any archive."""
    path.write_bytes(MAGIC + bytes.fromhex(hash_of(archive)) + archive)
    return path


def refusal(path: Path) -> UserError:
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert caught.value.where.startswith(str(path))
    assert caught.value.fix
    return caught.value


# --- the same model again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.seq2see", "folder"])
def test_float32_is_the_same_model(saved: SavedModel, tiny_run: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "deep" / name
    size = write_packed(path, saved)
    parts = [path] if path.is_file() else list(path.iterdir())
    assert size == sum(part.stat().st_size for part in parts)
    found = load_model(path)
    assert found.config == {**saved.config, "weights": "float32"}
    assert (found.source_codec, found.target_codec, found.card) == (saved.source_codec, saved.target_codec, saved.card)
    assert found.origin == str(path)
    assert {n: t.tobytes() for n, t in found.tensors.items()} == {n: t.tobytes() for n, t in saved.tensors.items()}
    expected, answers = (seq2see.load(one, device="cpu").predict(TEXTS, beam=3) for one in (tiny_run, path))
    assert [(p.text, p.log_prob) for p in answers] == [(p.text, p.log_prob) for p in expected]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_file_and_a_folder_hold_the_same(saved: SavedModel, tmp_path: Path, weights: Weights) -> None:
    write_packed(tmp_path / "m.seq2see", saved, weights=weights, card="# Another card\n")
    write_packed(tmp_path / "m", saved, weights=weights, card="# Another card\n")
    assert files_in(tmp_path / "m.seq2see") == {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    one, other = load_model(tmp_path / "m.seq2see"), load_model(tmp_path / "m")
    assert one.config["weights"] == weights
    assert one.card == other.card == "# Another card\n"


def test_the_same_model_is_the_same_bytes(saved: SavedModel, tmp_path: Path) -> None:
    for name in ("a.seq2see", "b.seq2see"):
        write_packed(tmp_path / name, saved, weights="int8")
    assert (tmp_path / "a.seq2see").read_bytes() == (tmp_path / "b.seq2see").read_bytes()
    write_packed(tmp_path / "c.seq2see", load_model(tmp_path / "a.seq2see"), weights="int8")
    assert load_model(tmp_path / "c.seq2see").config == load_model(tmp_path / "a.seq2see").config


def test_weights_that_there_are_not_are_refused(small: SavedModel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be one of: float32, float16, int8"):
        write_packed(tmp_path / "m.seq2see", small, weights="int4")
    large = small._replace(tensors={"w": np.full((2, 2), 1e6, np.float32)})
    with pytest.raises(ConfigError, match="'w' contains 1,000,000"):
        write_packed(tmp_path / "m.seq2see", large, weights="float16")
    assert not list(tmp_path.iterdir())


def test_a_file_is_a_quarter_in_int8_and_half_in_float16(small: SavedModel, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    tensors = {f"{n}.weight": chance.normal(size=(256, 256)).astype(np.float32) for n in range(4)}
    tensors |= {f"{n}.bias": chance.normal(size=256).astype(np.float32) for n in range(4)}
    model = small._replace(tensors=tensors)
    sizes = {weights: write_packed(tmp_path / "m.seq2see", model, weights=weights) for weights in WEIGHTS}
    assert 0.49 < sizes["float16"] / sizes["float32"] < 0.51
    assert 0.25 < sizes["int8"] / sizes["float32"] < 0.27


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_every_architecture_is_packed_and_loaded(tmp_path: Path, weights: Weights) -> None:
    import torch

    from seq2see.inference.predictor import Predictor
    from seq2see.inference.torch_engine import TorchEngine
    from seq2see.model import ARCHITECTURES, ModelOptions, Sizes, build, resolve
    from seq2see.run.state import to_numpy
    from seq2see.run.train import model_config
    from seq2see.training import TrainingProgress

    codec = Codec.build(make_tokenizer("characters"), ["abcdef"])
    for name, architecture in ARCHITECTURES.items():
        blueprint = resolve(ModelOptions(name=name, width=8))
        source, target = codec if architecture.has_source else None, codec
        if architecture.is_transducer:
            vocabulary = Vocabulary((STEP_TOKEN, *codec.vocabulary.tokens))
            target = Codec(codec.tokenizer, vocabulary, Aligner.learn([([4, 5], [5, 6])]))
        network = build(blueprint, Sizes(len(codec.vocabulary) if source else 0, len(target.vocabulary))).eval()
        with torch.no_grad():
            network.decoder.output.bias.normal_()
        model = Predictor(TorchEngine(network), source, target, max_length=6, name=name)
        config = model_config(blueprint, model.max_length, TrainingProgress(), 7)
        path = tmp_path / f"{name}.seq2see"
        write_packed(path, SavedModel(config, to_numpy(network.tensors()), source, target), weights=weights)
        loaded = seq2see.load(path, engine="torch", device="cpu")
        assert (loaded.name, loaded.num_parameters) == (name, model.num_parameters)
        allowed = {"float32": 1e-6, "float16": 0.01, "int8": 0.3}[weights]
        for found, expected in zip(loaded.predict(["abc", "f"]), model.predict(["abc", "f"]), strict=True):
            if found.text == expected.text:
                assert found.log_prob == pytest.approx(expected.log_prob, abs=allowed)
            assert found.text == expected.text or weights != "float32"


# --- one file -------------------------------------------------------------------------------------------------------


def test_zip_tools_open_it(small: SavedModel, tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, small)
    assert zipfile.is_zipfile(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(MODEL_FILES)
        assert archive.read("README.md") == b"# A model\n"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    if shutil.which("unzip"):
        ran = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "warning" not in ran.stdout + ran.stderr


def test_it_is_what_the_module_says(small: SavedModel, tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, small)
    content = path.read_bytes()
    assert content[:8] == b"\x89S2SEE\n\x01"
    assert content[8:40].hex() == hash_of(content[40:])
    assert HEADER_SIZE == 40
    assert content[40:44] == b"PK\x03\x04"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Killed()])
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_what_was_there_outlives_any_failure(
    small: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, small, card="old")

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else os, step, fail)
        with pytest.raises((CheckpointError, Killed)) as caught:
            write_packed(path, small, card="new")
    if isinstance(caught.value, CheckpointError):
        assert caught.value.where == str(path)
        assert "No space left" in caught.value.what
        assert "intact" in caught.value.fix
    assert load_model(path).card == "old"
    assert os.listdir(tmp_path) == ["m.seq2see"]


@pytest.mark.parametrize("name", ["m.seq2see", "m"])
def test_a_full_disk_leaves_the_old_one(saved: SavedModel, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_packed(path, saved, card="old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, limits[1]))
        with pytest.raises(CheckpointError, match="can't be written") as caught:
            write_packed(path, saved, card="new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "intact" in caught.value.fix
    assert load_model(path).card == "old"


def test_only_a_model_is_ever_replaced(small: SavedModel, tmp_path: Path, tiny_run_copy: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years")
    (tmp_path / "file").write_text("years")
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "thesis", tmp_path / "file", tiny_run_copy, Path("/")):
        require_place(place)
        with pytest.raises(CheckpointError, match="is not a model") as caught:
            write_packed(place, small)
        assert caught.value.where == str(place)
    with pytest.raises(CheckpointError, match="can't be written"):
        write_packed(tmp_path / "file" / "m.seq2see", small)
    (tmp_path / "folder.seq2see").mkdir()
    with pytest.raises(CheckpointError, match="can't be written"):
        write_packed(tmp_path / "folder.seq2see", small)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years"
    for _ in range(2):
        write_packed(tmp_path / "empty", small)
        assert load_model(tmp_path / "empty").card == small.card


def test_the_command_takes_it_for_a_run(
    saved: SavedModel, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2see.commands.terminal import leading_runs

    monkeypatch.chdir(tmp_path)
    write_packed(Path("m.seq2see"), saved)
    rest = ("m.seq2see", str(tiny_run), "abc", "m.seq2see")
    assert leading_runs(tiny_run, rest) == ([tiny_run, Path("m.seq2see"), tiny_run], ("abc", "m.seq2see"))
    assert leading_runs(tiny_run, ("other.seq2see",)) == ([tiny_run], ("other.seq2see",))
    assert leading_runs(tiny_run, ("long " * 1000, "\0")) == ([tiny_run], ("long " * 1000, "\0"))
    together = seq2see.load(["m.seq2see", tiny_run], device="cpu")
    assert together.predict("abc")[0].text == seq2see.load(tiny_run, device="cpu").predict("abc")[0].text


# --- damage ---------------------------------------------------------------------------------------------------------


def damaged(whole: bytes, chance: random.Random, *, flips: int, cuts: int) -> Iterator[bytes]:
    """The content with one bit flipped, `flips` times, and cut short, `cuts` times."""
    for bit in chance.sample(range(8 * len(whole)), min(flips, 8 * len(whole))):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        yield bytes(broken)
    for length in chance.sample(range(len(whole)), min(cuts, len(whole))):
        yield whole[:length]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_damage_to_a_file_is_noticed_and_the_file_named(
    saved: SavedModel, tmp_path: Path, weights: Weights
) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, saved, weights=weights)
    times = 1 if weights == "int8" else 10
    for broken in damaged(path.read_bytes(), random.Random(5), flips=1000 // times, cuts=200 // times):
        path.write_bytes(broken)
        refusal(path)


def test_each_bit_of_the_beginning_counts(small: SavedModel, tmp_path: Path) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, small)
    whole = path.read_bytes()
    for broken in damaged(whole[:HEADER_SIZE], random.Random(5), flips=8 * HEADER_SIZE, cuts=HEADER_SIZE):
        path.write_bytes(broken + whole[HEADER_SIZE:])
        refusal(path)
    for length in range(HEADER_SIZE + 4):
        path.write_bytes(whole[:length])
        refusal(path)
    for more in (b"\0", b"PK", whole):
        path.write_bytes(whole + more)
        refusal(path)


def test_every_damage_to_a_folder_is_noticed_and_the_file_named(saved: SavedModel, tmp_path: Path) -> None:
    """1,000 flips and 200 cuts where they happen to fall, and as many in each file."""
    folder = tmp_path / "m"
    write_packed(folder, saved, weights="int8")
    chance = random.Random(5)
    paths = sorted(folder.iterdir())
    sizes = [path.stat().st_size for path in paths]
    fallen = chance.choices(paths, sizes, k=1000)
    cut = chance.choices(paths, sizes, k=200)
    for path in paths:
        whole = path.read_bytes()
        numbers = {"flips": fallen.count(path) + 150, "cuts": cut.count(path) + 30}
        for broken in damaged(whole, chance, **numbers):
            path.write_bytes(broken)
            with pytest.raises(CheckpointError) as caught:
                load_model(folder)
            if path.name == MANIFEST:  # of two files that don't fit together, who knows which is damaged
                assert MANIFEST in str(caught.value)
                assert caught.value.where.startswith(str(folder))
            else:
                assert caught.value.where == str(path)
        path.write_bytes(whole)
    load_model(folder)


def test_a_folder_may_gather_other_files(small_model_of: Callable[[str], SavedModel], tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write_packed(folder, small_model_of("language_model"))
    (folder / "notes.txt").write_text("mine")
    (folder / "source.vocabulary.json").write_text("not of this model")
    assert load_model(folder).source_codec is None


def test_other_files_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"x", b"PK\x03\x04" + bytes(100), b"\x89PNG\r\n\x1a\n", MAGIC[:-1], MAGIC, MAGIC + bytes(31)):
        (tmp_path / "m.seq2see").write_bytes(content)
        refusal(tmp_path / "m.seq2see")
    (tmp_path / "m.seq2see").write_bytes(MAGIC[:-1] + b"\x07" + bytes(50))
    assert "format 7" in refusal(tmp_path / "m.seq2see").what
    assert "no such file" in refusal(tmp_path / "n.seq2see").what
    (tmp_path / "folder.seq2see").mkdir()
    assert "is missing" in refusal(tmp_path / "folder.seq2see").what
    (tmp_path / "m.seq2see").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="is a file"):
        find_model_folder(tmp_path / "m.seq2see")


def test_a_run_that_has_no_model_yet_is_to_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "my run" / "checkpoints" / "5").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="has no model yet") as caught:
        find_model_folder(tmp_path / "my run")
    command = f"seq2see train '{tmp_path / 'my run'}' --resume"
    assert caught.value.fix == f"if it isn't being trained, resume it: {command}"


def test_a_file_that_may_not_be_read_is_named(
    small: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.seq2see"
    write_packed(path, small)

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in refusal(path).what


# --- made to do harm: the hashes are right --------------------------------------------------------------------------


def archive_of(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with whatever entries, its places counted as in a packed model."""
    written = BytesIO(bytes(HEADER_SIZE))
    written.seek(HEADER_SIZE)
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return written.getvalue()[HEADER_SIZE:]


def patched(archive: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """An archive with another value at a place in its first header of that kind."""
    place = archive.index(signature) + offset
    return archive[:place] + value + archive[place + len(value) :]


PLAIN = archive_of([("config.json", b"{}")])
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"

ARCHIVES: dict[str, bytes] = {
    "nothing": b"",
    "no archive": b"PK" * 30,
    "no entries": archive_of([]),
    "a way up": archive_of([("../config.json", b"{}")]),
    "a way from the root": archive_of([("/etc/passwd", b"")]),
    "a way of Windows": archive_of([("..\\config.json", b"{}")]),
    "a folder": archive_of([("config.json/", b"")]),
    "a name and a zero": patched(archive_of([("config.jsonx", b"{}")]), CENTRAL, 46 + 11, b"\0"),
    "another file": archive_of([("model.pkl", b"\x80\x04.")]),
    "code": archive_of([("__main__.py", b"raise SystemExit")]),
    "the same twice": archive_of([("config.json", b"{}"), ("config.jsoo", b"[]")]).replace(b"jsoo", b"json"),
    "compressed": archive_of([("config.json", bytes(10**6))], zipfile.ZIP_DEFLATED),
    "said to be larger": patched(PLAIN, CENTRAL, 24, (2**31).to_bytes(4, "little")),
    "said to be huge": patched(patched(PLAIN, CENTRAL, 20, b"\xfe\xff\xff\xff"), CENTRAL, 24, b"\xfe\xff\xff\xff"),
    "somewhat too large": patched(patched(PLAIN, CENTRAL, 20, b"\x40\0\0\0"), CENTRAL, 24, b"\x40\0\0\0"),
    "encrypted": patched(PLAIN, CENTRAL, 8, b"\x01"),
    "of a later version": patched(PLAIN, CENTRAL, 6, b"\xff"),
    "of another name inside": patched(PLAIN, LOCAL, 30, b"README.md12"),
    "an entry elsewhere": patched(PLAIN, CENTRAL, 42, b"\xff\xff\xff\x7f"),
    "more entries than there are": patched(PLAIN, END, 10, b"\xff\xff"),
    "a directory elsewhere": patched(PLAIN, END, 16, b"\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_made_to_do_harm_is_refused(name: str, tmp_path: Path) -> None:
    refusal(sealed(tmp_path / "m.seq2see", ARCHIVES[name]))
    assert os.listdir(tmp_path) == ["m.seq2see"]


@pytest.fixture(scope="module")
def files(saved: SavedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is in a packed model that can be built."""
    path = tmp_path_factory.mktemp("packed") / "m.seq2see"
    write_packed(path, saved, weights="int8")
    return files_in(path)


def with_values(content: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(content), **values}).encode()


def with_model(content: bytes, **values: Any) -> bytes:
    return with_values(content, model={**json.loads(content)["model"], **values})


NO_CONFIG: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"{",
    "no UTF-8": lambda _: b"\xff\xfe{}",
    "nested without end": lambda _: b"[" * 100_000,
    "a list": lambda _: b"[]",
    "a number too long": lambda _: b'{"format": ' + b"9" * 5000 + b"}",
    "pickled": lambda _: b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    "no format": lambda content: with_values(content, format=None),
    "format true": lambda content: with_values(content, format=True),
    "format 2": lambda content: with_values(content, format=2),
    "half a surrogate pair": lambda content: with_values(content, seq2see="\ud800"),
    "no model": lambda content: with_values(content, model=None),
    "a list for a model": lambda content: with_values(content, model=["plain"]),
    "max_length is text": lambda content: with_values(content, max_length="9"),
    "max_length is true": lambda content: with_values(content, max_length=True),
    "max_length 0": lambda content: with_values(content, max_length=0),
    "max_length of two billion": lambda content: with_values(content, max_length=2**31 - 1),
    "no pairs": lambda content: with_values(content, trained={"pairs": "7"}),
    "trained in a list": lambda content: with_values(content, trained=[]),
    "max_length without end": lambda content: with_values(content, max_length=10**30),
    "other weights": lambda content: with_values(content, weights="float64"),
    "weights in a list": lambda content: with_values(content, weights=["int8"]),
    "not the weights that are there": lambda content: with_values(content, weights="float16"),
}

NO_MODEL: dict[str, dict[str, Any]] = {
    "an option too many": {"depth": 3},
    "an unknown name": {"name": "gpt"},
    "a name that is none": {"name": None},
    "a name of code": {"name": "__import__('os').system('true')"},
    "half a surrogate pair": {"name": "x" * 300},
    "width as text": {"width": "16"},
    "width as float": {"width": 16.5},
    "width true": {"width": True},
    "width 0": {"width": 0},
    "width below 0": {"width": -16},
    "odd width": {"width": 17},
    "huge width": {"width": 2**40},
    "width without end": {"width": 10**30},
    "somewhat wider": {"width": 18},
    "huge embedding": {"embedding": 2**40},
    "huge layers": {"encoder_layers": 2**40},
    "more layers": {"decoder_layers": 2},
    "dropout 1": {"dropout": 1.0},
    "dropout in a list": {"dropout": [0.1]},
    "a direction that is none": {"direction": "sideways"},
    "a direction that isn't its own": {"direction": "forward"},
    "a merge that is none": {"merge": "max"},
    "another score": {"score": "additive"},
    "another architecture": {"name": "peeky", "embedding": 8},
    "a Transformer": {"name": "transformer"},
    "a Transformer of huge layers": {"name": "transformer", "embedding": 16, "feed_forward": 2**40},
    "a Transformer of many places": {
        "name": "transformer", "embedding": 16, "positions": "learned", "max_positions": 2**40
    },
    "tied": {"tie": "all"},
}  # fmt: skip


@pytest.mark.parametrize("name", NO_CONFIG)
def test_a_configuration_of_no_model_is_refused(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    content = NO_CONFIG[name](files["config.json"])
    error = refusal(crafted(tmp_path / "m.seq2see", {**files, "config.json": content}))
    assert "config.json" in error.where or "model.safetensors" in error.where


@pytest.mark.parametrize("name", NO_MODEL)
def test_a_model_that_can_not_be_built_is_refused(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    content = with_model(files["config.json"], **NO_MODEL[name])
    error = refusal(crafted(tmp_path / "m.seq2see", {**files, "config.json": content}))
    assert "holds no valid model: " in error.what


def test_each_option_of_a_model_has_to_be_there(files: dict[str, bytes], tmp_path: Path) -> None:
    model = json.loads(files["config.json"])["model"]
    for gone in model:
        left = {key: value for key, value in model.items() if key != gone}
        # Older versions didn't have some of them.
        for values in [left | {gone: None}] if gone in ADDED_LATER else [left, left | {gone: None}]:
            content = with_values(files["config.json"], model=values)
            path = crafted(tmp_path / "m.seq2see", {**files, "config.json": content})
            assert f"model.{gone}: missing option" in refusal(path).what


@pytest.mark.parametrize("name", sorted(MODEL_FILES.keys() - {"README.md", "source.vocabulary.json", "sources.hashes"}))
def test_a_file_that_is_not_there_is_named(name: str, files: dict[str, bytes], tmp_path: Path) -> None:
    left = {each: content for each, content in files.items() if each != name}
    if name == MANIFEST:
        (tmp_path / "m.seq2see").write_bytes(pack(left))
    else:
        crafted(tmp_path / "m.seq2see", left)
    assert name in str(refusal(tmp_path / "m.seq2see"))


def test_a_manifest_of_other_files_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    hashes = {name: hash_of(content) for name, content in files.items() if name != MANIFEST}
    for other in (
        hashes | {"README.md": hash_of(b"")},
        hashes | {"more.txt": hash_of(b"")},
        {name: value for name, value in hashes.items() if name != "config.json"},
        hashes | {"../config.json": hash_of(b"")},
    ):
        refusal(crafted(tmp_path / "m.seq2see", files, manifest=manifest_of(other)))


def test_a_folder_whose_manifest_leads_elsewhere_is_refused(saved: SavedModel, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write_packed(folder, saved)
    (tmp_path / "secret").write_text("secret")
    hashes = json.loads((folder / MANIFEST).read_text())["sha256"]
    for name in ("../secret", str(tmp_path / "secret"), "..", "", "a/b", "other.txt", "\ud800", "con\0fig.json"):
        (folder / MANIFEST).write_bytes(manifest_of(hashes | {name: hash_of(b"secret")}))
        with pytest.raises(CheckpointError):
            load_model(folder)


BROKEN_VOCABULARIES: dict[str, Any] = {
    "a list": [],
    "no tokens": {"tokens": None},
    "tokens of numbers": {"tokens": [1, 2]},
    "tokens twice": {"tokens": ["a", "a"]},
    "a token in half": {"tokens": ["\ud800"]},
    "a tokenizer that is none": {"tokenizer": "os.system"},
    "a tokenizer in a list": {"tokenizer": ["characters"]},
    "a form that is none": {"normalization": "NFX"},
    "no format": {"format": 1},
    "bpe without merges": {"tokenizer": "bpe"},
    "unigram without scores": {"tokenizer": "unigram", "scores": ["x"]},
    "more tokens": {"tokens": [chr(code) for code in range(97, 110)]},
    "no token": {"tokens": []},
}


@pytest.mark.parametrize("name", BROKEN_VOCABULARIES)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_broken_vocabulary_is_refused(name: str, side: str, files: dict[str, bytes], tmp_path: Path) -> None:
    values = BROKEN_VOCABULARIES[name]
    content = files[f"{side}.vocabulary.json"]
    broken = with_values(content, **values) if isinstance(values, dict) else json.dumps(values).encode()
    path = crafted(tmp_path / "m.seq2see", {**files, f"{side}.vocabulary.json": broken})
    refusal(path)


def test_tensors_of_another_model_are_refused(saved: SavedModel, tmp_path: Path) -> None:
    first, *_ = saved.tensors
    for tensors in (
        {name: tensor for name, tensor in saved.tensors.items() if name != first},
        saved.tensors | {"more": np.zeros(3, np.float32)},
        saved.tensors | {first: saved.tensors[first][:-1]},
        saved.tensors | {first: saved.tensors[first][None]},
        {},
    ):
        for weights in WEIGHTS:
            write_packed(tmp_path / "m.seq2see", saved._replace(tensors=tensors), weights=weights)
            error = refusal(tmp_path / "m.seq2see")
            assert "holds no valid model: " in error.what
            assert error.where.endswith("model.safetensors")


@pytest.mark.filterwarnings("ignore::seq2see.text.UnicodeVersionWarning")
def test_whatever_is_in_a_file_nothing_but_a_user_error_is_raised(files: dict[str, bytes], tmp_path: Path) -> None:
    """Bits of the inner files flipped, the hashes recalculated: it loads and answers, or is refused."""
    chance = random.Random(7)
    refused = 0
    for number in range(400):
        name = chance.choice([MANIFEST, "config.json", "config.json", "source.vocabulary.json", "model.safetensors"])
        broken = bytearray(files[name])
        for _ in range(chance.randint(1, 3)):
            bit = chance.randrange(8 * min(len(broken), 3000))
            broken[bit // 8] ^= 1 << bit % 8
        manifest = bytes(broken) if name == MANIFEST else None
        path = crafted(tmp_path / f"{number}.seq2see", {**files, name: bytes(broken)}, manifest=manifest)
        try:
            seq2see.load(path, engine="torch", device="cpu")
        except UserError:
            refused += 1
        path.unlink()
    assert 100 < refused < 400


# --- nothing is executed --------------------------------------------------------------------------------------------

WATCH = """
import sys, warnings
from pathlib import Path
from seq2see.storage.saved_model import load_model
paths = [Path(name) for name in sys.argv[2:]]
if sys.argv[1] == "all":
    import seq2see
    load = lambda path: seq2see.load(path, engine="torch", device="cpu")
else:
    load = load_model
for path in paths[:2]:  # a folder and a file: what is imported only when it is needed is here now
    load(path)
seen = []
WATCHED = ("pickle.", "exec", "compile", "import", "marshal.", "ctypes.", "os.system", "os.exec", "os.posix_spawn",
           "os.spawn", "subprocess.", "socket.", "code.__new__", "function.__new__")
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(WATCHED) else None)
compile("1", "here", "eval")
assert seen == ["compile"], seen
del seen[:]
for path in paths:
    load(path)
assert not seen, seen
print("torch" in sys.modules)
"""


@pytest.mark.parametrize("how", ["all", "storage"])
def test_loading_runs_nothing(saved: SavedModel, tiny_run: Path, tmp_path: Path, how: str) -> None:
    """Watched by Python's own audit: no unpickling, no code made or run; and what reads files needs no torch."""
    for weights in WEIGHTS:
        write_packed(tmp_path / f"{weights}.seq2see", saved, weights=weights)
    paths = [tiny_run, *sorted(tmp_path.iterdir())]
    ran = subprocess.run(
        [sys.executable, "-c", WATCH, how, *map(str, paths)], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split() == [str(how == "all")]


def test_old_folders_stay_readable(saved: SavedModel, tmp_path: Path) -> None:
    """As they were written before there were formats of weights: nothing is said of them."""
    config = {key: value for key, value in saved.config.items() if key != "weights"}
    save_model(
        tmp_path / "m",
        config=config,
        tensors=saved.tensors,
        source_codec=saved.source_codec,
        target_codec=saved.target_codec,
        card="",
    )
    assert "weights" not in json.loads((tmp_path / "m" / "config.json").read_text())
    with contextlib.suppress(KeyError):
        del saved.config["weights"]
    assert load_model(tmp_path / "m").config == config
