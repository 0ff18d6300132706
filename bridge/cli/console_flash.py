"""`trivox console flash`: boards become consoles, at a technician's desk."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli import flash_options as options
from bridge.cli.flash_screen import Screen
from bridge.cli.groups import console_app, join
from bridge.cli.options import DATABASE, Database, text_of
from bridge.errors import TrivoxError, UsageError
from bridge.ops.flash import SOURCE, assignments, credentials, flash_log
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.compile import compile_firmware
from bridge.ops.flash.console_json import Common, der_of
from bridge.ops.flash.flash_board import FlashJob
from bridge.ops.flash.flash_session import FlashRun, FlashSession
from bridge.ops.flash.install import FirmwareImage
from bridge.text import plural
from bridge.wire.identifiers import check_id

_VERSION = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "console", console_app)


@console_app.command("flash")
def console_flash(
    site: options.Site = None,
    console: options.ConsoleId = None,
    table: options.Table = None,
    count: options.Count = None,
    port: options.Ports = None,
    wifi_ssid: options.WifiSsid = None,
    wifi_password_file: options.WifiPasswordFile = None,
    broker: options.BrokerUrl = None,
    ca_file: options.CaFile = None,
    ntp_host: options.NtpHost = None,
    config: options.Config = None,
    database: options.EnrollingDatabase = None,
    keys: options.Keys = None,
    base: options.BaseFile = None,
    base_sha256: options.BaseHash = None,
    wipe: options.Wipe = False,  # noqa: FBT002 - options of the command line
    self_test: options.SelfTest = True,  # noqa: FBT002
    wait: options.Wait = 300,
    labels: options.Labels = options.LABELS,
    log_file: options.LogFile = options.LOG,
) -> None:
    """Make consoles of boards as they are plugged in: firmware, configuration, self-test, label."""
    rows, done = _rows(site, console, table, count), flash_log.done(log_file) if table or count else {}
    at = options.broker(broker, config, ca_file)
    unsaid = (row.wifi_ssid for row in rows if row.wifi_ssid and row.wifi_password is None)
    password = options.wifi_password(wifi_ssid or next(unsaid, None), wifi_password_file)
    common = Common(wifi_ssid, password, at, der_of(ca_file) if ca_file else None, ntp_host, _issuer(keys, database))
    micropython = options.base(base, base_sha256)
    with Screen() as screen, tempfile.TemporaryDirectory(prefix="trivox-firmware-") as folder:
        people = assignments.Roster(rows, done, None if rows else lambda board: _asked(screen, site, board))
        wanted = min(count or people.left, people.left) if table else count or 1
        firmware = FirmwareImage(compile_firmware(Path(folder) / "firmware"))
        work = FlashJob(firmware, people, common, micropython, wipes=wipe, tests=self_test, watched=at)
        bench = FlashRun(port or [], wanted, wait, log_file, labels, _version())
        screen.say(
            f"Plug in {plural(wanted, 'board')}, one after the other or together."
            if wanted
            else f"All are done, says {log_file}: to flash one again, name it by --site and --console."
        )
        session = FlashSession(work, bench, screen.seat)
        all_done = session.run()
        screen.say(f"{plural(session.made, 'console')} of {wanted} done; the log is {log_file}.")
    if not all_done:
        raise TrivoxError(_why(session, wait))


@console_app.command("keys")
def console_keys(
    file: Annotated[Path, typer.Argument(help="The file to make, which nobody else may read.")],
    consoles: Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")],
    database: Database = DATABASE,
) -> None:
    """Write logins and keys to a file, for a technician's machine or a gateway's; who has none yet is enrolled."""
    issue = credentials.of_database(database, _tell_broker)
    names = [_identity(name) for name in consoles]
    made = {f"{site_id}/{console_id}": issue(site_id, console_id) for site_id, console_id in names}
    credentials.write_file(file, made)
    holds = f"{file} holds the keys of {plural(len(made), 'console')}"
    sys.stdout.write(f"{holds}: delete it once they are flashed, unless a gateway logs them in.\n")


def _identity(name: str) -> tuple[str, str]:
    site_id, slash, console_id = name.partition("/")
    if not slash:
        raise UsageError(f"{name!r} names no console: give SITE/CONSOLE.")
    return check_id("site", site_id), check_id("console", console_id)


def _rows(site: str | None, console: str | None, table: Path | None, count: int | None) -> list[assignments.Wanted]:
    """The consoles that are named; none if they are to be asked for."""
    if table and (site or console):
        raise UsageError("Give --csv, or --site and --console, not both.")
    if table:
        return assignments.read_rows(table, text_of(table))
    if console and not site:
        raise UsageError("--console needs its site: give --site too.")
    if site and console:
        return assignments.numbered(site, console, count or 1)
    if not sys.stdin.isatty():
        raise UsageError("Which console is it to be? Give --site and --console, or --csv.")
    return []


def _asked(screen: Screen, site: str | None, board: BoardInfo) -> assignments.Wanted:
    """Ask which console a board is to be; what it was is offered."""
    with screen.asking():
        was = "/".join(board.identity) if board.identity else None
        while True:
            said = typer.prompt(
                f"The {board.kind} {board.hardware_id} is to be which console (SITE/CONSOLE)", default=was
            )
            try:
                return assignments.Wanted(*_identity(said if "/" in said or not site else f"{site}/{said}"))
            except UsageError as error:
                typer.echo(str(error))


def _issuer(keys: Path | None, database: Path | None) -> credentials.Issuer:
    if keys:
        return credentials.of_file(keys)
    return credentials.of_database(database, _tell_broker) if database else credentials.of_nobody


def _tell_broker(name: str) -> None:
    sys.stderr.write(f"{name} is enrolled: give the broker its login, which stands beside the database.\n")


def _version() -> str:
    found = _VERSION.search((SOURCE / "console" / "version.py").read_text(encoding="utf-8"))
    return found[1] if found else ""


def _why(session: FlashSession, wait_s: int) -> str:
    if session.failures:
        return f"{plural(len(session.failures), 'board')} could not be done; the last: {session.failures[-1]}"
    awaited = "No further board" if session.made else "No board"
    return (
        f"{awaited} was seen for {wait_s} s: see that its cable carries data (many only charge), try another socket, "
        "or name its port with --port; a Pico without MicroPython needs BOOTSEL held while it is plugged in, and "
        "--base."
    )
