"""Trained models on NumPy alone: token ids in, log-probabilities out, nothing learnt.

    network = build(config["model"], tensors)
    state = network.start(source_ids, source_lengths)
    log_probs, state, weights = network.step(ids, state)

A network of each rung of the ladder, made for the time that one sentence takes. What can be worked out before the first
token is: see `recurrent` and `readers`. Knows no text and no files.
"""

from seq2see.runtime.network import Network, State, build

__all__ = ["Network", "State", "build"]
