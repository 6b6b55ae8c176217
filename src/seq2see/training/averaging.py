"""Which weights are tried on dev and kept: those that are trained, or averages of them, often a little better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from seq2see.model import Seq2Seq
from seq2see.training.divided import divided_as, own_part, whole
from seq2see.training.options import TrainingOptions
from seq2see.training.state import KEPT, TrainingState, is_better


class MovingAverage:
    """An exponential moving average of parameters: average ← d · average + (1 − d) · weights after each update.

    d = min(decay, (1 + n) / (10 + n)) at update n, so that the initial values are soon forgotten.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], decay: float) -> None:
        self.decay = decay
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters}

    @torch.no_grad()
    def update(self, parameters: Iterable[tuple[str, Tensor]], number: int) -> None:
        """Take in the parameters after update `number`."""
        share = 1 - min(self.decay, (1 + number) / (10 + number))
        named = list(parameters)
        averages = [own_part(self.tensors[name]) for name, _ in named]
        torch._foreach_lerp_(averages, [own_part(parameter.detach()) for _, parameter in named], share)


class Shown:
    """The model that is tried on dev and kept, with whole weights, averaged where that is asked for.

    `trained` is what it shows; `model` is the same one, or a copy for what `trained` doesn't have as it is. `kept` are
    weights of earlier evaluations, by update, and `tried` the dev metrics of these.
    """

    def __init__(self, trained: Seq2Seq, model: Seq2Seq, options: TrainingOptions) -> None:
        self.trained = trained
        self.model = model
        self.options = options
        self.moving = None if options.ema is None else MovingAverage(trained.named_parameters(), options.ema)
        self.kept: dict[str, dict[str, Tensor]] = {}
        self.tried: dict[str, dict[str, float]] = {}

    def follow(self, update: int) -> None:
        """Take in the weights after an update."""
        if self.moving is not None:
            self.moving.update(self.trained.named_parameters(), update)

    def now(self) -> Seq2Seq:
        """The model as it is to be tried now."""
        if self.model is not self.trained:
            tensors = self.trained.tensors() if self.moving is None else self.moving.tensors
            self.model.load_tensors({name: whole(tensor) for name, tensor in tensors.items()})
        return self.model

    def mean(self) -> Seq2Seq:
        """The model with the mean of the weights that are kept."""
        self.model.load_tensors(mean_of([self.kept[update] for update in sorted(self.kept, key=int)]))
        return self.model

    def keep(self, update: int, metrics: dict[str, float], metric: str) -> None:
        """Keep what was just tried, if it is among the last or the best so many that are to be averaged."""
        if self.options.average is None:
            return
        self.kept[str(update)] = {name: tensor.clone() for name, tensor in self.model.tensors().items()}
        self.tried[str(update)] = metrics
        while len(self.kept) > self.options.average:
            least = min(self.kept, key=int)
            if self.options.average_of == "best":
                for each in self.kept:
                    if is_better(self.tried[least], self.tried[each], metric):
                        least = each
            del self.kept[least], self.tried[least]

    def state(self) -> dict[str, Tensor]:
        """All that can't be worked out from the trained weights: `ema.NAME` and `kept.UPDATE.NAME`."""
        moving = {} if self.moving is None else self.moving.tensors
        averages = {f"ema.{name}": whole(tensor) for name, tensor in moving.items()}
        kept = {f"kept.{update}.{name}": tensor for update, own in self.kept.items() for name, tensor in own.items()}
        return averages | kept

    def restore(self, state: TrainingState) -> None:
        """Go on from the state of a run; one without a moving average begins it with its weights."""
        if self.moving is not None:
            self.moving.tensors = {
                name: divided_as(state.averages.get(f"ema.{name}", state.model[name]), tensor).clone()
                for name, tensor in self.moving.tensors.items()
            }
        self.tried = dict(state.progress.get(KEPT, {})) if self.options.average else {}
        device = self.model.decoder.output.weight.device
        self.kept = {
            update: {name: state.averages[f"kept.{update}.{name}"].to(device) for name in state.model}
            for update in self.tried
        }


def mean_of(models: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the weights of several models of a kind, summed in float64."""
    return {
        name: torch.stack([model[name].double() for model in models]).mean(0).to(tensor.dtype)
        for name, tensor in models[0].items()
    }
