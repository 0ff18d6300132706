"""Counts of transactions and visitors: as received, the one in force of each name, and whom it is assigned to."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.feed_faults import CountedInterval
from bridge.model.local_time import DAY_MS
from bridge.store import coverage, flags, imports
from bridge.store.coverage import LONG_MS, CountedTimes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.store.connection import Row, Store


COUNT_COLUMNS = (
    "site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, at_console_id, of_seller_id,"
    " hour, from_as, to_as"
)
_ALL_COLUMNS = COUNT_COLUMNS.split(", ")
NOT_REPLACED = (
    "NOT EXISTS (SELECT 1 FROM counts_change AS new WHERE new.site_id = counts.site_id"
    " AND new.source_id = counts.source_id AND new.id = counts.id)"
)
MERGED_COUNTS = (
    f"(SELECT {COUNT_COLUMNS} FROM counts_change UNION ALL SELECT {COUNT_COLUMNS} FROM counts WHERE {NOT_REPLACED})"  # noqa: S608
)
"""The counts in force with what an import is adding to them."""
_RECEIVED = "INSERT INTO counts_received (site_id, source_id, id, arrived_at_ms, raw)"

NAMES_AT_ONCE = 32
_QUARTER_MS = 15 * 60_000
_MONTH_MS = 32 * DAY_MS
Name = tuple[str, str, str]
"""(site_id, source_id, id)."""


class CountRow(NamedTuple):
    """The count in force of (site, source, id).

    `at_console_id`, `of_seller_id` and `hour` say whom it is assigned to; `from_as` and `to_as` are its times as typed.
    """

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
    from_as: str | None = None
    to_as: str | None = None


def keep(store: Store, received: list[tuple[str, str, str, int, str]], in_force: list[CountRow]) -> None:
    """Keep counts as received, each (site_id, source_id, id, arrived_at_ms, raw), and put some in force."""
    store.insert(_RECEIVED, received)
    put_in_force(store, in_force)


def put_in_force(store: Store, rows: list[CountRow]) -> None:
    """Put counts in force, or store to whom they are assigned now: while an import is under way, beside the others."""
    flags.mark_due(store, {row.hour[:7] for row in rows})
    if imports.is_accepted(store):
        stage(store, [(row, None) for row in rows])
    else:
        _replace(store, rows)


def _replace(store: Store, rows: Sequence[Row]) -> None:
    """Put counts in the place of those with the same names."""
    coverage.mark_counts_named(store, [row[:3] for row in rows])
    coverage.mark_counts(store, [CountedTimes(row[0], row[11], row[4], row[5]) for row in rows])
    flags.mark_due(store, {row[11][:7] for row in rows})
    store.insert(f"INSERT OR REPLACE INTO counts ({COUNT_COLUMNS})", rows)


def stage(store: Store, counts: list[tuple[CountRow, str | None]]) -> None:
    """Stage counts, each with its text as received, or None if that is kept already."""
    replaced = ", ".join(f"{name} = excluded.{name}" for name in _ALL_COLUMNS[3:])
    store.run_many(
        f"INSERT INTO counts_change ({COUNT_COLUMNS}, raw) VALUES ({', '.join('?' * (len(_ALL_COLUMNS) + 1))})"  # noqa: S608 - no outside text
        f" ON CONFLICT DO UPDATE SET {replaced}, raw = coalesce(excluded.raw, raw)",
        [(*row, raw) for row, raw in counts],
    )


def staged_additions(store: Store) -> list[tuple[str, str, int, int, int]]:
    """Return (site_id, source_id, how many, from_ms, to_ms) of the staged counts that replace none."""
    return store.all(
        "SELECT site_id, source_id, count(*), min(from_ms), max(to_ms) FROM counts_change AS new WHERE NOT EXISTS"
        " (SELECT 1 FROM counts AS old WHERE (old.site_id, old.source_id, old.id)"
        " = (new.site_id, new.source_id, new.id)) GROUP BY 1, 2"
    )


def periods_of_staged(store: Store) -> list[tuple[str, int, int]]:
    """Return (site_id, first from_ms, last from_ms) of each site with staged counts."""
    return store.all("SELECT site_id, min(from_ms), max(from_ms) FROM counts_change GROUP BY 1")


def merge_some(store: Store, limit: int) -> bool:
    """Put some of the staged counts in force; return whether there were any."""
    rows = store.all(f"SELECT {COUNT_COLUMNS}, raw FROM counts_change LIMIT ?", (limit,))  # noqa: S608 - no outside text
    store.insert(_RECEIVED, [(*row[:3], store.now_ms, row[-1]) for row in rows if row[-1] is not None])
    _replace(store, [row[:-1] for row in rows])
    store.run_many(
        "DELETE FROM counts_change WHERE site_id = ? AND source_id = ? AND id = ?", [row[:3] for row in rows]
    )
    return bool(rows)


def intervals(store: Store, hours: tuple[str, str], site_id: str, *, with_staged: bool) -> Iterator[CountedInterval]:
    """Yield a site's counts whose local hour is in [from, to), in the order that `find_faults` needs.

    Sources without any interval of a quarter of an hour, tills that send each sale, are left out.
    """
    table = MERGED_COUNTS if with_staged else "counts"
    where = "site_id = ?3 AND hour >= ?1 AND hour < ?2"
    sql = (  # composed only of this module's own words
        "SELECT site_id, kind, source_id, hour, from_ms, to_ms, count, checkout_point_id, seller_id"  # noqa: S608
        f" FROM {table} WHERE {where} AND (kind, source_id) IN (SELECT kind, source_id FROM {table}"
        f" WHERE {where} AND to_ms - from_ms >= {_QUARTER_MS})"
        " ORDER BY kind, source_id, from_ms, to_ms DESC, checkout_point_id, seller_id"
    )
    yield from (CountedInterval(*row) for row in store.each(sql, (*hours, site_id)))


def begun_before(store: Store, site_id: str, at_ms: int, *, of_somebody: bool, with_staged: bool) -> set[str]:
    """Return the kinds of the counts at a site that begin before an instant, by a month at most, and end after it.

    With `of_somebody`, only of those that name a checkout point or a seller.
    """
    where = (
        "site_id = ?1 AND from_ms > ?2 AND from_ms < ?3 AND to_ms > ?3"
        " AND (NOT ?4 OR coalesce(checkout_point_id, seller_id) IS NOT NULL)"
    )
    long = f"SELECT kind FROM counts INDEXED BY counts_long WHERE {where} AND to_ms - from_ms > {LONG_MS}"  # noqa: S608
    recent = f"SELECT kind FROM counts WHERE {where} AND from_ms > ?3 - {LONG_MS} - 1"  # noqa: S608
    sql = f"SELECT kind FROM {MERGED_COUNTS} WHERE {where}" if with_staged else f"{long} UNION {recent}"  # noqa: S608
    return {str(kind) for (kind,) in store.all(sql, (site_id, at_ms - _MONTH_MS, at_ms, of_somebody))}


def days_of_staged(store: Store) -> list[tuple[str, str, str]]:
    """Return (site_id, first local day, last local day) of each site with staged counts."""
    days = "min(substr(hour, 1, 10)), max(substr(hour, 1, 10))"
    return store.all(f"SELECT site_id, {days} FROM counts_change GROUP BY 1")  # noqa: S608 - no outside text


def in_force(store: Store, names: list[Name]) -> dict[Name, CountRow]:
    """Return the counts in force, by name, for those who write."""
    found = {}
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        values = ", ".join(["(?, ?, ?)"] * len(some))
        where = f"(site_id, source_id, id) IN (VALUES {values})"
        for row in _rows(store, where, list(chain(*some))):
            found[row[:3]] = CountRow(*row)
    return found


def some_of_site(
    store: Store, site_id: str, from_ms: int, to_ms: int, after: Name | None, limit: int
) -> list[CountRow]:
    """Return the next counts of a site, by name, whose interval begins in a period, its end included."""
    where = "site_id = ? AND (source_id, id) > (?, ?) AND from_ms BETWEEN ? AND ? ORDER BY source_id, id LIMIT ?"
    _, source_id, count_id = after or (site_id, "", "")
    rows = sorted(_rows(store, where, (site_id, source_id, count_id, from_ms, to_ms, limit)))
    return [CountRow(*row) for row in rows[:limit]]


def some_typed(store: Store, site_id: str, after: Name | None, limit: int) -> list[CountRow]:
    """Return the next counts of a site, by name, that have times as typed."""
    _, source_id, count_id = after or (site_id, "", "")
    rows = store.all(
        f"SELECT {COUNT_COLUMNS} FROM counts WHERE site_id = ? AND (source_id, id) > (?, ?)"  # noqa: S608 - no outside text
        " AND (from_as IS NOT NULL OR to_as IS NOT NULL) ORDER BY source_id, id LIMIT ?",
        (site_id, source_id, count_id, limit),
    )
    return [CountRow(*row) for row in rows]


def nameless(store: Store, site_id: str, source_id: str, kind: str, from_ms: int) -> list[tuple[str, str | None]]:
    """Return (id, `from` as typed) of the counts that a source gave no id, of a kind and from an instant on."""
    return store.all(
        "SELECT id, from_as FROM counts WHERE site_id = ?1 AND from_ms = ?4 AND source_id = ?2 AND kind = ?3"
        " AND substr(id, 1, length(?3) + 1) = ?3 || ':' ORDER BY id",
        (site_id, source_id, kind, from_ms),
    )


def _rows(store: Store, where: str, bindings: Sequence[Any]) -> Iterator[Row]:
    """Yield the counts in force for those who write: with an accepted import, those that it does not replace first."""
    if not imports.is_accepted(store):
        yield from store.all(f"SELECT {COUNT_COLUMNS} FROM counts WHERE {where}", bindings)  # noqa: S608 - no outside text
        return
    yield from store.all(f"SELECT {COUNT_COLUMNS} FROM counts WHERE {NOT_REPLACED} AND {where}", bindings)  # noqa: S608
    yield from store.all(f"SELECT {COUNT_COLUMNS} FROM counts_change WHERE {where}", bindings)  # noqa: S608
