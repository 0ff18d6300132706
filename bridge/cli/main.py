"""The `trivox` command: its subcommands come by entry points, its errors are told in one plain sentence.

Exit status: 0 done, 1 could not, 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Annotated

import apsw
import typer

from bridge.cli.options import DATABASE
from bridge.errors import TrivoxError
from bridge.store.connection import DAMAGED, damaged

INTERRUPTED = 130


def build(*words: str) -> typer.Typer:
    """Make the application with all commands that are installed, or with that alone which these words begin with."""
    app = typer.Typer(
        name="trivox",
        help="Service quality measured with three-button consoles, silent customers included.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for module in _modules(words):
        try:
            import_module(module).register(app)
        except (ImportError, AttributeError) as error:
            raise TrivoxError(f"{module} can't be loaded ({error}): run `make setup`.") from error
    return app


def _modules(words: tuple[str, ...]) -> list[str]:
    """Name the modules that the command of these words needs, or all of them: one alone starts twice as fast."""
    commands: dict[str, str] = {}
    for package in entry_points(group="trivox.commands"):
        commands |= package.load()
    named = [module for name, module in commands.items() if name == " ".join(words[:2])]
    named = named or [module for name, module in commands.items() if name.split()[0] in words[:1]]
    return list(dict.fromkeys(named or commands.values()))


def _options(
    _version: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option("--version", help="Show the version and end.", callback=lambda value: _say_version(wanted=value)),
    ] = False,
) -> None:
    """Service quality measured with three-button consoles, silent customers included."""


def _say_version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"trivox {version('trivox')}\n")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        status = typer.main.get_command(build(*given)).main(args=arguments, prog_name="trivox", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: end quietly
        return 1
    except (TrivoxError, typer.TyperException, apsw.Error, OSError) as error:
        sentence, failed = _told(error, sys.argv[1:] if arguments is None else arguments)
        sys.stderr.write(sentence if sentence.startswith("Usage:") else f"trivox: {sentence}\n")
        return failed
    return status if isinstance(status, int) else 0


def _told(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """The sentence and the exit status of an error."""
    if isinstance(error, TrivoxError):
        return str(error), error.exit_status
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        message = error.format_message().removesuffix(".").replace("Value error, ", "")
        if message.startswith("Usage:"):
            return f"{message}\n", error.exit_code
        return f"{message}: see `{context.command_path if context else 'trivox'} --help`.", error.exit_code
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'check disk and network'}", 1
    if isinstance(error, DAMAGED):
        return str(damaged(_database(arguments), error)), 1
    return f"The database cannot be used ({error}): see `trivox doctor`.", 1


def _database(arguments: list[str]) -> str:
    """Which database a command was about."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == "--database":
            return following
        if word.startswith("--database="):
            return word.partition("=")[2]
    return os.environ.get("TRIVOX_DATABASE", str(DATABASE))


def main() -> None:
    """Be the `trivox` command."""
    sys.exit(run())
