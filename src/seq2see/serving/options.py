"""The options of a service: where it listens, how much it takes on, who may use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from seq2see.errors import ConfigError
from seq2see.inference.checking import require_types
from seq2see.inference.options import Count, EngineName

if TYPE_CHECKING:
    from seq2see.serving.batching import Limits

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Pause = Annotated[float, Meta(ge=0, le=86_400)]
Size = Annotated[int, Meta(ge=1, le=2**40)]
Names = tuple[Annotated[str, Meta(min_length=1)], ...]

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class ServiceOptions:
    """How models are served. Raises ConfigError for values of the wrong type or out of range."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all, which other machines reach."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 takes a free one."""
    root_path: str = ""
    """Path under which a proxy offers the service, such as /models; the proxy removes it."""
    engine: EngineName = "numpy"
    """What computes, on the CPU."""
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    """Processes that compute, one per core; they share the queue and the models in memory."""
    max_queue: Count = 256
    """Requests accepted and not yet answered; one more is refused with 503."""
    max_queued_tokens: Size = 2**18
    """Tokens of these requests, times the hypotheses of their search; one request alone may have more."""
    batch: Count = 64
    """Texts answered together at most; 1 answers each text alone."""
    deadline: Seconds = 30.0
    """Seconds after which a request without an answer gets 504; a request may ask for less."""
    grace: Seconds = 30.0
    """Seconds after SIGTERM in which accepted requests are answered."""
    drain: Pause = 0.0
    """Seconds between SIGTERM and the closing of the port, in which /health/ready says 503 and all else goes on."""
    max_body: Size = 1_000_000
    """Bytes of a request."""
    max_texts: Count = 1_000
    """Texts or pairs of a request."""
    max_characters: Count = 10_000
    """Characters of a text."""
    max_hypotheses: Count = 100
    """Product of beam and n_best, of top_tokens and n_best, of beam and texts with beam_steps; largest mbr_samples."""
    max_answer: Count = 1_000
    """Largest max_length and min_length that a request may ask for."""
    api_key_file: Path | None = None
    """File of the SHA-256 of each API key, one per line with a name; without it, no key is needed."""
    cors: Names = ()
    """Origin whose pages may use the service, such as https://example.org; may be repeated."""
    allow_host: Names = ()
    """Host name by which the service may be called; may be repeated. By default the local ones on a local address."""
    reload_every: Pause = 5.0
    """Seconds between checks for replaced model files; 0 never checks."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object per line."""
    log_texts: bool = False
    """Log the texts of requests too."""

    def __post_init__(self) -> None:
        require_types(self)
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            what = f"must begin with / and not end with it, not {self.root_path!r}"
            raise ConfigError(what, where="root_path", fix=f"give /{self.root_path.strip('/')}")
        for origin in self.cors:
            if origin == "*" or "://" not in origin or origin.endswith("/"):
                what = f"must be an origin: scheme, host and port, not {origin!r}"
                raise ConfigError(what, where="cors", fix="give one such as https://example.org")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which the service may be called; none if by any."""
        return self.allow_host or (LOOPBACK if self.host in LOOPBACK else ())

    @property
    def limits(self) -> Limits:
        """Those of the queue."""
        from seq2see.serving.batching import Limits  # only now: --help does without NumPy

        return Limits(self.max_queue, self.max_queued_tokens, self.batch)
