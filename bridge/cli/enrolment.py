"""Manage credentials: `trivox console enroll` and `revoke`, `trivox source …`, `trivox viewer …`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from bridge import private_files
from bridge.admin.commands import (
    BridgeCommand,
    EnrollConsoles,
    EnrollSources,
    EnrollViewers,
    NoteNewKeys,
    RevokeConsoles,
    RevokeSources,
    RevokeViewers,
)
from bridge.admin.known_names import find_nearest
from bridge.cli.options import DATABASE, Database, New
from bridge.cli.output import print_line, print_made
from bridge.cli.shared_groups import console_app, join, source_app, viewer_app
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import OWN_USERS, Credentials, Keyring
from bridge.service.control import open_writer, perform
from bridge.store.connection import require
from bridge.text import plural
from bridge.wire.identifiers import check_id, check_name

Consoles = Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")]
Sources = Annotated[list[str], typer.Argument(metavar="SITE/SOURCE…")]
Viewers = Annotated[list[str], typer.Argument(metavar="NAME…")]
Renew = Annotated[bool, typer.Option("--renew", help="Replace existing credentials by new ones.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", readable=False, help="Also write the credentials to this file; only with one name."),
]
UPDATE_BROKER = "Now update the broker: run `trivox broker-config`, then reload the broker."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "console", console_app)
    join(app, "source", source_app)
    join(app, "viewer", viewer_app)


@console_app.command("enroll")
def console_enroll(
    consoles: Consoles,
    renew: Renew = False,  # noqa: FBT002 - an option of the command line
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Enrol consoles, and give each its own user, password and key."""
    keyring = Keyring(database)
    names = list(dict.fromkeys(consoles))
    for name in names:
        _refuse_source(name, keyring)
    _check_out(out, names)
    ids = {name: check_name("console", name) for name in names}
    before = {name: keyring.stamp(*ids[name]) for name in names}
    existing = {name: None if renew else keyring.get(*ids[name]) for name in names}
    with open_writer(database, makes_database=True) as writer:
        with ExitStack() as stack:
            issued = {
                name: existing[name] or stack.enter_context(keyring.issuing(*ids[name], before[name])) for name in names
            }
            result = writer.perform(EnrollConsoles(consoles=names, renew=renew))
        # Only now is no earlier key valid any more: before, whoever has one could have proved something anew.
        writer.perform(NoteNewKeys(consoles=[name for name in names if existing[name] is None]))
    print_made(result)
    rebuild = "; run `trivox rebuild` to take in what was refused before" if result["refused"] else ""
    print_line(f"{plural(len(names), 'console')} enrolled{rebuild}.")
    for name in result["again"]:
        print_line(f"Console {name} was retired, and is in service again.")
    for name, credentials in issued.items():
        print_line(f"{name}: {'unchanged' if existing[name] else 'new'} credentials in {keyring.path(*ids[name])}")
        if out is not None:
            _write(out, _console_json(*ids[name], credentials))
    print_line("Put them into each board's console.json: `key`, and `user` and `password` under `broker`.")
    print_line(UPDATE_BROKER)


@console_app.command("revoke")
def console_revoke(consoles: Consoles, database: Database = DATABASE) -> None:
    """Revoke consoles' credentials; what they have sent stays."""
    keyring = Keyring(database)
    names = {name: check_name("console", name) for name in consoles}
    revoked = perform(database, RevokeConsoles(consoles=list(names)))["revoked"]
    done = [name for name, console in names.items() if keyring.remove(*console) or name in revoked]
    if done:
        print_line(
            f"{plural(len(done), 'console')} revoked: a bridge with --enrolled-only now refuses {', '.join(done)}."
        )
        print_line("To end their sessions, update the broker: run `trivox broker-config`, then reload the broker.")
    if unknown := sorted(set(names) - set(done)):
        was = "was" if len(unknown) == 1 else "were"
        raise TrivoxError(f"{', '.join(unknown)} {was} not enrolled: see `trivox console list`.")


