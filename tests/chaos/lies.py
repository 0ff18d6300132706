"""Lies for the checker to find, each a change of the bridge's database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

Lie = Callable[[sqlite3.Connection], object]
COLUMNS = ("type", "boot", "up_ms", "at_ms")  # of `event`, beside what the event says of itself


def _execute(connection: sqlite3.Connection, change: str, values: dict[str, Any], where: dict[str, Any]) -> None:
    condition = " AND ".join(f"{name} = ?" for name in where) or "1"
    connection.execute(f"{change} WHERE {condition}", [*values.values(), *where.values()])


def gone(table: str, **where: Any) -> Lie:
    """These rows are not there; all of them, if none is named."""
    return lambda connection: _execute(connection, f"DELETE FROM {table}", {}, where)


def changed(table: str, values: dict[str, Any], **where: Any) -> Lie:
    """These rows have other values."""
    columns = ", ".join(f"{name} = ?" for name in values)
    return lambda connection: _execute(connection, f"UPDATE {table} SET {columns}", values, where)


def more(table: str, column: str) -> Lie:
    """Every row counts one more."""
    return lambda connection: _execute(connection, f"UPDATE {table} SET {column} = {column} + 1", {}, {})


def retold(seq: int, **said: Any) -> Lie:
    """The event of this number says something else of itself."""

    def change(connection: sqlite3.Connection) -> None:
        (raw,) = connection.execute("SELECT raw FROM event WHERE seq = ?", [seq]).fetchone()
        values = {name: value for name, value in said.items() if name in COLUMNS}
        values["raw"] = json.dumps(json.loads(raw) | said)
        changed("event", values, seq=seq)(connection)

    return change


def again(seq: int, number: int) -> Lie:
    """The same event is there under another number too."""
    columns = "epoch_key, type, boot, up_ms, at_ms, dated_at_ms, dated_by, arrived_at_ms, survey, raw, mac"
    copy = f"INSERT INTO event (seq, {columns}) SELECT ?, {columns} FROM event WHERE seq = ?"
    return lambda connection: connection.execute(copy, [number, seq])


def received(*ranges: tuple[int, int]) -> Lie:
    """The bridge thinks that it received these numbers."""

    def change(connection: sqlite3.Connection) -> None:
        gone("received")(connection)
        for pair in ranges:
            connection.execute("INSERT INTO received SELECT epoch_key, ?, ? FROM epoch", pair)

    return change


def rejected(seq: int, reason: str) -> Lie:
    """An event was rejected."""
    words = "INSERT INTO reject SELECT NULL, epoch_key, ?, 't', ?, x'00', 'h', 1, 0, 0, NULL FROM epoch"
    return lambda connection: connection.execute(words, [seq, reason])


def unguarded(lie: Lie) -> Lie:
    """A change that breaks references."""

    def change(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA foreign_keys = OFF")
        lie(connection)

    return change
