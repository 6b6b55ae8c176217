"""The options of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Seeds = Annotated[int, Meta(ge=1, le=1_000)]
"""Runs of one configuration."""
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
DevMetric = Literal[
    "exact_match", "cer", "wer", "per", "ser", "bleu", "chrf", "ter", "rouge_1", "rouge_2", "rouge_l", "loss"
]

ATTENTION_LOSSES = ("coverage", "guided_attention")
"""Options that are the weights of losses of attention to the source."""


@dataclass(frozen=True)
class TrainingOptions:
    """The training recipe; options that are None are chosen from the number and length of the pairs."""

    rate: Annotated[float, Meta(gt=0, lt=1e39)] | None = None
    """Peak learning rate; by default 4e-3, or 1e-3 with Transformer blocks, unless they are those chosen for
    translations."""
    schedule: Literal["linear", "constant", "inverse_sqrt", "cosine", "plateau"] = "linear"
    """Learning rate after the warm-up; linear falls to zero."""
    warmup: Share = 0.1
    """Share of all updates (0..1) over which the learning rate rises linearly to its peak."""
    max_updates: Count | None = None
    """Number of updates; by default chosen from the number of pairs."""
    denoising_updates: Count | None = None
    """Updates in which texts of data.also_source, and as many in which those of data.also_target, are restored from
    noise before training; by default chosen from the number of texts."""
    max_epochs: Count | None = None
    """Number of epochs; training ends at max_updates or max_epochs, whichever comes first; by default max_updates."""
    batch_size: Count | None = None
    """Pairs per update; by default 32, or fewer below 256 pairs, or 64 beyond 5,000 pairs of texts and tags with
    spelled targets, or 128 where 100,000 or more sources are spelled; no limit for translations."""
    batch_tokens: Count | Literal["auto"] | None = None
    """Padded source and target tokens per update; with batch_size, whichever limit is reached first; by default
    16,384, or 4,096 where a small Transformer is chosen for translations. auto takes the largest batch that fits into
    the memory of the machine, whatever else is running."""
    accumulate: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """Passes into which each process splits its part of a batch: less memory, the same gradient."""
    optimizer: Literal["adam", "adamw", "muon"] | None = None
    """Optimizer; adamw decouples the weight decay from the gradient; muon (Jordan et al. 2024) learns more in the same
    number of updates, each of which takes longer: the matrices between embeddings and output layer take steps of the
    same length in all directions, everything else is updated as by adamw; by default adam, or muon where a small
    Transformer is chosen for translations."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Weight decay of the optimizer."""
    clip: Positive = 1.0
    """Maximum norm of the gradient."""
    label_smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the probability of each target token that is spread evenly over all tokens."""
    coverage: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of the coverage loss, which keeps attention from going twice to the same place (See et al. 2017)."""
    guided_attention: Annotated[float, Meta(ge=0)] | None = None
    """Weight of the guided attention loss, which keeps attention moving through the source as the target proceeds
    (Tachibana et al. 2018); by default 1 in a model with attention whose source is one picture or one series of
    vectors, unless targets are a few labels, otherwise 0."""
    sample_alignments: bool | None = None
    """Whether a transducer reads another alignment of each pair in every epoch, drawn by its probability, instead of
    always the most probable one; by default it does where there are at most 5,000 pairs and no text.bpe_dropout."""
    evaluate_every: Count | None = None
    """Updates between evaluations on dev; by default a sixteenth of all updates."""
    checkpoint_every: Count | None = None
    """Updates between checkpoints; by default the same as evaluate_every."""
    checkpoint_minutes: Positive | None = None
    """Minutes since the last checkpoint after which another is written, in addition to checkpoint_every; by default
    none."""
    keep_checkpoints: Count = 2
    """Number of newest checkpoints to keep; an older one can be resumed if the newest is damaged."""
    metric: DevMetric | None = None
    """Dev metric that selects the best model, and that early stopping and plateau follow: a metric of evaluate, or the
    loss; by default exact_match, or loss for sentences and language models."""
    choose_length_penalty: bool | None = None
    """Whether the length penalty of a beam is chosen on dev when training has ended, and kept with the model; by
    default for sentences, unless exact_match selects the best model."""
    no_repeat: Count | None = None
    """Length of the n-grams that no answer of the model has twice, unless --no-repeat says otherwise; by default any
    may be repeated."""
    patience: Count | None = None
    """Stop after this many evaluations without improvement; by default never."""
    ema: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Decay per update of an exponential moving average of the weights, which is then evaluated and saved; by default
    there is none."""
    average: Annotated[int, Meta(ge=2)] | None = None
    """Number of evaluations whose weights are averaged at the end; the mean is saved if it is the best on dev; by
    default nothing is averaged."""
    average_of: Literal["last", "best"] = "last"
    """Which evaluations are averaged."""
    shard: bool = False
    """Shard weights, gradients and moments across processes (FSDP2) instead of replicating them (DDP)."""
    timeout: Positive = 300.0
    """Seconds that processes wait for one another before they give up."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 keeps weights, softmax and loss in float32. auto takes bfloat16 on CPUs with instructions for it and for
    widths of at least 256, of Transformers without LSTMs at least 128, and float32 otherwise, also on GPUs."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    """Seed of all random numbers."""
    source_embeddings: str | None = None
    """Pretrained vectors of source tokens: text of word2vec, fastText or GloVe, or .npz with words and vectors; by
    default embeddings start from random values."""
    target_embeddings: str | None = None
    """The same for target tokens; by default none."""
    freeze_embeddings: bool = False
    """Whether pretrained vectors stay as they are while the rest is trained."""
    start_from: str | None = None
    """A run, model folder or packed model to fine-tune (--from); its vocabularies grow by the tokens of the pairs; by
    default a model starts from random values."""

    @property
    def attention_losses(self) -> dict[str, float]:
        """The weights of the losses that only models with attention to the source have, without those that are 0."""
        return {key: weight for key in ATTENTION_LOSSES if (weight := getattr(self, key))}
