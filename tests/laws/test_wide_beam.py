"""Law: a beam wide enough for all hypotheses equals exhaustive search, and a narrow one has correct scores.

On a vocabulary of four letters and EOS, all sequences of up to five ids can be scored with teacher forcing at once.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2see.data import Padded
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import DecoderState, Seq2Seq
from seq2see.model import Padded as TensorPadded
from seq2see.search import ForbidPhrases, ForcePrefix, MinLength, NoRepeat, beam_search, generate
from seq2see.text import BOS, EOS, SPECIALS

LETTERS = range(len(SPECIALS), len(SPECIALS) + 4)
LONGEST = 5
TOKENS = torch.tensor([EOS, *LETTERS, BOS])
"""The ids that the searches here call 0, 1, 2, …; PAD and UNK would only make wide beams slower."""
END, START = 0, len(TOKENS) - 1
ALL = [(*start, END) for length in range(LONGEST) for start in itertools.product(range(1, START), repeat=length)]
"""All sequences that end within the maximum length."""
NUMBER = {ids: number for number, ids in enumerate(ALL)}
LENGTHS = torch.tensor([len(ids) for ids in ALL])
FORCED = torch.tensor([[*ids, *[END] * (LONGEST - len(ids))] for ids in ALL])
WIDE = len(LETTERS) ** (LONGEST - 1) * (len(LETTERS) + 1)
"""All candidates of the last step."""
PENALTIES = {"length_penalty": 0.8, "coverage_penalty": 0.4}


class Problem(NamedTuple):
    """A model and some sentences."""

    model: Seq2Seq
    source: TensorPadded
    first: Tensor
    """The first input of each sentence, so that sentences of a language model differ too."""
    penalties: dict[str, float]


class AllSequences(NamedTuple):
    """All sequences that end within the maximum length, per sentence, scored with teacher forcing."""

    log_probs: Tensor  # [B A]
    scores: Tensor  # [B A]


@pytest.fixture
def problems(new_model, new_batch):
    """Makes problems of five sentences, each with its own random model; every second one has penalties."""

    def new(blueprint, number):
        model = new_model(blueprint, sharpen=4.0, vocabulary=len(SPECIALS) + len(LETTERS))
        for seed in range(number):
            shuffle(model, seed)
            source = new_batch(model, source_lengths=range(1, 6), target_lengths=[1] * 5, seed=seed).source
            first = torch.tensor([START, 1, 2, 3, 4])
            penalties = PENALTIES if seed % 2 else {}
            _, _, weights = model.decoder(TOKENS[first][:, None], model.decoder.start(model.encode(source)))
            yield Problem(model, source, first, penalties if weights is not None else penalties | NO_COVERAGE)

    return new


NO_COVERAGE = {"coverage_penalty": 0.0}


def shuffle(model, seed):
    """Another random model in place, by permuting the values of each tensor."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        order = torch.randperm(parameter.numel(), generator=generator)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))


def exhaustive(problem):
    """All sequences with teacher forcing, scored as in Wu et al. 2016, eq. 14."""
    model, source, first, penalties = problem
    size = len(first)
    read = torch.cat([first[:, None, None].expand(-1, len(ALL), -1), FORCED[:, :-1].expand(size, -1, -1)], 2)
    rows = torch.arange(size).repeat_interleave(len(ALL))
    state = model.decoder.start(model.encode(source)).select(rows, torch.arange(size))
    logits, _, weights = model.decoder(TOKENS[read].flatten(0, 1), state)
    each = logits.log_softmax(-1).gather(-1, TOKENS[FORCED].repeat(size, 1)[..., None]).view(size, len(ALL), -1)
    emitted = torch.arange(LONGEST) < LENGTHS[:, None]
    log_probs = (each * emitted).sum(2)
    scores = log_probs / ((5 + LENGTHS.double()) / 6) ** penalties.get("length_penalty", 0.0)
    if penalties.get("coverage_penalty"):
        looked = (weights.view(*each.shape, -1) * emitted[..., None]).sum(2).clamp(np.finfo(np.float32).tiny, 1)
        paid = torch.where(source.mask[:, None], looked, 1.0).log().sum(2)
        scores = scores + penalties["coverage_penalty"] * paid
    return AllSequences(log_probs, scores)


