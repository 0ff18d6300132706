"""Read consoles with their records, and store what is heard of them and what they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bridge.model.console import KnownConsole
from bridge.model.periods import EVER, Timeline
from bridge.store import gone_consoles, places
from bridge.wire.settings import MAX_REVISIONS_AHEAD
from bridge.wire.signature import Mac

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model.console import Place
    from bridge.store.connection import Store

MAX_BOARDS = 50  # of a console: what somebody invents beyond these tells no more


class _StoredConsoleRecords:
    """One console's records, as `KnownConsole` asks for them."""

    def __init__(self, store: Store, key: int, site_id: str, console_id: str) -> None:
        self._store = store
        self._key = key
        self._site_id, self._console_id = site_id, console_id

    def shifts(self) -> Timeline:
        return Timeline(places.shifts(self._store, self._key))

    def placements(self) -> Timeline:
        rows = self._store.all(
            "SELECT from_ms, ?, checkout_point_id FROM placement WHERE console_key = ? ORDER BY 1", (EVER, self._key)
        )
        return Timeline(rows)

    def force_majeure_scope_s(self) -> float | None:
        row = self._store.one(
            "SELECT value FROM setting WHERE name = 'force_majeure_scope_s'"
            " AND (site_id, console_id) IN (VALUES (?1, ?2), (?1, ''), ('', ''))"
            " ORDER BY site_id DESC, console_id DESC LIMIT 1",
            (self._site_id, self._console_id),
        )
        return float(row[0]) if row else None

    def ask_every(self, revision: int) -> int | None:
        row = self._store.one(
            "SELECT payload FROM settings_sent WHERE site_id = ? AND console_id = ? AND revision = ?",
            (self._site_id, self._console_id, revision),
        )
        return int(msgspec.json.decode(row[0])["ask_every"]) if row else None

    def proved(self) -> dict[str, Place]:
        rows = self._store.all(
            "SELECT epoch, boot, up_ms FROM proved_word WHERE console_key = ? ORDER BY proved_at_ms", (self._key,)
        )
        return {epoch: (boot, up_ms) for epoch, boot, up_ms in rows}

    def has_proved_event(self, epoch: str) -> bool:
        row = self._store.one(
            "SELECT 1 FROM epoch JOIN event USING (epoch_key) WHERE console_key = ? AND epoch = ? AND mac = 1 LIMIT 1",
            (self._key, epoch),
        )
        return row is not None


def find_console(store: Store, site_id: str, console_id: str) -> KnownConsole | None:
    """Return a console; None if it was never heard of."""
    known = store.cache.consoles
    console = known.get((site_id, console_id))
    if console is None:
        row = store.one(
            f"SELECT console_key, {places.TIMEZONE}, enrolled, proves_words, EXISTS (SELECT 1 FROM console_mac"  # noqa: S608 - no outside text
            "  WHERE console_mac.console_key = console.console_key AND mac = 1) FROM console JOIN site USING (site_id)"
            " WHERE site_id = ? AND console_id = ?",
            (site_id, console_id),
        )
        if row is None:
            return None
        key, timezone, enrolled, proves_words, signs = row
        records = _StoredConsoleRecords(store, key, site_id, console_id)
        console = known[site_id, console_id] = KnownConsole(
            key,
            (site_id, console_id),
            timezone,
            records,
            enrolled=bool(enrolled),
            signs=bool(signs),
            proves_words=bool(proves_words),
        )
    return console


def add_console(store: Store, site_id: str, console_id: str, at_ms: int) -> KnownConsole:
    """Add a console, and its site where that is new; that it was seen is noted by `note_seen`."""
    store.run("INSERT OR IGNORE INTO site (site_id, first_seen_at_ms) VALUES (?, ?)", (site_id, at_ms))
    store.run(
        "INSERT INTO console (site_id, console_id, first_seen_at_ms, last_seen_at_ms) VALUES (?, ?, ?, 0)",
        (site_id, console_id, at_ms),
    )
    gone_consoles.note_back(store, site_id, console_id)
    console = find_console(store, site_id, console_id)
    if console is None:
        raise LookupError(console_id)
    return console


