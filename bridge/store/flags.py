"""The results of the flags' rules, month by month: those in force, what they were before, and what was set aside."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.flags.rules import RULE_OF
from bridge.model.flags.standing import Audited, MonthState, Standing, standings
from bridge.store import audits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.connection import Row, Store


SurveyKey = tuple[int, int]
"""(epoch_key, survey)."""


class FlagResult(NamedTuple):
    """What a rule says of a seller's month: `level` is `clean`, `watch` or `flag`.

    `month` is local, as 2026-11. `evidence` holds `statistic`, `x`, `n`, `share`, `peers`, `peers_share` and `indices`.
    `surveys` are those that it concerns. Without `is_over` the month is under way, and the result is one so far.
    """

    seller_id: str
    month: str
    rule: str
    version: int
    level: str
    evidence: dict[str, Any]
    surveys: list[SurveyKey]
    computed_at_ms: int
    is_over: bool = True


class SetAside(NamedTuple):
    """A result, or the surveys that it concerns, that a manager set aside, with a reason."""

    seller_id: str
    rule: str
    month: str
    reason: str
    who: str
    set_at_ms: int
    surveys: int = 0


class Watched(NamedTuple):
    """A seller's month that a rule watches or flags: `level` is `watch` or `flag`."""

    seller_id: str
    month: str
    rule: str
    version: int
    level: str
    is_over: bool


def watched(store: Store, from_month: str = "", to_month: str = "9999-99") -> list[Watched]:
    """Return what is watched or flagged in some months, the last one included, but for what was set aside."""
    set_aside = {(aside.seller_id, aside.rule, aside.month) for aside in results_set_aside(store)}
    return [
        Watched(result.seller_id, result.month, result.rule, result.version, result.level, result.is_over)
        for result in results(store, from_month, to_month)
        if (result.seller_id, result.rule, result.month) not in set_aside
    ]


# Which months to compute --------------------------------------------------------------------------------------------


def mark_due(store: Store, months: Iterable[str]) -> None:
    """Note that surveys or counts of these local months have changed; cheap where that is noted already."""
    known = store.cache.flag_months_due
    for month in months:
        if month not in known:
            store.run("INSERT OR IGNORE INTO flag_due VALUES (?)", (month,))
            known.add(month)


def mark_all_due(store: Store) -> None:
    """Note that all months with surveys may change."""
    store.run("INSERT OR IGNORE INTO flag_due SELECT DISTINCT substr(day, 1, 7) FROM rollup_day")
    store.cache.flag_months_due.clear()


def due_months(store: Store, current: str) -> list[str]:
    """Return the months to compute, in order; `current` is the one under way."""
    return [
        str(month)
        for (month,) in store.all(
            "SELECT month FROM flag_due UNION SELECT month FROM flag_month WHERE is_over = 0 AND month <> ? ORDER BY 1",
            (current,),
        )
    ]


def is_due(store: Store, month: str) -> bool:
    """Return whether a month has changed since it was begun."""
    return store.one("SELECT 1 FROM flag_due WHERE month = ?", (month,)) is not None


def begin_month(store: Store, month: str) -> None:
    """Note that a month is read now: what changes from now on makes it due again."""
    store.run("DELETE FROM flag_due WHERE month = ?", (month,))
    store.cache.flag_months_due.discard(month)


def computed_at(store: Store, month: str) -> int | None:
    """Return when a month was computed last, in ms; None if it never was."""
    row = store.one("SELECT computed_at_ms FROM flag_month WHERE month = ?", (month,))
    return int(row[0]) if row else None


# Results ------------------------------------------------------------------------------------------------------------


def save_month(
    store: Store, month: str, found: list[FlagResult], assessed: dict[str, dict[str, Any]], *, is_over: bool
) -> int:
    """Put the results of a month in force: those that say the same as before stay, others are replaced and kept.

    `found` are watches and flags, and `assessed` the version of each rule and the sellers whom it could compare, by
    rule. Returns how many results are other ones than before.
    """
    before = {(result.seller_id, result.rule): result for result in results(store, month, month, with_clean=True)}
    after = {(result.seller_id, result.rule): result for result in found}
    changed = 0
    for key, old in before.items():
        new = after.pop(key, None) or _cleared(store, old, assessed)
        if new is None or _says(new) != _says(old):
            changed += 1
            store.run(
                "UPDATE flag_result SET replaced_at_ms = ?"
                " WHERE month = ? AND seller_id = ? AND rule = ? AND replaced_at_ms IS NULL",
                (store.now_ms, month, *key),
            )
            _insert(store, [new] if new is not None else [])
    _insert(store, list(after.values()))
    store.run(
        "INSERT OR REPLACE INTO flag_month VALUES (?, ?, ?, ?)",
        (month, store.now_ms, int(is_over), json.dumps(assessed, separators=(",", ":"))),
    )
    return changed + len(after)


