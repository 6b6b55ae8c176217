"""The `seq2see` command: its verbs, and what happens on errors and interruptions."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from seq2see.commands import EXIT_INTERRUPTED, RUN_FIRST, VERBS
from seq2see.commands.streams import open_streams, with_named_stdin
from seq2see.commands.terminal import is_model
from seq2see.console import say
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.system_errors import absolute, system_error

EXIT_ERROR = 2
EXIT_DELAY = 3.0
"""Seconds that the other processes of a run wait before they exit with an error: a launcher ends all processes once one
has exited, and the first process prints the message."""

THREADS_OF_NUMPY = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def main() -> None:
    """Run the command and exit: with 0, with 2 after a message, with 130 if interrupted, and by SIGTERM."""
    choose_threads()
    open_streams()
    show_warnings_plainly()
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    trace = "--trace" in options
    if trace:
        arguments.remove("--trace")
    if arguments and arguments[0] in {*RUN_FIRST, "check"}:  # others stop their trainings themselves
        signal.signal(signal.SIGTERM, _end)
    code = run(arguments, trace=trace)
    with suppress(UserError, OSError):  # said already, or of no interest after another error
        sys.stdout.flush()
    sys.exit(code)


class TerminatedError(BaseException):
    """SIGTERM has come: what is unfinished is removed on the way out, as after Ctrl-C."""


def _end(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise TerminatedError


def choose_threads() -> None:
    """Say how libraries use threads, before they are imported, where the environment doesn't.

    NumPy computes with one thread, and threads of PyTorch soon sleep while they wait. Products of our size end before a
    second thread has begun, and one that waits in a loop takes a core from other work (docs/benchmarks.md, "Threads").
    """
    if not any(name in os.environ for name in THREADS_OF_NUMPY):
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def run(arguments: list[str], *, trace: bool = False) -> int:
    """The exit code of a command; a user's mistake becomes one message, with `trace` after the traceback."""
    try:
        require_one_process(arguments)
        if is_verb(arguments):
            absolute(Path())  # before PyTorch is imported, whose libraries end the process
        code = called(arguments)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except TerminatedError:
        os.kill(os.getpid(), signal.SIGTERM)  # whoever waits for the process sees what has ended it
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has exited
        return 0
    except (UserError, OSError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if isinstance(error, DataError) and arguments[0] in VERBS:
            from seq2see.commands.application import flags_of
            from seq2see.commands.mistakes import without_options_of_others

            error = without_options_of_others(error, flags_of(arguments[0]))
        said = message_of(error)
        if said is None:
            raise
        if trace:
            import traceback

            say(traceback.format_exc().rstrip())
        tell(error, said)
        return EXIT_ERROR


def called(arguments: list[str]) -> object:
    """What the verb returns. ConfigError for words that can't be parsed, UserError for a file named there likewise.

    Texts answered without any option need no parser, whose import takes as long as their answers.
    """
    match arguments:
        case ["predict", run, *texts] if is_model(run) and not any(word.startswith("-") for word in texts):
            from seq2see.commands.answering import answer

            atexit.register(gc.freeze)  # what is left at the end goes with the process: no search for cycles in it
            return answer(Path(run), tuple(texts))
    from seq2see.commands.application import options_of, parsed

    words = with_named_stdin(arguments, lambda: options_of(arguments[0])) if arguments[:1] != ["-"] else arguments
    if words and words[0] in {*RUN_FIRST, "compare"}:
        from seq2see.commands.run_first import require_run_first

        require_run_first(words)
    return parsed(words, typed=arguments)


def message_of(error: Exception) -> str | None:
    """What to say about an error that the user can cause; None for a bug of ours."""
    match error:
        case UserError():
            return str(error)
        case ModuleNotFoundError(name="torch" | "jaxtyping"):
            return f'needs {error.name}\n  fix: pip install "seq2see[train]"'
        case OSError():
            place = error.filename2 or error.filename or "."
            name = os.fsdecode(place) if isinstance(place, bytes) else str(place)
            return str(system_error(error, name, "used", UserError))
        case MemoryError() | RuntimeError() if is_of_memory(error):
            fix = (
                "in training, compute updates in more passes (training.accumulate), leave out long pairs "
                "(data.longest), or choose a smaller model (model.width); elsewhere use --batch-size 1"
            )
            return f"out of memory: {str(error).partition(chr(10))[0]}\n  fix: {fix}"
    return None


def tell(error: Exception, said: str) -> None:
    """Print a message on stderr, once for all processes of a run."""
    is_first = os.environ.get("RANK", "0") == "0"
    # An error in the command is the same in every process: one process per machine prints it.
    is_shared = isinstance(error, ConfigError) and os.environ.get("LOCAL_RANK", "0") != "0"
    if is_first or not (is_shared or (isinstance(error, UserError) and error.is_said)):
        has_name = is_first and isinstance(error, UserError) and error.where.partition(" ")[0] == "seq2see"
        say(said if has_name else f"{name_of_this()}: {said}")
    if not is_first and isinstance(error, UserError):
        time.sleep(EXIT_DELAY)


def require_one_process(arguments: list[str]) -> None:
    """ConfigError for verbs other than train under `torchrun`: all processes would write the same files."""
    size = os.environ.get("WORLD_SIZE", "1")
    if size != "1" and is_verb(arguments) and (verb := arguments[0]) != "train":
        fix = "start it without torchrun; if WORLD_SIZE was set by something else: env -u WORLD_SIZE seq2see …"
        raise ConfigError(f"runs in one process, and WORLD_SIZE is {size}", where=f"seq2see {verb}", fix=fix)


def is_verb(arguments: list[str]) -> bool:
    """Whether a verb is asked to do its work."""
    return bool(arguments) and arguments[0] in VERBS and "--help" not in arguments


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
        say(f"note: {message}")

    warnings.showwarning = show
