"""How much each setting matters: PED-ANOVA (Watanabe et al. 2023), as numbers and as a picture."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from seq2see.curves.plot import COLORS
from seq2see.markup import element

if TYPE_CHECKING:
    import optuna

FEWEST_TRIALS = 8
"""Fewer finished ones say nothing."""
WIDTH, ROW, LEFT, RIGHT, TOP = 360, 22, 140, 44, 24


def importance_of(study: optuna.Study) -> dict[str, float]:
    """The share of each setting in what distinguishes the better trials, largest first; empty for few trials."""
    import optuna

    complete = [each for each in study.get_trials(deepcopy=False) if each.state == optuna.trial.TrialState.COMPLETE]
    if len(complete) < FEWEST_TRIALS or len({each.value for each in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {} if any(map(math.isnan, found.values())) else dict(found)


def importance_picture(importance: dict[str, float], metric: str) -> bytes:
    """A bar per setting, as SVG."""
    title = element("text", f"importance for dev {metric}", x="2", y="14")
    parts = [element("style", "text{font:12px sans-serif}"), title]
    most = max(importance.values()) or 1.0
    for row, (key, share) in enumerate(importance.items()):
        y = TOP + ROW * row
        width = (WIDTH - LEFT - RIGHT) * share / most
        parts += [
            element("text", key, x=f"{LEFT - 6}", y=f"{y + 15}", text_anchor="end"),
            element("rect", x=f"{LEFT}", y=f"{y + 3}", width=f"{width:.1f}", height=f"{ROW - 6}", fill=COLORS[0]),
            element("text", f"{100 * share:.0f} %", x=f"{LEFT + width + 5:.1f}", y=f"{y + 15}"),
        ]
    height = TOP + ROW * len(importance) + 6
    size = {"viewBox": f"0 0 {WIDTH} {height}", "width": str(WIDTH), "height": str(height)}
    return str(element("svg", parts, xmlns="http://www.w3.org/2000/svg", **size)).encode() + b"\n"
