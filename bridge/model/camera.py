"""Cameras of checkout points, and how the archives that keep their video name a span of time. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from bridge.errors import UsageError
from bridge.model.local_time import HOUR_MS, zone
from bridge.model.web_address import may_hold_login, secret_parameter, without_parameters
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

FRIGATE, MEDIAMTX, TEMPLATE = "frigate", "mediamtx", "template"
KINDS = (FRIGATE, MEDIAMTX, TEMPLATE)
PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
FRIGATE_ADMIN_PORT = 5000
TIME_FORMATS = ("seconds", "milliseconds", "iso", "compact")
TIME_ZONES = ("utc", "local")
PLACEHOLDERS = ("start", "end", "duration", "camera", "user", "password")
LOGIN_PLACEHOLDERS = ("{user}", "{password}")
MAX_URL = 2_000
MAX_NAME = 100

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HOST = re.compile(r"[A-Za-z0-9._:{}-]+")  # what becomes of {} is for templates to say
_FRIGATE_PATH = re.compile(r"/(api|vod)/[^/]+/start/")
_PATTERNS = {"iso": "%Y-%m-%dT%H:%M:%S", "compact": "%Y%m%dT%H%M%S"}
_SECOND_MS = 1000
_TRIED_AT = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
_TELLS_APART = [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(hours=12), timedelta(days=1)]
_TELLS_APART += [timedelta(days=30), timedelta(days=365)]
"""What a pattern of time has to tell apart, else links lead to other clips."""


class Camera(NamedTuple):
    """The camera that sees a checkout point, and how to ask the archive of its video."""

    site_id: str
    checkout_point_id: str
    kind: str
    url: str  # of the archive, or the template
    camera: str  # its name there
    time_format: str = "seconds"  # in a template
    time_zone: str = "utc"

    @property
    def place(self) -> str:
        """Its name here: SITE/CHECKOUT_POINT."""
        return f"{self.site_id}/{self.checkout_point_id}"


class ClipSpan(NamedTuple):
    """A span of time by an archive's clock, in milliseconds since 1970 UTC, the end not included."""

    from_ms: int
    to_ms: int

    @property
    def from_s(self) -> int:
        """The whole second in which it begins."""
        return self.from_ms // _SECOND_MS

    @property
    def to_s(self) -> int:
        """The whole second by which it has ended."""
        return -(-self.to_ms // _SECOND_MS)

    def shifted(self, by_ms: int) -> ClipSpan:
        """Return the same span so much later."""
        return ClipSpan(self.from_ms + by_ms, self.to_ms + by_ms)


def check_archive(kind: str, url: str) -> None:
    """Check the address of an archive, or a template. Raises UsageError."""
    parts = _parts(url)
    if _port(parts) == FRIGATE_ADMIN_PORT and (kind == FRIGATE or _FRIGATE_PATH.search(parts.path)):
        raise UsageError(
            f"Port {FRIGATE_ADMIN_PORT} of Frigate lets everybody in as an administrator, without a password: give its "
            "port 8971 (https), and keep port 5000 from the network."
        )
    if kind == TEMPLATE:
        _check_template(url, parts)
        return
    if parts.scheme not in {"http", "https"} or parts.query or parts.fragment or "{" in url:
        raise UsageError(
            f"{without_parameters(url)!r} is not the address of an archive: give http://HOST:PORT or https://HOST:PORT."
        )


def check_host(url: str) -> None:
    """Check the address of an archive's host. Raises UsageError."""
    _parts(url)


def _parts(url: str) -> SplitResult:
    bad = UsageError(f"{without_parameters(url)!r} is not an address: give one such as https://nvr:8971.")
    if may_hold_login(url):
        raise UsageError(
            "User and password do not belong into an address, where others can see them: leave them out, and give them "
            "to `trivox camera login`. Write an @ that is needed elsewhere as %40."
        )
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise bad
    try:
        parts = urlsplit(url)
        port = _port(parts)
    except ValueError:
        raise bad from None
    if parts.scheme not in PORTS or not _HOST.fullmatch(parts.hostname or "") or not port:
        raise bad
    return parts


def _port(parts: SplitResult) -> int:
    port = parts.port
    return PORTS.get(parts.scheme, 0) if port is None else port


def _check_template(url: str, parts: SplitResult) -> None:
    names = set(_PLACEHOLDER.findall(url))
    unknown = sorted(names - set(PLACEHOLDERS))
    if unknown or "{" in _PLACEHOLDER.sub("", url) or "}" in _PLACEHOLDER.sub("", url):
        what = f"{{{unknown[0]}}}" if unknown else "A bracket that stands alone"
        raise UsageError(
            f"{what} is no placeholder: a template has {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}."
        )
    if "start" not in names:
        raise UsageError("The template has no {start}: put it where the archive expects the beginning of the clip.")
    if not names & {"end", "duration"}:
        raise UsageError("The template has neither {end} nor {duration}: put one where the archive expects the end.")
    if "{" in parts.netloc:
        raise UsageError("The template has a placeholder in the name of its host: write the host out.")
    if parts.fragment:
        raise UsageError("The template has a #, and what follows is sent to no archive: leave it out.")
    if name := secret_parameter(url, LOGIN_PLACEHOLDERS):
        raise UsageError(
            f"The template holds a secret ({name}), and links made of it would show it: write {{user}} or {{password}} "
            "in its place, and give them to `trivox camera login`."
        )


def check_time_format(time_format: str) -> None:
    """Check how a template writes times. Raises UsageError."""
    if time_format in TIME_FORMATS:
        return
    bad = UsageError(
        f"--time-format {printable(time_format, MAX_NAME)!r} is not a form of time: give {', '.join(TIME_FORMATS)}, or "
        "a pattern such as %Y_%m_%d_%H_%M_%S."
    )
    is_text = len(time_format) <= MAX_NAME and time_format.isascii() and time_format.isprintable()
    if not is_text or "%s" in time_format:  # %s is of this machine's time zone
        raise bad
    try:
        written = {(_TRIED_AT + later).strftime(time_format) for later in (timedelta(), *_TELLS_APART)}
    except ValueError:
        raise bad from None
    if len(written) <= len(_TELLS_APART):
        raise bad


def origin_of(url: str) -> str:
    """Return the host that an address leads to, as `https://nvr:8971`: a login is for a host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{_port(parts)}"


def is_readable_on_the_way(origin: str) -> bool:
    """Return whether what is sent to a host goes over a network without encryption."""
    parts = urlsplit(origin)
    return parts.scheme in {"http", "rtsp"} and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


def fill_template(camera: Camera, span: ClipSpan, timezone: str, login: tuple[str, str] | None = None) -> str:
    """Return the template with a span of time; without a login its placeholders stay."""
    whole_ms = (span.to_s - span.from_s) * _SECOND_MS
    duration = whole_ms if camera.time_format == "milliseconds" else whole_ms // _SECOND_MS
    values = {
        "start": format_time(span.from_s * _SECOND_MS, camera, timezone),
        "end": format_time(span.to_s * _SECOND_MS, camera, timezone),
        "duration": str(duration),
        "camera": escape(camera.camera),
    }
    if login is not None:
        values |= {"user": escape(login[0]), "password": escape(login[1])}
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), camera.url)


def format_time(at_ms: int, camera: Camera, timezone: str) -> str:
    """Return an instant as the camera's template writes it."""
    if camera.time_format == "milliseconds":
        return str(at_ms)
    if camera.time_format == "seconds":
        return str(at_ms // _SECOND_MS)
    is_utc = camera.time_zone == "utc"
    moment = datetime.fromtimestamp(at_ms // _SECOND_MS, UTC if is_utc else zone(timezone))
    text = moment.strftime(_PATTERNS.get(camera.time_format, camera.time_format))
    return escape(f"{text}Z" if is_utc and camera.time_format in _PATTERNS else text, safe=":")


def is_ambiguous(camera: Camera, span: ClipSpan, timezone: str) -> bool:
    """Return whether a clip's beginning or end, as the template writes it, is also another instant's name."""
    return any(
        format_time(at_ms + by * HOUR_MS // 2, camera, timezone) == format_time(at_ms, camera, timezone)
        for at_ms in (span.from_ms, span.to_ms)
        for by in (-2, -1, 1, 2)  # as far as clocks go back
    )


def escape(text: str, safe: str = "") -> str:
    """Return a text as a part of an address."""
    return quote(text, safe=safe)


def rfc3339(at_ms: int) -> str:
    """Return an instant as `2026-11-22T13:00:05.250Z`."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def covered_share(span: ClipSpan, recorded: Sequence[ClipSpan]) -> float:
    """Return which share of a span was recorded, from 0 to 1; recordings may overlap."""
    covered_ms, at_ms = 0, span.from_ms
    for from_ms, to_ms in sorted(recorded):
        begin, end = max(at_ms, from_ms), min(span.to_ms, to_ms)
        if end > begin:
            covered_ms, at_ms = covered_ms + end - begin, end
    return covered_ms / (span.to_ms - span.from_ms)
