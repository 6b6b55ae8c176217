"""The weights that are evaluated and saved: those being trained, or averages of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from seq2see.model import Seq2Seq
from seq2see.training.options import TrainingOptions
from seq2see.training.sharding import full_tensor, local_shard, sharded_like
from seq2see.training.state import KEPT, TrainingState, is_better


class MovingAverage:
    """An exponential moving average of parameters: average ← d · average + (1 − d) · weights after each update.

    d = min(decay, (1 + n) / (10 + n)) at update n, so that the initial values have little weight.
    """

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], decay: float) -> None:
        self.decay = decay
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters}

    @torch.no_grad()
    def update(self, parameters: Iterable[tuple[str, Tensor]], number: int) -> None:
        """Add the parameters after update `number`."""
        weight = 1 - min(self.decay, (1 + number) / (10 + number))
        named = list(parameters)
        averages = [local_shard(self.tensors[name]) for name, _ in named]
        torch._foreach_lerp_(averages, [local_shard(parameter.detach()) for _, parameter in named], weight)


class EvaluatedModel:
    """The model that is evaluated on dev and saved: whole weights, averaged if the options say so.

    `model` is `trained` itself, or a copy if its weights are sharded or averaged. `kept` are the weights of earlier
    evaluations by update, `dev_metrics` their metrics.
    """

    def __init__(self, trained: Seq2Seq, model: Seq2Seq, options: TrainingOptions) -> None:
        self.trained = trained
        self.model = model
        self.options = options
        self.moving = None if options.ema is None else MovingAverage(trained.named_parameters(), options.ema)
        self.kept: dict[str, dict[str, Tensor]] = {}
        self.dev_metrics: dict[str, dict[str, float]] = {}

    def follow(self, update: int) -> None:
        """Update the moving average."""
        if self.moving is not None:
            self.moving.update(self.trained.named_parameters(), update)

    def current(self) -> Seq2Seq:
        """The model with the current weights."""
        if self.model is not self.trained:
            tensors = self.trained.tensors() if self.moving is None else self.moving.tensors
            self.model.load_tensors({name: full_tensor(tensor) for name, tensor in tensors.items()})
        return self.model

    def mean(self) -> Seq2Seq:
        """The model with the mean of the kept weights."""
        self.model.load_tensors(mean_of([self.kept[update] for update in sorted(self.kept, key=int)]))
        return self.model

    def keep(self, update: int, metrics: dict[str, float], metric: str) -> None:
        """Keep the weights just evaluated if they are among the last or best `average` evaluations."""
        if self.options.average is None:
            return
        self.kept[str(update)] = {name: tensor.clone() for name, tensor in self.model.tensors().items()}
        self.dev_metrics[str(update)] = metrics
        while len(self.kept) > self.options.average:
            dropped = min(self.kept, key=int)
            if self.options.average_of == "best":
                for each in self.kept:
                    if is_better(self.dev_metrics[dropped], self.dev_metrics[each], metric):
                        dropped = each
            del self.kept[dropped], self.dev_metrics[dropped]

    def state(self) -> dict[str, Tensor]:
        """The averages and kept weights: `ema.NAME` and `kept.UPDATE.NAME`."""
        moving = {} if self.moving is None else self.moving.tensors
        averages = {f"ema.{name}": full_tensor(tensor) for name, tensor in moving.items()}
        kept = {f"kept.{update}.{name}": tensor for update, own in self.kept.items() for name, tensor in own.items()}
        return averages | kept

    def restore(self, state: TrainingState) -> None:
        """Restore a state; a moving average that it lacks starts with its weights."""
        if self.moving is not None:
            self.moving.tensors = {
                name: sharded_like(state.averages.get(f"ema.{name}", state.model[name]), tensor).clone()
                for name, tensor in self.moving.tensors.items()
            }
        self.dev_metrics = dict(state.progress.get(KEPT, {})) if self.options.average else {}
        device = self.model.decoder.output.weight.device
        self.kept = {
            update: {name: state.averages[f"kept.{update}.{name}"].to(device) for name in state.model}
            for update in self.dev_metrics
        }


def mean_of(models: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the weights of several models with the same tensors, in float64 on the CPU: MPS has no float64."""
    return {
        name: torch.stack([model[name].cpu().double() for model in models]).mean(0).to(tensor.dtype).to(tensor.device)
        for name, tensor in models[0].items()
    }
