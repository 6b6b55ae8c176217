"""Models made to do harm: each is refused, in the same words by both engines, in little time and memory.

A seeded mutator makes any number of them from small models of every architecture. Hashes are right wherever the harm is
elsewhere, since who makes such a file can calculate them. A cut runs with the other tests, all of them with the slow.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from seq2see.blueprint import ARCHITECTURES, MAX_LAYERS
from seq2see.blueprint.resolution import ADDED_LATER
from seq2see.data.source_record import HEADER
from seq2see.data.source_record import MAGIC as RECORD_MAGIC
from seq2see.storage.archive import HEADER_SIZE, MAGIC, SUFFIX, pack
from seq2see.storage.files import MANIFEST, hash_of, manifest_of
from seq2see.storage.saved_model import (
    CONFIG,
    MAX_LENGTH,
    RECORD,
    SOURCE_CODEC,
    TARGET_CODEC,
    TENSORS,
    SavedModel,
    files_of,
)

Files = dict[str, bytes]
Harm = Callable[[random.Random, Files], None]
"""Changes the files of a model so that it is none."""

STARTS, MEGABYTES = 2, 300
"""What refusing one of them may take: processor time, in starts of the command with a whole model, and memory."""

# --- configuration --------------------------------------------------------------------------------------------------

NO_NUMBERS: list[Any] = [0, -1, 2**31, 2**40, 2**63, 10**30, 1.5, "8", None, True, [], {}, [8], "x" * 10_000]
OPTIONS: dict[str, list[Any]] = {
    "name": [[], {}, None, 7, "gpt", "", "__import__('os')", "plain\0", "x" * 100_000],
    "width": [*NO_NUMBERS, 3, 10**6],
    "embedding": [*NO_NUMBERS, 3, 10**6],
    "encoder_layers": [*NO_NUMBERS, 77, MAX_LAYERS, MAX_LAYERS + 1, 20_000],
    "decoder_layers": [*NO_NUMBERS, 77, MAX_LAYERS, MAX_LAYERS + 1, 20_000],
    "layers": [*NO_NUMBERS, 1, 77],
    "dropout": [1.0, -0.1, "0", None, [], 10**400],
    "direction": ["sideways", None, 1, ["both"]],
    "merge": ["max", None, 2],
    "score": ["cosine", None, {"dot": 1}],
    "cell": ["rnn", None, 4, ["gru"]],
    "output": ["deep", None, 1],
    "query": ["next", None, 0],
    "diagonal": ["yes", None, 2, []],
    "copy": ["all", None, 2, {}],
    "heads": NO_NUMBERS,
    "feed_forward": NO_NUMBERS,
    "positions": ["absolute", None, 3],
    "max_positions": NO_NUMBERS,
    "norm": ["both", None, 0],
    "activation": ["tanh", "os.system", None, ["relu"]],
    "tie": ["some", None, False],
}


def change_config(files: Files, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads(files[CONFIG])
    change(config)
    files[CONFIG] = json.dumps(config).encode()


def another_option(chance: random.Random, files: Files) -> None:
    name = chance.choice(list(OPTIONS))
    value = chance.choice(OPTIONS[name])
    change_config(files, lambda config: config["model"].update({name: value}))


def an_option_less_or_more(chance: random.Random, files: Files) -> None:
    def change(config: dict[str, Any]) -> None:
        if chance.random() < 0.5:
            del config["model"][chance.choice([name for name in config["model"] if name not in ADDED_LATER])]
        else:
            config["model"][chance.choice(["depth", "\ud83d", "", "x" * 50_000])] = 1

    change_config(files, change)


def positions_without_end(chance: random.Random, files: Files) -> None:
    """The 3 kB that took 5 GB: a table of positions that no tensor is in the file for."""
    model = {"name": "transformer", "embedding": 2, "heads": 1, "positions": "learned"}
    model["max_positions"] = chance.choice([5_000, 10**6])  # type: ignore[assignment]
    change_config(files, lambda config: config["model"].update(model))


def another_table(chance: random.Random, files: Files) -> None:
    values: dict[str, list[Any]] = {
        "format": [None, True, 2, "1", 1.0],
        "max_length": [None, 0, -5, MAX_LENGTH + 1, 2**31 - 1, 10**30, "9", True, 9.5],
        "length_penalty": [None, -1, 101, 10**400, "0.6", True, [0.6]],
        "weights": ["float64", ["int8"], 3],
        "trained": [[], "x", {"pairs": "many"}, {"pairs": [1]}],
        "model": [None, [], "plain", {}, 5],
    }
    name = chance.choice(list(values))
    value = chance.choice(values[name])
    change_config(files, lambda config: config.update({name: value}))


def no_configuration(chance: random.Random, files: Files) -> None:
    nested = "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "[" * 990 + "]" * 990
    others = b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"format": ' + b"9" * 5_000 + b"}", b" " * (2**20 + 1)
    files[CONFIG] = chance.choice([*others, *(text.encode() for text in nested)])


# --- weights --------------------------------------------------------------------------------------------------------

Header = dict[str, dict[str, Any]]


def change_header(files: Files, change: Callable[[Header], object], *, more: bytes = b"") -> None:
    """The header of a safetensors file: the type, shape and place of each tensor."""
    data = files[TENSORS]
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    meta = header.pop("__metadata__", None)
    change(header)
    content = json.dumps(header if meta is None else {"__metadata__": meta, **header}).encode()
    files[TENSORS] = struct.pack("<Q", len(content)) + content + data[8 + length :] + more


def a_tensor_less(chance: random.Random, files: Files) -> None:
    change_header(files, lambda header: header.pop(chance.choice(list(header))))


def a_tensor_renamed(chance: random.Random, files: Files) -> None:
    def change(header: Header) -> None:
        name = chance.choice(list(header))
        header[chance.choice([name + "x", "", "../x", "x" * 50_000, f"{name}.scale", "\U0001f600"])] = header.pop(name)

    change_header(files, change)


def tensors_more(chance: random.Random, files: Files) -> None:
    def change(header: Header) -> None:
        end = max(entry["data_offsets"][1] for entry in header.values())
        for number in range(chance.choice([1, 20_000])):
            header[f"decoder.layers.{number}"] = {"dtype": "F32", "shape": [0, 7], "data_offsets": [end, end]}

    change_header(files, change)


def another_shape(chance: random.Random, files: Files) -> None:
    def change(header: Header) -> None:
        entry = header[chance.choice(list(header))]
        shape = entry["shape"]
        shapes = [
            [*shape, 1],
            [1, *shape],
            [2**62, *shape],
            [0, *shape],
            [*shape[:-1], shape[-1] + 1],
            [-1],
            "x",
            [2**64],
        ]
        entry["shape"] = chance.choice(shapes)

    change_header(files, change)


def another_type(chance: random.Random, files: Files) -> None:
    def change(header: Header) -> None:
        header[chance.choice(list(header))]["dtype"] = chance.choice(
            ["I32", "U32", "F16", "F64", "BF16", "I8", "X9", 3]
        )

    change_header(files, change)


def another_place(chance: random.Random, files: Files) -> None:
    def change(header: Header) -> None:
        entry = header[chance.choice(list(header))]
        start, end = entry["data_offsets"]
        entry["data_offsets"] = chance.choice([[start, end + 4], [end, start], [start, 2**60], [-4, end], [0], "x"])

    change_header(files, change)


def no_numbers(chance: random.Random, files: Files) -> None:
    data = bytearray(files[TENSORS])
    data[-4:] = struct.pack("<f", chance.choice([float("nan"), float("inf"), float("-inf")]))
    files[TENSORS] = bytes(data)


def no_weights(chance: random.Random, files: Files) -> None:
    data = files[TENSORS]
    choices = [b"", data[:7], data[:100], data[:-1], data + b"\0", struct.pack("<Q", 2**63) + data[8:], b"\x80\x04."]
    files[TENSORS] = chance.choice([*choices, struct.pack("<Q", 2) + b"{}"])


# --- vocabularies ---------------------------------------------------------------------------------------------------


def another_vocabulary(chance: random.Random, files: Files) -> None:
    side = chance.choice([name for name in (SOURCE_CODEC, TARGET_CODEC) if name in files])
    values = json.loads(files[side])
    tokens = values["tokens"]
    long = "a" * 200_000
    changes: list[dict[str, Any]] = [
        {"tokens": [*tokens, "z"]},
        {"tokens": tokens[:-1]},
        {"tokens": []},
        {"tokens": None},
        {"tokens": [*tokens[:-1], tokens[0]]},
        {"tokens": [*tokens[:-1], ""]},
        {"tokens": [*tokens[:-1], 7]},
        {"tokens": [*tokens[:-1], "\ud800"]},
        {"tokenizer": "unigram", "tokens": [*tokens[:-1], long], "scores": [-1.0] * len(tokens)},
        {"tokenizer": "unigram", "scores": [float("nan")] * len(tokens)},
        {"tokenizer": "unigram", "scores": [1e300] * len(tokens)},
        {"tokenizer": "bpe", "merges": ["a b"] * 3},
        {"tokenizer": "bpe", "merges": "a b"},
        {"tokenizer": ["characters"]},
        {"tokenizer": "os.system"},
        {"normalization": "NFX"},
        {"normalization": None},
        {"format": 1},
    ]
    files[side] = json.dumps({**values, **chance.choice(changes)}).encode()


def a_source_too_much_or_missing(chance: random.Random, files: Files) -> None:
    if SOURCE_CODEC in files:
        del files[SOURCE_CODEC]
    else:
        files[SOURCE_CODEC] = files[TARGET_CODEC]


def no_vocabulary(chance: random.Random, files: Files) -> None:
    files[TARGET_CODEC] = chance.choice([b"", b"[", b"[]", b"[" * 100_000, b"\xff", b"9" * 5_000])


def another_record(chance: random.Random, files: Files) -> None:
    """The hashes of the sources that a model has seen."""
    sizes = [(1, 2**60, 5, 0, 0), (2, 0, 0, 0, 0), (1, 2**63, 255, 2**63, 255), (1, 3, 5, 0, 0), (1, 0, 9, 0, 0)]
    files[RECORD] = chance.choice([b"", b"x" * 100, *(HEADER.pack(RECORD_MAGIC, *each) for each in sizes)])


INNER_HARMS: list[Harm] = [
    another_option,
    another_option,
    an_option_less_or_more,
    positions_without_end,
    another_table,
    no_configuration,
    a_tensor_less,
    a_tensor_renamed,
    tensors_more,
    another_shape,
    another_type,
    another_place,
    no_numbers,
    no_weights,
    another_vocabulary,
    a_source_too_much_or_missing,
    no_vocabulary,
    another_record,
]

# --- folders and archives -------------------------------------------------------------------------------------------


def hashes_of(files: Files) -> dict[str, str]:
    return {name: hash_of(files[name]) for name in sorted(files)}


def write_files(path: Path, files: Files, manifest: bytes | None = None) -> None:
    """A model folder, or a packed model, with these files and the right hashes."""
    listed = manifest_of(hashes_of(files)) if manifest is None else manifest
    if path.suffix == SUFFIX:
        path.write_bytes(pack({**files, MANIFEST: listed}))
        return
    path.mkdir()
    for name, content in {**files, MANIFEST: listed}.items():
        (path / name).write_bytes(content)


def write_no_regular_file(chance: random.Random, path: Path, files: Files) -> None:
    """A folder in which one file is a pipe, a device, a folder, or too large to be read."""
    folder = path.with_suffix("")
    write_files(folder, files)
    broken = folder / chance.choice(sorted({*files, MANIFEST}))
    kind = chance.choice(["pipe", "zero", "folder", "sparse", "nothing", "loop"])
    if kind == "sparse":
        with broken.open("r+b") as file:
            file.truncate(2**42)
        return
    broken.unlink()
    if kind == "pipe":
        os.mkfifo(broken)
    elif kind == "zero":
        broken.symlink_to("/dev/zero")
    elif kind == "loop":
        broken.symlink_to(broken)
    elif kind == "folder":
        broken.mkdir()


def write_no_manifest(chance: random.Random, path: Path, files: Files) -> None:
    hashes = hashes_of(files)
    others: list[Any] = [
        {**hashes, "../secret": hash_of(b"")},
        {**hashes, "model.pkl": hash_of(b"")},
        {**hashes, CONFIG: hash_of(b"")},
        {name: value for name, value in hashes.items() if name != TENSORS},
        {**hashes, "x" * 100_000: hash_of(b"")},
    ]
    contents = [b"", b"{", b"[" * 100_000, b"null", b"9" * 9, b" " * (2**20 + 1), manifest_of(hashes) + b" "]
    listed = chance.choice([*contents, *map(manifest_of, others)])
    write_files(path if chance.random() < 0.5 else path.with_suffix(""), files, listed)


def write_no_archive(chance: random.Random, path: Path, files: Files) -> None:
    """A packed model whose seal is right, with an archive that is none or holds something else."""
    whole = pack({**files, MANIFEST: manifest_of(hashes_of(files))})[HEADER_SIZE:]
    written = BytesIO(bytes(HEADER_SIZE))
    written.seek(HEADER_SIZE)
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content + bytes(10**6), zipfile.ZIP_DEFLATED)
    place = whole.index(files[CONFIG])
    inner = chance.choice(
        [
            b"",
            whole[: len(whole) // 2],
            whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :],
            written.getvalue()[HEADER_SIZE:],
            whole + bytes(2**17),
            b"PK\x05\x06" + bytes(18),
        ]
    )
    path.write_bytes(MAGIC + bytes.fromhex(hash_of(inner)) + inner)


def write_another_file(chance: random.Random, path: Path, files: Files) -> None:
    if chance.random() < 0.3:
        os.mkfifo(path)
    elif chance.random() < 0.3:
        path.symlink_to("/dev/zero")
    elif chance.random() < 0.5:
        with path.open("wb") as file:
            file.write(MAGIC)
            file.truncate(2**42)
    else:
        path.write_bytes(chance.choice([b"", MAGIC[:-1], MAGIC[:-1] + b"\x07" + bytes(40), b"\x80\x04.", MAGIC]))


OUTER_HARMS = [write_no_regular_file, write_no_manifest, write_no_archive, write_another_file]


def write_hostile_models(folder: Path, count: int, model_of: Callable[[str], SavedModel], *, seed: int) -> list[Path]:
    """Models that are none, the same for the same seed; every kind of harm comes about equally often."""
    chance = random.Random(seed)
    names = list(ARCHITECTURES)
    wholes = {name: files_of(model_of(name), "float32") for name in names}
    paths = []
    for number in range(count):
        files = dict(wholes[names[number % len(names)]])
        path = folder / f"{number}{SUFFIX}"
        kind = number % (len(INNER_HARMS) + len(OUTER_HARMS))
        if kind < len(INNER_HARMS):
            INNER_HARMS[kind](chance, files)
            write_files(path, files)
        else:
            OUTER_HARMS[kind - len(INNER_HARMS)](chance, path, files)
        paths.append(path if os.path.lexists(path) else path.with_suffix(""))
    return paths


# --- what both engines say of them ----------------------------------------------------------------------------------

REFUSE = """
import json, sys, time, warnings
import seq2see
from seq2see.errors import UserError

