"""A stand-in for Frigate: what `trivox` uses of its API, through the port with logins; all else is an error.

After https://docs.frigate.video/integrations/api and `frigate/api/*.py` of versions 0.13 to 0.17.
"""

from __future__ import annotations

import json
import re
from http.cookies import SimpleCookie
from typing import Any

from tests.support.http_stand_in import HttpStandIn, StandInAnswer, StandInRequest, json_answer

COOKIE = "frigate_token"
TOKEN = "header.payload.signature"
CONTINUOUS = {"enabled": True, "continuous": {"days": 7}, "motion": {"days": 14}}  # from 0.17 on
OLD_CONTINUOUS = {"enabled": True, "retain": {"days": 7, "mode": "all"}}
EXPORT_FIELDS = {"playback", "source", "name", "image_path"}
_CAMERA = re.compile(r"/api/([^/]+)/recordings")
_CLIP = re.compile(r"/api/([^/]+)/start/([0-9.]+)/end/([0-9.]+)/clip\.mp4")
_HLS = re.compile(r"/vod/([^/]+)/start/([0-9.]+)/end/([0-9.]+)/master\.m3u8")
_EXPORT = re.compile(r"/api/export/([^/]+)/start/([0-9.]+)/end/([0-9.]+)")


class FrigateStandIn(HttpStandIn):
    """Frigate with cameras, their recordings (start and end in seconds), one user, and exports."""

    def __init__(self, user: str = "audit", password: str = "geheim-17", *, open_to_all: bool = False) -> None:
        super().__init__()
        self.login = {"user": user, "password": password}
        self.open_to_all = open_to_all
        self.cameras: dict[str, dict[str, Any]] = {}
        self.recordings: dict[str, list[tuple[float, float]]] = {}
        self.exports: list[dict[str, Any]] = []

    def add(self, camera: str, *recordings: tuple[float, float], record: dict[str, Any] = CONTINUOUS) -> None:
        """Add a camera."""
        self.cameras[camera] = record
        self.recordings[camera] = list(recordings)

    def answer(self, request: StandInRequest) -> StandInAnswer:
        """Answer as Frigate does behind its nginx."""
        if (request.method, request.path) == ("POST", "/api/login"):
            return self._log_in(request)
        if not self.open_to_all and COOKIE not in SimpleCookie(request.headers.get("Cookie", "")):
            return json_answer({"message": "unauthorized"}, 401)
        if not self.open_to_all and SimpleCookie(request.headers["Cookie"])[COOKIE].value != TOKEN:
            return json_answer({"message": "unauthorized"}, 401)
        if request.method == "POST":
            match = _EXPORT.fullmatch(request.path)
            return self._export(request, *match.groups()) if match else _not_found()
        if request.path == "/api/profile" and not request.query:
            role = "admin" if self.open_to_all else "viewer"
            return json_answer({"username": "anonymous" if self.open_to_all else self.login["user"], "role": role})
        if request.path == "/api/config" and not request.query:
            return json_answer({"cameras": {name: {"record": record} for name, record in self.cameras.items()}})
        if match := _CAMERA.fullmatch(request.path):
            return self._recordings(match[1], request.query)
        if (match := _CLIP.fullmatch(request.path)) and not request.query:
            return self._clip(*match.groups())
        if (match := _HLS.fullmatch(request.path)) and not request.query:
            found = self._segments(*match.groups())
            return StandInAnswer(200, b"#EXTM3U\n") if found else _not_found()
        return _not_found()

    def _log_in(self, request: StandInRequest) -> StandInAnswer:
        if request.headers.get("Content-Type") != "application/json" or request.query:
            return json_answer({"detail": "not JSON"}, 422)
        if json.loads(request.body) != self.login:
            return json_answer({"message": "Login failed"}, 401)
        return StandInAnswer(200, b"", (("Set-Cookie", f"{COOKIE}={TOKEN}; HttpOnly; Path=/; SameSite=lax"),))

    def _recordings(self, camera: str, query: dict[str, str]) -> StandInAnswer:
        if camera not in self.cameras:
            return json_answer({"detail": "Camera not found"}, 404)
        if set(query) != {"after", "before"}:
            return json_answer({"detail": "unknown or missing parameter"}, 422)
        found = self._segments(camera, query["after"], query["before"])
        return json_answer(
            [
                {"id": f"{start}-x", "start_time": start, "end_time": end, "duration": end - start, "motion": 0}
                for start, end in found
            ]
        )

    def _segments(self, camera: str, after: str, before: str) -> list[tuple[float, float]]:
        first, last = float(after), float(before)
        return [(start, end) for start, end in self.recordings.get(camera, []) if end >= first and start <= last]

    def _clip(self, camera: str, start: str, end: str) -> StandInAnswer:
        if camera not in self.cameras:
            return json_answer({"success": False, "message": "Camera not found"}, 404)
        if not self._segments(camera, start, end):
            return json_answer({"success": False, "message": "No recordings found for the specified time range"}, 400)
        return StandInAnswer(200, f"clip of {camera} {start} {end}".encode(), (("Content-Type", "video/mp4"),))

    def _export(self, request: StandInRequest, camera: str, start: str, end: str) -> StandInAnswer:
        body = json.loads(request.body)
        if not isinstance(body, dict) or not set(body) <= EXPORT_FIELDS or len(body.get("name", "")) > 256:
            return json_answer({"detail": "unknown field"}, 422)
        if camera not in self.cameras:
            return json_answer({"success": False, "message": f"{camera} is not a valid camera."}, 404)
        if not self._segments(camera, start, end):
            return json_answer({"success": False, "message": "No recordings found for time range"}, 400)
        export_id = f"{camera}_{len(self.exports):06}"
        self.exports.append({"id": export_id, "name": body.get("name"), "start": float(start), "end": float(end)})
        return json_answer({"success": True, "message": "Starting export of recording.", "export_id": export_id})


def _not_found() -> StandInAnswer:
    return json_answer({"detail": "Not Found"}, 404)
