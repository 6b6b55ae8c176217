"""What a service counts, in the format of Prometheus."""

from __future__ import annotations

from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from seq2see.serving.batching import Batch
from seq2see.serving.models import Served

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128)

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class Metrics:
    """The counts of one service."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "seq2see_requests", "Requests by path and status.", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "seq2see_request_seconds", "Time to the end of the response.", ["path"], buckets=SECONDS, registry=registry
        )
        self.texts = Counter("seq2see_texts", "Texts answered and pairs scored.", ["model"], registry=registry)
        self.batches = Histogram("seq2see_batch_texts", "Texts computed together.", buckets=TEXTS, registry=registry)
        self.busy = Counter("seq2see_busy_seconds", "Time of computing, summed over workers.", registry=registry)
        self.given_up = Counter(
            "seq2see_given_up", "Requests given up: deadline, client gone, stopped.", ["reason"], registry=registry
        )
        self.deaths = Counter("seq2see_worker_deaths", "Workers that died and were started again.", registry=registry)
        self.reloads = Counter(
            "seq2see_reloads", "Replaced model files: loaded or refused.", ["model", "result"], registry=registry
        )
        self.stale = Gauge(
            "seq2see_model_refused",
            "1 while the present file of a model is refused and the old model serves.",
            ["model"],
            registry=registry,
        )
        self.versions = Gauge(
            "seq2see_model", "1 for the version of each model that serves.", ["model", "version"], registry=registry
        )
        self.queued = Gauge("seq2see_queue_requests", "Requests accepted and not yet answered.", registry=registry)
        self.queued_tokens = Gauge(
            "seq2see_queue_tokens", "Tokens times hypotheses of these requests.", registry=registry
        )
        self.of_refused = cache(self.requests.labels)
        """The count of requests by path and status, found quickly for the few that are refused before they are read."""
        self._serving: dict[str, str] = {}

    def observe(self, batch: Batch) -> None:
        """Count what was computed together."""
        self.batches.observe(batch.num_items)
        self.busy.inc(batch.seconds)

    def serves(self, served: Served) -> None:
        """Say which version of a model serves, in place of the one before."""
        if (before := self._serving.get(served.name)) is not None:
            self.versions.remove(served.name, before)
        self._serving[served.name] = served.version
        self.versions.labels(served.name, served.version).set(1)
        self.stale.labels(served.name).set(0)

    def exposed(self) -> bytes:
        """All of it, for Prometheus."""
        return generate_latest(self.registry)
