"""Make metrics of the bridge's vitals, from memory only, so that a scrape never reads the database.

There are series of each console up to a number of consoles; sums over all consoles are there always.
"""

from __future__ import annotations

from itertools import accumulate, islice
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from bridge.service.alarms import SETTINGS as ALARM_SETTINGS
from bridge.service.vitals import COMMIT_SECONDS, UNPROVED, UNPROVED_WORDS
from bridge.store.faults import WRITE_ERRORS, sidecar
from bridge.wire.signature import Mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric

    from bridge.service.vitals import ConsoleVitals, Vitals

LABELS = ("site_id", "console_id")

COUNTERS = {
    "messages": "Messages taken in, readable or not.",
    "stored": "Events stored.",
    "duplicates": "Events received again with the same content; they change nothing.",
    "conflicts": "Events received again with different content; the first is kept.",
    "rejected": "Events put among the rejects.",
    "unreadable": "Messages that could not be read; they are put among the rejects.",
}
NAMES = {"messages": "messages", "unreadable": "messages_unreadable"}

CONSOLE_GAUGES: dict[str, tuple[str, Callable[[ConsoleVitals], float | None]]] = {
    "last_seen_timestamp_seconds": (
        "When the console was last heard.",
        lambda console: console.last_seen_at_ms / 1000 if console.last_seen_at_ms else None,
    ),
    "online": ("Whether the console is online, as it or the broker last reported.", lambda console: console.online),
    "lost_events": (
        "Events missing for good; falls again if one arrives after all.",
        lambda console: console.lost,
    ),
    "outbox_events": ("Events waiting in the console, by its last heartbeat.", lambda console: console.outbox),
    "clock_offset_seconds": (
        "How far its clock was ahead of this machine's at its last heartbeat.",
        lambda console: None if console.clock_offset_ms is None else console.clock_offset_ms / 1000,
    ),
    "loop_lag_max_seconds": (
        "The longest stall of its main loop before its last heartbeat.",
        lambda console: None if console.loop_lag_max_ms is None else console.loop_lag_max_ms / 1000,
    ),
    "heap_free_bytes": ("Free memory at its last heartbeat.", lambda console: console.heap_free),
    "rssi_dbm": ("Strength of the Wi-Fi signal at its last heartbeat.", lambda console: console.rssi_dbm),
    "faults": ("How many faults its last heartbeat reported.", lambda console: console.faults),
    "flooding": ("Whether it sends more than a working console ever would.", lambda console: console.is_flooding),
}

CONSOLE_SUMS: dict[str, tuple[str, Callable[[ConsoleVitals], float | None]]] = {
    "online": ("Consoles that are online.", lambda console: console.online),
    "lost_events": ("Events missing for good, of all consoles.", lambda console: console.lost),
    "outbox_events": ("Events waiting in all consoles.", lambda console: console.outbox),
    "faulty": ("Consoles whose last heartbeat reported faults.", lambda console: bool(console.faults)),
    "flooding": ("Consoles that send more than a working one ever would.", lambda console: console.is_flooding),
}


