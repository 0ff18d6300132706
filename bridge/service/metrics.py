"""What Prometheus asks the bridge for, on loopback: made from memory when asked, so that asking reads no database."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer

from bridge import log
from bridge.service.vitals import COMMIT_SECONDS, UNPROVED
from bridge.store.connection import WRITE_ERRORS, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector as AnyCollector

    from bridge.service.vitals import ConsoleVitals, Vitals

LOOPBACK = "127.0.0.1"
LABELS = ("site_id", "console_id")

COUNTERS = {
    "messages": "Messages taken in, whatever they held.",
    "stored": "Events stored.",
    "duplicates": "Events received again, which changes nothing.",
    "conflicts": "Events received again with other content: the first stays.",
    "rejected": "Events put among the rejects.",
    "unreadable": "Messages put among the rejects as a whole.",
}
NAMES = {"messages": "messages", "unreadable": "messages_unreadable"}

OF_CONSOLES: dict[str, tuple[str, Callable[[ConsoleVitals], float | None]]] = {
    "last_seen_timestamp_seconds": (
        "When the console was last heard.",
        lambda one: one.last_seen_at_ms / 1000 if one.last_seen_at_ms else None,
    ),
    "online": ("Whether the console, or the broker for it, says that it is there.", lambda one: one.online),
    "lost_events": (
        "Events missing for good; less again when one comes after all.",
        lambda one: one.lost,
    ),
    "outbox_events": ("Events that the console holds, by its last heartbeat.", lambda one: one.outbox),
    "clock_offset_seconds": (
        "How far its clock was ahead of this machine's at its last heartbeat.",
        lambda one: None if one.clock_offset_ms is None else one.clock_offset_ms / 1000,
    ),
    "loop_lag_max_seconds": (
        "The longest that its work stood still before its last heartbeat.",
        lambda one: None if one.loop_lag_max_ms is None else one.loop_lag_max_ms / 1000,
    ),
    "heap_free_bytes": ("Free memory at its last heartbeat.", lambda one: one.heap_free),
    "rssi_dbm": ("Strength of the Wi-Fi signal at its last heartbeat.", lambda one: one.rssi_dbm),
    "faults": ("How many faults its last heartbeat told of.", lambda one: one.faults),
    "flooding": ("Whether it sends more than any console has to tell.", lambda one: one.is_flooding),
}


class BridgeCollector:
    """Turns the vitals into metrics."""

    def __init__(self, vitals: Vitals, database: Path, version: str) -> None:
        self._vitals = vitals
        self._database = database
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield from self._totals()
        yield from self._delivery()
        yield from self._of_consoles()

    def _totals(self) -> Iterator[Metric]:
        vitals = self._vitals
        for name, words in COUNTERS.items():
            yield CounterMetricFamily(f"trivox_{NAMES.get(name, f'events_{name}')}", words, vitals.counts[name])
        reasons = CounterMetricFamily("trivox_rejects", "Events and messages rejected, by reason.", labels=["reason"])
        for reason, count in vitals.reasons.copy().items():
            reasons.add_metric([reason], count)
        yield reasons
        unproved = CounterMetricFamily(
            "trivox_events_unproved", "Events whose mac is not known to hold, by why.", labels=["reason"]
        )
        for mac in UNPROVED:
            unproved.add_metric([mac.name.lower()], vitals.unproved[mac.name.lower()])
        yield unproved
        buckets = list(accumulate(vitals.commit_counts))
        bounds = [*map(str, COMMIT_SECONDS), "+Inf"]
        commits = HistogramMetricFamily(
            "trivox_commit_seconds", "How long a transaction took, its way to disk included."
        )
        commits.add_metric([], list(zip(bounds, buckets, strict=True)), vitals.commit_seconds)
        yield commits

    def _delivery(self) -> Iterator[Metric]:
        vitals = self._vitals
        build = GaugeMetricFamily("trivox_build_info", "The version that runs.", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
        for name, words, value in (
            ("start_timestamp_seconds", "When the bridge started.", vitals.started_at_ms / 1000),
            ("broker_connected", "Whether the bridge is connected to the broker.", vitals.is_connected),
            ("database_writable", "Whether the database could be written when last tried.", vitals.write_error is None),
            ("backlog_messages", "Messages that wait to be written.", vitals.backlog()),
            ("database_bytes", "Size of the database.", _size(self._database)),
            ("database_log_bytes", "Size of its log.", _size(sidecar(self._database, "-wal"))),
            (
                "host_clock_last_step_seconds",
                "By how much this machine's clock was last stepped.",
                vitals.clock_step_ms / 1000,
            ),
            ("consoles", "Consoles heard of.", len(vitals.consoles)),
        ):
            yield GaugeMetricFamily(f"trivox_{name}", words, float(value))
        yield CounterMetricFamily("trivox_broker_connections", "Connections to the broker.", vitals.connections)
        yield CounterMetricFamily("trivox_host_clock_steps", "Steps of this machine's clock.", vitals.clock_steps)
        write_errors = CounterMetricFamily(
            "trivox_database_hindrances", "How often the database could not be written, by reason.", labels=["reason"]
        )
        for word in WRITE_ERRORS:
            write_errors.add_metric([word], vitals.write_errors[word])
        yield write_errors

    def _of_consoles(self) -> Iterator[Metric]:
        consoles = sorted(self._vitals.consoles.copy().items())
        messages = CounterMetricFamily("trivox_console_messages", "Messages of the console.", labels=LABELS)
        for name, console in consoles:
            messages.add_metric(name, console.messages)
        yield messages
        for ending, (words, read) in OF_CONSOLES.items():
            family = GaugeMetricFamily(f"trivox_console_{ending}", words, labels=LABELS)
            for name, console in consoles:
                value = read(console)
                if value is not None:
                    family.add_metric(name, float(value))
            yield family


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


class _Handler(WSGIRequestHandler):
    """Keeps to the form of the bridge's log: clients that go away and requests that are none are nothing of note."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Answer, unless the client is gone."""
        with suppress(OSError):
            super().handle()


class _Wsgi(ThreadingWSGIServer):
    def handle_error(self, *_: Any) -> None:
        """A request failed: one line, with what failed."""
        if not isinstance(sys.exc_info()[1], OSError):
            log.error("metrics could not be answered", trace=True)


def _answering(registry: CollectorRegistry) -> Callable[..., Iterable[bytes]]:
    """The application that answers, in the plain form to a client that asks for one that is none."""
    real: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for wanted in (environ.get("HTTP_ACCEPT", "*/*"), "*/*"):
            with suppress(Exception):
                return real({**environ, "HTTP_ACCEPT": wanted}, start_response)
        log.error("metrics could not be answered: report it")
        start_response("500 Internal Server Error", [])
        return []

    return answer


class MetricsServer:
    """Answers Prometheus on loopback until `close`; a port in use is told of and hinders nothing else."""

    def __init__(self, port: int, collector: AnyCollector) -> None:
        self._server: Any = None
        self._thread: Any = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        if not port:
            return
        try:
            self._server = make_server(LOOPBACK, port, _answering(registry), _Wsgi, handler_class=_Handler)
        except OSError as error:
            log.warning(
                "no metrics: their port cannot be used; give another by --metrics-port, or 0 for none",
                port=port,
                error=error.strerror,
            )
        else:
            self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
            self._thread.start()
            log.info("metrics are served", url=f"http://{LOOPBACK}:{port}/metrics")

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