def search(problem, how=beam_search, **options):
    engine, tokens = TorchEngine(problem.model), TOKENS.numpy()

    def step(ids, state):
        log_probs, state, weights = engine.step(tokens[ids], state)
        return log_probs[:, tokens[:START]], state, weights

    return how(
        step,
        engine.start(
            Padded(problem.source.ids.numpy(), problem.source.lengths.numpy()),
            np.zeros((len(problem.first), 0), np.int64),
        ),
        first=problem.first.numpy(),
        eos=END,
        max_lengths=np.full(len(problem.first), LONGEST),
        **options,
    )


def check_scores(sequences, sentence, hypotheses):
    """Finished hypotheses have the scores of teacher forcing."""
    for hypothesis in hypotheses:
        if hypothesis.finished:
            number = NUMBER[tuple(hypothesis.ids)]
            assert abs(hypothesis.log_prob - float(sequences.log_probs[sentence, number])) <= 1e-9
            assert abs(hypothesis.score - float(sequences.scores[sentence, number])) <= 1e-9


def check_wide_beam(problem, *, width=WIDE, n_best=10, wanted=None, **options):
    """The best of the wanted sequences, in order."""
    sequences = exhaustive(problem)
    given = {"source_lengths": problem.source.lengths.numpy(), **problem.penalties, **options}
    found = search(problem, num_hypotheses=width, n_best=n_best, **given)
    wanted = torch.ones(len(ALL)).bool() if wanted is None else torch.tensor([wanted(ids) for ids in ALL])
    expected = sequences.scores.masked_fill(~wanted, -1e9).argsort(1, descending=True)[:, : min(n_best, wanted.sum())]
    for sentence, hypotheses in enumerate(found):
        check_scores(sequences, sentence, hypotheses)
        finished = [NUMBER[tuple(hypothesis.ids)] for hypothesis in hypotheses if hypothesis.finished]
        assert finished == expected[sentence].tolist()


def check_log_prob(problem, sentence, hypothesis):
    """A hypothesis that was cut off has the log_prob of teacher forcing for its sentence alone."""
    length = problem.source.lengths[sentence : sentence + 1]
    source = TensorPadded(problem.source.ids[sentence : sentence + 1, : int(length)], length)
    ids = torch.tensor(hypothesis.ids)
    read = torch.cat([problem.first[sentence : sentence + 1], ids[:-1]])
    decoder = problem.model.decoder
    logits, _, _ = decoder(TOKENS[read][None], decoder.start(problem.model.encode(source)))
    log_probs = logits[0].log_softmax(-1).gather(1, TOKENS[ids][:, None])
    assert abs(hypothesis.log_prob - float(log_probs.sum())) <= 1e-9


def check_narrow_beam(problem):
    """Hypotheses are sorted, distinct and have the scores of teacher forcing; with one hypothesis, greedy."""
    sequences = exhaustive(problem)
    given = {"source_lengths": problem.source.lengths.numpy(), **problem.penalties}
    for sentence, hypotheses in enumerate(search(problem, num_hypotheses=3, n_best=3, **given)):
        check_scores(sequences, sentence, hypotheses)
        for hypothesis in hypotheses:
            check_log_prob(problem, sentence, hypothesis)
        assert len({tuple(hypothesis.ids) for hypothesis in hypotheses}) == len(hypotheses) == 3
        ranks = [(not hypothesis.finished, -hypothesis.score) for hypothesis in hypotheses]
        assert ranks == sorted(ranks)
    for (first,), greedy in zip(search(problem, num_hypotheses=1), search(problem, generate), strict=True):
        assert (first.ids, first.finished) == (greedy.ids, greedy.finished)
        assert abs(first.log_prob - greedy.log_prob) <= 1e-9


@torch.no_grad()
@pytest.mark.parametrize(("number", "narrow"), [(20, 4), pytest.param(100, 100, marks=pytest.mark.slow)])
def test_wide_and_narrow_beams(architecture, number, narrow, problems):
    for count, problem in enumerate(problems(architecture, number)):
        check_wide_beam(problem)
        if count < narrow:
            check_narrow_beam(problem)


