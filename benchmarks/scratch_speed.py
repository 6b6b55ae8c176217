"""Training samples per second of `seq2see.scratch`, compared with the style of teaching texts, in one run.

Both train attention over a forward encoder (embedding 16, width 256, dot product, batches of 128, float32, Adam) on
the dates of book_date. The other is our own writing of the style of Saitoh's *Deep Learning from Scratch 2* (2018,
chapters 6 to 8), not the book's code: one layer object per time step, products of x and of h at every step, attention
by repeating and multiplying, `np.add.at`. Like the book's it has no tanh layer between attention and output (ours has,
and computes about a fifth more per token for it). It is run twice: on batches padded to the longest line of all, as
the book's data are, and on the batches of equal lengths that ours has.

    export SEQ2SEE_DATA=… OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    python benchmarks/scratch_speed.py [--rounds 5] [--updates 20]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from seq2see import scratch
from seq2see.data import Examples, read_pairs
from seq2see.scratch.train import batches
from seq2see.text import BOS, Codec, make_tokenizer

BATCH, EMBEDDING, WIDTH = 128, 16, 256
OPTIONS = scratch.ScratchTrainingOptions(updates=10**9, rate=1e-3, batch_size=BATCH)


def sigmoid(x):
    """The sigmoid function."""
    return 1 / (1 + np.exp(-x))


def softmax(x):
    """Softmax over the last axis."""
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


class StepEmbedding:
    """The embedding of one position on one side."""

    def __init__(self, weight, gradient):
        self.weight, self.gradient = weight, gradient

    def forward(self, ids):
        """Vectors."""
        self.ids = ids
        return self.weight[ids]

    def backward(self, dout):
        """One row after the other."""
        np.add.at(self.gradient, self.ids, dout)


class StepLSTM:
    """One step, with its own products."""

    def __init__(self, parameters, gradients):
        self.parameters, self.gradients = parameters, gradients

    def forward(self, x, h_prev, c_prev):
        """h and c."""
        weight_x, weight_h, bias = self.parameters
        width = h_prev.shape[1]
        a = x @ weight_x + h_prev @ weight_h + bias
        f, g = sigmoid(a[:, :width]), np.tanh(a[:, width : 2 * width])
        i, o = sigmoid(a[:, 2 * width : 3 * width]), sigmoid(a[:, 3 * width :])
        c = f * c_prev + g * i
        h = o * np.tanh(c)
        self.cache = x, h_prev, c_prev, i, f, g, o, c
        return h, c

    def backward(self, dh, dc):
        """The gradients by x and the previous state; those by the weights accumulate."""
        weight_x, weight_h, _ = self.parameters
        x, h_prev, c_prev, i, f, g, o, c = self.cache
        tanh_c = np.tanh(c)
        ds = dc + dh * o * (1 - tanh_c**2)
        dc_prev = ds * f
        di, df, do, dg = ds * g, ds * c_prev, dh * tanh_c, ds * i
        da = np.hstack((df * f * (1 - f), dg * (1 - g**2), di * i * (1 - i), do * o * (1 - o)))
        self.gradients[0][...] += x.T @ da
        self.gradients[1][...] += h_prev.T @ da
        self.gradients[2][...] += da.sum(axis=0)
        return da @ weight_x.T, da @ weight_h.T, dc_prev


class StepAttention:
    """One query, repeated for each source position."""

    def forward(self, states, h):
        """The context."""
        rows, length, width = states.shape
        repeated = h.reshape(rows, 1, width).repeat(length, axis=1)
        weights = softmax((states * repeated).sum(axis=2))
        spread = weights.reshape(rows, length, 1).repeat(width, axis=2)
        self.cache = states, repeated, weights, spread
        return (states * spread).sum(axis=1)

    def backward(self, dc):
        """The gradients by the states and the query."""
        states, repeated, weights, spread = self.cache
        rows, length, width = states.shape
        dt = dc.reshape(rows, 1, width).repeat(length, axis=1)
        dspread, dstates = dt * states, dt * spread
        da = dspread.sum(axis=2)
        ds = weights * da
        ds -= weights * ds.sum(axis=1, keepdims=True)
        dt = ds.reshape(rows, length, 1).repeat(width, axis=2)
        return dstates + dt * repeated, (dt * states).sum(axis=1)


class StepByStep:
    """The whole model, with one layer object per time step."""

    def __init__(self, num_source, num_target):
        random = np.random.default_rng(1)

        def new(*shape):
            scale = 0.01 if shape[0] > 64 else 1 / np.sqrt(shape[0])
            return (scale * random.standard_normal(shape)).astype("f")

        lstm = [(EMBEDDING, 4 * WIDTH), (WIDTH, 4 * WIDTH)]
        self.parameters = [new(num_source, EMBEDDING), *(new(*shape) for shape in lstm), np.zeros(4 * WIDTH, "f")]
        self.parameters += [new(num_target, EMBEDDING), *(new(*shape) for shape in lstm), np.zeros(4 * WIDTH, "f")]
        self.parameters += [new(2 * WIDTH, num_target), np.zeros(num_target, "f")]
        self.gradients = [np.zeros_like(parameter) for parameter in self.parameters]

    def run_lstm(self, ids, first, h, c):
        """Embedding and LSTM over all steps; the layers are kept for the backward pass."""
        layers, outputs = [], np.empty((*ids.shape, WIDTH), "f")
        embeddings = [StepEmbedding(self.parameters[first], self.gradients[first]) for _ in range(ids.shape[1])]
        x = np.empty((*ids.shape, EMBEDDING), "f")
        for t, layer in enumerate(embeddings):
            x[:, t] = layer.forward(ids[:, t])
        for t in range(ids.shape[1]):
            layer = StepLSTM(self.parameters[first + 1 : first + 4], self.gradients[first + 1 : first + 4])
            h, c = layer.forward(x[:, t], h, c)
            outputs[:, t] = h
            layers.append(layer)
        return outputs, h, c, (embeddings, layers)

    def back_lstm(self, doutputs, dh, dc, cache):
        """The backward pass."""
        embeddings, layers = cache
        dx = np.empty((*doutputs.shape[:2], EMBEDDING), "f")
        for t in reversed(range(len(layers))):
            dx[:, t], dh, dc = layers[t].backward(doutputs[:, t] + dh, dc)
        for t, layer in enumerate(embeddings):
            layer.backward(dx[:, t])
        return dh, dc

    def update_gradients(self, source, target):
        """One batch, forward and backward; the loss."""
        for gradient in self.gradients:
            gradient[...] = 0
        zeros = np.zeros((len(source), WIDTH), "f")
        states, h, _, encoder_cache = self.run_lstm(source, 0, zeros, zeros)
        read = np.concatenate([np.full_like(target[:, :1], BOS), target[:, :-1]], axis=1)
        outputs, _, _, decoder_cache = self.run_lstm(read, 4, h, zeros)
        attentions = [StepAttention() for _ in range(read.shape[1])]
        contexts = np.empty_like(outputs)
        for t, layer in enumerate(attentions):
            contexts[:, t] = layer.forward(states, outputs[:, t])
        joined = np.concatenate((contexts, outputs), axis=2).reshape(-1, 2 * WIDTH)
        p = softmax(joined @ self.parameters[8] + self.parameters[9])
        flat = target.reshape(-1)
        loss = -np.log(p[np.arange(len(flat)), flat]).mean()
        p[np.arange(len(flat)), flat] -= 1
        p /= len(flat)
        self.gradients[8][...] = joined.T @ p
        self.gradients[9][...] = p.sum(axis=0)
        djoined = (p @ self.parameters[8].T).reshape(*target.shape, 2 * WIDTH)
        dcontexts, doutputs = djoined[:, :, :WIDTH], djoined[:, :, WIDTH:].copy()
        dstates = np.zeros_like(states)
        for t, layer in enumerate(attentions):
            dstates_t, dh = layer.backward(dcontexts[:, t])
            dstates += dstates_t
            doutputs[:, t] += dh
        dh, _ = self.back_lstm(doutputs, zeros, zeros, decoder_cache)
        dstates[:, -1] += dh
        self.back_lstm(dstates, zeros, zeros, encoder_cache)
        return loss


def step_by_step(examples: Examples, sizes: tuple[int, int], *, to_longest: bool) -> Iterator[None]:
    """One update at a time, with straightforward clipping and Adam."""
    model = StepByStep(*sizes)
    m, v = ([np.zeros_like(parameter) for parameter in model.parameters] for _ in range(2))
    for step, indices in enumerate(batches(examples, OPTIONS), start=1):
        source, target = scratch.collate(examples, indices)
        ids = np.zeros((len(indices), examples.source_lengths.max()), np.int64) if to_longest else source.ids
        ids[:, : source.ids.shape[1]] = source.ids
        model.update_gradients(ids, target.ids)
        norm = np.sqrt(sum((gradient**2).sum() for gradient in model.gradients))
        if norm > 1:
            for gradient in model.gradients:
                gradient *= 1 / norm
        rate = 1e-3 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        for number, gradient in enumerate(model.gradients):
            m[number] += 0.1 * (gradient - m[number])
            v[number] += 0.001 * (gradient**2 - v[number])
            model.parameters[number] -= rate * m[number] / (np.sqrt(v[number]) + 1e-7)
        yield


def ours(examples: Examples, sizes: tuple[int, int]) -> Iterator[None]:
    """One update at a time: the loop of `scratch.train`."""
    model = scratch.build("attention", *sizes, embedding=EMBEDDING, width=WIDTH, score="dot")
    adam = scratch.Adam(model)
    for indices in batches(examples, OPTIONS):
        source, target = scratch.collate(examples, indices)
        model.zero_gradients()
        _, cache = model.forward(source, target)
        model.backward(cache)
        scratch.clip_by_norm(model, OPTIONS.clip)
        adam.update(OPTIONS.rate)
        yield


def seconds(updates: Iterator[None], number: int) -> float:
    """CPU seconds of this number of updates: with one thread, the wall time on an idle machine."""
    start = time.process_time()
    for _ in islice(updates, number):
        pass
    return time.process_time() - start


def main() -> None:
    """Alternate between the programs, and compare the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=20)
    arguments = parser.parse_args()
    pairs = read_pairs([Path(os.environ["SEQ2SEE_DATA"]) / "book_date" / "train.tsv"]).pairs
    source = Codec.build(make_tokenizer("characters"), [pair.source for pair in pairs])
    target = Codec.build(make_tokenizer("characters"), [pair.target or "" for pair in pairs])
    examples = Examples.encode(pairs, source, target)
    sizes = len(source.vocabulary), len(target.vocabulary)
    running: dict[str, Iterator[None]] = {
        "step by step, padded to the longest line": step_by_step(examples, sizes, to_longest=True),
        "step by step, batches of equal lengths": step_by_step(examples, sizes, to_longest=False),
        "seq2see.scratch": ours(examples, sizes),
    }
    for updates in running.values():
        seconds(updates, 3)
    rates: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(arguments.rounds):
        for name, updates in running.items():
            rates[name].append(BATCH * arguments.updates / seconds(updates, arguments.updates))
    best = rates["seq2see.scratch"]
    for name, values in rates.items():
        ratios = [mine / theirs for mine, theirs in zip(best, values, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"{name:>40}: {statistics.median(values):6,.0f} samples/s; "
            f"seq2see.scratch is {statistics.median(ratios):.2f} times as fast ({spread})"
        )


if __name__ == "__main__":
    main()
