"""Programs that were damaged or made to do harm: each is refused, by name, before anything of it is computed."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc

import pytest

from seq2see.blueprint import ModelOptions, Sizes, resolve, tensor_shapes
from seq2see.errors import CheckpointError
from seq2see.program import read_programs, to_json, trace


@pytest.fixture(scope="module")
def stored():
    """The programs of a small model with attention, as plain values."""
    blueprint = resolve(ModelOptions(name="attention", width=8, embedding=4))
    return json.loads(to_json(trace(blueprint, dict(tensor_shapes(blueprint, Sizes(9, 7))))))


def damaged(stored, change) -> str:
    copy = json.loads(json.dumps(stored))
    change(copy)
    return json.dumps(copy)


def seconds(work) -> float:
    """Of the processor, at best of three; without collections of garbage, which take longer in a larger process."""
    times = []
    gc.disable()
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    gc.enable()
    return min(times)


def set_step(place, value):
    """Sets one part of the first operation of that kind in the step."""
    kind, part = place

    def change(programs):
        row = next(row for row in programs["step"]["operations"] if row[0] == kind)
        row[part] = value

    return change


MANY = 2**20 + 1
HOSTILE = {
    "an unknown operation": (set_step(("tanh", 0), "system"), "unknown operation 'system'"),
    "a cycle": (set_step(("tanh", 1), [10_000]), "not defined before it"),
    "an operation that uses itself": (
        lambda p: p["step"]["operations"][0].__setitem__(1, [len(p["step"]["inputs"])]),
        "not defined before it",
    ),
    "a negative value": (set_step(("tanh", 1), [-1]), "not defined before it"),
    "a huge size": (set_step(("tanh", 4), ["B*K", 2**40]), "below 2\\*\\*31"),
    "a huge product": (set_step(("tanh", 4), ["B*K", 2**20, 2**20]), "elements"),
    "many axes": (set_step(("tanh", 4), [1] * 100), "at most 6 sizes"),
    "an unknown size": (set_step(("tanh", 4), ["Q"]), "unknown size, Q"),
    "code for a size": (set_step(("tanh", 4), ["__import__('os')"]), "no sum of products"),
    "a long size": (set_step(("tanh", 4), ["B" * 1000]), "sum of products"),
    "another shape than it has": (set_step(("tanh", 4), ["B*K", 3]), "gives float"),
    "a slice outside": (set_step(("slice", 2), {"starts": [0, 0], "stops": ["B*K", 10**6]}), "outside"),
    "a slice backward": (set_step(("slice", 2), {"starts": [0, 6], "stops": ["B*K", 2]}), "outside"),
    "a missing attribute": (set_step(("slice", 2), {"starts": [0, 0]}), "must have these attributes"),
    "another attribute": (set_step(("tanh", 2), {"axis": 0}), "must have these attributes: none"),
    "an axis outside": (set_step(("sum", 2), {"axis": 5}), "axis 5"),
    "inputs that don't fit": (set_step(("matmul", 1), [1, 1]), "fit|needs"),
    "too few inputs": (set_step(("matmul", 1), [1]), "has 1 inputs"),
    "a short row": (lambda p: p["step"]["operations"].__setitem__(0, ["tanh"]), "unpack"),
    "a number for a row": (lambda p: p["step"]["operations"].__setitem__(0, 7), "unpack"),
    "no output": (lambda p: p["step"].update(outputs=[]), "must give log-probabilities"),
    "an output that doesn't exist": (lambda p: p["step"]["outputs"][0].__setitem__(1, 10**6), "not defined before it"),
    "two outputs of one name": (lambda p: p["step"]["outputs"].append(p["step"]["outputs"][0]), "the same name"),
    "another input": (lambda p: p["step"]["inputs"][0].__setitem__(0, "prepared.99"), "is not what prepare gives"),
    "an unknown weight": (lambda p: p["prepare"]["inputs"][0].__setitem__(0, "other"), "no tensor of this name"),
    "no step": (lambda p: p.pop("step"), "is missing"),
    "another format": (lambda p: p.update(format="seq2see-program-9"), "expected programs of format"),
    "many operations": (lambda p: p["step"].update(operations=p["step"]["operations"] * 500), "at most 20,000"),
    "many numbers": (
        lambda p: p["step"]["operations"].insert(
            0, ["constant", [], {"dtype": "float", "shape": [MANY], "data": [0] * MANY}, "float", [MANY]]
        ),
        "at most 1,048,576",
    ),
    "a large array of weights": (
        lambda p: p["prepare"]["operations"].extend(
            [["full", [], {"dtype": "float", "shape": [2**27], "value": 0}, "float", [2**27]]] * 9
        ),
        "of the weights",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_are_refused_quickly_and_by_name(stored, name) -> None:
    change, message = HOSTILE[name]
    content = damaged(stored, change)
    tensors = {each: shape for each, _, shape in stored["prepare"]["inputs"]}

    def read_whole() -> None:
        read_programs(json.dumps(stored), tensors=tensors, where="model.json")
        json.loads(content)

    def refuse() -> None:
        with pytest.raises(CheckpointError, match=message) as caught:
            read_programs(content, tensors=tensors, where="model.json")
        assert caught.value.where.startswith("model.json")
        assert caught.value.fix

    assert seconds(refuse) < 20 * seconds(read_whole)
    tracemalloc.start()
    refuse()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


def test_truncated_programs_are_refused(stored) -> None:
    whole = json.dumps(stored)
    for length in [*range(0, 200), *range(200, len(whole), 97)]:
        with pytest.raises(CheckpointError, match="invalid JSON"):
            read_programs(whole[:length])


@pytest.mark.parametrize("content", ["[" * 100_000, "null", "[]", "{}", '{"format": "seq2see-program-1", "step": []}'])
def test_other_json_is_refused(content) -> None:
    with pytest.raises(CheckpointError):
        read_programs(content)


def test_any_single_change_is_refused_or_harmless(stored) -> None:
    """Every number of the file replaced by others: read or refused, never another error."""
    whole = json.dumps(stored)
    refused = 0
    for program in ("prepare", "encode", "step"):
        for number, row in enumerate(stored[program]["operations"]):
            for part, value in ((0, "add"), (1, []), (1, [0]), (2, {}), (3, "int"), (4, []), (4, [0]), (4, ["P"])):
                copy = json.loads(whole)
                copy[program]["operations"][number][part] = value
                if copy[program]["operations"][number] == row:
                    continue
                try:
                    read_programs(json.dumps(copy))
                except CheckpointError:
                    refused += 1
    assert refused > 300


def test_the_programs_are_read_as_they_were(stored) -> None:
    text = json.dumps(stored, separators=(",", ":"))
    assert to_json(read_programs(text)) == text
