"""What a model in C answers."""

from __future__ import annotations

from typing import NamedTuple


class NativePrediction(NamedTuple):
    """The answer to one text, with the names of `seq2see.Prediction`."""

    text: str
    """For a language model: the given text, continued."""
    source_tokens: tuple[str, ...]
    """The columns of `weights`, EOS included."""
    target_tokens: tuple[str, ...]
    """The generated tokens, the rows of `weights`; ends with EOS unless the answer was cut off."""
    log_prob: float
    """Sum over the generated tokens, in nats; -inf if nothing was found that satisfies the options."""
    score: float
    """`log_prob` per generated token; with a length penalty, the score by which the beam ranked."""
    weights: tuple[tuple[float, ...], ...] | None
    """Attention weights [T S], each row summing to 1; None for models without attention."""
    finished: bool
    """False if the answer was cut off at the maximum length."""
    token_log_probs: tuple[float, ...]
    """Log-probability of each generated token, in nats."""
    alternatives: tuple[NativePrediction, ...] = ()
    """With `n_best` above 1 the other answers, the best first."""