TRANSFORMERS = {
    "post": ("transformer-post", {}),
    "rotary": ("transformer-rotary", {}),
    "learned": ("transformer-learned", {}),
    "swiglu, untied": ("transformer-swiglu", {"tie": "none"}),
    "language model, post": ("transformer_language_model-post", {}),
    "language model, rotary": ("transformer_language_model-rotary", {}),
    "language model, learned": ("transformer_language_model-learned", {}),
}
"""Variants of a Transformer that might fail step by step or in select."""


@torch.no_grad()
@pytest.mark.parametrize("number", [2, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "options"), TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_wide_and_narrow_beams_of_transformers(name, options, number, blueprint, problems):
    for problem in problems(blueprint(name, **options), number):
        check_wide_beam(problem)
        check_narrow_beam(problem)


def contains(ids, phrase):
    return any(tuple(ids[start : start + len(phrase)]) == phrase for start in range(len(ids)))


def no_repeat(ids):
    return len(set(itertools.pairwise(ids))) == len(ids) - 1


A, B, C = 1, 2, 3
RULES = {
    "filters": (
        {"filters": [NoRepeat(2), MinLength(np.array([4] * 5), END)]},
        lambda ids: no_repeat(ids) and len(ids) >= 4,
    ),
    "prefix": (
        {
            "filters": [
                ForcePrefix(np.array([[A, B]] * 5), np.array([2] * 5)),
                ForbidPhrases([[B, C], [C, END]]),
            ]
        },
        lambda ids: ids[:2] == (A, B) and not contains(ids, (B, C)) and not contains(ids, (C, END)),
    ),
    "phrases": ({"phrases": [[[A, B], [C]]] * 5}, lambda ids: contains(ids, (A, B)) and C in ids),
    "overlapping phrases": (
        {"phrases": [[[A, B], [B, A], [B, A]]] * 5},
        lambda ids: contains(ids, (A, B)) and contains(ids, (B, A)),
    ),
    "filters and phrases": (
        {"phrases": [[[A], [A, B]]] * 5, "filters": [NoRepeat(1)]},
        lambda ids: contains(ids, (A, B)) and len(set(ids)) == len(ids),
    ),
}


@torch.no_grad()
@pytest.mark.parametrize("name", ["attention", "input_feeding", "plain", "transformer"])
@pytest.mark.parametrize(("options", "wanted"), RULES.values(), ids=RULES)
def test_wide_beams_with_rules(name, options, wanted, blueprint, problems):
    for problem in problems(blueprint(name), 2):
        check_wide_beam(problem, wanted=wanted, **options)


@torch.no_grad()
def test_narrow_beams_with_phrases(architecture, problems):
    """Results contain their phrases, have the model's scores, and don't affect sentences without phrases."""
    phrases = [[(A, B), (C,)], [], [(C, C)], [], []]
    for problem in problems(architecture, 2):
        free = search(
            problem, num_hypotheses=3, n_best=3, **problem.penalties, source_lengths=problem.source.lengths.numpy()
        )
        bound = search(
            problem,
            num_hypotheses=3,
            n_best=3,
            phrases=phrases,
            **problem.penalties,
            source_lengths=problem.source.lengths.numpy(),
        )
        sequences = exhaustive(problem)
        for sentence, hypotheses in enumerate(bound):
            assert hypotheses
            check_scores(sequences, sentence, hypotheses)
            assert all(contains(found.ids, phrase) for found in hypotheses for phrase in phrases[sentence])
            if not phrases[sentence]:
                assert [found.ids for found in hypotheses] == [found.ids for found in free[sentence]]


@torch.no_grad()
def test_wide_beam_through_predict(architecture, new_model, new_predictor):
    """The same through `predict`: the best answer."""
    network = new_model(architecture, sharpen=4.0, dtype=torch.float32)
    network.decoder.output.bias[LETTERS.stop :] = -1e4  # the codec's other letters never occur
    model = new_predictor(architecture, network=network)
    texts = ["abc", "gfedc", "b"] if model.source_codec else [""]  # for a language model a text is a prompt
    widest = 1_000  # that predict allows: more than can go on, 320, and the rest ends with the last step
    answers = model.predict(texts, beam=widest, min_length=1, max_length=LONGEST)
    for text, prediction in zip(texts, answers, strict=True):
        source = [] if model.source_codec is None else model.source_codec.encode(text)
        padded = TensorPadded(torch.tensor([source], dtype=torch.long), torch.tensor([len(source)]))
        log_probs = exhaustive(Problem(network, padded, torch.tensor([START]), {})).log_probs[0]
        best = log_probs.argmax()
        assert prediction.target_tokens == model.target_codec.tokens(TOKENS[list(ALL[best])].tolist())
        assert abs(prediction.log_prob - float(log_probs[best])) <= 1e-4


# --- negative controls -----------------------------------------------------------------------------------------------


def check_some(problems, blueprint, **options):
    for problem in problems(blueprint("attention"), 4):
        check_wide_beam(problem, **options)


@torch.no_grad()
@pytest.mark.parametrize(("width", "n_best"), [(1, 1), (2, 2), (10, 10)])
def test_they_notice_a_narrow_beam(width, n_best, blueprint, problems):
    check_some(problems, blueprint)
    with pytest.raises(AssertionError):
        check_some(problems, blueprint, width=width, n_best=n_best)


def decided(best, others):
    """Broken: the first finished hypothesis can't be beaten."""
    both = best._beside(others).best(best.scores.shape[1])
    return best if (best.scores > -1e9).any() else both._replace(scores=np.maximum(both.scores, -1e-9))


BREAKAGES = {
    "the length doesn't count": ("beam.length_divisor", lambda length, penalty: length**0 * 1.0),
    "the bound forgets how long it may get": (
        "beam.length_divisor",
        lambda length, penalty: ((5 + length) / 6) ** penalty if isinstance(length, float) else length**0 * 1.0,
    ),
    "coverage doesn't count": ("finished.log_coverage", lambda attention, lengths: np.zeros(len(attention))),
    "coverage counts where padding is": (
        "finished.log_coverage",
        lambda attention, lengths: np.log(np.clip(attention, 1e-30, 1)).sum(1),
    ),
    "coverage stays with the old rows": (
        "finished.Coverage.select",
        lambda self, rows: self._replace(
            source_lengths=self.source_lengths[rows], attention=self.attention[np.sort(rows) // 2]
        ),
    ),
    "the best come last": ("finished.Ranked.best", lambda self, num: self._take(self.scores.argsort(1)[:, :num])),
    "the first that ends decides": ("finished.Ranked.with_more", decided),
    "those that end late don't count": (
        "finished.Ranked.with_more",
        lambda best, others: best._beside(others).best(10) if int(others.steps[0, 0]) < 4 else best,
    ),
}


@torch.no_grad()
@pytest.mark.parametrize(("target", "broken"), BREAKAGES.values(), ids=BREAKAGES)
def test_they_notice_a_broken_ranking(target, broken, blueprint, problems, monkeypatch):
    monkeypatch.setattr(f"seq2see.search.{target}", broken)
    with pytest.raises(AssertionError):
        check_some(problems, blueprint)


@torch.no_grad()
@pytest.mark.parametrize("rule", RULES)
def test_they_notice_broken_rules(rule, blueprint, problems, monkeypatch):
    options, wanted = RULES[rule]
    check_some(problems, blueprint, wanted=wanted, **options)
    for name in ("NoRepeat", "ForbidPhrases"):
        monkeypatch.setattr(f"seq2see.search.filters.{name}.__call__", lambda self, log_probs, *_: log_probs)
    monkeypatch.setattr(
        "seq2see.search.constraints.Progress.complete", property(lambda self: np.ones(len(self.met), np.bool_))
    )
    with pytest.raises(AssertionError):
        check_some(problems, blueprint, wanted=wanted, **options)


@torch.no_grad()
@pytest.mark.parametrize("name", ["attention", "transformer", "transformer_language_model-rotary"])
@pytest.mark.parametrize("check", [check_wide_beam, check_narrow_beam])
def test_they_notice_states_that_are_not_selected(check, name, blueprint, problems, monkeypatch):
    """On a few problems, since select may be the identity on some."""
    select, noticed = DecoderState.select, False
    for problem in problems(blueprint(name), 6):
        check(problem)
        known = exhaustive(problem)
        with monkeypatch.context() as broken:
            broken.setattr(
                DecoderState, "select", lambda self, rows, sentences=None: select(self, rows.sort().values, sentences)
            )
            broken.setitem(check.__globals__, "exhaustive", lambda problem, known=known: known)
            try:
                check(problem)
            except AssertionError:
                noticed = True
                break
    assert noticed
