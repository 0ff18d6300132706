"""Read the bridge's database by SQL of its own, without code of the bridge. Nothing is checked here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos.observations import EpochName

CONSOLE = "JOIN console ON console.console_key = {table}.console_key"
GROUP = ("site_id", "console_id", "checkout_point_id", "seller_id", "question_id", "question_revision")  # of a rollup
GROUP_OF_SITE = ("site_id", "seller_id", "question_id", "question_revision")
ROLLUPS = {
    "rollup_hour": ("hour", None, GROUP),
    "rollup_day": ("day", 10, GROUP),
    "rollup_month": ("month", 7, GROUP),
    "rollup_site_day": ("day", 10, GROUP_OF_SITE),
    "rollup_site_month": ("month", 7, GROUP_OF_SITE),
}
"""By table: the first column, how much of an hour's name it holds, and the group."""
NUMBERED = {"event": "seq", "survey": "survey", "force_majeure": "seq"}

Row = tuple[Any, ...]


class Database(Protocol):
    """A connection of `sqlite3` or `apsw`."""

    def execute(self, statement: str, bindings: Sequence[Any] = ..., /) -> Any:
        """Return the rows of a query."""


@dataclass(frozen=True)
class EventRow:
    """A row of `event`; `payload` is the event as the console sent it."""

    seq: int
    type: str
    boot: int
    up_ms: int
    payload: dict[str, Any]
    epoch: EpochName
    arrived_at_ms: int

    @property
    def button(self) -> str | None:
        """The button whose press it reports; None if it reports no press."""
        if self.type in {"survey_opened", "force_majeure_declared"}:
            return "seller"
        if self.type == "survey_closed" and self.payload["cause"] == "answered":
            return str(self.payload["outcome"])
        return str(self.payload["button"]) if self.type == "stray_pressed" else None


@dataclass
class StoredEpoch:
    """One epoch of one console: its events by number, and the bridge's own figures of it."""

    name: EpochName
    first: int
    through: int
    events: dict[int, EventRow] = field(default_factory=dict)
    received: list[tuple[int, int]] = field(default_factory=list)
    rejected: set[int] = field(default_factory=set)

    def missing(self) -> list[int]:
        """Return the numbers up to the highest known one that no row has."""
        top = max([self.through, *self.events])
        return [seq for seq in range(1, top + 1) if seq not in self.events and seq not in self.rejected]

    def hardware_ids(self) -> set[str]:
        """Return the boards that report a start in this epoch."""
        return {str(event.payload["hardware_id"]) for event in self.events.values() if event.type == "booted"}


def epochs(connection: Database) -> dict[EpochName, StoredEpoch]:
    """Return all epochs by name."""
    found: dict[int, StoredEpoch] = {}
    query = "SELECT epoch_key, site_id, console_id, epoch, first, through FROM epoch JOIN console USING (console_key)"
    for key, site_id, console_id, epoch, first, through in connection.execute(query):
        found[key] = StoredEpoch((site_id, console_id, epoch), first, through)
    for key, seq, kind, boot, up_ms, raw, arrived in connection.execute(
        "SELECT epoch_key, seq, type, boot, up_ms, raw, arrived_at_ms FROM event ORDER BY epoch_key, seq"
    ):
        found[key].events[seq] = EventRow(seq, kind, boot, up_ms, json.loads(raw), found[key].name, arrived)
    for key, low, high in connection.execute("SELECT epoch_key, low, high FROM received ORDER BY epoch_key, low"):
        found[key].received.append((low, high))
    for key, seq in connection.execute(
        "SELECT DISTINCT epoch_key, seq FROM reject WHERE epoch_key IS NOT NULL AND reason NOT LIKE 'conflict%'"
    ):
        found[key].rejected.add(seq)
    return {epoch.name: epoch for epoch in found.values()}


def numbered_rows(connection: Database, table: str, *columns: str) -> Iterator[Row]:
    """Yield (site_id, console_id, epoch, number) and then these columns of each row of a table with event numbers."""
    selected = ", ".join(("site_id", "console_id", "epoch", f"{table}.{NUMBERED[table]}", *columns))
    yield from connection.execute(
        f"SELECT {selected} FROM {table} JOIN epoch USING (epoch_key) {CONSOLE.format(table='epoch')}"
    )


def throughs(connection: Database) -> dict[EpochName, int]:
    """Return how far each epoch is acknowledged."""
    query = f"SELECT site_id, console_id, epoch, through FROM epoch {CONSOLE.format(table='epoch')}"
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}


def hours_and_dates(connection: Database, table: str, at_ms: str) -> Iterator[Row]:
    """Yield (its hour, its date, its site's time zone) of each row."""
    query = f"SELECT hour, {at_ms}, timezone FROM {table} {CONSOLE.format(table=table)} JOIN site USING (site_id)"
    yield from connection.execute(query)


def grouped_rows(connection: Database, table: str, *columns: str) -> Iterator[tuple[Row, Row]]:
    """Yield (hour and group, these columns) of each row, with the group as a rollup has it."""
    key = ("hour", *(f"coalesce({name}, '')" if name.endswith(("point_id", "seller_id")) else name for name in GROUP))
    for row in connection.execute(f"SELECT {', '.join((*key, *columns))} FROM {table} {CONSOLE.format(table=table)}"):
        yield row[: len(key)], row[len(key) :]


def rollup(connection: Database, name: str, counts: Sequence[str]) -> dict[Row, Counter[str]]:
    """Return the counts above 0 of a rollup by its first column (hour, day or month), its group and `affected`."""
    first, _, group = ROLLUPS[name]
    key = (first, *group, "affected")
    rows = connection.execute(f"SELECT {', '.join((*key, *counts))} FROM {name}")
    found = {row[: len(key)]: Counter(dict(zip(counts, row[len(key) :], strict=True))) for row in rows}
    return {place: +counted for place, counted in found.items() if +counted}


def rejects(connection: Database) -> list[Row]:
    """Return (reason, how often, one of their topics) of what the bridge could not take in."""
    return list(connection.execute("SELECT reason, sum(count), min(topic) FROM reject GROUP BY reason"))


def damage(connection: Database) -> Iterator[str]:
    """Yield the damage that SQLite finds in the file."""
    for pragma in ("integrity_check", "foreign_key_check"):
        found = [str(row) for row in connection.execute(f"PRAGMA {pragma}") if row != ("ok",)]
        if found:
            yield f"PRAGMA {pragma}: {found[:3]}"


def contents(connection: Database, *tables: str) -> dict[str, list[Row]]:
    """Return all rows of these tables, in an order that depends only on their content."""
    return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


def figures(connection: Database) -> dict[str, int]:
    """Return how many events, surveys, epochs, errors and lost numbers there are."""
    counted = {f"{name}s": len(rows) for name, rows in contents(connection, "event", "survey", "epoch").items()}
    errors = sum(outcome == "error" for *_, outcome in numbered_rows(connection, "survey", "outcome"))
    lost = sum(len(epoch.missing()) for epoch in epochs(connection).values())
    return {**counted, "errors": errors, "lost": lost}
