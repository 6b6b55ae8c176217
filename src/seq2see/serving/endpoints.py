"""What a service answers to: predict, score, stream, models, health, metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from seq2see.errors import UserError
from seq2see.inference.apart import Questions, pairs_apart, questions_of
from seq2see.inference.checking import values_in_json
from seq2see.inference.formats import as_object, score_object
from seq2see.inference.options import BatchOptions
from seq2see.inference.results import Prediction
from seq2see.serving.batching import Answered, Chosen, DeadlineError, Event
from seq2see.serving.bodies import (
    OF_PREDICT,
    OF_SCORE,
    SCORE_OPTIONS,
    SEARCH_OPTIONS,
    attention_in,
    deadline_in,
    pairs_in,
    read_object,
    search_options,
    texts_in,
)
from seq2see.serving.metrics import CONTENT_TYPE_LATEST
from seq2see.serving.models import Served
from seq2see.serving.problems import ProblemError, of_user_error
from seq2see.serving.service import ClientGoneError, Service, gone
from seq2see.serving.work import Answering, Scoring

Read = TypeVar("Read")

FEW, SMALL = 4, 2_000
"""Texts and bytes of a request that is read in the event loop: handing it to a thread would take longer."""
SLOW_TO_READ = frozenset({"placeholders", "glossary"})
"""Options with which even a small request may take long to read."""
KEEP_ALIVE = 15.0
"""Seconds without an event after which a stream sends a comment, so that no proxy ends it."""


class Asked(NamedTuple):
    """A request to predict, read and checked."""

    served: Served
    texts: list[str]
    questions: Questions
    work: Answering
    deadline: float
    """By the monotonic clock."""


class Endpoints:
    """The endpoints of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def predict(self, request: Request) -> Response:
        """Answers to one text or many."""
        asked = await self.read_predict(request)
        predictions = await self.results(request, asked.work, asked.questions.each, asked.deadline)
        self.service.metrics.texts.labels(asked.served.name).inc(len(asked.texts))
        attention, answered = asked.work.with_attention, zip(asked.texts, predictions, strict=True)
        results = [result(text, prediction, attention=attention) for text, prediction in answered]
        return as_json({**head(asked.served), "results": results, "notes": asked.questions.notes})

    async def score(self, request: Request) -> Response:
        """The log-probabilities of given targets."""
        options = self.service.options
        content, size = await read_object(request, (*OF_SCORE, *SCORE_OPTIONS), options)
        served = self.service.models.find(content.get("model"))
        deadline = time.monotonic() + deadline_in(content, options)
        pairs = pairs_in(content, options, has_source=served.model.source_codec is not None)
        served.require_readable([pair.source for pair in pairs], lambda row: f"$.pairs[{row}].source")
        self.note(request, served, [f"{pair.source}\t{pair.target}" for pair in pairs])
        own = {name: content[name] for name in SCORE_OPTIONS if name in content}
        each, notes = await self.reading(
            lambda go_on: pairs_apart(served.model, pairs, BatchOptions(**own), go_on),
            deadline,
            is_quick=len(pairs) <= FEW and size <= SMALL,
        )
        scores = await self.results(request, Scoring(served.snapshot), each, deadline)
        self.service.metrics.texts.labels(served.name).inc(len(pairs))
        return as_json({**head(served), "results": [score_object(score) for score in scores], "notes": notes})

    async def stream(self, request: Request) -> Response:
        """Tokens and answers as they are found, as server-sent events."""
        asked = await self.read_predict(request)
        is_token_by_token = asked.questions.options.num_candidates == 1
        events: asyncio.Queue[Event] = asyncio.Queue()
        ticket = self.service.ticket(
            asked.work, asked.questions.each, asked.deadline, events.put_nowait, wants_tokens=is_token_by_token
        )
        self.service.submit(ticket)

        async def stop() -> None:
            self.service.batcher.cancel(ticket)
            self.service.show_queue()

        return EventStream(self.service, asked, events, stop, request.state.request_id)

    async def models(self, request: Request) -> Response:
        """The models by name."""
        models = self.service.models
        found = [{**served.facts(), "refused": models.refusal(served.name) or None} for served in models]
        return as_json({"models": found})

    async def live(self, request: Request) -> Response:
        """Whether the process works; if not, it has to be started again."""
        if not self.service.is_alive:
            raise ProblemError(503, "a thread of the service has ended", fix="start the process again")
        return as_json({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Whether to send requests here."""
        if not self.service.is_ready:
            what = "the service stops" if self.service.is_draining else "no worker is running"
            raise ProblemError(503, what, fix="ask another replica", headers={"Retry-After": "1"})
        return as_json({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """The counts, for Prometheus."""
        self.service.show_queue()
        return Response(self.service.metrics.exposed(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    # --- inside ---

    async def read_predict(self, request: Request) -> Asked:
        """The texts of a request and what is asked of them."""
        options = self.service.options
        content, size = await read_object(request, (*OF_PREDICT, *SEARCH_OPTIONS), options)
        served = self.service.models.find(content.get("model"))
        deadline = time.monotonic() + deadline_in(content, options)
        texts, with_attention = texts_in(content, options), attention_in(content)
        is_one_text = isinstance(content["texts"], str)
        served.require_readable(texts, lambda row: "$.texts" if is_one_text else f"$.texts[{row}]")
        if with_attention and not served.model.has_attention:
            raise ProblemError(422, "needs a model with attention", where="$.attention", fix="leave it out")
        self.note(request, served, texts)
        arguments = search_options(content, texts, options)
        questions = await self.reading(
            lambda go_on: questions_of(served.model, texts, arguments, go_on),
            deadline,
            is_quick=len(texts) <= FEW and size <= SMALL and SLOW_TO_READ.isdisjoint(arguments),
            is_one_text=is_one_text,
        )
        require_answer_length(questions, options.max_answer)
        work = Answering.of(served.snapshot, questions.options, with_attention=with_attention)
        return Asked(served, texts, questions, work, deadline)

    def note(self, request: Request, served: Served, texts: Sequence[str]) -> None:
        """What the log says of a request: its texts only if that is asked for."""
        request.state.fields.update({"model": served.name, "texts": len(texts)})
        if self.service.options.log_texts:
            request.state.fields["content"] = texts

    async def reading(
        self,
        read: Callable[[Callable[[], None]], Read],
        deadline: float,
        *,
        is_quick: bool,
        is_one_text: bool = False,
    ) -> Read:
        """What `read` makes of a request, beside the event loop unless it is quick. ProblemError for a mistake."""

        def go_on() -> None:
            if time.monotonic() >= deadline:
                raise self.service.problem_of(DeadlineError())

        def read_json() -> Read:
            with values_in_json():
                return read(go_on)

        try:
            if is_quick:
                return read_json()
            return await asyncio.get_running_loop().run_in_executor(self.service.reader, read_json)
        except UserError as error:
            raise of_user_error(error, is_one_text=is_one_text) from None

    async def results(self, request: Request, work: Any, items: Sequence[Any], deadline: float) -> list[Any]:
        """The result of each item; the response of a client that has gone is nobody's."""
        try:
            return await self.service.results(work, items, deadline, request.receive)
        except ClientGoneError:
            request.scope["state"]["is_gone"] = True
            raise ProblemError(408, "the client has gone") from None


class EventStream(Response):
    """Server-sent events: token, answer, notes, error; each with one object of JSON, and `done` at the end."""

    media_type = "text/event-stream"

    def __init__(
        self,
        service: Service,
        asked: Asked,
        events: asyncio.Queue[Event],
        stop: Callable[[], Any],
        request_id: str,
    ) -> None:
        self.service = service
        self.asked = asked
        self.events = events
        self.stop = stop
        self.request_id = request_id
        self.status_code = 200
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the last one, or until the client has gone."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        sending = asyncio.ensure_future(self.send_all(send, headers))
        leaving = asyncio.ensure_future(gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                scope["state"]["is_gone"] = True
                self.service.metrics.given_up.labels("client gone").inc()
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await self.stop()
        if sending.done() and not sending.cancelled():
            try:
                sending.result()
            except TimeoutError:  # the client is there, and doesn't read
                scope["state"]["is_gone"] = True

    async def send_all(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        """The response."""
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self.parts():
            await asyncio.wait_for(
                send({"type": "http.response.body", "body": part, "more_body": True}), self.service.options.deadline
            )
        await send({"type": "http.response.body", "body": b""})

    async def parts(self) -> AsyncIterator[bytes]:
        """The events as bytes."""
        asked, left = self.asked, len(self.asked.texts)
        codec = asked.served.model.target_codec
        ids: dict[int, list[int]] = {}
        if asked.questions.notes:
            yield event("notes", {"notes": asked.questions.notes})
        while left:
            try:
                found = await self.next_event()
            except TimeoutError:
                yield b": still computing\n\n"
                continue
            if isinstance(found, Chosen):
                if found.id == codec.step:  # of a transducer, no token
                    continue
                own = ids.setdefault(found.item, [])
                own.append(found.id)
                question = asked.questions.each[found.item]
                text = codec.decode(own, after=question.prompt(0))
                (token,) = codec.tokens([found.id])
                said = {"index": found.item, "token": token, "log_prob": found.log_prob, "text": text}
                yield event("token", said)
            elif isinstance(found, Answered):
                left -= 1
                self.service.metrics.texts.labels(asked.served.name).inc()
                own_result = result(asked.texts[found.item], found.result, attention=asked.work.with_attention)
                yield event("answer", {"index": found.item, **own_result})
            else:
                problem = self.service.problem_of(found)
                if not isinstance(problem, ProblemError):
                    raise problem
                yield event("error", problem.content(self.request_id))
                return
        yield event("done", head(asked.served))

    async def next_event(self) -> Event:
        """The next event: TimeoutError if there is none for a while, DeadlineError as an event at the deadline."""
        left = self.asked.deadline - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, KEEP_ALIVE))):
                return await self.events.get()
        except TimeoutError:
            if left > KEEP_ALIVE:
                raise
            return DeadlineError()


def require_answer_length(questions: Questions, most: int) -> None:
    """ProblemError for a text whose answer would have more tokens than the service gives, by `min_ratio`."""
    ratio = questions.options.min_ratio or 0
    for row, question in enumerate(questions.each):
        length = ratio * int(question.read.examples.source_lengths.sum())
        if length > most:
            what = f"asks for {length:,.0f} tokens of text {row + 1}, and an answer has at most {most:,}"
            raise ProblemError(422, what, where="$.min_ratio", fix="ask for less")


def head(served: Served) -> dict[str, str]:
    """Which model has answered."""
    return {"model": served.name, "version": served.version}


def result(text: str, prediction: Prediction, *, attention: bool) -> dict[str, Any]:
    """The answers to a text, best first; of one without an answer why."""
    answers = [as_object(answer, "json" if attention else None) for answer in prediction.all]
    return {"source": text, "answers": answers}


def event(name: str, content: Mapping[str, Any]) -> bytes:
    """A server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(content) + b"\n\n"


def as_json(content: Any) -> Response:
    """A response of JSON."""
    return Response(msgspec.json.encode(content), media_type="application/json")
