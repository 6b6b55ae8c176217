"""How a service behaves under load: `python benchmarks/serving.py CHECK MODEL TEXTS`, TEXTS with one source per line.

same      5,000 texts in random company beside the same texts alone
speed     requests per second and latency at 1, 8 and 64 clients, beside a plain FastAPI handler without batching
translate the same for a Transformer, beside a FastAPI handler around CTranslate2 with the same weights
overload  three times the capacity for a minute: goodput, latency, memory, recovery
vanish    100 clients that go away
slow      200 connections that send a byte a second
stop      SIGTERM under load
reload    50 replaced model files under load
fuzz      10,000 malformed requests

Each prints its figures as one JSON object; `soak.py` beside this looks for leaks. The service runs in a process of its
own, as `seq2see serve`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

HANDLER = """
import sys
import fastapi, seq2see, uvicorn
model = seq2see.load(sys.argv[1])
app = fastapi.FastAPI()

@app.post("/v1/predict")
def predict(asked: dict):
    return {"results": [{"answers": [{"text": each.text}]} for each in model.predict(asked["texts"])]}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
"""What is usually written: one prediction per request, in the threads of the framework."""
TRANSLATOR = """
import json, sys
import ctranslate2, fastapi, uvicorn
from seq2see.text import Codec
with open(sys.argv[1] + "/model.json", encoding="utf-8") as file:
    values = json.load(file)
source, target = Codec.from_dict(values["source"]), Codec.from_dict(values["target"])
translator = ctranslate2.Translator(sys.argv[1], inter_threads=1, intra_threads=1)
app = fastapi.FastAPI()

@app.post("/v1/predict")
def predict(asked: dict):
    found = translator.translate_batch([source.split(text) for text in asked["texts"]], beam_size=1, disable_unk=True)
    return {"results": [{"answers": [{"text": target.tokenizer.join(each.hypotheses[0])}]} for each in found]}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
"""The same around CTranslate2, which computes in C++ beside Python's lock, with one thread as the service has."""


class Client:
    """One connection that is kept alive; as little work as possible per request, since it shares the machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, content: Any = None) -> tuple[int, bytes]:
        """Status and body."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        writer.write(request(path, content))
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
        except (asyncio.IncompleteReadError, OSError):
            self.close()
            raise
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Close the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def request(path: str, content: Any = None) -> bytes:
    """A request as bytes; the content is sent as JSON, or as it is if it is a bytearray."""
    body = b"" if content is None else content if isinstance(content, bytearray) else json.dumps(content).encode()
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n".encode() + body


@dataclass
class Server:
    """A service in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def processes(self) -> list[Path]:
        """The folders in /proc of the service and its workers."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        workers = [pid for task in tasks for pid in (task / "children").read_text().split()]
        return [Path("/proc") / str(pid) for pid in (self.process.pid, *workers)]

    def resident(self) -> float:
        """Their memory in MB; what they share counts once."""
        found = [re.search(r"^Pss:\s+(\d+)", (each / "smaps_rollup").read_text(), re.M) for each in self.processes()]
        return sum(int(each[1]) for each in found if each) / 1024

    def num_files(self) -> int:
        """Their open files."""
        return sum(len(os.listdir(each / "fd")) for each in self.processes())

    def num_threads(self) -> int:
        """Their threads."""
        return sum(len(os.listdir(each / "task")) for each in self.processes())

    async def metric(self, name: str) -> float:
        """The sum of the lines of /metrics that begin so."""
        _, body = await Client(self.port).ask("/metrics")
        return sum(float(line.rpartition(" ")[2]) for line in body.decode().splitlines() if line.startswith(name))


