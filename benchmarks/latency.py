"""Latency of one step of greedy search on a single sentence: the runtime and other engines, in one process.

    python benchmarks/latency.py [--rounds 60] [--width 256] [--profile]

All use one thread and take turns in each round, so that other load affects all alike; a figure is the median over the
rounds, a ratio the median of the ratios within a round. The model is `attention` of the size used for dates, with
random weights; that all agree is checked first. ONNX Runtime is included if `onnx` and `onnxruntime` are installed.

The last line is a lower bound for a step on this machine: all matrices of the runtime's step, each multiplied once.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
if __name__ == "__main__" and any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})

import numpy as np
import torch
from torch import nn

from seq2see.model import ModelOptions, Padded, Seq2Seq, Sizes, build, resolve
from seq2see.runtime import Network
from seq2see.runtime import build as build_runtime
from seq2see.runtime.recurrent import Recurrent
from seq2see.runtime.wiring import Dense, Output

TOKENS = 60
STEPS = 100
SOURCE_LENGTH = 29
BOS = 1

Engine = Callable[[int], list[int]]
"""Greedy search for this number of steps, ignoring EOS; returns the ids."""


def runtime(network: Network, source: Padded) -> Engine:
    """This package's NumPy runtime."""
    ids, lengths = source.ids.numpy(), source.lengths.numpy()
    begun = network.start(ids, lengths)

    def search(steps: int) -> list[int]:
        state, last, found = begun.select(np.zeros(1, int)), np.array([BOS]), []
        for _ in range(steps):
            log_probs, state, _ = network.step(last, state)
            last = log_probs.argmax(1)
            found.append(int(last[0]))
        return found

    return search


def trained(model: Seq2Seq, source: Padded) -> Engine:
    """The torch model, step by step."""
    with torch.inference_mode():
        begun = model.decoder.start(model.encode(source))

    def search(steps: int) -> list[int]:
        state, last, found = begun, torch.tensor([BOS]), []
        with torch.inference_mode():
            for _ in range(steps):
                logits, state, _ = model.decoder(last[:, None], state)
                last = logits[:, 0].log_softmax(-1).argmax(-1)
                found.append(int(last))
        return found

    return search


