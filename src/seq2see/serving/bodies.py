"""What comes in: the JSON of a request, held to the limits of the service before anything is computed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from seq2see.data import Pair
from seq2see.data.pairs import joined_columns
from seq2see.errors import ConfigError, did_you_mean
from seq2see.inference.checking import as_json, require_type, values_in_json
from seq2see.inference.options import BatchOptions, GenerationOptions
from seq2see.printable import has_surrogates
from seq2see.serving.options import ServiceOptions
from seq2see.serving.problems import ProblemError
from seq2see.usual_names import name_here

SEARCH_OPTIONS = tuple(field.name for field in fields(GenerationOptions))
MBR_SAMPLES = GenerationOptions().mbr_samples
SCORE_OPTIONS = tuple(field.name for field in fields(BatchOptions))
OF_PREDICT = ("texts", "model", "attention", "deadline")
OF_SCORE = ("pairs", "model", "deadline")
STILL_READ = 16
"""A body up to this many times too large is read to its end, and forgotten."""


async def read_object(request: Request, known: Collection[str], options: ServiceOptions) -> tuple[dict[str, Any], int]:
    """The JSON object of a request, whose keys are among those known, and its size in bytes.

    ProblemError 415 for another content type, 413 for too many bytes, 408 if they don't arrive in time, 400 for what is
    no JSON, 422 for what is no such object.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        what = f"must be application/json in UTF-8, not {request.headers.get('content-type', 'missing')!r:.100}"
        raise ProblemError(415, what, where="Content-Type", fix="send Content-Type: application/json")
    if coding := request.headers.get("content-encoding", "").strip():
        fix = "send the body as it is"
        raise ProblemError(415, f"must be absent, not {coding!r:.100}", where="Content-Encoding", fix=fix)
    try:
        async with asyncio.timeout(options.deadline):
            body = await read_bytes(request, options.max_body)
    except TimeoutError:
        what = f"the body did not arrive within {options.deadline:g} s"
        raise ProblemError(408, what, fix="send it faster", headers={"Connection": "close"}) from None
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(400, f"is not JSON: {error}", where="$", fix="send a JSON object") from None
    if not isinstance(content, dict):
        raise ProblemError(422, f"must be an object, not {as_json(content):.80}", where="$", fix='send {"texts": […]}')
    for name in content:
        if name not in known:
            where = f"$.{name:.80}"
            raise ProblemError(422, "unknown key", where=where, fix=name_here(name, known))
    return content, len(body)


async def read_bytes(request: Request, most: int) -> bytes:
    """The body. ProblemError 413 if it is larger: at once if it says so."""
    said = request.headers.get("content-length", "")
    length = int(said[:20]) if said.isascii() and said.isdecimal() else None
    # A client that still sends would not see the response if the connection were closed; one that sends far too much
    # is not worth the bytes.
    closes = {} if length is not None and length <= STILL_READ * most else {"Connection": "close"}
    what, fix = f"must have at most {most:,} bytes", "send fewer texts per request"
    too_large = ProblemError(413, what, where="the body", fix=fix, headers=closes)
    if length is not None and length > most:
        raise too_large
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_large
            parts.append(part)
    except ClientDisconnect:
        raise ProblemError(400, "the body is incomplete") from None
    return b"".join(parts)


def texts_in(content: Mapping[str, Any], options: ServiceOptions) -> list[str]:
    """The texts of a request to predict."""
    if "texts" not in content:
        raise ProblemError(422, "is missing", where="$.texts", fix='give "texts": a text, or a list of them')
    given = content["texts"]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list):
        fix = 'give "texts": a text, or a list of them'
        what = f"must be a text or a list of texts, not {as_json(given):.80}"
        raise ProblemError(422, what, where="$.texts", fix=fix)
    require_number(texts, "texts", options.max_texts)
    found = []
    for place, text in enumerate(texts):
        where = "$.texts" if isinstance(given, str) else f"$.texts[{place}]"
        found.append(columns_in(text, where) if isinstance(text, list) else text)
        require_text(found[-1], where, options.max_characters)
    return found


def columns_in(columns: list[Any], where: str) -> str:
    """A text of several columns, as the model reads it. ProblemError 422 for another list."""
    if (text := joined_columns(columns)) is None:
        what = f"must be a text, or a list of its columns, not {as_json(columns):.80}"
        raise ProblemError(422, what, where=where, fix='give a text, or its columns: ["walk", "V;PST"]')
    return text