warnings.simplefilter("ignore")
engine, whole, *paths = json.load(sys.stdin)
seq2see.load(whole, engine=engine, device="cpu").predict("abc")  # all that is imported is here now
start_up = time.process_time()
# Not ru_maxrss, which a new program inherits from the one that started it.
used = lambda: int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
for path in paths:
    before, start = used(), time.process_time()
    try:
        seq2see.load(path, engine=engine, device="cpu")
        said = None
    except UserError as error:
        said = str(error)
    print(json.dumps([said, (time.process_time() - start) / start_up, used() - before]), flush=True)
"""


def refusals_of(engine: str, whole: Path, paths: list[Path]) -> list[tuple[str | None, float, float]]:
    """What is said of each model, the processor time it takes in starts, and by how many megabytes the memory grows."""
    ran = subprocess.run(
        [sys.executable, "-c", REFUSE],
        input=json.dumps([engine, str(whole), *map(str, paths)]),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize(("count", "seed"), [(66, 1), pytest.param(300, 2, marks=pytest.mark.slow)])
def test_each_is_refused_by_both_engines_in_the_same_words(
    count: int, seed: int, small_model_of: Callable[[str], SavedModel], tmp_path: Path
) -> None:
    whole = tmp_path / f"whole{SUFFIX}"
    write_files(whole, files_of(small_model_of("bidirectional"), "float32"))
    paths = write_hostile_models(tmp_path, count, small_model_of, seed=seed)
    found = {engine: refusals_of(engine, whole, paths) for engine in ("numpy", "torch")}
    for path, numpy, torch in zip(paths, found["numpy"], found["torch"], strict=True):
        assert numpy[0] is not None, f"{path} is loaded"
        assert numpy[0] == torch[0]
        assert str(path.with_suffix("")) in numpy[0]
        assert len(numpy[0]) < 1_000 + 3 * len(str(path))
        for _, starts, megabytes in (numpy, torch):
            assert starts < STARTS, numpy[0]
            assert megabytes < MEGABYTES, numpy[0]


def test_the_same_seed_makes_the_same_models(small_model_of: Callable[[str], SavedModel], tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths = write_hostile_models(tmp_path / name, 22, small_model_of, seed=5)
        made.append([path.read_bytes() if path.is_file() and path.stat().st_size < 2**30 else b"" for path in paths])
    assert made[0] == made[1]
