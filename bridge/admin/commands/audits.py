"""Commands that draw audits and keep their verdicts, set cameras, and have a console flash its lamps."""

from __future__ import annotations

from datetime import date

from bridge.admin.commands.base import BridgeCommand


class DrawAudits(BridgeCommand, frozen=True):
    """Draw surveys for audits: of each local day of a period that was not drawn yet, and of what watches concern.

    The period has a name, or both days. None: the sample that was chosen in the settings, and a random seed.
    """

    words = "audit draw"
    sites: list[str]  # none: all
    period: str | None = None
    from_day: date | None = None
    to_day: date | None = None  # the day after the last one
    sample: int | None = None
    seed: int | None = None


class RecordVerdict(BridgeCommand, frozen=True):
    """Record what an expert found; `by` None: the user who runs the command."""

    words = "audit judge"
    audit_id: int
    verdict: str
    by: str | None = None
    comment: str | None = None


class NoteFootage(BridgeCommand, frozen=True):
    """Note of which audits archives have no footage, which are then judged so, and of which they have."""

    words = "audit check"
    missing: list[int]
    found: list[int]


class NoteKeptClip(BridgeCommand, frozen=True):
    """Note that an archive keeps the clip of an audit, and under which name."""

    words = "audit keep"
    audit_id: int
    kept_as: str


class SetCamera(BridgeCommand, frozen=True):
    """Set the camera of a checkout point; `clock_offset_ms` is how far its clock is ahead on a local day.

    Without a `kind` the camera must be known, and only what is given changes.
    """

    words = "camera set"
    site_id: str
    checkout_point_id: str
    kind: str | None = None
    url: str | None = None
    camera: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    clock_offset_ms: int | None = None
    on: date | None = None


class RemoveCamera(BridgeCommand, frozen=True):
    """Remove the camera of a checkout point, with what is known of its clock."""

    words = "camera remove"
    site_id: str
    checkout_point_id: str


class NoteFlash(BridgeCommand, frozen=True):
    """Note when the lamps of the console at a checkout point began to flash, for its camera."""

    words = "audit calibrate"
    site_id: str
    checkout_point_id: str
    console_id: str
    flashed_at_ms: int
    precision_ms: int


class CalibrateCamera(BridgeCommand, frozen=True):
    """Take the last flash before a camera, and the time by the camera's own clock at which it shows, for its offset."""

    words = "audit calibrate"
    site_id: str
    checkout_point_id: str
    seen_at: str


class IdentifyConsole(BridgeCommand, frozen=True):
    """Have a console flash its lamps; its reply comes later."""

    words = "console identify"
    site_id: str
    console_id: str


Commands = (
    DrawAudits
    | RecordVerdict
    | NoteFootage
    | NoteKeptClip
    | SetCamera
    | RemoveCamera
    | NoteFlash
    | CalibrateCamera
    | IdentifyConsole
)
