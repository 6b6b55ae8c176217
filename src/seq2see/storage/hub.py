"""Models of the Hugging Face Hub: `hf://owner/name` is downloaded once, into the cache of huggingface_hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2see.errors import CheckpointError, ConfigError, UserError
from seq2see.storage.saved_model import MODEL_FILES
from seq2see.version import __version__

SCHEME = "hf:"
REPOSITORY = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"


def fetched(path: Path) -> Path:
    """The path; for `hf://owner/name` or `hf://owner/name@revision` the folder in which its model was stored.

    CheckpointError if the hub doesn't give it, ConfigError for another form, UserError without huggingface_hub.
    """
    if path.parts[:1] != (SCHEME,):
        return path
    name = path.as_posix().removeprefix(SCHEME).lstrip("/")
    match = re.fullmatch(rf"({REPOSITORY})(?:@([\w./-]+))?", name)
    if match is None:
        fix = "name the owner, the model and, if you like, a branch, tag or commit"
        raise ConfigError("must be hf://owner/name or hf://owner/name@revision", where=f"hf://{name}", fix=fix)
    with hub_errors(f"hf://{name}", "downloaded"):
        from huggingface_hub import snapshot_download

        repository, revision = match.groups()
        folder = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(MODEL_FILES),
            library_name="seq2see",
            library_version=__version__,
        )
        return Path(folder)


@contextmanager
def hub_errors(where: str, done: str) -> Iterator[None]:
    """Turns what goes wrong into a UserError; the library raises errors of its own and those of its HTTP client."""
    try:
        yield
    except ModuleNotFoundError as error:
        fix = 'pip install "seq2see[hub]"'
        raise UserError(f"the Hugging Face Hub needs the package {error.name}", where=where, fix=fix) from None
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        fix = "check the name and the network; a private model needs a token (hf auth login, or HF_TOKEN)"
        raise CheckpointError(f"can't be {done}: {said[0]}", where=where, fix=fix) from error