@contextmanager
def started(command: list[str], port: int) -> Iterator[Server]:
    """The service of this command, once it answers."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            for _ in range(600):
                time.sleep(0.1)
                try:
                    asyncio.run(Client(port).ask("/health/ready"))
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
            yield Server(process, port, log)
        finally:
            process.kill()
            process.wait()


def service(model: str, port: int, *options: str) -> Any:
    """`seq2see serve` of a model."""
    words = [sys.executable, "-m", "seq2see", "serve", f"m={model}", "--port", str(port), *options]
    return started(words, port)


@dataclass
class Tally:
    """What became of requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """Of those answered."""
    broken: int = 0
    """Connections that ended without a response."""

    async def time(self, asked: Awaitable[tuple[int, bytes]]) -> bytes:
        """Count a request."""
        began = time.perf_counter()
        try:
            status, body = await asked
        except (asyncio.IncompleteReadError, OSError):
            self.broken += 1
            return b""
        self.count(status, time.perf_counter() - began)
        return body

    def count(self, status: int, seconds: float) -> None:
        """Count a response."""
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(seconds)

    def figures(self, seconds: float) -> dict[str, Any]:
        """Rate and latencies."""
        ordered = sorted(self.seconds) or [0.0]
        return {
            "answered_per_second": round(self.statuses[200] / seconds, 1),
            "p50_ms": round(1000 * median(ordered), 1),
            "p99_ms": round(1000 * ordered[int(0.99 * (len(ordered) - 1))], 1),
            "statuses": dict(self.statuses),
            "broken": self.broken,
        }


