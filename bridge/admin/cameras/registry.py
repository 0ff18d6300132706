"""Set the cameras of checkout points, and how far their clocks are off: typed, or calibrated by light."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.admin.known_names import KnownNames
from bridge.errors import TrivoxError, UsageError
from bridge.model.camera import (
    KINDS,
    MAX_NAME,
    TEMPLATE,
    TIME_ZONES,
    Camera,
    check_archive,
    check_time_format,
)
from bridge.model.cell_values import read_moment
from bridge.model.history import HistoryChange
from bridge.model.local_time import DAY_MS, instant_ms, local, local_hour, resolved_ms
from bridge.store import cameras as table
from bridge.store import places
from bridge.store.cameras import CameraClock, CameraFlash
from bridge.store.history import record_change
from bridge.text import is_visible, printable
from bridge.wire.contract import encode
from bridge.wire.identifiers import check_id

if TYPE_CHECKING:
    from bridge.admin.commands import CalibrateCamera, IdentifyConsole, NoteFlash, RemoveCamera, SetCamera
    from bridge.store import Store

MAX_OFFSET_MS = DAY_MS  # a clock that is further off needs another remedy
COMMAND_EXPIRES_MS = 10_000
IDENTIFY = "identify"
_NOT_A_TIME = "--seen-at must be a time by the camera's clock, such as 12:03:05.25 or 2026-11-22T12:03:05.25"


def set_camera(store: Store, command: SetCamera) -> dict[str, Any]:
    """Set a camera, or change some of it, and its clock's offset on a day; return it. Raises UsageError."""
    site_id, point = command.site_id, command.checkout_point_id
    check_id("site", site_id)
    KnownNames(store).check_checkout_point(site_id, point)
    before = table.camera_of(store, site_id, point)
    camera = _wanted(command, before)
    if camera != before:
        change = HistoryChange("camera", site_id, point, _state(before), _state(camera))
        record_change(store, change)
        table.save_camera(store, camera)
    if command.clock_offset_ms is not None:
        if command.on is None:
            raise UsageError("Say for which local day the clock's offset holds: --on DATE.")
        _save_clock(store, camera, CameraClock(command.on.isoformat(), command.clock_offset_ms, None, "given"))
    elif command.on is not None:
        raise UsageError("--on DATE goes with --clock-offset-ms.")
    return {"place": camera.place, "kind": camera.kind, "camera": camera.camera}


def _wanted(command: SetCamera, before: Camera | None) -> Camera:
    """Return the camera that is to be: what is not given stays as it is. Raises UsageError."""
    place = f"{command.site_id}/{printable(command.checkout_point_id)}"
    if before is None and (command.kind is None or command.url is None):
        raise UsageError(f"Checkout point {place} has no camera yet: give --kind and --url, or --template.")
    old = before or Camera(command.site_id, command.checkout_point_id, "", "", command.checkout_point_id)
    kind, url = command.kind or old.kind, command.url or old.url
    if kind not in KINDS:
        raise UsageError(f"--kind {kind!r} is not a kind of archive: give one of {', '.join(KINDS)}.")
    if before is not None and kind != before.kind and command.url is None:
        raise UsageError("Another kind of archive has another address: give --url, or --template, too.")
    check_archive(kind, url)
    name = command.camera or old.camera
    if len(name) > MAX_NAME or not is_visible(name):
        raise UsageError(f"--camera must be the camera's name in the archive, at most {MAX_NAME} printable characters.")
    time_format, time_zone = command.time_format or old.time_format, command.time_zone or old.time_zone
    if kind != TEMPLATE and (command.time_format or command.time_zone):
        raise UsageError("--time-format and --time-zone are for templates: Frigate and MediaMTX need neither.")
    check_time_format(time_format)
    if time_zone not in TIME_ZONES:
        raise UsageError(f"--time-zone {time_zone!r} is neither utc nor local, the site's own: give one of them.")
    return Camera(command.site_id, command.checkout_point_id, kind, url, name, time_format, time_zone)


def _state(camera: Camera | None) -> dict[str, Any] | None:
    return None if camera is None else dict(zip(Camera._fields[2:], camera[2:], strict=True))


def known_camera(store: Store, site_id: str, checkout_point_id: str) -> Camera:
    """Return the camera of a checkout point. Raises UsageError if it has none."""
    KnownNames(store).check_checkout_point(site_id, checkout_point_id)
    camera = table.camera_of(store, site_id, checkout_point_id)
    if camera is None:
        raise UsageError(
            f"Checkout point {site_id}/{printable(checkout_point_id)} has no camera: set one with `trivox camera set`."
        )
    return camera


