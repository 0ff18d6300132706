"""Read and store sites, consoles, shifts, sellers and placements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.periods import EVER, Placement, Shift, TypedTimes
from bridge.store import coverage, gone_consoles, imports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.connection import Store

TIMEZONE = "coalesce((SELECT new.timezone FROM timezone_change AS new WHERE new.site_id = site.site_id), timezone)"
_MERGED_SHIFTS = (
    "(SELECT console_key, started_at_ms, ended_at_ms, seller_id FROM shift_change JOIN console USING (site_id,"
    " console_id) UNION ALL SELECT console_key, started_at_ms, ended_at_ms, seller_id FROM shift"
    " WHERE (console_key, started_at_ms) NOT IN"
    " (SELECT console_key, started_at_ms FROM shift_change JOIN console USING (site_id, console_id)))"
)


def ensure_site(store: Store, site_id: str) -> str:
    """Add a site where it is new; return its time zone."""
    store.run("INSERT OR IGNORE INTO site (site_id, first_seen_at_ms) VALUES (?, ?)", (site_id, store.now_ms))
    return timezone(store, site_id) or "UTC"


def ensure_console(store: Store, site_id: str, console_id: str) -> int:
    """Add a console, and its site, where they are new; return the console's key."""
    ensure_site(store, site_id)
    store.run(
        "INSERT OR IGNORE INTO console (site_id, console_id, first_seen_at_ms, last_seen_at_ms) VALUES (?, ?, ?, 0)",
        (site_id, console_id, store.now_ms),
    )
    if store.changes():
        gone_consoles.note_back(store, site_id, console_id)
    row = store.one("SELECT console_key FROM console WHERE site_id = ? AND console_id = ?", (site_id, console_id))
    return int(row[0]) if row else 0


def set_enrolled(store: Store, console_key: int, *, enrolled: bool) -> None:
    """Store whether a console is enrolled; with --enrolled-only the bridge takes in only those."""
    store.run("UPDATE console SET enrolled = ? WHERE console_key = ?", (int(enrolled), console_key))


def timezone(store: Store, site_id: str) -> str | None:
    """Return a site's time zone, for those who write: the one that it is to get; None if nobody knows the site."""
    row = store.one(f"SELECT {TIMEZONE} FROM site WHERE site_id = ?", (site_id,))  # noqa: S608 - no outside text
    return str(row[0]) if row else None


def timezone_is_set(store: Store, site_id: str) -> bool:
    """Return whether anybody has set a site's time zone."""
    return store.one("SELECT 1 FROM site WHERE site_id = ? AND timezone_is_set = 1", (site_id,)) is not None


def sites_without_timezone(store: Store) -> list[str]:
    """Return the sites whose time zone nobody has set."""
    return [str(row[0]) for row in store.all("SELECT site_id FROM site WHERE timezone_is_set = 0 ORDER BY 1")]


def timezones(store: Store) -> dict[str, str]:
    """Return the time zone of each site."""
    return {str(site_id): str(name) for site_id, name in store.all("SELECT site_id, timezone FROM site ORDER BY 1")}


def stage_timezone(store: Store, site_id: str, name: str) -> None:
    """Stage a site's time zone, as part of a change to all its surveys."""
    store.run("INSERT OR REPLACE INTO timezone_change VALUES (?, ?)", (site_id, name))


def merge_timezones(store: Store) -> None:
    """Give sites the time zones that were staged."""
    coverage.mark_sites(store, [str(site_id) for (site_id,) in store.all("SELECT site_id FROM timezone_change")])
    store.run(
        "UPDATE site SET timezone = new.timezone, timezone_is_set = 1 FROM timezone_change AS new"
        " WHERE new.site_id = site.site_id"
    )


