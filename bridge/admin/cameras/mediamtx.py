"""Ask MediaMTX's playback server for clips: https://mediamtx.org, `playback: yes`."""

from __future__ import annotations

from datetime import datetime
from typing import IO, TYPE_CHECKING
from urllib.parse import urlencode

from bridge.admin.cameras.archive import ClipLinks
from bridge.admin.cameras.http_client import (
    ArchiveError,
    HttpClient,
    NoFootageError,
    basic_login,
    read_list,
    refuse_status,
)
from bridge.model.camera import ClipSpan, rfc3339
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.admin.cameras.logins import ArchiveLogin
    from bridge.model.camera import Camera

NO_FOOTAGE = 404


class MediamtxArchive:
    """A camera's recordings in MediaMTX, where its name is a path."""

    def __init__(self, camera: Camera, login: ArchiveLogin | None) -> None:
        self._camera = camera
        self._client = HttpClient(camera.url, login)
        self._base = camera.url.rstrip("/")
        self._path_is_known = False

    def links(self, span: ClipSpan) -> ClipLinks:
        """Return the clip as fragmented MP4, which any browser plays."""
        return ClipLinks(f"{self._base}{self._path(span)}")

    def _path(self, span: ClipSpan) -> str:
        duration = (span.to_ms - span.from_ms) / 1000
        query = {"path": self._camera.camera, "start": rfc3339(span.from_ms), "duration": f"{duration:g}"}
        return f"/get?{urlencode(query)}"

    def recorded(self, span: ClipSpan) -> list[ClipSpan] | None:
        """Return the spans that were recorded; older versions list all of them, whatever they are asked for."""
        query = {"path": self._camera.camera, "start": rfc3339(span.from_ms), "end": rfc3339(span.to_ms)}
        answer = self._client.get(f"/list?{urlencode(query)}", basic_login(self._client.login))
        if answer.status == NO_FOOTAGE:
            self._check_path()
            return []
        try:
            return [_span_of(entry) for entry in read_list(self._client, answer, "its list of recordings")]
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ArchiveError(f"{self._client.origin} gave a list that cannot be read: is it MediaMTX?") from error

    def _check_path(self) -> None:
        """Raise ArchiveError unless there are recordings of other times.

        MediaMTX answers the same for a mistyped path, and other servers for a path that they do not have.
        """
        if not self._path_is_known:
            if problems := self.problems():
                raise ArchiveError(problems[0])
            self._path_is_known = True

    def save(self, span: ClipSpan, out: IO[bytes]) -> None:
        """Download the clip, as a plain MP4 that any player reads."""
        answer = self._client.save(f"{self._path(span)}&format=mp4", out, basic_login(self._client.login))
        if answer.status == NO_FOOTAGE:
            raise NoFootageError(f"MediaMTX has no recordings of {printable(self._camera.camera)} for that time.")
        if not answer.is_ok:
            raise refuse_status(self._client, answer, "the clip")

    def keep(self, span: ClipSpan, name: str) -> str:
        """MediaMTX keeps no clip beyond its retention."""
        del span, name
        raise ArchiveError("MediaMTX cannot keep a clip: save it with `trivox audit clip ID --out FILE`.")

    def problems(self) -> list[str]:
        """Ask for the list of recordings."""
        query = urlencode({"path": self._camera.camera})
        answer = self._client.get(f"/list?{query}", basic_login(self._client.login))
        name = printable(self._camera.camera)
        if answer.status == NO_FOOTAGE:
            return [f"MediaMTX has no recordings of path {name}: set record: yes, or give the path with --camera."]
        if not read_list(self._client, answer, "its list of recordings"):
            return [f"MediaMTX has no recordings of path {name}: set record: yes."]
        return []


def _span_of(entry: dict[str, object]) -> ClipSpan:
    start, duration = datetime.fromisoformat(str(entry["start"])), entry["duration"]
    if not isinstance(duration, int | float) or start.tzinfo is None:
        raise TypeError(entry)
    from_ms = round(start.timestamp() * 1000)
    return ClipSpan(from_ms, from_ms + round(duration * 1000))
