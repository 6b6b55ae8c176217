"""Nothing is unpickled: files of other tools lie beside ours, which are loaded and resumed from under an audit."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2see.errors import CheckpointError
from seq2see.storage.checkpoints import PROGRESS, STATE, load_checkpoint, sealed_manifest
from seq2see.storage.files import MANIFEST

FOREIGN = (
    ".metadata", "__0_0.distcp", "optimizer.pt", "scheduler.pt", "rng_state.pth", "rng_state_0.pth", "checkpoint.pt",
    "checkpoint_last.pt", "last.ckpt", "pytorch_model.bin", "training_args.bin", "model.pt", "model.pkl", "state.pt",
    "state.pkl", "state.npy", "progress.pkl", "source.vocabulary.pkl", "config.pkl", "data.pkl", "weights.npz",
)  # fmt: skip
"""What PyTorch's distributed checkpoints, Transformers, fairseq, Lightning, NumPy and others may leave in a folder."""


class Harm:
    """Unpickled, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


WATCH = """
import os, pickle, sys
from pathlib import Path
import seq2see

run, packed, foreign, mark = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(), sys.argv[4]
seen = []

def watch(event, given):
    if event.startswith("pickle."):
        seen.append(event)
    if event == "open" and isinstance(given[0], (str, bytes, os.PathLike)):
        if os.path.basename(os.fsdecode(given[0])) in foreign:
            seen.append(f"open {given[0]}")

sys.addaudithook(watch)
data = (run / "model" / foreign[0]).read_bytes()
pickle.loads(data)
assert os.path.isdir(mark) and len(seen) == 2, seen  # the watch sees, and the file does harm
os.rmdir(mark)
del seen[:]

from seq2see.packing import pack_run
assert seq2see.load(run, device="cpu").predict(["abc"])[0].text is not None
pack_run(run, packed)
assert seq2see.load(packed, engine="numpy").predict(["abc"])[0].text is not None
seq2see.train(Path(sys.argv[5]), out=run, settings={"training.max_updates": 95}, resume=True, allow_changes=True,
            device="cpu", quiet=True)
assert not seen, seen
assert not os.path.exists(mark)
"""


def test_files_of_other_tools_are_never_opened(tiny_run_copy: Path, tiny_pairs: Path, tmp_path: Path) -> None:
    run, mark = tiny_run_copy, tmp_path / "mark"
    harm = pickle.dumps(Harm(mark))
    places = [run, run / "model", run / "checkpoints", *(path for path in (run / "checkpoints").iterdir())]
    for place in places:
        for name in FOREIGN:
            (place / name).write_bytes(harm)
    given = map(str, (run, tmp_path / "m.seq2see", " ".join(FOREIGN), mark, tiny_pairs))
    command = [sys.executable, "-c", WATCH, *given]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert load_checkpoint(run / "checkpoints").progress["update"] == 95


@pytest.mark.parametrize("name", [STATE, PROGRESS])
def test_a_pickle_under_a_name_of_ours_is_refused(name: str, tiny_run_copy: Path, tmp_path: Path) -> None:
    """Also with recalculated hashes."""
    place = max((tiny_run_copy / "checkpoints").iterdir())
    files = {path.name: path.read_bytes() for path in place.iterdir() if path.name != MANIFEST}
    files[name] = pickle.dumps(Harm(tmp_path / "mark"))
    (place / name).write_bytes(files[name])
    (place / MANIFEST).write_bytes(sealed_manifest(files, {}))
    with pytest.raises(CheckpointError, match="holds an invalid training state"):
        load_checkpoint(tiny_run_copy / "checkpoints")
    assert not (tmp_path / "mark").exists()
