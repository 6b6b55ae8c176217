"""The `seq2see` command: its verbs, and what happens on errors and interruptions."""

from __future__ import annotations

import os
import sys
import time
from io import TextIOWrapper

from cyclopts import App, CycloptsError, Parameter

from seq2see.commands import VERBS
from seq2see.commands.options import EXIT_INTERRUPTED
from seq2see.errors import ConfigError, UserError
from seq2see.version import __version__

EXIT_DELAY = 3.0
"""Seconds that the other processes of a run wait before they exit with an error: a launcher ends all processes once one
has exited, and the first process prints the message."""

app = App(
    name="seq2see",
    help="Train sequence-to-sequence models on your own pairs, see where they look, and ship them.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    help_epilogue="Errors exit with code 2 and one message; --trace shows the traceback.",
)
for verb in VERBS:
    app.command(verb)


def main() -> None:
    """Run the command; a UserError becomes one message and exit code 2."""
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    trace = "--trace" in options
    if trace:
        arguments.remove("--trace")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as files are, whatever the locale
    show_warnings_plainly()
    try:
        require_one_process(arguments)
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has exited
        sys.exit(0)
    except ModuleNotFoundError as error:
        if trace or error.name not in ("torch", "jaxtyping"):
            raise
        print(f'seq2see: needs {error.name}\n  fix: pip install "seq2see[train]"', file=sys.stderr)
        sys.exit(2)
    except (UserError, CycloptsError) as error:
        if trace:
            raise
        is_first = os.environ.get("RANK", "0") == "0"
        # An error in the command is the same in every process: one process per machine prints it.
        is_shared = isinstance(error, CycloptsError | ConfigError) and os.environ.get("LOCAL_RANK", "0") != "0"
        if is_first or not (is_shared or (isinstance(error, UserError) and error.is_said)):
            print(f"{name_of_this()}: {error}", file=sys.stderr)
        if not is_first:
            time.sleep(EXIT_DELAY)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if trace or not is_of_memory(error):
            raise
        fix = (
            "choose a smaller model (model.width, model.layers), or smaller batches (training.batch_size, --batch-size)"
        )
        said = str(error).partition("\n")[0]
        print(f"{name_of_this()}: out of memory: {said}\n  fix: {fix}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def require_one_process(arguments: list[str]) -> None:
    """ConfigError for verbs other than train under `torchrun`: all processes would write the same files."""
    size = os.environ.get("WORLD_SIZE", "1")
    verb = arguments[0] if arguments and "--help" not in arguments else ""
    if size != "1" and verb != "train" and verb in {each.__name__ for each in VERBS}:
        fix = "start it without torchrun; if WORLD_SIZE was set by something else: env -u WORLD_SIZE seq2see …"
        raise ConfigError(f"runs in one process, and WORLD_SIZE is {size}", where=f"seq2see {verb}", fix=fix)


def name_of_this() -> str:
    """The beginning of a message: the command, with the rank of a process other than the first."""
    rank = os.environ.get("RANK", "0")
    return "seq2see" if rank == "0" else f"seq2see, rank {rank}"


def is_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, which PyTorch reports as a RuntimeError."""
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def show_warnings_plainly() -> None:
    """Print warnings as notes, without the file names and line numbers of the library."""
    import warnings

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"note: {message}", file=sys.stderr)

    warnings.showwarning = show