def consoles(store: Store, site_id: str | None = None) -> list[tuple[str, str]]:
    """Return (site_id, console_id) of each console heard of, of one site or all."""
    where = "" if site_id is None else "WHERE site_id = ?"
    rows = store.all(
        f"SELECT site_id, console_id FROM console {where} ORDER BY 1, 2",  # noqa: S608 - no outside text
        () if site_id is None else (site_id,),
    )
    return [(str(site), str(console)) for site, console in rows]


def shifts(store: Store, console_key: int) -> list[Shift]:
    """Return a console's shifts, in order, for those who write: as they are once an accepted import is done."""
    rows = store.all(
        "SELECT started_at_ms, ended_at_ms, seller_id FROM shift WHERE console_key = ?"
        " AND console_key NOT IN (SELECT console_key FROM shifts_replaced)",
        (console_key,),
    )
    if imports.is_accepted(store):
        rows += store.all(
            "SELECT started_at_ms, ended_at_ms, shift_change.seller_id FROM shift_change"
            " JOIN console USING (site_id, console_id) WHERE console_key = ?",
            (console_key,),
        )
    by_start = {row[0]: Shift(*row) for row in rows}
    return [by_start[start] for start in sorted(by_start)]


def shifts_at_checkout_points(store: Store) -> list[tuple[str, str, int, int, str]]:
    """Return (site_id, checkout_point_id, from_ms, to_ms, seller_id) of each shift, for reports.

    A shift ends early, or begins late, where its console was moved away from the checkout point or to it.
    """
    shift = _MERGED_SHIFTS if imports.is_visible(store) else "shift"
    return store.all(
        "SELECT site_id, checkout_point_id, max(started_at_ms, from_ms),"  # noqa: S608 - no outside text
        " min(ended_at_ms, coalesce(to_ms, ended_at_ms)), seller_id"
        f" FROM {shift} JOIN console USING (console_key) JOIN (SELECT console_key, from_ms,"
        "  lead(from_ms) OVER (PARTITION BY console_key ORDER BY from_ms) AS to_ms, checkout_point_id FROM placement)"
        " USING (console_key) WHERE from_ms < ended_at_ms AND coalesce(to_ms, ended_at_ms) > started_at_ms"
    )


def shifts_at_consoles(store: Store) -> list[tuple[str, str, Shift]]:
    """Return (site_id, console_id, shift) of each shift, for reports."""
    shift = _MERGED_SHIFTS if imports.is_visible(store) else "shift"
    rows = store.all(
        "SELECT site_id, console_id, started_at_ms, ended_at_ms, seller_id"  # noqa: S608 - no outside text
        f" FROM {shift} JOIN console USING (console_key)"
    )
    return [(site_id, console_id, Shift(*row)) for site_id, console_id, *row in rows]


def typed_shifts(store: Store, site_id: str) -> dict[str, list[tuple[Shift, TypedTimes]]]:
    """Return all shifts of each console of a site that has some with times as typed, by its id and in order."""
    consoles = store.all(
        "SELECT console_key, console_id FROM console WHERE site_id = ? AND EXISTS (SELECT 1 FROM shift WHERE"
        " shift.console_key = console.console_key AND (started_as IS NOT NULL OR ended_as IS NOT NULL)) ORDER BY 2",
        (site_id,),
    )
    return {str(console_id): shifts_of_console(store, key) for key, console_id in consoles}


def shifts_of_console(store: Store, console_key: int) -> list[tuple[Shift, TypedTimes]]:
    """Return the shifts of a console with their times as typed, in order."""
    rows = store.all(
        "SELECT started_at_ms, ended_at_ms, seller_id, started_as, ended_as FROM shift WHERE console_key = ?"
        " ORDER BY started_at_ms",
        (console_key,),
    )
    return [(Shift(*row[:3]), TypedTimes(*row[3:])) for row in rows]


def stage_all_shifts(store: Store, site_id: str, console_id: str, rows: list[tuple[Shift, TypedTimes]]) -> None:
    """Stage the shifts of a console in the place of all that it has."""
    store.run(
        "INSERT INTO shifts_replaced SELECT console_key FROM console WHERE site_id = ? AND console_id = ?",
        (site_id, console_id),
    )
    stage_shifts(store, [(site_id, console_id, *row) for row in rows])


