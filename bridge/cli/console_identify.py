"""`trivox console identify`: have a console flash its lamps, through the running bridge, and wait for its reply."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from bridge.admin.cameras.registry import COMMAND_EXPIRES_MS
from bridge.admin.commands import IdentifyConsole
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line
from bridge.cli.shared_groups import console_app, join
from bridge.errors import TrivoxError
from bridge.service.control import perform
from bridge.store import cameras, open_store
from bridge.text import printable
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.cameras import SentCommand

POLL_S = 0.1
BLINK_MS = 250  # half a period: the lamps light up to so long after the console has the command


class LampsFlash(NamedTuple):
    """When lamps began to flash, give or take `precision_ms`."""

    at_ms: int
    precision_ms: int


@console_app.command("identify")
def console_identify(
    console: Annotated[str, typer.Argument(metavar="SITE/CONSOLE", help="The console that is looked for.")],
    database: Database = DATABASE,
) -> None:
    """Have a console flash its lamps and beep, so that somebody finds it. The bridge must be running."""
    flash_lamps(database, *check_name("console", console))
    print_line(f"Console {console} flashes its lamps.")


def flash_lamps(database: Path, site_id: str, console_id: str) -> LampsFlash:
    """Have a console flash its lamps; return when it began: between sending the command and the reply.

    Raises TrivoxError if it does not reply, or refuses.
    """
    command_id = perform(database, IdentifyConsole(site_id=site_id, console_id=console_id))["command_id"]
    sent = _wait_for_reply(database, str(command_id), f"{site_id}/{console_id}")
    if not sent.ok:
        raise TrivoxError(f"Console {site_id}/{console_id} did not flash: {printable(sent.reason)}.")
    earliest_ms, latest_ms = sent.sent_at_ms, (sent.replied_at_ms or sent.sent_at_ms) + BLINK_MS
    return LampsFlash((earliest_ms + latest_ms) // 2, (latest_ms - earliest_ms + 1) // 2)


def _wait_for_reply(database: Path, command_id: str, console: str) -> SentCommand:
    end_s = time.monotonic() + COMMAND_EXPIRES_MS / 1000
    with closing(open_store(database)) as store:
        while time.monotonic() < end_s:
            sent = cameras.sent_command(store, command_id)
            if sent is not None and sent.replied_at_ms is not None:
                return sent
            time.sleep(POLL_S)
    raise TrivoxError(
        f"Console {console} has not replied within {COMMAND_EXPIRES_MS // 1000} s: see with `trivox console list` "
        "whether it is online."
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    join(app, "console", console_app)
