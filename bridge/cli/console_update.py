"""`trivox console update`: order consoles to update their firmware, and show the progress."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bridge.admin.commands import ALL_CONSOLES, OrderUpdate, StopUpdates
from bridge.cli.options import DATABASE, ConsoleOption, Database, ForAll, Site, scope
from bridge.cli.output import print_line
from bridge.cli.shared_groups import console_app, join
from bridge.errors import TrivoxError, UsageError
from bridge.rich_terminal import RichTerminal
from bridge.service.control import perform
from bridge.store import open_store, updates
from bridge.store.updates import FAILED, FETCHING, RETURNED, UpdateOrder
from bridge.text import ago, plural

POLL_S = 1.0
OFFLINE_MS = 120_000  # longer than a restart
SILENT_MS = 900_000
PLAIN_WIDTH = 160  # columns, if the output is not a terminal
NAMES_SHOWN = 10
NOT_ORDERED = {
    "already": "run it, or are updating to it",
    "newer": "run a newer version: give --older to go back",
    "returned": "fell back from this version: find out why, then name each with --console",
    "keyless": "have no key to check it with: run `trivox console enroll`",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    join(app, "console", console_app)


@console_app.command("update")
def console_update(
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The version to update to: see `trivox firmware list`.")
    ] = None,
    site: Site = None,
    console: ConsoleOption = None,
    for_all: ForAll = False,  # noqa: FBT002 - an option of the command line
    percent: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Only this share of them; a larger share later includes the same ones."),
    ] = None,
    older: Annotated[  # noqa: FBT002
        bool, typer.Option("--older", help="Also consoles that run a newer version.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop updates that consoles are not trying out yet.")] = False,  # noqa: FBT002
    watch: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--watch",
            help="Wait until all consoles that are online have ended; exit status 1 if one failed or is offline.",
        ),
    ] = False,
    database: Database = DATABASE,
) -> None:
    """Update consoles over the air; without --to, show the progress."""
    selected = scope(site, console, for_all=for_all)
    if to is None and (selected or older or percent):
        raise UsageError(
            "--watch and --stop are for all updates: leave the other options out."
            if watch or stop
            else "Give --to VERSION, the version to update to."
        )
    if to is not None and stop:
        raise UsageError("Give --to or --stop, not both.")
    if stop:
        stopped = perform(database, StopUpdates())["stopped"]
        print_line(f"{plural(stopped, 'update')} stopped.")
    if to is not None:
        if selected is None and percent is None:
            raise UsageError("Say which consoles: --site, --console, --percent or --all.")
        _order(database, OrderUpdate(version=to, scope=selected or ALL_CONSOLES, percent=percent or 100, older=older))
    if watch:
        _watch(database)
    elif to is None and not stop:
        _show(_orders_and_absent(database)[0])


def _order(database: Path, command: OrderUpdate) -> None:
    result = perform(database, command)
    print_line(f"{plural(len(result['ordered']), 'console')} to be updated to {command.version}.")
    for key, reason in NOT_ORDERED.items():
        names = result[key]
        if names:
            print_line(f"Not {_listed(names)}: they {reason}.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _show(orders: list[UpdateOrder]) -> None:
    table = Table(header_style="bold")
    for heading in ("site", "console", "to version", "state", "since", "reason"):
        table.add_column(heading)
    now_ms = time.time_ns() // 1_000_000
    for order in orders:
        since = ago(max(now_ms - (order.changed_at_ms or order.ordered_at_ms), 0))
        cells = (order.site_id, order.console_id, order.version, _state(order), since, order.reason)
        table.add_row(*cells)
    RichTerminal(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)


def _state(order: UpdateOrder) -> str:
    return f"{order.state} {100 * order.fetched // order.size} %" if order.state == FETCHING else order.state


def _watch(database: Path) -> None:
    """Print a line for each change until no order can move on. Raises TrivoxError if a console failed or is absent."""
    shown: dict[int, str] = {}
    while True:
        orders, absent = _orders_and_absent(database)
        for order in orders:
            line = f"{order.site_id}/{order.console_id}: {order.version} {_state(order)}"
            line += f": {order.reason}" if order.reason else ""
            if shown.get(order.console_key) != line:
                shown[order.console_key] = line
                print_line(line)
        sys.stdout.flush()
        waiting = [order for order in orders if order.is_open]
        if all(order.console_key in absent for order in waiting):
            break
        time.sleep(POLL_S)
    failed = [order for order in orders if order.state in {FAILED, RETURNED}]
    if failed:
        raise TrivoxError(
            f"{plural(len(failed), 'console')} did not take the update: see the reasons in `trivox console update`."
        )
    if waiting:
        names = [f"{order.site_id}/{order.console_id}" for order in waiting]
        raise TrivoxError(
            f"Not online: {_listed(names)}. An update goes on by itself once its console is back; `trivox console "
            "update` shows it."
        )


def _orders_and_absent(database: Path) -> tuple[list[UpdateOrder], set[int]]:
    """Return all orders, and the keys of those consoles that have not been there for a while."""
    store = open_store(database)
    try:
        now_ms = time.time_ns() // 1_000_000
        return updates.orders(store), updates.absent(store, now_ms - OFFLINE_MS, now_ms - SILENT_MS)
    finally:
        store.close()
