"""From scores to ids: generation that knows a step, not a model.

Log-probabilities come in through a `Step` (of one model, or of an `ensemble`), hypotheses go out: `generate` follows
one hypothesis a row, taking the best token (`greedy`) or drawing one (`Sampler`); `beam_search` follows several a
sentence. Filters say what may not come, a beam's phrases what has to.
"""

from seq2see.search.beam import beam_search
from seq2see.search.contract import Hypothesis, State, Step
from seq2see.search.ensemble import States, ensemble, log_mean
from seq2see.search.filters import (
    AfterPrompt,
    Filter,
    Forbid,
    ForbidPhrases,
    ForbidSpelt,
    ForcePrefix,
    MinLength,
    NoRepeat,
)
from seq2see.search.finished import length_divisor, log_coverage
from seq2see.search.generate import Choose, generate, greedy
from seq2see.search.sampling import Sampler

__all__ = [
    "AfterPrompt",
    "Choose",
    "Filter",
    "Forbid",
    "ForbidPhrases",
    "ForbidSpelt",
    "ForcePrefix",
    "Hypothesis",
    "MinLength",
    "NoRepeat",
    "Sampler",
    "State",
    "States",
    "Step",
    "beam_search",
    "ensemble",
    "generate",
    "greedy",
    "length_divisor",
    "log_coverage",
    "log_mean",
]
