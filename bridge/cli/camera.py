"""`trivox camera`: which camera sees a checkout point, how its archive is asked, and with which login."""

from __future__ import annotations

import sys
from contextlib import closing
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.admin.cameras.logins import ArchiveLogin, ArchiveLogins, check_certificates, check_login
from bridge.admin.cameras.open_archive import archive_of
from bridge.admin.cameras.registry import known_camera
from bridge.admin.commands import RemoveCamera, SetCamera
from bridge.cli.audit_options import Format, OnlySite, RowFormat, check_sites, place_of, print_in, text_column
from bridge.cli.options import DATABASE, Database, day_of, text_of
from bridge.cli.output import print_line, warn
from bridge.cli.shared_groups import join
from bridge.errors import TrivoxError, UsageError
from bridge.model.camera import (
    KINDS,
    TEMPLATE,
    TIME_FORMATS,
    TIME_ZONES,
    Camera,
    check_host,
    is_readable_on_the_way,
    origin_of,
)
from bridge.reports.grid import Column
from bridge.service.control import perform
from bridge.store import cameras as table
from bridge.store import open_store, places
from bridge.store.connection import require
from bridge.text import printable

camera_app = typer.Typer(help="Set the cameras of checkout points, for audits.", no_args_is_help=True)

Place = Annotated[
    str, typer.Argument(metavar="SITE/CHECKOUT_POINT", help="The checkout point, also as two words: SITE POINT.")
]
Point = Annotated[str | None, typer.Argument(metavar="POINT", hidden=True)]
MAX_INPUT = 4_096


@camera_app.command("set")
def camera_set(
    place: Place,
    point: Point = None,
    kind: Annotated[str | None, typer.Option(help=f"The kind of archive: {', '.join(KINDS)}.")] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The archive's address, such as https://nvr:8971, without a login."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Of any other archive: an address (http, https, rtsp) with {start}, and {end} or {duration}; and with "
            "{camera}, {user}, {password} where it needs them.",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The camera's name in the archive. [default: the checkout point's]"),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            help=f"How a template writes times: {', '.join(TIME_FORMATS)}, or a pattern such as %Y%m%d%H%M%S."
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help=f"Of which time zone they are: {', '.join(TIME_ZONES)} (the site's).")
    ] = None,
    clock_offset_ms: Annotated[
        int | None, typer.Option(metavar="MS", help="How far its clock is ahead; behind: below 0.")
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="The local day of that offset.")] = None,
    database: Database = DATABASE,
) -> None:
    """Set the camera that sees a checkout point, or change what is given, or say how far its clock was off on a day."""
    site_id, checkout_point_id = place_of(place, point)
    if template is not None and (url is not None or kind not in {None, TEMPLATE}):
        raise UsageError("--template is an archive's address by itself: leave --url out, and --kind, or give template.")
    command = SetCamera(
        site_id=site_id,
        checkout_point_id=checkout_point_id,
        kind=TEMPLATE if template is not None else kind,
        url=url if template is None else template,
        camera=camera,
        time_format=time_format,
        time_zone=time_zone,
        clock_offset_ms=clock_offset_ms,
        on=day_of("--on", on),
    )
    result = perform(database, command)
    print_line(
        f"Checkout point {result['place']} is seen by camera {printable(result['camera'])} ({result['kind']}): try it "
        f"with `trivox camera test {result['place']}`."
    )


@camera_app.command("list")
def camera_list(site: OnlySite = None, output: Format = RowFormat.table, database: Database = DATABASE) -> None:
    """List the cameras, and how far their clocks were off when that was found out last."""
    with closing(open_store(database)) as store:
        sites = check_sites(store, site)
        logins = ArchiveLogins(database)
        rows = [
            _row(camera, table.clocks_of(store, *camera[:2]), has_login=_has_login(logins, camera.url))
            for camera in table.cameras(store)
            if not sites or camera.site_id in sites
        ]
    print_in(output, rows, _columns, "No camera is set: see `trivox camera set --help`.")


