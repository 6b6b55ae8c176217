"""Tables for papers and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.data import Pair
from seq2see.evaluation import (
    EvaluationOptions,
    EvaluationReport,
    Outputs,
    RunsReport,
    assess,
    csv_text,
    items_of,
    latex_text,
)
from seq2see.evaluation.comparison import SeedGroup, against_first
from seq2see.evaluation.format import EXACT
from seq2see.evaluation.items import LENGTH
from seq2see.evaluation.report import SliceScores
from seq2see.evaluation.sizes import SizeScores, size_dicts
from seq2see.evaluation.tables import escaped, sizes_latex
from seq2see.metrics import SCALES, Interval, SeedDifference, Spread

NUM = 40
ITEMS = items_of([Pair(f"s{number}", "ab", f"t:{number}") for number in range(NUM)])


def report(num_right: int) -> EvaluationReport:
    predictions = tuple("ab" if number < num_right else "b" for number in range(NUM))
    outputs = Outputs(predictions, (("ab",),) * NUM, (-1.0,) * NUM, (3,) * NUM)
    return assess(ITEMS, outputs, metrics=("exact_match", "cer"), samples=100)


@pytest.fixture
def runs() -> RunsReport:
    reports = (report(10), report(12), report(35))
    compared = tuple(against_first(reports, samples=100, seed=0))
    found = RunsReport(("a_1", "a_2", "b&c"), reports, EvaluationOptions(samples=100), "", against_first=compared)
    spreads = {name: Spread(0.275, 0.035) for name in ("exact_match", "cer", "loss")}
    return replace(found, seed_groups=(SeedGroup((0, 1), spreads),))


def test_a_table_in_latex(runs: RunsReport) -> None:
    lines = latex_text(runs).splitlines()
    assert lines[0].startswith("% 95")
    start = lines.index(r"run & exact match, \% & CER, \% & loss \\")
    assert lines[start - 2 : start] == [r"\begin{tabular}{lrrr}  % needs \usepackage{booktabs}", r"\toprule"]
    rows = {line.split(" & ")[0]: line for line in lines[start:] if " & " in line}
    assert rows[r"a\_1"].startswith(r"a\_1 & 25.00 [")
    assert "$^{*}$" not in rows[r"a\_2"]  # p is about 0.5
    assert rows[r"b\&c"].count("$^{*}$") == 2
    assert (
        rows[r"mean of a\_1, a\_2"]
        == r"mean of a\_1, a\_2 & 27.50 $\pm$ 3.50 & 27.50 $\pm$ 3.50 & 0.2750 $\pm$ 0.0350 \\"
    )
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    assert all(line.endswith(r"\\") for line in rows.values())


def test_latex_has_the_slices_that_were_asked_for_and_the_baselines(runs: RunsReport) -> None:
    sliced = tuple(
        replace(each, slices=(part("3", "a_b"), part("3", ""), part(LENGTH, "1-2 characters"))) for each in runs.reports
    )
    baselines = {"copy": {name: each for name, each in report(0).scores.items() if name != "loss"}}
    found = replace(runs, reports=sliced, request=replace(runs.request, by="3"), baselines=baselines)
    lines = latex_text(found).splitlines()
    rows = {line.split(" & ")[0]: line for line in lines if " & " in line}
    assert rows[r"a\_1, 3: a\_b (12 items)"].startswith(r"a\_1, 3: a\_b (12 items) & 30.00 [")
    assert r"b\&c, 3: (empty) (12 items)" in rows
    assert rows["baseline copy"].startswith(r"baseline copy & 0.00 [0.00, 8.81]$^{\dagger}$ & ")
    assert rows["baseline copy"].endswith(r" & -- \\")
    assert lines.count(r"\midrule") == 4
    assert not any("1-2" in line for line in lines)
    assert lines[1:3] == ["% * differs from the first, p <= 0.05", f"% dagger: {EXACT}"]
    [one] = [line for line in latex_text(of_one(found, LENGTH)).splitlines() if line.startswith("length")]
    assert one.startswith("length: 1-2 characters (12 items) & 30.00 [")
    for_seen = latex_text(of_one(found, "seen"))
    assert "3: a" in for_seen and "length" not in for_seen


def part(by: str, name: str) -> SliceScores:
    return SliceScores(
        by, name, 12, assess(ITEMS, report(12).outputs, metrics=("exact_match", "cer"), samples=9).scores
    )


def of_one(runs: RunsReport, by: str) -> RunsReport:
    return replace(
        runs,
        runs=runs.runs[:1],
        reports=runs.reports[:1],
        against_first=({},),
        seed_groups=(),
        request=replace(runs.request, by=by),
    )


def test_an_exact_interval_has_a_dagger_in_latex_and_others_have_none(runs: RunsReport) -> None:
    assert "dagger" not in latex_text(runs)
    all_right = replace(of_one(runs, "3"), reports=(report(NUM),))
    assert r"& 100.00 [91.19, 100.00]$^{\dagger}$ &" in latex_text(all_right)


def test_the_dicts_have_the_baselines(runs: RunsReport) -> None:
    scores = {name: each for name, each in report(0).scores.items() if name != "loss"}
    rows = replace(runs, baselines={"copy": scores}).to_dicts()
    own = [row for row in rows if row["run"] == "baseline copy"]
    first, _ = own
    assert (first["metric"], first["value"], first["interval"]) == ("exact_match", 0.0, "Clopper-Pearson")
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


def test_a_recipe_that_differs_over_seeds_and_items_has_a_star(runs: RunsReport) -> None:
    first = runs.seed_groups[0]
    apart = {
        "cer": SeedDifference(0.1, Interval(0.05, 0.2), 0.01),
        "exact_match": SeedDifference(0.1, Interval(-0.1, 0.2), 0.3),
    }
    both = replace(runs, seed_groups=(first, replace(first, runs=(2, 1), against_first=apart)))
    row = next(line for line in latex_text(both).splitlines() if line.startswith(r"mean of b\&c"))
    assert ["$^{*}$" in cell for cell in row.split(" & ")] == [False, False, True, False]


def test_a_table_as_csv_is_that_of_the_dicts(runs: RunsReport) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(runs.to_dicts()))))
    assert [(row["run"], row["metric"]) for row in rows] == [(row["run"], row["metric"]) for row in runs.to_dicts()]
    assert rows[0]["difference"] == ""
    assert float(rows[-2]["difference"]) == pytest.approx(runs.against_first[2]["cer"].value)


def test_scores_by_size_as_tables() -> None:
    scores = [SizeScores("a_b", 100, {"cer": (0.1, 0.3)}), SizeScores("a_b", 1000, {"cer": (0.1, 0.1)})]
    table = sizes_latex(scores, {"cer": SCALES["cer"]})
    assert r"a\_b & 100 & 20.00 $\pm$ 14.14 \\" in table
    assert r"a\_b & 1,000 & 10.00 $\pm$ 0.00 \\" in table
    [first, _] = csv.DictReader(io.StringIO(csv_text(size_dicts(scores))))
    assert (first["pairs"], first["seeds"], float(first["mean"])) == ("100", "2", pytest.approx(0.2))


def test_every_special_character_is_printed_as_it_is() -> None:
    assert escaped(r"a_b%c&d$e#f{g}h~i^j\k") == (
        r"a\_b\%c\&d\$e\#f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex isn't installed")
def test_latex_takes_the_table(runs: RunsReport, tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    body = f"{head}\n{latex_text(runs)}\n\\end{{document}}\n"
    (tmp_path / "t.tex").write_text(body)
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_the_command_prints_either(
    tiny_run: Path, tiny_pairs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*words: str) -> tuple[object, str, str]:
        command = ["seq2see", "evaluate", str(tiny_run), str(tiny_pairs), "--samples", "100"]
        monkeypatch.setattr(sys, "argv", [*command, *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        found = capsys.readouterr()
        return ended.value.code, found.out, found.err

    code, out, _ = printed("--format", "csv")
    assert code == 0 and out.startswith("run,by,slice,count,metric,value,low,high,interval,unit,")
    code, out, _ = printed("--format", "latex")
    assert code == 0 and out.rstrip().endswith("\\end{tabular}")
    code, _, err = printed("--format", "latex", "--json")
    assert code == 2 and "--json: conflicts with --format latex" in err
    code, out, _ = printed("--json")
    assert code == 0 and json.loads(out)["count"] == 120
