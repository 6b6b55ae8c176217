"""The OpenAPI document of a service, made from the same options that the command and the Python API have."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args

import msgspec
from docstring_parser import parse_from_object

from seq2see.inference.checking import hints_of
from seq2see.inference.glossary import Glossary
from seq2see.inference.options import MAX_SEED, PER_TEXT, BatchOptions, GenerationOptions
from seq2see.search import Fate
from seq2see.serving.options import ServiceOptions
from seq2see.serving.problems import MEDIA_TYPE
from seq2see.version import __version__

NUMBER = {"type": ["number", "null"], "description": "In nats; null for minus infinity, and without an answer."}
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}

PROBLEM = {
    "type": "object",
    "description": "Why there is no answer (RFC 9457).",
    "required": ["status", "title", "detail", "request_id"],
    "properties": {
        "status": {"type": "integer"},
        "title": TEXT,
        "detail": {**TEXT, "description": "What is wrong, with the range that is allowed."},
        "where": {**TEXT, "description": "Its place in the JSON ($.texts[1]), or the header."},
        "fix": {**TEXT, "description": "What to do."},
        "request_id": TEXT,
    },
    "additionalProperties": False,
}
STATUS = {
    400: "Not HTTP or JSON, or an unknown host name.",
    401: "The API key is missing or unknown.",
    404: "There is no such model or path; `fix` has the nearest name.",
    405: "The path has another method; see the header Allow.",
    408: "The body did not arrive in time.",
    413: "More bytes, texts or characters than the service takes.",
    415: "The body must be application/json in UTF-8.",
    422: "Something in the JSON is invalid; `where` is its place.",
    503: "The queue is full, or the service stops; see the header Retry-After.",
    504: "There was no answer before the deadline.",
}
OF_POST = (400, 401, 404, 408, 413, 415, 422, 503, 504)


def document(options: ServiceOptions) -> dict[str, Any]:
    """The document (OpenAPI 3.1)."""
    needs_key: list[dict[str, list[str]]] = [{"key": []}] if options.api_key_file is not None else []
    predict = {"$ref": "#/components/schemas/Predict"}
    score = {"$ref": "#/components/schemas/Score"}
    answers = {"$ref": "#/components/schemas/Answers"}
    paths = {
        "/v1/predict": {"post": post("predict", "Answer one text or many", predict, answers, OF_POST)},
        "/v1/score": {
            "post": post(
                "score", "Log-probabilities of given targets", score, {"$ref": "#/components/schemas/Scores"}, OF_POST
            )
        },
        "/v1/stream": {
            "post": post(
                "stream",
                "The same as predict, as server-sent events: token (greedy search and sampling), answer, notes, "
                "error, done",
                predict,
                EVENT,
                OF_POST,
                media="text/event-stream",
            )
        },
        "/v1/models": {"get": get("models", "The models by name", {"$ref": "#/components/schemas/Models"}, (400, 401))},
        "/health/live": {"get": get("live", "Whether the service works", STATE, (503,))},
        "/health/ready": {"get": get("ready", "Whether to send requests here", STATE, (503,))},
        "/metrics": {"get": get("metrics", "Counts for Prometheus", TEXT, (400, 401), media="text/plain")},
        "/openapi.json": {"get": get("openapi", "This document", {"type": "object"}, (400,))},
    }
    for path, operations in paths.items():
        if needs_key and path.startswith(("/v1", "/metrics")):
            for operation in operations.values():
                operation["security"] = needs_key
    schemes = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Seq2See", "version": __version__, "description": "Answers of trained seq2seq models."},
        **({"servers": [{"url": options.root_path}]} if options.root_path else {}),
        "paths": paths,
        "components": {
            "schemas": {
                "Problem": PROBLEM,
                "Predict": predict_schema(options),
                "Score": score_schema(options),
                "Answers": of_model({"type": "array", "items": RESULT}),
                "Scores": of_model({"type": "array", "items": SCORE}),
                "Models": closed({"models": {"type": "array", "items": MODEL}}),
            },
            **({"securitySchemes": schemes} if needs_key else {}),
        },
    }


def closed(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The schema of an object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def of_model(results: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a model has answered."""
    notes = {**TEXTS, "description": "What of the texts is unlike the training data."}
    return closed({"model": TEXT, "version": TEXT, "results": results, "notes": notes})


