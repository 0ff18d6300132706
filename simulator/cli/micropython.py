"""`trivox micropython`: fetch the MicroPython that simulated consoles run on."""

from enum import StrEnum
from typing import Annotated

import typer

from simulator.cli.output import print_error, print_line
from simulator.console import micropython
from simulator.errors import MicroPythonError


class ArchitectureName(StrEnum):
    """The architectures that consoles are simulated on: `trivox run` needs amd64, the bench i386."""

    amd64 = "amd64"
    i386 = "i386"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("micropython")(command)


def command(
    architecture: Annotated[
        list[ArchitectureName] | None,
        typer.Argument(help="amd64 for `trivox run`, i386 for the bench of `trivox simulate`.  [default: both]"),
    ] = None,
) -> None:
    """Fetch MicroPython for simulated consoles from Debian, once; say what is fetched, from where and to where."""
    try:
        for each in architecture or list(ArchitectureName):
            micropython.prepare(each.value, print_line)
    except MicroPythonError as error:
        print_error(error)
        raise typer.Exit(1) from error
