"""The `seq2see` command: its verbs, and what happens on errors and interruptions."""

from __future__ import annotations

import os
import sys
import time
import traceback
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from seq2see.commands import RUN_FIRST, VERBS
from seq2see.commands.boxes import ERRORS, epilogue
from seq2see.commands.mistakes import explained, without_options_of_others
from seq2see.commands.options import EXIT_INTERRUPTED
from seq2see.commands.streams import open_streams, with_named_stdin
from seq2see.console import say, show
from seq2see.errors import ConfigError, DataError, UserError
from seq2see.system_errors import system_error
from seq2see.version import __version__

if TYPE_CHECKING:
    from seq2see.console import Terminal

EXIT_ERROR = 2
EXIT_DELAY = 3.0
"""Seconds that the other processes of a run wait before they exit with an error: a launcher ends all processes once one
has exited, and the first process prints the message."""


class HelpTerminal:
    """A `Terminal` made when help is printed: without help, no verb has to wait until rich is imported."""

    @cached_property
    def terminal(self) -> Terminal:
        """The console."""
        from seq2see.console import Terminal

        return Terminal()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


app = App(
    name="seq2see",
    help="Train sequence-to-sequence models on your own pairs, see where they look, and ship them.",
    version=__version__,
    console=HelpTerminal(),  # type: ignore[arg-type] # has what rich's console has
    default_parameter=Parameter(negative=()),
    help_epilogue=ERRORS,
)
for verb, module in VERBS.items():
    app.command(f"seq2see.commands.{module}:{verb}", name=verb, help_epilogue=epilogue(verb))


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script with which a shell completes commands and options of seq2see.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    show(app.generate_completion(shell=shell))


app.command(completion, help_epilogue=epilogue("completion"))


def main() -> None:
    """Run the command and exit: with 0, with 2 after a message, with 130 if interrupted."""
    open_streams()
    show_warnings_plainly()
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    trace = "--trace" in options
    if trace:
        arguments.remove("--trace")
    code = run(arguments, trace=trace)
    with suppress(UserError, OSError):  # said already, or of no interest after another error
        sys.stdout.flush()
    sys.exit(code)


def run(arguments: list[str], *, trace: bool = False) -> int:
    """The exit code of a command; a user's mistake becomes one message, with `trace` after the traceback."""
    try:
        require_one_process(arguments)
        code = called(arguments)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has exited
        return 0
    except (UserError, OSError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if isinstance(error, DataError) and arguments[0] in VERBS:
            error = without_options_of_others(error, flags_of(arguments[0]))
        said = message_of(error)
        if said is None:
            raise
        if trace:
            say(traceback.format_exc().rstrip())
        tell(error, said)
        return EXIT_ERROR


def called(arguments: list[str]) -> object:
    """What the verb returns. ConfigError for words that can't be parsed, UserError for a file named there likewise."""
    if not VERBS.keys() & set(arguments[:1]):  # their summaries are listed, which are in their modules
        for verb in VERBS:
            app[verb]
    words = with_named_stdin(arguments, lambda: options_of(arguments[0])) if arguments[:1] != ["-"] else arguments
    if words and words[0] in {*RUN_FIRST, "compare"}:
        from seq2see.commands.run_first import require_run_first

        require_run_first(words)
    try:
        return app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        if isinstance(error.__cause__, UserError):  # of a value that was read from a file
            raise error.__cause__ from None
        raise explained(error, arguments) from error


def options_of(verb: str) -> dict[str, bool]:
    """The options of a verb, and whether each takes a value."""
    arguments = app[verb].assemble_argument_collection() if verb in VERBS else ()
    return {
        name: argument.token_count() != (0, False)
        for argument in arguments
        for name in argument.names
        if name[0] == "-"
    }


def flags_of(verb: str) -> set[str]:
    """The options of a verb."""
    return set(options_of(verb))


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
    verb = arguments[0] if arguments and "--help" not in arguments else ""
    if size != "1" and verb != "train" and verb in VERBS:
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
        say(f"note: {message}")

    warnings.showwarning = show
