"""Make the rows of `trivox audit report`: what audits show of each group, and how far they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.audit import BY_ITSELF, NO_FOOTAGE, VERDICTS
from bridge.model.audit_estimates import TOLERATED, agreement, error_rate, percent
from bridge.store import audits as table
from bridge.store import consoles, places
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.model.audit_estimates import Agreement, ErrorRate
    from bridge.reports.days import Days
    from bridge.store import Store
    from bridge.store.audits import StoredAudit

    Row = dict[str, Any]

EQUAL_WEIGHTS = 0.95  # above this share of their number audits count as if they weighed the same
MUCH_WITHOUT_FOOTAGE = 0.10


class AuditQuery(NamedTuple):
    """What a report on audits is asked for: `sites` none: all."""

    days: Callable[[str], Days]
    groups: tuple[str, ...]
    sites: tuple[str, ...] = ()


def _week_of(day: str) -> str:
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year}-W{week:02}"


GROUPS: dict[str, tuple[str, Callable[[StoredAudit], Any]]] = {
    "site": ("site_id", lambda audit: audit.name.site_id),
    "seller": ("seller_id", lambda audit: audit.seller_id),
    "outcome": ("outcome", lambda audit: audit.outcome),
    "day": ("day", lambda audit: audit.day),
    "week": ("week", lambda audit: _week_of(audit.day)),
    "month": ("month", lambda audit: audit.day[:7]),
}
"""What rows can be grouped by: the column, and its value; seller and outcome are those of the draw."""


def audit_rows(store: Store, query: AuditQuery) -> list[Row]:
    """Return a row for each group of the random sample, and one for what each rule's flags and watches drew."""
    found: dict[tuple[Any, ...], list[StoredAudit]] = defaultdict(list)
    by_watches: Counter[tuple[str, str]] = Counter()
    for site_id in query.sites or consoles.site_ids(store):
        first, last = query.days(places.timezone(store, site_id) or "UTC")
        for audit in table.audits_of(store, site_id, first.isoformat(), last.isoformat()):
            group = tuple(GROUPS[name][1](audit) for name in query.groups)
            if audit.watch:
                by_watches[site_id, audit.day] += 1
            else:
                found[*group, None].append(audit)
            if audit.rule:
                found[*group, audit.rule].append(audit)
    columns = (*(GROUPS[name][0] for name in query.groups), "rule")
    keys = sorted(found, key=lambda key: [(part is not None, str(part)) for part in (key[-1], *key[:-1])])
    names = table.seller_names(store) if "seller" in query.groups else {}
    # Of a second expert's audits, whose first verdicts he does not know, he must not know the outcomes either.
    is_blind = "outcome" in query.groups and any(_waits(audit) for audits in found.values() for audit in audits)
    rows = []
    for key in keys:
        row = _row(dict(zip(columns, key, strict=True)), found[key], names, is_blind=is_blind)
        if row["rule"] is None and not {"seller", "outcome"} & set(query.groups):
            row["notes"] += _note_on_late(store, found[key], row["surveys"], by_watches)
        rows.append(row)
    return rows


def _note_on_late(
    store: Store, audits: Sequence[StoredAudit], drawn_from: int, by_watches: Counter[tuple[str, str]]
) -> list[str]:
    """Say how many surveys of the days that were drawn came later, so that no audit stands for them."""
    days: dict[str, set[str]] = defaultdict(set)
    for audit in audits:
        days[audit.name.site_id].add(audit.day)
    now = sum(table.surveys_of_days(store, site_id, some) for site_id, some in days.items())
    late = now - drawn_from - sum(by_watches[site_id, day] for site_id, some in days.items() for day in some)
    came = f"{plural(late, 'survey')} of these days came after they were drawn: no audit stands for what comes late"
    return [came] if late > 0 else []


def _waits(audit: StoredAudit) -> bool:
    """Return whether an audit waits, or will wait, for a second expert."""
    is_missing = audit.first is not None and audit.first.expert == BY_ITSELF
    return audit.is_twice and audit.second is None and not is_missing