def _cleared(store: Store, old: FlagResult, assessed: dict[str, dict[str, Any]]) -> FlagResult | None:
    """Return the clean result of somebody who was watched or flagged before; None if he cannot be compared now."""
    of_rule = assessed.get(old.rule, {"version": 0, "sellers": []})
    if old.seller_id not in of_rule["sellers"]:
        return None
    return old._replace(version=of_rule["version"], level="clean", evidence={}, surveys=[], computed_at_ms=store.now_ms)


def _says(result: FlagResult) -> tuple[Any, ...]:
    return result.version, result.level, result.evidence, result.surveys


def _insert(store: Store, found: list[FlagResult]) -> None:
    store.run_many(
        "INSERT INTO flag_result (month, seller_id, rule, version, level, evidence, surveys, computed_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(result.month, result.seller_id, result.rule, result.version, result.level),
                *(json.dumps(result.evidence), json.dumps(result.surveys, separators=(",", ":")), store.now_ms),
            )
            for result in found
        ],
    )


def results(
    store: Store, from_month: str = "", to_month: str = "9999-99", *, with_clean: bool = False
) -> list[FlagResult]:
    """Return the watches and flags in force of some months, by month, the last one included."""
    rows = store.all(
        "SELECT seller_id, month, rule, version, level, evidence, surveys, flag_result.computed_at_ms,"
        " coalesce(is_over, 1) FROM flag_result LEFT JOIN flag_month USING (month) WHERE replaced_at_ms IS NULL"
        " AND month BETWEEN ? AND ? AND (? OR level <> 'clean') ORDER BY month, seller_id, rule",
        (from_month, to_month, with_clean),
    )
    return [_result(row) for row in rows]


def _result(row: Row) -> FlagResult:
    seller_id, month, rule, version, level, evidence, surveys, at_ms, is_over = row
    read = json.loads(evidence), _keys(surveys)
    return FlagResult(seller_id, month, rule, version, level, read[0], read[1], at_ms, bool(is_over))


def _keys(text: str) -> list[SurveyKey]:
    return [(epoch_key, survey) for epoch_key, survey in json.loads(text)]


def flagged_months(store: Store) -> list[tuple[str, str, str]]:
    """Return (seller_id, rule, month) of the flags in force of months that are over, without those set aside."""
    rows = store.all(
        "SELECT seller_id, rule, month FROM flag_result JOIN flag_month USING (month)"
        " LEFT JOIN flag_set_aside AS aside USING (seller_id, rule, month)"
        " WHERE replaced_at_ms IS NULL AND level = 'flag' AND is_over = 1 AND aside.month IS NULL ORDER BY 1, 2, 3"
    )
    return [(str(seller_id), str(rule), str(month)) for seller_id, rule, month in rows]


def surveys_concerned(store: Store, rule: str, seller_id: str, month: str) -> list[SurveyKey]:
    """Return the surveys that a result in force concerns, in order; none if there is no such result."""
    row = store.one(
        "SELECT surveys FROM flag_result WHERE rule = ? AND seller_id = ? AND month = ? AND replaced_at_ms IS NULL",
        (rule, seller_id, month),
    )
    return _keys(row[0]) if row else []


def earlier_results(store: Store, seller_id: str, month: str, rule: str) -> list[FlagResult]:
    """Return what a rule said of a seller's month before it was computed anew, oldest first."""
    rows = store.all(
        "SELECT seller_id, month, rule, version, level, evidence, surveys, computed_at_ms, 1 FROM flag_result"
        " WHERE seller_id = ? AND month = ? AND rule = ? AND replaced_at_ms IS NOT NULL ORDER BY result_key",
        (seller_id, month, rule),
    )
    return [_result(row) for row in rows]


def computed_months(store: Store) -> list[str]:
    """Return the months that were computed, in order."""
    return [str(month) for (month,) in store.all("SELECT month FROM flag_month ORDER BY 1")]


def last_months(store: Store) -> tuple[str | None, str | None]:
    """Return the last computed month that was over, and the one under way if it was computed."""
    row = store.one(
        "SELECT max(month) FILTER (WHERE is_over = 1), max(month) FILTER (WHERE is_over = 0) FROM flag_month"
    )
    return (row[0], row[1]) if row else (None, None)


# Flags that stand ---------------------------------------------------------------------------------------------------


