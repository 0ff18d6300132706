"""Define the options that several commands share, and read files that the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.errors import UsageError
from bridge.input_file import read_table, read_text
from bridge.model.cell_values import read_day

if TYPE_CHECKING:
    from datetime import date

    from bridge.admin.commands import Scope

# Escaped as JSON a file may be three times as long, and must fit into one request to the bridge.
MAX_FILE_BYTES = 16 * 1024 * 1024


# readable=False: the code that reads a file reports if it cannot, with exit status 1 instead of wrong usage.
Database = Annotated[
    Path,
    typer.Option("--database", envvar="TRIVOX_DATABASE", help="The database file.", show_default=True, readable=False),
]
DATABASE = Path("trivox.db")
BrokerUrl = Annotated[
    str, typer.Option("--broker", metavar="URL", help="The broker: mqtt://HOST:PORT, or mqtts:// for TLS.")
]
DEFAULT_BROKER = "mqtt://127.0.0.1:1883"
BrokerConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", readable=False, help="A TOML file (mode 0600) with user, password and ca_file."
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", readable=False, help="The certificate of the broker's authority, for mqtts://."),
]
Site = Annotated[str | None, typer.Option("--site", help="For the consoles of this site.")]
ConsoleOption = Annotated[
    str | None, typer.Option("--console", help="For this console: SITE/CONSOLE, or CONSOLE together with --site.")
]
FromDay = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="Only those that begin on this local day or later.")
]
ToDay = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Only those that begin before this local day.")]
New = Annotated[
    bool,
    typer.Option("--new", help="Make what is named and not known yet: database, site, console, checkout point."),
]
ForAll = Annotated[bool, typer.Option("--all", help="For all consoles.")]


def text_of(path: Path) -> str:
    """Read a text file that the user named. Raises TrivoxError if it is too large, not UTF-8 or not readable."""
    return read_text(path, MAX_FILE_BYTES)


def table_of(path: Path) -> str:
    """Read a CSV file that the user named. Raises TrivoxError if it is too large, not text or not readable."""
    return read_table(path, MAX_FILE_BYTES)


def day_of(option: str, text: str | None) -> date | None:
    """Read a date, if the option was given. Raises UsageError."""
    try:
        return None if text is None else read_day(text)
    except ValueError as error:
        raise UsageError(f"{option} {error}.") from error


def scope(site: str | None, console: str | None, *, for_all: bool) -> Scope | None:
    """Read which consoles are selected; return None if none of the three options was given. Raises UsageError."""
    from bridge.admin.commands import ALL_CONSOLES, Scope  # noqa: PLC0415 - commands that only read start faster without it

    if for_all:
        if site or console:
            raise UsageError("Give --all, or --site and --console, not both.")
        return ALL_CONSOLES
    if console and "/" in console:
        site_of_console, console = console.split("/", 1)
        if site and site != site_of_console:
            raise UsageError(f"--console names site {site_of_console!r}, but --site says {site!r}.")
        site = site_of_console
    if console and not site:
        raise UsageError("--console needs its site: give SITE/CONSOLE, or --site too.")
    return Scope(site, console or "") if site else None