def drop_replaced_shifts(store: Store) -> None:
    """Drop the shifts of consoles of which all are staged anew."""
    replaced = store.all("SELECT DISTINCT site_id FROM console JOIN shifts_replaced USING (console_key)")
    coverage.mark_sites(store, [str(site_id) for (site_id,) in replaced])
    store.run("DELETE FROM shift WHERE console_key IN (SELECT console_key FROM shifts_replaced)")


def stage_shifts(store: Store, rows: Iterable[tuple[str, str, Shift, TypedTimes]]) -> None:
    """Stage shifts, each (site_id, console_id, shift, times as typed), as part of an import."""
    store.run_many(
        "INSERT OR REPLACE INTO shift_change (site_id, console_id, started_at_ms, ended_at_ms, seller_id, started_as,"
        " ended_as) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(site_id, console_id, *shift, *typed) for site_id, console_id, shift, typed in rows],
    )


def consoles_of_staged_shifts(store: Store) -> list[tuple[str, str, int, int]]:
    """Return (site_id, console_id, from_ms, to_ms) of each console with staged shifts, and when its sellers change."""
    return store.all(
        "SELECT new.site_id, new.console_id, min(new.started_at_ms),"
        " max(max(new.ended_at_ms, coalesce(old.ended_at_ms, 0))) FROM shift_change AS new"
        " LEFT JOIN console USING (site_id, console_id)"
        " LEFT JOIN shift AS old ON old.console_key = console.console_key AND old.started_at_ms = new.started_at_ms"
        " GROUP BY 1, 2"
    )


def known_shift(store: Store, site_id: str, console_id: str, started_at_ms: int) -> tuple[Shift | None, bool]:
    """Return the shift of a console that starts at an instant, or None; and whether any is known that ends after it."""
    row = store.one(
        "SELECT ended_at_ms, seller_id, coalesce((SELECT last.ended_at_ms FROM shift AS last WHERE last.console_key ="
        " console.console_key ORDER BY last.started_at_ms DESC LIMIT 1) > ?3, 0) FROM console LEFT JOIN shift"
        " ON shift.console_key = console.console_key AND started_at_ms = ?3 WHERE site_id = ?1 AND console_id = ?2",
        (site_id, console_id, started_at_ms),
    )
    if row is None:
        return None, False
    ended_at_ms, seller_id, is_known_on = row
    return (None if ended_at_ms is None else Shift(started_at_ms, ended_at_ms, seller_id)), bool(is_known_on)


def merge_some_shifts(store: Store, limit: int) -> bool:
    """Put some staged shifts in the place of those of the same console and start; return whether there were any."""
    keys = store.all("SELECT site_id, console_id, started_at_ms FROM shift_change LIMIT ?", (limit,))
    _mark_merged(store, keys)
    store.run_many(
        "INSERT OR REPLACE INTO shift (console_key, started_at_ms, ended_at_ms, seller_id, started_as, ended_as)"
        " SELECT console_key, started_at_ms, ended_at_ms, seller_id, started_as, ended_as FROM shift_change"
        " JOIN console USING (site_id, console_id) WHERE (site_id, console_id, started_at_ms) = (?, ?, ?)",
        keys,
    )
    store.run_many("DELETE FROM shift_change WHERE (site_id, console_id, started_at_ms) = (?, ?, ?)", keys)
    return bool(keys)


def _mark_merged(store: Store, keys: list[tuple[str, str, int]]) -> None:
    """Mark the days of staged shifts, and of those that they replace."""
    times: dict[int, set[tuple[int, int]]] = {}
    for key in keys:
        rows = store.all(
            "SELECT console_key, new.started_at_ms, max(new.ended_at_ms, coalesce(old.ended_at_ms, 0))"
            " FROM shift_change AS new JOIN console USING (site_id, console_id)"
            " LEFT JOIN shift AS old USING (console_key, started_at_ms)"
            " WHERE (site_id, console_id, new.started_at_ms) = (?, ?, ?)",
            key,
        )
        for console_key, from_ms, to_ms in rows:
            times.setdefault(console_key, set()).add((from_ms, to_ms))
    for console_key, spans in times.items():
        coverage.mark_shifts(store, console_key, spans)