def remove_camera(store: Store, command: RemoveCamera) -> dict[str, Any]:
    """Remove a camera. Raises UsageError."""
    camera = known_camera(store, command.site_id, command.checkout_point_id)
    record_change(store, HistoryChange("camera", camera.site_id, camera.checkout_point_id, _state(camera), None))
    table.delete_cameras(store, camera.site_id, camera.checkout_point_id)
    return {"place": camera.place}


def _save_clock(store: Store, camera: Camera, clock: CameraClock) -> None:
    if abs(clock.offset_ms) > MAX_OFFSET_MS:
        raise UsageError("A clock cannot be more than a day off: see whether sign and unit (milliseconds) are right.")
    before = next((old for old in table.clocks_of(store, *camera[:2]) if old.day == clock.day), None)
    name = f"{camera.checkout_point_id} {clock.day}"
    was = None if before is None else {"offset_ms": before.offset_ms}
    record_change(store, HistoryChange("camera_clock", camera.site_id, name, was, {"offset_ms": clock.offset_ms}))
    table.save_clock(store, camera, clock)


# -- calibration by light --------------------------------------------------------------------------------------------


def identify_console(store: Store, command: IdentifyConsole) -> tuple[str, bytes, dict[str, Any]]:
    """Note that a console is told to flash its lamps; return topic and payload, and the result with the `command_id`.

    Raises UsageError.
    """
    site_id, console_id = command.site_id, command.console_id
    check_id("site", site_id)
    check_id("console", console_id)
    KnownNames(store).check_console(site_id, console_id)
    command_id = f"i-{secrets.token_hex(8)}"
    table.note_sent(store, command_id, site_id, console_id, IDENTIFY)
    content = {"id": command_id, "command": IDENTIFY, "expires_at_ms": store.now_ms + COMMAND_EXPIRES_MS}
    return f"trivox/v1/{site_id}/{console_id}/command", encode(content), {"command_id": command_id}


def note_flash(store: Store, command: NoteFlash) -> dict[str, Any]:
    """Note a flash before a camera. Raises UsageError."""
    camera = known_camera(store, command.site_id, command.checkout_point_id)
    flash = CameraFlash(command.console_id, command.flashed_at_ms, command.precision_ms)
    table.save_flash(store, camera, flash)
    return {"place": camera.place}


def calibrate_camera(store: Store, command: CalibrateCamera) -> dict[str, Any]:
    """Compute a camera's offset from the flash and the time at which it shows, for that day. Raises UsageError."""
    camera = known_camera(store, command.site_id, command.checkout_point_id)
    flash = table.flash_of(store, camera.site_id, camera.checkout_point_id)
    if flash is None:
        raise TrivoxError(
            f"No console has flashed before the camera of {camera.place}: run `trivox audit calibrate {camera.place}` "
            "first."
        )
    timezone = places.timezone(store, camera.site_id) or "UTC"
    offset_ms = _seen_ms(command.seen_at, flash.flashed_at_ms, timezone) - flash.flashed_at_ms
    day = local_hour(flash.flashed_at_ms, timezone)[:10]
    _save_clock(store, camera, CameraClock(day, offset_ms, flash.precision_ms, "light"))
    return {"place": camera.place, "day": day, "clock_offset_ms": offset_ms, "precision_ms": flash.precision_ms}


def _seen_ms(text: str, flashed_at_ms: int, timezone: str) -> int:
    """Read a time by the camera's clock: a time of day is the nearest to the flash. Raises UsageError."""
    text = text.strip()
    try:
        if "T" in text or " " in text:
            return instant_ms(read_moment(text), timezone)
        clock = datetime.strptime(text if "." in text else f"{text}.0", "%H:%M:%S.%f").time()  # noqa: DTZ007 - local
    except ValueError as error:
        raise UsageError(f"{_NOT_A_TIME}, not {printable(text, MAX_NAME)!r}.") from error
    day = local(flashed_at_ms, timezone).date()
    days = [day + timedelta(days=by) for by in (-1, 0, 1)]
    moments = [resolved_ms(datetime.combine(each, clock), timezone) for each in days]
    return min(moments, key=lambda at_ms: abs(at_ms - flashed_at_ms))
