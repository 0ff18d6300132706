"""Read what alarms are judged by: the latest answers at a site, and how many of each came before."""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.connection import Store

LONGEST_SURVEY_MS = 3_600_000  # an answer that came later than this after its survey's opening is of no use here

MOST_OF_A_CONSOLE = 500  # answers, in half an hour or an hour


class PlaceAnswer(NamedTuple):
    """An answer: when it was given, which, and where; `checkout_point_id` is '' where the console stands at none."""

    at_ms: int
    answer: str
    checkout_point_id: str
    question_id: str
    question_revision: int


class PlaceCounts(NamedTuple):
    """How many answers there were to a question at a checkout point ('': at none)."""

    checkout_point_id: str
    question_id: str
    question_revision: int
    yes: int
    no: int
    cant_say: int


def answers(store: Store, site_id: str, from_ms: int, to_ms: int) -> list[PlaceAnswer]:
    """Return a site's answers given from one instant to another, both included, in the order of their time.

    Of a console that has sent more than any customers could give, the last ones.
    """
    found: list[PlaceAnswer] = []
    for (console_key,) in store.all("SELECT console_key FROM console WHERE site_id = ?", (site_id,)):
        rows = store.all(
            "SELECT closed_at_ms, outcome, ifnull(checkout_point_id, ''), question_id, question_revision FROM survey"
            " WHERE console_key = ?1 AND opened_at_ms BETWEEN ?2 AND ?3 AND closed_at_ms BETWEEN ?4 AND ?3"
            " AND outcome IN ('yes', 'no', 'cant_say') ORDER BY opened_at_ms DESC LIMIT ?5",
            (console_key, from_ms - LONGEST_SURVEY_MS, to_ms, from_ms, MOST_OF_A_CONSOLE),
        )
        found += [PlaceAnswer(*row) for row in rows]
    return sorted(found)


def counts_of_hours(store: Store, site_id: str, hours: Sequence[str]) -> list[PlaceCounts]:
    """Return the answers at a site in local hours, named as in reports."""
    return _counts(store, "hour", site_id, hours)


def counts_of_days(store: Store, site_id: str, days: Sequence[str]) -> list[PlaceCounts]:
    """Return the answers at a site on local days."""
    return _counts(store, "day", site_id, days)


def _counts(store: Store, period: str, site_id: str, names: Sequence[str]) -> list[PlaceCounts]:
    """Sum up rollups, with what an import that is under way is about to change in them."""
    columns = "checkout_point_id, question_id, question_revision, yes, no, cant_say"
    where = f"{period} IN ({', '.join('?' * len(names))}) AND site_id = ?"
    rows = store.all(
        "SELECT checkout_point_id, question_id, question_revision, sum(yes), sum(no), sum(cant_say) FROM"
        f" (SELECT {columns} FROM rollup_{period} WHERE {where}"
        f" UNION ALL SELECT {columns} FROM rollup_{period}_change WHERE {where}) GROUP BY 1, 2, 3",
        (*names, site_id, *names, site_id),
    )
    return [PlaceCounts(*row) for row in rows]
