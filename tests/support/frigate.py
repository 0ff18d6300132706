"""A stand-in for Frigate: what `trivox` uses of its API, through the port with logins; all else is an error.

After https://docs.frigate.video/integrations/api and `frigate/api/*.py` of versions 0.13 to 0.17.
"""

from __future__ import annotations

import json
import re
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from tests.support.http_stand_in import HttpStandIn, StandInAnswer, StandInRequest, json_answer

if TYPE_CHECKING:
    from pathlib import Path

COOKIE = "frigate_token"
TOKEN = "header.payload.signature"  # noqa: S105 - of this stand-in
CONTINUOUS = {"enabled": True, "continuous": {"days": 7}, "motion": {"days": 14}}  # from 0.17 on
OLD_CONTINUOUS = {"enabled": True, "retain": {"days": 7, "mode": "all"}}
EXPORT_FIELDS = {"playback", "source", "name", "image_path"}
_RECORDINGS = re.compile(r"/api/([^/]+)/recordings")
_CLIP = re.compile(r"/api/([^/]+)/start/([0-9.]+)/end/([0-9.]+)/clip\.mp4")
_HLS = re.compile(r"/vod/([^/]+)/start/([0-9.]+)/end/([0-9.]+)/master\.m3u8")
_EXPORT = re.compile(r"/api/export/([^/]+)/start/([0-9.]+)/end/([0-9.]+)")


class FrigateStandIn(HttpStandIn):
    """Frigate with cameras, their recordings (start and end in seconds), one user, and exports."""

    def __init__(
        self, user: str = "audit", password: str = "", *, open_to_all: bool = False, certificates: Path | None = None
    ) -> None:
        super().__init__(certificates)
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
        if request.query and not _RECORDINGS.fullmatch(request.path):
            return json_answer({"detail": "unknown parameter"}, 422)
        if not (self.open_to_all or self._is_logged_in(request)):
            return json_answer({"message": "unauthorized"}, 401)
        for method, pattern, answer in (
            ("GET", re.compile(r"/api/profile"), self._profile),
            ("GET", re.compile(r"/api/config"), self._config),
            ("GET", _RECORDINGS, self._recordings),
            ("GET", _CLIP, self._clip),
            ("GET", _HLS, self._playlist),
            ("POST", _EXPORT, self._export),
        ):
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return answer(request, *match.groups())
        return json_answer({"detail": "Not Found"}, 404)

    @staticmethod
    def _is_logged_in(request: StandInRequest) -> bool:
        cookie = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
        return cookie is not None and cookie.value == TOKEN

    def _profile(self, _request: StandInRequest) -> StandInAnswer:
        role = "admin" if self.open_to_all else "viewer"
        return json_answer({"username": "anonymous" if self.open_to_all else self.login["user"], "role": role})

    def _config(self, _request: StandInRequest) -> StandInAnswer:
        return json_answer({"cameras": {name: {"record": record} for name, record in self.cameras.items()}})

    def _playlist(self, _request: StandInRequest, camera: str, start: str, end: str) -> StandInAnswer:
        found = self._segments(camera, start, end)
        return StandInAnswer(200, b"#EXTM3U\n") if found else json_answer({"detail": "Not Found"}, 404)

    def _log_in(self, request: StandInRequest) -> StandInAnswer:
        if request.headers.get("Content-Type") != "application/json" or request.query:
            return json_answer({"detail": "not JSON"}, 422)
        if json.loads(request.body) != self.login:
            return json_answer({"message": "Login failed"}, 401)
        return StandInAnswer(200, b"", (("Set-Cookie", f"{COOKIE}={TOKEN}; HttpOnly; Path=/; SameSite=lax"),))

    def _recordings(self, request: StandInRequest, camera: str) -> StandInAnswer:
        if camera not in self.cameras:
            return json_answer({"detail": "Camera not found"}, 404)
        if set(request.query) != {"after", "before"}:
            return json_answer({"detail": "unknown or missing parameter"}, 422)
        found = self._segments(camera, request.query["after"], request.query["before"])
        return json_answer(
            [
                {"id": f"{start}-x", "start_time": start, "end_time": end, "duration": end - start, "motion": 0}
                for start, end in found
            ]
        )

    def _segments(self, camera: str, after: str, before: str) -> list[tuple[float, float]]:
        first, last = float(after), float(before)
        return [(start, end) for start, end in self.recordings.get(camera, []) if end >= first and start <= last]

    def _clip(self, _request: StandInRequest, camera: str, start: str, end: str) -> StandInAnswer:
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
