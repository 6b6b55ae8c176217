"""An exported ONNX folder in ONNX Runtime answers as the NumPy engine does; the graphs are tested in tests/laws."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.data import Pair
from seq2see.errors import ConfigError
from seq2see.export import export_run
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.storage.saved_model import write_packed
from seq2see.storage.weights import read_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from seq2see.export.onnx.files import ENCODER, STEP, VALUES, files  # noqa: E402
from seq2see.export.onnx.network import OnnxNetwork, check, session  # noqa: E402

SMALL = {"width": 16, "embedding": 8}


@pytest.fixture
def packed(saved, tmp_path):
    """Writes a model as a packed file."""

    def write(**options):
        path = tmp_path / "model.seq2see"
        write_packed(path, saved(resolve(ModelOptions(**options))))
        return path

    return write


def axes(value) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_the_answers_are_those_of_the_numpy_engine(architecture, exported, texts) -> None:
    model, bundle = exported(architecture)
    found = check(bundle, model, texts(model))
    assert found.same == (found.count, found.count)
    assert found.largest_difference < 1e-4
    assert found.count == len(texts(model))


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_weights_are_computed_with_as_a_packed_model_has_them(weights, exported, saved, texts) -> None:
    o = resolve(ModelOptions(name="bidirectional", **SMALL))
    content = saved(o)
    _, bundle = exported(o, weights=weights)
    tensors = read_weights(bundle.weights, weights, where="a model")
    model = model_of(content._replace(tensors=tensors), make_numpy_engine)
    found = check(bundle, model, texts(model))
    assert found.same == (found.count, found.count)
    assert found.largest_difference < 1e-4
    whole = files(exported(o)[1])
    assert len(files(bundle)[STEP]) < len(whole[STEP])


def test_the_graphs_say_their_axes_and_their_opset(exported) -> None:
    _, bundle = exported(resolve(ModelOptions(name="transformer", width=16, heads=2, feed_forward=24)))
    encoder, step = (onnx.load_from_string(files(bundle)[name]) for name in (ENCODER, STEP))
    for graph in (encoder, step):
        onnx.checker.check_model(graph, full_check=True)
        assert [(each.domain, each.version) for each in graph.opset_import] == [("", 18)]
    assert {each.name: axes(each) for each in encoder.graph.input} == {
        "ids": ["batch", "source"],
        "lengths": ["batch"],
    }
    inputs = {each.name: axes(each) for each in step.graph.input}
    outputs = {each.name: axes(each) for each in step.graph.output}
    assert inputs["ids"] == ["rows"]
    assert inputs["carry.0"] == [2, "rows", 2, "past", 8], "keys and values"
    assert outputs["next.0"] == [2, "rows", 2, "past+1", 8]
    assert outputs["log_probs"] == ["rows", 12]
    assert {name for name in inputs if "." in name} == {each.name for each in encoder.graph.output}
    assert json.loads(files(bundle)[VALUES])["rows"]["carry.0"] == 1


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_recurrent_encoder_is_an_operation_of_onnx(cell, exported) -> None:
    _, bundle = exported(resolve(ModelOptions(name="bidirectional", cell=cell, **SMALL)))
    nodes = [node for node in onnx.load_from_string(files(bundle)[ENCODER]).graph.node if node.op_type == cell.upper()]
    assert len(nodes) == 2
    assert all(node.input[4] for node in nodes), "the lengths of the sequences"


def test_a_language_model_is_given_the_number_of_texts(exported) -> None:
    _, bundle = exported(resolve(ModelOptions(name="language_model", **SMALL)))
    encoder = session(files(bundle)[ENCODER])
    assert [each.name for each in encoder.get_inputs()] == ["batch"]
    (first, *_) = encoder.run(["carry.0"], {"batch": np.array([3])})
    assert first.shape == (3, 16)


def test_the_folder_is_written_and_checked(packed, tmp_path) -> None:
    pairs = [Pair("abc", "bca"), Pair("hgfedcba", "a"), Pair("d", "dd")]
    found = export_run(packed(name="attention", **SMALL), tmp_path / "model.onnx", data=pairs)
    assert found.check is not None
    assert found.check.same == (3, 3)
    assert any(line.startswith("checked in ONNX Runtime on 3 texts") for line in found.lines())
    written = {path.name: path.stat().st_size for path in found.path.iterdir()}
    assert found.size == sum(size for name, size in written.items() if name != "manifest.json")
    values = json.loads((found.path / VALUES).read_text("utf-8"))
    assert values["checked"][-2:] == found.check.lines()
    assert values["opset"] == 18
    assert export_run(packed(name="plain", **SMALL), found.path, data=pairs).path == found.path, "is replaced"


def test_without_pairs_it_says_that_nothing_was_checked(packed, tmp_path) -> None:
    found = export_run(packed(name="plain", **SMALL), tmp_path / "model.onnx")
    assert found.check is None
    assert found.lines()[-1].startswith("not checked, because there are no pairs")


def test_a_file_in_the_place_of_the_folder_stays(packed, tmp_path) -> None:
    place = tmp_path / "model.onnx"
    place.write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        export_run(packed(name="plain", **SMALL), place)
    assert place.read_text() == "mine"


def test_the_check_finds_another_model(exported, texts) -> None:
    """The negative control."""
    one, _ = exported(resolve(ModelOptions(name="plain", **SMALL)))
    _, other = exported(resolve(ModelOptions(name="attention", **SMALL)))
    assert check(other, one, texts(one)).same[0] < len(texts(one))


def test_the_graphs_are_the_same_every_time(exported) -> None:
    o = resolve(ModelOptions(name="bidirectional", **SMALL))
    assert files(exported(o)[1]) == files(exported(o)[1])


def test_a_networks_limit_is_that_of_its_positions(exported) -> None:
    o = resolve(
        ModelOptions(name="transformer", width=16, heads=2, feed_forward=24, positions="learned", max_positions=12)
    )
    model, bundle = exported(o)
    network = OnnxNetwork(files(bundle), bundle.programs, bundle.limits["maxPositions"])
    assert network.max_positions == model.engine.max_positions == 12
