"""Does a service leak? Mixed traffic at a steady rate, and the slope of memory, open files and threads.

    python benchmarks/soak.py MODEL TEXTS [--minutes 30] [--rate 5] [--workers 1]

TEXTS has one source per line. The traffic: greedy search, beams with and without their steps, samples, attention,
scores, streams, the pages, `/metrics`, mistakes that are refused, and clients that go away before their answer. The
slopes are fitted by least squares to what is measured after the first third, when caches are warm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from serving import Client, Server, request, service

SAMPLES_PER_MINUTE = 6
KINDS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "greedy": ("/v1/predict", {}),
    "beam": ("/v1/predict", {"beam": 4, "n_best": 2, "top_tokens": 3}),
    "beam steps": ("/v1/predict", {"beam": 3, "beam_steps": True}),
    "samples": ("/v1/predict", {"sample": True, "n_best": 3}),
    "attention": ("/v1/predict", {"attention": True}),
    "constraints": ("/v1/predict", {"prefix": ["1"], "glossary": {"may": "05"}}),
    "stream": ("/v1/stream", {}),
    "score": ("/v1/score", {}),
    "models": ("/v1/models", None),
    "page": ("/", None),
    "metrics": ("/metrics", None),
    "refused": ("/v1/predict", {"beem": 3}),
    "gone": ("/v1/predict", {"beam": 20, "min_length": 200, "max_length": 200}),
}


async def one(port: int, kind: str, text: str, free: list[Client], ends: Counter[str]) -> None:
    """One request of this kind, on a connection that is free, or on one that ends without waiting."""
    path, content = KINDS[kind]
    if content is not None:
        content = {"pairs": [{"source": text, "target": "1"}]} if kind == "score" else {"texts": [text], **content}
    if kind in ("gone", "stream"):  # of neither does a length say where it ends
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(path, content).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
        if kind == "stream":
            ends[f"stream {(await reader.read()).split(b' ')[1].decode()}"] += 1
        else:
            await asyncio.sleep(0.2)
            ends["gone"] += 1
        writer.transport.abort()
        return
    client = free.pop() if free else Client(port)
    try:
        status, _ = await client.ask(path, content)
    except (asyncio.IncompleteReadError, OSError):  # the service had closed the connection, which was idle: once more
        status, _ = await client.ask(path, content)
    ends[f"{kind} {status}"] += 1
    free.append(client)


async def traffic(port: int, texts: list[str], rate: float, seconds: float) -> Counter[str]:
    """Requests of all kinds in random order."""
    chance, ends = random.Random(0), Counter[str]()
    free: list[Client] = []
    tasks: set[asyncio.Task[None]] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        task = asyncio.create_task(one(port, chance.choice(list(KINDS)), chance.choice(texts), free, ends))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(chance.expovariate(rate))
    await asyncio.gather(*tasks)
    for client in free:
        client.close()
    return ends


async def soak(server: Server, texts: list[str], minutes: float, rate: float) -> dict[str, Any]:
    """The figures."""
    load = asyncio.create_task(traffic(server.port, texts, rate, 60 * minutes))
    began, found = time.monotonic(), []
    while not load.done():
        await asyncio.sleep(60 / SAMPLES_PER_MINUTE)
        hours = (time.monotonic() - began) / 3600
        found.append((hours, server.resident(), server.num_files(), server.num_threads()))
    rows = np.array(found)
    later = rows[len(rows) // 3 :]
    named = list(enumerate(("memory_mb", "files", "threads"), start=1))
    slopes = np.polyfit(later[:, 0], later[:, 1:], 1)[0]
    return {
        "minutes": minutes,
        "requests": dict(sorted(load.result().items())),
        "first": {name: round(float(rows[0, column]), 1) for column, name in named},
        "last": {name: round(float(rows[-1, column]), 1) for column, name in named},
        "largest": {name: round(float(rows[:, column].max()), 1) for column, name in named},
        "slope_per_hour": {name: round(float(slopes[column - 1]), 2) for column, name in named},
    }


def main() -> None:
    """Run it, and print the figures as a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=5, help="requests per second")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--port", type=int, default=8766)
    chosen = parser.parse_args()
    texts = [line.split("\t")[0] for line in chosen.texts.read_text(encoding="utf-8").splitlines()]
    with service(chosen.model, chosen.port, "--workers", str(chosen.workers)) as server:
        print(json.dumps(asyncio.run(soak(server, texts, chosen.minutes, chosen.rate)), indent=1))


if __name__ == "__main__":
    main()
