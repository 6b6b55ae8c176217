"""`seq2see compare`: several architectures or recipes trained on the same pairs at one budget, and laid side by side.

OUT/data/               what was asked of each training; where no dev pairs were given, those set aside for all
OUT/NAME-SEED/          a run a member and seed
OUT/compare.html        all of them on one page
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from seq2see.config import Config, given_keys, make_config, option, read_toml
from seq2see.console import say_to
from seq2see.corpus.corpus import is_corpus
from seq2see.curves.history import read_history
from seq2see.data import Pair, read_pairs
from seq2see.errors import ConfigError, UserError
from seq2see.evaluation import Evaluation, Request, evaluate_runs
from seq2see.model import ARCHITECTURES, find, fitting, resolve
from seq2see.pages.comparison import write_comparison
from seq2see.pages.report import require_page
from seq2see.run.changes import option_changes
from seq2see.run.folder import CHECKPOINTS, METRICS, is_run, stored_config, with_given_options
from seq2see.run.pairs import read_data
from seq2see.run.progress import metrics_text
from seq2see.run.train import train
from seq2see.storage.files import hash_file, write_file
from seq2see.training import INTERRUPTED, Evaluated, Event, Updated, WarningIssued

PAGE, DATA = "compare.html", "data"


@dataclass(frozen=True)
class Member:
    """One training of the comparison."""

    name: str
    """Its folder's: plain-1."""
    config: Config
    given: frozenset[str]
    """The keys that someone set."""
    folder: Path


@dataclass(frozen=True)
class Compared:
    """A comparison that is done."""

    evaluation: Evaluation
    page: Path


def compare(
    names: Sequence[str],
    data: Sequence[Path],
    out: Path,
    *,
    dev: Sequence[Path] = (),
    test: Sequence[Path] = (),
    seeds: int = 1,
    settings: dict[str, Any] | None = None,
    request: Request | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> Compared | None:
    """Train what isn't trained yet, try all on the test files (or else on dev), write the page; None if interrupted.

    The same call goes on after an interruption: what has come to its end is not trained again, the rest is resumed.
    """
    console = console or Console(stderr=True)
    say = say_to(console)
    require_page(out / PAGE)
    members = members_of(names, out, seeds=seeds, settings=settings or {}, say=say)
    for path in (*data, *dev, *test):
        if is_corpus(path):
            fix = "name the files it was prepared from, or train each model on it: seq2see train CORPUS --model NAME"
            raise ConfigError("a comparison reads files, and this is a prepared corpus", where=str(path), fix=fix)
    for path in test:
        read_pairs([path])  # what is wrong with the test is said before hours of training
    train_files, dev_files = data_of(members[0].config, data, dev, out, say=say)
    for number, member in enumerate(members, start=1):
        files = replace(member.config.data, train=tuple(map(str, train_files)), dev=tuple(map(str, dev_files)))
        own = replace(member, config=replace(member.config, data=files))
        if not train_member(own, f"{number}/{len(members)}", device=device, console=console):
            say(f"interrupted in {member.name}; the same command goes on")
            return None
    found = evaluate_runs(
        [member.folder for member in members], list(test or dev_files), request or Request(), device=device
    )
    evaluation = replace(found, runs=tuple(member.name for member in members))
    histories = [replace(read_history(member.folder), name=member.name) for member in members]
    tested_on = ", ".join(map(str, test)) if test else "the dev pairs, which chose the models"
    folders = [member.folder for member in members]
    write_comparison(out / PAGE, evaluation, histories, folders, data=data, tested_on=tested_on)
    return Compared(evaluation, out / PAGE)


def members_of(
    names: Sequence[str], out: Path, *, seeds: int, settings: dict[str, Any], say: Any = lambda line: None
) -> list[Member]:
    """A member a name and seed: names of architectures, or paths of recipes. ConfigError for what can't be compared."""
    names = list(dict.fromkeys(names))
    if len(names) * seeds < 2 or seeds < 1:
        fix = "name two models or more, such as: seq2see compare plain attention --data train.tsv; or give --seeds 3"
        raise ConfigError("one training is no comparison", where="seq2see compare", fix=fix)
    for key in ("model.name", "data.train", "data.dev"):
        if key in settings:
            fix = "name models before --data" if key == "model.name" else "use --data and --dev"
            raise ConfigError("is not to be set here", where=f"--set {key}", fix=fix)
    found: list[Member] = []
    for name in names:
        path = Path(name)
        is_recipe = path.suffix == ".toml"
        values = {key: table for key, table in read_toml(path).items() if key != "data"} if is_recipe else {}
        own = settings if is_recipe else settings | {"model.name": name}
        config = make_config(values, own, where=name)
        architecture = None if is_recipe else name
        if not find(architecture or resolve(config.model).name).has_source:
            fix = f"choose from: {', '.join(key for key, each in ARCHITECTURES.items() if each.has_source)}"
            raise ConfigError("is a language model, which answers nothing", where=name, fix=fix)
        given = given_keys(values, own)
        if architecture:
            fitted = fitting(config.model, architecture)
            lost = {key for key in given if key.startswith("model.") and getattr(fitted, key[6:]) is None}
            if lost:
                say(f"note: {name} makes no use of {', '.join(sorted(lost))}")
            config, given = replace(config, model=fitted), given - lost
        label = path.stem if is_recipe else name
        for seed in range(config.training.seed, config.training.seed + seeds):
            seeded = replace(config, training=replace(config.training, seed=seed))
            full = f"{label}-{seed}"
            found.append(Member(full, seeded, frozenset(given | {"training.seed"}), out / full))
    doubled = [member.name for member in found if sum(other.folder == member.folder for other in found) > 1]
    if doubled:
        raise ConfigError(
            f"two members would be {doubled[0]}", where="seq2see compare", fix="rename one of the recipes"
        )
    return found


def data_of(
    config: Config, data: Sequence[Path], dev: Sequence[Path], out: Path, *, say: Any
) -> tuple[list[Path], list[Path]]:
    """The files of training and dev pairs; without dev pairs a part is set aside once, for all members and seeds."""
    if not data:
        raise ConfigError("no training data were given", where="--data", fix="name a file: --data train.tsv")
    if dev:
        return [path.absolute() for path in data], [path.absolute() for path in dev]
    named = replace(config, data=replace(config.data, train=tuple(str(path.absolute()) for path in data)))
    split = read_data(named, None, None, has_source=True)
    for line in split.notes:
        say(line)
    files = {}
    for name, pairs in (("train", split.train), ("dev", split.dev)):
        files[name] = path = (out / DATA / f"{name}.jsonl").absolute()
        content = lines_of(pairs)
        if path.exists() and path.read_bytes() != content:
            fix = "put the data back as they were, or choose another --out"
            raise ConfigError(
                "is not what these data give: the comparison was begun with others", where=str(path), fix=fix
            )
        if not path.exists():
            write_file(path, content)
    return [files["train"]], [files["dev"]]


def lines_of(pairs: Sequence[Pair]) -> bytes:
    """Pairs as JSONL."""
    return "".join(json.dumps({"source": pair.source, "target": pair.target}) + "\n" for pair in pairs).encode()


def train_member(member: Member, place: str, *, device: str, console: Console) -> bool:
    """Train it, go on with it, or leave it as it is where it has come to its end; False if it was interrupted."""
    say = say_to(console)
    if is_finished(member):
        say(f"{place} {member.name}: done before")
        return True
    is_begun = is_run(member.folder)
    can_resume = is_begun and any((member.folder / CHECKPOINTS).glob("*"))
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[state]}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"{place} {member.name}", total=None, state="")

        def show(event: Event) -> None:
            if isinstance(event, Updated):
                if bar.tasks[task].total is None:  # the run knows it once it has begun
                    bar.update(task, total=stored_config(member.folder).training.max_updates)
                bar.update(task, completed=event.update)
            elif isinstance(event, Evaluated):
                bar.update(task, state=metrics_text(event.metrics))
            elif isinstance(event, WarningIssued):
                say(f"{place} {member.name}: warning: {event.message}")

        remember(member)
        trained = train(
            member.config,
            member.folder,
            given=member.given,
            device=device,
            resume=can_resume,
            force=is_begun and not can_resume,
            console=Console(quiet=True),
            callbacks=[show],
        )
    done = trained.finished
    if done.reason == INTERRUPTED:
        return False
    say(f"{place} {member.name}: {metrics_text(done.metrics)}; {done.update:,} updates, {done.seconds:.0f} s")
    return True