EVENT = {
    **closed({"event": {"enum": ["token", "answer", "notes", "error", "done"]}, "data": TEXT}),
    "description": "Of each event; its data is an object of JSON.",
}
STATE = closed({"status": {"const": "ok"}})
ATTENTION = {
    **closed({"source": TEXTS, "target": TEXTS, "weights": {"type": "array", "items": {"type": "array"}}}),
    "description": "A row per target token, a column per source token; each row sums to 1.",
}
CHOICE = {
    **closed({"token": TEXT, "log_prob": {"type": "number"}, "text": TEXT}),
    "description": "A token that could stand here, and the answer up to it: as `prefix`, it continues from there.",
}
CONSIDERED = {
    **closed(
        {
            "token": {**TEXT, "description": "The last token of the hypothesis."},
            "parent": {
                "type": ["integer", "null"],
                "description": "The index of the hypothesis that it continues, in the list of the step before.",
            },
            "log_prob": {"type": "number"},
            "score": {"type": "number", "description": "What it would be ranked by if it ended here."},
            "fate": {"enum": list(get_args(Fate))},
        }
    ),
    "description": "A hypothesis, and what became of it: the next step continued it (kept), it has ended (finished), "
    "others were better (pruned), or the search was over (stopped).",
}
ANSWER = closed(
    {
        "text": TEXT,
        "log_prob": NUMBER,
        "score": NUMBER,
        "finished": {"type": "boolean", "description": "False if it was cut off at the maximum length."},
        "tokens": TEXTS,
        "token_log_probs": {"type": "array", "items": {"type": ["number", "null"]}},
        "top_tokens": {"type": "array", "items": {"type": "array", "items": CHOICE}},
        "beam_steps": {
            "type": "array",
            "items": {"type": "array", "items": CONSIDERED},
            "description": "Of the first answer to a text: what each step of the search considered.",
        },
        "attention": ATTENTION,
        "error": {**TEXT, "description": "Why there is no answer, for a text that can't be read."},
    },
    optional=("top_tokens", "beam_steps", "attention", "error"),
)
RESULT = closed({"source": TEXT, "answers": {"type": "array", "items": ANSWER, "description": "The best first."}})
SCORE = closed(
    {
        "log_prob": NUMBER,
        "score": NUMBER,
        "num_tokens": {"type": "integer"},
        "unknown": TEXTS,
        "log_prob_of_others": {"type": "number"},
        "error": TEXT,
    },
    optional=("log_prob_of_others", "error"),
)
CODEC = closed({"unit": TEXT, "tokens": {"type": "integer"}})
MODEL = closed(
    {
        "name": TEXT,
        "version": TEXT,
        "loaded": {**TEXT, "format": "date-time"},
        "architecture": TEXT,
        "parameters": {"type": "integer"},
        "source": {"anyOf": [CODEC, {"type": "null"}]},
        "target": CODEC,
        "has_attention": {"type": "boolean"},
        "max_length": {"type": "integer"},
        "examples": {**TEXTS, "description": "Texts to try, from the model card."},
        "refused": {"type": ["string", "null"], "description": "Why the present file does not serve."},
    }
)


def get(name: str, summary: str, content: Any, statuses: tuple[int, ...], media: str = "application/json") -> Any:
    """An operation without a body."""
    answered = {"description": "The answer.", "content": {media: {"schema": content}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answered, **problems((*statuses, 405))}}


