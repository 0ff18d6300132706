"""Change a database as no command could: damage it, lock it, and add rows of older versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from bridge import store as store_package
from bridge.store import Store
from tests.support.facts import ROLLUPS

PAGE = 4096
BUSY_MS = 60_000
GARBAGE = b"\xa5"
MIGRATIONS = Path(store_package.__file__).parent / "migrations"


# Locks of other programs ------------------------------------------------------------------------------------------


@contextmanager
def locked(database: Path, how: str = "IMMEDIATE", *, log: bool = True) -> Iterator[apsw.Connection]:
    """Hold the database's write lock, as another program would; without `log` (WAL mode) readers wait too."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        if not log:
            other.execute("PRAGMA journal_mode = DELETE").fetchall()
        other.execute(f"BEGIN {how}")
        yield other
        other.execute("ROLLBACK")


@contextmanager
def half_written(database: Path) -> Iterator[None]:
    """Hold an uncommitted change of all sums, as another program would."""
    with locked(database) as other:
        for table in ROLLUPS:
            other.execute(f"DELETE FROM {table}")
        yield


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the database exclusively, as another program would."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        other.execute("BEGIN EXCLUSIVE; UPDATE site SET timezone = 'UTC'; COMMIT")
        yield


def value(database: Path, table: str, column: str, value: object) -> None:
    """Write a value into every row of a column."""
    with closing(apsw.Connection(str(database))) as other:
        other.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))


def session_named(database: Path, identity: str) -> None:
    """Name the bridge's session in the database, as versions did that had no file for it."""
    with closing(apsw.Connection(str(database))) as other:
        other.execute("UPDATE identity SET identity = ?", (identity,))


def left_open(store: Store) -> None:
    """Begin a transaction in the store that never ends."""
    store.connection.execute("BEGIN IMMEDIATE; DELETE FROM identity")


# Files ------------------------------------------------------------------------------------------------------------


def middle(file: Path) -> int:
    """Return where the middle page of a file begins."""
    return file.stat().st_size // 2 // PAGE * PAGE


def overwrite(file: Path, start: int, size: int = 20_000) -> None:
    """Overwrite a part of a file with garbage."""
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(GARBAGE * size)


def without_log(database: Path) -> None:
    """Move everything from the write-ahead log into the database file."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def vacuumed(database: Path) -> None:
    """Write all pages of the database anew, in another order, as `sqlite3 a.db vacuum` does."""
    with closing(apsw.Connection(str(database))) as other:
        other.set_busy_timeout(BUSY_MS)
        other.execute("VACUUM")


def copied_into(source: Path, database: Path) -> None:
    """Write another database's content into this one, as `sqlite3 a.db '.restore source.db'` does."""
    with closing(apsw.Connection(str(database))) as other, closing(apsw.Connection(str(source))) as given:
        other.set_busy_timeout(BUSY_MS)
        with other.backup("main", given, "main") as backup:
            while not backup.done:
                backup.step(-1)


def just_begun(database: Path) -> None:
    """Make the files of a bridge that was killed right after it began a new database."""
    with closing(apsw.Connection(str(database))) as other:
        other.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        other.execute("PRAGMA journal_mode = WAL; SELECT * FROM sqlite_schema").fetchall()


def of_another_program(file: Path) -> None:
    """Make a database of another program: its only table is `foo`."""
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("CREATE TABLE foo (a)")


def of_a_newer_version(database: Path) -> None:
    """Mark a database as made by a newer Trivox."""
    of_version(database, 9999)