def all_standings(store: Store) -> list[Standing]:
    """Return every flag that stands or stood on a seller, in order of seller, rule and time."""
    flagged = store.all(
        "SELECT DISTINCT seller_id, rule, version FROM flag_result"
        " WHERE replaced_at_ms IS NULL AND level = 'flag' ORDER BY 1, 2, 3"
    )
    if not flagged:
        return []
    states = _month_states(store, {(seller_id, rule) for seller_id, rule, _ in flagged})
    last_month = last_months(store)[0] or ""
    found: list[Standing] = []
    for seller_id, rule, version in flagged:
        of_version = states.get((seller_id, rule, version), {})
        current = RULE_OF[rule].version if rule in RULE_OF else 0
        if of_version:
            tally = partial(audited, store, seller_id, rule)
            found += standings(seller_id, rule, version, current, of_version, last_month, tally)
    return found


def _month_states(store: Store, wanted: set[tuple[str, str]]) -> dict[tuple[str, str, int], dict[str, MonthState]]:
    """Return the state of each month that is over, by seller, rule and version."""
    states: dict[tuple[str, str, int], dict[str, MonthState]] = {}
    for month, text in store.all("SELECT month, assessed FROM flag_month WHERE is_over = 1 ORDER BY 1"):
        for rule, of_rule in json.loads(text).items():
            for seller_id in of_rule["sellers"]:
                if (seller_id, rule) in wanted:
                    states.setdefault((seller_id, rule, of_rule["version"]), {})[month] = "clean"
    aside = {(each.seller_id, each.rule, each.month) for each in results_set_aside(store)}
    for result in results(store):
        if result.is_over and (result.seller_id, result.rule) in wanted:
            is_aside = (result.seller_id, result.rule, result.month) in aside
            state: MonthState = "set_aside" if is_aside else "flag" if result.level == "flag" else "watch"
            states.setdefault((result.seller_id, result.rule, result.version), {})[result.month] = state
    return states


def audited(store: Store, seller_id: str, rule: str, month: str) -> Audited:
    """Return how many of the surveys that a result concerns were audited, and how many of these were confirmed."""
    return Audited(*audits.tally(store, surveys_concerned(store, rule, seller_id, month)))


# What managers set aside --------------------------------------------------------------------------------------------


def results_set_aside(store: Store) -> list[SetAside]:
    """Return the results that are set aside."""
    rows = store.all("SELECT seller_id, rule, month, reason, who, set_at_ms FROM flag_set_aside ORDER BY 1, 2, 3")
    return [SetAside(*row) for row in rows]


def set_result_aside(store: Store, aside: SetAside) -> None:
    """Set a result aside, by whoever makes this change."""
    store.run("INSERT OR REPLACE INTO flag_set_aside VALUES (?, ?, ?, ?, ?, ?)", aside[:6])


def take_result_back(store: Store, seller_id: str, rule: str, month: str) -> None:
    """Take back that a result was set aside."""
    store.run("DELETE FROM flag_set_aside WHERE seller_id = ? AND rule = ? AND month = ?", (seller_id, rule, month))


def surveys_set_aside(store: Store) -> list[SetAside]:
    """Return for which results surveys are set aside, and how many."""
    rows = store.all(
        "SELECT seller_id, rule, month, reason, who, set_at_ms, count(*) FROM survey_set_aside"
        " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3"
    )
    return [SetAside(*row) for row in rows]


def set_surveys_aside(store: Store, aside: SetAside, surveys: Iterable[tuple[int, int]]) -> None:
    """Take surveys, as (epoch_key, survey), out of the figures."""
    store.run_many(
        "INSERT OR REPLACE INTO survey_set_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(*key, *aside[:6]) for key in surveys],
    )


def take_surveys_back(store: Store, seller_id: str, rule: str, month: str) -> int:
    """Put the surveys of a result back into the figures; return how many."""
    where = "seller_id = ? AND rule = ? AND month = ?"
    store.run(f"DELETE FROM survey_set_aside WHERE {where}", (seller_id, rule, month))  # noqa: S608 - no outside text
    return store.changes()


def sites_of_sellers(store: Store, months: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Return at which sites each seller had surveys in each of these months, by (seller_id, month)."""
    found: dict[tuple[str, str], list[str]] = {}
    for month in sorted(months):
        rows = store.all(
            "SELECT DISTINCT seller_id, site_id FROM rollup_day"
            " WHERE day >= ?1 || '-01' AND day <= ?1 || '-31' AND seller_id <> '' ORDER BY 1, 2",
            (month,),
        )
        for seller_id, site_id in rows:
            found.setdefault((seller_id, month), []).append(site_id)
    return found
