"""Read the status of consoles and of their delivery, for `doctor`, `console list` and the metrics.

Consoles choose the numbers that are added up here, and `sum()` fails above 2^63: `total()` never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bridge.wire.signature import Mac, MacCount

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store.connection import Store

Row = TypeVar("Row")


class ConsoleRow(NamedTuple):
    """A console as it was last heard; `health` is its last health message, as sent."""

    console_key: int
    site_id: str
    console_id: str
    enrolled: int
    online: int | None
    last_seen_at_ms: int
    health: str | None
    health_at_ms: int | None
    settings_revision_reported: int
    ignored_revision: int | None
    ignored_revision_at_ms: int | None
    proves_words: int
    retired_at_ms: int | None

    @property
    def was_heard(self) -> bool:
        """True if anything came from it, or the broker had kept a message; else somebody only named it."""
        return bool(self.last_seen_at_ms or self.health) or self.online is not None


class EpochRow(NamedTuple):
    """An epoch of a console: how many events it lost, and when its first and last arrived (None: no events)."""

    epoch: str
    hardware_id: str | None
    lost: int
    first_arrival_ms: int | None
    last_arrival_ms: int | None


class BoardRow(NamedTuple):
    """A board that used a console's id; `turns`: how often it took over from another board, or was the first."""

    hardware_id: str
    last_heard_at_ms: int
    turns: int


def boards(store: Store) -> dict[int, list[BoardRow]]:
    """Return the boards that used each console's id, by `console_key`, the last heard first."""
    rows = store.all(
        "SELECT console_key, hardware_id, last_heard_at_ms, turns FROM board ORDER BY last_heard_at_ms DESC"
    )
    return _by_console(rows, BoardRow)


def last_board(store: Store, site_id: str, console_id: str) -> BoardRow | None:
    """Return the board that last used a console's id, unless the console went offline since."""
    row = store.one(
        "SELECT hardware_id, last_heard_at_ms, turns FROM board JOIN console USING (console_key)"
        " WHERE site_id = ? AND console_id = ? AND online IS NOT 0 ORDER BY last_heard_at_ms DESC",
        (site_id, console_id),
    )
    return BoardRow(*row) if row else None


