"""A warm-up on texts of one side: before training on pairs, encoder or decoder learn to restore texts from noise.

For the source texts a model of the same kind is trained that reads and writes them, and its encoder is kept; of one for
the target texts, the decoder (after Ramachandran et al. 2017, who train language models; the noise is that of BART,
Lewis et al. 2020, without permutations). So the vocabularies of the two sides stay apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from seq2see.console import counted
from seq2see.data import Batch, Examples
from seq2see.data.batch import collate
from seq2see.data.building import aligned_examples
from seq2see.data.examples import Sequences
from seq2see.errors import ConfigError
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import Blueprint, Seq2Seq, build, find, max_positions
from seq2see.run.embeddings import Embedded, frozen_rows
from seq2see.run.pairs import Unpaired
from seq2see.run.resume import RunContext
from seq2see.run.usual_updates import usual_updates
from seq2see.storage.saved_model import sizes_of
from seq2see.text import UNK, Codec, Codecs, Fields, Vocabulary
from seq2see.text.building import joint_codecs, vocabulary_limits
from seq2see.text.options import TextOptions
from seq2see.training import INTERRUPTED, DevEvaluation, Evaluated, Event, Trainer, TrainingOptions

MASKED, DROPPED = 0.1, 0.1
"""Shares of the tokens that noise replaces by the unknown token, and that it removes."""
PARTS = {"source": "encoder", "target": "decoder"}
"""What is kept of a model that restores the texts of each side."""
EVALUATIONS = 4
HELD_OUT, MOST_HELD_OUT = 20, 500
"""Of this many texts one is held out; the largest number of texts held out."""
BATCH = 64


def grown_codecs(codecs: Codecs, options: TextOptions, also: Sequence[Unpaired]) -> Codecs:
    """The codecs with the tokens of these texts added to their vocabularies, under the same limits as for pairs."""
    source, target = codecs
    for side, texts in also:
        codec = source if side == "source" and not options.joint else target
        assert codec is not None
        if side == "source" and isinstance(codec.tokenizer, Fields):
            what = "unsupported by sources of several fields"
            raise ConfigError(what, where="data.also_source", fix="leave it out")
        grown = codec.grown(texts, **vocabulary_limits(options, codec.tokenizer.name))
        if options.joint:
            source, target = joint_codecs(grown, options.truncate)
        elif side == "source":
            source = grown
        else:
            target = grown
    return source, target


def with_noise(texts: Sequences, *, seed: int, epoch: int) -> Sequences:
    """Texts of which each token but EOS may be masked or removed; at least one is left.

    A pure function of seed and epoch.
    """
    chance = np.random.default_rng((seed, epoch, MASKED_BY)).random(len(texts.ids))
    is_end = np.zeros(len(texts.ids), bool)
    is_end[texts.offsets[1:] - 1] = True
    is_first = np.zeros(len(texts.ids), bool)
    is_first[texts.offsets[:-1]] = True
    ids = np.where((chance < MASKED) & ~is_end, np.int32(UNK), texts.ids)
    is_kept = (chance >= MASKED + DROPPED) | (chance < MASKED) | is_end
    left = np.add.reduceat(is_kept, texts.offsets[:-1])
    is_kept |= is_first & np.repeat(left == 1, texts.lengths)
    lengths = np.add.reduceat(is_kept, texts.offsets[:-1])
    return Sequences(ids[is_kept], np.concatenate([[0], np.cumsum(lengths)]))


MASKED_BY = 0x6D61736B
"""Tells these draws from those of the batches."""


class Restoring(NamedTuple):
    """What a model that restores texts is trained and evaluated on."""

    codecs: Codecs
    train: Sequences
    held_out: Examples
    seed: int

    @classmethod
    def of(
        cls, codec: Codec, texts: Sequence[str], *, is_transducer: bool, longest: int | None, seed: int
    ) -> Restoring:
        """That of these texts, without empty ones and those of more than `longest` tokens."""
        plain = codec if codec.step is None else without_actions(codec)
        encoded = [ids for ids in map(plain.encode, texts) if 1 < len(ids) <= (longest or len(ids))]
        step = max(HELD_OUT, -(-len(encoded) // MOST_HELD_OUT))
        held = encoded[::step]
        rest = [ids for number, ids in enumerate(encoded) if number % step] or held
        train, held_out = Sequences.pack(rest), Sequences.pack(held)
        codecs: Codecs = (plain, plain)
        if is_transducer and rest:
            codecs, _ = aligned_examples(codecs, Examples(with_noise(train, seed=seed, epoch=0), train))
        found = cls(codecs, train, Examples(held_out, held_out), seed)
        return found._replace(held_out=found.noisy(held_out, 0))

    def noisy(self, texts: Sequences, epoch: int) -> Examples:
        """Pairs of the texts with noise and as they are."""
        codec = self.codecs[1]
        targets = texts if codec.step is None else replace(texts, ids=texts.ids + (texts.ids >= FIRST))
        return Examples(with_noise(texts, seed=self.seed, epoch=epoch), targets).as_actions(codec)

    def epoch_examples(self, epoch: int) -> Examples:
        """The pairs of an epoch."""
        return self.noisy(self.train, epoch)


FIRST = 4
"""The first id after the special tokens."""


def without_actions(codec: Codec) -> Codec:
    """The codec of a transducer's targets without STEP."""
    return replace(codec, vocabulary=Vocabulary(codec.vocabulary.tokens[1:]), aligner=None)


