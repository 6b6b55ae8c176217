"""The figures of docs/by-hand.md: every architecture trained with `seq2see.scratch`, evaluated and plotted.

    export SEQ2SEE_DATA=… OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    python benchmarks/by_hand.py text sums copies dates words [--out runs/by-hand]
    python benchmarks/by_hand.py tell draw

A finished run is not trained again. `tell` prints the figures of the text outside the tables, `draw` makes the images
in docs/by-hand/.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy

from seq2see import scratch
from seq2see.data import Examples, Pair, Sequences, copies, read_pairs
from seq2see.text import Codec, make_tokenizer

DATA = Path(os.environ.get("SEQ2SEE_DATA", "data"))
PICTURES = Path(__file__).parent.parent / "docs" / "by-hand"
DATE = "tuesday, september 27, 1994"


class Task(NamedTuple):
    """Training, dev and test examples, and the codecs of the training examples."""

    train: Examples
    dev: Examples
    test: Examples
    source: Codec | None
    target: Codec


@dataclass(frozen=True)
class Run:
    """One model on one task."""

    name: str
    model: str
    epochs: float
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    rate: float = 4e-3


BOOK = {"embedding": 16, "width": 128}
DATES = {"embedding": 16, "width": 256}
WORDS = {"embedding": 128, "width": 256}
RUNS: dict[str, list[Run]] = {
    "text": [Run("language model", "language_model", 2, {"embedding": 32, "width": 256})],
    "sums": [
        Run("plain", "plain", 10, BOOK),
        Run("reverse", "reverse", 10, BOOK),
        Run("peeky", "peeky", 10, BOOK),
        Run("reverse + peeky", "peeky", 10, BOOK | {"direction": "backward"}),
    ],
    "copies": [
        Run("peeky", "peeky", 12, {"embedding": 32, "width": 128}),
        Run("attention", "attention", 12, {"embedding": 32, "width": 128}),
    ],
    "dates": [
        Run("plain", "plain", 2, DATES),
        Run("peeky", "peeky", 2, DATES),
        Run("attention", "attention", 2, DATES),
        Run("bidirectional", "bidirectional", 2, DATES),
    ],
    "words": [
        Run("attention", "attention", 8, WORDS, 32),
        Run("bidirectional", "bidirectional", 8, WORDS, 32),
        Run("stacked", "stacked", 8, WORDS, 32),
        Run("residual", "residual", 8, WORDS, 32),
        Run("transformer", "transformer", 8, {"width": 128, "layers": 2}, 32, rate=1e-3),
    ],
}


class BlindEncoder(scratch.Encoder):
    """An encoder that reads padding like real tokens."""

    def forward(self, source: scratch.Padded) -> tuple[scratch.Memory, Any]:
        """Treat all rows as equally long."""
        return super().forward(source._replace(lengths=np.full_like(source.lengths, source.ids.shape[1])))


@cache
def task(table: str) -> Task:
    """The data of a table."""
    match table:
        case "text":
            lines = {part: [pair.source for pair in pairs("book_date", part)] for part in ("train", "dev", "test")}
            parts = {part: [Pair("", line, "") for line in texts] for part, texts in lines.items()}
            return encode(parts, "characters", "characters", has_source=False)
        case "sums":
            return encode({part: pairs("book_addition", part) for part in ("train", "dev", "test")})
        case "dates":
            return encode({part: pairs("book_date", part) for part in ("train", "dev", "test")})
        case "copies":
            made = copies(22_000, seed=1)
            return encode({"train": made[:20_000], "dev": made[20_000:21_000], "test": made[21_000:]})
        case _:
            folder = "g2p_sig21/medium/dut"
            return encode({part: pairs(folder, part) for part in ("train", "dev", "test")}, target="symbols")


def pairs(folder: str, part: str) -> list[Pair]:
    """The pairs of a file."""
    return read_pairs([DATA / folder / f"{part}.tsv"]).pairs


def encode(
    parts: dict[str, list[Pair]], source: str = "characters", target: str = "characters", *, has_source: bool = True
) -> Task:
    """Codecs from the training pairs, and all parts as ids."""
    source_codec = Codec.build(make_tokenizer(source), [pair.source for pair in parts["train"]])
    target_codec = Codec.build(make_tokenizer(target), [pair.target or "" for pair in parts["train"]])
    codec = source_codec if has_source else None
    examples = [Examples.encode(parts[part], codec, target_codec) for part in ("train", "dev", "test")]
    return Task(*examples, codec, target_codec)


def build(run: Run, data: Task) -> scratch.ScratchSeq2Seq:
    """The model before training."""
    source = len(data.source.vocabulary) if data.source else 0
    return scratch.build(run.model, source, len(data.target.vocabulary), **run.options)


def train(table: str, run: Run, out: Path) -> dict[str, Any]:
    """The results of the run, which is trained first if necessary."""
    path = out / table / run.name.replace(" ", "-")
    if not path.with_suffix(".json").exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        data = task(table)
        model = build(run, data)
        updates = round(run.epochs * len(data.train) / run.batch_size)
        options = scratch.ScratchTrainingOptions(
            updates, batch_size=run.batch_size, rate=run.rate, evaluate_every=max(1, updates // 24)
        )
        reports: list[scratch.ProgressReport] = []
        scratch.train(model, data.train, spread(data.dev, 500), options, callback=reports.append)
        found = {
            "updates": updates,
            "parameters": sum(parameter.value.size for parameter in model.parameters().values()),
            "seconds": reports[-1].seconds,
            "curve": [[report.update * run.batch_size, *report.dev, report.loss] for report in reports],
            "test": scratch.evaluate(model, data.test)._asdict(),
        }
        path.with_suffix(".safetensors").write_bytes(safetensors.numpy.save(model.tensors()))
        path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def load(table: str, run: Run, out: Path) -> scratch.ScratchSeq2Seq:
    """The trained model."""
    train(table, run, out)
    model = build(run, task(table))
    path = out / table / (run.name.replace(" ", "-") + ".safetensors")
    model.load(safetensors.numpy.load_file(path))
    return model


def spread(examples: Examples, most: int) -> Examples:
    """At most `most` examples, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(examples) - 1, min(most, len(examples))).astype(np.int64))

    def pick(side: Sequences) -> Sequences:
        return Sequences.pack(side[index].tolist() for index in chosen)

    return Examples(pick(examples.sources), pick(examples.targets))


