"""Inference with trained models in NumPy: token ids in, log-probabilities out.

    network = build(read_blueprint(config["model"]), tensors)
    state = network.start(source_ids, source_lengths)
    log_probs, state, weights = network.step(ids, state)

Supports every architecture, and is optimized for the latency of a single sentence. Everything that doesn't depend on
the step is precomputed: see `recurrent` and `readers`. Independent of text and files.
"""

from seq2see.runtime.network import Network, State, build

__all__ = ["Network", "State", "build"]
