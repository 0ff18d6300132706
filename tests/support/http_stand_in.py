"""A strict HTTP server of our own: the base of stand-ins that speak another program's API."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class StandInRequest(NamedTuple):
    """A request as it came: the path without its query, each parameter once, and the body."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str  # path and query as sent


class StandInAnswer(NamedTuple):
    """An answer of a stand-in."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(content: Any, status: int = 200) -> StandInAnswer:
    """Make an answer of JSON."""
    return StandInAnswer(status, json.dumps(content).encode(), (("Content-Type", "application/json"),))


class HttpStandIn:
    """Serves on a port of this machine while it is entered; keeps what it was asked as `requests`."""

    def __init__(self, certificates: Path | None = None) -> None:
        """Serve over TLS if there is a folder of `certificates`."""
        self.requests: list[StandInRequest] = []
        self._scheme = "http" if certificates is None else "https"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: StandInRequest) -> StandInAnswer:
        """Answer a request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class StandInHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                pairs = parse_qsl(parts.query, keep_blank_values=True)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = StandInRequest(self.command, parts.path, dict(pairs), self.headers, body, self.path)
                stand_in.requests.append(request)
                is_twice = len(dict(pairs)) < len(pairs)
                answer = StandInAnswer(400, b"a parameter is given twice") if is_twice else stand_in.answer(request)
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return StandInHandler
