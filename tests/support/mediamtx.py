"""A stand-in for MediaMTX's playback server: `/list` and `/get`, with basic authentication; all else is an error.

After https://mediamtx.org/docs and `internal/playback/*.go`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime

from tests.support.http_stand_in import HttpStandIn, StandInAnswer, StandInRequest, json_answer

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_FORMATS = {"", "fmp4", "mp4"}


class MediamtxStandIn(HttpStandIn):
    """Paths with what was recorded of each: (start in seconds since 1970, duration in seconds)."""

    def __init__(self, user: str = "", password: str = "") -> None:
        super().__init__()
        self._login = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""
        self.paths: dict[str, list[tuple[float, float]]] = {}

    def answer(self, request: StandInRequest) -> StandInAnswer:
        """Answer as MediaMTX does."""
        if request.method != "GET" or request.path not in {"/list", "/get"}:
            return StandInAnswer(404, b"404 page not found")
        if self._login and request.headers.get("Authorization") != self._login:
            return StandInAnswer(401, b"", (("WWW-Authenticate", 'Basic realm="mediamtx"'),))
        known = {"path", "start", "end"} if request.path == "/list" else {"path", "start", "duration", "format"}
        if not set(request.query) <= known:
            return StandInAnswer(400, b"unknown parameter")
        return (self._list if request.path == "/list" else self._get)(request.query)

    def _list(self, query: dict[str, str]) -> StandInAnswer:
        if any(name in query and not _RFC3339.fullmatch(query[name]) for name in ("start", "end")):
            return StandInAnswer(400, b"invalid start")
        if query.get("path") not in self.paths:
            return StandInAnswer(400, b"path is not configured")
        first, last = (_seconds(query[name]) if name in query else None for name in ("start", "end"))
        found = [
            {"start": _text(start), "duration": length, "url": f"{self.url}/get?path={query['path']}"}
            for start, length in self.paths[query["path"]]
            if (first is None or start + length > first) and (last is None or start < last)
        ]
        return json_answer(found) if found else StandInAnswer(404, b"no segments found")

    def _get(self, query: dict[str, str]) -> StandInAnswer:
        if not _RFC3339.fullmatch(query.get("start", "")):
            return StandInAnswer(400, b"invalid start")
        if not re.fullmatch(r"\d+(\.\d+)?", query.get("duration", "")):
            return StandInAnswer(400, b"invalid duration")
        if query.get("format", "") not in _FORMATS or query.get("path") not in self.paths:
            return StandInAnswer(400, b"invalid format or path")
        first, length = _seconds(query["start"]), float(query["duration"])
        if not any(start < first + length and start + took > first for start, took in self.paths[query["path"]]):
            return StandInAnswer(404, b"no segments found")
        body = f"clip of {query['path']} {first:.3f} {length:g}".encode()
        return StandInAnswer(200, body, (("Content-Type", "video/mp4"), ("Accept-Ranges", "none")))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _text(at_s: float) -> str:
    """Write an instant as Go does."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
