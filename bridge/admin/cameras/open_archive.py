"""Find the archive of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.camera import FRIGATE, MEDIAMTX, origin_of

if TYPE_CHECKING:
    from bridge.admin.cameras.archive import Archive
    from bridge.admin.cameras.logins import ArchiveLogins
    from bridge.model.camera import Camera


def archive_of(camera: Camera, logins: ArchiveLogins, timezone: str) -> Archive:
    """Return the archive of a camera, which is at a site of this time zone. Raises TrivoxError for a damaged login."""
    login = logins.get(origin_of(camera.url))
    if camera.kind == FRIGATE:
        from bridge.admin.cameras.frigate import FrigateArchive  # noqa: PLC0415 - each is loaded only where it is used

        return FrigateArchive(camera, login)
    if camera.kind == MEDIAMTX:
        from bridge.admin.cameras.mediamtx import MediamtxArchive  # noqa: PLC0415 - see above

        return MediamtxArchive(camera, login)
    from bridge.admin.cameras.by_template import TemplateArchive  # noqa: PLC0415 - see above

    return TemplateArchive(camera, login, timezone)
