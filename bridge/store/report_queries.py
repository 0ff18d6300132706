"""Read what reports need: counts from the rollups, and transactions and visitors, by group."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.local_time import DAY_MS, months_within
from bridge.store import counts, coverage, imports, rollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.connection import Store
    from bridge.store.rollups import Level

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


class SetAsideCounts(NamedTuple):
    """Those of the surveys of a group that a manager set aside, with the rule, the reason, and who did so when."""

    group: Group
    site_id: str
    question_id: str
    question_revision: int
    affected: int
    rule: str
    reason: str
    who: str
    set_at_ms: int
    yes: int
    no: int
    cant_say: int
    silent: int
    error: int


CountsOfGroup = GroupCounts | SetAsideCounts


class TimeCounts(NamedTuple):
    """The surveys from one local hour to another, at a checkout point, of a seller, question and revision.

    Errors are not counted. A checkout point or seller that there is not is empty.
    """

    group: Group
    site_id: str
    checkout_point_id: str
    seller_id: str
    question_id: str
    question_revision: int
    first_hour: str
    last_hour: str
    surveys: int
    asked: int


class OpenedSurvey(NamedTuple):
    """A survey that counts, with the instant at which it was opened and the hour that it is counted under."""

    group: Group
    site_id: str
    checkout_point_id: str
    seller_id: str
    hour: str
    question_id: str
    question_revision: int
    opened_at_ms: int
    asked: int


class FeedRun(NamedTuple):
    """Counts of transactions or visitors that follow each other without a gap, of one group and one seller on shift.

    `parts` are their intervals and figures; `known_from_ms` and `known_to_ms` are the time that they say something of.
    """

    group: Group
    site_id: str
    checkout_point_id: str  # as sent; empty: for the whole site
    sent_seller_id: str  # empty: not sent
    kind: str
    seller_id: str | None
    known_from_ms: int
    known_to_ms: int
    parts: list[tuple[int, int, int]]


class Selection(NamedTuple):
    """What a report counts: local days, `to_day` not included, and what it is limited to; None is no limit.

    A console is named SITE/CONSOLE, which no other pair of ids can spell.
    """

    from_day: str
    to_day: str
    question_id: str | None = None
    site_ids: tuple[str, ...] | None = None
    consoles: tuple[str, ...] | None = None
    seller_ids: tuple[str, ...] | None = None

    def where(self, grain: str, console: str = "console_id", *, by_survey: bool = True) -> tuple[str, list[Any]]:
        """Return the SQL condition and its bindings for a table with a column `grain`, `hour` or `day`.

        Without `by_survey`, the table has neither questions nor the sellers that surveys have.
        """
        conditions, bindings = [f"{grain} >= ?", f"{grain} < ?"], [self.from_day, self.to_day]
        limits = {"site_id": self.site_ids, f"site_id || '/' || {console}": self.consoles}
        if by_survey:
            limits["seller_id"] = self.seller_ids
            limits["question_id"] = None if self.question_id is None else (self.question_id,)
        for column, values in limits.items():
            if values is not None:
                conditions.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - no outside text
                bindings.append(json.dumps(values))
        return " AND ".join(conditions), bindings


_PLACES, _DAYS = {"console_id", "checkout_point_id"}, {"day", "week"}
_SHARED = "checkout_point_id IS NOT NULL AND seller_id IS NULL"


def expressions(period: str) -> dict[str, str]:
    """Return the SQL of each report column, for a table that has a local `hour`, or only a `day` or `month`."""
    day = "substr(hour, 1, 10)" if period == "hour" else "day"
    return {
        "site_id": "site_id",
        "console_id": "nullif(console_id, '')",
        "checkout_point_id": "nullif(checkout_point_id, '')",
        "seller_id": "nullif(seller_id, '')",
        "hour": "hour",
        "day": day,
        "week": f"strftime('%G-W%V', {day})",
        "month": "month" if period == "month" else f"substr({day}, 1, 7)",
    }


def _rollup(store: Store, level: Level) -> str:
    """Return the SQL of a rollup with what an import is adding to it."""
    table = level.table
    return f"(SELECT * FROM {table} UNION ALL SELECT * FROM {table}_change)" if imports.is_visible(store) else table  # noqa: S608


def _levels(columns: tuple[str, ...], selection: Selection) -> list[tuple[Level, Selection]]:
    """Return the smallest rollups that together have what is asked for, each with the part of it to read there.

    Whole months are read by the month, and the days before and after them by the day.
    """
    by_console = selection.consoles is not None or not _PLACES.isdisjoint(columns)
    by_day, by_month = (rollups.DAY, rollups.MONTH) if by_console else (rollups.SITE_DAY, rollups.SITE_MONTH)
    if "hour" in columns:
        return [(rollups.HOUR, selection)]
    days = date.fromisoformat(selection.from_day), date.fromisoformat(selection.to_day)
    first, last = months_within(*days)
    if first >= last or not _DAYS.isdisjoint(columns):
        return [(by_day, selection)]
    of_months = selection._replace(from_day=first, to_day=last)
    before, after = selection._replace(to_day=f"{first}-01"), selection._replace(from_day=f"{last}-01")
    edges = [(by_day, edge) for edge in (before, after) if edge.from_day < edge.to_day]
    return [(by_month, of_months), *edges]


def _counts(store: Store) -> str:
    """Return the SQL of the counts in force with what an import is adding to them."""
    return counts.MERGED_COUNTS if imports.is_visible(store) else "counts"


def group_counts(store: Store, columns: tuple[str, ...], selection: Selection) -> Iterator[GroupCounts]:
    """Yield the counts of the selected surveys by group; those of one group may come in several parts."""
    for level, part in _levels(columns, selection):
        yield from _counts_at(store, columns, level, part)


def _counts_at(store: Store, columns: tuple[str, ...], level: Level, selection: Selection) -> Iterator[GroupCounts]:
    sql_of = expressions(level.period)
    group = [sql_of[column] for column in columns]
    keys = ", ".join([*group, "site_id", "question_id", "question_revision", "affected"])
    sums = ", ".join(f"sum({name})" for name in GroupCounts._fields[5:])
    where, bindings = selection.where(level.period)
    sql = f"SELECT {keys}, {sums} FROM {_rollup(store, level)} WHERE {where} GROUP BY {keys}"  # noqa: S608 - no outside text
    width = len(columns)
    for row in store.each(sql, bindings):
        if any(row[width + 4 :]):
            yield GroupCounts(tuple(row[:width]), *row[width:])


def set_aside_counts(store: Store, columns: tuple[str, ...], selection: Selection) -> Iterator[SetAsideCounts]:
    """Yield the selected surveys that are set aside; one set aside for two rules counts for the first."""
    sql_of = expressions("hour")
    keys = ", ".join([*(sql_of[column] for column in columns), "site_id", "question_id", "question_revision"])
    where, bindings = selection.where("hour")
    sums = ", ".join(f"CAST(total(outcome = '{name}') AS INTEGER)" for name in SetAsideCounts._fields[9:])
    sql = (
        f"SELECT {keys}, affected, rule, reason, who, set_at_ms, {sums} FROM"  # noqa: S608 - no outside text
        " (SELECT epoch_key, survey, min(rule) AS rule, reason, who, set_at_ms FROM survey_set_aside GROUP BY 1, 2)"
        " CROSS JOIN (SELECT epoch_key, survey, console_key, checkout_point_id, seller_id, question_id,"
        "  question_revision, hour, affected, outcome FROM survey WHERE outcome <> 'open') USING (epoch_key, survey)"
        f" JOIN console USING (console_key) WHERE {where} GROUP BY {keys}, affected, rule, reason, who, set_at_ms"
    )
    width = len(columns)
    for row in store.each(sql, bindings):
        yield SetAsideCounts(tuple(row[:width]), *row[width:])


def counts_of_groups(store: Store, columns: tuple[str, ...], selection: Selection) -> Iterator[CountsOfGroup]:
    """Yield the counts of the selected surveys by group, then those of them that are set aside."""
    yield from group_counts(store, columns, selection)
    yield from set_aside_counts(store, columns, selection)


def unproved(store: Store, columns: tuple[str, ...], selection: Selection) -> Iterator[tuple[Group, str, int, int]]:
    """Yield (group, question_id, question_revision, how many) of surveys and force majeures that are not proved.

    Their events came with a wrong MAC, or without one although the console had signed before.
    """
    sql_of = expressions("hour")
    keys = ", ".join([*(sql_of[column] for column in columns), "question_id", "question_revision"])
    where, bindings = selection.where("hour")
    sql = (  # composed only of this module's own words
        f"SELECT {keys}, count(*) FROM ("  # noqa: S608
        " SELECT s.* FROM"
        "  (SELECT DISTINCT epoch_key, coalesce(survey, seq) AS survey FROM event"
        "   WHERE mac IN (0, 3) AND type IN ('survey_opened', 'survey_closed'))"
        "  JOIN (SELECT epoch_key, survey, console_key, checkout_point_id, seller_id, question_id, question_revision,"
        "   hour FROM survey WHERE outcome <> 'open') AS s USING (epoch_key, survey)"
        " UNION ALL SELECT epoch_key, f.seq, console_key, checkout_point_id, seller_id, question_id, question_revision,"
        "  hour FROM event JOIN force_majeure AS f USING (epoch_key, seq) WHERE mac IN (0, 3)"
        f") JOIN console USING (console_key) WHERE {where} GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, bindings):
        yield tuple(row[:width]), *row[width:]


def silents_drawn(
    store: Store, columns: tuple[str, ...], selection: Selection, draw: int
) -> Iterator[tuple[Group, int, int, int]]:
    """Yield (group, question_revision, affected, how many) of the selected silents that are in a draw."""
    sql_of = expressions("hour")
    keys = ", ".join([*(sql_of[column] for column in columns), "question_revision", "affected"])
    where, bindings = selection.where("hour")
    sql = (
        f"SELECT {keys}, count(*) FROM silent_drawn CROSS JOIN survey USING (epoch_key, survey)"  # noqa: S608 - no outside text
        f" JOIN console USING (console_key) WHERE draw = ? AND outcome = 'silent' AND {where} GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, [draw, *bindings]):
        yield tuple(row[:width]), *row[width:]


def feeds(
    store: Store, columns: tuple[str, ...], selection: Selection, *, by_seller: bool, sale_ms: int, around_ms: int
) -> Iterator[FeedRun]:
    """Yield the counts whose local day of `from_ms` lies in the period, whoever the seller is, in runs.

    An interval shorter than `sale_ms` stands for the time `around_ms` before and after it. Without `by_seller`, a run
    goes on where the seller changes.
    """
    sql_of = expressions("hour") | {"console_id": "at_console_id", "seller_id": "of_seller_id"}
    keys = [sql_of[column] for column in columns] + ["site_id", "checkout_point_id", "seller_id", "kind"]
    keys.append("of_seller_id" if by_seller else "NULL")
    where, bindings = selection.where("hour", "at_console_id", by_survey=False)
    where += " AND site_id IN (SELECT site_id FROM site) AND from_ms >= ? AND from_ms < ?"  # by the index counts_when
    bindings += [_utc_ms(selection.from_day) - DAY_MS, _utc_ms(selection.to_day) + DAY_MS]
    around = "iif(to_ms - from_ms < ?, ?, 0)"
    sql = (
        f"SELECT {', '.join(keys)}, from_ms - {around} AS known_from_ms, to_ms + {around}, from_ms, to_ms, count"  # noqa: S608 - no outside text
        f" FROM {_counts(store)} WHERE {where} ORDER BY {', '.join(map(str, range(1, len(keys) + 1)))}, known_from_ms"
    )
    width, key, run = len(columns), None, None
    for row in store.each(sql, [*[sale_ms, around_ms] * 2, *bindings]):
        *_, from_ms, to_ms, begins_ms, ends_ms, figure = row
        if run is not None and row[:-5] == key and from_ms <= run[1]:
            run[2].append((begins_ms, ends_ms, figure))
            run[1] = max(run[1], to_ms)
            continue
        if run is not None and key is not None:
            yield _run(key, width, run)
        key, run = row[:-5], [from_ms, to_ms, [(begins_ms, ends_ms, figure)]]
    if run is not None and key is not None:
        yield _run(key, width, run)


def _utc_ms(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS


def _run(key: tuple[Any, ...], width: int, run: list[Any]) -> FeedRun:
    site_id, point, sent_seller, kind, seller = key[width:]
    return FeedRun(key[:width], site_id, point or "", sent_seller or "", kind, seller, *run)


def longest_shared_count_ms(store: Store) -> int:
    """Return how long counts that sellers share are at most: those of a checkout point, and of no seller as sent."""
    table = _counts(store) if imports.is_visible(store) else "counts INDEXED BY counts_long"
    is_long = f"to_ms - from_ms > {coverage.LONG_MS}"
    row = store.one(f"SELECT max(to_ms - from_ms) FROM {table} WHERE {is_long} AND {_SHARED}")  # noqa: S608 - no outside text
    return 1 + (int(row[0]) if row and row[0] is not None else coverage.LONG_MS)


def span_of_shared_counts(
    store: Store, site_id: str, checkout_point_id: str, span: tuple[int, int], longest_ms: int
) -> tuple[int, int] | None:
    """Return the time of all counts of a checkout point that sellers share and that reach into a span of time."""
    row = store.one(
        "SELECT min(from_ms), max(max(to_ms, from_ms + 1))"  # noqa: S608 - no outside text
        f" FROM {_counts(store)} WHERE {_SHARED} AND site_id = ?"
        " AND checkout_point_id = ? AND from_ms > ? AND from_ms < ? AND max(to_ms, from_ms + 1) > ?",
        (site_id, checkout_point_id, span[0] - longest_ms, span[1], span[0]),
    )
    return (int(row[0]), int(row[1])) if row and row[0] is not None else None


def hours_without_seller(store: Store, selection: Selection) -> list[tuple[str, str, str]]:
    """Return (site_id, checkout_point_id, hour) of all surveys of no seller, as far as counts of the period reach."""
    of_counts, bindings = selection.where("hour", "at_console_id", by_survey=False)
    where, more = Selection(selection.from_day, "a", site_ids=selection.site_ids).where("hour")
    sql = (
        f"SELECT DISTINCT site_id, checkout_point_id, hour FROM {_rollup(store, rollups.HOUR)} WHERE {where}"  # noqa: S608 - no outside text
        " AND hour < (SELECT strftime('%Y-%m-%d', max(to_ms) / 1000, 'unixepoch', '+2 days')"
        f" FROM {_counts(store)} WHERE {of_counts})"
        " AND seller_id = '' AND yes + no + cant_say + silent > 0"
    )
    return store.all(sql, [*more, *bindings])


def counts_in_time(
    store: Store, columns: tuple[str, ...], selection: Selection, *, by_hour: bool
) -> Iterator[TimeCounts]:
    """Yield the counts of the selected surveys on each day, or in each hour, with the first and last hour of them."""
    sql_of = expressions("hour")
    keys = ", ".join(
        [
            *(sql_of[column] for column in columns),
            "site_id, checkout_point_id, seller_id, question_id, question_revision",
        ]
    )
    where, bindings = selection.where("hour")
    sql = (
        f"SELECT {keys}, min(hour), max(hour), CAST(total(yes + no + cant_say + silent) AS INTEGER),"  # noqa: S608 - no outside text
        f" CAST(total(asked) AS INTEGER) FROM {_rollup(store, rollups.HOUR)} WHERE {where}"
        f" GROUP BY {keys}, {'hour' if by_hour else 'substr(hour, 1, 10)'}"
    )
    width = len(columns)
    for row in store.each(sql, bindings):
        yield TimeCounts(tuple(row[:width]), *row[width:])


def surveys_opened(
    store: Store, columns: tuple[str, ...], selection: Selection, site_id: str, from_ms: int, to_ms: int
) -> Iterator[OpenedSurvey]:
    """Yield the selected surveys of a site that were opened in a span of time, one by one, and count."""
    sql_of = expressions("hour")
    keys = ", ".join([*(sql_of[column] for column in columns), "site_id"])
    where, bindings = selection.where("hour")
    sql = (
        f"SELECT {keys}, coalesce(checkout_point_id, ''), coalesce(seller_id, ''), hour, question_id,"  # noqa: S608 - no outside text
        " question_revision, opened_at_ms, coalesce(ask_every, 1) FROM console JOIN survey USING (console_key)"
        " WHERE site_id = ? AND opened_at_ms >= ? AND opened_at_ms < ? AND outcome NOT IN ('open', 'error')"
        f" AND {where}"
    )
    width = len(columns)
    for row in store.each(sql, [site_id, from_ms, to_ms, *bindings]):
        yield OpenedSurvey(tuple(row[:width]), *row[width:])


def last_day_with_surveys(store: Store) -> str | None:
    """Return the last local day that has surveys or force majeures; None if there are none."""
    row = store.one("SELECT max(day) FROM rollup_day")
    return None if row is None or row[0] is None else str(row[0])


def days_with_surveys(store: Store, selection: Selection) -> list[str]:
    """Return all days on which there are surveys or force majeures of what is selected, whatever its days."""
    where, bindings = selection._replace(from_day="", to_day="a").where("day")
    level = rollups.SITE_DAY if selection.consoles is None else rollups.DAY
    sql = f"SELECT DISTINCT day FROM {_rollup(store, level)} WHERE {where} ORDER BY 1"  # noqa: S608 - no outside text
    return [str(row[0]) for row in store.all(sql, bindings)]


def sites_that_sampled(store: Store) -> set[str]:
    """Return the sites where some console was ever told to ask only every n-th customer."""
    rows = store.all("SELECT DISTINCT site_id FROM settings_sent WHERE json_extract(payload, '$.ask_every') <> 1")
    return {str(row[0]) for row in rows}
