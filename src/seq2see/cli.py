"""The `seq2see` command: its verbs, and what becomes of mistakes and interruptions."""

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

AFTER_THE_FIRST = 3.0
"""Seconds that other processes of a run wait before they end with an error: a launcher ends all once one has ended, and
it is the first that says why."""

app = App(
    name="seq2see",
    help="Train sequence-to-sequence models on your own pairs, see where they look, and ship them.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    help_epilogue="Every mistake ends with exit code 2 and one message; --trace shows where it came from.",
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
            stream.reconfigure(encoding="utf-8")  # as the files are, whatever the terminal's settings say
    show_warnings_plainly()
    try:
        require_one_process(arguments)
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone: nothing to say
        sys.exit(0)
    except ModuleNotFoundError as error:
        if trace or error.name not in ("torch", "jaxtyping"):
            raise
        print(f'seq2see: this needs {error.name}\n  fix: pip install "seq2see[train]"', file=sys.stderr)
        sys.exit(2)
    except (UserError, CycloptsError) as error:
        if trace:
            raise
        is_first = os.environ.get("RANK", "0") == "0"
        # What is wrong with the command is so on every process that was started with it: one says it on each machine.
        is_of_all = isinstance(error, CycloptsError | ConfigError) and os.environ.get("LOCAL_RANK", "0") != "0"
        if is_first or not (is_of_all or (isinstance(error, UserError) and error.is_said)):
            print(f"{name_of_this()}: {error}", file=sys.stderr)
        if not is_first:
            time.sleep(AFTER_THE_FIRST)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if trace or not is_of_memory(error):
            raise
        fix = (
            "choose a smaller model (model.width, model.layers), or smaller batches (training.batch_size, --batch-size)"
        )
        said = str(error).partition("\n")[0]
        print(f"{name_of_this()}: there is not enough memory for this: {said}\n  fix: {fix}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def require_one_process(arguments: list[str]) -> None:
    """Refuse what `torchrun` starts several times, unless it trains: each would write the same files."""
    size = os.environ.get("WORLD_SIZE", "1")
    verb = arguments[0] if arguments and "--help" not in arguments else ""
    if size != "1" and verb != "train" and verb in {each.__name__ for each in VERBS}:
        fix = "start it without torchrun; if something else has set WORLD_SIZE, put env -u WORLD_SIZE before it"
        raise ConfigError(f"works in one process, and WORLD_SIZE is {size}", where=f"seq2see {verb}", fix=fix)


def name_of_this() -> str:
    """Who speaks: the command, or one of its processes that is not the first."""
    rank = os.environ.get("RANK", "0")
    return "seq2see" if rank == "0" else f"seq2see, rank {rank}"


def is_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, which PyTorch says as a RuntimeError."""
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def show_warnings_plainly() -> None:
    """Warnings are for the user, who has no use for our file names and line numbers."""
    import warnings

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print(f"note: {message}", file=sys.stderr)

    warnings.showwarning = show
