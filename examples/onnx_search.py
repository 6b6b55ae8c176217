"""Greedy and beam search over a model in ONNX, with onnxruntime and NumPy alone.

    seq2see export runs/dates -o dates.onnx
    python examples/onnx_search.py dates.onnx "september 27, 1994" 5

The answers are those of `seq2see predict --beam 5`. For models with a source, except transducers, and texts of
characters, symbols or words; for other units take the ids of `seq2see.text.Codec.from_dict(values["source"])`.
"""

import json
import sys
import unicodedata
from pathlib import Path

import numpy as np
import onnxruntime

PAD, UNK, BOS, EOS = range(4)


class Model:
    """The graphs and vocabularies of an exported folder."""

    def __init__(self, folder):
        self.values = json.loads((Path(folder) / "model.json").read_text("utf-8"))
        self.encoder = onnxruntime.InferenceSession(Path(folder) / "encoder.onnx")
        self.step = onnxruntime.InferenceSession(Path(folder) / "step.onnx")
        self.ids = {token: number for number, token in enumerate(self.values["source"]["tokens"], start=4)}
        self.target = [*("" for _ in range(4)), *self.values["target"]["tokens"]]

    def encode(self, text):
        """The ids of a text."""
        text = unicodedata.normalize(self.values["source"]["normalization"], text)
        tokens = list(text) if self.values["source"]["tokenizer"] == "characters" else text.split()
        return [*(self.ids.get(token, UNK) for token in tokens), EOS]

    def search(self, text, beam=1):
        """The best answers with their log-probabilities, best first; a beam of 1 is greedy search."""
        if not text.strip():
            return [("", 0.0)]  # no pair of training had an empty source
        read, limit = self.encode(text), self.values["maxLength"]
        state = run(self.encoder, {"ids": np.array([read]), "lengths": np.array([len(read)])})
        penalty = self.values["lengthPenalty"] if beam > 1 else 0
        divisors = [((5 + length) / 6) ** penalty for length in range(limit + 1)]  # Wu et al. 2016, eq. 14
        live, before, best = [[BOS]], np.zeros(1), []
        for length in range(1, limit + 1):
            found = run(self.step, {**state, "ids": np.array([ids[-1] for ids in live])})
            totals = before[:, None] + found["log_probs"]
            totals[:, [PAD, UNK, BOS, *([EOS] if length == 1 else [])]] = -np.inf
            largest = np.argsort(-totals, axis=None, kind="stable")[: 2 * beam]
            rows, tokens = np.unravel_index(largest, totals.shape)
            ids = [[*live[row], token] for row, token in zip(rows, tokens, strict=True)]
            scored = [
                (total / divisors[length], total, own) for total, own in zip(totals.flat[largest], ids, strict=True)
            ]
            best = sorted(best + [each for each in scored[:beam] if each[2][-1] == EOS], reverse=True)[:beam]
            going = [place for place, token in enumerate(tokens) if token != EOS]
            if length == limit:
                best = (best + [scored[place] for place in going])[:beam]
            going = going[:beam]
            live, before = [ids[place] for place in going], totals.flat[largest[going]]
            if len(best) == beam and before.max() / divisors[limit] <= best[-1][0]:
                break
            for name, axis in self.values["rows"].items():
                state[name] = np.take(found[name.replace("carry", "next")], rows[going], axis)
        space = "" if self.values["target"]["tokenizer"] == "characters" else " "
        return [(space.join(self.target[each] for each in ids[1:] if each != EOS), total) for _, total, ids in best]


def run(session, inputs):
    """All outputs of a graph by name."""
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


if __name__ == "__main__":
    folder, text, *beam = sys.argv[1:]
    for answer, log_prob in Model(folder).search(text, *map(int, beam)):
        print(f"{log_prob:.4f}\t{answer}")
