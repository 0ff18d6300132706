"""Serve metrics to Prometheus on loopback, from memory only, so that a scrape never reads the database."""

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
from bridge.store.faults import WRITE_ERRORS, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector as AnyCollector

    from bridge.service.vitals import ConsoleVitals, Vitals

LOOPBACK = "127.0.0.1"
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


class BridgeCollector:
    """Turns the vitals into metrics."""

    def __init__(self, vitals: Vitals, database: Path, version: str) -> None:
        self._vitals = vitals
        self._database = database
        self._version = version

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
            ("consoles", "Consoles heard from.", len(vitals.consoles)),
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
        consoles = sorted(self._vitals.consoles.copy().items())
        messages = CounterMetricFamily("trivox_console_messages", "Messages from the console.", labels=LABELS)
        for name, console in consoles:
            messages.add_metric(name, console.messages)
        yield messages
        for ending, (description, read) in CONSOLE_GAUGES.items():
            family = GaugeMetricFamily(f"trivox_console_{ending}", description, labels=LABELS)
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
    """Keeps disconnecting clients and malformed requests out of the log, which has a form of its own."""

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def handle(self) -> None:
        """Answer the request, unless the client has gone."""
        with suppress(OSError):
            super().handle()


class _Wsgi(ThreadingWSGIServer):
    def handle_error(self, *_: Any) -> None:
        """Log a failed request in one line, with its traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            log.error("a request for metrics failed: report this", trace=True)


def _wsgi_application(registry: CollectorRegistry) -> Callable[..., Iterable[bytes]]:
    """Make the WSGI application; it answers in the default format if the requested one is invalid."""
    application: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for accept in (environ.get("HTTP_ACCEPT", "*/*"), "*/*"):
            with suppress(Exception):
                return application({**environ, "HTTP_ACCEPT": accept}, start_response)
        log.error("a request for metrics failed: report this")
        start_response("500 Internal Server Error", [])
        return []

    return answer


class MetricsServer:
    """Answers Prometheus on loopback until `close`. If the port is in use it logs that and does nothing."""

    def __init__(self, port: int, collector: AnyCollector) -> None:
        self._server: Any = None
        self._thread: Any = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        if not port:
            return
        try:
            self._server = make_server(LOOPBACK, port, _wsgi_application(registry), _Wsgi, handler_class=_Handler)
        except OSError as error:
            log.warning(
                "no metrics: the port cannot be used; choose another with --metrics-port, or 0 for none",
                port=port,
                error=error.strerror,
            )
        else:
            self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
            self._thread.start()
            log.info("metrics are served", url=f"http://{LOOPBACK}:{port}/metrics")

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
