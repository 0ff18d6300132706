"""Say what an archive of video can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from typing import IO

    from bridge.model.camera import ClipSpan


class ClipLinks(NamedTuple):
    """Where a clip can be looked at, without any login in it: a file, and a stream for browsers (None: no such).

    `note`: why the archive may show another time, if it may.
    """

    clip: str | None
    hls: str | None = None
    note: str | None = None


class Archive(Protocol):
    """An archive of video, asked for one camera; spans are by its own clock. All raise ArchiveError but `links`."""

    def links(self, span: ClipSpan) -> ClipLinks:
        """Return where the clip can be looked at; nothing is asked."""

    def recorded(self, span: ClipSpan) -> list[ClipSpan] | None:
        """Return what was recorded of a span, and around it; None if the archive does not tell."""

    def save(self, span: ClipSpan, out: IO[bytes]) -> None:
        """Write the clip to a file. Raises NoFootageError if there is none."""

    def keep(self, span: ClipSpan, name: str) -> str:
        """Have the archive keep the clip under a name, beyond its retention; return what it is called there."""

    def problems(self) -> list[str]:
        """Return what keeps the camera from serving audits, a sentence each."""
