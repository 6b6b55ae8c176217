"""Search: from log-probabilities to token ids, independent of the model.

A `Step`, of one model or of an `ensemble`, gives log-probabilities; the result is hypotheses. `generate` follows one
hypothesis per row, choosing the best token (`greedy`) or sampling one (`Sampler`); `beam_search` follows several per
sentence, `diverse_beam_search` unlike ones. Filters rule tokens out, and beam search can require phrases.
"""

from seq2see.search.beam import beam_search, diverse_beam_search
from seq2see.search.contract import Hypothesis, State, Step
from seq2see.search.diversity import merged
from seq2see.search.ensemble import States, ensemble, log_mean
from seq2see.search.filters import (
    AfterPrompt,
    Filter,
    Forbid,
    ForbidPhrases,
    ForbidSpelled,
    ForcePrefix,
    MaxLength,
    MinLength,
    NoRepeat,
    Steps,
    WithoutSteps,
)
from seq2see.search.finished import length_divisor, log_coverage
from seq2see.search.generate import Choose, generate, greedy
from seq2see.search.recording import Considered, Fate, Recorder
from seq2see.search.sampling import Sampler

__all__ = [
    "AfterPrompt",
    "Choose",
    "Considered",
    "Fate",
    "Filter",
    "Forbid",
    "ForbidPhrases",
    "ForbidSpelled",
    "ForcePrefix",
    "Hypothesis",
    "MaxLength",
    "MinLength",
    "NoRepeat",
    "Recorder",
    "Sampler",
    "State",
    "States",
    "Step",
    "Steps",
    "WithoutSteps",
    "beam_search",
    "diverse_beam_search",
    "ensemble",
    "generate",
    "greedy",
    "length_divisor",
    "log_coverage",
    "log_mean",
    "merged",
]
