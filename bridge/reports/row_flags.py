"""Put the flags that stand on a seller beside his figures, in the rows of the time that they concern.

A month that is flagged alone stands on nobody; a note says what looks wrong in the data.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from bridge.model.flags.rules import RULE_OF
from bridge.model.local_time import UNITS, days_of
from bridge.reports.days import DAY
from bridge.store import flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.flags.standing import Standing
    from bridge.store import Store

    Row = dict[str, Any]


def add(store: Store, rows: list[Row]) -> None:
    """Add `flags` to the rows, with a note on each; only rows by seller have any.

    A flag concerns its months from the first one on; one that lapsed after clean months, those up to the last that
    was flagged. One that lapsed as it was refuted, or by a new version of its rule, is not shown.
    """
    of_seller: dict[str, list[Standing]] = {}
    alone: dict[str, dict[str, list[str]]] = {}
    if any(row.get("seller_id") for row in rows):
        standings = flags.all_standings(store)
        for standing in standings:
            if standing.stands or standing.lapsed_because == "clean_months":
                of_seller.setdefault(standing.seller_id, []).append(standing)
        alone = _alone(store, standings)
    for row in rows:
        found = [standing for standing in of_seller.get(row.get("seller_id", ""), []) if _concerns(standing, row)]
        row["flags"] = [
            {"rule": standing.rule, "version": standing.version, "level": "flag", "since": standing.since}
            for standing in found
        ]
        row["notes"] += [_note(standing) for standing in found]
        row["notes"] += _notes_alone(alone.get(row.get("seller_id", ""), {}), *_months(row)) if alone else []


def _alone(store: Store, standings: list[Standing]) -> dict[str, dict[str, list[str]]]:
    """Return flagged months that are part of no flag that stands or stood, and no audits refute; by seller and rule."""
    parts = {(each.seller_id, each.rule, month) for each in standings for month in each.months()}
    found: dict[str, dict[str, list[str]]] = {}
    for seller_id, rule, month in flags.flagged_months(store):
        if (seller_id, rule, month) not in parts and not flags.audited(store, seller_id, rule, month).ends:
            found.setdefault(seller_id, {}).setdefault(rule, []).append(month)
    return found


def _notes_alone(of_rules: dict[str, list[str]], first: str, last: str) -> Iterator[str]:
    for rule, months in of_rules.items():
        told = [month for month in months if first <= month <= last]
        if told:
            yield (
                f"the data of {', '.join(told)} look unusual by {_named(rule)}; a flag stands once two of three months "
                "in a row do: see `trivox flags`"
            )


def _concerns(standing: Standing, row: Row) -> bool:
    first, last = _months(row)
    return standing.since <= last and (standing.stands or standing.last >= first)


def _months(row: Row) -> tuple[str, str]:
    """Return the first and the last month of a row's time."""
    spans = [tuple(date.fromisoformat(row["settings"][name]) for name in ("from", "to"))]
    spans += [days_of(unit, row[unit]) for unit in UNITS if unit != "hour" and row.get(unit)]
    if row.get("hour"):
        hour_day = date.fromisoformat(row["hour"][:10])
        spans.append((hour_day, hour_day + DAY))
    first, last = max(span[0] for span in spans), min(span[1] for span in spans) - DAY
    return first.isoformat()[:7], last.isoformat()[:7]


def _note(standing: Standing) -> str:
    until = "" if standing.stands else f", lapsed in {standing.until}"
    return f"flagged by {_named(standing.rule)} since {standing.since}{until}: see `trivox flags --all`"


def _named(rule_id: str) -> str:
    """Return a rule's name, with what it looks for."""
    rule = RULE_OF.get(rule_id)
    return f"{rule_id} ({rule.what})" if rule else rule_id
