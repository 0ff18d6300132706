"""From what truly happened to the KPIs: sums that grow by a day and a console at a time, and the rows made of them.

The formulas are those of the field's method, written anew: nothing is shared with the bridge. Intervals are left out:
their coverage is proved elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from simulator.oracle.facts import Count, Declared, ForceMajeure, Question, Survey, World

FEW = 30  # below this many surveys no index is shown
ANSWERS = ("yes", "no", "cant_say")
OUTCOMES = (*ANSWERS, "silent", "error")
QUARTER_MS = 900_000  # local hours begin at one, in every time zone

# Where the sums of a group lie in a list: outcomes of surveys that no force majeure touched, then of those it touched.
_AFFECTED = len(OUTCOMES)
_ASKED = 2 * len(OUTCOMES)
_DECLARED = _ASKED + 1
_WIDTH = _DECLARED + 1
_PLACE = {(outcome, False): place for place, outcome in enumerate(OUTCOMES)} | {
    (outcome, True): _AFFECTED + place for place, outcome in enumerate(OUTCOMES)
}

Row = dict[str, Any]
Sums = list[int]


class Where(NamedTuple):
    """Whose a figure is, and when: the local hour as reports name it, or the day, its first ten characters."""

    site_id: str
    console_id: str | None
    seller_id: str | None
    hour: str


class Asked(NamedTuple):
    """The key question of a sum; of transactions and visitors, which belong to all questions, there is none."""

    question_id: str
    question_revision: int


@lru_cache(maxsize=65_536)
def _hour(quarter: int, zone: str) -> str:
    moment = datetime.fromtimestamp(quarter * QUARTER_MS // 1000, UTC).astimezone(ZoneInfo(zone))
    return moment.replace(minute=0).isoformat(timespec="minutes")


@lru_cache(maxsize=4096)
def _week(day: str) -> str:
    return date.fromisoformat(day).strftime("%G-W%V")


COLUMNS: dict[str, Callable[[World, Where], Row]] = {
    "site": lambda _, where: {"site_id": where.site_id},
    "console": lambda _, where: {"site_id": where.site_id, "console_id": where.console_id},
    "checkout_point": lambda world, where: {
        "site_id": where.site_id,
        "checkout_point_id": world.checkout_points.get((where.site_id, where.console_id or "")),
    },
    "seller": lambda _, where: {"seller_id": where.seller_id},
    "question": lambda *_: {},  # rows are by question anyway
    "hour": lambda _, where: {"hour": where.hour},
    "day": lambda _, where: {"day": where.hour[:10]},
    "week": lambda _, where: {"week": _week(where.hour[:10])},
    "month": lambda _, where: {"month": where.hour[:7]},
}


class Totals:
    """Sums by some groupings, each a tuple of the names in COLUMNS."""

    def __init__(self, world: World, groupings: Iterable[Sequence[str]]) -> None:
        self._world = world
        self._surveys: dict[tuple[Where, Asked], Sums] = {}
        self._counts: dict[tuple[Where, str], int] = {}
        self.groups: dict[tuple[str, ...], dict[tuple[Any, ...], dict[Asked, Sums]]] = {}
        self.figures: dict[tuple[str, ...], dict[tuple[Any, ...], dict[str, int]]] = {}
        for grouping in groupings:
            self.groups[tuple(grouping)] = {}
            self.figures[tuple(grouping)] = {}

    def add(self, surveys: Iterable[Survey], declared: Iterable[Declared], counts: Iterable[Count]) -> None:
        """Take in what happened; after each site's day, say `merge`."""
        for survey in surveys:
            sums = self._sums(survey, survey.opened_at_ms)
            sums[_PLACE[survey.outcome, survey.affected]] += 1
            if survey.outcome != "error":
                sums[_ASKED] += survey.ask_every
        for one in declared:
            self._sums(one, one.at_ms)[_DECLARED] += 1
        for count in counts:
            where = Where(count.site_id, count.console_id, count.seller_id, self._hour(count.site_id, count.at_ms))
            self._counts[where, count.kind] = self._counts.get((where, count.kind), 0) + count.count

    def _hour(self, site_id: str, at_ms: int) -> str:
        return _hour(at_ms // QUARTER_MS, self._world.zones.get(site_id, "UTC"))

    def _sums(self, fact: Survey | Declared, at_ms: int) -> Sums:
        where = Where(fact.site_id, fact.console_id, fact.seller_id, self._hour(fact.site_id, at_ms))
        key = where, Asked(fact.question_id, fact.question_revision)
        sums = self._surveys.get(key)
        if sums is None:
            sums = self._surveys[key] = [0] * _WIDTH
        return sums

    def merge(self) -> None:
        """Bring what was taken in to the groups; sums of whole days first, which most groups need no finer."""
        days: dict[tuple[Where, Asked], Sums] = {}
        for (where, asked), sums in self._surveys.items():
            _into(days, (where._replace(hour=where.hour[:10]), asked), sums)
        day_counts: dict[tuple[Where, str], int] = {}
        for (where, kind), count in self._counts.items():
            day = where._replace(hour=where.hour[:10]), kind
            day_counts[day] = day_counts.get(day, 0) + count
        for grouping in self.groups:
            by_hour = "hour" in grouping
            self._group(grouping, self._surveys if by_hour else days, self._counts if by_hour else day_counts)
        self._surveys.clear()
        self._counts.clear()

    def _group(
        self,
        grouping: tuple[str, ...],
        surveys: Mapping[tuple[Where, Asked], Sums],
        counts: Mapping[tuple[Where, str], int],
    ) -> None:
        for (where, asked), sums in surveys.items():
            _into(self.groups[grouping].setdefault(self._columns(grouping, where), {}), asked, sums)
        for (where, kind), count in counts.items():
            figures = self.figures[grouping].setdefault(self._columns(grouping, where), {})
            figures[kind] = figures.get(kind, 0) + count

    def _columns(self, grouping: Sequence[str], where: Where) -> tuple[Any, ...]:
        row: Row = {}
        for name in grouping:
            row |= COLUMNS[name](self._world, where)
        return tuple(row.items())

    def join(self, other: "Totals") -> None:
        """Add what another has summed by the same groupings."""
        for grouping, groups in other.groups.items():
            for columns, by_question in groups.items():
                mine = self.groups[grouping].setdefault(columns, {})
                for asked, sums in by_question.items():
                    _into(mine, asked, sums)
            for columns, counts in other.figures[grouping].items():
                figures = self.figures[grouping].setdefault(columns, {})
                for kind, count in counts.items():
                    figures[kind] = figures.get(kind, 0) + count

    def rows(self, grouping: Sequence[str], force_majeure: ForceMajeure = "default") -> list[Row]:
        """A row per group, question and revision, as a report in JSON must have it, less intervals and notes."""
        groups, figures = self.groups[tuple(grouping)], self.figures[tuple(grouping)]
        made: list[Row] = []
        for columns, asked in sorted(((group, asked) for group, sums in groups.items() for asked in sums), key=str):
            question = self._world.questions[asked.question_id]
            row = dict(columns) | asked._asdict() | {"kind": question.kind}
            level_max = self._world.force_majeure_level_max
            made.append(
                row | _row(groups[columns][asked], figures.get(columns, {}), question, level_max, force_majeure)
            )
        return made


def _into(table: dict[Any, Sums], key: Any, sums: Sums) -> None:
    before = table.get(key)
    table[key] = list(sums) if before is None else [one + other for one, other in zip(before, sums, strict=True)]


def _row(
    sums: Sums, counts: Mapping[str, int], question: Question, level_max: float, force_majeure: ForceMajeure
) -> Row:
    if force_majeure == "default":
        force_majeure = "without" if question.kind == "personnel" else "with"
    clear, touched = sums[:_AFFECTED], sums[_AFFECTED:_ASKED]
    every = sum(clear[:-1]) + sum(touched[:-1])
    kept = {"with": [a + b for a, b in zip(clear, touched, strict=True)], "without": clear, "only": touched}[
        force_majeure
    ]
    row: Row = {"surveys": sum(kept[:-1]), **dict(zip(OUTCOMES, kept, strict=True))}
    row |= {"force_majeures": sums[_DECLARED], "transactions": counts.get("transactions")}
    row |= {"visitors": counts.get("visitors")}
    level = _ratio(sums[_DECLARED], every)
    loyalty = question.kind == "loyalty"
    row["dissatisfaction_index"] = None if loyalty else _index(row, question.silent_weight, _dissatisfaction)
    row["emotional_loyalty_index"] = _index(row, question.silent_weight, _loyalty) if loyalty else None
    row["response_rate"] = _ratio(row["yes"] + row["no"] + row["cant_say"], row["surveys"])
    row["exact_conversion"] = _ratio(sums[_ASKED], row["transactions"] if every else None)
    row["visitor_coverage"] = _ratio(sums[_ASKED], row["visitors"] if every else None)
    row["force_majeure_level"] = level
    row["assessable"] = sums[_DECLARED] == 0 or (level is not None and level["value"] <= level_max)
    return row


def _ratio(part: int, whole: int | None) -> Row | None:
    return {"value": part / whole} if whole else None


def _dissatisfaction(row: Row, weight: float) -> float:
    return float((row["no"] + weight * row["silent"]) / row["surveys"])


def _loyalty(row: Row, weight: float) -> float:
    return float((row["yes"] - row["no"] - weight * row["silent"]) / row["surveys"])


def _index(row: Row, weight: float, formula: Callable[[Row, float], float]) -> Row | None:
    if row["surveys"] < FEW:
        return None
    return {"value": formula(row, weight), "at_k0": formula(row, 0), "at_k1": formula(row, 1)}