def console_by_key(store: Store, console_key: int) -> KnownConsole:
    """Return the console with this key. Raises LookupError."""
    row = store.one("SELECT site_id, console_id FROM console WHERE console_key = ?", (console_key,))
    console = find_console(store, *row) if row else None
    if console is None:
        raise LookupError(console_key)
    return console


def site_ids(store: Store) -> list[str]:
    """Return the ids of all sites."""
    return [row[0] for row in store.all("SELECT site_id FROM site ORDER BY site_id")]


def console_ids(store: Store, site_id: str) -> list[str]:
    """Return the ids of a site's consoles."""
    rows = store.all("SELECT console_id FROM console WHERE site_id = ? ORDER BY console_id", (site_id,))
    return [row[0] for row in rows]


def note_seen(store: Store, seen: Iterable[tuple[KnownConsole, int]]) -> None:
    """Note when consoles were heard; a stored time that lies ahead dates from before the clock was set back."""
    store.run_many(
        "UPDATE console SET last_seen_at_ms = iif(last_seen_at_ms > ?3, ?1, max(last_seen_at_ms, ?1))"
        " WHERE console_key = ?2",
        [(at_ms, console.key, store.now_ms) for console, at_ms in seen],
    )


def note_status(store: Store, console: KnownConsole, *, online: bool) -> None:
    """Note what the console, or the broker for it, said of its being online."""
    store.run("UPDATE console SET online = ? WHERE console_key = ?", (int(online), console.key))


def note_health(store: Store, console: KnownConsole, raw: str, at_ms: int | None) -> None:
    """Store the latest health message.

    `at_ms` is None if it is unknown when the message was sent: the broker had kept it.
    """
    store.run(
        "UPDATE console SET health = ?1, health_at_ms = ?2 WHERE console_key = ?3"
        " AND (health IS NOT ?1 OR health_at_ms IS NULL)"
        " AND (?2 IS NULL OR coalesce(health_at_ms, 0) <= ?2 OR health_at_ms > ?4)",  # … before the clock was set back
        (raw, at_ms, console.key, store.now_ms),
    )


def note_board(store: Store, console: KnownConsole, hardware_id: str, at_ms: int) -> None:
    """Note that a board used the console's id."""
    last = store.one(
        "SELECT hardware_id FROM board WHERE console_key = ? ORDER BY last_heard_at_ms DESC LIMIT 1", (console.key,)
    )
    store.run(
        "INSERT INTO board VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE"
        " SET last_heard_at_ms = max(last_heard_at_ms, ?3), turns = turns + ?4",
        (console.key, hardware_id, at_ms, last != (hardware_id,)),
    )
    if last != (hardware_id,):
        store.run(
            "DELETE FROM board WHERE console_key = ?1 AND hardware_id IN (SELECT hardware_id FROM board"
            " WHERE console_key = ?1 ORDER BY last_heard_at_ms DESC LIMIT -1 OFFSET ?2)",
            (console.key, MAX_BOARDS),
        )


def note_macs(store: Store, counted: Iterable[tuple[int, int, int]], at_ms: int) -> None:
    """Add to the counts of events by MAC: each is (console_key, mac, how many)."""
    store.run_many(
        "INSERT INTO console_mac VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
        " SET events = events + ?3, last_at_ms = ?4",
        [(console_key, mac, count, at_ms) for console_key, mac, count in counted],
    )


def note_word_macs(store: Store, counted: Iterable[tuple[int, int, int]], at_ms: int) -> None:
    """Add to the counts of words by MAC: each is (console_key, mac, how many)."""
    store.run_many(
        "INSERT INTO word_mac VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET words = words + ?3, last_at_ms = ?4",
        [(console_key, mac, count, at_ms) for console_key, mac, count in counted],
    )


