"""Adam and AdamW by PyTorch's fused kernel, without `torch.optim`, which imports its compiler: over a second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
MOMENTS, STEP = ("exp_avg", "exp_avg_sq"), "step"
"""What the state of a parameter has, by the names of torch.optim."""


class Adam:
    """The updates of `torch.optim.Adam(…, fused=True)`, or of AdamW if `decoupled`, bit for bit (Kingma & Ba 2015).

    `state` has the moments of each parameter that has been updated, under the names that torch.optim uses. `rate` may
    change between updates.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], rate: float, *, weight_decay: float = 0.0, decoupled: bool = False
    ) -> None:
        self.parameters = list(parameters)
        self.rate = rate
        self.weight_decay = weight_decay
        self.apply = torch._fused_adamw_ if decoupled else torch._fused_adam_
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient."""
        updated: list[Tensor] = [each for each in self.parameters if each.grad is not None]
        if not updated:
            return
        states = [self.state_of(parameter, MOMENTS) for parameter in updated]
        steps = [state[STEP] for state in states]
        torch._foreach_add_(steps, 1)
        self.apply(
            updated,
            [parameter.grad for parameter in updated if parameter.grad is not None],
            [state[MOMENTS[0]] for state in states],
            [state[MOMENTS[1]] for state in states],
            [],
            steps,
            lr=self.rate,
            beta1=BETA_1,
            beta2=BETA_2,
            weight_decay=self.weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def state_of(self, parameter: Tensor, moments: Sequence[str]) -> dict[str, Tensor]:
        """The number of its updates and these moments of a parameter: zeros, if some aren't known.

        That is so before its first update, and when a run is resumed with another optimizer.
        """
        state = self.state.get(parameter, {})
        if not state.keys() >= set(moments):
            state = {name: torch.zeros_like(parameter, memory_format=torch.preserve_format) for name in moments}
            state[STEP] = torch.zeros((), dtype=torch.float32, device=parameter.device)
        self.state[parameter] = {name: state[name] for name in (STEP, *moments)}
        return self.state[parameter]
