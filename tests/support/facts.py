"""What a bridge's database holds, in the domain's words: the tests' SQL is here, so that a new schema is one change.

Each function takes the database (its path, an open `Store` or a connection), then which fields are wanted, then what
they must be: `surveys(db, "outcome", console_id="till-1")`. One field gives values, several give tuples, none gives
dicts of all. Site, console and epoch can be asked for by name wherever a row belongs to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import apsw
import msgspec

from bridge.store import Store

BUSY_MS = 60_000
DERIVED = ("survey", "force_majeure", "epoch", "received", "boot", "rollup_hour", "rollup_day", "counts")
AS_RECEIVED = ("event", "envelope_extra", "counts_received")
WHEN = {"epoch": "seen_at_ms", "counts_received": "arrived_at_ms"}  # another database may have them at another time


class Connection(Protocol):
    """One of `apsw` or of `sqlite3`."""

    def execute(self, sql: str, bindings: Any = ..., /) -> Any:
        """Execute a statement."""


Database = Path | Store | Connection


# Who and where ----------------------------------------------------------------------------------------------------


def sites(db: Database, *names: str, **where: Any) -> list[Any]:
    """Site by site: `site_id`, `timezone`."""
    return _facts(db, "site", names, where)


def consoles(db: Database, *names: str, **where: Any) -> list[Any]:
    """What is known of each console: `enrolled`, `online`, `health` (as sent), `last_seen_at_ms` …"""
    return _facts(db, "console", names, where)


def healths(db: Database, **where: Any) -> list[dict[str, Any]]:
    """The last health message of each console that sent one."""
    return [msgspec.json.decode(text) for text in consoles(db, "health", **where) if text]


def placements(db: Database, *names: str, **where: Any) -> list[Any]:
    """At which `checkout_point_id` a console stands `from_ms` on."""
    return _facts(db, "placement", names, where)


def shifts(db: Database, *names: str, **where: Any) -> list[Any]:
    """Who worked at which console: `seller_id`, `started_at_ms`, `ended_at_ms`."""
    return _facts(db, "shift", names, where)


def sellers(db: Database, *names: str, **where: Any) -> list[Any]:
    """Whose shifts were ever imported: `seller_id`, `seller_name`."""
    return _facts(db, "seller", names, where)


# What was received ------------------------------------------------------------------------------------------------


def events(db: Database, *names: str, **where: Any) -> list[Any]:
    """Events by their numbers, epoch by epoch: `seq`, `type`, `dated_at_ms`, `dated_by`, `mac`, `raw` …"""
    return _facts(db, "event", names, where, order="event.epoch_key, event.seq")


def told(db: Database, **where: Any) -> list[dict[str, Any]]:
    """Events as the consoles sent them, in the order of `events`."""
    return [msgspec.json.decode(raw) for raw in events(db, "raw", **where)]


def stored(db: Database) -> int:
    """How many events there are."""
    return int(query(db, "SELECT count(*) FROM event")[0][0])


def newest(db: Database) -> int:
    """The key of the last event stored, which says at no cost how many there are; 0 where there is none."""
    return int(query(db, "SELECT coalesce(max(event_key), 0) FROM event")[0][0])


def epochs(db: Database, *names: str, **where: Any) -> list[Any]:
    """Epochs as they came: `epoch`, `hardware_id`, `first`, `through`."""
    return _facts(db, "epoch", names, where)


def through(db: Database, console_id: str, **where: Any) -> int:
    """How far a console's events are acknowledged, in its newest epoch if none is named; 0 where it has none."""
    found = epochs(db, "through", console_id=console_id, **where)
    return int(found[-1]) if found else 0


def received(db: Database, *names: str, **where: Any) -> list[Any]:
    """Which numbers of each epoch were received, as ranges: `low`, `high`."""
    return _facts(db, "received", names, where)


def extras(db: Database, *names: str, **where: Any) -> list[Any]:
    """Unknown fields of batches: `base`, `raw`."""
    return _facts(db, "envelope_extra", names, where)


def rejects(db: Database, *names: str, **where: Any) -> list[Any]:
    """What could not be taken, as it came: `seq`, `topic`, `reason`, `raw`, `count`, `mac`."""
    return _facts(db, "reject", names, where)


def macs(db: Database, *names: str, **where: Any) -> list[Any]:
    """How many `events` of a console came with which `mac`."""
    return _facts(db, "console_mac", names, where)


# What is made of it -----------------------------------------------------------------------------------------------


def surveys(db: Database, *names: str, **where: Any) -> list[Any]:
    """Surveys, epoch by epoch: `survey` (its number), `outcome`, `cause`, `opened_at_ms`, `affected` …"""
    return _facts(db, "survey", names, where)


def force_majeures(db: Database, *names: str, **where: Any) -> list[Any]:
    """Declared force majeures: `seq`, `survey`, `dated_at_ms` …"""
    return _facts(db, "force_majeure", names, where)


def rollups(db: Database, *names: str, **where: Any) -> list[Any]:
    """What reports count by, day by day: `yes`, `no`, `cant_say`, `silent`, `error`, `force_majeures`, `asked` …"""
    return _facts(db, "rollup_day", names, where)


