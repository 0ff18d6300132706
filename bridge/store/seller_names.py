"""Read and store the names of sellers: the last one that any shift gave, and the last one of each site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import imports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.connection import Store


def seller_names(store: Store) -> dict[str, str]:
    """Return the name of each seller, for reports."""
    names = {str(seller): str(name) for seller, name in store.all("SELECT seller_id, seller_name FROM seller")}
    if imports.is_visible(store):
        names |= dict(store.all("SELECT seller_id, seller_name FROM seller_change WHERE seller_name <> ''"))
    return names


def names_at_sites(store: Store) -> dict[str, dict[str, str]]:
    """Return the name that shifts of each site gave to each seller, by seller and site."""
    sql = "SELECT seller_id, site_id, seller_name FROM seller_at_site"
    if imports.is_visible(store):
        sql += " UNION ALL SELECT seller_id, site_id, seller_name FROM seller_at_site_change"
    found: dict[str, dict[str, str]] = {}
    for seller_id, site_id, name in store.each(sql):
        found.setdefault(seller_id, {})[site_id] = name
    return found


def stage_names(store: Store, names: Iterable[tuple[str, str, str]]) -> None:
    """Stage the names of sellers, each (site_id, seller_id, seller_name); an empty one keeps the known name."""
    given = list(names)
    store.run_many(
        "INSERT INTO seller_change VALUES (?1, ?2) ON CONFLICT DO UPDATE SET seller_name = ?2 WHERE ?2 <> ''",
        [(seller_id, name) for _, seller_id, name in given],
    )
    store.run_many("INSERT OR REPLACE INTO seller_at_site_change VALUES (?, ?, ?)", [row for row in given if row[2]])


def staged_renames(store: Store) -> list[tuple[str, str, str, str]]:
    """Return (site_id, seller_id, name before, name after) of each seller who gets another name than the site knew.

    `site_id` is empty if that is the only site that knows the seller.
    """
    return store.all(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM seller_at_site AS other WHERE other.seller_id = new.seller_id"
        "  AND other.site_id <> new.site_id) THEN site_id ELSE '' END, seller_id, old.seller_name, new.seller_name"
        " FROM seller_at_site_change AS new JOIN seller_at_site AS old USING (seller_id, site_id)"
        " WHERE new.seller_name <> old.seller_name ORDER BY 2, 1"
    )


def staged_differences(store: Store) -> list[tuple[str, str, str, str, str]]:
    """Return (seller_id, site_id, name, another site_id, name there) of each staged name that another site has not.

    Capitals make no difference.
    """
    merged = (
        "SELECT seller_id, site_id, seller_name FROM seller_at_site_change UNION ALL SELECT * FROM ("
        " SELECT seller_id, site_id, seller_name FROM seller_at_site EXCEPT SELECT seller_id, site_id, old.seller_name"
        " FROM seller_at_site AS old JOIN seller_at_site_change USING (seller_id, site_id))"
    )
    return store.all(
        "SELECT new.seller_id, new.site_id, new.seller_name, min(other.site_id), other.seller_name"  # noqa: S608
        f" FROM seller_at_site_change AS new JOIN ({merged}) AS other ON other.seller_id = new.seller_id"
        " AND other.site_id <> new.site_id AND lower(other.seller_name) <> lower(new.seller_name)"
        " GROUP BY new.seller_id ORDER BY 1"
    )


def merge_names(store: Store) -> None:
    """Give sellers the names that were staged."""
    store.run("INSERT OR IGNORE INTO seller SELECT seller_id, seller_id FROM seller_change")
    store.run(
        "UPDATE seller SET seller_name = new.seller_name FROM seller_change AS new"
        " WHERE new.seller_id = seller.seller_id AND new.seller_name <> ''"
    )
    store.run("INSERT OR REPLACE INTO seller_at_site SELECT * FROM seller_at_site_change")
