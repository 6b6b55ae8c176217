"""The target ONNX: a folder with one graph that reads a text, one that takes a step, and everything else as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnx

from seq2see.export.bundle import Bundle
from seq2see.export.javascript import resource
from seq2see.export.onnx.graph import OPSET, whole
from seq2see.export.onnx.operations import convert
from seq2see.program import Programs
from seq2see.program.program import CARRY
from seq2see.program.replay import rows_axis
from seq2see.storage.weights import read_stored

ENCODER, STEP, VALUES, TEXT = "encoder.onnx", "step.onnx", "model.json", "text.js"
NEXT = "next."
"""What the names of carries after a step begin with."""
FORMAT = "seq2see-onnx-1"


def files(bundle: Bundle) -> dict[str, bytes]:
    """The files of the folder."""
    stored = read_stored(bundle.weights, bundle.format, where="export")
    found = graphs(bundle.programs, stored, {name: str(value) for name, value in bundle.facts.items()})
    values = {"format": FORMAT, "opset": OPSET, "weights": bundle.format, "rows": axes_of(bundle.programs)}
    found[VALUES] = json.dumps({**values, **bundle.values()}, ensure_ascii=False, indent=1).encode() + b"\n"
    found[TEXT] = f"{resource('text.js')}\nexport {{ BLANK, Codec }};\n".encode()
    return found


def graphs(
    programs: Programs, stored: Mapping[str, np.ndarray], about: Mapping[str, str] = MappingProxyType({})
) -> dict[str, bytes]:
    """The two graphs, checked by the library. `stored` are the weights in their format, with the scales of int8."""
    found = {}
    for name, program in ((ENCODER, programs.encode), (STEP, programs.step)):
        own = whole(programs.prepare, program)
        graph, values = convert(own, stored)
        outputs = [
            (renamed(output) if name == STEP else output, value, own.type(number))
            for (output, number), value in zip(own.outputs, values, strict=True)
        ]
        model = graph.model(name.removesuffix(".onnx"), outputs, about)
        onnx.checker.check_model(model)
        found[name] = model.SerializeToString(deterministic=True)
    return found


def renamed(output: str) -> str:
    """What an output of a step is called: an ONNX graph has inputs and outputs of different names."""
    return output.replace(CARRY, NEXT) if output.startswith(CARRY) else output


def axes_of(programs: Programs) -> dict[str, int]:
    """Of each carry the axis of its rows."""
    return {name: rows_axis(type_.shape) for name, type_ in programs.step.inputs if name.startswith(CARRY)}
