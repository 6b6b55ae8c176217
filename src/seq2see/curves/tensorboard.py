"""Training histories as TensorBoard event files: `seq2see curves RUN --tensorboard logs`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from seq2see.curves.history import History, problem_lines, read_history
from seq2see.curves.plot import quantities_of
from seq2see.errors import CheckpointError, UserError
from seq2see.printable import one_line
from seq2see.storage.files import write_file
from seq2see.system_errors import reported

SUFFIX = ".seq2see"
"""Marks our event files, by which those of an earlier call are told from other people's."""


def write_tensorboard(runs: Sequence[Path], folder: Path) -> list[str]:
    """Write one subfolder of events per run into `folder`. Returns messages about skipped log lines.

    Tags are the titles of the plots of `seq2see curves`, steps are updates. Raises CheckpointError for a run without a
    log and for a folder that can't be written, and UserError without the package tensorboard.
    """
    histories = [read_history(run) for run in dict.fromkeys(runs)]
    for history in histories:
        name = "_".join(part for part in Path(history.name).parts if part not in ("/", ".", ".."))
        write_events(history, folder / (one_line(name) or "run"))
    return list(problem_lines(histories))


def write_events(history: History, folder: Path) -> None:
    """Write all points of a run to one event file; replaces the one of an earlier call, and no other file."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]
    except ImportError:
        raise UserError(
            "TensorBoard events need the package tensorboard", fix='pip install "seq2see[tensorboard]"'
        ) from None
    now = time.time()
    content = BytesIO()
    records = RecordWriter(content)  # TensorBoard's own writer is a thread, whose errors nobody hears of
    records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
    for quantity in quantities_of([history]):
        for point in quantity.points(history):
            value = Summary.Value(tag=quantity.title, simple_value=quantity.scale * point.value)
            event = Event(wall_time=now, step=point.update, summary=Summary(value=[value]))
            records.write(event.SerializeToString())
    path = folder / f"events.out.tfevents.{now:.6f}{SUFFIX}"
    write_file(path, content.getvalue())
    with reported(folder, "written", CheckpointError, option="--tensorboard"):
        for earlier in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
            if earlier != path:
                earlier.unlink()
