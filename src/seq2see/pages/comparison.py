"""The page of `seq2see compare`: several runs on the same items, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from seq2see.curves.history import History
from seq2see.evaluation import Evaluation
from seq2see.evaluation.shown import around, known_lines, number
from seq2see.inference.loading import load
from seq2see.inference.predictor import UnknownTextWarning
from seq2see.inference.results import Prediction
from seq2see.pages.charts import charts
from seq2see.pages.gathered import look
from seq2see.pages.heat import heat_table
from seq2see.pages.markup import Markup, document, element, paragraph, spoken, table
from seq2see.pages.report import alarm, duration, source_of, write_page
from seq2see.pages.scores import slices
from seq2see.storage.saved_model import load_model


def write_comparison(
    out: Path,
    evaluation: Evaluation,
    histories: Sequence[History],
    folders: Sequence[Path],
    *,
    data: Sequence[Path],
    tested_on: str,
) -> None:
    """Write the page of these runs, whole or not at all."""
    models = [load_model(folder).config["model"]["name"] for folder in folders]
    firsts = [models.index(name) for name in dict.fromkeys(models)]  # of several seeds one is enough to look at
    sources = [item.source for item in evaluation.reports[0].items]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        looks = {evaluation.runs[place]: look(load(folders[place]), sources) for place in firsts}
    parts: list[Markup] = []
    for place in firsts:
        found = slices(evaluation.reports[place])
        parts += [element("h3", evaluation.runs[place]), *found] if found else []
    report = evaluation.reports[0]
    lead = (
        f"{len(evaluation.runs)} runs on {', '.join(map(str, data))}, scored on {report.count:,} items of {tested_on}."
    )
    alarms = [
        part for history in histories for each in history.alarms for part in (element("h3", history.name), alarm(each))
    ]
    page = document(
        f"seq2see compare: {', '.join(dict.fromkeys(models))}",
        [
            ("scores", "Scores", scores(evaluation)),
            ("runs", "Runs", [runs(histories, folders, models)]),
            ("curves", "Learning curves", charts(histories, models)),
            ("warnings", "Warnings", alarms),
            ("parts", "Parts", parts),
            ("attention", "Where they look", side_by_side(looks)),
        ],
        lead=[paragraph(lead)],
    )
    write_page(out, page)


def scores(evaluation: Evaluation) -> list[Markup]:
    """A row a run with intervals and p-values, and a row for those that differ in their seed alone."""
    first = evaluation.reports[0]
    rows = []
    for run, report, compared in zip(evaluation.runs, evaluation.reports, evaluation.against_first, strict=True):
        cells = [element("th", run, scope="row")]
        for name, measured in first.measured.items():
            figure, difference = report.figures[name], compared.get(name)
            text = f"{number(figure.value, measured.scale.unit)} {around(report, name)}"
            p = f"{difference.randomisation_p:.3f} / {difference.bootstrap_p:.3f}" if difference else "—"
            cells += [element("td", text, class_="number"), element("td", p, class_="number")]
        rows.append(cells)
    for group in evaluation.groups:
        name = evaluation.runs[group.places[0]].rpartition("-")[0]
        cells = [element("th", f"{name}: mean ± sd of {len(group.places)} seeds", scope="row")]
        for name, measured in first.measured.items():
            mean, deviation = (number(each, measured.scale.unit) for each in group.spreads[name])
            cells += [element("td", f"{mean.removesuffix(' %')} ± {deviation}", class_="number"), element("td")]
        rows.append(cells)
    head = ["run"]
    for measured in first.measured.values():
        head += [measured.scale.title, "p"]
    notes = [
        f"In brackets: 95 % intervals by bootstrap over the items. p: against {evaluation.runs[0]}, two-sided, by "
        "approximate randomisation / by paired bootstrap; it says nothing of what other seeds would give.",
        *(
            f"{measured.scale.title}: {measured.signature}"
            for measured in first.measured.values()
            if measured.signature
        ),
        *known_lines(first),
        *evaluation.notes,
    ]
    whole = table(head, rows, caption=f"{first.count:,} items", numbers=range(1, len(head)))
    return [whole, *(paragraph(note, class_="note") for note in notes)]


def runs(histories: Sequence[History], folders: Sequence[Path], models: Sequence[str]) -> Markup:
    """What each of them is and took."""
    rows = []
    for history, folder, model in zip(histories, folders, models, strict=True):
        size = sum(tensor.size for tensor in load_model(folder).tensors.values())
        seconds = duration(history.end.seconds) if history.end else "—"
        values = (f"{size:,}", f"{history.last_update:,}", f"{history.best_update:,}", seconds)
        rows.append(
            [
                element("th", history.name, scope="row"),
                element("td", model),
                *(element("td", value, class_="number") for value in values),
            ]
        )
    head = ["run", "model", "parameters", "updates", "best at", "time"]
    return table(head, rows, caption="what was trained", numbers=range(2, 6))


def side_by_side(looks: dict[str, tuple[Prediction, ...]]) -> list[Markup]:
    """The attention of each model, sentence by sentence; models without attention have none."""
    parts: list[Markup] = []
    of_source: dict[str, list[Markup]] = {}
    for run, predictions in looks.items():
        for prediction in predictions:
            of_source.setdefault(source_of(prediction.source_tokens), []).extend(
                [element("h4", run), heat_table(prediction)]
            )
    for source, tables in of_source.items():
        parts += [spoken(source, "h3"), *tables]
    blind = [run for run, predictions in looks.items() if not predictions]
    return [*parts, *([paragraph(f"Without attention: {', '.join(blind)}.", class_="note")] if parts and blind else [])]
