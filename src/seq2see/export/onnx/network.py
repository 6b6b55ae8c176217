"""An exported model in ONNX Runtime, as a search runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2see.errors import ConfigError
from seq2see.export.onnx.files import ENCODER, NEXT, STEP, axes_of
from seq2see.export.onnx.graph import AXES
from seq2see.program import Programs
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, READING, WEIGHTS
from seq2see.program.replay import ReplayState

Array = NDArray[Any]


class OnnxNetwork:
    """The two graphs of a folder; `start` and `step` are those of `seq2see.program.Replay`."""

    def __init__(self, graphs: Mapping[str, bytes], programs: Programs) -> None:
        self.encoder, self.decoder = session(graphs[ENCODER]), session(graphs[STEP])
        self.axes = axes_of(programs)

    def start(self, ids: Array, lengths: Array, *_: object) -> ReplayState:
        """See `Replay`."""
        sizes = {"B": ids.shape[0], "S": ids.shape[1], "K": 1, "P": 0}
        found = run(self.encoder, {IDS: ids, LENGTHS: lengths}, sizes)
        readings, carry = ({n: v for n, v in found.items() if n.startswith(kind)} for kind in (READING, CARRY))
        return ReplayState(readings, carry, self.axes, sizes)

    def step(self, ids: Array, state: ReplayState) -> tuple[Array, ReplayState, Array | None]:
        """See `Replay`."""
        found = run(self.decoder, {IDS: ids, **state.readings, **state.carry}, state.sizes)
        log_probs, weights = found.pop(LOG_PROBS), found.pop(WEIGHTS, None)
        sizes = {**state.sizes, "P": state.sizes["P"] + 1}
        carry = {name.replace(NEXT, CARRY): value for name, value in found.items()}
        return log_probs, ReplayState(state.readings, carry, self.axes, sizes), weights


def session(model: bytes) -> Any:
    """The graph in ONNX Runtime, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session: Any, given: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
    """The outputs of a graph by name."""
    named = {**given, **{AXES[name]: np.array([size]) for name, size in sizes.items()}}
    names = [each.name for each in session.get_outputs()]
    inputs = {each.name: named[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(names, inputs), strict=True))