def placements(store: Store, site_id: str) -> list[Placement]:
    """Return which console of a site stood at which checkout point, and from when to when."""
    rows = store.all(
        "SELECT console_id, console_key, from_ms,"
        " lead(from_ms) OVER (PARTITION BY console_key ORDER BY from_ms), checkout_point_id"
        " FROM placement JOIN console USING (console_key) WHERE site_id = ? ORDER BY console_id, from_ms",
        (site_id,),
    )
    return [Placement(*row) for row in rows]


def placement_at(store: Store, console_key: int, at_ms: int) -> tuple[str | None, int]:
    """Return where a console stands at an instant (None: nowhere yet), and when its next placement begins."""
    here = store.one(
        "SELECT checkout_point_id FROM placement WHERE console_key = ? AND from_ms <= ? ORDER BY from_ms DESC LIMIT 1",
        (console_key, at_ms),
    )
    following = store.one(
        "SELECT min(from_ms) FROM placement WHERE console_key = ? AND from_ms > ?", (console_key, at_ms)
    )
    to_ms = following[0] if following and following[0] is not None else EVER
    return (str(here[0]) if here else None), int(to_ms)


def ensure_checkout_point(store: Store, site_id: str, checkout_point_id: str) -> None:
    """Add a checkout point, and its site, where they are new."""
    ensure_site(store, site_id)
    store.run("INSERT OR IGNORE INTO checkout_point VALUES (?, ?)", (site_id, checkout_point_id))


def has_checkout_point(store: Store, site_id: str, checkout_point_id: str) -> bool:
    """Return whether a checkout point of a site is known."""
    row = store.one(
        "SELECT 1 FROM checkout_point WHERE site_id = ? AND checkout_point_id = ?", (site_id, checkout_point_id)
    )
    return row is not None


def checkout_points(store: Store, site_id: str) -> list[str]:
    """Return the ids of a site's checkout points."""
    rows = store.all("SELECT checkout_point_id FROM checkout_point WHERE site_id = ? ORDER BY 1", (site_id,))
    return [str(row[0]) for row in rows]


def was_ever_placed(store: Store, console_key: int) -> bool:
    """Return whether a console was ever placed."""
    return store.one("SELECT 1 FROM placement WHERE console_key = ? LIMIT 1", (console_key,)) is not None


def place(store: Store, console_key: int, checkout_point_id: str, from_ms: int, from_day: str | None = None) -> None:
    """Store that a console stands at a checkout point from an instant on; `from_day`: the local time as typed."""
    coverage.mark_placement(store, console_key, from_ms)
    store.run(
        "INSERT OR REPLACE INTO placement (console_key, from_ms, checkout_point_id, from_day) VALUES (?, ?, ?, ?)",
        (console_key, from_ms, checkout_point_id, from_day),
    )


def placements_from_days(store: Store, site_id: str) -> list[tuple[int, int, str, str]]:
    """Return (console_key, from_ms, checkout_point_id, from_day) of a site's placements that begin at a local time."""
    return store.all(
        "SELECT console_key, from_ms, checkout_point_id, from_day FROM placement JOIN console USING (console_key)"
        " WHERE site_id = ? AND from_day IS NOT NULL ORDER BY console_key, from_day",
        (site_id,),
    )


def remove_placement(store: Store, console_key: int, from_ms: int) -> None:
    """Remove the placement of a console that begins at an instant."""
    coverage.mark_placement(store, console_key, from_ms)
    store.run("DELETE FROM placement WHERE console_key = ? AND from_ms = ?", (console_key, from_ms))
