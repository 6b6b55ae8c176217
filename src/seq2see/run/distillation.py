"""Sequence-level knowledge distillation: one model trained on the answers of several (Kim and Rush 2016).

OUT              the run of the student
OUT-data/        train.jsonl and dev.jsonl: the pairs that it is trained and evaluated on
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from seq2see.config import Config, make_config, to_toml
from seq2see.console import Terminal, say_to
from seq2see.data import Pair, iterate_rows, open_content
from seq2see.data.given import pairs_of
from seq2see.errors import ConfigError
from seq2see.inference.loading import load, members_of
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import GenerationOptions
from seq2see.inference.predictor import Predictor
from seq2see.inference.reading import UnansweredTextWarning
from seq2see.run.folder import CONFIG, is_within, require_free, stored_config
from seq2see.run.pairs import RunData, as_jsonl, read_data, read_run_data
from seq2see.run.train import Trained, train
from seq2see.storage.files import require_none, write_file

BEAM = 5
COLUMNS = ("source", "target", "names")
"""What JSON lines have of the options of a table."""
CHOSEN_ANEW = (
    "max_updates",
    "max_epochs",
    "evaluate_every",
    "checkpoint_every",
    "denoising_updates",
    "start_from",
    "choose_length_penalty",
    "guided_attention",
    "sample_alignments",
)
"""Options of training that the student's own pairs and model decide, or that it hasn't."""


@dataclass(frozen=True)
class Lessons:
    """What the student is trained on."""

    true: list[Pair]
    corrected: list[Pair]
    """The teachers' answers to the sources of these pairs, where they differ."""
    further: list[Pair]
    """The teachers' answers to further sources."""

    @property
    def pairs(self) -> list[Pair]:
        """All of them."""
        return [*self.true, *self.corrected, *self.further]

    def line(self) -> str:
        """For the terminal."""
        return (
            f"distillation: {len(self.true):,} true pairs, {len(self.corrected):,} answers that differ from them, "
            f"{len(self.further):,} answers to further texts"
        )


def distill(
    runs: Sequence[Path],
    out: Path,
    *,
    data: Sequence[Path] | Sequence[Pair] = (),
    dev: Sequence[Path] | Sequence[Pair] = (),
    texts: Iterable[str] = (),
    files: Sequence[Path] = (),
    beam: int = BEAM,
    settings: Mapping[str, Any] = MappingProxyType({}),
    device: str = "auto",
    force: bool = False,
    console: Console | None = None,
) -> Trained:
    """Train one model, configured as the first of these runs, on its true pairs and on the answers of them all.

    They answer the sources of these pairs, the `texts`, and those in the lines of `files`. `data` and `dev` are the
    pairs, if those of the run were given in a program, or have moved. `settings` change the configuration. ConfigError
    for language models, and for a first run without its configuration or its pairs.
    """
    say = say_to(console := console or Terminal(stderr=True))
    members = [member for run in runs for member in members_of(run)]
    for member in members:
        if is_within(member, out):
            what = f"is the folder of {member}, which would be replaced"
            raise ConfigError(what, where=str(out), fix="choose another folder (--out, out=…)")
    teacher = load(members, device=device)
    if teacher.source_codec is None:
        raise ConfigError("is a language model, which answers nothing", where=str(members[0]), fix="name other runs")
    fix = "name a run folder first, as seq2see train made it"
    if not (members[0] / CONFIG).is_file():
        raise ConfigError("is a model without its run, so its true pairs are unknown", where=str(members[0]), fix=fix)
    before = stored_config(members[0])
    own = true_pairs(members[0], before, teacher, data, dev)
    if own.corpus:
        what = "was trained on a prepared corpus, which is not distilled"
        raise ConfigError(what, where=str(members[0]), fix="train on the files of pairs themselves")
    require_free(out, force=force)
    asked = [*texts, *(text for path in files for text in texts_in(path, teacher))]
    folder = out.parent / f"{out.name}-data"
    config = student_config(before, own, folder, settings)
    paths = [Path(name) for name in (*config.data.train, *config.data.dev)]
    if not force:
        require_none(paths, "choose another folder (--out, out=…), or replace it (--force, force=True)")
    say(f"{len(members)} {'model answers' if len(members) == 1 else 'models answer'} with a beam of {beam}")
    lessons = lessons_of(teacher, own, asked, beam)
    say(lessons.line())
    for path, pairs in zip(paths, (lessons.pairs, own.dev), strict=True):
        write_file(path, as_jsonl(pairs, own.columns))
    return train(config, out, device=device, force=force, console=console)


