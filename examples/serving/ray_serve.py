"""Serve a model on a Ray cluster: Ray Serve starts the replicas, batches their requests and spreads them.

    pip install "ray[serve]" seq2see
    python examples/serving/ray_serve.py dates.seq2see --replicas 2
    curl -d '{"texts": ["september 27, 1994"]}' http://127.0.0.1:8000

The file must be visible to all machines. A replica needs neither PyTorch nor the extra `serve`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

import seq2see


@serve.deployment(max_ongoing_requests=256)
class Answers:
    """A replica: a process with the model, which answers one batch at a time."""

    def __init__(self, path: str) -> None:
        self.model = seq2see.load(path, engine="numpy")

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002)
    async def answers_to(self, texts: list[str]) -> list[str]:
        """What waits together is answered together; Ray hands each caller its own answer."""
        predictions = await asyncio.to_thread(self.model.predict, texts)
        return [each.text for each in predictions]

    async def __call__(self, request: Request) -> JSONResponse:
        """{"texts": […]} to {"answers": […]}."""
        texts: Any = (await request.json()).get("texts")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return JSONResponse({"detail": "texts must be a list of texts"}, status_code=422)
        return JSONResponse({"answers": await asyncio.gather(*map(self.answers_to, texts))})


def main() -> None:
    """Start the replicas, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--replicas", type=int, default=2)
    chosen = parser.parse_args()
    options = {"num_replicas": chosen.replicas, "ray_actor_options": {"num_cpus": 1}}
    serve.run(Answers.options(**options).bind(str(chosen.model.absolute())), blocking=True)


if __name__ == "__main__":
    main()