def row(run: Run, found: dict[str, Any]) -> str:
    """One row of a table."""
    test = found["test"]
    exact = "" if test["exact_match"] is None else f"{100 * test['exact_match']:.2f}"
    cells = [f"`{run.name}`", f"{found['parameters']:,}", f"{found['updates']:,}"]
    return "| " + " | ".join([*cells, exact, f"{test['loss']:.4f}"]) + " |"


# --- figures of trained models ---------------------------------------------------------------------------------------


def tell(out: Path) -> None:
    """The figures in the text outside the tables."""
    model, data = load("text", RUNS["text"][0], out), task("text")
    counts = np.bincount(data.test.target_ids, minlength=len(data.target.vocabulary))
    share = np.bincount(data.train.target_ids, minlength=len(counts)) / len(data.train.target_ids)
    alone = -(counts[share > 0] * np.log(share[share > 0])).sum() / counts.sum()
    print(f"text: one of {len(counts)} tokens {np.log(len(counts)):.3f} nats, by frequency alone {alone:.3f}")
    no_source = scratch.Padded(np.zeros((6, 0), np.int64), np.zeros(6, np.int64))
    for answer in model.generate(no_source, max_length=40, choose=scratch.Sampler(seed=2)):
        print("  sampled:", data.target.decode(answer.ids))
    for run in RUNS["sums"]:
        model, data = load("sums", run, out), task("sums")
        figures = [*mixed(model, data.test)]
        assert isinstance(model.encoder, scratch.Encoder)
        model.encoder = BlindEncoder(model.encoder.embedding, model.encoder.layers)
        figures += mixed(model, data.test)
        print(f"sums, {run.name}:", *(f"{100 * figure:.2f}" for figure in figures))


