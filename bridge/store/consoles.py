"""Consoles as the bridge knows them: where they stand, who is on shift, what they were told."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from bridge.model.dating import hour_at
from bridge.wire.contract import REVISION_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.store.connection import Row, Store

DEFAULT_SCOPE_S = 600
EVER = 2**62
Name = tuple[str, str]
"""(site_id, console_id)."""
Stand = tuple[str | None, str | None, str]
"""(seller on shift, checkout point, local hour)."""


class Periods:
    """What holds from when up to when; of two that overlap the later one, from its start on."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Rows are (from_ms, to_ms, value), in order."""
        self._starts = [row[0] for row in rows]
        self._rows = rows

    def at(self, at_ms: int) -> tuple[int, int, str | None]:
        """What holds at an instant, or None, and from when up to when it is so."""
        index = bisect_right(self._starts, at_ms)
        next_ms = self._starts[index] if index < len(self._starts) else EVER
        if not index:
            return -EVER, next_ms, None
        from_ms, to_ms, value = self._rows[index - 1]
        return (from_ms, min(to_ms, next_ms), value) if at_ms < to_ms else (to_ms, next_ms, None)


class Console:
    """A console with what a survey takes from it; read when first asked for, and kept until the store forgets."""

    def __init__(
        self, store: Store, key: int, site_id: str, console_id: str, timezone: str, *, enrolled: bool, signs: bool
    ) -> None:
        self.key = key
        self.site_id = site_id
        self.console_id = console_id
        self.name: Name = (site_id, console_id)
        self.timezone = timezone
        self.enrolled = enrolled
        self.signs = signs  # whether a batch of its ever had a mac
        self.newest_epoch_key = 0  # of those that sent since this was read
        self._store = store
        self._shifts: Periods | None = None
        self._placements: Periods | None = None
        self._stand_from_ms = self._stand_to_ms = 0
        self._stand: Stand = None, None, ""
        self._scope_ms: int | None = None
        self._ask_every: dict[int, int] = {}

    def stand_at(self, at_ms: int) -> Stand:
        """Who is on shift and where the console stands; when asked again it is mostly the same."""
        if not self._stand_from_ms <= at_ms < self._stand_to_ms:
            self._look_up(at_ms)
        return self._stand

    def _look_up(self, at_ms: int) -> None:
        if self._shifts is None:
            rows = self._store.all(
                "SELECT started_at_ms, ended_at_ms, seller_id FROM shift WHERE console_key = ? ORDER BY 1", (self.key,)
            )
            self._shifts = Periods(rows)
        if self._placements is None:
            rows = self._store.all(
                "SELECT from_ms, ?, checkout_point_id FROM placement WHERE console_key = ? ORDER BY 1", (EVER, self.key)
            )
            self._placements = Periods(rows)
        shift, placement, hour = self._shifts.at(at_ms), self._placements.at(at_ms), hour_at(at_ms, self.timezone)
        self._stand_from_ms = max(shift[0], placement[0], hour[0])
        self._stand_to_ms = min(shift[1], placement[1], hour[1])
        self._stand = shift[2], placement[2], hour[2]

    @property
    def scope_ms(self) -> int:
        """How long before an opening a force majeure still touches it."""
        if self._scope_ms is None:
            row = self._store.one(
                "SELECT value FROM setting WHERE name = 'force_majeure_scope_s'"
                " AND (site_id, console_id) IN (VALUES (?1, ?2), (?1, ''), ('', ''))"
                " ORDER BY site_id DESC, console_id DESC LIMIT 1",
                (self.site_id, self.console_id),
            )
            self._scope_ms = int(1000 * (float(row[0]) if row else DEFAULT_SCOPE_S))
        return self._scope_ms

    def ask_every(self, revision: int) -> int | None:
        """`ask_every` of these settings, None when the bridge does not know them."""
        if revision not in self._ask_every:
            row = self._store.one(
                "SELECT payload FROM settings_sent WHERE site_id = ? AND console_id = ? AND revision = ?",
                (self.site_id, self.console_id, revision),
            )
            if row is None:
                return None
            self._ask_every[revision] = int(msgspec.json.decode(row[0])["ask_every"])
        return self._ask_every[revision]


def find_console(store: Store, site_id: str, console_id: str) -> Console | None:
    """The console, or None when it was never heard of."""
    known: dict[tuple[str, str], Console] = store.remember("consoles", dict)
    console = known.get((site_id, console_id))
    if console is None:
        row = store.one(
            "SELECT console_key, timezone, enrolled, EXISTS (SELECT 1 FROM console_mac"
            "  WHERE console_mac.console_key = console.console_key) FROM console JOIN site USING (site_id)"
            " WHERE site_id = ? AND console_id = ?",
            (site_id, console_id),
        )
        if row is None:
            return None
        console = Console(store, row[0], site_id, console_id, row[1], enrolled=bool(row[2]), signs=bool(row[3]))
        known[site_id, console_id] = console
    return console