class Connection(asyncio.Protocol):
    """A connection for one request at a time, with as little work per request as Python allows."""

    is_open = False
    began: float | None = None
    data = b""

    def __init__(self, tally: Tally, then: Callable[[Connection], None]) -> None:
        self.tally = tally
        self.then = then
        """Called once a request is over."""

    async def ask(self, port: int, content: bytes) -> None:
        """Send a request, on a new connection if the last one was closed."""
        try:
            if not self.is_open:
                await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
            self.send(content)
        except OSError:
            self.tally.broken += 1
            self.then(self)

    def send(self, content: bytes) -> None:
        """Send a request on the open connection."""
        self.began = time.perf_counter()
        self.transport.write(content)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.is_open = transport, True

    def data_received(self, data: bytes) -> None:
        """Count a complete response."""
        self.data += data
        head, blank, body = self.data.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return
        assert self.began is not None
        self.tally.count(int(head[9:12]), time.perf_counter() - self.began)
        self.data, self.began = b"", None
        if b"connection: close" in head.lower():
            self.close()
        self.then(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a request without a response."""
        self.is_open = False
        if self.began is not None:
            self.tally.broken += 1
            self.data, self.began = b"", None
            self.then(self)

    def close(self) -> None:
        """Close the connection."""
        if self.is_open:
            self.is_open = False
            self.transport.close()


async def closed_loop(port: int, texts: list[str], clients: int, seconds: float, **options: Any) -> Tally:
    """So many clients, each with its next request once the last one is answered."""
    tally, chance, end = Tally(), random.Random(0), time.monotonic() + seconds
    requests = [request("/v1/predict", {"texts": [text], **options}) for text in texts]
    finished: asyncio.Queue[Connection] = asyncio.Queue()

    def go_on(connection: Connection) -> None:
        if connection.is_open and time.monotonic() < end:
            connection.send(chance.choice(requests))
        else:
            finished.put_nowait(connection)

    for connection in [Connection(tally, go_on) for _ in range(clients)]:
        await connection.ask(port, chance.choice(requests))
    left = clients
    while left:
        connection = await finished.get()
        if time.monotonic() < end:
            await connection.ask(port, chance.choice(requests))
        else:
            connection.close()
            left -= 1
    return tally


async def open_loop(port: int, texts: list[str], rate: float, seconds: float, **options: Any) -> Tally:
    """Requests at this rate, whether or not the others are answered; connections are used again."""
    tally, chance = Tally(), random.Random(0)
    requests = [request("/v1/predict", {"texts": [text], **options}) for text in texts]
    free: list[Connection] = []
    connecting: set[asyncio.Task[None]] = set()
    began, asked = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while asked < now * rate:
            connection, asked = free.pop() if free else Connection(tally, free.append), asked + 1
            if connection.is_open:
                connection.send(chance.choice(requests))
            else:
                task = asyncio.create_task(connection.ask(port, chance.choice(requests)))
                connecting.add(task)
                task.add_done_callback(connecting.discard)
        await asyncio.sleep(0.002)
    while connecting or sum(tally.statuses.values()) + tally.broken < asked:
        await asyncio.sleep(0.01)
    for connection in free:
        connection.close()
    return tally


# --- the checks ---


def same(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """Each text in random company, by 32 clients with 1 to 40 texts a request, beside the same text alone."""
    chosen = [random.Random(0).choice(texts) for _ in range(5000)]

    async def in_company() -> list[Any]:
        found: list[Any] = [None] * len(chosen)
        places = iter(range(len(chosen)))

        async def work(seed: int) -> None:
            chance, client = random.Random(seed), Client(port)
            while own := list(islice(places, chance.randint(1, 40))):
                asked, status = {"texts": [chosen[place] for place in own]}, 503
                while status == 503:  # the queue is full: again
                    status, body = await client.ask("/v1/predict", asked)
                for place, each in zip(own, json.loads(body)["results"], strict=True):
                    found[place] = each["answers"][0]

        await asyncio.gather(*map(work, range(32)))
        return found

    async def one_by_one() -> list[Any]:
        client = Client(port)
        return [
            json.loads((await client.ask("/v1/predict", {"texts": [text]}))[1])["results"][0]["answers"][0]
            for text in chosen
        ]

    with service(model, port) as server:
        together = asyncio.run(in_company())
        batches = asyncio.run(server.metric("seq2see_batch_texts_count"))
        alone = asyncio.run(one_by_one())
    with service(model, port, "--batch", "1"):
        each_alone = asyncio.run(in_company())
    pairs = list(zip(together, alone, strict=True))
    return {
        "texts": len(chosen),
        "texts_per_batch": round(len(chosen) / batches, 1),
        "other_texts": sum(one["text"] != other["text"] for one, other in pairs),
        "other_tokens": sum(one["tokens"] != other["tokens"] for one, other in pairs),
        "largest_difference_of_log_prob": max(
            abs(one["log_prob"] - other["log_prob"]) / max(1, abs(other["log_prob"])) for one, other in pairs
        ),
        "other_bits_with_batch_1": sum(one != other for one, other in zip(each_alone, alone, strict=True)),
    }


def speed(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """The service, and a plain handler, one after the other."""
    return beside("plain", [sys.executable, "-c", HANDLER, model, str(port)], model, texts, port)


def translate(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """The service, and a handler around CTranslate2, one after the other; both search greedily in float32."""
    with tempfile.TemporaryDirectory() as folder:
        exported = f"{folder}/model.ctranslate2"
        words = ["export", model, "-o", exported, "--weights", "float32"]
        subprocess.run([sys.executable, "-m", "seq2see", *words], check=True, stdout=sys.stderr)
        handler = [sys.executable, "-c", TRANSLATOR, exported, str(port)]
        return beside("ctranslate2", handler, model, texts, port)


def beside(other: str, command: list[str], model: str, texts: list[str], port: int) -> dict[str, Any]:
    """Rates and latencies of the service, and of another server."""
    found: dict[str, Any] = {}
    for name, server in (("service", lambda: service(model, port)), (other, lambda: started(command, port))):
        with server():
            for clients in (1, 8, 64):
                asyncio.run(closed_loop(port, texts, clients, 2))
                found[f"{name}, {clients} clients"] = asyncio.run(closed_loop(port, texts, clients, 10)).figures(10)
    return found


def overload(model: str, texts: list[str], port: int, seconds: float = 60, beam: int = 1) -> dict[str, Any]:
    """Three times what 64 clients get, which is measured before and afterwards, since other jobs come and go."""

    def capacity() -> dict[str, Any]:
        return asyncio.run(closed_loop(port, texts, 64, 10, beam=beam)).figures(10)

    with service(model, port, "--deadline", "2") as server:
        asyncio.run(closed_loop(port, texts, 64, 5, beam=beam))
        capacities = [capacity()]
        before, rate = server.resident(), 3 * capacities[0]["answered_per_second"]
        figures = asyncio.run(open_loop(port, texts, rate, seconds, beam=beam)).figures(seconds)
        after = server.resident()
        began = time.monotonic()
        while asyncio.run(closed_loop(port, texts, 1, 0.5)).figures(0.5)["p99_ms"] > 100:
            pass
        recovered = time.monotonic() - began - 0.5
        capacities.append(capacity())
    mean = sum(each["answered_per_second"] for each in capacities) / 2
    return {
        "capacity_before_and_after": capacities,
        "requests_per_second": rate,
        "overload": figures,
        "goodput_share": round(figures["answered_per_second"] / mean, 3),
        "memory_mb": [round(before, 1), round(after, 1)],
        "recovered_after_s": round(recovered, 1),
    }


def vanish(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """100 clients ask for much and close their connection half a second later."""
    heavy = {"texts": texts[:20], "beam": 20, "min_length": 200, "max_length": 200}

    async def run() -> dict[str, Any]:
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for _, writer in streams:
            writer.write(request("/v1/predict", heavy))
        await asyncio.sleep(1)
        waiting = await server.metric("seq2see_queue_requests")
        for _, writer in streams:
            writer.transport.abort()
        began = time.monotonic()
        while await server.metric("seq2see_queue_requests"):
            await asyncio.sleep(0.005)
        freed = time.monotonic() - began
        began = time.monotonic()
        status, _ = await Client(port).ask("/v1/predict", {"texts": [texts[0]]})
        return {
            "waiting": waiting,
            "freed_after_ms": round(1000 * freed, 1),
            "next_answer_ms": round(1000 * (time.monotonic() - began), 1),
            "status": status,
        }

    with service(model, port) as server:
        return asyncio.run(run())


def slow(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """8 clients alone, and beside 200 connections whose heads or bodies come byte by byte."""

    async def drip(number: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = request("/v1/predict", {"texts": [texts[0]]})
        start = whole.index(b"\r\n\r\n") + 4 if number % 2 else 0
        writer.write(whole[:start])
        try:
            for byte in whole[start:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
            head = await reader.read(20)
        except OSError:
            return "closed"
        finally:
            writer.close()
        return head[9:12].decode() or "closed"

    async def run() -> dict[str, Any]:
        alone = (await closed_loop(port, texts, 8, 10)).figures(10)
        drips = [asyncio.create_task(drip(number)) for number in range(200)]
        beside = (await closed_loop(port, texts, 8, 10)).figures(10)
        ends = Counter(await asyncio.gather(*drips))
        return {"alone": alone, "beside_slow": beside, "slow_ended": dict(ends)}

    with service(model, port, "--deadline", "10"):
        return asyncio.run(run())


def stop(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """64 clients that begin again with a new connection; a request is lost if it was sent and has no response."""

    async def run() -> Tally:
        tally = Tally()

        async def work(seed: int) -> None:
            chance = random.Random(seed)
            while server.process.poll() is None:
                client = Client(port)
                try:
                    client.streams = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    return
                await tally.time(client.ask("/v1/predict", {"texts": [chance.choice(texts)]}))
                client.close()

        async def end() -> None:
            await asyncio.sleep(5)
            server.process.send_signal(signal.SIGTERM)

        await asyncio.gather(end(), *map(work, range(64)))
        return tally

    with service(model, port, "--drain", "0.5", "--log-format", "json") as server:
        tally = asyncio.run(run())
        code = server.process.wait(30)
        events = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        accepted = sum(each["event"] == "request" and each["path"] == "/v1/predict" for each in events)
        lost = sum(each["event"] == "request" and each["status"] not in (200, 503) for each in events)
    return {"exit_code": code, "accepted": accepted, "accepted_and_lost": lost, **tally.figures(5.5)}


def reload(model: str, texts: list[str], port: int) -> dict[str, Any]:
    """A packed file replaced by a copy of itself, 50 times, and once by a broken one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.seq2see"
        shutil.copy(model, path)

        def replace(content: bytes) -> None:
            path.with_name("new").write_bytes(content)
            os.replace(path.with_name("new"), path)

        async def measured() -> dict[str, Any]:
            tally = Tally()
            is_over = False

            async def work(seed: int) -> None:
                chance, client = random.Random(seed), Client(port)
                while not is_over:
                    await tally.time(client.ask("/v1/predict", {"texts": [chance.choice(texts)]}))

            working = [asyncio.create_task(work(seed)) for seed in range(8)]
            began, content = time.monotonic(), path.read_bytes()
            for number in range(50):
                replace(content)
                while await server.metric('seq2see_reloads_total{model="m",result="loaded"}') <= number:
                    await asyncio.sleep(0.02)
            replace(content[: len(content) // 2])
            while not await server.metric('seq2see_reloads_total{model="m",result="refused"}'):
                await asyncio.sleep(0.02)
            is_over = True
            await asyncio.gather(*working)
            return {"reloads": 50, "refused": 1, **tally.figures(time.monotonic() - began)}

        with service(str(path), port, "--reload-every", "0.05") as server:
            before = server.resident()
            return {**asyncio.run(measured()), "memory_mb": [round(before, 1), round(server.resident(), 1)]}


def fuzz(model: str, texts: list[str], port: int, count: int = 10_000) -> dict[str, Any]:
    """Valid requests with bytes changed, cut, doubled or replaced by what parsers stumble over."""
    pieces = [b"\r\n", b"\n", b"\0", b"\xff\xfe", b"Content-Length: -1\r\n", b"Content-Length: 9999999999999\r\n", b"{"]
    pieces += [b"Transfer-Encoding: chunked\r\n", b"HTTP/9.9", b"HTTP/1.0", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\n"]
    pieces += [b"Content-Type: application/json\r\n", b'"beam": 1e999', b"\\ud800", b"[" * 2_000, b"%00", b"..%2f.."]
    pieces += [b"Host: a\r\nHost: b\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n"]

    def damage(content: bytearray, chance: random.Random) -> bytearray:
        for _ in range(chance.randint(1, 6)):
            place, size = chance.randrange(len(content) + 1), chance.randint(1, 20)
            match chance.randrange(5):
                case 0:
                    content[place:place] = chance.choice(pieces)
                case 1:
                    del content[place : place + size]
                case 2:
                    content[place : place + size] = chance.randbytes(size)
                case 3:
                    content[place:place] = content[max(0, place - size) : place]
                case 4:
                    content = content[: max(1, place)]
        return content

    def damaged(chance: random.Random) -> bytes:
        options = chance.choice([{}, {"beam": 3}, {"sample": True}, {"glossary": {"a": "b"}}, {"prefix": ["1"]}])
        paths = ["/v1/predict", "/v1/score", "/v1/stream", "/v1/models", "/metrics", "/health/live", "/"]
        content = {"texts": [chance.choice(texts)], **options}
        if chance.random() < 0.5:  # the body alone, whose length is right
            return request(chance.choice(paths[:3]), damage(bytearray(json.dumps(content).encode()), chance))
        return bytes(damage(bytearray(request(chance.choice(paths), content)), chance))

    async def run() -> Counter[str]:
        found: Counter[str] = Counter()
        numbers = iter(range(count))

        async def work() -> None:
            for number in numbers:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(damaged(random.Random(number)))
                    answer = await asyncio.wait_for(reader.read(1_000), 15)
                    found[answer[9:12].decode(errors="replace") or "closed"] += 1
                    assert b"Traceback" not in answer, number
                except TimeoutError:
                    found["no answer in 15 s"] += 1
                except OSError:
                    found["closed"] += 1
                finally:
                    writer.close()

        await asyncio.gather(*(work() for _ in range(256)))
        return found

    with service(model, port, "--deadline", "2") as server:
        found = asyncio.run(run())
        status, _ = asyncio.run(Client(port).ask("/v1/predict", {"texts": [texts[0]]}))
        log = server.log.read_text()
        return {
            "requests": count,
            "ends": dict(found.most_common()),
            "tracebacks_in_log": log.count("Traceback"),
            "answers_after": status == 200,
            "open_files_after": server.num_files(),
        }


CHECKS: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (same, speed, translate, overload, vanish, slow, stop, reload, fuzz)
}


def main() -> None:
    """Run a check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("model")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--amount", type=float, help="seconds of overload, requests of fuzz")
    parser.add_argument("--beam", type=int, default=1, help="of the requests of overload")
    chosen = parser.parse_args()
    texts = [line.split("\t")[0] for line in chosen.texts.read_text(encoding="utf-8").splitlines()]
    amount = () if chosen.amount is None else (int(chosen.amount) if chosen.check == "fuzz" else chosen.amount,)
    more = {"beam": chosen.beam} if chosen.check == "overload" else {}
    print(json.dumps(CHECKS[chosen.check](chosen.model, texts, chosen.port, *amount, **more), indent=1))


if __name__ == "__main__":
    main()