def pairs_in(content: Mapping[str, Any], options: ServiceOptions, *, has_source: bool) -> list[Pair]:
    """The pairs of a request to score."""
    example = '{"source": "a", "target": "b"}' if has_source else '{"target": "b"}'
    given = content.get("pairs")
    if not isinstance(given, list):
        what = "is missing" if "pairs" not in content else f"must be a list of pairs, not {as_json(given):.80}"
        raise ProblemError(422, what, where="$.pairs", fix=f'give "pairs": [{example}]')
    require_number(given, "pairs", options.max_texts)
    pairs = []
    for place, each in enumerate(given):
        where = f"$.pairs[{place}]"
        if not isinstance(each, dict):
            raise ProblemError(422, f"must be an object, not {as_json(each):.80}", where=where, fix=f"give {example}")
        for name in each:
            if name not in ("source", "target"):
                fix = did_you_mean(name, ("source", "target"))
                raise ProblemError(422, "unknown key", where=f"{where}.{name:.80}", fix=fix)
        if isinstance(each.get("source"), list):
            each = {**each, "source": columns_in(each["source"], f"{where}.source")}
        for name in ("source", "target") if has_source else ("target",):
            if name not in each:
                raise ProblemError(422, "is missing", where=f"{where}.{name}", fix=f"give {example}")
            require_text(each[name], f"{where}.{name}", options.max_characters)
            if not each[name].strip():
                raise ProblemError(422, "must not be blank", where=f"{where}.{name}", fix=f"give {example}")
        if not has_source and each.get("source", "") != "":
            what = "must be absent for a language model, which has no source"
            raise ProblemError(422, what, where=f"{where}.source", fix="leave it out")
        pairs.append(Pair(each["source"] if has_source else "", each["target"], ""))
    return pairs


def require_number(items: list[Any], name: str, most: int) -> None:
    """ProblemError 422 for none, and 413 for too many."""
    if not items:
        raise ProblemError(422, "must have at least one", where=f"$.{name}", fix="give one")
    if len(items) > most:
        what = f"must be at most {most:,}, not {len(items):,}"
        raise ProblemError(413, what, where=f"$.{name}", fix="send them in several requests")


def require_text(text: Any, where: str, most: int) -> None:
    """ProblemError 422 for what is no text, and 413 for one that is too long."""
    if not isinstance(text, str):
        what = f"must be a text, not {as_json(text):.80}"
        raise ProblemError(422, what, where=where, fix="give a text in quotation marks")
    if len(text) > most:
        what = f"must have at most {most:,} characters, not {len(text):,}"
        raise ProblemError(413, what, where=where, fix="shorten it")
    if not text.isascii() and has_surrogates(text):
        raise ProblemError(422, "has half of a surrogate pair", where=where, fix="send valid UTF-8")


def search_options(content: Mapping[str, Any], texts: Sequence[str], options: ServiceOptions) -> dict[str, Any]:
    """The options of `predict` in a request about these texts, within the limits of the service.

    Nothing that a request says names a file: terms of a glossary are given as an object.
    """
    own = {name: content[name] for name in SEARCH_OPTIONS if name in content}
    glossary = own.get("glossary")
    if glossary is not None and not isinstance(glossary, dict):
        fix = 'give "glossary": {"term": "its translation"}'
        raise ProblemError(422, "must be an object of terms and their translations", where="$.glossary", fix=fix)
    most = options.max_hypotheses
    beam, n_best = (value if type(value := own.get(name, 1)) is int else 1 for name in ("beam", "n_best"))
    if beam * n_best > most:
        what = f"beam times n_best must be at most {most:,}, not {beam * n_best:,}"
        raise ProblemError(422, what, where="$.beam, $.n_best", fix="ask for less")
    listed = value if type(value := own.get("top_tokens", 0)) is int else 0
    if listed * n_best > most:
        what = f"top_tokens times n_best must be at most {most:,}, not {listed * n_best:,}"
        raise ProblemError(422, what, where="$.top_tokens, $.n_best", fix="ask for less")
    if own.get("beam_steps") is True and beam * len(texts) > most:
        what = f"beam times texts must be at most {most:,} with beam_steps, not {beam * len(texts):,}"
        fix = "send fewer texts per request, or use a narrower beam"
        raise ProblemError(422, what, where="$.beam, $.texts", fix=fix)
    samples = own.get("mbr_samples", MBR_SAMPLES) if own.get("mbr") and own.get("sample") else 0
    if type(samples) is int and samples > most:
        what = f"must be at most {most:,}, not {samples:,}"
        raise ProblemError(422, what, where="$.mbr_samples", fix="ask for less")
    for name in ("min_length", "max_length"):
        values = own.get(name)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int | float) and value > options.max_answer:
                what = f"must be at most {options.max_answer:,}, not {value:,}"
                raise ProblemError(422, what, where=f"$.{name}", fix="ask for less")
    return own


def deadline_in(content: Mapping[str, Any], options: ServiceOptions) -> float:
    """The seconds after which the request has failed."""
    given = content.get("deadline")
    if given is None:
        return options.deadline
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= options.deadline:
        what = f"must be seconds above 0 and at most {options.deadline:g}, not {as_json(given):.80}"
        raise ProblemError(422, what, where="$.deadline", fix="leave it out")
    return float(given)


def attention_in(content: Mapping[str, Any]) -> bool:
    """Whether attention weights are asked for."""
    try:
        with values_in_json():
            return bool(require_type("attention", content.get("attention", False), bool))
    except ConfigError as error:
        raise ProblemError(422, error.what, where="$.attention", fix="give true or false") from None
