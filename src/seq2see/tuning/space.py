"""The settings that are tuned, and their ranges: few, and those that matter for the data at hand (docs/tuning.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from seq2see.model import DEFAULT, ModelOptions, find
from seq2see.run.model_choice import has_options_of
from seq2see.run.plan import RunPlan
from seq2see.run.recipe import RATE, TRANSFORMER_RATE
from seq2see.text.choice import SENTENCE_UNITS

if TYPE_CHECKING:
    import optuna

NAME, RATE_KEY = "model.name", "training.rate"
ENOUGH_FOR_BLOCKS = 5_000
"""Pairs from which on a Transformer is tried on targets that aren't sentences."""
SLOWEST, FASTEST = 0.2, 2.0
"""Factors of the usual rate of an architecture."""


class Setting(NamedTuple):
    """A setting that is tuned."""

    key: str
    values: tuple[Any, ...]
    """Its choices; of the rate the lowest and the highest factor of the architecture's usual one."""
    usual: Any
    """The value without tuning; of the rate 1."""


class Usual(NamedTuple):
    """What a run without tuning has."""

    name: str
    """The architecture."""
    rate: float
    optimizer: str


def space_of(plan: RunPlan, asked: ModelOptions, given: Collection[str]) -> list[Setting]:
    """The settings to be tuned for this run, of which `plan` is the one without tuning; none that is given.

    `asked` are the options of the model as they were before the plan.
    """
    training, usual = plan.config.training, plan.blueprint
    names = architectures_of(plan, asked)
    found = [
        Setting(NAME, names, usual.name),
        Setting(RATE_KEY, (SLOWEST, FASTEST), 1.0),
        Setting("model.width", around(usual.width, usual.width // 8 * 4), usual.width),
        Setting("model.dropout", tuple(sorted({0.1, 0.2, 0.3, 0.4, 0.5, usual.dropout})), usual.dropout),
    ]
    if size := training.batch_size:  # otherwise batches are limited by their tokens alone, as is given
        found.append(Setting("training.batch_size", around(size, size // 2), size))
    return [each for each in found if each.key not in given and len(each.values) > 1]


def around(usual: int, half: int) -> tuple[int, ...]:
    """About half of it, itself, and twice as much; half a width is a multiple of 4, which suits attention heads."""
    return tuple(sorted({half or usual, usual, 2 * usual}))


def architectures_of(plan: RunPlan, asked: ModelOptions) -> tuple[str, ...]:
    """The architecture that would be chosen without tuning, and the one that often is better on such targets."""
    chosen = plan.blueprint.name
    is_sentence = plan.target_codec.tokenizer.name in SENTENCE_UNITS
    tried = [chosen]
    if is_sentence or len(plan.data.train) >= ENOUGH_FOR_BLOCKS:
        tried += ["transformer"]
    if find(chosen).is_transducer or find(chosen).has_blocks:
        tried += [DEFAULT]
    return tuple(name for name in dict.fromkeys(tried) if has_options_of(name, asked))


def suggested(trial: optuna.trial.Trial, space: Collection[Setting]) -> dict[str, Any]:
    """The values of a trial, by key; for a trial that has some already, these."""
    found = {}
    for each in space:
        if each.key == RATE_KEY:
            found[each.key] = trial.suggest_float(each.key, *each.values, log=True)
        else:
            found[each.key] = trial.suggest_categorical(each.key, each.values)
    return found


def usual_values(space: Collection[Setting]) -> dict[str, Any]:
    """The values of a trial without tuning."""
    return {each.key: each.usual for each in space}


def settings_of(values: Mapping[str, Any], usual: Usual) -> dict[str, Any]:
    """The settings of a run for the values of a trial.

    A usual rate and optimizer may be those of one width; here they are those of all widths of the architecture.
    """
    settings = dict(values)
    name = settings.get(NAME, usual.name)
    if RATE_KEY in settings:
        rate = usual.rate if name == usual.name else TRANSFORMER_RATE if find(name).has_blocks else RATE
        settings[RATE_KEY] = float(f"{rate * settings[RATE_KEY]:.3g}")
    if name == usual.name and usual.optimizer != "adam":
        settings["training.optimizer"] = usual.optimizer
    return settings
