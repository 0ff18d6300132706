"""`trivox console flash` and `trivox console keys`: turn boards into consoles at a technician's desk."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli import flash_options as options
from bridge.cli.flash_screen import Screen
from bridge.cli.options import DATABASE, Database, New, table_of
from bridge.cli.output import print_line, warn
from bridge.cli.shared_groups import console_app, join
from bridge.errors import TrivoxError, UsageError
from bridge.ops.flash import assignments, credentials, flash_log
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.bridge_records import BridgeRecords
from bridge.ops.flash.compile import compiled, version_of
from bridge.ops.flash.console_json import SharedConfig, read_der
from bridge.ops.flash.flash_board import FlashJob
from bridge.ops.flash.flash_session import FlashRun, FlashSession
from bridge.ops.flash.install import FirmwareImage
from bridge.ops.flash.label import check_folder
from bridge.ops.flash.wait_online import OnlineWatch
from bridge.text import escaped, plural
from bridge.wire.identifiers import check_id

if TYPE_CHECKING:
    from collections.abc import Callable


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "console", console_app)


@console_app.command("flash")
def console_flash(
    site: options.Site = None,
    console: options.ConsoleId = None,
    table: options.Table = None,
    again: options.Again = False,  # noqa: FBT002 - options of the command line
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
    new: options.New = False,  # noqa: FBT002 - options of the command line
    base: options.BaseFile = None,
    base_sha256: options.BaseHash = None,
    wipe: options.Wipe = False,  # noqa: FBT002
    replace: options.Replace = False,  # noqa: FBT002
    self_test: options.SelfTest = True,  # noqa: FBT002
    listen: options.Listen = True,  # noqa: FBT002
    wait: options.Wait = 300,
    labels: options.Labels = options.LABELS,
    log_file: options.LogFile = options.LOG,
) -> None:
    """Turn boards into consoles as they are plugged in. Each gets firmware, configuration, self-test and label."""
    rows = _rows(site, console, table, count)
    check = _check_of_sites(None if keys or new else database)
    check({row.site_id for row in rows} or {name for name in [site] if name})
    login = options.broker(broker, config, ca_file)
    done = flash_log.read_done(log_file, login.address if login else None)
    check_folder(labels)
    without_password = (row.wifi_ssid for row in rows if row.wifi_ssid and row.wifi_password is None)
    password = options.wifi_password(wifi_ssid or next(without_password, None), wifi_password_file)
    common = SharedConfig(
        wifi_ssid, password, login, read_der(ca_file) if ca_file else None, ntp_host, _issuer(keys, database)
    )
    micropython = options.base(base, base_sha256)
    screen = Screen()
    done = {} if again or not (table or count) else done
    pool = assignments.AssignmentPool(rows, done, None if rows else lambda board: _ask(screen, site, board, check))
    wanted = min(count or pool.remaining, pool.remaining) if table else count or 1
    if not wanted:
        screen.say(f"All consoles of {table} are done, according to {log_file}: to flash them again, add --again.")
        return
    with ExitStack() as stack:
        watch = stack.enter_context(OnlineWatch(login)) if login and listen else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="trivox-firmware-"))
        stack.enter_context(screen)
        firmware = FirmwareImage(compiled(Path(folder) / "firmware"))
        job = FlashJob(
            firmware,
            pool,
            common,
            micropython,
            may_wipe=wipe,
            may_replace=replace,
            runs_self_test=self_test,
            watch=watch,
            records=BridgeRecords(None if keys else database),
        )
        flash_run = FlashRun(port or [], wanted, wait, log_file, labels, version_of())
        screen.say(f"Plug in {plural(wanted, 'board')}{', one after the other or together' if wanted > 1 else ''}.")
        session = FlashSession(job, flash_run, screen.add_board)
        all_done = session.run()
        screen.say(_summary(session, wanted, log_file))
    if not all_done and session.failed_count:
        raise typer.Exit(1)  # each failure was told when it happened
    if not all_done:
        raise TrivoxError(_no_board(session, wait))


@console_app.command("keys")
def console_keys(
    file: Annotated[Path, typer.Argument(help="The file to write; only you may read it.")],
    consoles: Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")],
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Write consoles' logins and keys to a file, in place of an older one, and enrol those consoles.

    The file is for a technician or a gateway.
    """
    names = [_identity(name) for name in consoles]
    credentials.check_target(file)
    if not new:
        credentials.check_names(database, [], names)
    issue = credentials.DatabaseIssuer(database, _report_enrolled)
    issued = {f"{site_id}/{console_id}": issue(site_id, console_id) for site_id, console_id in names}
    credentials.write_file(file, issued)
    print_line(
        f"Written to {file}: the keys of {plural(len(issued), 'console')}. Delete it once they are flashed, unless a "
        "gateway uses it."
    )


