"""The page of `seq2see compare`: several runs on the same items."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from seq2see.console import counted
from seq2see.curves.history import History
from seq2see.evaluation import RunsReport
from seq2see.evaluation.html import run_parts, slice_tables
from seq2see.evaluation.sizes import SizeScores, size_cells
from seq2see.inference.loading import load
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.results import Prediction
from seq2see.markup import Markup, document, element, paragraph, side_by_side, table, text_element
from seq2see.pages.agreement import agreement
from seq2see.pages.charts import charts, ranges
from seq2see.pages.examples import shown_attention, shown_source
from seq2see.pages.report import duration, warning_box, write_page
from seq2see.pages.report_data import attention_examples
from seq2see.pages.size_chart import size_chart
from seq2see.pictures.grid import scale
from seq2see.pictures.labels import END_NOTE
from seq2see.storage.saved_model import load_model


def write_comparison(
    out: Path,
    evaluation: RunsReport,
    histories: Sequence[History],
    folders: Sequence[Path],
    *,
    data: Sequence[Path],
    tested_on: str,
    sizes: Sequence[SizeScores] = (),
) -> None:
    """Write the page of these runs atomically."""
    models = [load_model(folder).blueprint.name for folder in folders]
    firsts = [models.index(name) for name in dict.fromkeys(models)]  # of several seeds, attention of the first only
    sources = [item.source for item in evaluation.reports[0].items]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTextWarning)
        examples = {evaluation.runs[run]: attention_examples(load(folders[run]), sources) for run in firsts}
    parts: list[Markup] = []
    for run in firsts:
        found = slice_tables(evaluation.reports[run])
        parts += [element("h3", evaluation.runs[run]), *found] if found else []
    report = evaluation.reports[0]
    files = ", ".join(path.name for path in data)  # the page may be passed on: no folders of its maker's
    lead = f"{len(evaluation.runs)} runs on {files}, scored on {counted(report.count, 'item')} of {tested_on}."
    warnings_given = [
        part
        for history in histories
        for each in history.warnings
        for part in (element("h3", history.name), warning_box(each))
    ]
    page = document(
        ", ".join(dict.fromkeys(models)),
        [
            ("scores", "Scores", [ranges(evaluation, models), *run_parts(evaluation)]),
            ("sizes", "Scores by number of training pairs", by_size(evaluation, sizes)),
            ("agreement", "Who is right where", right_where(evaluation, firsts)),
            ("runs", "Runs", [runs(histories, folders, models)]),
            ("curves", "Learning curves", charts(histories, models)),
            ("slices", "Slices", parts),
            ("attention", "Attention", attention_of_each(examples)),
            ("warnings", "Warnings", warnings_given),
        ],
        kind="seq2see compare",
        lead=[paragraph(lead)],
    )
    write_page(out, page)


def runs(histories: Sequence[History], folders: Sequence[Path], models: Sequence[str]) -> Markup:
    """Size and duration of each run."""
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
    return table(head, rows, caption="training runs", numbers=range(2, 6))


def by_size(evaluation: RunsReport, sizes: Sequence[SizeScores]) -> list[Markup]:
    """A chart of the first metric, and a table of all."""
    if not sizes:
        return []
    scales = {name: each.scale for name, each in evaluation.reports[0].measured.items()}
    metric, scale = next(iter(scales.items()))
    rows = []
    for each in sizes:
        texts = (f"{each.size:,}", *size_cells(each, scales))
        cells = [element("td", text, class_="number") for text in texts]
        rows.append([element("th", each.recipe, scope="row"), *cells])
    head = ["recipe", "pairs", *(scale.title for scale in scales.values())]
    note = "The band is the mean ± sd over the seeds. Larger sets contain the smaller ones."
    return [
        size_chart(sizes, metric, scale),
        table(head, rows, caption="mean ± sd over the seeds", numbers=range(1, len(head))),
        paragraph(note, class_="note"),
    ]


def right_where(evaluation: RunsReport, firsts: Sequence[int]) -> list[Markup]:
    """Where the first seeds of the models differ; of a single model, its seeds."""
    chosen = firsts if len(firsts) > 1 else range(len(evaluation.runs))
    return agreement([evaluation.runs[run] for run in chosen], [evaluation.reports[run] for run in chosen])


def attention_of_each(examples: dict[str, tuple[Prediction, ...]]) -> list[Markup]:
    """The attention of each model, sentence by sentence."""
    of_source: dict[Markup, list[list[Markup]]] = {}
    for run, predictions in examples.items():
        for prediction in predictions:
            answer = element("h4", [element("span", f"{run}: "), text_element(prediction.text, "bdi")])
            of_source.setdefault(shown_source(prediction), []).append([answer, shown_attention(prediction)])
    parts = [scale([END_NOTE])] if of_source else []
    for source, shown in of_source.items():
        parts += [element("h3", [source]), side_by_side(*shown)]
    without = [run for run, predictions in examples.items() if not predictions]
    return [
        *parts,
        *([paragraph(f"Without attention: {', '.join(without)}.", class_="note")] if parts and without else []),
    ]
