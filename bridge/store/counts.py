"""Counts of transactions and visitors: as received, the one in force of each name, and whom it is assigned to."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.store.connection import Store


_SELECT = (
    "SELECT site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, at_console_id,"
    " of_seller_id, hour FROM counts WHERE "
)


NAMES_AT_ONCE = 32
Name = tuple[str, str, str]
"""(site_id, source_id, id)."""


class CountRow(NamedTuple):
    """The count in force of (site, source, id); the last three columns say whom it is assigned to."""

    site_id: str
    source_id: str
    id: str
    kind: str
    from_ms: int
    to_ms: int
    figure: int
    checkout_point_id: str | None
    seller_id: str | None
    at_console_id: str | None
    of_seller_id: str | None
    hour: str


def keep(store: Store, received: list[tuple[str, str, str, int, str]], in_force: list[CountRow]) -> None:
    """Keep counts as received, each (site_id, source_id, id, arrived_at_ms, raw), and put some in force."""
    store.insert("INSERT INTO counts_received (site_id, source_id, id, arrived_at_ms, raw)", received)
    columns = "site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, at_console_id"
    store.insert(f"INSERT OR REPLACE INTO counts ({columns}, of_seller_id, hour)", in_force)


def in_force(store: Store, names: list[Name]) -> dict[Name, CountRow]:
    """Return the counts in force, by name."""
    found = {}
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        values = ", ".join(["(?, ?, ?)"] * len(some))
        for row in store.all(f"{_SELECT}(site_id, source_id, id) IN (VALUES {values})", list(chain(*some))):
            found[row[:3]] = CountRow(*row)
    return found


def of_site(store: Store, site_id: str, from_ms: int, to_ms: int) -> list[CountRow]:
    """Return the counts of a site whose interval begins in a period, its end included."""
    rows = store.all(
        _SELECT + "site_id = ? AND from_ms BETWEEN ? AND ? ORDER BY source_id, id",
        (site_id, from_ms, to_ms),
    )
    return [CountRow(*row) for row in rows]


def save_assignments(store: Store, changed: list[CountRow]) -> None:
    """Store to whom counts were assigned again."""
    store.run_many(
        "UPDATE counts SET at_console_id = ?, of_seller_id = ?, hour = ? WHERE (site_id, source_id, id) = (?, ?, ?)",
        [(c.at_console_id, c.of_seller_id, c.hour, c.site_id, c.source_id, c.id) for c in changed],
    )