def _identity(name: str) -> tuple[str, str]:
    site_id, slash, console_id = name.partition("/")
    if not slash:
        raise UsageError(f"{name!r} does not name a console: give SITE/CONSOLE.")
    return check_id("site", site_id), check_id("console", console_id)


def _rows(site: str | None, console: str | None, table: Path | None, count: int | None) -> list[assignments.Assignment]:
    """Return the consoles that the options name; none if the technician is to be asked. Raises UsageError."""
    if table and (site or console):
        raise UsageError("Give --csv, or --site and --console, not both.")
    if table:
        return assignments.read_assignments(table, table_of(table))
    if console and not site:
        raise UsageError("--console needs its site: give --site too.")
    if site and console:
        return assignments.numbered_assignments(site, console, count or 1)
    if not sys.stdin.isatty():
        raise UsageError("No console is named: give --site and --console, or --csv.")
    return []


def _ask(
    screen: Screen, site: str | None, board: BoardInfo, check: Callable[[set[str]], None]
) -> assignments.Assignment:
    """Ask which console a board is to become, until its site passes the check; offer what it was before."""
    with screen.asking():
        previous = "/".join(board.identity) if board.identity else None
        while True:
            answer = typer.prompt(
                escaped(f"Which console is the {board.kind} {board.hardware_id} to become (SITE/CONSOLE)"),
                default=previous and escaped(previous),
            )
            try:
                identity = _identity(answer if "/" in answer or not site else f"{site}/{answer}")
                check({identity[0]})
                return assignments.Assignment(*identity)
            except UsageError as error:
                print_line(str(error))


def _check_of_sites(database: Path | None) -> Callable[[set[str]], None]:
    """Return a check that the database knows sites, which raises UsageError; without a database it does nothing."""

    def check(sites: set[str]) -> None:
        if database is not None:
            credentials.check_names(database, sites)

    return check


def _issuer(keys: Path | None, database: Path | None) -> credentials.Issuer:
    if keys:
        if database:
            warn(f"{database} is not used: the consoles' keys come from {keys}.")
        return credentials.FileIssuer(keys)
    return credentials.DatabaseIssuer(database, _report_enrolled) if database else credentials.Issuer()


def _report_enrolled(name: str) -> None:
    warn(f"{name} is enrolled: run `trivox broker-config` and reload the broker, so that it knows the new login.")


def _summary(session: FlashSession, wanted: int, log_file: Path) -> str:
    done, unheard = session.done_count, session.unheard_count
    of_them = "" if unheard == done else f"{unheard} of them "
    not_heard = f", {of_them}not heard at the broker" if unheard else ""
    silent = f", {session.silent_count} more flashed, but not heard at the broker" if session.silent_count else ""
    return f"{plural(done, 'console')} of {wanted} flashed{not_heard}{silent}; the log is {log_file}."


def _no_board(session: FlashSession, wait_s: int) -> str:
    board = "No further board" if session.done_count else "No board"
    return (
        f"{board} was seen for {wait_s} s: check that its cable carries data (many only charge), try another socket, "
        "or give its port with --port; a Pico without MicroPython needs BOOTSEL held while it is plugged in, and "
        "--base."
    )