def asked_of(member: Member) -> dict[str, Any]:
    """What was set of a training and what it reads, by content."""
    config = member.config
    files = [Path(name) for name in (*config.data.train, *config.data.dev)]
    given = {key: option(config, key) for key in sorted(member.given) if not key.startswith("data.")}
    return {"set": given, "data": [hash_file(path) for path in files]}


def asked_file(member: Member) -> Path:
    """Where that is kept, beside the data."""
    return member.folder.parent / DATA / f"{member.name}.asked.json"


def remember(member: Member) -> None:
    """Write down what is asked of a training that begins."""
    write_file(asked_file(member), json.dumps(asked_of(member), indent=1).encode() + b"\n")


def require_asked_alike(member: Member) -> None:
    """ConfigError where something else was asked of the training that is there."""
    try:
        before = json.loads(asked_file(member).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # begun by hand: its options are compared
    now = json.loads(json.dumps(asked_of(member)))
    fix = "compare as these runs were started, or choose another --out"
    for key in sorted(before["set"].keys() ^ now["set"].keys()):
        what = f"was set when {member.folder} was started, and isn't now" if key in before["set"] else "wasn't set then"
        raise ConfigError(what, where=key, fix=fix)
    if before["data"] != now["data"]:
        raise ConfigError(f"the pairs are not those that {member.folder} was started with", where="--data", fix=fix)


def is_finished(member: Member) -> bool:
    """Whether it was trained to its end, and as it would be now. ConfigError where it was trained otherwise."""
    if not (member.folder / METRICS).exists() or not is_run(member.folder):
        return False
    require_asked_alike(member)
    stored = stored_config(member.folder)
    wanted = with_given_options(stored, member.config, member.given | {"data.train", "data.dev"})
    for key, (before, now) in option_changes(stored, wanted).items():
        raise ConfigError(
            f"is {now!r} now, {member.folder} was started with {before!r}",
            where=key,
            fix="compare with the options these runs were started with, or choose another --out",
        )
    try:
        end = read_history(member.folder).end
    except UserError:
        return False  # killed before its first line
    return end is not None and end.reason != INTERRUPTED
