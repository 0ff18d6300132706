"""What tells how the database, the consoles and their delivery are: asked by `doctor` and `console list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import apsw

from bridge.errors import DatabaseError
from bridge.store.connection import DAMAGED, damaged, newest_version, refuse_strange_log
from bridge.wire.signature import Came, Mac

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.store.connection import Store

Row = TypeVar("Row")
FAULT_LENGTH = 200
BACKUP_PAGES = -1
"""All at once: one consistent copy, while the bridge writes on."""


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

    @property
    def was_heard(self) -> bool:
        """Whether anything came from it, or was kept of it by the broker: else somebody named it."""
        return bool(self.last_seen_at_ms or self.health) or self.online is not None


class EpochRow(NamedTuple):
    """An epoch of a console: what it lost, and when its first and last numbers arrived (None: no events)."""

    epoch: str
    hardware_id: str | None
    lost: int
    first_arrival_ms: int | None
    last_arrival_ms: int | None


class BoardRow(NamedTuple):
    """A board that spoke under a console's id; `turns`: how often it followed another, or was the first."""

    hardware_id: str
    last_heard_at_ms: int
    turns: int


def boards(store: Store) -> dict[int, list[BoardRow]]:
    """The boards that spoke under each console's id (by `console_key`), the last heard first."""
    rows = store.all(
        "SELECT console_key, hardware_id, last_heard_at_ms, turns FROM board ORDER BY last_heard_at_ms DESC"
    )
    return _by_console(rows, BoardRow)