def post(name: str, summary: str, body: Any, content: Any, statuses: tuple[int, ...], **more: str) -> Any:
    """An operation with a body of JSON."""
    taken = {"required": True, "content": {"application/json": {"schema": body}}}
    return {**get(name, summary, content, statuses, **more), "requestBody": taken}


def problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    """The responses that are no answers."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    waits = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return {
        str(status): {
            "description": STATUS[status],
            "content": content,
            **({"headers": waits} if status == 503 else {}),
        }
        for status in sorted(statuses)
    }


def predict_schema(options: ServiceOptions) -> dict[str, Any]:
    """The body of predict and stream."""
    text = {"type": "string", "maxLength": options.max_characters}
    each = {"anyOf": [text, COLUMNS]}
    texts = {"type": "array", "items": each, "minItems": 1, "maxItems": options.max_texts}
    attention = {"type": "boolean", "default": False, "description": "Give the attention weights of each answer."}
    own = {
        "texts": {"anyOf": [text, texts], "description": "A text, or a list of them."},
        "model": MODEL_NAME,
        "attention": attention,
        "deadline": deadline(options),
    }
    return {**closed({**own, **search_properties(options)}), "required": ["texts"]}


def score_schema(options: ServiceOptions) -> dict[str, Any]:
    """The body of score."""
    text = {"type": "string", "maxLength": options.max_characters, "minLength": 1, "pattern": r"\S"}
    pair = closed({"source": {"anyOf": [text, COLUMNS]}, "target": text}, optional=("source",))
    pairs = {"type": "array", "items": pair, "minItems": 1, "maxItems": options.max_texts}
    own = {"pairs": pairs, "model": MODEL_NAME, "deadline": deadline(options), **option_properties(BatchOptions)}
    return {**closed(own), "required": ["pairs"]}


COLUMNS = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[^\\t]*$"},
    "minItems": 1,
    "description": "The columns of a text of several, in their order.",
}
MODEL_NAME = {"type": ["string", "null"], "description": "Its name; may be left out if there is only one."}


def deadline(options: ServiceOptions) -> dict[str, Any]:
    """The schema of a deadline."""
    return {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "maximum": options.deadline,
        "description": f"Seconds after which the request fails; by default {options.deadline:g}.",
    }


def search_properties(options: ServiceOptions) -> dict[str, Any]:
    """The options of a search: of `Constraints` also one value per text."""
    found = option_properties(GenerationOptions)
    for name in ("beam", "n_best", "mbr_samples"):
        found[name]["maximum"] = min(options.max_hypotheses, found[name]["maximum"])
    found["seed"]["maximum"] = MAX_SEED
    for name in PER_TEXT:
        shared = {key: value for key, value in found[name].items() if key not in ("description", "default")}
        if name in ("min_length", "max_length"):
            shared["anyOf"][0]["maximum"] = options.max_answer
        own = {"anyOf": [shared, {"type": "null"}]}
        found[name] = {
            "description": f"{found[name]['description']} One value, or a list with one per text.",
            "anyOf": [shared, {"type": "array", "items": own, "maxItems": options.max_texts}],
        }
    found["glossary"] |= {
        "anyOf": [{"type": "object", "additionalProperties": {**TEXT, "minLength": 1}}, {"type": "null"}]
    }
    return found


def option_properties(kind: type) -> dict[str, Any]:
    """The schema of each field of a class of options, with its description and default."""
    parents = [each for each in kind.__mro__ if is_dataclass(each)]
    texts = {
        each.arg_name: " ".join((each.description or "").split())
        for parent in parents
        for each in parse_from_object(parent).params
    }
    defaults = {field.name: field.default for field in fields(kind)}
    found = {}
    for name, hint in hints_of(kind).items():
        schema = {} if hint == Glossary | None else msgspec.json.schema(hint)
        default = {} if defaults[name] in (None, ()) else {"default": defaults[name]}
        found[name] = {**schema, "description": texts.get(name, ""), **default}
    return found
