"""What tests do to a database that no user's door does: damage, locks, and rows of other times and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from bridge.store import Store

PAGE = 4096
BUSY_MS = 60_000
NO_SENSE = b"\xa5"


# Locks of other programs ------------------------------------------------------------------------------------------


@contextmanager
def locked(database: Path, how: str = "IMMEDIATE", *, log: bool = True) -> Iterator[apsw.Connection]:
    """Another program is about to write, as soon as it can; without `log` readers wait too."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        if not log:
            other.execute("PRAGMA journal_mode = DELETE").fetchall()
        other.execute(f"BEGIN {how}")
        yield other
        other.execute("ROLLBACK")


@contextmanager
def half_written(database: Path) -> Iterator[None]:
    """Another program has changed all days' figures, and not committed."""
    with locked(database) as other:
        other.execute("DELETE FROM rollup_day")
        yield


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Another program has the database for itself."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        other.execute("BEGIN EXCLUSIVE; UPDATE site SET timezone = 'UTC'; COMMIT")
        yield


def left_open(store: Store) -> None:
    """Something begins to change the database and never ends."""
    store.connection.execute("BEGIN IMMEDIATE; DELETE FROM identity")


# Files ------------------------------------------------------------------------------------------------------------


def middle(file: Path) -> int:
    """Where its middle page begins."""
    return file.stat().st_size // 2 // PAGE * PAGE


def overwrite(file: Path, start: int, size: int = 20_000) -> None:
    """Put bytes without sense there."""
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(NO_SENSE * size)


def without_log(database: Path) -> None:
    """Bring all that stands in the log into the file."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def of_another_program(file: Path) -> None:
    """A database that is none of Trivox: its one table is `foo`."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("CREATE TABLE foo (a)")


def of_a_newer_version(database: Path) -> None:
    """Let it seem made by a Trivox still to come."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("PRAGMA user_version = 9999")


# Rows -------------------------------------------------------------------------------------------------------------


def settings_sent(store: Store, payloads: dict[str, dict[str, Any]]) -> None:
    """Settings of consoles of the site s1, each published once and in revision 1."""
    rows = [(console, json.dumps(payload)) for console, payload in payloads.items()]
    with store.transaction(1):
        store.run("INSERT INTO site (site_id, first_seen_at_ms) VALUES ('s1', 1)")
        store.run_many(
            "INSERT INTO settings_sent (site_id, console_id, revision, payload, created_at_ms, published)"
            " VALUES ('s1', ?, 1, ?, 1, 1)",
            rows,
        )


def rejects(store: Store, reasons: Iterable[str]) -> None:
    """Rejects with reasons that an older bridge gave."""
    with store.transaction(1):
        store.run_many(
            "INSERT INTO reject (topic, reason, raw, hash, first_at_ms, last_at_ms) VALUES ('t', ?1, x'', ?1, 1, 1)",
            [(reason,) for reason in reasons],
        )


def rejected_was(store: Store, event: dict[str, Any]) -> None:
    """Have what was rejected be this event: as if this bridge were newer than the one that rejected it."""
    store.connection.execute("UPDATE reject SET raw = ?", (json.dumps(event).encode(),))