def _row(camera: Camera, clocks: list[table.CameraClock], *, has_login: bool | None) -> dict[str, Any]:
    last = clocks[-1] if clocks else None
    is_template = camera.kind == TEMPLATE
    return {
        "site_id": camera.site_id,
        "checkout_point_id": camera.checkout_point_id,
        "kind": camera.kind,
        "camera": camera.camera,
        "url": camera.url,
        "time_format": camera.time_format if is_template else None,
        "time_zone": camera.time_zone if is_template else None,
        "has_login": has_login,
        "clock_offset_ms": last.offset_ms if last else None,
        "clock_on": last.day if last else None,
        "clock_by": last.origin if last else None,
    }


def _has_login(logins: ArchiveLogins, url: str) -> bool | None:
    """Return whether there is a login for an archive; None if this user may not see that."""
    try:
        return logins.get(origin_of(url)) is not None
    except TrivoxError:
        return None


def _columns(rows: Any) -> list[Column]:
    return [
        text_column("site", rows, "site_id"),
        text_column("checkout point", rows, "checkout_point_id"),
        text_column("kind", rows, "kind", 2),
        text_column("camera", rows, "camera", 1),
        text_column("address", rows, "url", 3),
        Column("clock\nahead, ms", [_clock(row) for row in rows], 4),
    ]


def _clock(row: dict[str, Any]) -> str:
    return "-" if row["clock_on"] is None else f"{row['clock_offset_ms']} on {row['clock_on']}"


@camera_app.command("remove")
def camera_remove(place: Place, point: Point = None, database: Database = DATABASE) -> None:
    """Remove the camera of a checkout point, with what is known of its clock. Logins stay."""
    site_id, checkout_point_id = place_of(place, point)
    result = perform(database, RemoveCamera(site_id=site_id, checkout_point_id=checkout_point_id))
    print_line(f"Checkout point {result['place']} has no camera any more.")


@camera_app.command("test")
def camera_test(place: Place, point: Point = None, database: Database = DATABASE) -> None:
    """Ask a camera's archive whether it knows the camera and records it all the time; exit status 1 if not."""
    site_id, checkout_point_id = place_of(place, point)
    with closing(open_store(database)) as store:
        camera = known_camera(store, site_id, checkout_point_id)
        timezone = places.timezone(store, site_id) or "UTC"
    problems = archive_of(camera, ArchiveLogins(database), timezone).problems()
    if problems:
        error = TrivoxError(f"The camera of {camera.place} does not serve audits as it is.")
        error.lines = problems
        raise error
    known = "its template is complete; the archive itself was not asked" if camera.kind == TEMPLATE else "all is well"
    print_line(f"The camera of {camera.place}: {known}.")


@camera_app.command("login")
def camera_login(
    url: Annotated[str, typer.Argument(metavar="URL", help="The archive's host, such as https://nvr:8971.")],
    user: Annotated[str | None, typer.Option(help="The user's name there. [default: asked for]")] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", readable=False, help="The certificate of the archive's authority, or its own (PEM)."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the login.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Keep the login of an archive in a private file beside the database. User and password are asked for.

    From a pipe they are read, a line each. Give a user who may only look (Frigate: role viewer).
    """
    check_host(url)
    require(database)
    origin, logins = origin_of(url), ArchiveLogins(database)
    if remove:
        if not logins.remove(origin):
            raise TrivoxError(f"There is no login for {origin}.")
        print_line(f"The login for {origin} is forgotten.")
        return
    certificates = None if ca_file is None else text_of(ca_file)
    if ca_file is not None and certificates is not None:
        check_certificates(ca_file, certificates)
    name, password = _asked(user)
    check_login(name, password)
    path = logins.save(origin, ArchiveLogin(name, password, certificates))
    print_line(f"The login for {origin} is in {path}, which only its owner may read.")
    if is_readable_on_the_way(origin):
        warn(
            f"{origin} is asked without encryption, so the network can read the password: use https or rtsps if it can"
        )


def _asked(user: str | None) -> tuple[str, str]:
    """Ask for user and password at a terminal; else read them from standard input, a line each."""
    if sys.stdin.isatty():
        name = user or input("User: ")
        return name.strip(), getpass("Password: ")
    name = user or sys.stdin.readline(MAX_INPUT).strip()
    return name, sys.stdin.readline(MAX_INPUT).rstrip("\r\n")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "camera", camera_app)