def rollups_by_hour(db: Database, *names: str, **where: Any) -> list[Any]:
    """The same by the hour."""
    return _facts(db, "rollup_hour", names, where)


def counts(db: Database, *names: str, **where: Any) -> list[Any]:
    """Transactions and visitors in force: `kind`, `from_ms`, `to_ms`, `count` …"""
    return _facts(db, "counts", names, where)


def counts_received(db: Database, *names: str, **where: Any) -> list[Any]:
    """Every figure ever sent, corrections included: `site_id`, `source_id`, `id`, `raw`."""
    return _facts(db, "counts_received", names, where)


# What was chosen --------------------------------------------------------------------------------------------------


def questions_changed(db: Database, *names: str, **where: Any) -> list[Any]:
    """Each change of a silent weight: `silent_weight`, `silent_weight_origin`, `silent_weight_on`."""
    return _facts(db, "question_history", names, where)


def settings(db: Database, *names: str, **where: Any) -> list[Any]:
    """What was chosen, for all, a site or a console: `name`, `value`."""
    return _facts(db, "setting", names, where)


def settings_sent(db: Database, *names: str, **where: Any) -> list[Any]:
    """Settings made for consoles, by `revision`; `payload` is the message."""
    return _facts(db, "settings_sent", names, where)


def updates(db: Database, *names: str, **where: Any) -> list[Any]:
    """The last order to update each console: `version`, `state`, `reason`, `fetched`, `size`."""
    return _facts(db, "update_order", names, where)


# All of it --------------------------------------------------------------------------------------------------------


def derived(db: Database) -> dict[str, list[Any]]:
    """All that is made of what was received, in no order: equal in two databases that say the same."""
    return _contents(db, DERIVED)


def content(db: Database) -> dict[str, list[Any]]:
    """The same with what was received."""
    return _contents(db, AS_RECEIVED + DERIVED)


def damage(db: Database) -> list[str]:
    """What SQLite finds wrong in the file, and references that lead nowhere."""
    found = [*query(db, "PRAGMA integrity_check(5)"), *query(db, "PRAGMA foreign_key_check")]
    return [str(row) for row in found if tuple(row) != ("ok",)]


def tables(db: Database) -> list[str]:
    """Which tables it has, whoever made it."""
    return [name for (name,) in query(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]


def size(db: Database) -> int:
    """How many bytes its pages take."""
    ((pages, of),) = query(db, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    return int(pages * of)


def identity(db: Database) -> str:
    """What it is known by at the broker."""
    return str(query(db, "SELECT identity FROM identity")[0][0])


# How it is asked --------------------------------------------------------------------------------------------------


def query(db: Database, sql: str, *bindings: Any) -> list[Any]:
    """Rows."""
    with _opened(db) as connection:
        return list(connection.execute(sql, bindings))


@contextmanager
def _opened(db: Database) -> Iterator[Connection]:
    """A connection; one to a path reads beside whoever writes there."""
    if isinstance(db, Path):
        with closing(apsw.Connection(str(db), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(BUSY_MS)
            yield connection
    else:
        yield db.connection if isinstance(db, Store) else db


def _facts(db: Database, table: str, names: tuple[str, ...], where: dict[str, Any], order: str = "") -> list[Any]:
    with _opened(db) as connection:
        columns, joined, primary = _described(connection, table)
        chosen = names or tuple(columns)
        wanted = ", ".join(columns[name] for name in chosen)
        condition = " AND ".join(f"{columns[name]} IS ?" for name in where) or "1"
        sql = f"SELECT {wanted} FROM {joined} WHERE {condition} ORDER BY {order or primary}"
        rows = query(connection, sql, *where.values())
    if len(names) == 1:
        return [row[0] for row in rows]
    return [tuple(row) for row in rows] if names else [dict(zip(chosen, row, strict=True)) for row in rows]


def _described(connection: Connection, table: str) -> tuple[dict[str, str], str, str]:
    """A table's columns as SQL, it joined with what its rows belong to, and its primary key.

    Keys that the database gives by itself are no facts; the names that they stand for are.
    """
    own = query(connection, "SELECT name, pk FROM pragma_table_info(?)", table)
    columns = {name: f"{table}.{name}" for name, _ in own if not name.endswith("_key")}
    keys, joined = {name for name, _ in own}, table
    if "epoch_key" in keys and table != "epoch":
        joined += f" LEFT JOIN epoch ON epoch.epoch_key = {table}.epoch_key"
        columns = {"epoch": "epoch.epoch", **columns}
    if not keys.isdisjoint({"epoch_key", "console_key"}) and table != "console":
        of = table if "console_key" in keys else "epoch"
        joined += f" LEFT JOIN console ON console.console_key = {of}.console_key"
        columns = {"site_id": "console.site_id", "console_id": "console.console_id", **columns}
    primary = [name for name, _ in sorted(own, key=itemgetter(1)) if dict(own)[name]] or ["rowid"]
    return columns, joined, ", ".join(f"{table}.{name}" for name in primary)


def _contents(db: Database, tables: tuple[str, ...]) -> dict[str, list[Any]]:
    found = {}
    with _opened(db) as connection:
        for table in tables:
            names = [name for name in _described(connection, table)[0] if name != WHEN.get(table)]
            found[table] = sorted(_facts(connection, table, tuple(names), {}), key=repr)
    return found
