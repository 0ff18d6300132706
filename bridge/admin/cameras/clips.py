"""Find the clip of an audit: which camera saw the survey, when by its archive's clock, and whether it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.cameras.http_client import ArchiveError, NoAnswerError
from bridge.admin.cameras.open_archive import archive_of
from bridge.errors import TrivoxError
from bridge.model.audit import BEFORE_PRESS_MS
from bridge.model.camera import ClipSpan, covered_share, origin_of
from bridge.model.local_time import MINUTE_MS
from bridge.store import audits, cameras, places
from bridge.text import printable
from bridge.wire.settings import RANGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.admin.cameras.archive import Archive, ClipLinks
    from bridge.admin.cameras.logins import ArchiveLogins
    from bridge.model.camera import Camera
    from bridge.store import Store
    from bridge.store.audits import AuditedSurvey, StoredAudit
    from bridge.store.cameras import CameraClock

LEAST_COVERED = 0.5
"""A clip of which less was recorded cannot be judged; nor can one that lacks the press itself."""

PRESS_MS = 1_000  # around the seller's press
WRITTEN_AFTER_MS = 10 * MINUTE_MS  # archives write what they recorded late


class AuditClip(NamedTuple):
    """The clip of an audit; `span` is by the archive's clock, which was `clock` off."""

    audit: StoredAudit
    survey: AuditedSurvey
    camera: Camera
    archive: Archive
    span: ClipSpan
    clock: CameraClock | None

    def links(self) -> ClipLinks:
        """Return where it can be looked at."""
        return self.archive.links(self.span)


class NoClipError(TrivoxError):
    """An audit has no clip, for a reason on our side: no checkout point, no camera."""


class Clips:
    """Finds clips; each archive logs in once, however many clips it is asked for."""

    def __init__(self, store: Store, logins: ArchiveLogins) -> None:
        self._store = store
        self._logins = logins
        self._archives: dict[Camera, Archive] = {}

    def of(self, audit: StoredAudit) -> AuditClip:
        """Find the clip of an audit; nothing is asked of the archive. Raises NoClipError, TrivoxError."""
        survey = audits.survey_of(self._store, audit.name)
        if survey is None:
            raise NoClipError("its survey is no more in this database")
        site_id, point = audit.name.site_id, survey.checkout_point_id
        if point is None:
            raise NoClipError(
                f"console {site_id}/{audit.name.console_id} stood at no checkout point: see `trivox checkout-point set`"
            )
        camera = cameras.camera_of(self._store, site_id, point)
        if camera is None:
            raise NoClipError(f"checkout point {site_id}/{printable(point)} has no camera: see `trivox camera set`")
        span = clip_span(self._store, audit, survey)
        clock = cameras.clock_at(self._store, site_id, point, audit.day)
        shifted = span.shifted(clock.offset_ms if clock else 0)
        return AuditClip(audit, survey, camera, self.archive(camera), shifted, clock)

    def archive(self, camera: Camera) -> Archive:
        """Return the archive of a camera."""
        if camera not in self._archives:
            timezone = places.timezone(self._store, camera.site_id) or "UTC"
            self._archives[camera] = archive_of(camera, self._logins, timezone)
        return self._archives[camera]


def clip_span(store: Store, audit: StoredAudit, survey: AuditedSurvey) -> ClipSpan:
    """Return the time of a clip: from 10 s before the press to the end of the window, whatever the outcome."""
    window_ms = audits.survey_window_ms(store, audit.name) or RANGES["survey_window_ms"].default
    return ClipSpan(survey.opened_at_ms - BEFORE_PRESS_MS, survey.opened_at_ms + window_ms)


def covered(clip: AuditClip) -> float | None:
    """Ask the archive which share of a clip it has, 0 where the press itself is missing; None if it does not tell.

    Raises ArchiveError.
    """
    recorded = clip.archive.recorded(clip.span)
    if recorded is None:
        return None
    pressed_ms = clip.span.from_ms + BEFORE_PRESS_MS
    if not covered_share(ClipSpan(pressed_ms - PRESS_MS, pressed_ms + PRESS_MS), recorded):
        return 0.0
    return covered_share(clip.span, recorded)


class FootageCheck(NamedTuple):
    """The audits that have no footage, those that have, and a sentence for each reason why one was not checked."""

    missing: list[int]
    found: list[int]
    problems: list[str]


def check_footage(clips: Clips, wanted: Iterable[StoredAudit], now_ms: int) -> FootageCheck:
    """Ask the archives of audits whether they have the clips.

    What was recorded in the last minutes may not be written yet, and is not asked for.
    """
    missing: list[int] = []
    found: list[int] = []
    problems: dict[str, None] = {}
    silent: set[Camera] = set()
    silent_hosts: set[str] = set()
    for audit in wanted:
        try:
            clip = clips.of(audit)
        except NoClipError:  # lists say so
            continue
        except TrivoxError as error:
            problems[str(error)] = None
            continue
        host = origin_of(clip.camera.url)
        if clip.camera in silent or host in silent_hosts or clip.span.to_ms > now_ms - WRITTEN_AFTER_MS:
            continue
        try:
            share = covered(clip)
        except NoAnswerError as error:
            problems[str(error)] = None
            silent_hosts.add(host)  # waiting again for each audit, or each camera, would take too long
            continue
        except ArchiveError as error:
            problems[str(error)] = None
            silent.add(clip.camera)
            continue
        if share is not None and share < LEAST_COVERED:
            missing.append(audit.audit_id)
        elif share is not None:
            found.append(audit.audit_id)
    return FootageCheck(missing, found, list(problems))