class BridgeCollector:
    """Turns the vitals into metrics, with series of the first `max_consoles` consoles that were heard of."""

    def __init__(self, vitals: Vitals, database: Path, version: str, max_consoles: int) -> None:
        self._vitals = vitals
        self._database = database
        self._version = version
        self._max_consoles = max_consoles

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._totals()
        yield from self._delivery()
        yield from self._console_metrics()

    def _totals(self) -> Iterator[Metric]:
        vitals = self._vitals
        for name, description in COUNTERS.items():
            yield CounterMetricFamily(f"trivox_{NAMES.get(name, f'events_{name}')}", description, vitals.counts[name])
        reasons = CounterMetricFamily("trivox_rejects", "Events and messages rejected, by reason.", labels=["reason"])
        for reason, count in vitals.reasons.copy().items():
            reasons.add_metric([reason], count)
        yield reasons
        unproved = CounterMetricFamily(
            "trivox_events_unproved",
            "Events that are not proved to come from their console, by reason.",
            labels=["reason"],
        )
        for mac in UNPROVED:
            unproved.add_metric([mac.name.lower()], vitals.unproved[mac.name.lower()])
        yield unproved
        words = CounterMetricFamily(
            "trivox_words_unproved",
            "What consoles say about themselves and do not prove (`stale`: it came again), by reason.",
            labels=["reason"],
        )
        for mac in (*UNPROVED_WORDS, Mac.STALE):
            words.add_metric([mac.name.lower()], vitals.unproved_words[mac.name.lower()])
        yield words
        alarms = CounterMetricFamily("trivox_alarms", "Alarms raised, by the answer they are about.", labels=["answer"])
        for answer in ALARM_SETTINGS:
            alarms.add_metric([answer], vitals.alarms[answer])
        yield alarms
        buckets = list(accumulate(vitals.commit_counts))
        bounds = [*map(str, COMMIT_SECONDS), "+Inf"]
        commits = HistogramMetricFamily(
            "trivox_commit_seconds", "How long a transaction took, including the commit to disk."
        )
        commits.add_metric([], list(zip(bounds, buckets, strict=True)), vitals.commit_seconds)
        yield commits

    def _delivery(self) -> Iterator[Metric]:
        vitals = self._vitals
        build = GaugeMetricFamily("trivox_build_info", "The running version.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
        for name, description, value in (
            ("start_timestamp_seconds", "When the bridge started.", vitals.started_at_ms / 1000),
            ("broker_connected", "Whether the bridge is connected to the broker.", vitals.is_connected),
            (
                "database_writable",
                "Whether the last attempt to write the database succeeded.",
                vitals.write_error is None,
            ),
            ("backlog_messages", "Messages waiting to be written.", vitals.backlog()),
            ("database_bytes", "Size of the database.", _size(self._database)),
            ("database_log_bytes", "Size of its write-ahead log.", _size(sidecar(self._database, "-wal"))),
            (
                "host_clock_last_step_seconds",
                "How far this machine's clock jumped at its last step.",
                vitals.clock_step_ms / 1000,
            ),
        ):
            yield GaugeMetricFamily(f"trivox_{name}", description, float(value))
        yield CounterMetricFamily("trivox_broker_connections", "Connections to the broker.", vitals.connections)
        yield CounterMetricFamily("trivox_host_clock_steps", "Steps of this machine's clock.", vitals.clock_steps)
        write_errors = CounterMetricFamily(
            "trivox_database_hindrances", "How often the database could not be written, by reason.", labels=["reason"]
        )
        for reason in WRITE_ERRORS:
            write_errors.add_metric([reason], vitals.write_errors[reason])
        yield write_errors

    def _console_metrics(self) -> Iterator[Metric]:
        consoles = self._vitals.consoles.copy()
        yield GaugeMetricFamily("trivox_consoles", "Consoles heard from.", len(consoles))
        for ending, (description, read) in CONSOLE_SUMS.items():
            total = sum(read(console) or 0 for console in consoles.values())
            yield GaugeMetricFamily(f"trivox_consoles_{ending}", description, float(total))
        shown = sorted(islice(consoles.items(), self._max_consoles))
        yield GaugeMetricFamily(
            "trivox_consoles_without_series",
            f"Consoles counted in the sums alone: only {self._max_consoles} have series of their own.",
            len(consoles) - len(shown),
        )
        messages = CounterMetricFamily("trivox_console_messages", "Messages from the console.", labels=LABELS)
        for name, console in shown:
            messages.add_metric(name, console.messages)
        yield messages
        for ending, (description, read) in CONSOLE_GAUGES.items():
            family = GaugeMetricFamily(f"trivox_console_{ending}", description, labels=LABELS)
            for name, console in shown:
                value = read(console)
                if value is not None:
                    family.add_metric(name, float(value))
            yield family


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
