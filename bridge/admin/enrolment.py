"""Enrol consoles and revoke their enrolment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.settings import refresh_console
from bridge.model.history import HistoryChange
from bridge.store import consoles, gone_consoles, places
from bridge.store.history import record_change
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import EnrollConsoles, RevokeConsoles
    from bridge.store import Store


def enroll_consoles(store: Store, command: EnrollConsoles) -> dict[str, Any]:
    """Mark consoles as enrolled, all or none; they may be new here. Raises UsageError if a name is not valid."""
    for name in command.consoles:
        site_id, console_id = check_name("console", name)
        known = consoles.find_console(store, site_id, console_id)
        _record(store, site_id, console_id, was_enrolled=known.enrolled if known else None, enrolled=True)
        places.set_enrolled(store, places.ensure_console(store, site_id, console_id), enrolled=True)
        gone_consoles.note_back(store, site_id, console_id)
        store.forget()
        refresh_console(store, site_id, console_id)
    return {}


def revoke_consoles(store: Store, command: RevokeConsoles) -> dict[str, Any]:
    """Mark consoles as not enrolled, all or none; return as `revoked` those that were enrolled."""
    revoked = []
    for name in command.consoles:
        site_id, console_id = check_name("console", name)
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
