"""Check what the database depends on, in plain sentences: the running bridge, disk, keys and clock."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apsw

from bridge.errors import DatabaseError, TrivoxError
from bridge.model.local_time import DAY_MS
from bridge.ops.doctor.alarms import check_alarms
from bridge.ops.doctor.broker import check_broker
from bridge.ops.doctor.database import Diagnosis, are_all_retired, examine
from bridge.ops.doctor.file_rights import check_file_rights
from bridge.ops.doctor.signed_only import check_signed_only, consoles_that_do_not_sign
from bridge.service.control import describe_bridge
from bridge.service.retained import find_due
from bridge.store import open_store
from bridge.store.faults import UnreadableError, sidecar
from bridge.store.leftovers import rescued_advice
from bridge.store.write_ahead_log import kept_logs, rescued_copies
from bridge.system import HAS_MODES
from bridge.text import ago

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.broker_login import BrokerLogin
    from bridge.store import Store

MEGABYTE = 1024 * 1024
FREE_LOW = 256 * MEGABYTE
LOG_LARGE = 512 * MEGABYTE
BACKLOG_MANY = 5_000
TIME_ERROR = 5  # of adjtimex(2): no time server sets the clock
WRITE_ERROR_ADVICE = {
    "disk_full": "its disk is full: make room",
    "io_error": "its disk fails, or the file has reached a size limit: read the bridge's log, and check the disk",
    "locked": "another program has locked it: end that program",
    "not_writable": "the bridge may not write it or its folder, or its disk is mounted read-only: correct that",
    "not_readable": "its disk cannot be read: check the disk and its cable or card",
    "not_saved": "it was deleted, and only the bridge still holds it: do not end the bridge; read its log, and let it "
    "save a copy",
    "moved": "it was moved, deleted or replaced: read the bridge's log",
    "no_memory": "this machine has no memory left: end the program that uses it up",
}


@dataclass(frozen=True)
class DatabaseFacts:
    """Facts read from the database, as far as it could be read: `retained` is what the broker is to retain, by topic.

    Where the payload is empty, it is to retain nothing.
    """

    path: Path
    retained: dict[str, bytes] = field(default_factory=dict)
    unsigned: list[str] | None = None  # see `signed_only.py`
    can_serve: bool = True
    is_at_rest: bool = False  # every console is out of service


def diagnose(
    database: Path,
    now_ms: int,
    chosen_broker: BrokerLogin | None,
    read_login: Callable[[str], BrokerLogin],
    *,
    is_full: bool = False,
) -> Iterator[Diagnosis]:
    """Check the database and what it depends on, the latter even if the database cannot be read now.

    With `is_full`, all of a large database is checked for damage, which takes long.
    `read_login` returns the login for the broker at a URL. Raises TrivoxError if there is no usable database.
    """
    facts = DatabaseFacts(database, can_serve=False)
    store = None
    try:
        store = open_store(database)
        yield from examine(store, now_ms, is_full=is_full)
        yield from check_alarms(store, now_ms)
        facts = DatabaseFacts(
            database, _retained(store), consoles_that_do_not_sign(store), is_at_rest=are_all_retired(store, now_ms)
        )
    except (apsw.BusyError, apsw.LockedError):
        yield Diagnosis(f"Another program has locked the database {database}: end that program.")
        facts = DatabaseFacts(database)
    except DatabaseError as error:
        may_pass = isinstance(error, UnreadableError)  # and what follows may tell why
        if store is None and not may_pass and not _is_bridge_running(database):
            raise
        yield Diagnosis(str(error))
    finally:
        if store is not None:
            store.close()
    yield from diagnose_host(facts, now_ms, chosen_broker, read_login)


def _is_bridge_running(database: Path) -> bool:
    """Return whether a bridge runs, which may hold a database that its path no longer names."""
    try:
        return describe_bridge(database) is not None
    except TrivoxError:
        return True


def _retained(store: Store) -> dict[str, bytes]:
    return {message.topic: message.payload for message in find_due(store, every=True).publications()}


def diagnose_host(
    facts: DatabaseFacts,
    now_ms: int,
    chosen_broker: BrokerLogin | None,
    read_login: Callable[[str], BrokerLogin],
) -> Iterator[Diagnosis]:
    """Check the bridge, the disk, the keys, `chosen_broker` (or else the running bridge's) and the clock."""
    try:
        vitals = describe_bridge(facts.path)
    except TrivoxError as error:
        vitals = None
        yield Diagnosis(str(error))
    else:
        yield from _running_bridge(vitals, now_ms) if vitals else _no_bridge(facts)
        if vitals:
            yield from check_signed_only(facts.unsigned, is_signed_only=vitals["signed_only"])
    yield from _disk_space(facts.path)
    yield from _leftovers(facts.path)
    yield from check_file_rights(facts.path)
    yield from check_broker(facts.path, facts.retained, vitals or {}, chosen_broker, read_login, now_ms)
    if vitals or not facts.is_at_rest:
        yield from _host_clock(vitals or {}, now_ms)


def _no_bridge(facts: DatabaseFacts) -> Iterator[Diagnosis]:
    """Report that no bridge is running; on a damaged database none could start, and without consoles none is needed."""
    if facts.is_at_rest:
        yield Diagnosis("No bridge is running; none is needed, as no console is in service.", needs_action=False)
        return
    advice = ": start `trivox bridge`" if facts.can_serve else ""
    yield Diagnosis(f"No bridge is running{advice}.", needs_action=facts.can_serve)


def _running_bridge(vitals: dict[str, Any], now_ms: int) -> Iterator[Diagnosis]:
    yield Diagnosis(f"A bridge is running, started {ago(now_ms - vitals['started_at_ms'])}.", needs_action=False)
    if vitals["write_error"]:
        advice = WRITE_ERROR_ADVICE.get(vitals["write_error"], "read its log")
        yield Diagnosis(
            f"The bridge has not been able to write the database for {vitals['failing_s']} s: {advice}. It then "
            "continues by itself; consoles keep their events meanwhile."
        )
    if vitals["refused"]:
        yield Diagnosis(
            f"The broker at {vitals['broker']} refuses the bridge ({vitals['refused']}): correct its port, user, "
            "password and access rights."
        )
    if vitals["backlog"] > BACKLOG_MANY:
        yield Diagnosis(f"{vitals['backlog']} messages are waiting to be written: if that lasts, use a faster disk.")
    for name in vitals["flooding"]:
        yield Diagnosis(
            f"Console {name} floods the broker with messages: take it off the network, and repair or replace its board."
        )


def _disk_space(database: Path) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(database.resolve().parent).free
    yield Diagnosis(
        f"The database's disk has {free // MEGABYTE} MB free"
        + (": make room before it is full." if free < FREE_LOW else "."),
        needs_action=free < FREE_LOW,
    )
    log = sidecar(database, "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_LARGE:
        yield Diagnosis(
            f"{log} has grown to {size // MEGABYTE} MB: end the program that has had the database open for a long time."
        )


def _leftovers(database: Path) -> Iterator[Diagnosis]:
    for saved in rescued_copies(database.resolve()):
        yield Diagnosis(rescued_advice(saved, database))
    for log in kept_logs(database):
        yield Diagnosis(
            f"{log} is a log with what a database that is not here had stored: run `trivox restore COPY` with that "
            "database, or move the log away."
        )


def _host_clock(vitals: dict[str, Any], now_ms: int) -> Iterator[Diagnosis]:
    if vitals.get("clock_steps") and abs(now_ms - vitals["clock_stepped_at_ms"]) < DAY_MS:
        yield Diagnosis(
            f"This machine's clock jumped by {vitals['clock_step_ms'] / 1000:.0f} s "
            f"{ago(now_ms - vitals['clock_stepped_at_ms'])}: events that came without a date around then may be dated "
            "wrongly; let a time server set the clock."
        )
    is_set = is_clock_synchronised()
    if is_set:
        yield Diagnosis("A time server sets this machine's clock.", needs_action=False)
    elif is_set is not None:
        yield Diagnosis(
            "No time server sets this machine's clock, which dates events that come without a date: run "
            "`sudo timedatectl set-ntp true`."
        )


def is_clock_synchronised() -> bool | None:
    """Return whether the kernel says that a time server sets this machine's clock; None if it does not say."""
    kernel = ctypes.CDLL(None) if HAS_MODES else None
    if kernel is None or not hasattr(kernel, "adjtimex"):  # macOS, Windows
        return None
    timex = ctypes.create_string_buffer(512)  # all zero: reads, and sets nothing
    return int(kernel.adjtimex(timex)) not in {TIME_ERROR, -1}
