"""The user's options of a search: their types, ranges, defaults and help, for the command and the Python API alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypedDict

from msgspec import Meta

from seq2see.errors import ConfigError
from seq2see.inference.checking import require_types, with_known_names
from seq2see.inference.glossary import Glossary

EngineName: TypeAlias = Literal["auto", "torch", "torch-bfloat16", "numpy"]
"""What computes."""
Format = Literal["text", "tsv", "jsonl"]
"""How answers are written."""
Alignments = Literal["pharaoh", "json"]
"""How the alignment of an answer with its source is written."""
AlignmentFormat = Literal["pharaoh", "jsonl", "tsv"]
"""How the alignments of given pairs are written."""

OF_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "seed")
PENALTIES = ("length_penalty", "coverage_penalty")
OF_BEAMS = (*PENALTIES, "beam_groups", "diversity", "beam_steps")
OF_PHRASES = ("contain", "placeholders", "glossary")
"""Of phrases that have to occur, which greedy search may lack and beam search finds, also where `beam` is 1."""
LISTED = ("top_tokens", "beam_steps")
"""What is listed with an answer, where the format has room for it."""
CONFLICTS_WITH_SAMPLING = "conflicts with sampling, which follows one hypothesis"
Risk = Literal["cer", "wer", "per", "chrf"]
"""The metrics that an answer of minimum Bayes risk is the best by."""
MAX_COUNT = 1_000_000
"""Of whatever is counted: far more than any memory holds."""

MAX_SEED = 2**64 - 1
"""The random generator has 64 bits."""

Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Length = Annotated[int, Meta(ge=1, le=100_000)]
"""Tokens of an answer; a search of 100,000 steps takes minutes."""
Repeats = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Beam = Annotated[int, Meta(ge=1, le=1_000)]
"""Memory and time grow with its square."""
Draws = Annotated[int, Meta(ge=1, le=100_000)]
Compared = Annotated[int, Meta(ge=2, le=1_000)]
"""Each is compared with each."""
Ratio = Annotated[float, Meta(gt=0, le=MAX_COUNT)]
Penalty = Annotated[float, Meta(ge=0, le=100)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Temperature = Annotated[float, Meta(gt=0, le=MAX_COUNT)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Texts = tuple[Annotated[str, Meta(min_length=1)], ...]


@with_known_names
@dataclass(frozen=True)
class BatchOptions:
    """What every computation with a trained model takes; the only options of `score`.

    Raises ConfigError for a value of the wrong type or out of range, as all options do.
    """

    batch_size: Count = 64
    """Texts or pairs computed side by side, fewer if they are long; changes no result."""
    max_input_length: Count | None = None
    """Largest number of tokens of a text that is read; by default 10,000, or twice the longest in training."""
    strict: bool = False
    """Stop at the first text that can't be read (too long, or invalid) instead of leaving its result empty."""

    def __post_init__(self) -> None:
        require_types(self)


@with_known_names
@dataclass(frozen=True)
class Constraints:
    """What an answer must satisfy: for all texts of a call as part of its options, or for one text.

    Raises ConfigError for a value of the wrong type or out of range.
    """

    min_length: Length | None = None
    """Least number of target tokens, EOS counted; by default 2, so that no answer is empty (of a language model 1)."""
    max_length: Length | None = None
    """Largest number of target tokens, EOS counted; by default the model's own."""
    prefix: str = ""
    """Text that every answer begins with."""
    forbid: Texts = ()
    """Text that no answer contains; may be repeated."""
    contain: Texts = ()
    """Text that every answer contains; may be repeated."""

    def __post_init__(self) -> None:
        require_types(self)
        self._require_order("length")

    def _require_order(self, name: str) -> None:
        least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
        if least is not None and most is not None and least > most:
            what = f"min_{name} {least} is larger than max_{name} {most}"
            raise ConfigError(what, where=f"min_{name}, max_{name}", fix="swap the two")

    def with_own(self, own: Constraints) -> Constraints:
        """These and those of one text, whose prefix and lengths take the place of these.

        ConfigError if its lengths conflict with these.
        """
        return Constraints(
            own.min_length if own.min_length is not None else self.min_length,
            own.max_length if own.max_length is not None else self.max_length,
            own.prefix or self.prefix,
            tuple(dict.fromkeys((*self.forbid, *own.forbid))),
            tuple(dict.fromkeys((*self.contain, *own.contain))),
        )


