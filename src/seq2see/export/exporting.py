"""`seq2see export`: a model written for another target, and compared with the original.

RUN ──▶ SavedModel ──▶ Bundle ──▶ target ──▶ file
             │            └─────▶ in node ─┐
             └─▶ NumPy ────────────────────┴─▶ same answers?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seq2see.data import Pair
from seq2see.data.options import known_from
from seq2see.errors import ConfigError, did_you_mean
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.checking import NO_NODE, Check, check_in_node, find_node
from seq2see.export.javascript import declarations, module
from seq2see.export.page import page
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import members_of, model_of
from seq2see.packing import ParityReport, pairs_to_compare, parity_of
from seq2see.program import to_json
from seq2see.run.folder import CONFIG, MODEL
from seq2see.storage.files import require_place, write_file
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.storage.weights import Weights, as_weights, read_weights

MOST_TEXTS = 200
"""Texts that an exported model is compared on."""


class Target(NamedTuple):
    """What a file of some ending is."""

    weights: Weights
    """By default."""
    write: Callable[[Bundle], str]
    beside: tuple[tuple[str, Callable[[], str]], ...] = ()
    """The endings of files beside it, and what is in them."""
    runs: bool = True
    """Whether it can answer by itself."""


TARGETS: dict[str, Target] = {
    ".js": Target("float32", module, ((".d.ts", declarations),)),
    ".mjs": Target("float32", module, ((".d.mts", declarations),)),
    ".html": Target("int8", page),
    ".json": Target("float32", lambda bundle: to_json(bundle.programs) + "\n", runs=False),
}
"""By the ending of the file. A new target is a row here."""
ENDINGS = tuple(TARGETS)


@dataclass(frozen=True)
class ExportedModel:
    """An exported model and its comparison with the original."""

    path: Path
    size: int
    """In bytes."""
    weights: str
    operations: tuple[int, int, int]
    """Of the programs prepare, encode and step."""
    parity: ParityReport | None
    """The original model beside the same with the weights as stored; None if it had no pairs to compare on."""
    check: Check | None
    """The exported model beside that; None if it had no pairs, or there was no node."""
    notes: tuple[str, ...] = ()
    """What was not checked, and why."""

    def lines(self) -> list[str]:
        """What was checked, for the terminal."""
        prepare, encode, step = self.operations
        found = [f"operations: {encode} to read a text, {step} a step, {prepare} to prepare the weights"]
        if self.parity is not None:
            found += [f"weights {self.weights}, {line}" for line in self.parity.lines()[1:4]]
        return [*found, *(self.check.lines() if self.check else ()), *self.notes]


def export_run(
    run: Path, out: Path, *, weights: str | None = None, data: Sequence[Path] | Sequence[Pair] = ()
) -> ExportedModel:
    """Write the model of `run` for the target that the ending of `out` names, and check it where node is installed.

    The texts are the sources of `data`, by default of the run's dev pairs. `weights` are float32, float16 or int8, by
    default int8 in a page and float32 elsewhere. Raises ConfigError for an unknown ending and for a model that programs
    don't support, CheckpointError if the model can't be read or written.
    """
    if out.suffix not in TARGETS:
        fix = did_you_mean(out.suffix, TARGETS)
        raise ConfigError(f"must end in one of: {', '.join(TARGETS)}; not {out.suffix!r}", where=str(out), fix=fix)
    target = TARGETS[out.suffix]
    chosen = as_weights(weights) if weights is not None else target.weights
    require_place(out)
    members = members_of(run)
    if members != [run]:
        what = f"holds {len(members)} models, and an exported file one"
        raise ConfigError(what, where=str(run), fix=f"export one of them: {members[0]}")
    saved = load_model(run)
    original = model_of(saved, make_numpy_engine)
    bundle = bundle_of(saved, original, chosen, name=name_of(run))
    stored = saved._replace(tensors=read_weights(bundle.weights, chosen, where=saved.origin))
    model = model_of(stored, make_numpy_engine)
    pairs = sample(pairs_of_run(run, data, saved))
    notes, check, node = [], None, find_node()
    if not pairs:
        notes.append("not checked, because there are no pairs: give some with --data dev.tsv (data=pairs)")
    elif target.runs and node is None:
        notes.append(NO_NODE)
    elif target.runs and node is not None:
        texts = [pair.source if saved.source_codec else (pair.target or "")[:3] for pair in pairs]
        check = check_in_node(module(bundle), model, texts, node)
    if check is not None:
        bundle = bundle._replace(facts={**bundle.facts, "checked": check.lines()})
    content = target.write(bundle).encode()
    write_file(out, content)
    for ending, make in target.beside:
        write_file(out.with_suffix(ending), make().encode())
    operations = [len(program.operations) for program in bundle.programs]
    return ExportedModel(
        out,
        len(content),
        chosen,
        (operations[0], operations[1], operations[2]),
        parity_of(original, model, pairs) if pairs else None,
        check,
        tuple(notes),
    )


def pairs_of_run(run: Path, data: Sequence[Path] | Sequence[Pair], saved: SavedModel) -> Sequence[Pair]:
    """The pairs given, or the dev pairs of the run; none for a model without its run."""
    if not data and not ((run / MODEL).is_dir() and (run / CONFIG).is_file()):
        return ()
    codecs = saved.source_codec, saved.target_codec
    return pairs_to_compare(run, data, codecs, known_from(saved.config.get("columns")))


def sample(pairs: Sequence[Pair]) -> list[Pair]:
    """At most MOST_TEXTS of the pairs, evenly spread."""
    step = max(1, -(-len(pairs) // MOST_TEXTS))
    return list(pairs[::step])


def name_of(run: Path) -> str:
    """What a model is called: as its file or folder."""
    return run.resolve().stem if run.suffix else run.resolve().name
