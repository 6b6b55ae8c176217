"""Minimum Bayes risk: of several answers to a text, the one that is expected to score best.

The other answers stand for what the right one may be, each with its probability (Kumar and Byrne 2004), or, of samples,
as often as it was drawn (Eikema and Aziz 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seq2see.inference.results import Prediction


def least_risk(answers: Sequence[Prediction], metric: str, *, are_samples: bool) -> list[Prediction]:
    """The different texts among these answers, best first, each with its expected metric as `score`.

    An error rate is negative there. Of the same text, which may be segmented or aligned in several ways, the most
    probable answer is returned, and their probabilities add up.
    """
    possible = [answer for answer in answers if math.isfinite(answer.log_prob)]
    if not possible:
        return list(answers[:1])
    ranked = sorted(possible, key=lambda answer: -answer.log_prob)
    places = {text: place for place, text in enumerate(dict.fromkeys(answer.text for answer in ranked))}
    log_probs = np.array([0.0 if are_samples else answer.log_prob for answer in ranked])
    weights = np.zeros(len(places))
    np.add.at(weights, [places[answer.text] for answer in ranked], np.exp(log_probs - log_probs.max()))
    expected = utilities(list(places), metric) @ (weights / weights.sum())
    best: dict[str, Prediction] = {}
    for answer in ranked:
        best.setdefault(answer.text, replace(answer, score=float(expected[places[answer.text]])))
    return sorted(best.values(), key=lambda answer: (-answer.score, -answer.log_prob))


def utilities(texts: Sequence[str], metric: str) -> np.ndarray:
    """The metric [N N] of each text with each as its reference; an error rate is negative."""
    from seq2see.metrics import METRICS

    predictions = [text for text in texts for _ in texts]
    measured = METRICS[metric](predictions, [(text,) for text in texts] * len(texts))
    values = measured.per_item.reshape(len(texts), len(texts))
    return values if measured.scale.higher_is_better else -values
