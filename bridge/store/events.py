"""Events, rejects, and what is known of each epoch: numbers received, boots, settings applied."""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from bridge.model.ranges import Ranges
from bridge.store.consoles import Console, console_by_key
from bridge.store.surveys import surveys_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.store.connection import Row, Store

MAX_REMEMBERED = 50_000
OPENERS = "('booted', 'survey_opened')"


class Boot:
    """What events of one boot without a date are dated by."""

    __slots__ = ("arrival_offset_ms", "changed", "clock_offset_ms", "clock_seq", "dated_by", "may_be_undated")

    def __init__(self, clock_seq: int | None, clock_offset_ms: int | None, arrival_offset_ms: int) -> None:
        self.clock_seq = clock_seq
        self.clock_offset_ms = clock_offset_ms
        self.arrival_offset_ms = arrival_offset_ms
        self.changed = False
        self.may_be_undated = True  # False: all its events have dates of their own
        self.dated_by: tuple[int, bool] | None = self.basis  # what the stored events are dated by

    @property
    def basis(self) -> tuple[int, bool]:
        """(offset in force, whether it is the clock's)."""
        if self.clock_offset_ms is None:
            return self.arrival_offset_ms, False
        return self.clock_offset_ms, True

    def note_clock(self, seq: int, offset_ms: int) -> None:
        """A clock_set arrived."""
        if self.clock_seq is None or seq < self.clock_seq:
            self.clock_seq, self.clock_offset_ms = seq, offset_ms
            self.changed = True


class Epoch:
    """One epoch of a console, with what is asked of it for every message."""

    def __init__(self, store: Store, console: Console, row: Row) -> None:
        self.key: int = row[0]
        self.epoch: str = row[1]
        self.first: int = row[2]
        self.through: int = row[3]
        self.hardware_id: str | None = row[4]
        self.console = console
        self._store = store
        by_key = (self.key,)
        self.is_new = False
        self.received = Ranges(store.all("SELECT low, high FROM received WHERE epoch_key = ?", by_key))
        self.lost = self.received.missing(self.through)
        self.applied: list[tuple[int, int]] = store.all(
            "SELECT seq, json_extract(raw, '$.revision') FROM event"
            " WHERE epoch_key = ? AND type = 'settings_applied' ORDER BY seq",
            by_key,
        )
        self.open: set[int] = {
            row[0] for row in store.all("SELECT survey FROM survey WHERE epoch_key = ? AND outcome = 'open'", by_key)
        }
        opener = store.one(
            f"SELECT seq FROM event WHERE epoch_key = ? AND type IN {OPENERS} ORDER BY seq DESC LIMIT 1", by_key
        )
        self.last_opener: int = opener[0] if opener else 0
        self.boots: dict[int, Boot] = {}

    def boot(self, boot: int) -> Boot | None:
        """What is known of a boot, None when nothing of it was received."""
        if boot not in self.boots:
            row = self._store.one(
                "SELECT clock_seq, clock_offset_ms, arrival_offset_ms FROM boot WHERE epoch_key = ? AND boot = ?",
                (self.key, boot),
            )
            if row is None:
                return None
            self.boots[boot] = Boot(*row)
        return self.boots[boot]

    def note_boot(self, boot: int, arrival_offset_ms: int) -> Boot:
        """An event of this boot arrived, so long after the console's start; what is known of the boot now."""
        known = self.boots.get(boot) or self.boot(boot)
        if known is None:
            known = self.boots[boot] = Boot(None, None, arrival_offset_ms)
            known.changed = True
            known.dated_by = None
            known.may_be_undated = False
        elif arrival_offset_ms < known.arrival_offset_ms:
            known.arrival_offset_ms = arrival_offset_ms
            known.changed = True
        return known

    def note_applied(self, seq: int, revision: int) -> list[Row]:
        """Settings were applied at `seq`; the surveys, as (epoch_key, survey), that were opened with them."""
        index = bisect_left(self.applied, (seq, 0))
        self.applied.insert(index, (seq, revision))
        if seq > self.received.highest:
            return []
        following = self.applied[index + 1][0] if index + 1 < len(self.applied) else None
        return surveys_between(self._store, self.key, seq, following)

    def next_opener(self, seq: int) -> int | None:
        """The number of the first booted or survey_opened after `seq`."""
        if self.last_opener <= seq:
            return None
        row = self._store.one(
            f"SELECT seq FROM event WHERE epoch_key = ? AND seq > ? AND type IN {OPENERS} ORDER BY seq LIMIT 1",
            (self.key, seq),
        )
        return row[0] if row else None

    def is_lost(self, survey: int) -> bool:
        """Whether a later booted or survey_opened lies at or below `through`."""
        if survey < self.last_opener <= self.through:
            return True
        opener = self.next_opener(survey)
        return opener is not None and opener <= self.through


