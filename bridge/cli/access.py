"""Who may speak, and prove it: `trivox console enroll` and `revoke`, `trivox source …`, `trivox viewer …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge import private_files
from bridge.admin.commands import EnrollConsoles, RevokeConsoles
from bridge.cli.groups import console_app, join
from bridge.cli.options import DATABASE, Database
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import BRIDGE, Account, Credentials, Keyring
from bridge.service.control import perform
from bridge.text import plural
from bridge.wire.identifiers import check_id, check_name

source_app = typer.Typer(help="Tills and people counters.", no_args_is_help=True)
viewer_app = typer.Typer(help="Who else may read at the broker.", no_args_is_help=True)

Consoles = Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")]
Sources = Annotated[list[str], typer.Argument(metavar="SITE/SOURCE…")]
Viewers = Annotated[list[str], typer.Argument(metavar="NAME…")]
Renew = Annotated[bool, typer.Option("--renew", help="Make new credentials also where there are some.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", readable=False, help="Write the credentials of the one that is named there too."),
]
TELL_BROKER = "Then let the broker know: `trivox broker-config`, and reload it."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "console", console_app)
    app.add_typer(source_app, name="source")
    app.add_typer(viewer_app, name="viewer")


@console_app.command("enroll")
def console_enroll(
    consoles: Consoles,
    renew: Renew = False,  # noqa: FBT002 - an option of the command line
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Take consoles in by name, and give each its own user, password and key."""
    keyring = Keyring(database)
    names = list(dict.fromkeys(consoles))
    for name in names:
        _refuse_other(name, "source", check_name("console", name), keyring)
    _may_write(out, names)
    perform(database, EnrollConsoles(consoles=names))
    _say(f"{plural(len(names), 'console')} enrolled; `trivox rebuild` takes in what was refused before.")
    for name in names:
        site_id, console_id = check_name("console", name)
        kept = None if renew else keyring.get(site_id, console_id)
        made = kept or keyring.issue(site_id, console_id)
        _say(f"{name}: {'as before' if kept else 'new'}, in {keyring.path(site_id, console_id)}")
        if out is not None:
            _write(out, _console_json(site_id, console_id, made))
    _say("Put them on the boards, as `key` and as `user` and `password` of `broker` in console.json.")
    _say(TELL_BROKER)


@console_app.command("revoke")
def console_revoke(consoles: Consoles, database: Database = DATABASE) -> None:
    """Take consoles' credentials away; what they have sent stays."""
    keyring = Keyring(database)
    names = {name: check_name("console", name) for name in consoles}
    revoked = perform(database, RevokeConsoles(consoles=list(names)))["revoked"]
    done = [name for name, console in names.items() if keyring.remove(*console) or name in revoked]
    if done:
        _say(f"{plural(len(done), 'console')} revoked: a bridge with --enrolled-only refuses {', '.join(done)} now.")
        _say("Then let the broker know, which ends their sessions: `trivox broker-config`, and reload it.")
    if strangers := sorted(set(names) - set(done)):
        raise TrivoxError(f"{', '.join(strangers)} was not enrolled: see `trivox console list`.")


@source_app.command("enroll")
def source_enroll(
    sources: Sources,
    renew: Renew = False,  # noqa: FBT002 - an option of the command line
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Give tills and people counters each its own user and password: it may write its own counts alone."""
    keyring = Keyring(database)
    for name in sources:
        site_id, source_id = check_name("source", name)
        if keyring.stamp(site_id, source_id) is not None:
            raise TrivoxError(f"{name} is a console: give the source another id.")
    _issue(sources, keyring, out, renew=renew)


@source_app.command("revoke")
def source_revoke(sources: Sources, database: Database = DATABASE) -> None:
    """Take their credentials away; counts that they have sent stay."""
    for name in sources:
        check_name("source", name)
    _remove(sources, Keyring(database))


@viewer_app.command("enroll")
def viewer_enroll(
    viewers: Viewers,
    renew: Renew = False,  # noqa: FBT002 - an option of the command line
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Give people or programs each a user and a password: they may read everything and write nothing."""
    for name in viewers:
        check_id("viewer", name)
        if name == BRIDGE:
            raise UsageError(f"{BRIDGE!r} is the bridge's own user: give the viewer another name.")
    _issue(viewers, Keyring(database), out, renew=renew)


@viewer_app.command("revoke")
def viewer_revoke(viewers: Viewers, database: Database = DATABASE) -> None:
    """Take their credentials away."""
    for name in viewers:
        check_id("viewer", name)
        if name == BRIDGE:
            raise UsageError(f"{BRIDGE!r} is the bridge's own user: it cannot be revoked.")
    _remove(viewers, Keyring(database))


def _issue(names: list[str], keyring: Keyring, out: Path | None, *, renew: bool) -> None:
    _may_write(out, names)
    for name in names:
        kept = None if renew else keyring.account(name)
        made: Account = kept or keyring.issue_account(name)
        _say(f"{name}: {'as before' if kept else 'new'}, in {keyring.account_path(name)}")
        if out is not None:
            _write(out, made._asdict())
    _say(TELL_BROKER)


def _remove(names: list[str], keyring: Keyring) -> None:
    done = [name for name in names if keyring.remove_account(name)]
    if done:
        _say(f"{', '.join(done)}: revoked.")
        _say(TELL_BROKER)
    if strangers := [name for name in names if name not in done]:
        raise TrivoxError(f"{', '.join(strangers)} had no credentials.")


def _refuse_other(name: str, what: str, other: tuple[str, str], keyring: Keyring) -> None:
    if keyring.account("/".join(other)) is not None:
        raise TrivoxError(f"{name} is a {what}: give the console another id.")


def _may_write(out: Path | None, names: list[str]) -> None:
    """Refuse before anything is done."""
    if out is None:
        return
    if len(names) != 1:
        raise UsageError("--out takes the credentials of one: name one.")
    if out.exists():
        raise TrivoxError(f"{out} is there already: give another name, or move it away.")


def _console_json(site_id: str, console_id: str, made: Credentials) -> dict[str, object]:
    """What the console's console.json says of who it is."""
    broker = {"user": made.user, "password": made.password}
    return {"site_id": site_id, "console_id": console_id, "key": made.key, "broker": broker}


def _write(out: Path, content: object) -> None:
    private_files.write(out, (json.dumps(content, indent=1) + "\n").encode())
    _say(f"Written to {out}, which you alone may read: carry it with care, and delete it when done.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
