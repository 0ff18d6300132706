"""`trivox alarm-recipient`: decide who is told of alarms, and try it out."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.admin.alarm_recipients import find_recipient
from bridge.admin.commands import RemoveAlarmRecipient, SetAlarmRecipient
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, print_rows, warn
from bridge.cli.shared_groups import alarm_recipient_app, join
from bridge.errors import UsageError
from bridge.model.alarm_recipient import WAYS, AlarmRecipient
from bridge.model.local_time import local
from bridge.service.control import perform
from bridge.service.notifications.apprise_library import check_installed
from bridge.service.notifications.notice import trial_notice
from bridge.service.notifications.recipient_login import read_login
from bridge.service.notifications.send import send
from bridge.store import alarm_recipients as table
from bridge.store import open_store
from bridge.text import printable

if TYPE_CHECKING:
    from typing import Any

RecipientName = Annotated[str, typer.Argument(metavar="NAME", help="The recipient's name, such as boss-mail.")]


@alarm_recipient_app.command("set")
def recipient_set(
    name: RecipientName,
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
    recipient = AlarmRecipient(name, site, way, to, server, sender, file, link)
    recipient.check()
    given = read_login(file, os.environ if not file else {})
    if way == "apprise":
        check_installed()
    fields = recipient._asdict()
    is_new = perform(database, SetAlarmRecipient(**fields))["is_new"]
    print_line(
        f"Alarm recipient {name} is {'new' if is_new else 'changed'}: try it with `trivox alarm-recipient test {name}`."
    )
    if way == "webhook" and not given.secret:
        warn('the webhook has no secret to sign with yet: put secret = "…" into the file of --login')


@alarm_recipient_app.command("list")
def recipient_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """List who is told of alarms."""
    with closing(open_store(database)) as store:
        rows = [_listed(recipient) for recipient in table.recipients(store).values()]
    print_rows(rows, "Nobody is told of alarms: name somebody with `trivox alarm-recipient set`.", as_json=as_json)


def _listed(recipient: AlarmRecipient) -> dict[str, Any]:
    fields = {**recipient._asdict(), "login": recipient.login_file}
    names = ("recipient_id", "site_id", "way", "address", "server", "sender", "login", "link")
    return {name: fields[name] or None for name in names}


@alarm_recipient_app.command("remove")
def recipient_remove(name: RecipientName, database: Database = DATABASE) -> None:
    """Tell a recipient of no alarm any more, those that wait for it included."""
    perform(database, RemoveAlarmRecipient(recipient_id=name))
    print_line(f"Alarm recipient {name} is removed.")


@alarm_recipient_app.command("test")
def recipient_test(name: RecipientName, database: Database = DATABASE) -> None:
    """Send a test from this machine to a recipient, as the bridge would send an alarm."""
    with closing(open_store(database)) as store:
        recipient = find_recipient(store, name)
    now = local(time.time_ns() // 1_000_000, "UTC").isoformat()
    send(trial_notice(recipient, now))
    print_line(f"{name} has taken the test.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "alarm-recipient", alarm_recipient_app)
