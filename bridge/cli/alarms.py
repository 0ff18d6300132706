"""`trivox alarms`: list operational alarms, acknowledge and close them, and comment on them."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.admin.commands import AcknowledgeAlarm, CloseAlarm, CommentAlarm
from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.cli.report import Period, ReportFormat
from bridge.cli.shared_groups import alarms_app, join
from bridge.data_formats import to_json
from bridge.errors import UsageError
from bridge.model.local_time import DAY_MS, day_starts_ms
from bridge.reports.days import days_of_period
from bridge.reports.full_screen import size_of
from bridge.safe_stream import displayed
from bridge.service.alarm_base import sites_without_base
from bridge.service.alarm_rows import listed_alarm
from bridge.service.alarm_table import as_csv, as_text
from bridge.service.control import perform
from bridge.store import alarms as table
from bridge.store import open_store, places

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.store.alarms import AlarmRow

Number = Annotated[int, typer.Argument(metavar="ALARM", help="The alarm's number, as `trivox alarms` lists it.")]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="What there is to say about it.")]


@alarms_app.callback(invoke_without_command=True)
def alarms(
    context: typer.Context,
    site: Annotated[list[str] | None, typer.Option(help="Only this site; may be repeated.", metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="All alarms that there ever were.")] = False,  # noqa: FBT002 - an option of the command line
    period: Annotated[Period | None, typer.Option(help="Those raised in a period of each site's own days.")] = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """List alarms: those that are open or acknowledged, and those of the last 24 hours.

    An alarm rings when, in 15 minutes at a site or checkout point, so many answers are no as chance alone hardly ever
    brings. With a command it acknowledges an alarm, closes it, or comments on it.
    """
    if context.invoked_subcommand is not None:
        return
    if every and period is not None:
        raise UsageError("Give --all or --period, not both.")
    now_ms = time.time_ns() // 1_000_000
    with closing(open_store(database)) as store, store.snapshot():
        for site_id in site or []:
            KnownNames(store).check_site(site_id)
        found = [
            alarm for alarm in _wanted(store, now_ms, period, every=every) if not site or alarm.place.site_id in site
        ]
        rows = [listed_alarm(store, alarm) for alarm in found]
        deaf = [name for name in sites_without_base(store, now_ms) if not site or name in site]
    if output is ReportFormat.json:
        print_json(to_json(rows, indent=1) + "\n")
    elif output is ReportFormat.csv:
        print_csv(as_csv(rows))
    elif rows:
        width = size_of(sys.stdout).columns if sys.stdout.isatty() else None
        print_drawing("\n".join(map(displayed, as_text(rows, width).split("\n"))))
    else:
        print_line("There is no such alarm." if every or period else "No alarm is open, and none rang in the last day.")
    say = print_line if output is ReportFormat.table else warn
    for site_id in deaf:
        say(f"No alarm can ring at {site_id} yet: too few answers came there before today to tell what is usual.")


def _wanted(store: Store, now_ms: int, period: Period | None, *, every: bool) -> list[AlarmRow]:
    if period is None:
        return table.latest(store, None if every else now_ms - DAY_MS)
    days_in = days_of_period(period.value, now_ms)
    found = []
    for site_id, zone in places.timezones(store).items():
        first, end = days_in(zone)
        found += table.raised_between(store, site_id, day_starts_ms(first, zone), day_starts_ms(end, zone))
    return sorted(found)


@alarms_app.command("acknowledge")
def acknowledge(alarm: Number, comment: Comment = None, database: Database = DATABASE) -> None:
    """Say that you look after an alarm."""
    before = perform(database, AcknowledgeAlarm(alarm_id=alarm, comment=comment))["before"]
    others = f"; {before} had acknowledged it before" if before else ""
    print_line(f"Alarm {alarm} is acknowledged{others}.")


@alarms_app.command("close")
def close(alarm: Number, comment: Comment = None, database: Database = DATABASE) -> None:
    """Close an alarm by hand: what it rang for makes no other. Alarms close by themselves when the answers recover."""
    perform(database, CloseAlarm(alarm_id=alarm, comment=comment))
    print_line(f"Alarm {alarm} is closed.")


@alarms_app.command("comment")
def comment(
    alarm: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What there is to say about it.")],
    database: Database = DATABASE,
) -> None:
    """Comment on an alarm, whether it is closed or not."""
    perform(database, CommentAlarm(alarm_id=alarm, comment=text))
    print_line(f"The comment on alarm {alarm} is kept.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "alarms", alarms_app)
