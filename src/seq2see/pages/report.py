"""`seq2see report`: a run on one page, from what it was trained on to what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from seq2see.config import to_toml
from seq2see.curves.history import Alarm, problem_lines
from seq2see.errors import ConfigError
from seq2see.evaluation import Request
from seq2see.evaluation.shown import around, number
from seq2see.metrics import levenshtein
from seq2see.pages.advice import Advice, advise
from seq2see.pages.charts import charts
from seq2see.pages.gathered import Gathered, gather
from seq2see.pages.heat import heat_table
from seq2see.pages.markup import Markup, definitions, document, element, paragraph, scrolling, spoken
from seq2see.pages.scores import figures, slices, worst
from seq2see.storage.files import write_file
from seq2see.version import __version__


def write_report(
    run: Path,
    out: Path,
    test: Sequence[Path] = (),
    request: Request | None = None,
    *,
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
) -> Gathered:
    """Write the page of a run, whole or not at all; what it was made of. Raises as `gather`."""
    require_page(out)
    levenshtein("a report")  # what it needs and lacks is said before a long search
    gathered = gather(run, test, request, skip_bad=skip_bad, engine=engine, device=device)
    write_page(out, report_page(gathered))
    return gathered


def require_page(out: Path) -> None:
    """Refuse, before any work, a name that is no page's."""
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise ConfigError("is no name for a page", where=str(out), fix="end it in .html: -o report.html")


def write_page(out: Path, page: str) -> None:
    """The page as a file; halves of characters, which JSON can have and UTF-8 can't, are written as their numbers."""
    write_file(out, page.encode("utf-8", "backslashreplace"))


def report_page(gathered: Gathered) -> str:
    """The whole page."""
    report, history = gathered.report, gathered.history
    first, measured = next(iter(report.measured.items()))
    headline = (
        f"{gathered.blueprint['name']}, {gathered.model.num_parameters:,} parameters. {measured.scale.title} "
        f"{number(report.figures[first].value, measured.scale.unit)} {around(report, first)} "
        f"on {report.count:,} items of {gathered.tested_on}."
    )
    drawn = "in brackets and intervals: 95 % by bootstrap over the items, {:,} samples, seed {}"
    scores = [
        *figures(report),
        *(paragraph(note) for note in gathered.notes),
        paragraph(drawn.format(gathered.request.samples, gathered.request.seed), class_="note"),
    ]
    log = [paragraph(line, class_="note") for line in problem_lines([history])]
    attention = [
        part for each in gathered.attention for part in (spoken(source_of(each.source_tokens), "h3"), heat_table(each))
    ]
    return document(
        f"seq2see report: {gathered.run}",
        [
            ("what", "What was trained", [definitions(facts(gathered))]),
            ("scores", f"Scores on {gathered.tested_on}", scores),
            ("next", "What to try next", suggestions(advise(gathered.evidence()))),
            ("warnings", "Warnings", [alarm(each) for each in history.alarms]),
            ("curves", "Learning curves", [*charts([history]), *log]),
            ("parts", "Parts", slices(report)),
            ("errors", "Worst answers", worst(report, gathered.unit)),
            ("attention", "Where it looks", attention),
            ("configuration", "Configuration", [configuration(gathered)]),
        ],
        lead=[paragraph(headline)],
    )


def facts(gathered: Gathered) -> list[tuple[str, str]]:
    """What was trained on what, when and how long."""
    config, history, trained = gathered.config, gathered.history, gathered.trained
    codecs = (gathered.model.source_codec, gathered.model.target_codec)
    units = [
        f"{side}: {codec.tokenizer.name}, {len(codec.vocabulary):,} tokens"
        for side, codec in zip(("source", "target"), codecs, strict=True)
        if codec is not None
    ]
    sizes = ", ".join(f"{name} {gathered.blueprint[name]}" for name in ("width", "layers", "dropout"))
    end = history.end
    course = f"{history.last_update:,} updates" + (
        f" in {duration(end.seconds)}: {end.reason}" if end else ", no end yet"
    )
    dev = f"{gathered.num_dev:,} dev pairs" if gathered.num_dev is not None else "dev pairs no longer there"
    return [
        ("model", f"{gathered.blueprint['name']} ({sizes})"),
        ("size", f"{gathered.model.num_parameters:,} parameters, {gathered.num_bytes / 1e6:.2f} MB on disk"),
        ("training data", ", ".join(config.data.train) or "pairs given in a program"),
        ("pairs", f"{trained.get('pairs', 0):,} to train on, {dev}"),
        ("units", "; ".join(units)),
        ("training", course),
        ("best model", f"update {history.best_update:,}, written {moment(gathered.written)}"),
        ("seed", str(config.training.seed)),
        ("this page", f"seq2see {__version__}, {moment(datetime.now().timestamp())}"),
        *([("left out", f"{gathered.num_left_out:,} lines of the test file")] if gathered.num_left_out else []),
    ]


def suggestions(found: Sequence[Advice]) -> list[Markup]:
    """What to do, each with why."""
    if not found:
        return [paragraph("Nothing stands out. Several seeds (training.seed) and --beam 5 usually give a little more.")]
    items = [
        element(
            "li",
            [element("strong", f"{each.title}. "), element("span", f"{each.evidence} "), element("span", each.what)],
        )
        for each in found
    ]
    return [element("ol", items)]


def alarm(each: Alarm) -> Markup:
    """A warning of training."""
    parts = [paragraph(f"Update {each.update:,}: {each.message}"), paragraph(f"Try: {each.advice}")]
    return element("div", parts, class_="alarm")


def configuration(gathered: Gathered) -> Markup:
    """The whole of it, folded up."""
    code = scrolling([element("pre", [element("code", to_toml(gathered.config))])], "config.toml")
    return element("details", [element("summary", "config.toml: every setting, given or chosen"), code])


def source_of(tokens: Sequence[str]) -> str:
    """The source of an answer as one line, without its end."""
    between = "" if all(len(token) <= 1 for token in tokens[:-1]) else " "
    return between.join(tokens[:-1])


def moment(seconds: float) -> str:
    """A time as people write it."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()


def duration(seconds: float) -> str:
    """How long something took."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
