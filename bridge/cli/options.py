"""Options that several commands share, and files that people name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.admin.commands import Scope
from bridge.errors import TrivoxError, UsageError

MAX_FILE_BYTES = 16 * 1024 * 1024  # it may have to fit into one request to the bridge, three times as long

# readable=False: whether a file may be read is told by what reads it, as something that could not be done.
Database = Annotated[
    Path,
    typer.Option("--database", envvar="TRIVOX_DATABASE", help="The database file.", show_default=True, readable=False),
]
DATABASE = Path("trivox.db")
BrokerUrl = Annotated[str, typer.Option("--broker", metavar="URL", help="mqtt://HOST:PORT, or mqtts:// for TLS.")]
DEFAULT_BROKER = "mqtt://127.0.0.1:1883"
BrokerConfig = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", readable=False, help="TOML with user, password and ca_file; mode 0600."),
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", readable=False, help="What the broker's certificate is checked by.")
]
Site = Annotated[str | None, typer.Option("--site", help="For the consoles of this site.")]
ConsoleOption = Annotated[
    str | None, typer.Option("--console", help="For this console: SITE/CONSOLE, or CONSOLE together with --site.")
]
ForAll = Annotated[bool, typer.Option("--all", help="For all consoles.")]


def text_of(path: Path) -> str:
    """Read a text file that the user named; raises TrivoxError when it cannot be."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TrivoxError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: split it.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrivoxError(f"{path} is not UTF-8: save it as CSV UTF-8.") from error
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and rights.") from error


def scope(site: str | None, console: str | None, *, for_all: bool) -> Scope | None:
    """Read whom a choice is for; None where none of the three options was given. Raises UsageError."""
    if for_all:
        if site or console:
            raise UsageError("Give --all, or --site and --console, not both.")
        return Scope()
    if console and "/" in console:
        site_of_console, console = console.split("/", 1)
        if site and site != site_of_console:
            raise UsageError(f"--console names site {site_of_console!r}, but --site says {site!r}.")
        site = site_of_console
    if console and not site:
        raise UsageError("--console needs its site: give SITE/CONSOLE, or --site too.")
    return Scope(site, console or "") if site else None
