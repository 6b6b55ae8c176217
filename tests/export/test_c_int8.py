"""int8 that stays int8 in C: the same numbers as those of the restored weights, and the rest is still prepared."""

from __future__ import annotations

import numpy as np
import pytest

from seq2see.blueprint import ModelOptions, resolve
from seq2see.export.c_checking import check_in_c
from seq2see.export.c_int8 import divided, only_in_products, steps_of, without
from seq2see.export.c_target import c_source, weights_file
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import model_of
from seq2see.program.replay import run
from seq2see.storage.weights import quantize, read_weights

QUICK = ("attention", "transformer", "transducer-copy", "language_model", "peeky-both-2-layers-two-fields")


def test_the_steps_are_the_prepared_matrices_and_the_rest_is_prepared_as_before(variant, exported) -> None:
    _, bundle = exported(variant, weights="int8")
    tensors = read_weights(bundle.weights, "int8", where="a model")
    expected = run(bundle.programs.prepare, tensors, {})
    steps = steps_of(bundle, only_in_products(bundle.programs))
    assert steps, "every architecture has products"
    for name, matrix in steps.items():
        assert (matrix.steps.astype(np.float32) * matrix.scales == expected.pop(name)).all()
    rest = without(bundle.programs.prepare, steps)
    assert len(rest.inputs) < len(bundle.programs.prepare.inputs)
    found = run(rest, tensors, {})
    assert list(found) == list(expected)
    assert all((found[name] == value).all() for name, value in expected.items())


def test_what_is_no_whole_number_times_a_scale_stays_float() -> None:
    steps, scales = quantize(np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32))
    values, sizes = steps.T * scales, np.broadcast_to(scales, (6, 4))
    kept = divided(values, sizes)
    assert kept is not None and (kept.steps == steps.T).all()
    assert divided(values + np.float32(1e-3), sizes) is None
    assert divided(values * np.float32(3), sizes) is None  # beyond 127
    assert divided(values.T, sizes.T) is None  # one scale per row
    assert divided(values * 0, sizes * 0) is None


def test_other_weights_stay_as_they_are(exported) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8))
    for weights in ("float32", "float16"):
        _, bundle = exported(o, weights=weights)
        assert not steps_of(bundle, only_in_products(bundle.programs))


@pytest.mark.parametrize("options", [{"score": "additive"}, {"copy": True}])
def test_a_matrix_of_one_column_is_in_no_panel(options, exported) -> None:
    o = resolve(ModelOptions(name="attention", width=16, embedding=8, **options))
    for weights in ("float32", "int8"):
        _, bundle = exported(o, weights=weights)
        found = only_in_products(bundle.programs)
        types = {name: bundle.programs.prepare.type(number).shape for name, number in bundle.programs.prepare.outputs}
        columns = [name for name, shape in types.items() if len(shape) == 2 and shape[1] == 1]
        assert columns and not found & set(columns)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_file_of_other_weights_has_no_code_for_int8(cell, exported) -> None:
    o = resolve(ModelOptions(name="bidirectional", width=16, embedding=8, cell=cell))
    for weights in ("float32", "float16"):
        source = c_source(exported(o, weights=weights)[1])
        assert "int8(" not in source
        assert source.count("static void op_product(") == 1
    assert c_source(exported(o, weights="int8")[1]).count("static void op_product(") == 1


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("name", QUICK)
def test_answers_are_those_of_the_same_weights_in_numpy(
    name, separate, blueprints, exported, saved, texts, compiler
) -> None:
    _, bundle = exported(blueprints[name], weights="int8")
    tensors = read_weights(bundle.weights, "int8", where="a model")
    model = model_of(saved(blueprints[name])._replace(tensors=tensors), make_numpy_engine)
    source = c_source(bundle, separate=separate)
    assert "op_matmul_int8" in source
    check = check_in_c(source, model, texts(model), weights_file(bundle) if separate else b"")
    assert not isinstance(check, str)
    assert check.same == (check.count, check.count) and check.largest_difference < 1e-4
