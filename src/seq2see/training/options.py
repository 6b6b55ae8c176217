"""What a person may set of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class TrainingOptions:
    """The recipe; what is None is chosen from the number and length of the pairs."""

    rate: Annotated[float, Meta(gt=0, lt=1e39)] | None = None
    """Learning rate at its highest."""
    schedule: Literal["linear", "constant", "inverse_sqrt", "cosine", "plateau"] = "linear"
    """How the rate goes on after the warm-up."""
    warmup: Share = 0.1
    """Share of all updates over which the rate climbs to its highest."""
    max_updates: Count | None = None
    max_epochs: Count | None = None
    """Training ends at whichever of the two comes first."""
    batch_size: Count | None = None
    """Pairs an update."""
    batch_tokens: Count | Literal["auto"] | None = None
    """Padded source and target tokens an update; where batch_size is given too, whichever is reached first. auto takes
    as many as the memory holds."""
    accumulate: Count = 1
    """Passes in which each process works through its part of a batch: less memory, the same gradient."""
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    clip: Positive = 1.0
    """Largest norm of the gradient."""
    label_smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    evaluate_every: Count | None = None
    """Updates between two evaluations on dev."""
    checkpoint_every: Count | None = None
    """Updates between two checkpoints to resume from; as often as evaluations where nothing is said."""
    checkpoint_minutes: Positive | None = None
    """A checkpoint also after the first update that ends so many minutes after the last one."""
    keep_checkpoints: Count = 2
    """Of the checkpoints the newest so many are kept; an older one is there for when the newest comes to harm."""
    metric: Literal["exact_match", "loss"] | None = None
    """What on dev decides which model is best: exact match, or for sentences and language models the loss."""
    patience: Count | None = None
    """Stop after so many evaluations without a better one."""
    ema: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Share that the moving average of the weights keeps at an update; it is then what is tried on dev and kept."""
    average: Annotated[int, Meta(ge=2)] | None = None
    """At the end the mean of the weights of so many evaluations is tried, too."""
    average_of: Literal["last", "best"] = "last"
    """Which evaluations these are."""
    shard: bool = False
    """Divide weights, gradients and moments among the processes (FSDP2), where each has a copy otherwise (DDP)."""
    timeout: Positive = 300.0
    """Seconds that the processes of a run wait for one another before they end."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16 keeps weights, softmax and loss in float32; auto takes whichever is faster on this machine."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    start_from: str | None = None
    """A run, a model folder or a packed model whose weights training starts from; its vocabularies grow by the tokens
    of the new pairs."""
