"""`trivox audit check|clip|keep|calibrate`: what is asked of cameras' archives, and of consoles before them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge import private_files
from bridge.admin.audits import known_audit
from bridge.admin.cameras.clips import AuditClip, Clips, FootageCheck, NoClipError, check_footage
from bridge.admin.cameras.logins import ArchiveLogins
from bridge.admin.cameras.open_archive import archive_of
from bridge.admin.cameras.registry import known_camera
from bridge.admin.commands import CalibrateCamera, NoteFlash, NoteFootage, NoteKeptClip
from bridge.cli.audit_options import AuditId, OnlySite, audit_app, check_sites, place_of
from bridge.cli.console_identify import flash_lamps
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, warn
from bridge.cli.shared_groups import join
from bridge.errors import TrivoxError, UsageError
from bridge.model.camera import ClipSpan
from bridge.model.local_time import local
from bridge.privileges import acting_for
from bridge.service.control import perform
from bridge.store import audits as table
from bridge.store import cameras, open_store, places
from bridge.system import BINARY, may_write
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.cli.console_identify import LampsFlash
    from bridge.model.camera import Camera
    from bridge.store import Store
    from bridge.store.audits import StoredAudit

AROUND_FLASH_MS = 15_000


@audit_app.command("check")
def audit_check(site: OnlySite = None, database: Database = DATABASE) -> None:
    """Ask cameras' archives whether they still have the clips; audits without footage are then judged `no_footage`.

    `audit draw` and `audit list` do so by themselves, once for each audit.
    """
    with closing(open_store(database)) as store:
        sites = check_sites(store, site)
        wanted = [audit for audit in table.unfinished(store) if audit.first is None]
    checked = _check(database, [audit for audit in wanted if not sites or audit.name.site_id in sites])
    if checked.missing or checked.found:
        print_line(f"{plural(len(checked.found), 'audit')} with footage, {len(checked.missing)} without: no_footage.")
    elif not checked.problems:
        print_line("There was nothing to check: no open audit has a camera whose archive tells what it recorded.")


def check_new_footage(database: Path) -> None:
    """Judge audits `no_footage` whose clips are missing: asked once for each, if the database may be written."""
    with closing(open_store(database)) as store:
        wanted = table.unchecked(store) if cameras.cameras(store) else []
    if wanted and _is_writable(database):
        _check(database, wanted)


def _is_writable(database: Path) -> bool:
    with acting_for(database):
        return may_write(database) and may_write(database.resolve().parent)


def _check(database: Path, wanted: list[StoredAudit]) -> FootageCheck:
    with closing(open_store(database)) as store:
        checked = check_footage(Clips(store, ArchiveLogins(database)), wanted, time.time_ns() // 1_000_000)
    if checked.missing or checked.found:
        perform(database, NoteFootage(missing=checked.missing, found=checked.found))
    for problem in checked.problems:
        warn(f"not all footage was checked: {problem}")
    return checked


@audit_app.command("clip")
def audit_clip(
    audit_id: AuditId,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.mp4", readable=False, help="The file to write.")],
    database: Database = DATABASE,
) -> None:
    """Save the clip of an audit as a file. Archives that speak RTSP need ffmpeg."""
    if not out.name:
        raise UsageError("--out must name a file, such as clip.mp4.")
    with closing(open_store(database)) as store:
        clip = _clip_of(store, database, audit_id)
    _save(clip, out)
    print_line(f"The clip of audit {audit_id} is in {out}.")


def _clip_of(store: Store, database: Path, audit_id: int) -> AuditClip:
    audit = known_audit(store, audit_id)
    try:
        return Clips(store, ArchiveLogins(database)).of(audit)
    except NoClipError as error:
        raise TrivoxError(f"Audit {audit_id} has no clip: {error}.") from error


def _save(clip: AuditClip, out: Path) -> None:
    """Write a clip to a new file, whole or not at all."""
    part = out.with_name(f"{out.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
    try:
        if os.path.lexists(out):
            raise TrivoxError(f"{out} exists already: give another name.")
        descriptor = os.open(part, flags, private_files.SECRET)
    except FileExistsError as error:
        raise TrivoxError(f"{part} exists already: remove it, unless another run writes it just now.") from error
    except OSError as error:
        raise TrivoxError(f"{part} cannot be written ({error.strerror}): check its folder and permissions.") from error
    try:
        with os.fdopen(descriptor, "wb") as file, _ended_like_by_ctrl_c():
            clip.archive.save(clip.span, file)
        part.replace(out)
    except OSError as error:
        raise TrivoxError(f"{out} cannot be written ({error.strerror}): check its folder and its disk.") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _ended_like_by_ctrl_c() -> Iterator[None]:
    """Have SIGTERM end what runs here as Ctrl-C does: ffmpeg and half a file must not stay."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@audit_app.command("keep")
