"""Take consoles out of service, and put them back: nobody waits for a retired one, and nobody counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.admin.settings import refresh_console
from bridge.model.history import HistoryChange
from bridge.store import console_status, consoles, gone_consoles, updates
from bridge.store.history import record_change
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import RetireConsoles
    from bridge.store import Store


def retire_consoles(store: Store, command: RetireConsoles) -> dict[str, Any]:
    """Retire consoles, or put them back into service, all or none; return those that `changed`. Raises UsageError."""
    changed = []
    for name in command.consoles:
        site_id, console_id = check_name("console", name)
        KnownNames(store).check_console(site_id, console_id)
        if set_retired(store, site_id, console_id, retired=not command.undo):
            changed.append(name)
    return {"changed": changed}


def set_retired(store: Store, site_id: str, console_id: str, *, retired: bool) -> bool:
    """Retire a known console, or put it back into service; return whether it was not so before."""
    console = consoles.find_console(store, site_id, console_id)
    if console is None or console_status.is_retired(store, console.key) == retired:
        return False
    change = HistoryChange("console", site_id, console_id, {"retired": not retired}, {"retired": retired})
    record_change(store, change)
    console_status.set_retired_at(store, console.key, store.now_ms if retired else None)
    if retired:
        updates.stop_of_console(store, console.key, "the console was retired")
        gone_consoles.note_gone(store, site_id, console_id)
    else:
        gone_consoles.note_back(store, site_id, console_id)
    store.forget()
    if not retired:
        refresh_console(store, site_id, console_id)
    return True