class Plain(nn.Module):
    """The same decoder in plain PyTorch: embedding, LSTMCell, dot products, two linear maps."""

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, embedding)
        self.cell = nn.LSTMCell(embedding, width)
        self.joined = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, TOKENS)

    def forward(
        self, ids: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor], memory: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Log-probabilities, and the next state."""
        h, c = self.cell(self.embedding(ids), state)
        weights = ((h / h.size(-1) ** 0.5)[:, None] @ memory.transpose(1, 2)).softmax(-1)
        joined = torch.tanh(self.joined(torch.cat([h, (weights @ memory)[:, 0]], -1)))
        return self.output(joined).log_softmax(-1), (h, c)


def by_hand(model: Seq2Seq, source: Padded) -> tuple[Engine, Plain]:
    """A loop in plain PyTorch, with the weights of the model."""
    given = model.tensors()
    plain = Plain(given["decoder.embedding.weight"].shape[1], given["decoder.output.weight"].shape[1])
    names = {
        "embedding.weight": "embedding.weight",
        "cell.weight_ih": "layers.layers.0.lstm.weight_input",
        "cell.weight_hh": "layers.layers.0.lstm.weight_hidden",
        "cell.bias_ih": "layers.layers.0.lstm.bias",
        "joined.weight": "layers.layers.2.inner.linear.weight",
        "joined.bias": "layers.layers.2.inner.linear.bias",
        "output.weight": "output.weight",
        "output.bias": "output.bias",
    }
    weights = {own: given[f"decoder.{name}"] for own, name in names.items()}
    plain.load_state_dict({**weights, "cell.bias_hh": torch.zeros_like(weights["cell.bias_ih"])})
    plain.eval()
    with torch.inference_mode():
        memory = model.encode(source)

    def search(steps: int) -> list[int]:
        state, last, found = memory.finals[0], torch.tensor([BOS]), []
        with torch.inference_mode():
            for _ in range(steps):
                log_probs, state = plain(last, state, memory.states)
                last = log_probs.argmax(-1)
                found.append(int(last))
        return found

    return search, plain


def onnx(plain: Plain, model: Seq2Seq, source: Padded) -> Engine | None:
    """ONNX Runtime on that decoder; None if it is not installed."""
    try:
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    width = plain.joined.out_features
    weights = {name: tensor.detach().numpy() for name, tensor in plain.state_dict().items()}

    def gates(saved: np.ndarray) -> np.ndarray:
        ahead, forget, cell, output = np.split(saved, 4)
        return np.concatenate([ahead, output, forget, cell])[None]  # ONNX's order

    constants = {
        "embedding": weights["embedding.weight"],
        "input": gates(weights["cell.weight_ih"]),
        "hidden": gates(weights["cell.weight_hh"]),
        "bias": np.concatenate([gates(weights["cell.bias_ih"]), gates(weights["cell.bias_hh"])], 1),
        "joined": np.ascontiguousarray(weights["joined.weight"].T),
        "joined_bias": weights["joined.bias"],
        "output": np.ascontiguousarray(weights["output.weight"].T),
        "output_bias": weights["output.bias"],
        "scale": np.array(width**-0.5, np.float32),
        "axis": np.array([0], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", "ids"], ["vector"]),
        node("Unsqueeze", ["vector", "axis"], ["x"]),
        node("LSTM", ["x", "input", "hidden", "bias", "", "h", "c"], ["", "next_h", "next_c"], hidden_size=width),
        node("Squeeze", ["next_h", "axis"], ["state"]),
        node("Mul", ["state", "scale"], ["query"]),
        node("MatMul", ["query", "keys"], ["scores"]),
        node("Softmax", ["scores"], ["weights"], axis=-1),
        node("MatMul", ["weights", "memory"], ["context"]),
        node("Concat", ["state", "context"], ["both"], axis=-1),
        node("Gemm", ["both", "joined", "joined_bias"], ["mapped"]),
        node("Tanh", ["mapped"], ["attentional"]),
        node("Gemm", ["attentional", "output", "output_bias"], ["logits"]),
        node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
    ]

    def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "step",
        [
            value("ids", 1, kind=TensorProto.INT64),
            value("h", 1, 1, width),
            value("c", 1, 1, width),
            value("keys", width, "S"),
            value("memory", "S", width),
        ],
        [value("log_probs", 1, TOKENS), value("next_h", 1, 1, width), value("next_c", 1, 1, width)],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        encoded = model.encode(source)
    (h, c), states = (each.numpy()[None] for each in encoded.finals[0]), encoded.states[0].numpy()
    feeds = {"h": h, "c": c, "keys": np.ascontiguousarray(states.T), "memory": states}

    def search(steps: int) -> list[int]:
        fed, found = {**feeds, "ids": np.array([BOS])}, []
        for _ in range(steps):
            log_probs, fed["h"], fed["c"] = session.run(None, fed)
            fed["ids"] = log_probs.argmax(1)
            found.append(int(fed["ids"][0]))
        return found

    return search


def bound(network: Network) -> tuple[Engine, int]:
    """All matrices of a step, each multiplied once, and their size in bytes."""
    matrices = []
    for layer in network.decoder.layers:
        match layer:
            case Recurrent():
                matrices.append(layer.matrix.whole)
            case Dense() | Output():
                matrices.append(layer.linear.weight)
    work = [
        (np.ones((1, len(matrix)), matrix.dtype), matrix, np.empty((1, matrix.shape[1]), matrix.dtype))
        for matrix in matrices
    ]

    def multiply(steps: int) -> list[int]:
        dot = np.dot
        for _ in range(steps):
            for x, matrix, out in work:
                dot(x, matrix, out)
        return []

    return multiply, sum(matrix.nbytes for matrix in matrices)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call, which other programs affect less than wall time."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def tell(title: str, times: dict[str, list[float]], unit: float, first: str) -> None:
    """Medians, their range, and ratios to the first within each round."""
    print(f"\n{title:34} {'µs':>8} {'fastest':>9} {'slowest':>9} {'times the runtime':>24}")
    for name, taken in times.items():
        ratios = sorted(one / other for one, other in zip(taken, times[first], strict=True))
        low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
        figures = [f"{1e6 * value / unit:9.1f}" for value in (statistics.median(taken), min(taken), max(taken))]
        print(f"{name:34}{''.join(figures)}     {statistics.median(ratios):6.2f} ({low:.2f} to {high:.2f})")


def main() -> None:
    """Two tables: a step, and a whole sentence with its encoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--embedding", type=int, default=16)
    parser.add_argument("--profile", action="store_true", help="where the runtime's step spends its time")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    o = resolve(ModelOptions(name="attention", width=arguments.width, embedding=arguments.embedding))
    model = build(o, Sizes(TOKENS, TOKENS)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # so that the ids differ
    source = Padded(torch.randint(4, TOKENS, (1, SOURCE_LENGTH)), torch.tensor([SOURCE_LENGTH]))
    network = build_runtime(o, {name: tensor.numpy() for name, tensor in model.tensors().items()})
    in_torch, plain = by_hand(model, source)
    streaming, size = bound(network)
    engines: dict[str, Engine | None] = {
        "runtime": runtime(network, source),
        "the trained model, stepped": trained(model, source),
        "a loop in plain PyTorch": in_torch,
        "ONNX Runtime": onnx(plain, model, source),
    }
    if engines["ONNX Runtime"] is None:
        print("ONNX Runtime is left out: onnx and onnxruntime are not installed")
    there = {name: engine for name, engine in engines.items() if engine is not None}
    answers = {name: engine(20) for name, engine in there.items()}
    for name, answer in answers.items():
        assert answer == answers["runtime"], f"{name} answers {answer}, the runtime {answers['runtime']}"
    there[f"its matrices alone ({size / 2**20:.2f} MiB)"] = streaming
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(there["runtime"], 50 * STEPS)
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
        return

    times: dict[str, list[float]] = {name: [] for name in there}
    for number in range(arguments.rounds + 3):
        for name, engine in there.items():
            taken = seconds(lambda engine=engine: engine(STEPS))  # type: ignore[misc]
            if number >= 3:
                times[name].append(taken)
    tell(f"a step, {o.name} {o.embedding}/{o.width}", times, STEPS, "runtime")

    begin: dict[str, Callable[[], object]] = {
        "runtime": lambda: network.start(source.ids.numpy(), source.lengths.numpy()),
        "the trained model": lambda: model.decoder.start(model.encode(source)),
    }
    times = {name: [] for name in begin}
    with torch.inference_mode():
        for number in range(arguments.rounds + 3):
            for name, work in begin.items():
                taken = seconds(lambda work=work: [work() for _ in range(10)])  # type: ignore[misc]
                if number >= 3:
                    times[name].append(taken)
    tell(f"start: {SOURCE_LENGTH} source tokens read", times, 10, "runtime")


if __name__ == "__main__":
    main()