@source_app.command("enroll")
def source_enroll(
    sources: Sources,
    renew: Renew = False,  # noqa: FBT002 - options of the command line
    new: New = False,  # noqa: FBT002
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Give each till or people counter a login of its own. It may write only its own counts."""
    keyring = Keyring(database)
    for name in sources:
        site_id, source_id = check_name("source", name)
        if keyring.stamp(site_id, source_id) is not None:
            raise TrivoxError(f"{name} is a console: give the source another id.")
    _issue(database, EnrollSources(sources=sources, new=new, renew=renew), sources, out, renew=renew)


@source_app.command("revoke")
def source_revoke(sources: Sources, database: Database = DATABASE) -> None:
    """Revoke sources' credentials; counts that they have sent stay."""
    for name in sources:
        check_name("source", name)
    require(database)
    _remove(database, sources, lambda known: RevokeSources(sources=known))


@viewer_app.command("enroll")
def viewer_enroll(
    viewers: Viewers,
    renew: Renew = False,  # noqa: FBT002 - an option of the command line
    out: Out = None,
    database: Database = DATABASE,
) -> None:
    """Give each person or program a login of its own. They may read everything and write nothing."""
    for name in viewers:
        check_id("viewer", name)
        if name in OWN_USERS:
            raise UsageError(f"{name!r} is {OWN_USERS[name]} own user: give the viewer another name.")
    require(database)
    _issue(database, EnrollViewers(viewers=viewers, renew=renew), viewers, out, renew=renew)


@viewer_app.command("revoke")
def viewer_revoke(viewers: Viewers, database: Database = DATABASE) -> None:
    """Revoke viewers' credentials."""
    for name in viewers:
        check_id("viewer", name)
        if name in OWN_USERS:
            raise UsageError(f"{name!r} is {OWN_USERS[name]} own user, which cannot be revoked: name a viewer.")
    require(database)
    _remove(database, viewers, lambda known: RevokeViewers(viewers=known))


def _issue(database: Path, command: BridgeCommand, names: list[str], out: Path | None, *, renew: bool) -> None:
    """Give accounts to those who have none, and with `renew` to all, and carry out the command that records it."""
    names = list(dict.fromkeys(names))
    _check_out(out, names)
    keyring = Keyring(database)
    before = {name: keyring.account_stamp(name) for name in names}
    existing = {name: None if renew else keyring.account(name) for name in names}
    with open_writer(database, makes_database=command.new) as writer, ExitStack() as stack:
        accounts = {
            name: existing[name] or stack.enter_context(keyring.issuing_account(name, before[name])) for name in names
        }
        result = writer.perform(command)
    print_made(result)
    for name, account in accounts.items():
        print_line(f"{name}: {'unchanged' if existing[name] else 'new'} credentials in {keyring.account_path(name)}")
        if out is not None:
            _write(out, account._asdict())
    print_line(UPDATE_BROKER)


def _remove(database: Path, names: list[str], revoke: Callable[[list[str]], BridgeCommand]) -> None:
    keyring = Keyring(database)
    keyring.check_readable()
    done = [name for name in dict.fromkeys(names) if keyring.account_stamp(name) is not None]
    if done:
        perform(database, revoke(done))
        for name in done:
            keyring.remove_account(name)
        print_line(f"{', '.join(done)}: revoked.")
        print_line(UPDATE_BROKER)
    if unknown := [name for name in names if name not in done]:
        known = [name for names in (keyring.sources(), keyring.viewers()) for name in names]
        near = [found for name in unknown if (found := find_nearest(name, known))]
        advice = f"did you mean {', '.join(near)}?" if near else "check the name."
        raise TrivoxError(f"{', '.join(unknown)} had no credentials: {advice}")


def _refuse_source(name: str, keyring: Keyring) -> None:
    if keyring.account("/".join(check_name("console", name))) is not None:
        raise TrivoxError(f"{name} is a source: give the console another id.")


def _check_out(out: Path | None, names: list[str]) -> None:
    """Refuse a bad --out before anything is done. Raises UsageError or TrivoxError."""
    if out is None:
        return
    if len(names) != 1:
        raise UsageError("--out holds the credentials of one name: give only one.")
    if private_files.is_taken(out):
        raise TrivoxError(f"{out} is there already: give another name, or move it away.")
    if not out.absolute().parent.is_dir():
        raise TrivoxError(f"{out} cannot be written, as there is no folder {out.parent}: make it first.")


def _console_json(site_id: str, console_id: str, credentials: Credentials) -> dict[str, object]:
    """Return the part of a console's console.json that identifies it."""
    broker = {"user": credentials.user, "password": credentials.password}
    return {"site_id": site_id, "console_id": console_id, "key": credentials.key, "broker": broker}


def _write(out: Path, content: object) -> None:
    private_files.write(out, (json.dumps(content, indent=1) + "\n").encode())
    print_line(f"Written to {out}, which only its owner may read: carry it with care, and delete it afterwards.")
