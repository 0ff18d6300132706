"""Read and store sites, consoles, shifts, sellers and placements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.periods import Placement, Shift

if TYPE_CHECKING:
    from bridge.store.connection import Store


def ensure_site(store: Store, site_id: str) -> str:
    """Add a site where it is new; return its time zone."""
    store.run("INSERT OR IGNORE INTO site (site_id, first_seen_at_ms) VALUES (?, ?)", (site_id, store.now_ms))
    row = store.one("SELECT timezone FROM site WHERE site_id = ?", (site_id,))
    return str(row[0]) if row else "UTC"


def ensure_console(store: Store, site_id: str, console_id: str) -> int:
    """Add a console, and its site, where they are new; return the console's key."""
    ensure_site(store, site_id)
    store.run(
        "INSERT OR IGNORE INTO console (site_id, console_id, first_seen_at_ms, last_seen_at_ms) VALUES (?, ?, ?, 0)",
        (site_id, console_id, store.now_ms),
    )
    row = store.one("SELECT console_key FROM console WHERE site_id = ? AND console_id = ?", (site_id, console_id))
    return int(row[0]) if row else 0


def set_enrolled(store: Store, console_key: int, *, enrolled: bool) -> None:
    """Store whether a console is enrolled; with --enrolled-only the bridge takes in only those."""
    store.run("UPDATE console SET enrolled = ? WHERE console_key = ?", (int(enrolled), console_key))


def timezone(store: Store, site_id: str) -> str | None:
    """Return a site's time zone; None if nobody has heard of the site."""
    row = store.one("SELECT timezone FROM site WHERE site_id = ?", (site_id,))
    return str(row[0]) if row else None


def timezones(store: Store) -> dict[str, str]:
    """Return the time zone of each site."""
    return {str(site_id): str(name) for site_id, name in store.all("SELECT site_id, timezone FROM site ORDER BY 1")}


def set_timezone(store: Store, site_id: str, name: str) -> None:
    """Set a site's time zone."""
    store.run("UPDATE site SET timezone = ? WHERE site_id = ?", (name, site_id))


def consoles(store: Store, site_id: str | None = None) -> list[tuple[str, str]]:
    """Return (site_id, console_id) of each console heard of, of one site or all."""
    where = "" if site_id is None else "WHERE site_id = ?"
    rows = store.all(
        f"SELECT site_id, console_id FROM console {where} ORDER BY 1, 2",  # noqa: S608 - no outside text
        () if site_id is None else (site_id,),
    )
    return [(str(site), str(console)) for site, console in rows]


def shifts(store: Store, console_key: int) -> list[Shift]:
    """Return a console's shifts, in order."""
    rows = store.all(
        "SELECT started_at_ms, ended_at_ms, seller_id FROM shift WHERE console_key = ? ORDER BY 1", (console_key,)
    )
    return [Shift(*row) for row in rows]


def shifts_of_sellers(store: Store, from_ms: int, to_ms: int) -> list[tuple[str, str, int, int]]:
    """Return (seller_id, site_id, started_at_ms, ended_at_ms) of each shift that overlaps a period."""
    rows = store.all(
        "SELECT seller_id, site_id, started_at_ms, ended_at_ms FROM shift JOIN console USING (console_key)"
        " WHERE ended_at_ms > ? AND started_at_ms < ? ORDER BY 1, 2, 3",
        (from_ms, to_ms),
    )
    return [(str(seller), str(site), int(start), int(end)) for seller, site, start, end in rows]


def set_shift(store: Store, console_key: int, shift: Shift) -> None:
    """Store a shift, in the place of any of the same console and start."""
    store.run(
        "INSERT INTO shift (console_key, started_at_ms, ended_at_ms, seller_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET ended_at_ms = excluded.ended_at_ms, seller_id = excluded.seller_id",
        (console_key, *shift),
    )


def name_seller(store: Store, seller_id: str, seller_name: str) -> None:
    """Store a seller's name; an empty name keeps the known one."""
    store.run(
        "INSERT INTO seller (seller_id, seller_name) VALUES (?1, CASE ?2 WHEN '' THEN ?1 ELSE ?2 END)"
        " ON CONFLICT DO UPDATE SET seller_name = ?2 WHERE ?2 <> ''",
        (seller_id, seller_name),
    )


def placements(store: Store, site_id: str) -> list[Placement]:
    """Return which console of a site stood at which checkout point, and from when to when."""
    rows = store.all(
        "SELECT console_id, console_key, from_ms,"
        " lead(from_ms) OVER (PARTITION BY console_key ORDER BY from_ms), checkout_point_id"
        " FROM placement JOIN console USING (console_key) WHERE site_id = ? ORDER BY console_id, from_ms",
        (site_id,),
    )
    return [Placement(*row) for row in rows]


def was_ever_placed(store: Store, console_key: int) -> bool:
    """Return whether a console was ever placed."""
    return store.one("SELECT 1 FROM placement WHERE console_key = ? LIMIT 1", (console_key,)) is not None


def place(store: Store, console_key: int, checkout_point_id: str, from_ms: int) -> None:
    """Store that a console stands at a checkout point from an instant on."""
    store.run(
        "INSERT INTO placement (console_key, from_ms, checkout_point_id) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET checkout_point_id = excluded.checkout_point_id",
        (console_key, from_ms, checkout_point_id),
    )
