"""Corrupt the bridge's database in ways that the checker must find."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

Corruption = Callable[[sqlite3.Connection], object]
COLUMNS = ("type", "boot", "up_ms", "at_ms")  # columns of `event` that repeat fields of the payload


def _execute(connection: sqlite3.Connection, change: str, values: dict[str, Any], where: dict[str, Any]) -> None:
    condition = " AND ".join(f"{name} = ?" for name in where) or "1"
    connection.execute(f"{change} WHERE {condition}", [*values.values(), *where.values()])


def delete_rows(table: str, **where: Any) -> Corruption:
    """Delete the rows with these values, or all rows if none is given."""
    return lambda connection: _execute(connection, f"DELETE FROM {table}", {}, where)


def change_rows(table: str, values: dict[str, Any], **where: Any) -> Corruption:
    """Change values of rows."""
    columns = ", ".join(f"{name} = ?" for name in values)
    return lambda connection: _execute(connection, f"UPDATE {table} SET {columns}", values, where)


def increment(table: str, column: str) -> Corruption:
    """Add one to a column in every row."""
    return lambda connection: _execute(connection, f"UPDATE {table} SET {column} = {column} + 1", {}, {})


def change_event(seq: int, **fields: Any) -> Corruption:
    """Change fields of the event with this number."""

    def change(connection: sqlite3.Connection) -> None:
        (raw,) = connection.execute("SELECT raw FROM event WHERE seq = ?", [seq]).fetchone()
        values = {name: value for name, value in fields.items() if name in COLUMNS}
        values["raw"] = json.dumps(json.loads(raw) | fields)
        change_rows("event", values, seq=seq)(connection)

    return change


def duplicate_event(seq: int, number: int) -> Corruption:
    """Store the event `seq` a second time, under another number."""
    columns = "epoch_key, type, boot, up_ms, at_ms, dated_at_ms, dated_by, arrived_at_ms, survey, raw, mac"
    copy = f"INSERT INTO event (seq, {columns}) SELECT ?, {columns} FROM event WHERE seq = ?"
    return lambda connection: connection.execute(copy, [number, seq])


def set_received(*ranges: tuple[int, int]) -> Corruption:
    """Replace the ranges of numbers that the bridge says it received."""

    def change(connection: sqlite3.Connection) -> None:
        delete_rows("received")(connection)
        for pair in ranges:
            connection.execute("INSERT INTO received SELECT epoch_key, ?, ? FROM epoch", pair)

    return change


def insert_reject(seq: int, reason: str) -> Corruption:
    """Add a reject."""
    statement = "INSERT INTO reject SELECT NULL, epoch_key, ?, 't', ?, x'00', 'h', 1, 0, 0, NULL FROM epoch"
    return lambda connection: connection.execute(statement, [seq, reason])


def without_foreign_keys(corruption: Corruption) -> Corruption:
    """Apply a change that breaks foreign keys."""

    def change(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA foreign_keys = OFF")
        corruption(connection)

    return change
