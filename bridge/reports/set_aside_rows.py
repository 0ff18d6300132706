"""Say in a row which of its surveys a manager set aside, and what its index is with them. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bridge.model.local_time import utc_date
from bridge.reports.notation import interval
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.reports.row_counts import RowCounts, Rule

    Row = dict[str, Any]


def figures(counts: RowCounts, rule: Rule, index_of: Callable[[RowCounts], Row | None]) -> Row:
    """Return how many surveys, errors too, are set aside under the row's rule, and the index with them (else None)."""
    aside = sum(sum(found[-5:]) for found in counts.set_aside_under(rule))
    return {"set_aside": aside, "index_with_set_aside": index_of(counts.with_set_aside()) if aside else None}


def notes(row: Row, counts: RowCounts) -> Iterator[str]:
    """Yield a note, if any are set aside: how many for which reason, and the index with them."""
    if not row["set_aside"]:
        return
    reasons: Counter[tuple[str, str, str, str]] = Counter()
    for found in counts.set_aside_under(row["settings"]["force_majeure"]):
        reasons[found.who, utc_date(found.set_at_ms), found.rule, found.reason] += sum(found[-5:])
    told = [
        f"{plural(surveys, 'survey')} set aside by {who} on {day} ({rule}: {reason})"
        for (who, day, rule, reason), surveys in sorted(reasons.items())
    ]
    index = row["index_with_set_aside"]
    with_them = "with them too there is no index" if index is None else f"with them the index is {interval(index)}"
    yield f"{', '.join(told)}; {with_them}"
