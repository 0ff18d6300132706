"""Define and read the options of `trivox console flash`; secrets come from files, the environment or a prompt."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.broker_login import BrokerLogin, read_broker
from bridge.cli.options import text_of
from bridge.errors import TrivoxError, UsageError
from bridge.ops.flash.micropython_image import MicroPythonImage, read_micropython_image
from bridge.private_files import is_open_to_others

WIFI_PASSWORD = "TRIVOX_WIFI_PASSWORD"  # noqa: S105 - the name of a variable
LABELS, LOG = Path("labels"), Path("flashed.ndjson")

Site = Annotated[str | None, typer.Option("--site", help="The site of the console.")]
ConsoleId = Annotated[str | None, typer.Option("--console", help="The console's id; without it you are asked.")]
Table = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        help="A CSV file of consoles with the columns site_id,console_id and, optionally, board,hardware_id,"
        "wifi_ssid,wifi_password,ntp_host.",
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="Flash consoles of --csv or --count again that the log says are done.")
]
Count = Annotated[
    int | None, typer.Option("--count", min=1, help="The number of boards; ids are numbered on: till-1, till-2.")
]
Ports = Annotated[
    list[str] | None,
    typer.Option("--port", help="A port, or a pattern of ports, instead of all; repeat it for several."),
]
WifiSsid = Annotated[
    str | None,
    typer.Option("--wifi-ssid", help=f"The Wi-Fi; its password is read from {WIFI_PASSWORD}, or you are asked."),
]
WifiPasswordFile = Annotated[
    Path | None, typer.Option("--wifi-password-file", help="A file with the Wi-Fi's password.")
]
BrokerUrl = Annotated[
    str | None, typer.Option("--broker", help="The broker: mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS.")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="The certificate of the broker's authority, for mqtts://.")
]
NtpHost = Annotated[str | None, typer.Option("--ntp-host", help="The time server for consoles.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="A TOML file with this machine's own login at the broker, to see consoles come online."
    ),
]
EnrollingDatabase = Annotated[
    Path | None,
    typer.Option("--database", envvar="TRIVOX_DATABASE", help="The bridge's database, to enrol the consoles in it."),
]
New = Annotated[
    bool,
    typer.Option("--new", help="Make the database and the site, if they are not known; a console needs no --new."),
]
Keys = Annotated[
    Path | None, typer.Option("--keys", help="A file made by `trivox console keys`, instead of the database.")
]
BaseFile = Annotated[Path | None, typer.Option("--base", help="MicroPython (.uf2 or .bin) for boards without it.")]
BaseHash = Annotated[
    str | None, typer.Option("--base-sha256", help="The SHA-256 of the --base file. [default: as in FILE.sha256]")
]
Wipe = Annotated[
    bool,
    typer.Option(
        "--wipe", help="Discard events that are waiting on a board, and say how many; replace a broken filesystem."
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Give the board a name that another board is using right now.")
]
SelfTest = Annotated[
    bool, typer.Option("--self-test/--no-self-test", help="Lead through the self-test after the start.")
]
Listen = Annotated[bool, typer.Option("--listen/--no-listen", help="Wait until each console is heard at --broker.")]
Wait = Annotated[int, typer.Option("--wait", min=1, help="Give up after this many seconds without a board.")]
Labels = Annotated[Path, typer.Option("--labels", help="The folder to write labels to.")]
LogFile = Annotated[Path, typer.Option("--log", help="The log, which gets a line for each board.")]


def broker(url: str | None, config: Path | None, ca_file: Path | None) -> BrokerLogin | None:
    """Read the broker that consoles connect to, with this machine's own login. Raises UsageError."""
    if url is None:
        if config or ca_file:
            raise UsageError("--config and --ca-file need --broker: give it too.")
        return None
    login = read_broker(url, os.environ, config, ca_file)
    if login.tls and not ca_file:
        raise UsageError("A console checks the broker's certificate: give --ca-file with mqtts://.")
    return login


def wifi_password(ssid: str | None, file: Path | None) -> str | None:
    """Read the Wi-Fi's password from a file, the environment or a prompt, never from the command line.

    Raises TrivoxError.
    """
    if ssid is None:
        if file:
            raise UsageError("--wifi-password-file needs --wifi-ssid: give it too.")
        return None
    if file:
        text = text_of(file).rstrip("\r\n")
        if is_open_to_others(file):
            raise TrivoxError(f"{file} holds a password and others may read it: run `chmod 600 {file}`.")
        return text
    if WIFI_PASSWORD in os.environ:
        return os.environ[WIFI_PASSWORD]
    if not sys.stdin.isatty():
        raise UsageError(f"The Wi-Fi's password is missing: give it in {WIFI_PASSWORD}, or give --wifi-password-file.")
    return getpass.getpass(f"Password of the Wi-Fi {ssid}: ")


def base(path: Path | None, digest: str | None) -> MicroPythonImage | None:
    """Read and check the MicroPython image to put on boards. Raises UsageError or TrivoxError."""
    if path is None:
        if digest:
            raise UsageError("--base-sha256 needs --base: give it too.")
        return None
    return read_micropython_image(path, digest)