def _by_console(rows: list[Any], row_type: Callable[..., Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for key, *columns in rows:
        found.setdefault(key, []).append(row_type(*columns))
    return found


def macs(store: Store) -> dict[int, dict[Mac, MacCount]]:
    """Return how many events of each console came with which MAC, by `console_key`; only consoles that ever signed."""
    return _by_mac(store.all("SELECT console_key, mac, events, last_at_ms FROM console_mac"))


def word_macs(store: Store) -> dict[int, dict[Mac, MacCount]]:
    """Return how many words of each console about itself came with which MAC, as `macs` does."""
    return _by_mac(store.all("SELECT console_key, mac, words, last_at_ms FROM word_mac"))


def _by_mac(rows: list[Any]) -> dict[int, dict[Mac, MacCount]]:
    found: dict[int, dict[Mac, MacCount]] = {}
    for console_key, mac, *came in rows:
        found.setdefault(console_key, {})[Mac(mac)] = MacCount(*came)
    return found


def rejects(store: Store) -> list[tuple[str, int, int, str]]:
    """Return (reason without details, how many, when last, topic of an example), the most frequent reason first."""
    rows = store.all(
        "SELECT CASE instr(reason, ':') WHEN 0 THEN reason ELSE substr(reason, 1, instr(reason, ':') - 1) END AS word,"
        " CAST(total(count) AS INTEGER), max(last_at_ms), min(topic) FROM reject GROUP BY word ORDER BY 2 DESC, 1"
    )
    return [(str(reason), int(count), int(last), str(topic)) for reason, count, last, topic in rows]


def consoles(store: Store) -> list[ConsoleRow]:
    """Return all consoles heard of or named, by site and id."""
    rows = store.all(
        "SELECT console_key, site_id, console_id, enrolled, online, last_seen_at_ms, health, health_at_ms,"
        " settings_revision_reported, ignored_revision, ignored_revision_at_ms, proves_words, retired_at_ms"
        " FROM console ORDER BY site_id, console_id"
    )
    return [ConsoleRow(*row) for row in rows]


def is_retired(store: Store, console_key: int) -> bool:
    """Return whether a console is out of service."""
    row = store.one("SELECT retired_at_ms FROM console WHERE console_key = ?", (console_key,))
    return row is not None and row[0] is not None


def set_retired_at(store: Store, console_key: int, at_ms: int | None) -> None:
    """Store since when a console is out of service; None: it is in service."""
    store.run("UPDATE console SET retired_at_ms = ? WHERE console_key = ?", (at_ms, console_key))


def epochs(store: Store) -> dict[int, list[EpochRow]]:
    """Return each console's epochs, by `console_key`, in the order in which they were first seen."""
    rows = store.all(
        "SELECT console_key, epoch, hardware_id,"
        " through - (SELECT CAST(total(min(high, through) - low + 1) AS INTEGER) FROM received"
        "            WHERE received.epoch_key = epoch.epoch_key AND low <= through),"
        " (SELECT arrived_at_ms FROM event WHERE event.epoch_key = epoch.epoch_key ORDER BY seq LIMIT 1),"
        " (SELECT arrived_at_ms FROM event WHERE event.epoch_key = epoch.epoch_key ORDER BY seq DESC LIMIT 1)"
        " FROM epoch ORDER BY seen_at_ms, epoch_key"
    )
    return _by_console(rows, EpochRow)


def through_of(store: Store, site_id: str, console_id: str) -> dict[str, int]:
    """Return, for each epoch of a console, the number up to which no event is waited for any more."""
    rows = store.all(
        "SELECT epoch, through FROM epoch JOIN console USING (console_key) WHERE site_id = ? AND console_id = ?",
        (site_id, console_id),
    )
    return {str(epoch): int(through) for epoch, through in rows}


def lost_since(store: Store, at_ms: int) -> dict[int, int]:
    """Return how many events each console lost, by `console_key`, in gaps whose following event came since then."""
    rows = store.all(
        "WITH hole AS (SELECT epoch_key, low,"
        "  low - 1 - coalesce(lag(high) OVER (PARTITION BY epoch_key ORDER BY low), 0) AS missing FROM received)"
        " SELECT console_key, CAST(total(missing) AS INTEGER) FROM hole JOIN epoch USING (epoch_key)"
        " WHERE missing > 0 AND low <= through"
        " AND (SELECT arrived_at_ms FROM event WHERE event.epoch_key = hole.epoch_key AND seq >= low"
        "      ORDER BY seq LIMIT 1) >= ? GROUP BY console_key",
        (at_ms,),
    )
    return {int(key): int(lost) for key, lost in rows}


def heartbeats(store: Store) -> dict[tuple[str, str], int]:
    """Return `heartbeat_ms` of the newest settings sent to each console, by (site_id, console_id)."""
    rows = store.all(
        "SELECT site_id, console_id, max(revision), json_extract(payload, '$.heartbeat_ms') FROM settings_sent"
        " GROUP BY site_id, console_id"
    )
    return {(str(site), str(console)): int(beat_ms) for site, console, _, beat_ms in rows if beat_ms}


def shifts_around(store: Store, at_ms: int) -> dict[int, tuple[int | None, int | None]]:
    """Return, by `console_key`, when the last shift that began by then ends or ended, and when the next one starts."""
    rows = store.all(
        "SELECT console_key,"
        " (SELECT ended_at_ms FROM shift WHERE shift.console_key = console.console_key AND started_at_ms <= ?1"
        "  ORDER BY started_at_ms DESC LIMIT 1),"
        " (SELECT started_at_ms FROM shift WHERE shift.console_key = console.console_key AND started_at_ms > ?1"
        "  ORDER BY started_at_ms LIMIT 1) FROM console",
        (at_ms,),
    )
    return {int(key): (ends, starts) for key, ends, starts in rows}


def losses(store: Store) -> list[tuple[str, str, int]]:
    """Return (site_id, console_id, how many events are missing for good) of each console."""
    rows = store.all(
        "SELECT site_id, console_id, CAST(total(through - (SELECT CAST(total(min(high, through) - low + 1) AS INTEGER)"
        "  FROM received WHERE received.epoch_key = epoch.epoch_key AND low <= through)) AS INTEGER)"
        " FROM console LEFT JOIN epoch USING (console_key) GROUP BY console_key"
    )
    return [(str(site), str(console), int(lost)) for site, console, lost in rows]


def waiting_settings(store: Store) -> int:
    """Return how many consoles have settings that are not published yet."""
    row = store.one(
        "SELECT count(DISTINCT site_id || '/' || console_id) FROM settings_sent WHERE published = 0"
        " AND (site_id, console_id) NOT IN (SELECT site_id, console_id FROM gone_console)"
    )
    return int(row[0]) if row else 0
