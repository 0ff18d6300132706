"""Build the rows of `trivox flags`: what is watched, flagged, lapsed and set aside, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge.reports.flag_words import in_words
from bridge.store import flags
from bridge.store.seller_names import seller_names

if TYPE_CHECKING:
    from bridge.model.flags.standing import Standing
    from bridge.store import Store
    from bridge.store.flags import FlagResult, SetAside

Row = dict[str, Any]


@dataclass(frozen=True)
class FlagQuery:
    """Which flags to show; None and nothing are no limit.

    Without a `month` these are the flags that stand, and what is watched or flagged in the last two months. With
    `every` there are all months, and what has lapsed or was set aside.
    """

    month: str | None = None
    seller_ids: tuple[str, ...] = ()
    site_ids: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    every: bool = False


class _Asides:
    """What was set aside, by (seller_id, rule, month)."""

    def __init__(self, found: list[SetAside]) -> None:
        self._by_name = {(aside.seller_id, aside.rule, aside.month): aside for aside in found}

    def of(self, result: FlagResult) -> SetAside | None:
        return self._by_name.get((result.seller_id, result.rule, result.month))


def flag_rows(store: Store, query: FlagQuery) -> list[Row]:
    """Return the rows of what was computed, those that stand first, then the latest months, in order of sellers."""
    results = flags.results(store, query.month or "", query.month or "9999-99")
    results = [
        result
        for result in results
        if (not query.seller_ids or result.seller_id in query.seller_ids)
        and (not query.rules or result.rule in query.rules)
    ]
    standings = flags.all_standings(store)
    asides, survey_asides = _Asides(flags.results_set_aside(store)), _Asides(flags.surveys_set_aside(store))
    current = set(flags.last_months(store))
    names = seller_names(store)
    sites = flags.sites_of_sellers(store, {result.month for result in results})
    rows = []
    for result in results:
        site_ids = sites.get((result.seller_id, result.month), [])
        if query.site_ids and not set(query.site_ids).intersection(site_ids):
            continue
        standing = _standing_of(result, standings)
        aside = asides.of(result)
        if query.every or _is_shown(result, standing, aside, current, by_month=query.month is not None):
            row = _row(result, standing, aside, survey_asides.of(result))
            row |= {"seller_name": names.get(result.seller_id), "site_ids": site_ids}
            row["earlier"] = [_earlier(old) for old in flags.earlier_results(store, *_name(result))]
            row["in_words"] = in_words(row)
            rows.append({name: row[name] for name in COLUMNS})
    rows.sort(key=lambda row: (not row["stands"], _descending(row["month"]), row["seller_id"], row["rule"]))
    return rows


COLUMNS = (
    *("seller_id", "seller_name", "site_ids", "month", "month_is_over", "rule", "version", "level", "state", "stands"),
    *("since", "lapsed", "x", "n", "share", "peers", "peers_share", "statistic", "surveys_concerned", "indices"),
    *("set_aside", "surveys_set_aside", "computed_at", "earlier", "in_words"),
)


def _is_shown(
    result: FlagResult, standing: Standing | None, aside: SetAside | None, current: set[str | None], *, by_month: bool
) -> bool:
    if aside is not None:
        return False
    if by_month or (standing is not None and standing.stands and result.month == standing.last):
        return True
    is_past = standing is not None and (standing.stands or result.month <= standing.last)
    return result.month in current and not is_past


def _standing_of(result: FlagResult, standings: list[Standing]) -> Standing | None:
    """Return the flag that a result is a part of."""
    for standing in standings:
        is_same = (standing.seller_id, standing.rule, standing.version) == (
            *(result.seller_id, result.rule, result.version),
        )
        if is_same and result.level == "flag" and standing.since <= result.month <= standing.last:
            return standing
    return None


def _row(result: FlagResult, standing: Standing | None, aside: SetAside | None, surveys: SetAside | None) -> Row:
    stands = standing is not None and standing.stands and aside is None
    lapsed = None
    if standing is not None and not standing.stands:
        lapsed = {"month": standing.until, "because": standing.lapsed_because}
    state = "set_aside" if aside else "stands" if stands else "lapsed" if lapsed else result.level
    evidence = result.evidence
    return {
        "seller_id": result.seller_id,
        "month": result.month,
        "month_is_over": result.is_over,
        "rule": result.rule,
        "version": result.version,
        "level": result.level,
        "state": state,
        "stands": stands,
        "since": standing.since if standing is not None and aside is None else None,
        "lapsed": lapsed,
        **{name: evidence[name] for name in ("x", "n", "share", "peers", "peers_share", "statistic")},
        "surveys_concerned": len(result.surveys),
        "indices": evidence["indices"],
        "set_aside": _aside(aside),
        "surveys_set_aside": None if surveys is None else {"surveys": surveys.surveys, **(_aside(surveys) or {})},
        "computed_at": _instant(result.computed_at_ms),
    }


def _earlier(result: FlagResult) -> Row:
    """Return what was said before, without the surveys."""
    figures = {name: result.evidence.get(name) for name in ("x", "n", "share", "peers", "peers_share", "statistic")}
    said = {"version": result.version, "level": result.level, **figures}
    return said | {"computed_at": _instant(result.computed_at_ms)}


def _aside(aside: SetAside | None) -> Row | None:
    if aside is None:
        return None
    return {"reason": aside.reason, "who": aside.who, "at": _instant(aside.set_at_ms)}


def _name(result: FlagResult) -> tuple[str, str, str]:
    return result.seller_id, result.month, result.rule


def _instant(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _descending(month: str) -> int:
    return -int(month.replace("-", ""))