def _by_console(rows: list[Any], row_type: Callable[..., Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for key, *columns in rows:
        found.setdefault(key, []).append(row_type(*columns))
    return found


def macs(store: Store) -> dict[int, dict[Mac, Came]]:
    """How the events of each console came since its first mac; nothing of one that never signed."""
    found: dict[int, dict[Mac, Came]] = {}
    for console_key, mac, *came in store.all("SELECT console_key, mac, events, last_at_ms FROM console_mac"):
        found.setdefault(console_key, {})[Mac(mac)] = Came(*came)
    return found


def integrity(connection: apsw.Connection, check: Literal["integrity_check", "quick_check"]) -> list[str]:
    """What SQLite finds wrong with the file; empty when nothing. The quick check leaves out what indices hold."""
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}(20)") if row[0] != "ok"]
    except DAMAGED as error:
        found = [str(error)]
    return [" ".join(fault.split())[:FAULT_LENGTH] for fault in found]


def rejects(store: Store) -> list[tuple[str, int, int, str]]:
    """(reason's first words, how many, when last, an example's topic) of all rejects, the most frequent first."""
    rows = store.all(
        "SELECT CASE instr(reason, ':') WHEN 0 THEN reason ELSE substr(reason, 1, instr(reason, ':') - 1) END AS word,"
        " sum(count), max(last_at_ms), min(topic) FROM reject GROUP BY word ORDER BY 2 DESC, 1"
    )
    return [(str(reason), int(count), int(last), str(topic)) for reason, count, last, topic in rows]


def consoles(store: Store) -> list[ConsoleRow]:
    """All consoles heard of."""
    rows = store.all(
        "SELECT console_key, site_id, console_id, enrolled, online, last_seen_at_ms, health, health_at_ms,"
        " settings_revision_reported FROM console ORDER BY site_id, console_id"
    )
    return [ConsoleRow(*row) for row in rows]


def epochs(store: Store) -> dict[int, list[EpochRow]]:
    """Each console's epochs (by `console_key`) in the order in which they were first seen."""
    rows = store.all(
        "SELECT console_key, epoch, hardware_id,"
        " through - (SELECT coalesce(sum(min(high, through) - low + 1), 0) FROM received"
        "            WHERE received.epoch_key = epoch.epoch_key AND low <= through),"
        " (SELECT arrived_at_ms FROM event WHERE event.epoch_key = epoch.epoch_key ORDER BY seq LIMIT 1),"
        " (SELECT arrived_at_ms FROM event WHERE event.epoch_key = epoch.epoch_key ORDER BY seq DESC LIMIT 1)"
        " FROM epoch ORDER BY seen_at_ms, epoch_key"
    )
    return _by_console(rows, EpochRow)


def lost_since(store: Store, at_ms: int) -> dict[int, int]:
    """How many events each console (by `console_key`) is known to have lost since then: what followed came later."""
    rows = store.all(
        "WITH hole AS (SELECT epoch_key, low,"
        "  low - 1 - coalesce(lag(high) OVER (PARTITION BY epoch_key ORDER BY low), 0) AS missing FROM received)"
        " SELECT console_key, sum(missing) FROM hole JOIN epoch USING (epoch_key) WHERE missing > 0 AND low <= through"
        " AND (SELECT arrived_at_ms FROM event WHERE event.epoch_key = hole.epoch_key AND seq >= low"
        "      ORDER BY seq LIMIT 1) >= ? GROUP BY console_key",
        (at_ms,),
    )
    return {int(key): int(lost) for key, lost in rows}


def heartbeats(store: Store) -> dict[tuple[str, str], int]:
    """`heartbeat_ms` of the newest settings of every console (site_id, console_id) that was sent some."""
    rows = store.all(
        "SELECT site_id, console_id, max(revision), json_extract(payload, '$.heartbeat_ms') FROM settings_sent"
        " GROUP BY site_id, console_id"
    )
    return {(str(site), str(console)): int(beat_ms) for site, console, _, beat_ms in rows if beat_ms}


def shifts_around(store: Store, at_ms: int) -> dict[int, tuple[int | None, int | None]]:
    """Of each console (by `console_key`): when the last shift begun by then ends or ended, and when the next starts."""
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
    """(site_id, console_id, how many events are missing for good) of every console."""
    rows = store.all(
        "SELECT site_id, console_id, coalesce(sum(through - (SELECT coalesce(sum(min(high, through) - low + 1), 0)"
        "  FROM received WHERE received.epoch_key = epoch.epoch_key AND low <= through)), 0)"
        " FROM console LEFT JOIN epoch USING (console_key) GROUP BY console_key"
    )
    return [(str(site), str(console), int(lost)) for site, console, lost in rows]


def waiting_settings(store: Store) -> int:
    """How many consoles have settings that were not published yet."""
    row = store.one("SELECT count(DISTINCT site_id || '/' || console_id) FROM settings_sent WHERE published = 0")
    return int(row[0]) if row else 0


def copy_to(source: apsw.Connection, name: str, target: Path) -> None:
    """Copy a whole database to a new file, as it is at one instant; DatabaseError when it turns out damaged.

    `name` is what people know the source by.
    """
    destination = apsw.Connection(str(target))
    try:
        with destination.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(BACKUP_PAGES)
        if faults := integrity(destination, "integrity_check"):
            raise damaged(name, faults[0])
        destination.execute("PRAGMA journal_mode = DELETE")  # one file alone, without a log beside it
    except (apsw.FullError, apsw.IOError) as error:
        raise DatabaseError(
            f"{target.parent} takes no more of the copy: make room there, or see to its disk."
        ) from error
    finally:
        destination.close()


def read_copy(copy: Path) -> apsw.Connection:
    """Open a copy made by `backup`, to be read; raises DatabaseError when it is none, or one that cannot be used."""
    if not copy.is_file():
        raise DatabaseError(f"There is no file {copy}: give a copy made by `trivox backup`.")
    refuse_strange_log(copy)
    refusal = DatabaseError(f"{copy} is no copy made by `trivox backup`: give one.")
    connection = None
    try:
        connection = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
        _check_copy(connection, copy, refusal)
    except apsw.CantOpenError as error:
        raise DatabaseError(f"{copy} cannot be read: check its rights.") from error
    except (apsw.Error, DatabaseError) as error:
        if connection is not None:
            connection.close()
        raise (error if isinstance(error, DatabaseError) else refusal) from error
    return connection


def _check_copy(connection: apsw.Connection, copy: Path, refusal: DatabaseError) -> None:
    known = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('event', 'identity')").fetchall()
    if known != [(2,)]:
        raise refusal
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if int(str(version)) > newest_version():
        raise DatabaseError(f"The copy {copy} is of a newer Trivox: restore it with that one, or a newer one.")