def warm_up(
    network: Seq2Seq,
    blueprint: Blueprint,
    codecs: Codecs,
    also: Sequence[Unpaired],
    options: TrainingOptions,
    embedded: Sequence[Embedded],
    context: RunContext,
    stop: Callable[[], bool],
) -> bool:
    """Train encoder or decoder of the network on these texts; False if it was stopped, which leaves it as it was."""
    for side, texts in also:
        codec = codecs[0] if side == "source" else codecs[1]
        assert codec is not None
        data = Restoring.of(
            codec,
            texts,
            is_transducer=find(blueprint.name).is_transducer,
            longest=max_positions(blueprint),
            seed=options.seed,
        )
        if not len(data.train):
            raise ConfigError(
                "has no text of a length that the model reads", where=f"data.also_{side}", fix="leave it out"
            )
        torch.manual_seed(options.seed)
        restoring = build(replace(blueprint, copy=False, tags="source"), sizes_of(data.codecs))
        part = PARTS[side]
        take_over(restoring, network, part)
        own = [each for each in embedded if each.side == side]
        updates = options.denoising_updates or usual_updates(len(data.train))
        number = counted(len(data.train), f"{side} text")
        context.say(f"warm-up: the {part} learns to restore {number}, {counted(updates, 'update')}")
        if not train(restoring, data, warm_up_options(options, updates), own, context, stop):
            return False
        take_over(network, restoring, part)
    return True


def warm_up_options(options: TrainingOptions, updates: int) -> TrainingOptions:
    """The options of a warm-up of this many updates."""
    every = max(1, -(-updates // EVALUATIONS))
    return replace(
        options,
        max_updates=updates,
        max_epochs=None,
        evaluate_every=every,
        checkpoint_every=updates,
        checkpoint_minutes=None,
        metric="loss",
        patience=None,
        ema=None,
        average=None,
        coverage=0.0,
        guided_attention=0.0,
        shard=False,
    )


def train(
    network: Seq2Seq,
    data: Restoring,
    options: TrainingOptions,
    embedded: Sequence[Embedded],
    context: RunContext,
    stop: Callable[[], bool],
) -> bool:
    """Train the network to restore texts; False if it was stopped."""

    def report(event: Event) -> None:
        if isinstance(event, Evaluated):
            context.say(f"warm-up: update {event.update:,}, loss {event.metrics['loss']:.4f} on texts held out")

    trainer = Trainer(
        network,
        data.epoch_examples(0),
        options,
        device=context.device,
        evaluate=lambda network: DevEvaluation({"loss": loss_on(network, data.held_out)}, ()),
        save_best=lambda *_: None,
        save_checkpoint=lambda _: None,
        callback=report,
        stop=stop,
        epoch_examples=data.epoch_examples,
        world=context.world,
        frozen=frozen_rows(network, embedded) if options.freeze_embeddings else {},
    )
    finished = trainer.run()
    network.to("cpu")
    return finished.reason != INTERRUPTED


def loss_on(network: Seq2Seq, examples: Examples) -> float:
    """Nats per target token."""
    engine, total, count = TorchEngine(network), 0.0, 0
    for first in range(0, len(examples), BATCH):
        batch: Batch = collate(examples, np.arange(first, min(first + BATCH, len(examples))))
        found = engine.target_log_probs(batch)
        total, count = total - float(found.sum()), count + found.size
    return total / count


def take_over(network: Seq2Seq, other: Seq2Seq, part: str) -> None:
    """Copy the parameters of this part from another network; those that it lacks, such as of copying, stay."""
    own, given = getattr(network, part), getattr(other, part).state_dict()
    own.load_state_dict(own.state_dict() | {name: given[name] for name in own.state_dict() if name in given})
