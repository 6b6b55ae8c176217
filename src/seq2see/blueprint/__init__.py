"""Blueprints of models: options, defaults and rules of each architecture, and the tensors of such a model.

Nothing here computes, so training, both engines and the reader of saved models share it: what one of them refuses, all
refuse, in the same words and before any memory is allocated.
"""

from seq2see.blueprint.architectures import ARCHITECTURES, DEFAULT, Architecture, find
from seq2see.blueprint.depths import starting_states
from seq2see.blueprint.options import (
    CELL,
    COPY_LEFT,
    DIAGONAL_REACH,
    FIELD_BREAK,
    HIDDEN_TAG,
    MAX_LAYERS,
    PICTURE_CHANNELS,
    PICTURE_DEVIATION,
    STEP,
    VALUE,
    Blueprint,
    Field,
    FieldKind,
    ModelOptions,
    Sizes,
    cells_of,
    num_cells,
)
from seq2see.blueprint.resolution import (
    fitting,
    max_positions,
    require_sizes,
    resolve,
    to_options,
    with_options_added_later,
)
from seq2see.blueprint.shapes import Shape, tensor_shapes
from seq2see.blueprint.stored import read_blueprint, require_tensors

__all__ = [
    "ARCHITECTURES",
    "CELL",
    "COPY_LEFT",
    "DEFAULT",
    "DIAGONAL_REACH",
    "FIELD_BREAK",
    "HIDDEN_TAG",
    "MAX_LAYERS",
    "PICTURE_CHANNELS",
    "PICTURE_DEVIATION",
    "STEP",
    "VALUE",
    "Architecture",
    "Blueprint",
    "Field",
    "FieldKind",
    "ModelOptions",
    "Shape",
    "Sizes",
    "cells_of",
    "find",
    "fitting",
    "max_positions",
    "num_cells",
    "read_blueprint",
    "require_sizes",
    "require_tensors",
    "resolve",
    "starting_states",
    "tensor_shapes",
    "to_options",
    "with_options_added_later",
]
