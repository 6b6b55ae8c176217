"""`seq2see export`: a model written for another target, and compared with the original.

RUN ──▶ SavedModel ──▶ Bundle ──▶ target ──▶ file or folder
             │            └─▶ run there ───┐
             └─▶ NumPy ────────────────────┴─▶ same answers?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypeAlias

from seq2see.data import Pair
from seq2see.data.options import known_from
from seq2see.errors import ConfigError, UserError, did_you_mean
from seq2see.export import ctranslate2
from seq2see.export.bundle import Bundle, bundle_of
from seq2see.export.c_checking import check_in_c, vectors
from seq2see.export.c_target import c_source, header, weights_file
from seq2see.export.c_wasm import MODULE_ENDING, check_wasm, loader, wasm
from seq2see.export.checking import Check, check_with_node
from seq2see.export.javascript import declarations, module
from seq2see.export.page import computing, page
from seq2see.inference.engine import make_numpy_engine
from seq2see.inference.loading import engine_maker, members_of, model_of
from seq2see.inference.predictor import Predictor
from seq2see.inference.reading import read_sources
from seq2see.packing import ParityReport, pairs_to_compare, parity_of
from seq2see.printable import one_line
from seq2see.program import to_json
from seq2see.run.folder import CONFIG, MODEL
from seq2see.storage.files import has_manifest, require_none, require_place, write_file, write_folder
from seq2see.storage.saved_model import SavedModel, load_model
from seq2see.storage.weights import Weights, as_weights, read_weights

MOST_TEXTS = 200
"""Texts that an exported model is compared on."""
MARK = b"seq2see"
"""In the files of an export, by which they are known where there are several."""


Files: TypeAlias = dict[str, bytes]
"""The content of each file by its name."""


Checker: TypeAlias = Callable[[Bundle, Predictor, Sequence[str]], Check | str]
"""Compares answers to texts with the model's; gives what prevents it, where what runs the target is missing."""


Beside: TypeAlias = Callable[[Bundle, Predictor, Sequence[str]], str | bytes]
"""The content of a file, for a model and the texts that it is checked on."""


class Target(NamedTuple):
    """What is written for an ending."""

    weights: Weights
    """By default."""
    write: Callable[[Bundle], str | bytes | Files]
    """The content of a file, or the files of a folder."""
    check: Checker | None
    """None if it can't answer by itself."""
    beside: tuple[tuple[str, Beside], ...] = ()
    """The endings of files beside it, and what is in them."""


