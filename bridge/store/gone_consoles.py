"""Remember which consoles are gone (revoked, retired or removed), so that the broker retains nothing of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.model.console import ConsoleName
    from bridge.store.connection import Store


def note_gone(store: Store, site_id: str, console_id: str) -> None:
    """Note that a console is gone: a running bridge clears what the broker retains of it, or the next one does."""
    store.run("INSERT OR REPLACE INTO gone_console VALUES (?, ?, 0)", (site_id, console_id))


def note_back(store: Store, site_id: str, console_id: str) -> None:
    """Note that a console is in use; if it was gone, its settings are to be published again."""
    name = site_id, console_id
    if is_gone(store, name):
        store.run("DELETE FROM gone_console WHERE site_id = ? AND console_id = ?", name)
        store.run("UPDATE settings_sent SET published = 0 WHERE site_id = ? AND console_id = ?", name)


def is_gone(store: Store, name: ConsoleName) -> bool:
    """Return whether a console is gone."""
    return store.one("SELECT 1 FROM gone_console WHERE site_id = ? AND console_id = ?", name) is not None


def gone(store: Store) -> list[ConsoleName]:
    """Return all consoles that are gone."""
    return store.all("SELECT site_id, console_id FROM gone_console ORDER BY 1, 2")


def uncleared(store: Store) -> list[ConsoleName]:
    """Return the consoles that went since retained messages were last cleared."""
    return store.all("SELECT site_id, console_id FROM gone_console WHERE is_cleared = 0 ORDER BY 1, 2")


def note_cleared(store: Store) -> None:
    """Note that the retained messages of all of them were cleared."""
    store.run("UPDATE gone_console SET is_cleared = 1 WHERE is_cleared = 0")
