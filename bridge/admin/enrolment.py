"""Enrol consoles and sources, and revoke the enrolment of consoles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.admin.retirement import set_retired
from bridge.admin.settings import refresh_console
from bridge.keyring import Keyring
from bridge.model.history import HistoryChange
from bridge.store import consoles, gone_consoles, places
from bridge.store.history import record_change
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import EnrollConsoles, EnrollSources, NoteNewKeys, RevokeConsoles
    from bridge.store import Store


def enroll_consoles(store: Store, command: EnrollConsoles) -> dict[str, Any]:
    """Mark consoles as enrolled, all or none; return what was `made`. Raises UsageError if a name is not valid."""
    names, given = KnownNames(store, new=True), [check_name("console", name) for name in command.consoles]
    for name in given:
        names.check_console(*name)
    before = {name: consoles.find_console(store, *name) for name in given}
    made = names.make_new()
    for site_id, console_id in given:
        known = before[site_id, console_id]
        _record(store, site_id, console_id, was_enrolled=known.enrolled if known else None, enrolled=True)
        places.set_enrolled(store, places.ensure_console(store, site_id, console_id), enrolled=True)
        set_retired(store, site_id, console_id, retired=False)
        gone_consoles.note_back(store, site_id, console_id)
        store.forget()
        refresh_console(store, site_id, console_id)
    return {"made": made}


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
    """Check that the sites of sources are known; return what was `made`. Raises UsageError."""
    names = KnownNames(store, new=command.new)
    for name in command.sources:
        names.check_site(check_name("source", name)[0])
    return {"made": names.make_new()}