def note_proved(store: Store, console: KnownConsole, proved: tuple[str, Place]) -> None:
    """Note the last proved word of an epoch."""
    epoch, place = proved
    store.run("INSERT OR REPLACE INTO proved_word VALUES (?, ?, ?, ?, ?)", (console.key, epoch, *place, store.now_ms))
    _note_proving(store, console, proves_words=True)


def forget_proofs(store: Store, console_key: int) -> None:
    """Forget which words a console's earlier key proved, and when; what failed stays counted."""
    store.run("DELETE FROM proved_word WHERE console_key = ?", (console_key,))
    store.run(
        "DELETE FROM word_mac WHERE console_key = ? AND mac IN (?, ?)", (console_key, int(Mac.VALID), int(Mac.STALE))
    )


def note_started_unproved(store: Store, console: KnownConsole) -> None:
    """Note that the console has proved a start, and no word since: its firmware may be one that does not sign them."""
    console.proves_words = False
    _note_proving(store, console, proves_words=False)


def _note_proving(store: Store, console: KnownConsole, *, proves_words: bool) -> None:
    store.run(
        "UPDATE console SET proves_words = ?1 WHERE console_key = ?2 AND proves_words IS NOT ?1",
        (int(proves_words), console.key),
    )


def note_revision(store: Store, console: KnownConsole, revision: int) -> None:
    """Note a settings revision that the console reported: new ones must lie above it.

    One that is far above all that were sent is only kept to be told: it would leave no room for new ones.
    """
    row = store.one(
        "SELECT max(revision) FROM settings_sent WHERE site_id = ? AND console_id = ?",
        (console.site_id, console.console_id),
    )
    highest_sent = row[0] if row and row[0] else 0
    if revision <= highest_sent + MAX_REVISIONS_AHEAD:
        store.run(
            "UPDATE console SET settings_revision_reported = max(settings_revision_reported, ?) WHERE console_key = ?",
            (revision, console.key),
        )
    else:
        store.run(
            "UPDATE console SET ignored_revision = ?, ignored_revision_at_ms = ? WHERE console_key = ?",
            (revision, store.now_ms, console.key),
        )


def latest_settings(store: Store) -> list[tuple[str, str, int, str]]:
    """Return (site_id, console_id, revision, payload) of the newest settings of each console that is not gone."""
    return store.all(
        "SELECT site_id, console_id, max(revision), payload FROM settings_sent"
        " WHERE (site_id, console_id) NOT IN (SELECT site_id, console_id FROM gone_console)"
        " GROUP BY site_id, console_id"
    )


def unpublished_settings(store: Store) -> list[tuple[str, str, int, str]]:
    """Return the newest settings of each console that is not gone and has some not published yet."""
    return store.all(
        "SELECT site_id, console_id, max(revision), payload FROM settings_sent"
        " WHERE (site_id, console_id) IN (SELECT site_id, console_id FROM settings_sent WHERE published = 0)"
        " AND (site_id, console_id) NOT IN (SELECT site_id, console_id FROM gone_console)"
        " GROUP BY site_id, console_id"
    )


def note_published(store: Store, site_id: str, console_id: str, revision: int) -> None:
    """Note that settings were published; older ones need not be any more."""
    store.run(
        "UPDATE settings_sent SET published = 1 WHERE site_id = ? AND console_id = ? AND revision <= ?",
        (site_id, console_id, revision),
    )


def identity(store: Store) -> str:
    """Return the name of the bridge's session at the broker, until it is kept among the keys; then ""."""
    row = store.one("SELECT identity FROM identity")
    return str(row[0]) if row else ""


def forget_identity(store: Store) -> None:
    """Forget that name, as it is kept elsewhere."""
    store.run("UPDATE identity SET identity = ''")
