"""Read what the live table shows, every second: only small tables and keys, never all events."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.wire.settings import RANGES

if TYPE_CHECKING:
    from bridge.store.connection import Store

DEFAULT_HEARTBEAT_MS = RANGES["heartbeat_ms"].default


class WatchedConsole(NamedTuple):
    """A console as last heard; `online` is None if it never said so, `health` is its latest message as sent."""

    site_id: str
    console_id: str
    enrolled: int
    last_seen_at_ms: int
    online: int | None
    health: str | None
    heartbeat_ms: int = DEFAULT_HEARTBEAT_MS


class WatchFigures(NamedTuple):
    """Totals of the whole database: events, different rejects, and events that consoles lost."""

    events: int
    rejects: int
    losses: int


def live_consoles(store: Store) -> list[WatchedConsole]:
    """Return all consoles in service, by site and id."""
    rows = store.all(
        "SELECT site_id, console_id, enrolled, last_seen_at_ms, online, health,"
        " coalesce((SELECT json_extract(payload, '$.heartbeat_ms') FROM settings_sent AS sent WHERE"
        "  sent.site_id = console.site_id AND sent.console_id = console.console_id ORDER BY revision DESC LIMIT 1), ?)"
        " FROM console WHERE retired_at_ms IS NULL ORDER BY site_id, console_id",
        (DEFAULT_HEARTBEAT_MS,),
    )
    return [WatchedConsole(*row) for row in rows]


def figures(store: Store) -> WatchFigures:
    """Return the figures of the whole database. Events are never deleted, so the highest key counts them."""
    row = store.one(
        "SELECT (SELECT coalesce(max(event_key), 0) FROM event), (SELECT count(*) FROM reject),"
        " (SELECT CAST(total(through - (SELECT CAST(total(min(high, through) - low + 1) AS INTEGER) FROM received"
        "   WHERE received.epoch_key = epoch.epoch_key AND low <= through)) AS INTEGER) FROM epoch)"
    )
    return WatchFigures(*row) if row else WatchFigures(0, 0, 0)
