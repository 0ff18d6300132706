"""Read what the flags' rules need of a month, in portions that take a tenth of a second at most."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.rules import SOON_MS
from bridge.model.flags.site_feed import SALE_MS, AskedSurvey, SalesCount, SalesOfHour
from bridge.model.local_time import DAY_MS, hour_of, period_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.connection import Row, Store

LONGEST_SURVEY_MS = 3_600_000  # longer ones, which no console makes, are not looked for before a force majeure


class SiteMonth(NamedTuple):
    """A month at a site: its instants [from_ms, to_ms), and the site's consoles as (console_key, console_id)."""

    site_id: str
    timezone: str
    month: str
    from_ms: int
    to_ms: int
    consoles: list[tuple[int, str]]


def days_of(from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    """Yield a span of time in portions of 24 hours at most."""
    for start_ms in range(from_ms, to_ms, DAY_MS):
        yield start_ms, min(start_ms + DAY_MS, to_ms)


def sites_in_month(store: Store, month: str) -> list[SiteMonth]:
    """Return all sites, each with its own instants of a month."""
    consoles: dict[str, list[tuple[int, str]]] = {}
    for key, site_id, console_id in store.all("SELECT console_key, site_id, console_id FROM console ORDER BY 1"):
        consoles.setdefault(site_id, []).append((key, console_id))
    rows = store.all("SELECT site_id, timezone FROM site ORDER BY 1")
    return [
        SiteMonth(site_id, timezone, month, *period_of("month", month, timezone), consoles.get(site_id, []))
        for site_id, timezone in rows
    ]


def answers_by_hour(store: Store, day: str) -> list[Row]:
    """Return (site_id, seller_id, question_id, hour, no, yes, surveys, errors) of a day, from the rollups."""
    return store.all(
        "SELECT site_id, seller_id, question_id, substr(hour, 1, 13), CAST(total(no) AS INTEGER),"
        " CAST(total(yes) AS INTEGER), CAST(total(yes + no + cant_say + silent) AS INTEGER),"
        " CAST(total(error) AS INTEGER) FROM rollup_hour"
        " WHERE hour >= ? AND hour < ? AND seller_id <> '' GROUP BY 1, 2, 3, 4",
        (day, f"{day}U"),
    )


def asked_surveys(store: Store, console_key: int, site: SiteMonth, seller_id: str | None = None) -> list[AskedSurvey]:
    """Return the surveys of a console that count and have a seller, or of one of them, in order of their opening."""
    rows = store.all(
        "SELECT opened_at_ms, seller_id, checkout_point_id, hour, coalesce(ask_every, 1),"
        " CASE outcome WHEN 'yes' THEN response_ms / 250 END, epoch_key, survey FROM survey"
        " WHERE console_key = ?1 AND opened_at_ms >= ?2 AND opened_at_ms < ?3 AND outcome NOT IN ('open', 'error')"
        " AND seller_id IS NOT NULL AND (?4 IS NULL OR seller_id = ?4) ORDER BY opened_at_ms",
        (console_key, site.from_ms, site.to_ms, seller_id),
    )
    return list(map(AskedSurvey._make, rows))


def sales(store: Store, site: SiteMonth, from_ms: int, to_ms: int) -> tuple[list[SalesOfHour], list[SalesCount]]:
    """Return the counts of transactions at a site that begin in [from_ms, to_ms): those of less than SALE_MS by hour.

    There are millions of these, and SQLite puts them together in less time than it takes to read them one by one.
    """
    rows = store.all(
        "SELECT to_ms - from_ms < ?4, checkout_point_id, seller_id, of_seller_id, hour, count, group_concat(from_ms),"
        " max(to_ms) FROM counts WHERE site_id = ?1 AND from_ms >= ?2 AND from_ms < ?3 AND kind = 'transactions'"
        " GROUP BY 2, 5, 4, 3, 6, 1",
        (site.site_id, from_ms, to_ms, SALE_MS),
    )
    hours = [SalesOfHour._make((*row[1:6], list(map(int, row[6].split(","))), row[7])) for row in rows if row[0]]
    return hours, _long_counts(store, site, from_ms, to_ms) if len(hours) < len(rows) else []


def _long_counts(store: Store, site: SiteMonth, from_ms: int, to_ms: int) -> list[SalesCount]:
    rows = store.all(
        "SELECT from_ms, to_ms, count, checkout_point_id, counts.seller_id, of_seller_id, hour,"
        " counts.seller_id IS NOT NULL OR coalesce("
        "  (SELECT ended_at_ms FROM shift JOIN console USING (console_key) WHERE console.site_id = counts.site_id"
        "   AND console_id = at_console_id AND started_at_ms <= from_ms ORDER BY started_at_ms DESC LIMIT 1), 0)"
        "  >= to_ms"
        " FROM counts WHERE site_id = ?1 AND from_ms >= ?2 AND from_ms < ?3 AND kind = 'transactions'"
        " AND to_ms - from_ms >= ?4",
        (site.site_id, from_ms, to_ms, SALE_MS),
    )
    return [SalesCount._make((*row[:7], hour_of(row[1] - 1, site.timezone), bool(row[7]))) for row in rows]


NO_THEN_FORCE_MAJEURE = (  # composed of this module's own numbers
    "SELECT DISTINCT s.epoch_key, s.survey, s.seller_id FROM force_majeure AS f"  # noqa: S608
    " CROSS JOIN survey AS s ON s.console_key = f.console_key"  # in this order: force majeures are few
    f" AND s.opened_at_ms BETWEEN f.dated_at_ms - {SOON_MS + LONGEST_SURVEY_MS} AND f.dated_at_ms"
    f" AND s.closed_at_ms BETWEEN f.dated_at_ms - {SOON_MS} AND f.dated_at_ms"
    f" WHERE f.console_key = ?1 AND f.dated_at_ms >= ?2 AND f.dated_at_ms < ?3 + {SOON_MS + LONGEST_SURVEY_MS}"
    " AND s.outcome = 'no' AND s.opened_at_ms >= ?2 AND s.opened_at_ms < ?3 AND s.seller_id IS NOT NULL"
)
FORCE_MAJEURE_WHILE_OPEN = (
    "SELECT DISTINCT s.epoch_key, s.survey, s.seller_id FROM force_majeure AS f"  # noqa: S608 - see above
    " JOIN survey AS s ON s.epoch_key = f.epoch_key AND s.survey = f.survey"
    f" WHERE f.console_key = ?1 AND f.dated_at_ms >= ?2 AND f.dated_at_ms < ?3 + {LONGEST_SURVEY_MS}"
    " AND s.outcome NOT IN ('open', 'error') AND s.opened_at_ms >= ?2 AND s.opened_at_ms < ?3"
    " AND s.seller_id IS NOT NULL"
)


def near_force_majeures(store: Store, sql: str, console_key: int, site: SiteMonth) -> list[tuple[int, int, str]]:
    """Return (epoch_key, survey, seller_id) of one of the queries above, for a console's month."""
    return store.all(sql, (console_key, site.from_ms, site.to_ms))


def strays(store: Store, from_ms: int, to_ms: int) -> list[tuple[int, int, str, int, int]]:
    """Return (console_key, dated_at_ms, seller_id, epoch_key, seq) of the stray presses of answers by date."""
    return store.all(
        "SELECT * FROM (SELECT console_key, dated_at_ms, (SELECT iif(ended_at_ms > dated_at_ms, seller_id, NULL)"
        "   FROM shift WHERE shift.console_key = epoch.console_key AND started_at_ms <= dated_at_ms"
        "   ORDER BY started_at_ms DESC LIMIT 1) AS seller_id, epoch_key, seq"
        "  FROM event INDEXED BY event_stray JOIN epoch USING (epoch_key) WHERE type = 'stray_pressed'"
        "  AND dated_at_ms >= ? AND dated_at_ms < ? AND json_extract(raw, '$.button') <> 'seller')"
        " WHERE seller_id IS NOT NULL",
        (from_ms, to_ms),
    )


# Of one seller --------------------------------------------------------------------------------------------------------


def consoles_of_seller(
    store: Store, seller_id: str, month: str, sites: list[SiteMonth]
) -> Iterator[tuple[SiteMonth, int]]:
    """Yield the consoles that have surveys of a seller in a month, each with the month at its site."""
    rows = store.all(
        "SELECT DISTINCT site_id, console_id FROM rollup_day WHERE day >= ?1 || '-01' AND day <= ?1 || '-31'"
        " AND seller_id = ?2 ORDER BY 1, 2",
        (month, seller_id),
    )
    by_id = {site.site_id: site for site in sites}
    for site_id, console_id in rows:
        for console_key, known_id in by_id[site_id].consoles:
            if known_id == console_id:
                yield by_id[site_id], console_key


def errors(store: Store, console_key: int, site: SiteMonth, seller_id: str) -> list[tuple[int, int]]:
    """Return (epoch_key, survey) of a seller's errors at a console."""
    return store.all(
        "SELECT epoch_key, survey FROM survey WHERE console_key = ? AND opened_at_ms >= ? AND opened_at_ms < ?"
        " AND outcome = 'error' AND seller_id = ?",
        (console_key, site.from_ms, site.to_ms, seller_id),
    )


def before_strays(store: Store, console_key: int, site: SiteMonth, seller_id: str) -> list[tuple[int, int]]:
    """Return (epoch_key, survey) of the seller's survey before each of his stray presses at a console."""
    found = []
    for at_console, _, of_seller, epoch_key, seq in strays(store, site.from_ms, site.to_ms):
        if (at_console, of_seller) == (console_key, seller_id):
            row = store.one(
                "SELECT survey, seller_id, opened_at_ms FROM survey WHERE epoch_key = ? AND survey < ?"
                " ORDER BY survey DESC LIMIT 1",
                (epoch_key, seq),
            )
            if row and row[1] == seller_id and row[2] >= site.from_ms:
                found.append((epoch_key, row[0]))
    return found


class OutcomeCount(NamedTuple):
    """How many surveys of a question had an outcome, affected by force majeure or not."""

    question_id: str
    question_revision: int
    affected: int
    yes: int
    no: int
    cant_say: int
    silent: int


_SUMS = ", ".join(f"CAST(total({name}) AS INTEGER)" for name in OutcomeCount._fields[3:])
_ONES = ", ".join(f"CAST(total(outcome = '{name}') AS INTEGER)" for name in OutcomeCount._fields[3:])


def outcomes_of_seller(store: Store, seller_id: str, month: str) -> list[OutcomeCount]:
    """Return the outcomes of a seller's month."""
    rows = store.all(
        f"SELECT question_id, question_revision, affected, {_SUMS} FROM rollup_day"  # noqa: S608 - no outside text
        " WHERE day >= ?1 || '-01' AND day <= ?1 || '-31' AND seller_id = ?2 GROUP BY 1, 2, 3",
        (month, seller_id),
    )
    return [OutcomeCount(*row) for row in rows]


def outcomes_of_surveys(store: Store, keys: list[tuple[int, int]]) -> list[OutcomeCount]:
    """Return the outcomes of surveys, given as (epoch_key, survey)."""
    rows = store.all(
        f"SELECT question_id, question_revision, affected, {_ONES} FROM json_each(?) AS key"  # noqa: S608 - no outside text
        " JOIN survey ON epoch_key = key.value ->> 0 AND survey = key.value ->> 1 GROUP BY 1, 2, 3",
        (json.dumps(keys),),
    )
    return [OutcomeCount(*row) for row in rows]
