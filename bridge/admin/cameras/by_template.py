"""Make links to any other archive from a template, and fetch clips over HTTP, or from RTSP by ffmpeg."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.admin.cameras.archive import ClipLinks
from bridge.admin.cameras.http_client import (
    ArchiveError,
    HttpClient,
    NoFootageError,
    basic_login,
    refuse_status,
)
from bridge.admin.cameras.remux import remux
from bridge.model.camera import LOGIN_PLACEHOLDERS, escape, fill_template, is_ambiguous

if TYPE_CHECKING:
    from bridge.admin.cameras.logins import ArchiveLogin
    from bridge.model.camera import Camera, ClipSpan

NO_FOOTAGE = 404
COMES_TWICE = "clocks went back at that time, and the archive may show the hour that has the same name"


class TemplateArchive:
    """An archive that is known by its template alone."""

    def __init__(self, camera: Camera, login: ArchiveLogin | None, timezone: str) -> None:
        self._camera = camera
        self._login = login
        self._timezone = timezone
        self._client = HttpClient(_origin_only(camera.url), login)

    def links(self, span: ClipSpan) -> ClipLinks:
        """Return the template with the times; nothing if it wants a login in it."""
        if self._wants_login():
            return ClipLinks(None)
        note = COMES_TWICE if is_ambiguous(self._camera, span, self._timezone) else None
        return ClipLinks(fill_template(self._camera, span, self._timezone), note=note)

    def recorded(self, span: ClipSpan) -> list[ClipSpan] | None:
        """Nothing is known of what such an archive holds."""
        del span
        return None

    def save(self, span: ClipSpan, out: IO[bytes]) -> None:
        """Fetch the clip."""
        login = self._needed_login()
        url = fill_template(self._camera, span, self._timezone, login)
        if urlsplit(url).scheme.startswith("rtsp"):
            remux(_with_login(url, self._login), span, out, secrets=self._secrets())
            return
        parts = urlsplit(url)
        answer = self._client.save(
            f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", out, basic_login(self._login)
        )
        if answer.status == NO_FOOTAGE:
            raise NoFootageError(f"{self._client.origin} has no footage of that time.")
        if not answer.is_ok:
            raise refuse_status(self._client, answer, "the clip")

    def keep(self, span: ClipSpan, name: str) -> str:
        """Nothing is known of how such an archive keeps clips."""
        del span, name
        raise ArchiveError(
            "This archive cannot be told to keep a clip: save it with `trivox audit clip ID --out FILE`."
        )

    def problems(self) -> list[str]:
        """Say what is missing; the archive itself cannot be asked."""
        self._needed_login()
        return []

    def _wants_login(self) -> bool:
        return any(placeholder in self._camera.url for placeholder in LOGIN_PLACEHOLDERS)

    def _needed_login(self) -> tuple[str, str] | None:
        """Return the login, if the template wants it. Raises ArchiveError if there is none."""
        if not self._wants_login():
            return None
        if self._login is None or self._login.user is None:
            raise ArchiveError(f"The template wants a login: give it with `trivox camera login {self._client.origin}`.")
        return self._login.user, self._login.password or ""

    def _secrets(self) -> list[str]:
        password = self._login.password if self._login else None
        return [password, escape(password)] if password else []


def _origin_only(template: str) -> str:
    parts = urlsplit(template)
    return f"{parts.scheme}://{parts.netloc}"


def _with_login(url: str, login: ArchiveLogin | None) -> str:
    """Return an RTSP address with the login, for ffmpeg alone."""
    if login is None or login.user is None:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{escape(login.user)}:{escape(login.password or '')}@{rest}"