def true_pairs(
    run: Path,
    config: Config,
    model: Predictor,
    data: Sequence[Path] | Sequence[Pair],
    dev: Sequence[Path] | Sequence[Pair],
) -> RunData:
    """The pairs of the run, or those given, which are split as its own if there are no dev pairs among them."""
    if not data:
        if dev:
            raise ConfigError("needs training pairs beside it", where="dev", fix="give both: --data train.tsv")
        fix = "give its pairs: --data train.tsv, or in Python data=pairs"
        return read_run_data(run, has_source=True, fix=fix, codecs=(model.source_codec, model.target_codec))
    pairs, own_dev = (pairs_of(each, has_source=True, known=model.table) if each else None for each in (data, dev))
    found = read_data(config, pairs, own_dev, has_source=True)
    columns = {name: value for name, value in config.data.given().items() if name in COLUMNS}
    if not columns and (count := pairs[0].source.count("\t") if pairs else 0):
        columns = {"source": tuple(f"source {number}" for number in range(1, count + 2)), "target": "target"}
    return replace(found, columns=columns)


def texts_in(path: Path, model: Predictor) -> list[str]:
    """The sources in the lines of a file, as `predict` reads them."""
    with open_content(path, model.table.encoding) as file:
        return [row.source for row in iterate_rows(file.stream, str(path), known=model.table)]


def student_config(teacher: Config, data: RunData, folder: Path, settings: Mapping[str, Any]) -> Config:
    """The configuration of a teacher for the pairs in this folder; what depends on their number is chosen anew."""
    columns = {name: value for name, value in data.columns.items() if name in COLUMNS}
    places: dict[str, Any] = {name: (str((folder / f"{name}.jsonl").absolute()),) for name in ("train", "dev")}
    unset: dict[str, Any] = dict.fromkeys(CHOSEN_ANEW)
    kept = {name: getattr(teacher.data, name) for name in ("longest", "group", "balance", "temperature", "distortion")}
    own = replace(
        teacher,
        data=replace(Config().data, **kept, **columns, **places),
        training=replace(teacher.training, **unset),
    )
    for key in ("data.train", "data.dev"):
        if key in settings:
            fix = "name the runs that have them, and further texts with --sources"
            raise ConfigError("can't be set here", where=f"--set {key}", fix=fix)
    return make_config(tomllib.loads(to_toml(own)), settings)


def lessons_of(teacher: Predictor, data: RunData, texts: Iterable[str], beam: int) -> Lessons:
    """The true pairs, and the teacher's answers to their sources and to further texts that are not among dev."""
    assert teacher.source_codec is not None
    normalize = teacher.source_codec.normalize
    true = list(data.train)
    known = {normalize(pair.source) for pair in [*true, *data.dev]}
    further = list({key: text for text in texts if text.strip() and (key := normalize(text)) not in known}.values())
    sources = [*dict.fromkeys(pair.source for pair in true), *further]
    answers = answers_of(teacher, sources, beam)
    target_of = teacher.target_codec.normalize
    written = {(normalize(pair.source), target_of(pair.target or "")) for pair in true}
    found = [Pair(source, answer) for source, answer in answers.items()]
    return Lessons(
        true,
        [p for p in found if normalize(p.source) in known and (normalize(p.source), p.target) not in written],
        [pair for pair in found if normalize(pair.source) not in known],
    )


def answers_of(teacher: Predictor, sources: Sequence[str], beam: int) -> dict[str, str]:
    """The answers to these sources; none where an answer is empty, cut off or impossible."""
    with warnings.catch_warnings():
        for kind in (UnknownTextWarning, UnansweredTextWarning):
            warnings.simplefilter("ignore", kind)
        answered = teacher.stream(sources, GenerationOptions(beam=beam), with_attention=False)
        return {source: each.text for source, each in answered if each.finished and each.text and not each.error}