def _row(group: Row, audits: Sequence[StoredAudit], names: dict[str, str], *, is_blind: bool) -> Row:
    verdicts = [(audit.first.verdict, audit.weight) for audit in audits if audit.first is not None]
    pairs = [(audit.first.verdict, audit.second.verdict) for audit in audits if audit.first and audit.second]
    counts = {name: sum(verdict == name for verdict, _ in verdicts) for name in VERDICTS}
    rate, agreed = error_rate(verdicts), agreement(pairs)
    if "seller_id" in group:
        group = _with_name(group, names)
    return {
        **group,
        "surveys": round(sum(audit.weight for audit in audits)),
        "audits": len(audits),
        "judged": len(verdicts),
        "open": len(audits) - len(verdicts),
        **counts,
        "error_rate": rate and {"value": rate.value, "low": rate.low, "high": rate.high, "at_most": rate.at_most},
        "bad": rate.bad if rate else 0,
        "effective_audits": rate and rate.effective,
        "clean_needed": rate and rate.clean_needed,
        "twice": None if is_blind else sum(audit.is_twice for audit in audits),
        "agreement": agreed and agreed._asdict(),
        "notes": list(_notes(audits, counts, rate, agreed, is_blind=is_blind)),
    }


def _with_name(group: Row, names: dict[str, str]) -> Row:
    return {
        part: value
        for name, given in group.items()
        for part, value in (
            [(name, given), ("seller_name", names.get(given))] if name == "seller_id" else [(name, given)]
        )
    }


def _notes(
    audits: Sequence[StoredAudit],
    counts: dict[str, int],
    rate: ErrorRate | None,
    agreed: Agreement | None,
    *,
    is_blind: bool,
) -> list[str]:
    notes = []
    if rate is None:
        notes.append("no audit with footage is judged yet")
    else:
        notes.append(_in_words(rate))
        if rate.effective < EQUAL_WEIGHTS * rate.audits:
            notes.append(
                f"the audits stand for unequal numbers of surveys: by their weights the {rate.audits} count as "
                f"{rate.effective:.1f}"
            )
    judged = sum(counts.values())
    if counts[NO_FOOTAGE]:
        by_itself = sum(audit.first is not None and audit.first.expert == BY_ITSELF for audit in audits)
        found = f", {by_itself} of them found so by themselves" if by_itself else ""
        warning = ": what they would show is not known" if counts[NO_FOOTAGE] > MUCH_WITHOUT_FOOTAGE * judged else ""
        notes.append(f"{counts[NO_FOOTAGE]} of {judged} judged had no footage and are not counted{found}{warning}")
    notes += _notes_on_experts(audits, agreed, is_blind=is_blind)
    return notes


def _in_words(rate: ErrorRate) -> str:
    found = f"none of {rate.audits} bad" if not rate.bad else f"{rate.bad} of {rate.audits} bad"
    if rate.at_most <= TOLERATED:
        return f"{found}: at most {percent(rate.at_most)} are"
    more = f"{plural(rate.clean_needed, 'more clean one')} would show that at most {percent(TOLERATED)} are"
    return f"{found}: up to {percent(rate.at_most)} may be; {more}"


def _notes_on_experts(audits: Sequence[StoredAudit], agreed: Agreement | None, *, is_blind: bool) -> list[str]:
    notes = []
    waiting = sum(_waits(audit) and audit.first is not None for audit in audits)
    if waiting and not is_blind:
        notes.append(f"{plural(waiting, 'audit')} {'waits' if waiting == 1 else 'wait'} for a second expert")
    if agreed is not None:
        beyond = "" if agreed.kappa is None else f", Cohen's kappa {agreed.kappa:.2f}"
        equal = round(agreed.value * agreed.pairs)
        notes.append(f"two experts agree on {equal} of {agreed.pairs}{beyond}, Gwet's AC1 {agreed.ac1:.2f}")
    pairs = [audit.verdicts for audit in audits if audit.first and audit.second]
    by_one = sum(first.who == second.who for first, second in pairs)
    if by_one:
        notes.append(
            f"{by_one} of {len(pairs)} second verdicts came from the login that gave the first one: only their --by "
            "says that the expert was another"
        )
    changed = sum(verdict.changes > 0 for audit in audits for verdict in audit.verdicts)
    if changed:
        notes.append(
            f"{plural(changed, 'verdict')} {'was' if changed == 1 else 'were'} changed after the outcome was shown"
        )
    return notes
