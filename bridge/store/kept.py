"""Bound what is kept of what consoles and sources send beyond valid events and counts; what is beyond is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.connection import Store

MIB = 1024 * 1024
REJECTED, CONFLICTS, UNKNOWN_FIELDS = "rejected events", "conflicts", "unknown fields"
MAX_BYTES_OF_TOPIC = {REJECTED: 16 * MIB, CONFLICTS: MIB, UNKNOWN_FIELDS: MIB}
MAX_BYTES = 512 * MIB  # of all topics together
FREE_BYTES = 256  # an event or a count of this size has hardly any unknown fields: it is kept as sent, in any case


def reserve(store: Store, topic: str, kind: str, size: int) -> bool:
    """Reserve room to keep `size` bytes from a topic; where there is none, count that and return False."""
    if store.cache.kept_bytes is None:
        row = store.one("SELECT CAST(total(bytes) AS INTEGER) FROM kept")
        store.cache.kept_bytes = int(row[0]) if row else 0
    has_room = (
        store.cache.kept_bytes + size <= MAX_BYTES and _used(store, topic, kind) + size <= (MAX_BYTES_OF_TOPIC[kind])
    )
    used, beyond = (size, 0) if has_room else (0, 1)
    store.run(
        "INSERT INTO kept VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET bytes = bytes + ?3, beyond = beyond + ?4",
        (topic, kind, used, beyond),
    )
    store.cache.kept_bytes += used
    return has_room


def release(store: Store, topic: str, kind: str, size: int) -> None:
    """Give room back, as what took it is not kept any more."""
    store.run("UPDATE kept SET bytes = max(0, bytes - ?) WHERE topic = ? AND kind = ?", (size, topic, kind))
    store.cache.kept_bytes = None


def not_kept(store: Store) -> list[tuple[str, str, int]]:
    """Return (topic, kind, how many) of what was counted but not kept, most first."""
    return store.all("SELECT topic, kind, beyond FROM kept WHERE beyond > 0 ORDER BY beyond DESC, topic, kind")


def _used(store: Store, topic: str, kind: str) -> int:
    row = store.one("SELECT bytes FROM kept WHERE topic = ? AND kind = ?", (topic, kind))
    return int(row[0]) if row else 0