def find_epoch(store: Store, console: Console, epoch: str, seen_at_ms: int) -> Epoch:
    """The epoch of this console, taken in if it is new."""
    known: dict[tuple[int, str], Epoch] = store.remember("epochs", dict)
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
        found = known[console.key, epoch] = Epoch(store, console, row)
        found.is_new = is_new
        by_key: dict[int, Epoch] = store.remember("epochs by key", dict)
        by_key[found.key] = found
    return found


def epoch_by_key(store: Store, epoch_key: int) -> Epoch:
    """The epoch with this key; raises LookupError."""
    known: dict[int, Epoch] = store.remember("epochs by key", dict)
    if epoch_key in known:
        return known[epoch_key]
    row = store.one("SELECT console_key, epoch FROM epoch WHERE epoch_key = ?", (epoch_key,))
    if row is None:
        raise LookupError(epoch_key)
    return find_epoch(store, console_by_key(store, row[0]), row[1], 0)


def forget_if_many(store: Store) -> None:
    """Bound what is remembered of epochs; between transactions only."""
    if len(store.remember("epochs", dict)) > MAX_REMEMBERED:
        store.forget()


def save_epochs(store: Store, epochs: Iterable[Epoch]) -> None:
    """Store what a transaction changed about these epochs."""
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
        if len(epoch.boots) > MAX_REMEMBERED:
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
    """All epochs."""
    return [row[0] for row in store.all("SELECT epoch_key FROM epoch ORDER BY epoch_key")]


def boots_of_events(store: Store, epoch_key: int) -> dict[int, Boot]:
    """Every boot of an epoch as its stored events tell it, in need of dating."""
    boots = {}
    rows = store.all(
        "SELECT boot, min(arrived_at_ms - up_ms) FROM event WHERE epoch_key = ? GROUP BY boot", (epoch_key,)
    )
    for number, arrival_offset_ms in rows:
        boots[number] = Boot(None, None, arrival_offset_ms)
        boots[number].changed = True
        boots[number].dated_by = None
    clocks = store.all(
        "SELECT boot, min(seq), at_ms - up_ms FROM event"
        " WHERE epoch_key = ? AND type = 'clock_set' AND at_ms IS NOT NULL GROUP BY boot",
        (epoch_key,),
    )
    for number, seq, offset_ms in clocks:
        boots[number].note_clock(seq, offset_ms)
    return boots


def declarations(store: Store, epoch_key: int) -> list[int]:
    """The numbers of an epoch's force majeures."""
    rows = store.all(
        "SELECT seq FROM event WHERE epoch_key = ? AND type = 'force_majeure_declared' ORDER BY seq", (epoch_key,)
    )
    return [row[0] for row in rows]


def survey_numbers(store: Store, epoch_key: int) -> Iterator[int]:
    """The numbers of all surveys that an epoch's events open or close."""
    rows = store.each(
        "SELECT seq FROM event WHERE epoch_key = ?1 AND type = 'survey_opened'"
        " UNION SELECT survey FROM event WHERE epoch_key = ?1 AND survey IS NOT NULL ORDER BY 1",
        (epoch_key,),
    )
    return (row[0] for row in rows)


EVENT_COLUMNS = "epoch_key, seq, type, boot, up_ms, at_ms, dated_at_ms, dated_by, arrived_at_ms, survey, raw, mac"
EVENT_WIDTH = 12


def insert_events(store: Store, values: list[Any]) -> None:
    """Add events: the values of EVENT_COLUMNS of each, one after another."""
    store.insert_values(f"INSERT INTO event ({EVENT_COLUMNS})", EVENT_WIDTH, values)


def first_content(store: Store, epoch_key: int, seq: int) -> bytes | None:
    """What was first received under this name, event or reject."""
    row = store.one("SELECT raw FROM event WHERE epoch_key = ? AND seq = ?", (epoch_key, seq))
    if row is None:
        row = store.one(
            "SELECT raw FROM reject WHERE epoch_key = ? AND seq = ? ORDER BY reject_key LIMIT 1", (epoch_key, seq)
        )
    if row is None:
        return None
    return row[0].encode() if isinstance(row[0], str) else bytes(row[0])


def note_held(store: Store, epoch_key: int, seq: int) -> None:
    """What is known under this name came again, proved by the console's key."""
    store.run("UPDATE event SET mac = 1 WHERE epoch_key = ? AND seq = ? AND mac IS NOT 1", (epoch_key, seq))


def undated_events(store: Store, epoch_key: int, boot: int) -> list[tuple[int, str, int, int, str, int | None]]:
    """(seq, type, up_ms, dated_at_ms, dated_by, survey) of a boot's events without a date of their own."""
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


def save_extra(store: Store, epoch_key: int, base: int, arrived_at_ms: int, raw: str) -> None:
    """Keep what an envelope held beyond the four fields."""
    store.run("INSERT OR IGNORE INTO envelope_extra VALUES (?, ?, ?, ?)", (epoch_key, base, arrived_at_ms, raw))