def audit_keep(audit_id: AuditId, database: Database = DATABASE) -> None:
    """Have Frigate keep the clip of an audit, as an export, beyond its retention."""
    with closing(open_store(database)) as store:
        clip = _clip_of(store, database, audit_id)
    kept_as = clip.archive.keep(clip.span, f"trivox audit {audit_id}")
    perform(database, NoteKeptClip(audit_id=audit_id, kept_as=kept_as))
    print_line(f"The archive keeps the clip of audit {audit_id} as {printable(kept_as)}.")


@audit_app.command("calibrate")
def audit_calibrate(
    place: Annotated[str, typer.Argument(metavar="SITE/CHECKOUT_POINT", help="The camera's checkout point.")],
    seen_at: Annotated[
        str | None,
        typer.Option(
            "--seen-at",
            metavar="TIME",
            help="When the lamps first light, by the camera's own clock, as 12:03:05.25 in the site's time zone.",
        ),
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Find out how far a camera's clock is off: the console's lamps flash, and you say when the camera shows it.

    First without --seen-at, while the bridge runs; then, once you have seen the frame, with it.
    """
    site_id, point = place_of(place, None)
    if seen_at is not None:
        _print_offset(perform(database, CalibrateCamera(site_id=site_id, checkout_point_id=point, seen_at=seen_at)))
        return
    with closing(open_store(database)) as store:
        camera = known_camera(store, site_id, point)
        console_id = cameras.console_at(store, site_id, point, time.time_ns() // 1_000_000)
        timezone = places.timezone(store, site_id) or "UTC"
    if console_id is None:
        raise TrivoxError(f"No console, or more than one, stands at {camera.place}: see `trivox checkout-point list`.")
    flash = flash_lamps(database, site_id, console_id)
    perform(
        database,
        NoteFlash(
            site_id=site_id,
            checkout_point_id=point,
            console_id=console_id,
            flashed_at_ms=flash.at_ms,
            precision_ms=flash.precision_ms,
        ),
    )
    _print_flash(database, camera, flash, timezone)


def _print_flash(database: Path, camera: Camera, flash: LampsFlash, timezone: str) -> None:
    moment = local(flash.at_ms, timezone).replace(microsecond=flash.at_ms % 1000 * 1000)
    print_line(
        f"The lamps at {camera.place} began to flash at {moment.isoformat(timespec='milliseconds')}, give or take "
        f"{flash.precision_ms} ms."
    )
    archive = archive_of(camera, ArchiveLogins(database), timezone)
    link = archive.links(ClipSpan(flash.at_ms - AROUND_FLASH_MS, flash.at_ms + AROUND_FLASH_MS)).clip
    if link:
        print_line(f"Look for it here, once it is recorded: {link}")
    print_line(f"Then say when the camera's clock shows it: trivox audit calibrate {camera.place} --seen-at TIME")


def _print_offset(result: dict[str, Any]) -> None:
    offset_ms = result["clock_offset_ms"]
    way = "ahead" if offset_ms > 0 else "behind"
    print_line(
        f"On {result['day']} the clock of the camera of {result['place']} is {abs(offset_ms) / 1000:g} s {way}, give "
        f"or take {result['precision_ms']} ms: clips are moved by that."
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "audit", audit_app)
