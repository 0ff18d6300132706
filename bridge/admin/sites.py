"""Set sites' time zones and consoles' checkout points, one by one or from a CSV file, all of it or nothing."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.csv_file import CsvFile, Line
from bridge.admin.imports import accept
from bridge.admin.known_names import KnownNames
from bridge.admin.local_times import check_times, resolve_times
from bridge.errors import UsageError
from bridge.model.history import HistoryChange
from bridge.model.local_time import as_typed, check_zone_of_place, instant_ms, local
from bridge.model.periods import EVER
from bridge.model.zone_rules import rules_of
from bridge.store import imports, places
from bridge.store.history import CorrectedTimes, record_change
from bridge.store.zone_rules import keep_rules
from bridge.surveys.refold import stage_refold_of_console, stage_refold_of_site
from bridge.text import is_visible
from bridge.wire.identifiers import check_id

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from bridge.admin.commands import ImportCheckoutPoints, ImportSites, SetCheckoutPoint, SetSite
    from bridge.admin.imports import Steps
    from bridge.store import Store

MAX_CHECKOUT_POINT_ID = 64
SITE_COLUMNS = ("site_id", "timezone")
CHECKOUT_POINT_COLUMNS = ("site_id", "checkout_point_id", "console_id")


class WantedPlacement(NamedTuple):
    """A console at a checkout point from a time on, be it the start of a day; None: see `set_checkout_point`."""

    site_id: str
    checkout_point_id: str
    console_id: str
    since: datetime | None


def set_site(store: Store, command: SetSite) -> Steps:
    """Set a site's time zone, in steps; hours, days and times as typed follow. Raises TrivoxError.

    Returns what was `made`.
    """
    check_zone_of_place(command.timezone)
    made = yield from _set_timezones(store, {check_id("site", command.site_id): command.timezone})
    return {"made": made}


def import_sites(store: Store, command: ImportSites) -> Steps:
    """Set the time zones of many sites, all or none, in steps. Raises TrivoxError."""
    lines = CsvFile(command.name, command.text, SITE_COLUMNS)
    timezones: dict[str, str] = {}
    for line in lines:
        with line.reporting():
            site_id = line.identifier("site_id")
            _check_timezone(line["timezone"])
            if site_id in timezones:
                raise ValueError(f"site {site_id} is also in an earlier line: give it once")
            timezones[site_id] = line["timezone"]
    lines.check()
    made = yield from _set_timezones(store, timezones)
    return {"sites": len(timezones), "made": made}


def _check_timezone(name: str) -> None:
    try:
        check_zone_of_place(name)
    except UsageError as error:
        raise ValueError(str(error).removesuffix(".")) from error


def _set_timezones(store: Store, timezones: dict[str, str]) -> Generator[None, None, list[str]]:
    """Set the time zones of sites in steps; return which sites are new."""
    names = KnownNames(store, new=True)
    for site_id in timezones:
        names.check_site(site_id)
    made = names.new_names()
    imports.begin(store)
    changed = {site_id: name for site_id, name in timezones.items() if places.timezone(store, site_id) != name}
    for site_id, timezone in changed.items():
        yield from check_times(store, site_id, timezone)
    for site_id, timezone in timezones.items():
        places.ensure_site(store, site_id)
        _record_timezone(store, site_id, timezone)
        places.stage_timezone(store, site_id, timezone)
    for site_id, timezone in changed.items():
        resolve_times(store, site_id, timezone)
        keep_rules(store, timezone, rules_of(timezone))
        stage_refold_of_site(store, site_id)
    accept(store)
    return made


def _record_timezone(store: Store, site_id: str, timezone: str) -> None:
    """Record a time zone; the first one corrects only if it moves surveys to others: see imports.py."""
    before = {"timezone": places.timezone(store, site_id)} if places.timezone_is_set(store, site_id) else None
    record_change(store, HistoryChange("site", site_id, "", before, {"timezone": timezone}, -EVER), pending=True)


def set_checkout_point(store: Store, command: SetCheckoutPoint) -> dict[str, Any]:
    """Place a console at a checkout point; stage that surveys and counts follow. Raises UsageError.

    Without a day the placement holds since the console's first event if it had none before, else since today's local
    midnight. Returns `from_ms`, the instant from which it holds, and what was `made`.
    """
    site_id, console_id = check_id("site", command.site_id), check_id("console", command.console_id)
    checkout_point_id = command.checkout_point_id.strip()
    if not _is_valid_point(checkout_point_id):
        raise UsageError(f"A checkout point's id must be 1 to {MAX_CHECKOUT_POINT_ID} printable characters.")
    KnownNames(store, new=command.new).check_console(site_id, console_id)
    since = None if command.from_day is None else datetime.combine(command.from_day, time())
    wanted = WantedPlacement(site_id, checkout_point_id, console_id, since)
    made = _make_places(store, [wanted])
    return {"from_ms": _place(store, wanted, CorrectedTimes(store, "placement")), "made": made}


def import_checkout_points(store: Store, command: ImportCheckoutPoints) -> dict[str, Any]:
    """Place many consoles, all or none, inside the transaction. Raises TrivoxError."""
    lines = CsvFile(command.name, command.text, CHECKOUT_POINT_COLUMNS, ("from",))
    wanted: dict[tuple[str, str, datetime | None], WantedPlacement] = {}
    names = KnownNames(store, new=command.new)
    for line in lines:
        with line.reporting():
            placement = _read_line(line)
            _start_ms(store, placement)
            names.check_console(placement.site_id, placement.console_id)
            key = placement.site_id, placement.console_id, placement.since
            if key in wanted:
                name = f"{placement.site_id}/{placement.console_id}"
                same = "without a date" if placement.since is None else "with this date"
                raise ValueError(f"console {name} is also in an earlier line {same}: give it once")
            wanted[key] = placement
    lines.check()
    made = _make_places(store, wanted.values())
    corrected = CorrectedTimes(store, "placement")
    for placement in sorted(wanted.values(), key=lambda placement: _start_ms(store, placement)):
        _place(store, placement, corrected)
    return {"checkout_points": len(wanted), "made": made}


def _make_places(store: Store, wanted: Iterable[WantedPlacement]) -> list[str]:
    """Make the consoles and checkout points that are new; return what was made."""
    names = KnownNames(store, new=True)
    for placement in wanted:
        names.check_console(placement.site_id, placement.console_id)
        names.check_checkout_point(placement.site_id, placement.checkout_point_id)
    return names.make_new()


def _read_line(line: Line) -> WantedPlacement:
    site_id, console_id = line.identifier("site_id"), line.identifier("console_id")
    if not _is_valid_point(line["checkout_point_id"]):
        raise ValueError(f"checkout_point_id must be 1 to {MAX_CHECKOUT_POINT_ID} printable characters")
    since = line.moment("from") if line.get("from") else None
    return WantedPlacement(site_id, line["checkout_point_id"], console_id, since)


def _start_ms(store: Store, wanted: WantedPlacement) -> int:
    """Return the instant from which a placement is to hold, 0 if no time is given. Raises ValueError."""
    return 0 if wanted.since is None else instant_ms(wanted.since, places.timezone(store, wanted.site_id) or "UTC")


def _is_valid_point(checkout_point_id: str) -> bool:
    return 0 < len(checkout_point_id) <= MAX_CHECKOUT_POINT_ID and is_visible(checkout_point_id)


def _place(store: Store, wanted: WantedPlacement, corrected: CorrectedTimes) -> int:
    """Place a console, and stage that its surveys and counts follow; return since when, in ms."""
    site_id, console_id = wanted.site_id, wanted.console_id
    console_key = places.ensure_console(store, site_id, console_id)
    timezone = places.ensure_site(store, site_id)
    since = wanted.since
    if since is None and places.was_ever_placed(store, console_key):
        since = datetime.combine(local(store.now_ms, timezone).date(), time())
    # Without a time, before any event, however early late clocks and late events may move the first one.
    from_ms = 0 if since is None else instant_ms(since, timezone)
    _record_placement(store, console_key, wanted, from_ms, corrected)
    places.place(store, console_key, wanted.checkout_point_id, from_ms, None if since is None else _typed(since))
    stage_refold_of_console(store, site_id, console_id, from_ms)
    return from_ms


def _typed(since: datetime) -> str | None:
    """Return a time as it is kept for a placement: a local day, or a local time of day; None for an instant."""
    is_day = since.tzinfo is None and since.time() == time()
    return since.date().isoformat() if is_day else as_typed(since)


def _record_placement(
    store: Store, console_key: int, wanted: WantedPlacement, from_ms: int, corrected: CorrectedTimes
) -> None:
    """Record a placement; it corrects another that held then, be it one that was removed."""
    console = wanted.site_id, wanted.console_id
    point, to_ms = places.placement_at(store, console_key, from_ms)
    before, after = (
        None if point_id is None else {"checkout_point_id": point_id} for point_id in (point, wanted.checkout_point_id)
    )
    was_known = point is not None or corrected.touch(*console, from_ms, to_ms)
    corrects = from_ms < store.now_ms and was_known
    record_change(store, HistoryChange("placement", *console, before, after, from_ms, to_ms, corrects))