def in_node(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Checks what is, or has inside, an ES module."""
    return check_with_node(module(bundle), model, texts)


def to_onnx(bundle: Bundle) -> Files:
    """The folder of `.onnx`."""
    from seq2see.export.onnx.files import files

    return files(bundle)


def in_onnx_runtime(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Checks the folder of `.onnx`."""
    from seq2see.export.onnx.network import check

    return check(bundle, model, texts)


def in_c(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Checks a C file."""
    return check_in_c(c_source(bundle), model, texts)


def in_c_with_a_file(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> Check | str:
    """Checks a C file that reads its weights."""
    return check_in_c(c_source(bundle, separate=True), model, texts, weights_file(bundle))


def types(bundle: Bundle, model: Predictor, texts: Sequence[str]) -> str:
    """The types of an ES module."""
    return declarations()


C_BESIDE: tuple[tuple[str, Beside], ...] = (
    (".h", lambda bundle, model, texts: header()),
    (".vectors.tsv", lambda bundle, model, texts: vectors(model, texts)),
)
TARGETS: dict[str, Target] = {
    ".js": Target("int8", module, in_node, ((".d.ts", types),)),
    ".mjs": Target("int8", module, in_node, ((".d.mts", types),)),
    ".html": Target("int8", page, in_node),
    ".c": Target("int8", c_source, in_c, C_BESIDE),
    ".wasm": Target("int8", wasm, check_wasm, ((MODULE_ENDING, lambda bundle, model, texts: loader()),)),
    ".onnx": Target("float32", to_onnx, in_onnx_runtime),
    ".ctranslate2": Target("float32", ctranslate2.files, ctranslate2.check),
    ".json": Target("float32", lambda bundle: to_json(bundle.programs) + "\n", None),
}
"""By the ending of the file. A new target is a row here.

What a reader downloads or a device holds has int8; other programs, which have quantizations of their own, get float32.
"""
ENDINGS = tuple(TARGETS)
PAGE = ".html"
FOLDERS = (".onnx", ".ctranslate2")
"""Endings of folders; all others are files."""
WEIGHTS_ENDING = ".weights"
SEPARATE: dict[str, Target] = {
    ".c": Target(
        "int8",
        lambda bundle: c_source(bundle, separate=True),
        in_c_with_a_file,
        (*C_BESIDE, (WEIGHTS_ENDING, lambda bundle, model, texts: weights_file(bundle))),
    ),
}
"""With the weights in a file beside it."""


@dataclass(frozen=True)
class ExportedModel:
    """An exported model and its comparison with the original."""

    path: Path
    size: int
    """In bytes, with those of a file of weights."""
    weights: str
    operations: tuple[int, int, int]
    """Of the programs prepare, encode and step."""
    parity: ParityReport | None
    """The original model beside the same with the weights as stored; None if it had no pairs to compare on."""
    check: Check | None
    """The exported model beside that; None if it had no pairs, or nothing to run it."""
    notes: tuple[str, ...] = ()
    """What was not checked, and why; what a page computes in, and why."""

    def lines(self) -> list[str]:
        """What was checked, for the terminal."""
        prepare, encode, step = self.operations
        found = [f"operations: {encode} to read a text, {step} a step, {prepare} to prepare the weights"]
        found += parity_lines(self.weights, self.parity)
        if self.check is not None:
            found += [*self.check.lines(), f"{self.check.milliseconds:.1f} ms an answer"]
        return [*found, *self.notes]


def parity_lines(weights: str, parity: ParityReport | None) -> list[str]:
    """What the format of the weights changed, for the terminal and the file."""
    if parity is None:
        return []
    checked, *others = parity.lines()
    return [f"weights {weights}, {checked}", *others]


def export_run(
    run: Path,
    out: Path,
    *,
    weights: str | None = None,
    data: Sequence[Path] | Sequence[Pair] = (),
    separate_weights: bool = False,
    wasm: bool = True,
) -> ExportedModel:
    """Write the model of `run` for the target that the ending of `out` names, and check it if it can run here.

    The texts are the sources of `data`, by default of the run's dev pairs. `weights` are float32, float16 or int8, by
    default those of TARGETS. `separate_weights` puts those of C into a
    file. A page computes in JavaScript without `wasm`, or where that can't be built. What runs it (node, a C compiler)
    may be missing: the result says so. Raises ConfigError for an unknown ending
    and for a model that programs or targets don't support, CheckpointError if the model can't be read or written.
    """
    if out.suffix not in TARGETS:
        fix = did_you_mean(out.suffix, TARGETS)
        raise ConfigError(f"must end in one of: {', '.join(TARGETS)}; not {out.suffix!r}", where=str(out), fix=fix)
    if separate_weights and out.suffix not in SEPARATE:
        fix = f"export to {out.with_suffix('.c')}, or leave --separate-weights (separate_weights) out"
        raise ConfigError(f"weights can't be separate from {out.suffix}, only from .c", where=str(out), fix=fix)
    if not wasm and out.suffix != PAGE:
        fix = f"leave it out, or export to {out.with_suffix(PAGE)}"
        raise ConfigError(f"--no-wasm (wasm=False) is for {PAGE}, not for {out.suffix}", where=str(out), fix=fix)
    target = (SEPARATE if separate_weights else TARGETS)[out.suffix]
    chosen = as_weights(weights) if weights is not None else target.weights
    require_place(out)
    require_own(out, target)
    members = members_of(run)
    if members != [run]:
        what = f"holds {len(members)} models, and an exported file one"
        raise ConfigError(what, where=str(run), fix=f"export one of them: {members[0]}")
    saved = load_model(run)
    original = model_of(saved, engine_maker("torch" if find_spec("torch") else "numpy", "cpu"))
    bundle = bundle_of(saved, original, chosen, name=name_of(run))
    stored = saved._replace(tensors=read_weights(bundle.weights, chosen, where=saved.origin))
    model = model_of(stored, make_numpy_engine)
    target, computed_in = page_target(bundle, target, wasm) if out.suffix == PAGE else (target, ())
    pairs = sample(pairs_of_run(run, data, saved))
    texts = answered([pair.source if saved.source_codec else (pair.target or "")[:3] for pair in pairs], model)
    check: Check | str | None = None
    if not pairs:
        check = "not checked, because there are no pairs: give some with --data dev.tsv (data=pairs)"
    elif not texts:
        check = "not checked, because no text of the pairs has an answer: give others with --data dev.tsv (data=pairs)"
    elif target.check is not None:
        with packages_for(out):
            check = target.check(bundle, model, texts)
    parity = parity_of(original, model, pairs) if pairs else None
    checked = [*parity_lines(chosen, parity), *(check.lines() if isinstance(check, Check) else ())]
    bundle = bundle._replace(facts={**bundle.facts, "checked": checked})
    with packages_for(out):
        content = target.write(bundle)
    size = write(out, content)
    for ending, make in target.beside:
        own = make(bundle, model, texts)
        write_file(out.with_suffix(ending), own if isinstance(own, bytes) else own.encode())
        size += len(own) if ending == WEIGHTS_ENDING else 0
    operations = [len(program.operations) for program in bundle.programs]
    return ExportedModel(
        out,
        size,
        chosen,
        (operations[0], operations[1], operations[2]),
        parity,
        check if isinstance(check, Check) else None,
        (*((check,) if isinstance(check, str) else ()), *computed_in),
    )


def page_target(bundle: Bundle, target: Target, wasm: bool) -> tuple[Target, tuple[str, ...]]:
    """The target of a page, and what it computes in."""
    module, why = computing(bundle, wanted=wasm)
    if module is not None:
        target = target._replace(write=lambda checked: page(checked, module), check=check_wasm)
    return target, (why,)


def require_own(out: Path, target: Target) -> None:
    """ConfigError, before any work, for a folder or files beside `out` that no export has written."""
    fix = "move it elsewhere, or choose another -o"
    if out.is_dir():
        if out.suffix not in FOLDERS:
            raise ConfigError("is a folder, and must become a file", where=str(out), fix="choose another -o")
        if not has_manifest(out):
            require_none(sorted(out.iterdir()), fix)
        return
    beside = [out.with_suffix(ending) for ending, _ in target.beside]
    if not any(path.is_file() and MARK in path.read_bytes() for path in (out, *beside)):
        require_none(beside, fix)


@contextmanager
def packages_for(out: Path) -> Iterator[None]:
    """UserError for a package that is needed and not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        fix = f'pip install "seq2see[{out.suffix[1:]}]"'
        raise UserError(f"{out.suffix} needs the package {error.name}", where=str(out), fix=fix) from None


def write(out: Path, content: str | bytes | Files) -> int:
    """Write a file or a folder; returns the number of bytes."""
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        write_file(out, content)
        return len(content)
    if out.exists() and not out.is_dir():
        raise ConfigError("is a file, and must become a folder", where=str(out), fix="choose another -o")
    write_folder(out, content)
    return sum(map(len, content.values()))


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


def answered(texts: Sequence[str], model: Predictor) -> list[str]:
    """The texts that the model answers: one that is too long, or has other columns, is an error wherever it runs."""
    codec, places = model.source_codec or model.target_codec, ["a text"] * len(texts)
    is_prompt = model.source_codec is None
    read = read_sources(texts, codec, model.input_limits(), places, is_prompt=is_prompt, refused={})
    return [text for row, text in enumerate(texts) if row not in read.refused]


def name_of(run: Path) -> str:
    """What a model is called: as its file or folder, whose name need not be UTF-8."""
    return one_line(run.resolve().stem if run.suffix else run.resolve().name)
