"""Ask Frigate for clips, through its port with logins: https://docs.frigate.video, versions 0.13 to 0.18."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import IO, TYPE_CHECKING, Any

from bridge.admin.cameras.archive import ClipLinks
from bridge.admin.cameras.http_client import (
    ArchiveError,
    HttpClient,
    NoFootageError,
    read_json,
    read_list,
    refuse_status,
)
from bridge.model.camera import ClipSpan, escape
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.admin.cameras.http_client import ArchiveAnswer
    from bridge.admin.cameras.logins import ArchiveLogin
    from bridge.model.camera import Camera

NO_FOOTAGE = {400, 404}
OPEN_TO_ALL = (
    "{origin} lets everybody in as an administrator, without a password: turn on Frigate's auth, or give the address "
    "of its port 8971."
)
ONLY_EVENTS = (
    "Frigate keeps no continuous recording of camera {name}, only what moves or what it recognises: set {where} to as "
    "many days as experts need."
)
ONLY_MOTION = (
    "Frigate keeps only what moves of camera {name} (record.retain.mode is {mode}): set it to all, or clips have gaps."
)


class FrigateArchive:
    """A camera's recordings in Frigate."""

    def __init__(self, camera: Camera, login: ArchiveLogin | None) -> None:
        self._camera = camera
        self._client = HttpClient(camera.url, login)
        self._name = escape(camera.camera)
        self._base = camera.url.rstrip("/")
        self._cookie: dict[str, str] | None = None
        self._known: dict[str, Any] | None = None

    def links(self, span: ClipSpan) -> ClipLinks:
        """Return the clip as MP4, and as HLS for browsers; who opens them logs in at Frigate."""
        times = f"{self._name}/start/{span.from_s}/end/{span.to_s}"
        return ClipLinks(f"{self._base}/api/{times}/clip.mp4", f"{self._base}/vod/{times}/master.m3u8")

    def recorded(self, span: ClipSpan) -> list[ClipSpan] | None:
        """Return the recorded segments that touch a span."""
        if self._camera.camera not in self._cameras():
            raise ArchiveError(self._unknown())
        times = f"after={span.from_s}&before={span.to_s}"
        segments = read_list(self._client, self._get(f"/api/{self._name}/recordings?{times}"), "its recordings")
        try:
            return [ClipSpan(int(part["start_time"] * 1000), int(part["end_time"] * 1000)) for part in segments]
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ArchiveError(f"{self._client.origin} gave recordings that cannot be read: is it Frigate?") from error

    def save(self, span: ClipSpan, out: IO[bytes]) -> None:
        """Download the clip."""
        path = f"/api/{self._name}/start/{span.from_s}/end/{span.to_s}/clip.mp4"
        answer = self._client.save(path, out, self._session())
        if answer.status in NO_FOOTAGE:
            raise NoFootageError(f"Frigate has no recordings of {self._camera.camera} for that time: {answer.said()}.")
        if not answer.is_ok:
            raise refuse_status(self._client, answer, "the clip")

    def keep(self, span: ClipSpan, name: str) -> str:
        """Export the clip; Frigate's retention does not touch exports. Return the export's id."""
        path = f"/api/export/{self._name}/start/{span.from_s}/end/{span.to_s}"
        content = {"playback": "realtime", "source": "recordings", "name": name}
        answer = self._client.post(path, content, self._session())
        if answer.status in NO_FOOTAGE:
            raise NoFootageError(f"Frigate has no recordings of {self._camera.camera} for that time: {answer.said()}.")
        result = read_json(self._client, answer, "the export")
        export_id = result.get("export_id") if isinstance(result, dict) else None
        return printable(str(export_id or name))

    def problems(self) -> list[str]:
        """Look at what Frigate says about this camera's recording."""
        found = [OPEN_TO_ALL.format(origin=self._client.origin)] if self._lets_anybody_in() else []
        cameras = self._cameras()
        if self._camera.camera not in cameras:
            return [*found, self._unknown()]
        return [*found, *_recording_problems(self._camera.camera, cameras[self._camera.camera])]

    def _lets_anybody_in(self) -> bool:
        answer = self._client.get("/api/profile")
        if not answer.is_ok:
            return False
        profile = read_json(self._client, answer, "its profile")
        return isinstance(profile, dict) and profile.get("role") == "admin"

    def _cameras(self) -> dict[str, Any]:
        """Return the cameras that Frigate has, with their configuration; it is asked once."""
        if self._known is None:
            self._known = self._read_cameras()
        return self._known

    def _read_cameras(self) -> dict[str, Any]:
        config = read_json(self._client, self._get("/api/config"), "its configuration")
        cameras = config.get("cameras") if isinstance(config, dict) else None
        if not isinstance(cameras, dict):
            raise ArchiveError(f"{self._client.origin} gave no cameras: is it Frigate?")
        return cameras

    def _unknown(self) -> str:
        name = printable(self._camera.camera)
        return f"Frigate at {self._client.origin} has no camera {name}: give its name with --camera."

    def _get(self, path: str) -> ArchiveAnswer:
        return self._client.get(path, self._session())

    def _session(self) -> dict[str, str]:
        """Log in, once; Frigate answers with a cookie, whose name its owner may choose."""
        login = self._client.login
        if self._cookie is None and login is not None and login.user is not None:
            answer = self._client.post("/api/login", {"user": login.user, "password": login.password})
            if not answer.is_ok:
                raise refuse_status(self._client, answer, "a session")
            pairs = _cookies(answer.headers.get_all("Set-Cookie") or [])
            if not pairs:
                raise ArchiveError(f"{self._client.origin} took the login, but gave no session: is it Frigate?")
            self._cookie = {"Cookie": "; ".join(pairs)}
        return self._cookie or {}


def _cookies(lines: list[str]) -> list[str]:
    try:
        cookies = [SimpleCookie(line) for line in lines]
    except CookieError:
        return []
    return [f"{name}={morsel.value}" for cookie in cookies for name, morsel in cookie.items()]


def _recording_problems(name: str, config: Any) -> list[str]:
    """Say what is wrong with a camera's recording: all that is not kept cannot be audited."""
    record = config.get("record") if isinstance(config, dict) else None
    if not isinstance(record, dict) or not record.get("enabled"):
        return [f"Frigate does not record camera {printable(name)}: set record.enabled, and record.continuous.days."]
    continuous = record.get("continuous")
    days, mode, where = 0.0, "all", "record.continuous.days"
    if isinstance(continuous, dict):  # from 0.17 on
        days = _number(continuous.get("days"))
    elif isinstance(retain := record.get("retain"), dict):
        days, mode, where = _number(retain.get("days")), str(retain.get("mode", "all")), "record.retain.days"
    if days <= 0:
        return [ONLY_EVENTS.format(name=printable(name), where=where)]
    if mode != "all":
        return [ONLY_MOTION.format(name=printable(name), mode=printable(mode))]
    return []


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
