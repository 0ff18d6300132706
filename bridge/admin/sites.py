"""Sites and the checkout points at which consoles stand: one by one, or from a CSV file, all of it or nothing."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.csv_file import Line, read_lines
from bridge.admin.settings import refresh_console
from bridge.errors import UsageError
from bridge.model.local_time import day_starts_ms, today_starts_ms, zone
from bridge.store import consoles, places
from bridge.surveys import counts
from bridge.surveys.fold import refold_console, refold_site
from bridge.wire.identifiers import check_id, check_name

if TYPE_CHECKING:
    from typing import Any

    from bridge.store import Store

MAX_CHECKOUT_POINT_ID = 64
SITE_COLUMNS = ("site_id", "timezone")
CHECKOUT_POINT_COLUMNS = ("site_id", "checkout_point_id", "console_id")


class Stand(NamedTuple):
    """A console at a checkout point since a local day; None: since ever, or since today if it stood elsewhere."""

    site_id: str
    checkout_point_id: str
    console_id: str
    since: date | None


def set_site(store: Store, args: dict[str, Any], _now_ms: int) -> dict[str, Any]:
    """Set a site's time zone (args `site_id`, `timezone`); local hours and days are made anew."""
    zone(args["timezone"])
    _set_site(store, check_id("site", args["site_id"]), args["timezone"])
    return {}


def import_sites(store: Store, args: dict[str, Any], _now_ms: int) -> dict[str, Any]:
    """Set the time zones of many sites, inside the transaction: args `name` and `text` of the file."""
    lines = read_lines(args["name"], args["text"], SITE_COLUMNS)
    timezones: dict[str, str] = {}
    for line in lines:
        with line.judged():
            site_id = line.identifier("site_id")
            _check_timezone(line["timezone"])
            if site_id in timezones:
                raise ValueError(f"site {site_id} is in an earlier line too: give it once")
            timezones[site_id] = line["timezone"]
    lines.check()
    for site_id, timezone in timezones.items():
        _set_site(store, site_id, timezone)
    return {"sites": len(timezones)}


def _check_timezone(name: str) -> None:
    try:
        zone(name)
    except UsageError as error:
        raise ValueError(str(error).removesuffix(".")) from error


def _set_site(store: Store, site_id: str, timezone: str) -> None:
    if places.ensure_site(store, site_id) != timezone:
        places.set_timezone(store, site_id, timezone)
        store.forget()
        refold_site(store, site_id)
        counts.derive(store, site_id)


def enroll_consoles(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Mark consoles as enrolled, all or none: args `consoles`, each SITE/CONSOLE; they may be new here."""
    for name in args["consoles"]:
        site_id, console_id = check_name("console", name)
        places.set_enrolled(store, places.ensure_console(store, site_id, console_id), enrolled=True)
        store.forget()
        refresh_console(store, site_id, console_id, now_ms)
    return {}


def revoke_consoles(store: Store, args: dict[str, Any], _now_ms: int) -> dict[str, Any]:
    """Mark consoles as not enrolled, all or none: args `consoles`, each SITE/CONSOLE; `revoked` are those that were."""
    revoked = []
    for name in args["consoles"]:
        site_id, console_id = check_name("console", name)
        known = consoles.find_console(store, site_id, console_id)
        if known is not None and known.enrolled:
            places.set_enrolled(store, known.key, enrolled=False)
            revoked.append(name)
    store.forget()
    return {"revoked": revoked}


def set_checkout_point(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Say that a console stands at a checkout point (args `site_id`, `checkout_point_id`, `console_id`, `from`).

    `from` is a local date or None: since its first event if the console stood nowhere before, else since today's
    local midnight.
    """
    site_id, console_id = check_id("site", args["site_id"]), check_id("console", args["console_id"])
    checkout_point_id = args["checkout_point_id"].strip()
    if not _may_be_point(checkout_point_id):
        raise UsageError(f"A checkout point's id must be 1 to {MAX_CHECKOUT_POINT_ID} printable characters.")
    since = None if args["from"] is None else date.fromisoformat(args["from"])
    from_ms = _stand(store, Stand(site_id, checkout_point_id, console_id, since), now_ms)
    counts.derive(store, site_id)
    return {"from_ms": from_ms}


def import_checkout_points(store: Store, args: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Say of many consoles where they stand, inside the transaction: args `name` and `text` of the file."""
    lines = read_lines(args["name"], args["text"], CHECKOUT_POINT_COLUMNS, ("from",))
    stands: dict[tuple[str, str, date | None], Stand] = {}
    for line in lines:
        with line.judged():
            stand = _stand_of(line)
            key = stand.site_id, stand.console_id, stand.since
            if key in stands:
                raise ValueError(f"console {stand.site_id}/{stand.console_id} is in an earlier line with this date too")
            stands[key] = stand
    lines.check()
    for stand in sorted(stands.values(), key=lambda stand: stand.since or date.min):
        _stand(store, stand, now_ms)
    for site_id in {stand.site_id for stand in stands.values()}:
        counts.derive(store, site_id)
    return {"checkout_points": len(stands)}


def _stand_of(line: Line) -> Stand:
    site_id, console_id = line.identifier("site_id"), line.identifier("console_id")
    if not _may_be_point(line["checkout_point_id"]):
        raise ValueError(f"checkout_point_id must be 1 to {MAX_CHECKOUT_POINT_ID} printable characters")
    text = line.get("from", "")
    try:
        since = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ValueError(f"from {text!r} is no date: give it as 2026-11-01, or leave it empty") from error
    return Stand(site_id, line["checkout_point_id"], console_id, since)


def _may_be_point(checkout_point_id: str) -> bool:
    return 0 < len(checkout_point_id) <= MAX_CHECKOUT_POINT_ID and checkout_point_id.isprintable()


def _stand(store: Store, stand: Stand, now_ms: int) -> int:
    """Place a console and have its surveys follow; since when it stands there. The site's counts are the caller's."""
    site_id, console_id = stand.site_id, stand.console_id
    timezone = places.ensure_site(store, site_id)
    console_key = places.ensure_console(store, site_id, console_id)
    if stand.since is not None:
        from_ms = day_starts_ms(stand.since, timezone)
    elif places.stands_somewhere(store, console_key):
        from_ms = today_starts_ms(now_ms, timezone)
    else:
        from_ms = 0  # nothing lies before its first event, wherever late clocks and late events may move that
    places.place(store, console_key, stand.checkout_point_id, from_ms)
    store.forget()
    refresh_console(store, site_id, console_id, now_ms)  # the console may be new here
    refold_console(store, site_id, console_id, from_ms)
    return from_ms
