"""The verb that serves trained models over HTTP: serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: F401 (as below)
from typing import Annotated

from cyclopts import Parameter
from msgspec import Meta  # noqa: F401 (as below)

from seq2see.commands.boxes import ACCESS, COMPUTING, LIMITS, LISTENING, LOG, boxed
from seq2see.errors import ConfigError, UserError
from seq2see.inference.options import Count, EngineName  # noqa: F401 (as below)
from seq2see.serving.options import (  # noqa: F401 (the command line resolves inherited annotations in this module)
    Names,
    Pause,
    Seconds,
    ServiceOptions,
    Size,
)


@dataclass(frozen=True)
@boxed(LISTENING, "host", "port", "root_path", "workers", "grace", "drain", "reload_every")
@boxed(LIMITS, "max_queue", "max_queued_tokens", "deadline", "max_body", "max_texts", "max_characters")
@boxed(LIMITS, "max_hypotheses", "max_answer")
@boxed(ACCESS, "api_key_file", "cors", "allow_host")
@boxed(LOG, "log_format", "log_texts")
@boxed(COMPUTING, "batch")
class ServiceFlags(ServiceOptions):
    """`ServiceOptions`, each a flag of its own."""

    engine: Annotated[
        EngineName,
        Parameter(
            group=COMPUTING,
            help="What computes, on the CPU. The answers are the same, but for torch-bfloat16, which is faster for "
            "many texts and rounds.",
        ),
    ] = "numpy"


def serve(
    *models: Annotated[
        str, Parameter(help="Run folders, model/ folders or packed files, each also as name=path; at least one.")
    ],
    options: Annotated[ServiceFlags, Parameter(name="*")] = ServiceFlags(),
) -> int:
    """Serve trained models over HTTP: answers, scores, streams of tokens, health and metrics.

    Each model has the name of its folder or file. Requests that wait together are answered together. A model file that
    is replaced is loaded and tried beside the old model, and takes over. SIGTERM and Ctrl-C let accepted requests be
    answered, then the exit code is 0.
    """
    from seq2see.serving.models import named

    if not models:
        raise ConfigError("needs a model", where="seq2see serve", fix="name one, such as: seq2see serve runs/pairs")
    paths = named(models)
    try:
        from seq2see.serving.server import serve as serve_all
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "httptools", "prometheus_client"):
            raise
        raise UserError(f"seq2see serve needs {error.name}", fix='pip install "seq2see[serve]"') from None
    return serve_all(paths, options)
