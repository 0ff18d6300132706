"""The `trivox` command: find its subcommands by entry points, and print each error as one plain sentence.

Exit status: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, Any

import apsw
import msgspec
import typer

from bridge import private_files
from bridge.cli.command_table import COMMANDS
from bridge.cli.options import DATABASE
from bridge.cli.output import print_error, print_line, print_usage
from bridge.errors import TrivoxError, UsageError
from bridge.safe_stream import safe_output
from bridge.store.faults import DAMAGED, cannot_use
from bridge.text import printable

INTERRUPTED = 130
UNUSABLE_VALUE = (ValueError, LookupError, ArithmeticError, TypeError, msgspec.MsgspecError)


def build(*modules: str) -> typer.Typer:
    """Make the application with the commands of these modules, or of all that are installed."""
    app = typer.Typer(
        name="trivox",
        help="Measure service quality with three-button consoles, silent customers included.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for module in modules or _modules([]):
        try:
            import_module(module).register(app)
        except (ImportError, AttributeError) as error:
            raise TrivoxError(f"{module} can't be loaded ({error}): install trivox again.") from error
    return app


def parser(words: list[str]) -> Any:
    """Return what parses and runs the command that these words begin with; it is made once in a process."""
    return _parser(_modules(words))


@cache
def _parser(modules: tuple[str, ...]) -> Any:
    return typer.main.get_command(build(*modules))


@cache
def installed() -> dict[str, str]:
    """Return the module of each installed command."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - it takes a fifth of the time that a command starts in

    commands: dict[str, str] = {}
    for package in entry_points(group="trivox.commands"):
        commands |= package.load()
    return commands


def _modules(words: list[str]) -> tuple[str, ...]:
    """Return the modules that the command of these words needs, or all: with only one, the start is twice as fast."""
    needed = _needed(COMMANDS, words) or _needed(installed(), words)
    return tuple(dict.fromkeys(needed or installed().values()))


def _needed(commands: dict[str, str], words: list[str]) -> list[str]:
    """Return the modules of the command of these words, or of the group that the first word names."""
    needed = [module for name, module in commands.items() if name == " ".join(words[:2])]
    return needed or [module for name, module in commands.items() if name.split()[0] in words[:1]]


def _options(
    _version: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=lambda value: _print_version(wanted=value)
        ),
    ] = False,
) -> None:
    """Measure service quality with three-button consoles, silent customers included."""


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - see `installed`

        print_line(f"trivox {version('trivox')}")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    with private_files.umask(), safe_output():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(words: list[str]) -> int:
    try:
        _check_encoding(words)
        status = parser(words).main(args=words, prog_name="trivox", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads the output any more: end quietly
        return 1
    except TrivoxError as error:
        print_error(str(error), error.lines)
        return error.exit_status
    except (typer.TyperException, apsw.Error, OSError, *UNUSABLE_VALUE) as error:
        if isinstance(error, typer.TyperException) and error.format_message().startswith("Usage:"):
            print_usage(error.format_message())  # a command was given without words
            return error.exit_code
        if isinstance(error, UNUSABLE_VALUE) and words[:1] == ["bridge"]:
            raise  # a service's log needs all of it
        sentence, status = _describe_error(error, words)
        print_error(sentence)
        return status
    return status if isinstance(status, int) else 0


def _check_encoding(words: list[str]) -> None:
    """Raise UsageError if a word was typed in another encoding than the locale's, for example by an old terminal."""
    for word in words:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            raise UsageError(
                f"The argument {printable(word)} is not text in {sys.getfilesystemencoding().upper()}: set the "
                "terminal, and LANG, to UTF-8."
            )


def _describe_error(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """Return the sentence and the exit status for an error."""
    if isinstance(error, typer.TyperException):
        message = _in_plain_words(error.format_message())
        return f"{message}: see `{_command_path(error, arguments)} --help`.", error.exit_code
    if isinstance(error, UNUSABLE_VALUE):
        return _describe_unusable(error, arguments), 1
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'check the disk and the network'}", 1
    if isinstance(error, (*DAMAGED, apsw.IOError, apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError)):
        return str(cannot_use(Path(_database(arguments)), error)), 1
    is_locked = isinstance(error, apsw.BusyError | apsw.LockedError)
    locked = f"Another program has locked the database {_database(arguments)}: end it, or try again later."
    return locked if is_locked else f"The database cannot be used ({error}): run `trivox doctor`.", 1


def _describe_unusable(error: Exception, arguments: list[str]) -> str:
    """Return the sentence for a value that nothing of Trivox writes, or that a fault of Trivox's own makes unusable."""
    place = extract_tb(error.__traceback__)[-1]
    return (
        f"Trivox cannot use a value that it read ({type(error).__name__}: {printable(str(error))}, in {place.name} of "
        f"{Path(place.filename).name}): if somebody has changed the database {_database(arguments)}, restore a copy of "
        "it; else report this as a fault."
    )


def _command_path(error: typer.TyperException, arguments: list[str]) -> str:
    """Return the words that name the command of an error; the parser does not tell them with each."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path)
    path: list[str] = ["trivox"]
    command: object = parser(arguments)
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return " ".join(path)


def _in_plain_words(message: str) -> str:
    """Put a message of the option parser into words that are not a programmer's."""
    message = message.removesuffix(".").removeprefix("Invalid value: ").replace("Value error, ", "")
    message = re.sub(r"is not a valid float( range)?", "is not a number", message)
    message = re.sub(r"valid int(eger)?( range)?", "whole number", message)
    message = re.sub(r"is not in the range (-?\d+)<=x<=(-?\d+)", r"must be from \1 to \2", message)
    return re.sub(r"is not in the range x>=(-?\d+)", r"must be at least \1", message)


def _database(arguments: list[str]) -> str:
    """Return the database that a command was to use."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--database":
            return following
        if word.startswith("--database="):
            return word.partition("=")[2]
    return os.environ.get("TRIVOX_DATABASE", str(DATABASE))


def main() -> None:
    """Run the `trivox` command and exit."""
    sys.exit(run())
