"""When a flag stands on a person, and when it lapses. Pure.

It stands once the same rule flags two of three months in a row. It lapses after two clean months in a row, with a new
version of the rule, or when the audited surveys that it concerns were all confirmed; after that it takes two more
months to stand again, with audits of their own. Months under way do not count, nor do results that a manager has set
aside; a month in which a seller could not be compared is neither clean nor not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MONTHS_BEFORE = 2
CLEAN_MONTHS = 2
AUDITED = 30
"""So many audited surveys, all confirmed, end a flag."""

MonthState = Literal["clean", "watch", "flag", "set_aside"]
LapseReason = Literal["clean_months", "new_version", "confirmed_by_audit"]


class Audited(NamedTuple):
    """How many of the surveys that a result concerns were audited, and how many of these were confirmed."""

    judged: int
    confirmed: int

    @property
    def ends(self) -> bool:
        """Whether so many were audited that a flag ends, as all were confirmed."""
        return self.judged >= AUDITED and self.judged == self.confirmed


class Standing(NamedTuple):
    """A flag on a person: it stands, or stood until it lapsed.

    `since` and `last` are the first and the last month that the rule flagged, `stands_from` the month that made it
    stand, and `until` the month with which it lapsed (None: it stands).
    """

    seller_id: str
    rule: str
    version: int
    since: str
    stands_from: str
    last: str
    until: str | None = None
    lapsed_because: LapseReason | None = None

    @property
    def stands(self) -> bool:
        """Whether it has not lapsed."""
        return self.lapsed_because is None

    def months(self) -> list[str]:
        """Return the months from the first to the last that the rule flagged."""
        return list(months_between(self.since, self.last))


def standings(
    seller_id: str,
    rule: str,
    version: int,
    current_version: int,
    states: Mapping[str, MonthState],
    last_month: str,
    audited: Callable[[str], Audited],
) -> list[Standing]:
    """Return the flags of a seller by a version of a rule, in order.

    `states` are of months that are over, and `audited` tells of a month's surveys that the rule's result concerns.
    """
    found: list[Standing] = []
    hits: list[str] = []
    clean = 0
    for month in months_between(min(states, default=last_month), max([last_month, *states])):
        state = states.get(month)
        standing = found[-1] if found and found[-1].stands else None
        if state == "flag":
            clean = 0
            recent = [hit for hit in hits if _index(month) - _index(hit) <= MONTHS_BEFORE]
            hits.append(month)
            if standing is not None:
                found[-1] = standing._replace(last=month)
            elif recent:
                found.append(Standing(seller_id, rule, version, recent[0], month, month))
        elif state == "watch":
            clean = 0
        elif state == "clean":
            clean += 1
            if standing is not None and clean == CLEAN_MONTHS:
                found[-1] = standing._replace(until=month, lapsed_because="clean_months")
                hits.clear()
        if state == "flag" and found and found[-1].stands and _all_confirmed(found[-1], audited):
            found[-1] = found[-1]._replace(until=month, lapsed_because="confirmed_by_audit")
            hits.clear()
    if version != current_version and found and found[-1].stands:
        found[-1] = found[-1]._replace(until=found[-1].last, lapsed_because="new_version")
    return found


def _all_confirmed(standing: Standing, audited: Callable[[str], Audited]) -> bool:
    """Return whether audits end a flag: of all its months together."""
    tallies = [audited(month) for month in standing.months()]
    return Audited(sum(tally.judged for tally in tallies), sum(tally.confirmed for tally in tallies)).ends


def months_between(first: str, last: str) -> Iterable[str]:
    """Yield the months from one to another, both included, as 2026-11."""
    for index in range(_index(first), _index(last) + 1):
        yield f"{index // 12:04d}-{index % 12 + 1:02d}"


def _index(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1
