"""Read a bridge's database in the words of the domain; all SQL of tests is here, so that a new schema is one change.

Each function takes the database (its path, an open `Store` or a connection), then the wanted fields, then the values
that fields must have: `surveys(db, "outcome", console_id="till-1")`. With one field it returns values, with several
tuples, with none dicts of all fields. Fields of its site, console and epoch are available in every row that has one.
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
ROLLUPS = ("rollup_hour", "rollup_day", "rollup_month", "rollup_site_day", "rollup_site_month")
DERIVED = ("survey", "force_majeure", "epoch", "received", "boot", *ROLLUPS, "counts")
AS_RECEIVED = ("event", "envelope_extra", "counts_received")
ARRIVALS = {
    "epoch": "seen_at_ms",
    "counts_received": "arrived_at_ms",
}  # differs between databases with the same facts


class SqlConnection(Protocol):
    """One of `apsw` or of `sqlite3`."""

    def execute(self, sql: str, bindings: Any = ..., /) -> Any:
        """Execute a statement."""


Database = Path | Store | SqlConnection


# Who and where ----------------------------------------------------------------------------------------------------


def sites(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the sites: `site_id`, `timezone`."""
    return _facts(db, "site", names, where)


def consoles(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the consoles: `enrolled`, `online`, `health` (as sent), `last_seen_at_ms` …"""
    return _facts(db, "console", names, where)


def healths(db: Database, **where: Any) -> list[dict[str, Any]]:
    """Return the last health message of each console that sent one."""
    return [msgspec.json.decode(text) for text in consoles(db, "health", **where) if text]


def placements(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return at which `checkout_point_id` a console is, from `from_ms` on."""
    return _facts(db, "placement", names, where)


def shifts(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return who worked at which console: `seller_id`, `started_at_ms`, `ended_at_ms`."""
    return _facts(db, "shift", names, where)


def sellers(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the sellers whose shifts were imported: `seller_id`, `seller_name`."""
    return _facts(db, "seller", names, where)


# What was received ------------------------------------------------------------------------------------------------


def events(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return events by number, epoch by epoch: `seq`, `type`, `dated_at_ms`, `dated_by`, `mac`, `raw` …"""
    return _facts(db, "event", names, where, order="event.epoch_key, event.seq")


def sent_events(db: Database, **where: Any) -> list[dict[str, Any]]:
    """Return events as the consoles sent them, in the order of `events`."""
    return [msgspec.json.decode(raw) for raw in events(db, "raw", **where)]


def stored(db: Database) -> int:
    """Return how many events there are."""
    return int(query(db, "SELECT count(*) FROM event")[0][0])


def newest(db: Database) -> int:
    """Return the key of the last event stored, which is quick to read and about the number of events; 0 without any."""
    return int(query(db, "SELECT coalesce(max(event_key), 0) FROM event")[0][0])


def epochs(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return epochs in order of arrival: `epoch`, `hardware_id`, `first`, `through`."""
    return _facts(db, "epoch", names, where)


def through(db: Database, console_id: str, **where: Any) -> int:
    """Return how far a console's events are acknowledged, by default in its newest epoch; 0 if it has none."""
    found = epochs(db, "through", console_id=console_id, **where)
    return int(found[-1]) if found else 0


def received(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return which numbers of each epoch were received, as ranges: `low`, `high`."""
    return _facts(db, "received", names, where)


def extras(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return unknown fields of batches: `base`, `raw`."""
    return _facts(db, "envelope_extra", names, where)


def rejects(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return what could not be taken in, as it arrived: `seq`, `topic`, `reason`, `raw`, `count`, `mac`."""
    return _facts(db, "reject", names, where)


def macs(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return how many `events` of a console came with which `mac`."""
    return _facts(db, "console_mac", names, where)


def word_macs(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return how many `words` of a console about itself came with which `mac`."""
    return _facts(db, "word_mac", names, where)


# What is derived --------------------------------------------------------------------------------------------------


def surveys(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return surveys, epoch by epoch: `survey` (its number), `outcome`, `cause`, `opened_at_ms`, `affected` …"""
    return _facts(db, "survey", names, where)


def force_majeures(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return declared force majeures: `seq`, `survey`, `dated_at_ms` …"""
    return _facts(db, "force_majeure", names, where)


def rollups(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the daily sums of reports: `yes`, `no`, `cant_say`, `silent`, `error`, `force_majeures`, `asked` …"""
    return _facts(db, "rollup_day", names, where)


def rollups_by_hour(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the hourly sums of reports."""
    return _facts(db, "rollup_hour", names, where)


def sums(db: Database, table: str, *names: str) -> list[Any]:
    """Return the sums of one of ROLLUPS: those of a site have neither console nor checkout point."""
    return _facts(db, table, names, {})


def counts(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the transactions and visitors in force: `kind`, `from_ms`, `to_ms`, `count` …"""
    return _facts(db, "counts", names, where)


def counts_received(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return every count ever sent, corrections included: `site_id`, `source_id`, `id`, `raw`."""
    return _facts(db, "counts_received", names, where)


# What was set -----------------------------------------------------------------------------------------------------


def questions_changed(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return each change of a silent weight: `silent_weight`, `silent_weight_origin`, `silent_weight_on`."""
    return _facts(db, "question_history", names, where)


def changes(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return what people have changed, also what does not count yet: `kind`, `name`, `before`, `after`, `pending`."""
    return _facts(db, "history", names, where)


def settings(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return settings for all consoles, a site or a console: `name`, `value`."""
    return _facts(db, "setting", names, where)


def settings_sent(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the settings of consoles by `revision`; `payload` is the message."""
    return _facts(db, "settings_sent", names, where)


def alarms(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return alarms by number: `site_id`, `checkout_point_id`, `answer`, `state`, `to_ms`, `answers`, `counted` …"""
    return _facts(db, "alarm", names, where)


def alarm_deliveries(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return which recipient is or was told of which alarm: `recipient_id`, `state`, `attempts`, `reason` …"""
    return _facts(db, "alarm_delivery", names, where)


def updates(db: Database, *names: str, **where: Any) -> list[Any]:
    """Return the last order to update each console: `version`, `state`, `reason`, `fetched`, `size`."""
    return _facts(db, "update_order", names, where)


# Whole databases --------------------------------------------------------------------------------------------------


def derived(db: Database) -> dict[str, list[Any]]:
    """Return everything derived from messages, sorted: equal for two databases with the same facts."""
    return _contents(db, DERIVED)


def import_leftovers(db: Database) -> dict[str, int]:
    """Return how many rows are kept of an import that is under way, by table; empty: there is none."""
    staged = ("import_phase", "staged_message", *(f"{table}_change" for table in ("shift", "seller", *DERIVED[-3:])))
    sizes = {table: query(db, f"SELECT count(*) FROM {table}")[0][0] for table in staged}
    return {table: size for table, size in sizes.items() if size}


def content(db: Database) -> dict[str, list[Any]]:
    """Return everything received and derived, sorted: equal for two databases with the same facts."""
    return _contents(db, AS_RECEIVED + DERIVED)


def damage(db: Database) -> list[str]:
    """Return what SQLite finds wrong in the file, and dangling references."""
    found = [*query(db, "PRAGMA integrity_check(5)"), *query(db, "PRAGMA foreign_key_check")]
    return [str(row) for row in found if tuple(row) != ("ok",)]


def tables(db: Database) -> list[str]:
    """Return the names of all tables, whichever program made the database."""
    return [name for (name,) in query(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]


def size(db: Database) -> int:
    """Return how many bytes its pages take."""
    ((count, page_size),) = query(db, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    return int(count * page_size)


def identity(db: Database) -> str:
    """Return the identity by which the broker knows the bridge."""
    return str(query(db, "SELECT identity FROM identity")[0][0])


# How it is read ---------------------------------------------------------------------------------------------------


def query(db: Database, sql: str, *bindings: Any) -> list[Any]:
    """Return the rows of a query."""
    with _opened(db) as connection:
        return list(connection.execute(sql, bindings))


@contextmanager
def _opened(db: Database) -> Iterator[SqlConnection]:
    """Yield a connection; that to a path can read while another program writes."""
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


def _described(connection: SqlConnection, table: str) -> tuple[dict[str, str], str, str]:
    """Return a table's columns as SQL, the table joined with the console and epoch of its rows, and its primary key.

    Keys that the database assigns are left out; the names that they refer to are included.
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
            names = [name for name in _described(connection, table)[0] if name != ARRIVALS.get(table)]
            found[table] = sorted(_facts(connection, table, tuple(names), {}), key=repr)
    return found


def schema_names(database: Path) -> set[str]:
    """Return the names of all tables, indices, views and triggers."""
    return {name for (name,) in query(database, "SELECT name FROM sqlite_schema")}