NO_CONSTRAINTS = Constraints()
PER_TEXT = tuple(field.name for field in fields(Constraints))
"""What may be given for each text: in Python, and in the lines of a file under these names."""


@with_known_names
@dataclass(frozen=True)
class GenerationOptions(BatchOptions, Constraints):
    """How answers are searched for: the options of `predict`, `generate` and `attend`, in the command and in Python.

    Raises ConfigError for values of the wrong type or out of range, and for options that conflict or have no effect.
    """

    beam: Beam = 1
    """Hypotheses kept per text; 1 is greedy search."""
    n_best: Draws = 1
    """Answers per text: the best of a beam, or that many samples."""
    length_penalty: Penalty | None = None
    """With a beam: above 0 favors longer answers (Wu et al. 2016, eq. 14); by default what training chose on dev."""
    coverage_penalty: Penalty = 0.0
    """With a beam: above 0 penalizes source tokens without attention (Wu et al. 2016, eq. 14)."""
    beam_groups: Beam = 1
    """With a beam: groups that choose different tokens (Vijayakumar et al. 2016); must divide the beam."""
    diversity: Penalty = 0.5
    """With beam_groups: nats that a token costs for each hypothesis of earlier groups that has just chosen it."""
    beam_steps: bool = False
    """With a beam: list the hypotheses that each step of the search considered, and which of them it kept."""
    mbr: Risk | None = None
    """The answer most like all others of the beam, or of the samples, by this metric (minimum Bayes risk)."""
    mbr_samples: Compared = 50
    """With mbr and sample: the number of samples that are compared."""
    sample: bool = False
    """Draw at random instead of taking the most probable."""
    temperature: Temperature = 1.0
    """With sampling: below 1 sharpens the distribution, above 1 flattens it."""
    top_k: Count | None = None
    """With sampling: draw from the k most probable tokens."""
    top_p: TopP = 1.0
    """With sampling: draw from the most probable tokens that together have this probability."""
    min_p: Probability = 0.0
    """With sampling: draw from tokens at least this fraction as probable as the most probable one."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """With sampling: the same seed draws the same answers."""
    min_ratio: Ratio | None = None
    """Least number of target tokens per source token."""
    max_ratio: Ratio | None = None
    """Largest number of target tokens per source token; where it conflicts with the least, the largest wins."""
    top_tokens: Annotated[int, Meta(ge=0, le=100)] = 0
    """The most probable tokens listed with each token of an answer; their log-probabilities are the model's own."""
    no_repeat: Repeats | None = None
    """No n-gram of this length occurs twice; 0: any may; by default what the model was told in training."""
    placeholders: str = ""
    r"""Regular expression, such as `\{\w+\}`: whatever matches it in a text stands unchanged in its answer."""
    glossary: Glossary | None = None
    """Terms and their translations, one pair per line: an answer contains those of the terms in its text."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "glossary", Glossary.of(self.glossary))
        super().__post_init__()
        if self.seed > MAX_SEED:
            raise ConfigError(f"must be at most {MAX_SEED}, not {self.seed}", where="seed", fix="give a smaller number")
        for name in ("length", "ratio"):
            self._require_order(name)
        require_pattern(self.placeholders)
        if self.sample:
            self._refuse(("beam", *OF_BEAMS, *OF_PHRASES), CONFLICTS_WITH_SAMPLING)
        else:
            self._refuse(
                (*OF_SAMPLING, "mbr_samples"), "has no effect without sampling", fix="add --sample (sample=True)"
            )
        if self.beam == 1:
            self._refuse(OF_BEAMS, "has no effect without a beam", fix="add --beam 5 (beam=5)")
            if self.mbr and not self.sample:
                fix = "add --beam 10 (beam=10), or --sample (sample=True)"
                raise ConfigError("needs several answers to compare", where="mbr", fix=fix)
            if self.n_best > 1 and not self.sample:
                wide = max(5, self.n_best)
                fix = f"add --beam {wide} (beam={wide}), or --sample (sample=True) for different draws"
                raise ConfigError(f"must be 1 for greedy search, not {self.n_best}", where="n_best", fix=fix)
        if self.n_best > self.beam > 1:
            what = f"must be at most the beam, {self.beam}, not {self.n_best}"
            raise ConfigError(what, where="n_best", fix=f"use a beam of {self.n_best}")
        self._require_groups()
        if self.mbr and self.sample and self.n_best > self.mbr_samples:
            what = f"must be at most mbr_samples, {self.mbr_samples}, not {self.n_best}"
            raise ConfigError(what, where="n_best", fix=f"compare {self.n_best} samples, or more")
        if not self.mbr:
            self._refuse(("mbr_samples",), "has no effect without mbr", fix="add --mbr chrf (mbr='chrf')")

    def _require_groups(self) -> None:
        if self.beam_groups == 1:
            self._refuse(("diversity",), "has no effect without groups", fix="add --beam-groups (beam_groups=…)")
        if self.beam % self.beam_groups:
            what = f"must divide the beam, {self.beam}, which {self.beam_groups} doesn't"
            fix = f"use a beam of {self.beam_groups * max(2, -(-self.beam // self.beam_groups))}"
            raise ConfigError(what, where="beam_groups", fix=fix)

    def _refuse(self, names: Sequence[str], what: str, fix: str = "choose one of the two") -> None:
        defaults = {field.name: field.default for field in fields(GenerationOptions)}
        for name in names:
            value, default = getattr(self, name), defaults[name]
            if value != default and (value or default):  # 0 is as good as none
                raise ConfigError(what, where=name, fix=f"{fix}, or leave {name} out" if "add" in fix else fix)

    @property
    def num_sentences(self) -> int:
        """Texts per batch: fewer where several samples of each are drawn."""
        return max(1, self.batch_size // self.num_candidates) if self.sample else self.batch_size

    @property
    def num_candidates(self) -> int:
        """Answers that are searched for: those returned, or all that are compared."""
        if self.mbr is None:
            return self.n_best
        return self.mbr_samples if self.sample else self.beam

    @property
    def num_hypotheses(self) -> int:
        """Hypotheses of each text that are computed side by side; draws are made one after another if need be."""
        return 1 if self.sample else self.beam

    @property
    def is_penalized(self) -> bool:
        """Whether a beam ranks by more than the log-probability."""
        return any(getattr(self, name) for name in PENALTIES)


def require_pattern(pattern: str) -> None:
    """ConfigError for placeholders that are no regular expression."""
    if pattern:
        from seq2see.text.protected import compile_pattern

        compile_pattern(pattern, where="placeholders", may_be_empty=True)


class GenerationArguments(TypedDict, total=False):
    """The fields of `GenerationOptions` as keyword arguments of `predict` and `stream`, all optional.

    Those of `Constraints` may also have one value per text, None where there is none. For `contain` and `forbid` a
    sequence of texts is for all, and a sequence of sequences is one per text.
    """

    min_length: int | Iterable[int | None] | None
    max_length: int | Iterable[int | None] | None
    prefix: str | Iterable[str | None]
    forbid: Sequence[str] | Iterable[Iterable[str] | None]
    contain: Sequence[str] | Iterable[Iterable[str] | None]
    batch_size: int
    max_input_length: int | None
    strict: bool
    beam: int
    n_best: int
    length_penalty: float | None
    coverage_penalty: float
    beam_groups: int
    diversity: float
    beam_steps: bool
    mbr: Risk | None
    mbr_samples: int
    sample: bool
    temperature: float
    top_k: int | None
    top_p: float
    min_p: float
    seed: int
    min_ratio: float | None
    max_ratio: float | None
    top_tokens: int
    no_repeat: int | None
    placeholders: str
    glossary: Mapping[str, str] | str | Path | Glossary | None