def mixed(model: scratch.ScratchSeq2Seq, test: Examples) -> tuple[float, float, float]:
    """Shares of correct answers in batches of one length and of mixed lengths, and of answers that differ."""
    answers = []
    for order in (np.argsort(test.source_lengths, kind="stable"), np.random.default_rng(0).permutation(len(test))):
        found: dict[int, list[int]] = {}
        borders = np.flatnonzero(np.diff(test.source_lengths[order])) + 1 if not answers else np.arange(0)
        for group in np.split(order, borders):
            for start in range(0, len(group), 128):
                indices = group[start : start + 128]
                batch = scratch.collate(test, indices)
                answered = model.generate(batch.source, max_length=10)
                found |= {int(index): answer.ids for index, answer in zip(indices, answered, strict=True)}
        answers.append(found)
    right = [np.mean([found[i] == test.target(i).tolist() for i in range(len(test))]) for found in answers]
    return float(right[0]), float(right[1]), float(np.mean([answers[0][i] != answers[1][i] for i in range(len(test))]))


def draw(out: Path) -> None:
    """The pictures."""
    PICTURES.mkdir(exist_ok=True)
    curves("sums", out, "sums: answered right on dev")
    curves("dates", out, "dates: answered right on dev")
    curves("words", out, "Dutch words to sounds: answered right on dev")
    by_length(out)
    for table, name, text in (
        ("dates", "attention", DATE),
        ("dates", "bidirectional", DATE),
        ("words", "transformer", "aangezicht"),
    ):
        alignment(table, next(run for run in RUNS[table] if run.name == name), text, out)


def figure(title: str, x: str, y: str) -> tuple[Any, Any]:
    """An empty figure of the size of a column."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = drawing.add_subplot(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return drawing, axes


def curves(table: str, out: Path, title: str) -> None:
    """Accuracy on dev over the examples seen."""
    drawing, axes = figure(title, "examples seen, thousands", "%")
    for run in RUNS[table]:
        seen, right, *_ = zip(*train(table, run, out)["curve"], strict=True)
        axes.plot(np.array(seen) / 1000, 100 * np.array(right), label=run.name)
    axes.legend(frameon=False)
    axes.set_ylim(0, 101)
    drawing.savefig(PICTURES / f"{table}.png", dpi=110)


def by_length(out: Path) -> None:
    """Copies answered right on test, by the length of what is to be copied."""
    drawing, axes = figure("random letters, copied", "letters", "% right on test")
    test = task("copies").test
    for run in RUNS["copies"]:
        model = load("copies", run, out)
        lengths, rates = np.unique(test.source_lengths), []
        for length in lengths:
            chosen = np.flatnonzero(test.source_lengths == length)
            answers = model.generate(scratch.collate(test, chosen).source, max_length=20)
            pairs_ = zip(answers, chosen, strict=True)
            rates.append(np.mean([answer.ids == test.target(i).tolist() for answer, i in pairs_]))
        axes.plot(lengths - 1, 100 * np.array(rates), marker="o", label=run.name)
        print(run.name, *(f"{length - 1}: {100 * rate:.0f}" for length, rate in zip(lengths, rates, strict=True)))
    axes.legend(frameon=False)
    axes.set_ylim(0, 101)
    drawing.savefig(PICTURES / "copies.png", dpi=110)


def alignment(table: str, run: Run, text: str, out: Path) -> None:
    """The attention weights of the answer to one text."""
    from seq2see.inference.results import Prediction
    from seq2see.pictures import save_heat_map

    data = task(table)
    assert data.source is not None
    ids = np.array([data.source.encode(text)])
    answer = load(table, run, out).generate(scratch.Padded(ids, np.array([ids.shape[1]])), max_length=40)[0]
    output = data.target.decode(answer.ids)
    tokens = data.source.tokens(ids[0]), data.target.tokens(answer.ids)
    save_heat_map(Prediction(output, *tokens, answer.log_prob, 0.0, answer.weights, True), PICTURES / f"{run.name}.png")
    print(f"{run.name}: {text} -> {output}")


def main() -> None:
    """Run the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=[*RUNS, "tell", "draw"])
    parser.add_argument("--out", type=Path, default=Path("runs/by-hand"))
    arguments = parser.parse_args()
    for table in arguments.tables:
        if table in ("tell", "draw"):
            (tell if table == "tell" else draw)(arguments.out)
            continue
        print(f"\n{table}\n\n| model | parameters | updates | correct on test, % | nats per token |", flush=True)
        print("|---|---|---|---|---|")
        for run in RUNS[table]:
            print(row(run, train(table, run, arguments.out)), flush=True)


if __name__ == "__main__":
    main()
