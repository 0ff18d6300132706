"""`trivox alarm-target`: decide who is told of alarms, and try it out."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.admin.alarm_targets import find_target
from bridge.admin.commands import RemoveAlarmTarget, SetAlarmTarget
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, print_rows, warn
from bridge.cli.shared_groups import alarm_target_app, join
from bridge.errors import UsageError
from bridge.model.alarm_target import WAYS, AlarmTarget
from bridge.model.local_time import local
from bridge.service.control import perform
from bridge.service.notifications.apprise_library import check_installed
from bridge.service.notifications.notice import trial_notice
from bridge.service.notifications.send import send
from bridge.service.notifications.target_login import read_login
from bridge.store import alarm_targets as table
from bridge.store import open_store
from bridge.text import printable

if TYPE_CHECKING:
    from typing import Any

TargetName = Annotated[str, typer.Argument(metavar="NAME", help="The target's name, such as boss-mail.")]


@alarm_target_app.command("set")
def target_set(
    name: TargetName,
    way: Annotated[str, typer.Option("--by", metavar="WAY", help=f"How it is told: {', '.join(WAYS)}.")],
    to: Annotated[
        str, typer.Option("--to", metavar="ADDRESS", help="The mail address, or the URL of the webhook or ntfy topic.")
    ] = "",
    server: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The mail server: smtps://HOST, or smtp://HOST for STARTTLS; with or without :PORT."
        ),
    ] = "",
    sender: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="The mail's sender. [default: the address of --to]")
    ] = "",
    login: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="A TOML file (mode 0600) with user and password, token, secret (that webhooks are signed with), "
            "ca_file, or url (in place of --to). The bridge reads it at each attempt.",
        ),
    ] = None,
    link: Annotated[
        str, typer.Option(metavar="URL", help="Where more is to be seen; {alarm_id} in it becomes the alarm's number.")
    ] = "",
    site: Annotated[str, typer.Option(metavar="ID", help="Only alarms at this site. [default: all sites]")] = "",
    database: Database = DATABASE,
) -> None:
    """Define or change who is told of alarms. Passwords and other secrets are in the file of --login alone."""
    if way not in WAYS:
        raise UsageError(f"--by {printable(way)!r} is no way to tell of an alarm: give one of {', '.join(WAYS)}.")
    file = "" if login is None else str(login.absolute())
    target = AlarmTarget(name, site, way, to, server, sender, file, link)
    target.check()
    given = read_login(file, os.environ if not file else {})
    if way == "apprise":
        check_installed()
    fields = target._asdict()
    is_new = perform(database, SetAlarmTarget(**fields))["is_new"]
    print_line(
        f"Alarm target {name} is {'new' if is_new else 'changed'}: try it with `trivox alarm-target test {name}`."
    )
    if way == "webhook" and not given.secret:
        warn('the webhook has no secret to sign with yet: put secret = "…" into the file of --login')


@alarm_target_app.command("list")
def target_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """List who is told of alarms."""
    with closing(open_store(database)) as store:
        rows = [_listed(target) for target in table.targets(store).values()]
    print_rows(rows, "Nobody is told of alarms: name somebody with `trivox alarm-target set`.", as_json=as_json)


def _listed(target: AlarmTarget) -> dict[str, Any]:
    fields = {**target._asdict(), "login": target.login_file}
    names = ("target_id", "site_id", "way", "address", "server", "sender", "login", "link")
    return {name: fields[name] or None for name in names}


@alarm_target_app.command("remove")
def target_remove(name: TargetName, database: Database = DATABASE) -> None:
    """Tell a target of no alarm any more, those that wait for it included."""
    perform(database, RemoveAlarmTarget(target_id=name))
    print_line(f"Alarm target {name} is removed.")


@alarm_target_app.command("test")
def target_test(name: TargetName, database: Database = DATABASE) -> None:
    """Send a test from this machine to a target, as the bridge would send an alarm."""
    with closing(open_store(database)) as store:
        target = find_target(store, name)
    now = local(time.time_ns() // 1_000_000, "UTC").isoformat()
    send(trial_notice(target, now))
    print_line(f"{name} has taken the test.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "alarm-target", alarm_target_app)
