"""Enrol consoles, sources and viewers, and revoke their enrolment; the command itself writes the credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.admin.retirement import set_retired
from bridge.admin.settings import refresh_console
from bridge.keyring import Keyring
from bridge.model.history import HistoryChange
from bridge.store import consoles, gone_consoles, places, rejects
from bridge.store.history import record_change
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import (
        EnrollConsoles,
        EnrollSources,
        EnrollViewers,
        NoteNewKeys,
        RevokeConsoles,
        RevokeSources,
        RevokeViewers,
    )
    from bridge.store import Store


def enroll_consoles(store: Store, command: EnrollConsoles) -> dict[str, Any]:
    """Mark consoles as enrolled, all or none. Raises UsageError if a name is not valid.

    Returns what was `made`, which consoles are in service `again`, and whether any of them was `refused` before.
    """
    names, given = KnownNames(store, new=True), [check_name("console", name) for name in command.consoles]
    for name in given:
        names.check_console(*name)
    before = {name: consoles.find_console(store, *name) for name in given}
    made, again, keyring = names.make_new(), [], Keyring(store.path)
    for site_id, console_id in given:
        if command.renew and keyring.stamp(site_id, console_id) is not None:
            _record_renewal(store, "console", site_id, console_id)
        known = before[site_id, console_id]
        _record(store, site_id, console_id, was_enrolled=known.enrolled if known else None, enrolled=True)
        places.set_enrolled(store, places.ensure_console(store, site_id, console_id), enrolled=True)
        if set_retired(store, site_id, console_id, retired=False):
            again.append(f"{site_id}/{console_id}")
        gone_consoles.note_back(store, site_id, console_id)
        store.forget()
        refresh_console(store, site_id, console_id)
    refused = any(rejects.was_refused(store, "/".join(("trivox/v1", *name, "events"))) for name in given)
    return {"made": made, "again": again, "refused": refused}


def note_new_keys(store: Store, command: NoteNewKeys) -> dict[str, Any]:
    """Forget what consoles proved with earlier keys: whoever had one may have left marks above all that is to come."""
    for name in command.consoles:
        console = consoles.find_console(store, *check_name("console", name))
        if console is not None:
            consoles.forget_proofs(store, console.key)
    store.forget()
    return {}


def revoke_consoles(store: Store, command: RevokeConsoles) -> dict[str, Any]:
    """Mark consoles as not enrolled, all or none; return as `revoked` those that were enrolled.

    Raises UsageError for one that neither the database knows nor the keyring.
    """
    names, keyring, revoked = KnownNames(store), Keyring(store.path), []
    for name in command.consoles:
        site_id, console_id = check_name("console", name)
        if keyring.stamp(site_id, console_id) is None:
            names.check_console(site_id, console_id)
        known = consoles.find_console(store, site_id, console_id)
        if known is not None and known.enrolled:
            _record(store, site_id, console_id, was_enrolled=True, enrolled=False)
            places.set_enrolled(store, known.key, enrolled=False)
            gone_consoles.note_gone(store, site_id, console_id)
            revoked.append(name)
    store.forget()
    return {"revoked": revoked}


def _record(store: Store, site_id: str, console_id: str, *, was_enrolled: bool | None, enrolled: bool) -> None:
    before = None if was_enrolled is None else {"enrolled": was_enrolled}
    record_change(store, HistoryChange("console", site_id, console_id, before, {"enrolled": enrolled}))


def enroll_sources(store: Store, command: EnrollSources) -> dict[str, Any]:
    """Record that sources get logins; return what was `made`. Raises UsageError if a site is not known."""
    names = KnownNames(store, new=command.new)
    for name in command.sources:
        names.check_site(check_name("source", name)[0])
    made = names.make_new()
    _record_logins(store, command.sources, renew=command.renew)
    return {"made": made}


def enroll_viewers(store: Store, command: EnrollViewers) -> dict[str, Any]:
    """Record that viewers get logins; nothing is `made` for them."""
    _record_logins(store, command.viewers, renew=command.renew)
    return {"made": []}


def revoke_sources(store: Store, command: RevokeSources) -> dict[str, Any]:
    """Record that sources lose their logins."""
    for name in command.sources:
        record_lost_login(store, name)
    return {}


def revoke_viewers(store: Store, command: RevokeViewers) -> dict[str, Any]:
    """Record that viewers lose their logins."""
    for name in command.viewers:
        record_lost_login(store, name)
    return {}


def record_lost_login(store: Store, name: str) -> None:
    """Record that a source, named SITE/SOURCE, or a viewer loses its login."""
    record_change(store, HistoryChange(*_named(name), {"enrolled": True}, {"enrolled": False}))


def _record_logins(store: Store, names: list[str], *, renew: bool) -> None:
    keyring = Keyring(store.path)
    for name in dict.fromkeys(names):
        if keyring.account_stamp(name) is None:
            record_change(store, HistoryChange(*_named(name), None, {"enrolled": True}))
        elif renew:
            _record_renewal(store, *_named(name))


def _record_renewal(store: Store, kind: str, site_id: str, name: str) -> None:
    record_change(store, HistoryChange(kind, site_id, name, {"credentials": "old"}, {"credentials": "new"}))


def _named(name: str) -> tuple[str, str, str]:
    """Return the kind, site and name under which the history has a source or viewer."""
    site_id, slash, source_id = name.partition("/")
    return ("source", site_id, source_id) if slash else ("viewer", "", name)
