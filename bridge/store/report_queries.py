"""Read what reports need: counts from the rollups, and transactions and visitors, by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.store import counts, imports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.connection import Store

Group = tuple[str | None, ...]


class GroupCounts(NamedTuple):
    """The surveys of a group at one site, for one question and revision, affected by force majeure or not."""

    group: Group
    site_id: str
    question_id: str
    question_revision: int
    affected: int
    yes: int
    no: int
    cant_say: int
    silent: int
    error: int
    force_majeures: int
    asked: int
    ask_every_unknown: int


class Feed(NamedTuple):
    """One count of transactions or visitors, with the group that it belongs to."""

    group: Group
    site_id: str
    kind: str
    from_ms: int
    to_ms: int
    figure: int


_COUNT_COLUMNS = (
    "site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, at_console_id, of_seller_id, hour"
)
MERGED_COUNTS = (
    f"(SELECT {_COUNT_COLUMNS} FROM counts_change UNION ALL SELECT {_COUNT_COLUMNS} FROM counts"  # noqa: S608
    f" WHERE {counts.NOT_REPLACED})"
)


def _expressions(hour_or_day: str) -> dict[str, str]:
    """Return the SQL of each report column, for a table that has a local `hour`, or only a `day`."""
    day = "day" if hour_or_day == "day" else "substr(hour, 1, 10)"
    return {
        "site_id": "site_id",
        "console_id": "nullif(console_id, '')",
        "checkout_point_id": "nullif(checkout_point_id, '')",
        "seller_id": "nullif(seller_id, '')",
        "hour": "hour",
        "day": day,
        "week": f"strftime('%G-W%V', {day})",
        "month": f"substr({day}, 1, 7)",
    }


def _rollup(store: Store, grain: str) -> str:
    """Return the SQL of a rollup with what an import is adding to it."""
    rollup = f"rollup_{grain}"
    return f"(SELECT * FROM {rollup} UNION ALL SELECT * FROM {rollup}_change)" if imports.is_visible(store) else rollup  # noqa: S608


def group_counts(
    store: Store, columns: tuple[str, ...], from_day: str, to_day: str, question_id: str | None
) -> Iterator[GroupCounts]:
    """Yield the counts of surveys from `from_day` to `to_day`, its end not included, by group."""
    grain = "hour" if "hour" in columns else "day"
    sql_of = _expressions(grain)
    group = [sql_of[column] for column in columns]
    keys = ", ".join([*group, "site_id", "question_id", "question_revision", "affected"])
    sums = ", ".join(f"sum({name})" for name in GroupCounts._fields[5:])
    sql = (  # composed only of this module's own words
        f"SELECT {keys}, {sums} FROM {_rollup(store, grain)}"  # noqa: S608
        f" WHERE {grain} >= ? AND {grain} < ? AND (?3 IS NULL OR question_id = ?3) GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, (from_day, to_day, question_id)):
        if any(row[width + 4 :]):
            yield GroupCounts(tuple(row[:width]), *row[width:])


def unproved(
    store: Store, columns: tuple[str, ...], from_day: str, to_day: str, question_id: str | None
) -> Iterator[tuple[Group, str, int, int]]:
    """Yield (group, question_id, question_revision, how many) of surveys and force majeures that are not proved.

    Their events came with a wrong MAC, or without one although the console had signed before.
    """
    sql_of = _expressions("hour")
    keys = ", ".join([*(sql_of[column] for column in columns), "question_id", "question_revision"])
    sql = (  # composed only of this module's own words
        f"SELECT {keys}, count(*) FROM ("  # noqa: S608
        " SELECT s.* FROM"
        "  (SELECT DISTINCT epoch_key, coalesce(survey, seq) AS survey FROM event"
        "   WHERE mac IN (0, 3) AND type IN ('survey_opened', 'survey_closed'))"
        "  JOIN (SELECT epoch_key, survey, console_key, checkout_point_id, seller_id, question_id, question_revision,"
        "   hour FROM survey WHERE outcome <> 'open') AS s USING (epoch_key, survey)"
        " UNION ALL SELECT epoch_key, f.seq, console_key, checkout_point_id, seller_id, question_id, question_revision,"
        "  hour FROM event JOIN force_majeure AS f USING (epoch_key, seq) WHERE mac IN (0, 3)"
        ") JOIN console USING (console_key)"
        f" WHERE hour >= ? AND hour < ? AND (?3 IS NULL OR question_id = ?3) GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, (from_day, to_day, question_id)):
        yield tuple(row[:width]), *row[width:]


def feeds(store: Store, columns: tuple[str, ...], from_day: str, to_day: str) -> Iterator[Feed]:
    """Yield the counts whose local day of `from_ms` lies in the period, in order of `from_ms`."""
    sql_of = _expressions("hour") | {"console_id": "at_console_id", "seller_id": "of_seller_id"}
    keys = ", ".join([*(sql_of[column] for column in columns), "site_id"])
    counts = MERGED_COUNTS if imports.is_visible(store) else "counts"
    sql = (
        f"SELECT {keys}, kind, from_ms, to_ms, count FROM {counts} WHERE hour >= ? AND hour < ? ORDER BY from_ms, to_ms"  # noqa: S608 - no outside text
    )
    width = len(columns)
    for row in store.each(sql, (from_day, to_day)):
        yield Feed(tuple(row[:width]), *row[width:])
