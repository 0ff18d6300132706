"""Options of `trivox console flash`, and what they come to; secrets come from files, the environment, or a person."""

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
from bridge.ops.flash.micropython_image import Base, read_base
from bridge.private_files import is_open_to_others

WIFI_PASSWORD = "TRIVOX_WIFI_PASSWORD"  # noqa: S105 - the name of a variable
LABELS, LOG = Path("labels"), Path("flashed.ndjson")

Site = Annotated[str | None, typer.Option("--site", help="The site of the console.")]
ConsoleId = Annotated[str | None, typer.Option("--console", help="The console's id; else it is asked for.")]
Table = Annotated[
    Path | None,
    typer.Option("--csv", help="Many: site_id,console_id and board,hardware_id,wifi_ssid,wifi_password,ntp_host."),
]
Count = Annotated[int | None, typer.Option("--count", min=1, help="How many boards; ids count on: till-1, till-2.")]
Ports = Annotated[list[str] | None, typer.Option("--port", help="A port, or a pattern of ports, instead of all.")]
WifiSsid = Annotated[str | None, typer.Option("--wifi-ssid", help=f"Wi-Fi; its password in {WIFI_PASSWORD}, or asked.")]
WifiPasswordFile = Annotated[Path | None, typer.Option("--wifi-password-file", help="… or in this file.")]
BrokerUrl = Annotated[str | None, typer.Option("--broker", help="mqtt://HOST:PORT or mqtts://HOST:PORT.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="The authority of the broker's certificate.")]
NtpHost = Annotated[str | None, typer.Option("--ntp-host", help="Whom consoles ask for the time.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="This machine's own login at the broker, to watch there.")
]
EnrollingDatabase = Annotated[
    Path | None, typer.Option("--database", envvar="TRIVOX_DATABASE", help="The bridge's: enrolls consoles in it.")
]
Keys = Annotated[Path | None, typer.Option("--keys", help="A file of `trivox console keys`, instead of the database.")]
BaseFile = Annotated[Path | None, typer.Option("--base", help="MicroPython (.uf2 or .bin) for boards without it.")]
BaseHash = Annotated[str | None, typer.Option("--base-sha256", help="Its SHA-256; else that in FILE.sha256.")]
Wipe = Annotated[bool, typer.Option("--wipe", help="Lose the events that wait on a board, and say how many.")]
SelfTest = Annotated[bool, typer.Option("--self-test/--no-self-test", help="Lead through it after the start.")]
Wait = Annotated[int, typer.Option("--wait", min=1, help="Seconds without any board, then it ends.")]
Labels = Annotated[Path, typer.Option("--labels", help="The folder for labels.")]
LogFile = Annotated[Path, typer.Option("--log", help="A line for each board is added here.")]


def broker(url: str | None, config: Path | None, ca_file: Path | None) -> BrokerLogin | None:
    """The broker that consoles are to send to, with this machine's own login there."""
    if url is None:
        if config or ca_file:
            raise UsageError("--config and --ca-file are for --broker: give that too.")
        return None
    at = read_broker(url, os.environ, config, ca_file)
    if at.tls and not ca_file:
        raise UsageError("A console checks the broker's certificate: give --ca-file with mqtts://.")
    return at


def wifi_password(ssid: str | None, file: Path | None) -> str | None:
    """From a file, the environment, or a person; never from the command line."""
    if ssid is None:
        if file:
            raise UsageError("--wifi-password-file is for --wifi-ssid: give that too.")
        return None
    if file:
        text = text_of(file).rstrip("\r\n")
        if is_open_to_others(file):
            raise TrivoxError(f"{file} holds a password and others may read it: run chmod 600 {file}.")
        return text
    if WIFI_PASSWORD in os.environ:
        return os.environ[WIFI_PASSWORD]
    if not sys.stdin.isatty():
        raise UsageError(f"The Wi-Fi's password is missing: give it in {WIFI_PASSWORD} or --wifi-password-file.")
    return getpass.getpass(f"Password of the Wi-Fi {ssid}: ")


def base(path: Path | None, digest: str | None) -> Base | None:
    """The base to put on boards, checked."""
    if path is None:
        if digest:
            raise UsageError("--base-sha256 is for --base: give that too.")
        return None
    return read_base(path, digest)
