"""Store what could not be taken in: once, with its reason and a count, and within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import kept
from bridge.store.cache import RejectTotals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.connection import Row, Store

MAX_RAW_BYTES = 65_536  # of a message; a longer one can never be taken in, and its start shows what it was
MAX_MESSAGES_OF_TOPIC = 1_000
MAX_BYTES = 256 * 1024 * 1024  # of all rejected messages, with the bytes that their rows take in table and index
ROW_BYTES = 400
MAX_TOPICS_CACHED = 50_000
NOT_ENROLLED = "not enrolled"
NOT_SIGNED = "not signed"
FAILED = "failed"  # the bridge did, at a message
NOT_KEPT = "not kept: there are too many such messages already"


def save_reject(
    store: Store,
    name: tuple[int, int] | None,
    topic: str,
    reason: str,
    raw: bytes,
    hash_: str,
    at_ms: int,
    mac: int | None = None,
) -> None:
    """Store a reject once, with a count: `name` is (epoch_key, seq) of an event, or None for a message."""
    if name is None:
        if not _count_again(store, topic, hash_, at_ms):
            _save_message(store, topic, reason, raw[:MAX_RAW_BYTES], hash_, at_ms)
        return
    store.run(
        "UPDATE reject SET count = count + 1, last_at_ms = max(last_at_ms, ?)"
        " WHERE epoch_key = ? AND seq = ? AND hash = ?",
        (at_ms, *name, hash_),
    )
    if store.changes() == 0 and kept.reserve(store, topic, _kind(reason), len(raw) + ROW_BYTES):
        store.run(
            "INSERT INTO reject (epoch_key, seq, topic, reason, raw, hash, first_at_ms, last_at_ms, mac)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*name, topic, reason, raw, hash_, at_ms, at_ms, mac),
        )


def _kind(reason: str) -> str:
    return kept.CONFLICTS if reason.startswith("conflict") else kept.REJECTED


def _count_again(store: Store, topic: str, hash_: str, at_ms: int) -> bool:
    """Count a message that was rejected before; return whether it was."""
    store.run(
        "UPDATE reject SET count = count + 1, last_at_ms = max(last_at_ms, ?)"
        " WHERE topic = ? AND hash = ? AND epoch_key IS NULL",
        (at_ms, topic, hash_),
    )
    return store.changes() > 0


def _save_message(store: Store, topic: str, reason: str, raw: bytes, hash_: str, at_ms: int) -> None:
    """Store a message that is new here, or only count it where too many are stored already."""
    totals = store.cache.rejects
    if totals is None:
        totals = store.cache.rejects = _totals(store)
    if len(totals.of_topic) > MAX_TOPICS_CACHED:
        totals.of_topic.clear()
    if topic not in totals.of_topic:
        row = store.one("SELECT count(*) FROM reject WHERE topic = ? AND epoch_key IS NULL", (topic,))
        totals.of_topic[topic] = int(row[0]) if row else 0
    size = len(raw) + 2 * len(topic.encode()) + len(reason.encode()) + ROW_BYTES  # the topic is in the index too
    if totals.size + size > MAX_BYTES:
        topic, reason, raw, hash_ = (
            "",
            NOT_KEPT,
            b"",
            "",
        )  # one row for all: nobody can fill the disk by using many topics
    elif totals.of_topic[topic] >= MAX_MESSAGES_OF_TOPIC:
        reason, raw, hash_ = NOT_KEPT, b"", ""
    if not hash_ and _count_again(store, topic, hash_, at_ms):
        return
    store.run(
        "INSERT INTO reject (topic, reason, raw, hash, first_at_ms, last_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (topic, reason, raw, hash_, at_ms, at_ms),
    )
    totals.size += size
    totals.of_topic[topic] = totals.of_topic.get(topic, 0) + 1


def _totals(store: Store) -> RejectTotals:
    row = store.one(
        "SELECT CAST(total(length(raw) + 2 * octet_length(topic) + octet_length(reason) + ?) AS INTEGER) FROM reject"
        " WHERE epoch_key IS NULL",
        (ROW_BYTES,),
    )
    return RejectTotals(int(row[0]) if row else 0)


def rejects(store: Store) -> Iterator[Row]:
    """Yield all rejects but conflicts: (reject_key, epoch_key, seq, topic, reason, raw, first_at_ms, mac)."""
    return store.each(
        "SELECT reject_key, epoch_key, seq, topic, reason, raw, first_at_ms, mac FROM reject"
        " WHERE reason NOT LIKE 'conflict%' AND hash <> '' ORDER BY reject_key"
    )


def was_refused(store: Store, topic: str) -> bool:
    """Return whether anything was refused that came under a topic for want of an enrolment or a key."""
    found = store.one(
        "SELECT 1 FROM reject WHERE topic = ?1 AND epoch_key IS NULL"
        " AND (reason LIKE ?2 || '%' OR reason LIKE ?3 || '%') LIMIT 1",
        (topic, NOT_ENROLLED, NOT_SIGNED),
    )
    return found is not None


def drop_reject(store: Store, reject_key: int) -> None:
    """Delete a reject that has become an event after all; the event holds its text."""
    row = store.one(
        "DELETE FROM reject WHERE reject_key = ? RETURNING epoch_key, topic, reason, length(raw)", (reject_key,)
    )
    if row is not None and row[0] is not None:
        _, topic, reason, size = row
        kept.release(store, topic, _kind(reason), size + ROW_BYTES)
