"""Read and store events, and what is known of each epoch: numbers received, boots, settings applied."""

# ruff: noqa: S608 - statements are composed of this module's own constants

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.model.epoch import Boot, Epoch
from bridge.model.received_numbers import ReceivedNumbers
from bridge.store import kept
from bridge.store.consoles import console_by_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.model.console import KnownConsole
    from bridge.store.connection import Row, Store

MAX_CACHED = 50_000
EXTRA_ROW_BYTES = 100
OPENERS = "('booted', 'survey_opened')"


class _StoredEpochRecords:
    """One epoch's records, as `Epoch` asks for them."""

    def __init__(self, store: Store, key: int) -> None:
        self._store = store
        self._key = key

    def boot(self, number: int) -> Boot | None:
        row = self._store.one(
            "SELECT clock_seq, clock_offset_ms, arrival_offset_ms FROM boot WHERE epoch_key = ? AND boot = ?",
            (self._key, number),
        )
        return Boot(*row) if row else None

    def next_opener(self, seq: int) -> int | None:
        row = self._store.one(
            f"SELECT seq FROM event WHERE epoch_key = ? AND seq > ? AND type IN {OPENERS} ORDER BY seq LIMIT 1",
            (self._key, seq),
        )
        return row[0] if row else None


def _read_epoch(store: Store, console: KnownConsole, row: Row) -> Epoch:
    """Read an epoch: row is (epoch_key, epoch, first, through, hardware_id)."""
    key, name, *rest = row
    by_key = (key,)
    epoch = Epoch(key, name, console, _StoredEpochRecords(store, key))
    epoch.first, epoch.through, epoch.hardware_id = rest
    epoch.received = ReceivedNumbers(store.all("SELECT low, high FROM received WHERE epoch_key = ?", by_key))
    epoch.lost = epoch.received.missing(epoch.through)
    settings_applied = store.all(
        "SELECT seq, raw FROM event WHERE epoch_key = ? AND type = 'settings_applied' ORDER BY seq", by_key
    )
    epoch.applied = [(seq, json.loads(raw)["revision"]) for seq, raw in settings_applied]  # given twice: the last
    epoch.open = {
        row[0] for row in store.all("SELECT survey FROM survey WHERE epoch_key = ? AND outcome = 'open'", by_key)
    }
    opener = store.one(
        f"SELECT seq FROM event WHERE epoch_key = ? AND type IN {OPENERS} ORDER BY seq DESC LIMIT 1", by_key
    )
    epoch.last_opener = opener[0] if opener else 0
    return epoch


def find_epoch(store: Store, console: KnownConsole, epoch: str, seen_at_ms: int) -> Epoch:
    """Return an epoch of a console; add it where it is new."""
    known = store.cache.epochs
    found = known.get((console.key, epoch))
    if found is None:
        columns = "epoch_key, epoch, first, through, hardware_id"
        row = store.one(
            f"SELECT {columns} FROM epoch WHERE console_key = ? AND epoch = ?",
            (console.key, epoch),
        )
        is_new = row is None
        if row is None:
            row = store.one(
                f"INSERT INTO epoch (console_key, epoch, seen_at_ms) VALUES (?, ?, ?) RETURNING {columns}",
                (console.key, epoch, seen_at_ms),
            )
        if row is None:
            raise LookupError(epoch)
        found = known[console.key, epoch] = _read_epoch(store, console, row)
        found.is_new = is_new
        store.cache.epochs_by_key[found.key] = found
    return found


def epoch_by_key(store: Store, epoch_key: int) -> Epoch:
    """Return the epoch with this key. Raises LookupError."""
    known = store.cache.epochs_by_key.get(epoch_key)
    if known is not None:
        return known
    row = store.one("SELECT console_key, epoch FROM epoch WHERE epoch_key = ?", (epoch_key,))
    if row is None:
        raise LookupError(epoch_key)
    return find_epoch(store, console_by_key(store, row[0]), row[1], 0)


def forget_if_many(store: Store) -> None:
    """Bound the memory that epochs take; call it only between transactions."""
    if len(store.cache.epochs) > MAX_CACHED:
        store.forget()


def save_epochs(store: Store, epochs: Iterable[Epoch]) -> None:
    """Store what a transaction changed in these epochs."""
    changed: list[Row] = []
    dropped: list[Row] = []
    boots: list[Row] = []
    states: list[Row] = []
    for epoch in epochs:
        ranges, lows = epoch.received.take_changes()
        changed += [(epoch.key, low, high) for low, high in ranges]
        dropped += [(epoch.key, low) for low in lows]
        states.append((epoch.first, epoch.through, epoch.hardware_id, epoch.key))
        for number, boot in epoch.boots.items():
            if boot.changed:
                boots.append((epoch.key, number, boot.clock_seq, boot.clock_offset_ms, boot.arrival_offset_ms))
                boot.changed = False
        if len(epoch.boots) > MAX_CACHED:
            epoch.boots.clear()
    store.run_many("DELETE FROM received WHERE epoch_key = ? AND low = ?", dropped)
    store.run_many(
        "INSERT INTO received (epoch_key, low, high) VALUES (?, ?, ?)"
        " ON CONFLICT (epoch_key, low) DO UPDATE SET high = excluded.high",
        changed,
    )
    store.run_many("UPDATE epoch SET first = ?, through = ?, hardware_id = ? WHERE epoch_key = ?", states)
    store.run_many(
        "INSERT OR REPLACE INTO boot (epoch_key, boot, clock_seq, clock_offset_ms, arrival_offset_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        boots,
    )


