"""The optimizer equals the one of torch.optim, and training starts without what that imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from seq2see.training.adam import Adam


def updated(make, *, updates=5):
    """Three parameters, one of them without a gradient every second time, after some updates at changing rates."""
    generator = torch.Generator().manual_seed(1)
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 5), (7,), (2, 2))]
    optimizer, set_rate = make(parameters)
    for update in range(updates):
        for number, parameter in enumerate(parameters):
            gradient = torch.randn(parameter.shape, generator=generator)
            parameter.grad = None if number == 1 and update % 2 == 0 else gradient
        set_rate(0.1 / (update + 1))
        optimizer.step()
    return [parameter.detach() for parameter in parameters], [optimizer.state[parameter] for parameter in parameters]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
def test_it_equals_torch_optim_bit_for_bit(decoupled, weight_decay):
    def of_torch(parameters):
        kind = torch.optim.AdamW if decoupled else torch.optim.Adam
        optimizer = kind(parameters, 0.1, weight_decay=weight_decay, fused=True)
        return optimizer, lambda rate: optimizer.param_groups[0].update(lr=rate)

    def own(parameters):
        optimizer = Adam(parameters, 0.1, weight_decay=weight_decay, decoupled=decoupled)
        return optimizer, lambda rate: setattr(optimizer, "rate", rate)

    (wanted, wanted_states), (parameters, states) = updated(of_torch), updated(own)
    torch.testing.assert_close(parameters, wanted, rtol=0, atol=0)
    for state, wanted_state in zip(states, wanted_states, strict=True):
        torch.testing.assert_close(dict(sorted(state.items())), dict(sorted(wanted_state.items())), rtol=0, atol=0)


def test_a_parameter_without_gradients_has_no_state():
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = Adam([parameter], 0.1)
    optimizer.step()
    assert not optimizer.state


TRAINING = """
import sys
from pathlib import Path
from seq2see.data import copies
from seq2see.config import make_config
from seq2see.run.train import train
from seq2see.training.precision import can_train_lstm

tiny = {"training.max_updates": 2, "training.batch_size": 4, "model.width": 8, "model.embedding": 8}
train(make_config({}, tiny), Path(sys.argv[1]), pairs=copies(30, seed=1), dev_pairs=copies(5, seed=2))
print("torch.optim" in sys.modules, "torch._dynamo" in sys.modules)
known = set(sys.modules)
can_train_lstm()
print("sympy" in set(sys.modules) - known)
"""


def test_training_imports_neither_the_compiler_of_torch_nor_its_algebra(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(tmp_path / "run")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False", "False"]
