"""What lies around the database, in plain sentences: the running bridge, the disk, the broker, this machine's clock."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apsw

from bridge.broker_login import RENEW_DAYS
from bridge.errors import DatabaseError, TrivoxError
from bridge.keyring import Keyring
from bridge.ops.doctor.broker_probe import probe
from bridge.ops.doctor.database import Finding, examine
from bridge.service.control import describe_bridge
from bridge.store import consoles, open_store
from bridge.store.connection import sidecar
from bridge.text import ago, plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.broker_login import BrokerLogin
    from bridge.store import Store

MEGABYTE = 1024 * 1024
FREE_LOW = 256 * MEGABYTE
LOG_LARGE = 512 * MEGABYTE
BACKLOG_MANY = 5_000
DAY_S = 86_400
DAY_MS = 1000 * DAY_S
TIME_ERROR = 5  # of adjtimex(2): no time server keeps the clock
HINDRANCES = {
    "disk_full": "its disk is full: make room",
    "io_error": "its disk fails, or the file has reached a limit of its size: see the bridge's log, and to the disk",
    "locked": "another program has locked it: end that program",
    "not_writable": "it or its folder may not be written: see to their rights",
    "no_memory": "this machine has no memory left: end what takes it",
}


@dataclass(frozen=True)
class Known:
    """What the database told, as far as it could be read: `settings` are the newest, by their topics."""

    path: Path
    settings: dict[str, bytes] = field(default_factory=dict)
    may_serve: bool = True


def look_at_all(
    database: Path, now_ms: int, asked: BrokerLogin | None, read: Callable[[str], BrokerLogin]
) -> Iterator[Finding]:
    """Look into the database and at what lies around it, also where the database itself cannot be read now."""
    known = Known(database, may_serve=False)
    store = None
    try:
        store = open_store(database)
        yield from examine(store, now_ms)
        known = Known(database, _settings(store))
    except (apsw.BusyError, apsw.LockedError):
        yield Finding(f"Another program has locked the database {database}: end that program.")
        known = Known(database)
    except DatabaseError as error:
        if store is None:
            raise
        yield Finding(str(error))
    finally:
        if store is not None:
            store.close()
    yield from look_around(known, now_ms, asked, read)


def _settings(store: Store) -> dict[str, bytes]:
    return {
        f"trivox/v1/{site_id}/{console_id}/settings": payload.encode()
        for site_id, console_id, _, payload in consoles.latest_settings(store)
    }


def look_around(
    known: Known, now_ms: int, asked: BrokerLogin | None, read: Callable[[str], BrokerLogin]
) -> Iterator[Finding]:
    """Look at the bridge, the disk, the broker `asked` (else the bridge's, found by `read`) and the clock."""
    try:
        vitals = describe_bridge(known.path)
    except TrivoxError as error:
        vitals = None
        yield Finding(str(error))
    else:
        yield from _bridge(vitals, now_ms) if vitals else _no_bridge(known)
    yield from _disk(known.path)
    yield from _keys(known.path)
    yield from _broker(known.settings, vitals or {}, asked, read, now_ms)
    yield from _clock(vitals or {}, now_ms)


def _no_bridge(known: Known) -> Iterator[Finding]:
    """None runs; on a damaged database none would start."""
    yield Finding("No bridge runs: start `trivox bridge`." if known.may_serve else "No bridge runs.", known.may_serve)


def _bridge(vitals: dict[str, Any], now_ms: int) -> Iterator[Finding]:
    yield Finding(f"A bridge runs, started {ago(now_ms - vitals['started_at_ms'])}.", bad=False)
    if vitals["write_error"]:
        why = HINDRANCES.get(vitals["write_error"], "see its log")
        yield Finding(
            f"The bridge has not been able to write the database for {vitals['failing_s']} s: {why}. It goes on by "
            "itself then; consoles keep their events meanwhile."
        )
    if vitals["refused"]:
        yield Finding(
            f"The broker at {vitals['broker']} refuses the bridge ({vitals['refused']}): correct its user, password "
            "and rights."
        )
    elif not vitals["is_connected"] and not vitals["write_error"]:
        yield Finding(
            f"The bridge has no connection to the broker at {vitals['broker']}: start it, or see to the network."
        )
    if vitals["backlog"] > BACKLOG_MANY:
        yield Finding(f"{vitals['backlog']} messages wait to be written: if that lasts, see to a faster disk.")
    for name in vitals["flooding"]:
        yield Finding(f"Console {name} floods the broker with messages: take it off the network, and see to its board.")


def _disk(database: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(database.resolve().parent).free
    yield Finding(
        f"The database's disk has {free // MEGABYTE} MB free"
        + (": make room before it is full." if free < FREE_LOW else "."),
        bad=free < FREE_LOW,
    )
    log = sidecar(database, "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_LARGE:
        yield Finding(f"{log} has grown to {size // MEGABYTE} MB: end the program that has been reading for so long.")


def _keys(database: Path) -> Iterator[Finding]:
    keyring = Keyring(database)
    readable = keyring.open_to_others()
    if readable:
        yield Finding(
            f"Others on this machine may read {plural(len(readable), 'file')} of keys, for example {readable[0]}: run "
            f"`chmod -R go= {keyring.folder}`, and renew what somebody may have seen."
        )


def _broker(
    wanted: dict[str, bytes],
    vitals: dict[str, Any],
    asked: BrokerLogin | None,
    read: Callable[[str], BrokerLogin],
    now_ms: int,
) -> Iterator[Finding]:
    if asked is None and not vitals.get("broker"):
        yield Finding("The broker was not looked at: give --broker, or start the bridge.", bad=False)
        return
    broker = asked or read(vitals["broker"])
    seen = probe(broker)
    if seen.trouble:
        is_known = asked is None and (vitals["is_connected"] or vitals["refused"])  # … it lacks the login, or is told
        yield Finding(f"The broker at {broker.address} {seen.trouble}.", bad=not is_known)
        return
    yield Finding(
        f"The broker at {broker.address} answers{f' ({printable(seen.version)})' if seen.version else ''}.", bad=False
    )
    missing = sorted(topic for topic, payload in wanted.items() if seen.settings.get(topic) != payload)
    if missing:
        whose = f"{plural(len(missing), 'console')} (for example {missing[0]})"
        yield Finding(
            f"The broker does not hold the newest settings of {whose}: restart the bridge, and let the broker "
            "keep what is retained (`persistence true`)."
        )
    if seen.certificate_ends_s is not None:
        left = int(seen.certificate_ends_s - now_ms / 1000) // DAY_S
        yield Finding(
            f"The broker's certificate is good for {plural(left, 'more day')}"
            + (": run `trivox broker-config` again, and reload the broker." if left < RENEW_DAYS else "."),
            bad=left < RENEW_DAYS,
        )
    if seen.dropped:
        yield Finding(
            f"The broker has dropped {seen.dropped} messages since it started (consoles send theirs again): set "
            "max_queued_messages 1000000 and max_inflight_messages 1000 in its configuration."
        )


def _clock(vitals: dict[str, Any], now_ms: int) -> Iterator[Finding]:
    if vitals.get("clock_steps") and abs(now_ms - vitals["clock_stepped_at_ms"]) < DAY_MS:
        yield Finding(
            f"This machine's clock was stepped by {vitals['clock_step_ms'] / 1000:.0f} s "
            f"{ago(now_ms - vitals['clock_stepped_at_ms'])}: events that came without a date then are dated by it."
        )
    if is_clock_kept():
        yield Finding("This machine's clock is kept by a time server.", bad=False)
    else:
        yield Finding(
            "No time server keeps this machine's clock, by which events without a date are dated: run "
            "`sudo timedatectl set-ntp true`."
        )


def is_clock_kept() -> bool:
    """Whether the kernel says that a time server keeps this machine's clock."""
    timex = ctypes.create_string_buffer(512)  # all zero: asks, and sets nothing
    return int(ctypes.CDLL(None).adjtimex(timex)) not in {TIME_ERROR, -1}
