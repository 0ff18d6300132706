"""Serve metrics to Prometheus on loopback; clients that keep silent or do not read hold up nobody."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from bridge import log
from bridge.service.open_connections import OpenConnections
from bridge.text import escaped

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

LOOPBACK = "127.0.0.1"
MAX_CLIENTS = 16
REQUEST_LIMIT_S = 10.0  # of silence
ACCEPT_AGAIN_S = 0.2


class _Handler(WSGIRequestHandler):
    """Keeps disconnecting clients and malformed requests out of the log, which has a form of its own."""

    timeout = REQUEST_LIMIT_S

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def handle(self) -> None:
        """Answer the request, unless the client has gone."""
        with suppress(OSError):
            super().handle()


class _Wsgi(ThreadingWSGIServer):
    request_queue_size = 128  # with 5, a client among many silent ones would try again after a second

    def __init__(self, *arguments: Any) -> None:
        self._connections = OpenConnections(MAX_CLIENTS)
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; where the machine has none left, wait a little, so as not to spin."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(ACCEPT_AGAIN_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a request in a thread of its own, and give up the oldest one where there are too many."""
        self._connections.admit(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._connections.remove(request)
        super().shutdown_request(request)

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


class _EscapedLabels:
    """Collects metrics whose labels steer no terminal; quotes and line feeds are escaped by Prometheus' library."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterator[Metric]:
        for metric in self._collector.collect():
            metric.samples = [
                sample._replace(labels={name: escaped(value) for name, value in sample.labels.items()})
                for sample in metric.samples
            ]
            yield metric


class MetricsServer:
    """Answers Prometheus on loopback until `close`. If the port is in use it logs that and does nothing."""

    def __init__(self, port: int, collector: Collector) -> None:
        self._server: Any = None
        self._thread: Any = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_EscapedLabels(collector))
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