def epoch_keys(store: Store) -> list[int]:
    """Return the keys of all epochs."""
    return [row[0] for row in store.all("SELECT epoch_key FROM epoch ORDER BY epoch_key")]


def boots_of_events(store: Store, epoch_key: int) -> dict[int, Boot]:
    """Return the boots of an epoch by number, as its stored events show them, all yet to be dated."""
    boots = {}
    rows = store.all(
        "SELECT boot, min(arrived_at_ms - up_ms) FROM event WHERE epoch_key = ? GROUP BY boot", (epoch_key,)
    )
    for number, arrival_offset_ms in rows:
        boots[number] = Boot.unseen(arrival_offset_ms)
    clocks = store.all(
        "SELECT boot, min(seq), at_ms - up_ms FROM event"
        " WHERE epoch_key = ? AND type = 'clock_set' AND at_ms IS NOT NULL GROUP BY boot",
        (epoch_key,),
    )
    for number, seq, offset_ms in clocks:
        boots[number].note_clock(seq, offset_ms)
    return boots


def declarations(store: Store, epoch_key: int) -> list[int]:
    """Return the numbers of an epoch's force majeures."""
    rows = store.all(
        "SELECT seq FROM event WHERE epoch_key = ? AND type = 'force_majeure_declared' ORDER BY seq", (epoch_key,)
    )
    return [row[0] for row in rows]


def survey_numbers(store: Store, epoch_key: int) -> Iterator[int]:
    """Yield the numbers of all surveys that an epoch's events open or close."""
    rows = store.each(
        "SELECT seq FROM event WHERE epoch_key = ?1 AND type = 'survey_opened'"
        " UNION SELECT survey FROM event WHERE epoch_key = ?1 AND survey IS NOT NULL ORDER BY 1",
        (epoch_key,),
    )
    return (row[0] for row in rows)


EVENT_COLUMNS = "epoch_key, seq, type, boot, up_ms, at_ms, dated_at_ms, dated_by, arrived_at_ms, survey, raw, mac"
EVENT_WIDTH = 12


def insert_events(store: Store, values: list[Any]) -> None:
    """Insert events: the values of EVENT_COLUMNS of each, one after another in one list."""
    store.insert_values(f"INSERT INTO event ({EVENT_COLUMNS})", EVENT_WIDTH, values)


def first_content(store: Store, epoch_key: int, seq: int) -> tuple[bytes | None, bool]:
    """Return what was first received under this number (None if nothing is kept), and whether that is an event."""
    row = store.one("SELECT raw FROM event WHERE epoch_key = ? AND seq = ?", (epoch_key, seq))
    if row is not None:
        return row[0].encode(), True
    row = store.one(
        "SELECT raw FROM reject WHERE epoch_key = ? AND seq = ? ORDER BY reject_key LIMIT 1", (epoch_key, seq)
    )
    return (bytes(row[0]) if row else None), False


def note_valid(store: Store, epoch_key: int, seq: int) -> None:
    """Note that a stored event came again, now proved by the console's MAC."""
    store.run("UPDATE event SET mac = 1 WHERE epoch_key = ? AND seq = ? AND mac IS NOT 1", (epoch_key, seq))


def undated_events(store: Store, epoch_key: int, boot: int) -> list[tuple[int, str, int, int, str, int | None]]:
    """Return (seq, type, up_ms, dated_at_ms, dated_by, survey) of a boot's events without a date of their own."""
    return store.all(
        "SELECT seq, type, up_ms, dated_at_ms, dated_by, survey FROM event"
        " WHERE epoch_key = ? AND boot = ? AND at_ms IS NULL",
        (epoch_key, boot),
    )


def redate_events(store: Store, epoch_key: int, dates: list[tuple[int, str, int]]) -> None:
    """Store new dates, each as (dated_at_ms, dated_by, seq)."""
    store.run_many(
        "UPDATE event SET dated_at_ms = ?, dated_by = ? WHERE epoch_key = ? AND seq = ?",
        [(at_ms, by, epoch_key, seq) for at_ms, by, seq in dates],
    )


def save_extra(store: Store, epoch_key: int, base: int, arrived_at_ms: int, topic: str, raw: str) -> None:
    """Store what an envelope held beyond the four fields, if there is room."""
    is_known = store.one(
        "SELECT 1 FROM envelope_extra WHERE epoch_key = ? AND base = ? AND raw = ?", (epoch_key, base, raw)
    )
    if not is_known and kept.reserve(store, topic, kept.UNKNOWN_FIELDS, len(raw) + EXTRA_ROW_BYTES):
        store.run("INSERT INTO envelope_extra VALUES (?, ?, ?, ?)", (epoch_key, base, arrived_at_ms, raw))