def add_console(store: Store, site_id: str, console_id: str, at_ms: int) -> Console:
    """Take in a console (and its site) that was never heard of before `at_ms`; whether it is there is noted apart."""
    store.run("INSERT OR IGNORE INTO site (site_id, first_seen_at_ms) VALUES (?, ?)", (site_id, at_ms))
    store.run(
        "INSERT INTO console (site_id, console_id, first_seen_at_ms, last_seen_at_ms) VALUES (?, ?, ?, 0)",
        (site_id, console_id, at_ms),
    )
    console = find_console(store, site_id, console_id)
    if console is None:
        raise LookupError(console_id)
    return console


def console_by_key(store: Store, console_key: int) -> Console:
    """The console with this key; raises LookupError."""
    row = store.one("SELECT site_id, console_id FROM console WHERE console_key = ?", (console_key,))
    console = find_console(store, *row) if row else None
    if console is None:
        raise LookupError(console_key)
    return console


def site_ids(store: Store) -> list[str]:
    """All sites."""
    return [row[0] for row in store.all("SELECT site_id FROM site ORDER BY site_id")]


def console_ids(store: Store, site_id: str) -> list[str]:
    """All consoles of a site."""
    rows = store.all("SELECT console_id FROM console WHERE site_id = ? ORDER BY console_id", (site_id,))
    return [row[0] for row in rows]


def note_seen(store: Store, seen: Iterable[tuple[Console, int]]) -> None:
    """These consoles were heard, each at its instant; one that lies ahead was noted before the clock was set back."""
    store.run_many(
        "UPDATE console SET last_seen_at_ms = iif(last_seen_at_ms > ?3, ?1, max(last_seen_at_ms, ?1))"
        " WHERE console_key = ?2",
        [(at_ms, console.key, store.now_ms) for console, at_ms in seen],
    )


def note_status(store: Store, console: Console, *, online: bool) -> None:
    """The console, or the broker for it, said whether it is there."""
    store.run("UPDATE console SET online = ? WHERE console_key = ?", (int(online), console.key))


def note_health(store: Store, console: Console, raw: str, revision: int, at_ms: int | None) -> None:
    """Keep the latest health message, and the highest settings revision that the console ever named.

    `at_ms` is None where it is not known when it was sent: the broker had kept it.
    """
    store.run(
        "UPDATE console SET health = ?1, health_at_ms = ?2 WHERE console_key = ?3"
        " AND (health IS NOT ?1 OR health_at_ms IS NULL)"
        " AND (?2 IS NULL OR coalesce(health_at_ms, 0) <= ?2 OR health_at_ms > ?4)",  # … before the clock was set back
        (raw, at_ms, console.key, store.now_ms),
    )
    note_revision(store, console, revision)


def note_board(store: Store, console: Console, hardware_id: str, at_ms: int) -> None:
    """This board spoke under the console's id."""
    last = store.one(
        "SELECT hardware_id FROM board WHERE console_key = ? ORDER BY last_heard_at_ms DESC LIMIT 1", (console.key,)
    )
    store.run(
        "INSERT INTO board VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE"
        " SET last_heard_at_ms = max(last_heard_at_ms, ?3), turns = turns + ?4",
        (console.key, hardware_id, at_ms, last != (hardware_id,)),
    )


def note_macs(store: Store, counted: Iterable[tuple[int, int, int]], at_ms: int) -> None:
    """So many events came so, each as (console_key, mac, how many)."""
    store.run_many(
        "INSERT INTO console_mac VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
        " SET events = events + ?3, last_at_ms = ?4",
        [(console_key, mac, count, at_ms) for console_key, mac, count in counted],
    )


def note_revision(store: Store, console: Console, revision: int) -> None:
    """The console told of this settings revision: new ones must lie above it, which nothing does above the highest."""
    if revision >= REVISION_MAX:
        return
    store.run(
        "UPDATE console SET settings_revision_reported = max(settings_revision_reported, ?) WHERE console_key = ?",
        (revision, console.key),
    )


def latest_settings(store: Store) -> list[tuple[str, str, int, str]]:
    """(site_id, console_id, revision, payload) of the newest settings of every console."""
    return store.all(
        "SELECT site_id, console_id, max(revision), payload FROM settings_sent GROUP BY site_id, console_id"
    )


def unpublished_settings(store: Store) -> list[tuple[str, str, int, str]]:
    """The newest settings of every console that has some not yet published."""
    return store.all(
        "SELECT site_id, console_id, max(revision), payload FROM settings_sent"
        " WHERE (site_id, console_id) IN (SELECT site_id, console_id FROM settings_sent WHERE published = 0)"
        " GROUP BY site_id, console_id"
    )


def note_published(store: Store, site_id: str, console_id: str, revision: int) -> None:
    """The broker has taken these settings, and so none before them is needed."""
    store.run(
        "UPDATE settings_sent SET published = 1 WHERE site_id = ? AND console_id = ? AND revision <= ?",
        (site_id, console_id, revision),
    )


def identity(store: Store) -> str:
    """What this database is known by at the broker."""
    row = store.one("SELECT identity FROM identity")
    return str(row[0]) if row else ""
