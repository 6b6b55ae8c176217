"""`seq2see report`: one page on a run, from its training data to what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from seq2see.config import to_toml
from seq2see.console import counted
from seq2see.curves.history import LoggedWarning, problem_lines
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError
from seq2see.evaluation import EvaluationOptions
from seq2see.evaluation.format import interval_of, number
from seq2see.evaluation.html import score_parts, slice_tables
from seq2see.markup import Markup, definitions, document, element, paragraph, scrollable, tiles
from seq2see.metrics import levenshtein
from seq2see.pages.advice import Advice, advise
from seq2see.pages.charts import charts
from seq2see.pages.errors import confused, worst
from seq2see.pages.examples import attention_parts
from seq2see.pages.report_data import ReportData, collect_report_data
from seq2see.storage.files import require_place, write_file
from seq2see.version import __version__


def write_report(
    run: Path,
    out: Path,
    test: Sequence[Path] = (),
    request: EvaluationOptions | None = None,
    *,
    table: TableOptions = TableOptions(),  # noqa: B008 (frozen)
    skip_bad: bool = False,
    engine: str = "auto",
    device: str = "auto",
) -> ReportData:
    """Write the page of a run atomically; returns its data. Raises the errors of `collect_report_data`."""
    require_page(out)
    levenshtein("a report")  # raises before a long search if the package is missing
    data = collect_report_data(run, test, request, table=table, skip_bad=skip_bad, engine=engine, device=device)
    write_page(out, report_page(data))
    return data


def require_page(out: Path) -> None:
    """Raise, before any work, if this can't be the file name of a page."""
    if out.suffix.lower() not in (".html", ".htm"):
        what = f"unsupported format {out.suffix}" if out.suffix else "the file name has no extension"
        raise ConfigError(what, where=str(out), fix="use .html: -o report.html")
    require_place(out)
    if out.is_dir():
        raise ConfigError("is a folder", where=str(out), fix="name a file: -o report.html")


def write_page(out: Path, page: str) -> None:
    """Write the page. Lone surrogates, which JSON allows and UTF-8 doesn't, become backslash escapes."""
    write_file(out, page.encode("utf-8", "backslashreplace"))


def report_page(data: ReportData) -> str:
    """The HTML of the page."""
    report, history = data.report, data.history
    headline = f"{data.blueprint.name}, scored on {counted(report.count, 'item')} of {data.tested_on}"
    scores = [*score_parts(report), *(paragraph(note) for note in data.notes)]
    log = [paragraph(line, class_="note") for line in problem_lines([history])]
    return document(
        data.run,
        [
            ("next", "What to try next", suggestions(advise(data.evidence()), beam=data.request.beam)),
            ("scores", "Scores", scores),
            ("curves", "Learning curves", [*charts([history]), *log]),
            ("slices", "Slices", slice_tables(report)),
            ("errors", "Worst predictions", worst(report, data.unit)),
            ("confusions", "Confused symbols", confused(report, data.unit)),
            ("attention", "Attention", attention_parts(data.attention)),
            ("warnings", "Warnings", [warning_box(each) for each in history.warnings]),
            ("run", "Training run", [definitions(facts(data))]),
            ("configuration", "Configuration", [configuration(data)]),
        ],
        kind="seq2see report",
        lead=[paragraph(headline), tiles(main_figures(data))],
    )


def main_figures(data: ReportData) -> list[tuple[str, str, str]]:
    """The scores with their intervals, and the size of the model."""
    report, history = data.report, data.history
    scores = [
        (measured.scale.title, number(report.scores[name].value, measured.scale.unit), interval_of(report, name))
        for name, measured in report.measured.items()
    ]
    end = f"in {duration(history.end.seconds)}" if history.end else "not ended"
    return [
        *scores,
        ("parameters", f"{data.model.num_parameters:,}", f"{data.num_bytes / 1e6:.2f} MB on disk"),
        ("updates", f"{history.last_update:,}", end),
    ]


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Model, data and duration of the training."""
    config, history, trained = data.config, data.history, data.trained
    codecs = (data.model.source_codec, data.model.target_codec)
    units = [
        f"{side}: {codec.tokenizer.title}, {len(codec.vocabulary):,} tokens"
        for side, codec in zip(("source", "target"), codecs, strict=True)
        if codec is not None
    ]
    sizes = ", ".join(f"{name} {getattr(data.blueprint, name)}" for name in ("width", "layers", "dropout"))
    end = history.end
    course = counted(history.last_update, "update") + (
        f" in {duration(end.seconds)}: {end.reason}" if end else ", not ended"
    )
    dev = counted(data.num_dev, "dev pair") if data.num_dev is not None else "dev pairs no longer available"
    return [
        ("model", f"{data.blueprint.name} ({sizes})"),
        ("size", f"{data.model.num_parameters:,} parameters, {data.num_bytes / 1e6:.2f} MB on disk"),
        ("training data", ", ".join(config.data.train) or "pairs passed from Python"),
        ("pairs", f"{trained.get('pairs', 0):,} for training, {dev}"),
        ("units", "; ".join(units)),
        ("training", course),
        ("best model", f"update {history.best_update:,}, written {moment(data.written)}"),
        ("seed", str(config.training.seed)),
        ("this page", f"seq2see {__version__}, {moment(datetime.now().timestamp())}"),
        *([("skipped", f"{counted(data.num_left_out, 'invalid line')} of the test file")] if data.num_left_out else []),
    ]


def suggestions(found: Sequence[Advice], *, beam: int = 1) -> list[Markup]:
    """The advice as a list; `beam` is that of the evaluation."""
    if not found:
        better = "An ensemble of several seeds (seq2see train --seeds 5)" + (" or --beam 5" if beam == 1 else "")
        return [paragraph(f"No problem was found. {better} usually gives slightly better scores.")]
    items = [
        element(
            "li",
            [element("strong", f"{each.title}. "), element("span", f"{each.evidence} "), element("span", each.what)],
        )
        for each in found
    ]
    return [element("ol", items, class_="advice")]


def warning_box(each: LoggedWarning) -> Markup:
    """A warning given during training."""
    parts = [paragraph(f"Update {each.update:,}: {each.message}"), paragraph(f"Try: {each.advice}")]
    return element("div", parts, class_="warning")


def configuration(data: ReportData) -> Markup:
    """config.toml, collapsed."""
    code = scrollable([element("pre", [element("code", to_toml(data.config))])], "config.toml")
    return element("details", [element("summary", "config.toml: all settings, including defaults"), code])


def moment(seconds: float) -> str:
    """A date and time for display."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()


def duration(seconds: float) -> str:
    """A duration for display."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
