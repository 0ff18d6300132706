"""Compute the KPIs from the true facts: sums that grow by one day and one console at a time, and rows made of them.

The formulas are the method's, written independently: no code is shared with the bridge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from simulator.oracle.counted_time import WAYS_TO_KNOW, CountedTime
from simulator.oracle.facts import ForceMajeure, QuestionSpec, ReportSetup, TrueCount, TrueForceMajeure, TrueSurvey
from simulator.oracle.intervals import bounds_of_dissatisfaction, bounds_of_loyalty, score_bounds

FEW = 30  # below this many surveys no index is shown
RATIOS = {"exact_conversion": "transactions", "visitor_coverage": "visitors"}
ANSWERS = ("yes", "no", "cant_say")
OUTCOMES = (*ANSWERS, "silent", "error")
LENGTHS_MS = {"hour": 3_600_000, "day": 86_400_000, "week": 7 * 86_400_000, "month": 30 * 86_400_000}
QUARTER_MS = 900_000  # local hours begin at a quarter of an hour in every time zone

# Positions in a group's list of sums: outcomes of unaffected surveys first, then of surveys affected by force majeure,
# then customers asked while each kind was counted: at the site and console, and for the same seller.
_AFFECTED = len(OUTCOMES)
_ASKED = 2 * len(OUTCOMES)
_ASKED_OF = {name: _ASKED + position for position, name in enumerate(WAYS_TO_KNOW)}
_DECLARED = _ASKED + len(WAYS_TO_KNOW)
_WIDTH = _DECLARED + 1
_POSITION = {(outcome, False): position for position, outcome in enumerate(OUTCOMES)} | {
    (outcome, True): _AFFECTED + position for position, outcome in enumerate(OUTCOMES)
}

Row = dict[str, Any]
Sums = list[int]


class GroupKey(NamedTuple):
    """The key of a sum: site, console, seller, and the local hour as reports name it.

    In sums of whole days, `hour` is only the day, which is the first ten characters.
    """

    site_id: str
    console_id: str | None
    seller_id: str | None
    hour: str


class QuestionRevision(NamedTuple):
    """The key question of a sum; transactions and visitors belong to all questions and have none."""

    question_id: str
    question_revision: int


@lru_cache(maxsize=65_536)
def _hour(quarter: int, zone: str) -> str:
    moment = datetime.fromtimestamp(quarter * QUARTER_MS // 1000, UTC).astimezone(ZoneInfo(zone))
    return moment.replace(minute=0).isoformat(timespec="minutes")


@lru_cache(maxsize=4096)
def _week(day: str) -> str:
    return date.fromisoformat(day).strftime("%G-W%V")


COLUMNS: dict[str, Callable[[ReportSetup, GroupKey], Row]] = {
    "site": lambda _, key: {"site_id": key.site_id},
    "console": lambda _, key: {"site_id": key.site_id, "console_id": key.console_id},
    "checkout_point": lambda setup, key: {
        "site_id": key.site_id,
        "checkout_point_id": setup.checkout_points.get((key.site_id, key.console_id or "")),
    },
    "seller": lambda _, key: {"seller_id": key.seller_id},
    "question": lambda *_: {},  # every report has a row per question
    "hour": lambda _, key: {"hour": key.hour},
    "day": lambda _, key: {"day": key.hour[:10]},
    "week": lambda _, key: {"week": _week(key.hour[:10])},
    "month": lambda _, key: {"month": key.hour[:7]},
}


class Totals:
    """Sums by several groupings; each grouping is a tuple of names in COLUMNS."""

    def __init__(self, setup: ReportSetup, groupings: Iterable[Sequence[str]]) -> None:
        self._setup = setup
        self._surveys: dict[tuple[GroupKey, QuestionRevision], Sums] = {}
        self._counts: dict[tuple[GroupKey, str], int] = {}
        self.groups: dict[tuple[str, ...], dict[tuple[Any, ...], dict[QuestionRevision, Sums]]] = {}
        self.figures: dict[tuple[str, ...], dict[tuple[Any, ...], dict[str, int]]] = {}
        self.of_whole_site: set[tuple[tuple[str, ...], tuple[Any, ...], str]] = set()  # what names no console
        self.beyond: set[tuple[tuple[str, ...], tuple[Any, ...], str]] = set()  # where a count ends in another group
        for grouping in groupings:
            self.groups[tuple(grouping)] = {}
            self.figures[tuple(grouping)] = {}

    def add(
        self, surveys: Iterable[TrueSurvey], force_majeures: Iterable[TrueForceMajeure], counts: Iterable[TrueCount]
    ) -> None:
        """Add the facts of a site's day, with all counts of the time of its surveys; then call `merge`."""
        counts = list(counts)
        counted = CountedTime(counts)
        for survey in surveys:
            sums = self._sums(survey, survey.opened_at_ms)
            sums[_POSITION[survey.outcome, survey.affected]] += 1
            if survey.outcome != "error":
                for way in counted.knows(survey):
                    sums[_ASKED_OF[way]] += survey.ask_every
        for force_majeure in force_majeures:
            self._sums(force_majeure, force_majeure.at_ms)[_DECLARED] += 1
        for count in counts:
            key = GroupKey(count.site_id, count.console_id, count.seller_id, self._hour(count.site_id, count.at_ms))
            self._counts[key, count.kind] = self._counts.get((key, count.kind), 0) + count.count
            if count.to_ms is not None:
                self._note_beyond(key, count.to_ms, count.kind)

    def _note_beyond(self, first: GroupKey, to_ms: int, kind: str) -> None:
        """Remember the groups that a count begins in, and ends outside of by more than a twentieth of their time."""
        for grouping in self.groups:
            within_ms = min((length_ms // 20 for unit, length_ms in LENGTHS_MS.items() if unit in grouping), default=0)
            last = first._replace(hour=self._hour(first.site_id, to_ms - 1 - within_ms))
            columns = self._columns(grouping, first)
            if last.hour > first.hour and columns != self._columns(grouping, last):
                self.beyond.add((grouping, columns, kind))

    def _hour(self, site_id: str, at_ms: int) -> str:
        return _hour(at_ms // QUARTER_MS, self._setup.zones.get(site_id, "UTC"))

    def _sums(self, fact: TrueSurvey | TrueForceMajeure, at_ms: int) -> Sums:
        key = GroupKey(fact.site_id, fact.console_id, fact.seller_id, self._hour(fact.site_id, at_ms))
        sums_key = key, QuestionRevision(fact.question_id, fact.question_revision)
        sums = self._surveys.get(sums_key)
        if sums is None:
            sums = self._surveys[sums_key] = [0] * _WIDTH
        return sums

    def merge(self) -> None:
        """Add the facts to the groups; sum up whole days first, since most groupings need nothing finer."""
        days: dict[tuple[GroupKey, QuestionRevision], Sums] = {}
        for (key, revision), sums in self._surveys.items():
            _add_sums(days, (key._replace(hour=key.hour[:10]), revision), sums)
        day_counts: dict[tuple[GroupKey, str], int] = {}
        for (key, kind), count in self._counts.items():
            day = key._replace(hour=key.hour[:10]), kind
            day_counts[day] = day_counts.get(day, 0) + count
        for grouping in self.groups:
            by_hour = "hour" in grouping
            self._group(grouping, self._surveys if by_hour else days, self._counts if by_hour else day_counts)
        self._surveys.clear()
        self._counts.clear()

    def _group(
        self,
        grouping: tuple[str, ...],
        surveys: Mapping[tuple[GroupKey, QuestionRevision], Sums],
        counts: Mapping[tuple[GroupKey, str], int],
    ) -> None:
        for (key, revision), sums in surveys.items():
            _add_sums(self.groups[grouping].setdefault(self._columns(grouping, key), {}), revision, sums)
        for (key, kind), count in counts.items():
            columns = self._columns(grouping, key)
            if key.console_id is None:
                self.of_whole_site.add((grouping, columns, kind))
            figures = self.figures[grouping].setdefault(columns, {})
            figures[kind] = figures.get(kind, 0) + count

    def _columns(self, grouping: Sequence[str], key: GroupKey) -> tuple[Any, ...]:
        row: Row = {}
        for name in grouping:
            row |= COLUMNS[name](self._setup, key)
        return tuple(row.items())

    def join(self, other: "Totals") -> None:
        """Add the sums of another object that has the same groupings."""
        self.of_whole_site |= other.of_whole_site
        self.beyond |= other.beyond
        for grouping, groups in other.groups.items():
            for columns, by_question in groups.items():
                own_sums = self.groups[grouping].setdefault(columns, {})
                for revision, sums in by_question.items():
                    _add_sums(own_sums, revision, sums)
            for columns, counts in other.figures[grouping].items():
                figures = self.figures[grouping].setdefault(columns, {})
                for kind, count in counts.items():
                    figures[kind] = figures.get(kind, 0) + count

    def rows(self, grouping: Sequence[str], force_majeure: ForceMajeure = "default") -> list[Row]:
        """Return a row per group, question and revision, as in a JSON report, without notes."""
        groups, figures = self.groups[tuple(grouping)], self.figures[tuple(grouping)]
        rows: list[Row] = []
        for columns, revision in sorted(
            ((group, revision) for group, sums in groups.items() for revision in sums), key=str
        ):
            question = self._setup.questions[revision.question_id]
            row = dict(columns) | revision._asdict() | {"kind": question.kind}
            counts = figures.get(columns, {})
            sums, of_seller = groups[columns][revision], "seller" in grouping
            row |= _row(sums, counts, question, self._setup, force_majeure, of_seller=of_seller)
            for name, kind in RATIOS.items():  # a whole site's counts are no measure of what is nobody's
                key = tuple(grouping), columns, kind
                if key in self.beyond or (None in dict(columns).values() and key in self.of_whole_site):
                    row[name] = None
            rows.append(row)
        return rows


def _add_sums(table: dict[Any, Sums], key: Any, sums: Sums) -> None:
    """Add sums to those of a key."""
    old = table.get(key)
    table[key] = list(sums) if old is None else [a + b for a, b in zip(old, sums, strict=True)]


def _row(
    sums: Sums,
    counts: Mapping[str, int],
    question: QuestionSpec,
    setup: ReportSetup,
    force_majeure: ForceMajeure,
    *,
    of_seller: bool,
) -> Row:
    if force_majeure == "default":
        force_majeure = "without" if question.kind == "personnel" else "with"
    unaffected, affected = sums[:_AFFECTED], sums[_AFFECTED:_ASKED]
    both = [a + b for a, b in zip(unaffected, affected, strict=True)]
    outcomes = {"with": both, "without": unaffected, "only": affected}[force_majeure]
    surveys = sum(both[:-1])  # without errors, which come last
    row: Row = {"surveys": sum(outcomes[:-1]), **dict(zip(OUTCOMES, outcomes, strict=True))}
    row |= {"affected": sum(affected[:-1]), "left_out": surveys - row["surveys"]}
    row |= {"force_majeures": sums[_DECLARED], "transactions": counts.get("transactions")}
    row |= {"visitors": counts.get("visitors")}
    level = _ratio(sums[_DECLARED], surveys)
    is_loyalty = question.kind == "loyalty"
    own, with_affected, without = (
        _index(dict(zip(OUTCOMES, counted, strict=True)), question) for counted in (outcomes, both, unaffected)
    )
    row["dissatisfaction_index"], row["emotional_loyalty_index"] = (None, own) if is_loyalty else (own, None)
    row |= {"index_with": with_affected, "index_without": without}
    row["silent_part"] = None if own is None else question.silent_weight * row["silent"] / row["surveys"]
    row["response_rate"] = _share(row["yes"] + row["no"] + row["cant_say"], row["surveys"])
    row["answered_no_share"] = _share(row["no"], row["yes"] + row["no"])
    for name, kind in RATIOS.items():
        asked = sums[_ASKED_OF[kind, of_seller]]
        row[name] = _ratio(asked, row[kind] if asked else None)
    row["force_majeure_level"] = level
    is_level_low = sums[_DECLARED] == 0 or (level is not None and level["value"] <= setup.force_majeure_level_max)
    row["assessable"] = is_level_low and row["affected"] <= setup.affected_share_max * surveys
    return row


def _ratio(part: int, whole: int | None) -> Row | None:
    return {"value": part / whole} if whole else None


def _share(part: int, whole: int) -> Row | None:
    """Return a share with its interval."""
    if not whole:
        return None
    low, high = score_bounds(part, whole)
    return {"value": part / whole, "low": max(0.0, low), "high": min(1.0, high)}


def _index(counted: Row, question: QuestionSpec) -> Row | None:
    """Return the index of a question's kind, from the numbers of surveys by outcome."""
    yes, no, silent = (counted[name] for name in ("yes", "no", "silent"))
    surveys, k = yes + no + counted["cant_say"] + silent, question.silent_weight
    if surveys < FEW:
        return None
    if question.kind == "loyalty":
        low, high = bounds_of_loyalty(yes, no, silent, surveys, k)
        values = [(yes - no - weight * silent) / surveys for weight in (k, 0, 1)]
    else:
        low, high = bounds_of_dissatisfaction(no, silent, surveys, k)
        values = [(no + weight * silent) / surveys for weight in (k, 0, 1)]
    return {"value": values[0], "low": low, "high": high, "at_k0": values[1], "at_k1": values[2]}
