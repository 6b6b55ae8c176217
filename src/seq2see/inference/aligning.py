"""Which source token each token of a given target stands for, as a model sees it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from json import dumps

import numpy as np

from seq2see.data import Examples, Pair, collate
from seq2see.data.lines import ESCAPES
from seq2see.errors import ConfigError
from seq2see.inference.answering import prediction_of
from seq2see.inference.batching import MOST_POSITIONS, batches_within, source_costs
from seq2see.inference.formats import pharaoh
from seq2see.inference.notes import UnknownTextWarning
from seq2see.inference.options import AlignmentFormat, BatchOptions
from seq2see.inference.predictor import Predictor, read_given
from seq2see.inference.results import Prediction, unanswered
from seq2see.inference.scoring import unknown_note
from seq2see.inference.searching import written
from seq2see.search import Hypothesis


def align(
    model: Predictor, pairs: Sequence[Pair], options: BatchOptions | None = None, *, stacklevel: int = 2
) -> list[Prediction]:
    """Each pair's target as the answer to its source, with the attention weights of teacher forcing, in order.

    `Prediction.alignment` makes pairs of positions of them. A transducer aligns as in training, by the most probable
    monotonic alignment. Tokens that aren't in the target vocabulary are aligned as `<unk>`, with an UnknownTextWarning.
    A pair that can't be read has no tokens, and its `error` says why; with `strict` it raises DataError. ConfigError
    for a model without attention and for an ensemble.
    """
    options = options or BatchOptions()
    if not model.has_attention:
        raise ConfigError("needs a model with attention", where="align", fix="train one: --model attention")
    if len(model.members) > 1:
        raise ConfigError("an ensemble has no alignment of its own", where="align", fix="use one of its models")
    places = [pair.origin or f"pair {number}" for number, pair in enumerate(pairs, start=1)]
    read = read_given(model, pairs, places, options, wanted="an alignment", stacklevel=stacklevel)
    targets = [pairs[row].target or "" for row in read.rows]
    if note := unknown_note(list(map(model.target_codec.unknown, targets)), "which are aligned as <unk>"):
        warnings.warn(note, UnknownTextWarning, stacklevel=stacklevel)
    found = [unanswered(read.refused[row]) if row in read.refused else None for row in range(len(pairs))]
    for indices in batches(read.examples, options.batch_size):
        batch = collate(read.examples, indices)
        weights = model.engine.heads(batch).cross[model.engine.shown_layer].mean(1)  # [B T S]
        log_probs = np.split(model.engine.target_log_probs(batch), batch.target.lengths.cumsum()[:-1])
        for own, each, index in zip(weights, log_probs, indices.tolist(), strict=True):
            ids = read.examples.target(index).tolist()
            total = float(each.sum())
            forced = Hypothesis(ids, total, total, True, own[: len(ids)], tuple(each.tolist()))
            hypothesis = written(forced, model.target_codec.step)
            found[read.rows[index]] = prediction_of(model, read.examples, index, hypothesis)
    return [each for each in found if each is not None]


def batches(examples: Examples, batch_size: int) -> Iterator[np.ndarray]:
    """Pairs of similar lengths together."""
    order = np.lexsort((examples.target_lengths, examples.source_lengths))
    costs = [source_costs(lengths) for lengths in (examples.source_lengths, examples.target_lengths)]
    return batches_within(order, batch_size, [(each, MOST_POSITIONS) for each in costs])


def alignment_lines(format_: AlignmentFormat, number: int, aligned: Prediction) -> Iterator[str]:
    """The alignment of a pair, whose number is from 1, as lines.

    pharaoh: one line of pairs of source and target position, from 0. jsonl: one object with the tokens of both sides,
    these pairs, and the weights. tsv: one line per target token: number of the pair, target position, target token,
    source position, source token, weight; a token that attends most to EOS has an empty position and token.
    """
    links = aligned.alignment()
    match format_:
        case "pharaoh":
            yield f"{pharaoh(aligned)}\n"
        case "jsonl":
            weights = [] if aligned.weights is None else aligned.weights.round(6).tolist()
            tokens = {"source": aligned.source_tokens, "target": aligned.target_tokens}
            error = {"error": aligned.error} if aligned.error else {}
            whole = {"number": number, **tokens, "alignment": links, "weights": weights, **error}
            yield dumps(whole, ensure_ascii=False) + "\n"
        case "tsv":
            sources = {target: source for source, target in links}
            for row, token in enumerate(aligned.target_tokens[:-1]):
                source = sources.get(row)
                place, name = ("", "") if source is None else (str(source), aligned.source_tokens[source])
                weight = 0.0 if aligned.weights is None else float(aligned.weights[row].max())
                columns = (str(number), str(row), token.translate(ESCAPES), place, name.translate(ESCAPES))
                yield "\t".join((*columns, f"{weight:.6f}")) + "\n"
