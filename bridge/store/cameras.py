"""Store the cameras of checkout points, how far their clocks are off, and commands that were sent to consoles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.model.camera import Camera

if TYPE_CHECKING:
    from bridge.store.connection import Store

_CAMERA = "SELECT site_id, checkout_point_id, kind, url, camera, time_format, time_zone FROM camera"
COMMANDS_KEPT = 1_000


class CameraClock(NamedTuple):
    """How far a camera's clock was ahead on a local day; `precision_ms` None: not known."""

    day: str
    offset_ms: int
    precision_ms: int | None
    origin: str  # 'given' or 'light'


class CameraFlash(NamedTuple):
    """When a console's lamps began to flash before a camera, give or take `precision_ms`."""

    console_id: str
    flashed_at_ms: int
    precision_ms: int


class SentCommand(NamedTuple):
    """A command that was sent to a console, and its reply; `replied_at_ms` None: none has come."""

    command_id: str
    sent_at_ms: int
    replied_at_ms: int | None
    ok: bool
    reason: str


def cameras(store: Store, site_id: str | None = None) -> list[Camera]:
    """Return the cameras of a site, or all."""
    rows = store.all(f"{_CAMERA} WHERE ?1 IS NULL OR site_id = ?1 ORDER BY 1, 2", (site_id,))
    return [Camera(*row) for row in rows]


def camera_of(store: Store, site_id: str, checkout_point_id: str | None) -> Camera | None:
    """Return the camera of a checkout point."""
    row = store.one(f"{_CAMERA} WHERE site_id = ? AND checkout_point_id = ?", (site_id, checkout_point_id))
    return Camera(*row) if row else None


def save_camera(store: Store, camera: Camera) -> None:
    """Store a camera, in place of another one of its checkout point."""
    store.run("INSERT OR REPLACE INTO camera VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(camera))


def delete_cameras(store: Store, site_id: str, checkout_point_id: str | None = None) -> None:
    """Delete the camera of a checkout point, or those of a site, with what is known of their clocks."""
    for table in ("camera", "camera_clock", "camera_flash"):
        store.run(
            f"DELETE FROM {table} WHERE site_id = ?1 AND (?2 IS NULL OR checkout_point_id = ?2)",  # noqa: S608 - the names above
            (site_id, checkout_point_id),
        )


def clocks_of(store: Store, site_id: str, checkout_point_id: str) -> list[CameraClock]:
    """Return what is known of a camera's clock, the earliest day first."""
    rows = store.all(
        "SELECT day, offset_ms, precision_ms, origin FROM camera_clock WHERE site_id = ? AND checkout_point_id = ?"
        " ORDER BY day",
        (site_id, checkout_point_id),
    )
    return [CameraClock(*row) for row in rows]


def clock_at(store: Store, site_id: str, checkout_point_id: str, day: str) -> CameraClock | None:
    """Return how far a camera's clock was off on a day: of that day, else the last before it, else the first after."""
    row = store.one(
        "SELECT day, offset_ms, precision_ms, origin FROM camera_clock WHERE site_id = ?1 AND checkout_point_id = ?2"
        " ORDER BY day > ?3, CASE WHEN day > ?3 THEN day END, day DESC LIMIT 1",
        (site_id, checkout_point_id, day),
    )
    return CameraClock(*row) if row else None


def save_clock(store: Store, camera: Camera, clock: CameraClock) -> None:
    """Store how far a camera's clock was off on a day, in place of what was known of it."""
    row = (camera.site_id, camera.checkout_point_id, *clock)
    store.run("INSERT OR REPLACE INTO camera_clock VALUES (?, ?, ?, ?, ?, ?)", row)


def flash_of(store: Store, site_id: str, checkout_point_id: str) -> CameraFlash | None:
    """Return the last flash before a camera."""
    row = store.one(
        "SELECT console_id, flashed_at_ms, precision_ms FROM camera_flash WHERE site_id = ? AND checkout_point_id = ?",
        (site_id, checkout_point_id),
    )
    return CameraFlash(*row) if row else None


def save_flash(store: Store, camera: Camera, flash: CameraFlash) -> None:
    """Store the last flash before a camera."""
    store.run(
        "INSERT OR REPLACE INTO camera_flash VALUES (?, ?, ?, ?, ?)", (camera.site_id, camera.checkout_point_id, *flash)
    )


def console_at(store: Store, site_id: str, checkout_point_id: str, at_ms: int) -> str | None:
    """Return the console that stands at a checkout point; None if there is none, or several."""
    rows = store.all(
        "SELECT console_id FROM placement AS now JOIN console USING (console_key)"
        " WHERE site_id = ?1 AND checkout_point_id = ?2 AND retired_at_ms IS NULL AND from_ms = (SELECT max(from_ms)"
        " FROM placement AS other WHERE other.console_key = now.console_key AND other.from_ms <= ?3)",
        (site_id, checkout_point_id, at_ms),
    )
    return str(rows[0][0]) if len(rows) == 1 else None


def note_sent(store: Store, command_id: str, site_id: str, console_id: str, command: str) -> None:
    """Note that a command is sent to a console; only the last COMMANDS_KEPT are kept."""
    store.run(
        "INSERT INTO console_command (command_id, site_id, console_id, command, sent_at_ms) VALUES (?, ?, ?, ?, ?)",
        (command_id, site_id, console_id, command, store.now_ms),
    )
    store.run(
        "DELETE FROM console_command WHERE command_id IN (SELECT command_id FROM console_command"
        " ORDER BY sent_at_ms DESC LIMIT -1 OFFSET ?)",
        (COMMANDS_KEPT,),
    )


def note_reply(store: Store, site_id: str, console_id: str, command_id: str, *, ok: bool, reason: str) -> None:
    """Note a console's first reply to a command that it was sent."""
    store.run(
        "UPDATE console_command SET replied_at_ms = ?, ok = ?, reason = ?"
        " WHERE command_id = ? AND site_id = ? AND console_id = ? AND replied_at_ms IS NULL",
        (store.now_ms, int(ok), reason, command_id, site_id, console_id),
    )


def sent_command(store: Store, command_id: str) -> SentCommand | None:
    """Return a command that was sent."""
    row = store.one(
        "SELECT command_id, sent_at_ms, replied_at_ms, ok, reason FROM console_command WHERE command_id = ?",
        (command_id,),
    )
    return SentCommand(row[0], row[1], row[2], bool(row[3]), row[4]) if row else None
