"""This package: training in PyTorch, answers of the engine that the second argument names, or of an exported C file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import islice

from protocol import Given, Task, UnableError, Work, require_float32, serve

import seq2see
from seq2see.data import Examples, Pair
from seq2see.export.c_checking import find_compiler
from seq2see.native import NativeModel
from seq2see.native import load as load_library
from seq2see.native.library import BUILD
from seq2see.storage.saved_model import load_model

given, engine = Given(), sys.argv[2]


def train(task: Task) -> Work:
    """Updates of the trainer."""
    import torch
    from prepare import options_of

    from seq2see.model import build, resolve
    from seq2see.training import choose_precision
    from seq2see.training.bare import UNENDING, updates

    saved = load_model(given.folder / task["model"])
    precision = "float32"
    if task["precision"] == "default":
        precision = choose_precision(torch.device("cpu"), saved.blueprint)
        if precision == "float32":
            raise UnableError("float32 is the default here")
    texts = (map(" ".join, given.tokens[side]) for side in ("source", "target"))
    pairs = [Pair(*both) for both in zip(*texts, strict=True)]
    examples = Examples.encode(pairs, saved.source_codec, saved.target_codec)
    network = build(resolve(options_of(task["model"], given.sizes)), saved.sizes)
    running = updates(network, examples, replace(UNENDING, batch_size=task["batch"], precision=precision))
    return Work(lambda amount: list(islice(running, amount)), precision)


def answer(task: Task) -> Work:
    """Predictions."""
    kind = engine
    if (engine, task["precision"]) == ("torch", "bfloat16"):
        from seq2see.training.precision import has_instructions

        if not has_instructions():
            raise UnableError("has no bfloat16 on this processor")
        kind = "torch-bfloat16"
    else:
        require_float32(task)
    model = seq2see.load(given.folder / task["model"], engine=kind, device="cpu")
    length, beam, batch = given.length, task["beam"], task["batch"]

    def predict(amount: int) -> None:
        texts = [" ".join(source) for source in given.sources(amount)]
        found = model.predict(texts, beam=beam, batch_size=batch, min_length=length, max_length=length)
        given.require_length([len(each.target_tokens) for each in found])

    return Work(predict, task["precision"])


def answer_in_c(task: Task) -> Work:
    """Predictions of the model as a library in C, one text after the other."""
    if task["precision"] == "bfloat16":
        raise UnableError("has no bfloat16")
    model = built(task["model"], task["precision"])

    def predict(amount: int) -> None:
        texts = [" ".join(source) for source in given.sources(amount)]
        found = model.predict(texts, beam=task["beam"], min_length=given.length, max_length=given.length)
        given.require_length([len(each.target_tokens) for each in found])

    return Work(predict)


def built(name: str, weights: str) -> NativeModel:
    """The library of a model with such weights, compiled for this machine if it isn't there."""
    compiler = find_compiler()
    if compiler is None:
        raise UnableError("needs a C compiler")
    source = given.folder / f"{name}-{weights}.c"
    library, file = source.with_suffix(".so"), source.with_suffix(".weights")
    if not library.exists():
        seq2see.load(given.folder / name, engine="numpy").export(
            source, weights=weights, data=given.pairs(4), separate_weights=True
        )
        options = [part.replace("NAME", str(source.with_suffix(""))) for part in BUILD.split()[1:]]
        subprocess.run([*compiler, *options], check=True)
    return load_library(library, weights=file)


def product(task: Task) -> Work:
    """Products of matrices as large as an update's: the tokens of a batch times the weights of a layer."""
    import torch

    rows, width = round(given.facts["mean_tokens"][1] * task["batch"]), given.sizes["width"]
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[task["precision"]]
    tokens, weights = torch.ones(rows, width, dtype=dtype), torch.ones(width, 4 * width, dtype=dtype)

    def multiply(amount: int) -> None:
        for _ in range(amount):
            tokens @ weights

    return Work(multiply, task["precision"])


if __name__ == "__main__":
    of_torch = {"train": train, "product": product} if engine == "torch" else {}
    serve({"answer": answer_in_c if engine == "c" else answer, **of_torch})
