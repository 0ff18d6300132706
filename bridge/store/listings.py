"""Read what is known by name, for the `list` commands: sites, checkout points, shifts, counts, sellers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.store.connection import Row, Store


def sites(store: Store) -> list[Row]:
    """Return (site_id, timezone, timezone_is_set, consoles, retired ones, checkout points, last_seen_at_ms) of each."""
    return store.all(
        "SELECT site_id, timezone, timezone_is_set,"
        " (SELECT count(*) FROM console WHERE console.site_id = site.site_id AND retired_at_ms IS NULL),"
        " (SELECT count(*) FROM console WHERE console.site_id = site.site_id AND retired_at_ms IS NOT NULL),"
        " (SELECT count(*) FROM checkout_point WHERE checkout_point.site_id = site.site_id),"
        " (SELECT coalesce(max(last_seen_at_ms), 0) FROM console WHERE console.site_id = site.site_id)"
        " FROM site ORDER BY site_id"
    )


def checkout_points(store: Store, site_id: str | None) -> list[Row]:
    """Return (site_id, checkout_point_id, console_id, from_ms, to_ms, timezone) of each placement, of a site or all.

    A point where no console ever stood has one row, with None.
    """
    return store.all(
        "SELECT site_id, checkout_point_id, console_id, from_ms, to_ms, timezone FROM checkout_point"
        " JOIN site USING (site_id) LEFT JOIN (SELECT site_id, checkout_point_id, console_id, from_ms,"
        "  lead(from_ms) OVER (PARTITION BY console_key ORDER BY from_ms) AS to_ms"
        "  FROM placement JOIN console USING (console_key)) USING (site_id, checkout_point_id)"
        " WHERE ?1 IS NULL OR site_id = ?1 ORDER BY 1, 2, from_ms, console_id",
        (site_id,),
    )


def shifts(store: Store, wanted: tuple[str, str, str | None]) -> list[Row]:
    """Return (site_id, console_id, seller_id, seller_name, started_at_ms, ended_at_ms, timezone) of each shift.

    `wanted`: the site and the console, or all if they are empty, and the seller, or all if that is None.
    """
    return store.all(
        "SELECT site_id, console_id, seller_id, seller_name, started_at_ms, ended_at_ms, timezone"
        " FROM shift JOIN console USING (console_key) JOIN site USING (site_id) JOIN seller USING (seller_id)"
        " WHERE ?1 IN ('', site_id) AND ?2 IN ('', console_id) AND (?3 IS NULL OR seller_id = ?3) ORDER BY 5, 1, 2",
        wanted,
    )


def counts(store: Store, site_id: str | None, source_id: str | None) -> list[Row]:
    """Return (site_id, source_id, kind, checkout_point_id, counts, sum, from_ms, to_ms, timezone), a row each.

    The last two times are when the first of them begins, and when the last one ends.
    """
    return store.all(
        "SELECT site_id, source_id, kind, checkout_point_id, count(*), CAST(total(count) AS INTEGER), min(from_ms),"
        " max(to_ms), min(timezone) FROM counts JOIN site USING (site_id)"
        " WHERE (?1 IS NULL OR site_id = ?1) AND (?2 IS NULL OR source_id = ?2) GROUP BY 1, 2, 3, 4"
        " ORDER BY 1, 2, 3, 4",
        (site_id, source_id),
    )


def each_count(store: Store, site_id: str | None, source_id: str | None) -> list[Row]:
    """Return (site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, timezone) of each."""
    return store.all(
        "SELECT site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, timezone"
        " FROM counts JOIN site USING (site_id)"
        " WHERE (?1 IS NULL OR site_id = ?1) AND (?2 IS NULL OR source_id = ?2) ORDER BY 1, 2, from_ms, id",
        (site_id, source_id),
    )


def sellers(store: Store) -> list[tuple[str, str, int, Any, Any]]:
    """Return (seller_id, seller_name, shifts, when the last one ends in ms, its time zone) of each seller."""
    return store.all(  # SQLite takes `timezone` from the row of the last shift
        "SELECT seller_id, seller_name, count(started_at_ms), max(ended_at_ms), timezone FROM seller"
        " LEFT JOIN shift USING (seller_id) LEFT JOIN console USING (console_key) LEFT JOIN site USING (site_id)"
        " GROUP BY 1 ORDER BY 1"
    )
