"""From scores to ids: generation that knows a step, not a model.

Logits come in through a `Step`, hypotheses go out: `generate` follows one hypothesis a row, taking the best token
(`greedy`) or drawing one (`Sampler`); `beam_search` follows several a sentence.
"""

from peeky.search.beam import beam_search, length_divisor
from peeky.search.contract import Hypothesis, State, Step
from peeky.search.generate import Choose, Sampler, generate, greedy

__all__ = [
    "Choose",
    "Hypothesis",
    "Sampler",
    "State",
    "Step",
    "beam_search",
    "generate",
    "greedy",
    "length_divisor",
]
