"""The command line with all its verbs, as cyclopts parses it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from seq2see.commands import VERBS
from seq2see.commands.boxes import ERRORS, epilogue
from seq2see.commands.mistakes import explained
from seq2see.console import show
from seq2see.errors import UserError
from seq2see.version import __version__

if TYPE_CHECKING:
    from seq2see.console import Terminal


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


def parsed(arguments: Sequence[str], *, typed: Sequence[str]) -> object:
    """What the verb returns. ConfigError for words that can't be parsed, UserError for a file named there likewise.

    `typed` are the words as they were typed, which messages quote.
    """
    if not VERBS.keys() & set(arguments[:1]):  # their summaries are listed, which are in their modules
        for verb in VERBS:
            app[verb]
    try:
        return app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        if isinstance(error.__cause__, UserError):  # of a value that was read from a file
            raise error.__cause__ from None
        raise explained(error, typed) from error


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