def of_version(database: Path, number: int) -> None:
    """Mark a database as made by another Trivox."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute(f"PRAGMA user_version = {number}")


# Rows -------------------------------------------------------------------------------------------------------------


def settings_sent(store: Store, payloads: dict[str, dict[str, Any]]) -> None:
    """Add settings of consoles of the site s1, each published in revision 1."""
    rows = [(console, json.dumps(payload)) for console, payload in payloads.items()]
    with store.transaction(1):
        store.run("INSERT INTO site (site_id, first_seen_at_ms) VALUES ('s1', 1)")
        store.run_many(
            "INSERT INTO settings_sent (site_id, console_id, revision, payload, created_at_ms, published)"
            " VALUES ('s1', ?, 1, ?, 1, 1)",
            rows,
        )


def rejects(store: Store, reasons: Iterable[str]) -> None:
    """Add rejects with reasons that an older bridge gave."""
    with store.transaction(1):
        store.run_many(
            "INSERT INTO reject (topic, reason, raw, hash, first_at_ms, last_at_ms) VALUES ('t', ?1, x'', ?1, 1, 1)",
            [(reason,) for reason in reasons],
        )


def rejected_was(store: Store, event: dict[str, Any]) -> None:
    """Put this event into the stored reject, as if this bridge were newer than the one that rejected it."""
    store.connection.execute("UPDATE reject SET raw = ?", (json.dumps(event).encode(),))


def settings_ended(database: Path, reported: int, sent: Iterable[int]) -> None:
    """Make a database of version 6 in which console demo/till-1 reported a far too high settings revision."""
    with closing(apsw.Connection(str(database))) as connection:
        for file in sorted(MIGRATIONS.glob("000[1-6]_*.sql")):
            connection.execute(file.read_text("utf-8"))
        connection.execute("PRAGMA user_version = 6")
        connection.execute("INSERT INTO site (site_id, first_seen_at_ms) VALUES ('demo', 1)")
        connection.execute(
            "INSERT INTO console (site_id, console_id, first_seen_at_ms, last_seen_at_ms, settings_revision_reported)"
            " VALUES ('demo', 'till-1', 1, 1, ?)",
            (reported,),
        )
        for revision in sent:
            connection.execute(
                "INSERT INTO settings_sent VALUES ('demo', 'till-1', ?, ?, 1, 1)",
                (revision, f'{{"revision":{revision}}}'),
            )


def weights_before_estimates(database: Path, weight: float, origin: str) -> None:
    """Make a database of version 11, which knew no estimates, in which all questions have a silent weight."""
    with closing(apsw.Connection(str(database))) as connection:
        for file in sorted(MIGRATIONS.glob("*.sql"))[:11]:
            connection.execute(file.read_text("utf-8"))
        connection.execute("PRAGMA user_version = 11")
        connection.execute("UPDATE question SET silent_weight = ?, silent_weight_origin = ?", (weight, origin))


def revision_too_high(database: Path, question_id: str) -> None:
    """Add a revision of a question that is one above all that consoles take."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute(
            "INSERT INTO question_revision SELECT question_id, 2147483648, kind, text, created_at_ms"
            " FROM question_revision WHERE question_id = ?",
            (question_id,),
        )


# Schema -----------------------------------------------------------------------------------------------------------

STRANGE = {
    "trigger": "CREATE TRIGGER planted AFTER INSERT ON event BEGIN DELETE FROM survey; END",
    "trigger before": "CREATE TRIGGER planted BEFORE UPDATE ON last_commit BEGIN SELECT raise(ABORT, 'no'); END",
    "view": "CREATE VIEW planted AS SELECT * FROM survey",
    "index": "CREATE INDEX planted ON survey (outcome)",
    "table": "CREATE TABLE planted (a)",
    "generated": "CREATE TABLE planted (a, b AS (abs(a)))",
}


def changed_schema(database: Path, kind: str) -> None:
    """Put something of one's own into a database, under the name `planted`."""
    with closing(apsw.Connection(str(database))) as other:
        other.execute(STRANGE[kind])


def without_table(database: Path) -> None:
    """Put a view into the place of a table."""
    with closing(apsw.Connection(str(database))) as other:
        other.execute("ALTER TABLE shift RENAME TO hidden; CREATE VIEW shift AS SELECT * FROM hidden")


def forget_typed_times(database: Path) -> None:
    """Leave shifts, counts and placements as versions stored them that kept only instants."""
    with locked(database) as connection:
        connection.execute("UPDATE shift SET started_as = NULL, ended_as = NULL")
        connection.execute("UPDATE placement SET from_day = NULL")
        connection.execute("UPDATE counts SET id = kind || ':' || from_ms, from_as = NULL, to_as = NULL")
        connection.execute("COMMIT; BEGIN")


# Flags ------------------------------------------------------------------------------------------------------------


def flag_result(
    database: Path, month: str, seller_id: str, rule: str, outcome: str, *, count: int = 1_000, level: str = "watch"
) -> None:
    """Add what a rule says of a seller's month, as if it had been computed: it concerns surveys of one outcome."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.set_busy_timeout(BUSY_MS)
        keys = connection.execute(
            "SELECT epoch_key, survey FROM survey WHERE outcome = ? AND seller_id = ? AND hour LIKE ? LIMIT ?",
            (outcome, seller_id, f"{month}%", count),
        ).fetchall()
        connection.execute("INSERT OR IGNORE INTO flag_month VALUES (?, 1, 1, '{}')", (month,))
        connection.execute(
            "INSERT INTO flag_result (month, seller_id, rule, version, level, evidence, surveys, computed_at_ms)"
            " VALUES (?, ?, ?, 1, ?, '{}', ?, 1)",
            (month, seller_id, rule, level, json.dumps(keys)),
        )
