"""An exported model in ONNX Runtime, as a search runs it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seq2see.export.bundle import Bundle
from seq2see.export.checking import OPTIONS, Check, compared
from seq2see.export.onnx.files import ENCODER, NEXT, STEP, axes_of, files
from seq2see.export.onnx.graph import AXES
from seq2see.inference.engine import NumpyEngine
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.predictor import Predictor
from seq2see.program import Programs
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, READING, WEIGHTS
from seq2see.program.replay import ReplayState
from seq2see.runtime import Network

Array = NDArray[Any]
NOT_INSTALLED = "not checked, because onnxruntime is not installed: pip install onnxruntime, and export again"


class OnnxNetwork:
    """The two graphs of a folder; `start` and `step` are those of `seq2see.program.Replay`."""

    def __init__(self, graphs: Mapping[str, bytes], programs: Programs, max_positions: int | None = None) -> None:
        self.max_positions = max_positions
        self.has_attention = programs.has_attention
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


def check(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Compare the answers in ONNX Runtime with the model's; why not, if it isn't installed."""
    if find_spec("onnxruntime") is None:
        return NOT_INSTALLED
    same = predictor(bundle, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        start = perf_counter()
        answers = [[same.predict(text, **options)[0] for text in texts] for options in OPTIONS]
        milliseconds = 1000 * (perf_counter() - start)
    found = [[(each.text, each.log_prob) for each in own] for own in answers]
    return compared(model, texts, found, milliseconds, "ONNX Runtime")


def predictor(bundle: Bundle, model: Predictor) -> Predictor:
    """The model, computed by ONNX Runtime."""
    network = OnnxNetwork(files(bundle), bundle.programs, bundle.limits["maxPositions"])
    return Predictor(
        NumpyEngine(cast(Network, network)),
        model.source_codec,
        model.target_codec,
        max_length=model.max_length,
        length_penalty=model.length_penalty,
    )
