"""Key figures by group: the store's counts and the method's arithmetic put together as rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bridge.reports import coverage, kpi
from bridge.store import places, report_queries
from bridge.store import settings as settings_table
from bridge.wire.settings import DEFAULT_FORCE_MAJEURE_LEVEL_MAX, DEFAULT_FORCE_MAJEURE_SCOPE_S

if TYPE_CHECKING:
    from datetime import date

    from bridge.store import Store

Row = dict[str, Any]
Rule = Literal["with", "without", "only"]

COLUMNS_OF: dict[str, tuple[str, ...]] = {
    "seller": ("seller_id",),
    "console": ("site_id", "console_id"),
    "checkout_point": ("site_id", "checkout_point_id"),
    "site": ("site_id",),
    "question": (),
    "hour": ("hour",),
    "day": ("day",),
    "week": ("week",),
    "month": ("month",),
}
UNKNOWN = "unknown"
RULES: tuple[Rule, ...] = ("with", "without", "only")
RULE_OF_KIND: dict[str, Rule] = {"personnel": "without", "office": "with", "loyalty": "with", UNKNOWN: "with"}
COUNTS = ("surveys", "yes", "no", "cant_say", "silent", "error", "force_majeures", "transactions", "visitors")
INDICES = {
    "dissatisfaction_index": ("value", "low", "high", "at_k0", "at_k1"),
    "emotional_loyalty_index": ("value", "low", "high", "at_k0", "at_k1"),
    "response_rate": ("value", "low", "high"),
    "exact_conversion": ("value", "low", "high"),
    "visitor_coverage": ("value", "low", "high"),
    "force_majeure_level": ("value", "low", "high"),
}
"""Each index with the parts of its value."""


@dataclass(frozen=True)
class ReportQuery:
    """What is asked of the data: local days from `from_day` up to, not including, `to_day`, in groups `by`."""

    from_day: date
    to_day: date
    by: tuple[str, ...]
    question_id: str | None = None
    merge_revisions: bool = False
    force_majeure: Rule | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The group's columns, each once, in the order asked for."""
        return tuple(dict.fromkeys(column for name in self.by for column in COLUMNS_OF[name]))


class RowKey(NamedTuple):
    """What a row stands for; `revision` is None where revisions are merged, which those of one kind alone are."""

    group: report_queries.Group
    question_id: str
    revision: int | None
    kind: str


@dataclass
class RowCounts:
    """What was counted for a row; answers and errors apart for surveys affected by force majeure (1) or not (0)."""

    answers: list[list[int]] = field(default_factory=lambda: [[0, 0, 0, 0], [0, 0, 0, 0]])
    errors: list[int] = field(default_factory=lambda: [0, 0])
    force_majeures: int = 0
    asked: int = 0
    ask_every_unknown: int = 0
    unproved: int = 0
    sites: set[str] = field(default_factory=set)
    revisions: set[int] = field(default_factory=set)

    def add(self, tally: report_queries.GroupCounts) -> None:
        """Count a tally in."""
        counted = (tally.yes, tally.no, tally.cant_say, tally.silent)
        self.answers[tally.affected] = [a + b for a, b in zip(self.answers[tally.affected], counted, strict=True)]
        self.errors[tally.affected] += tally.error
        self.force_majeures += tally.force_majeures
        self.asked += tally.asked
        self.ask_every_unknown += tally.ask_every_unknown
        self.sites.add(tally.site_id)
        self.revisions.add(tally.question_revision)

    def chosen(self, rule: Rule) -> tuple[kpi.Answers, int]:
        """Answers and errors under a force-majeure rule."""
        kept = {"with": (0, 1), "without": (0,), "only": (1,)}[rule]
        answers = kpi.Answers(*(sum(self.answers[affected][place] for affected in kept) for place in range(4)))
        return answers, sum(self.errors[affected] for affected in kept)

    @property
    def surveys(self) -> int:
        """All surveys, whatever the force-majeure rule."""
        return sum(map(sum, self.answers))


@dataclass(frozen=True)
class Context:
    """What all rows of a report share."""

    asked: ReportQuery
    questions: dict[str, settings_table.KeyQuestion]
    kinds: dict[str, dict[int, str]]
    timezones: dict[str, str]
    scope_s: int
    level_max: float

    def kind_of(self, question_id: str, revision: int) -> str:
        """The kind that a question had in a revision; of one that nobody defined, in the nearest before it."""
        kinds = self.kinds.get(question_id)
        if not kinds:
            return UNKNOWN
        return kinds[max((known for known in kinds if known <= revision), default=min(kinds))]

    def key(self, group: report_queries.Group, question_id: str, revision: int) -> RowKey:
        """The row that counts of a question's revision go to."""
        kept = None if self.asked.merge_revisions else revision
        return RowKey(group, question_id, kept, self.kind_of(question_id, revision))


def report_rows(
    store: Store,
    from_day: date,
    to_day: date,
    by: tuple[str, ...],
    question_id: str | None = None,
    *,
    merge_revisions: bool = False,
    force_majeure: Rule | None = None,
) -> list[Row]:
    """Give the rows of a report, as `--format json` shows them: one a group, key question and revision, in order."""
    asked = ReportQuery(from_day, to_day, by, question_id, merge_revisions, force_majeure)
    context = _context(store, asked)
    from_text, to_text = from_day.isoformat(), to_day.isoformat()
    cells: dict[RowKey, RowCounts] = {}
    for tally in report_queries.group_counts(store, asked.columns, from_text, to_text, question_id):
        key = context.key(tally.group, tally.question_id, tally.question_revision)
        cells.setdefault(key, RowCounts()).add(tally)
    for group, question, revision, count in report_queries.unproved(
        store, asked.columns, from_text, to_text, question_id
    ):
        if cell := cells.get(context.key(group, question, revision)):
            cell.unproved += count
    feeds = coverage.gather(report_queries.feeds(store, asked.columns, from_text, to_text), asked.columns)
    periods = coverage.ReportPeriods(from_day, to_day, asked.columns, context.timezones)
    if "seller_id" in asked.columns and feeds:
        periods = periods.with_shifts(places.shifts_of_sellers(store, *periods.widest()))
    return [
        _row(context, key, cells[key], {kind: feeds.get((key.group, kind)) for kind in coverage.KINDS}, periods)
        for key in sorted(cells, key=lambda key: _order(asked.columns, key))
    ]


def _context(store: Store, asked: ReportQuery) -> Context:
    scope_s = settings_table.chosen_for_all(store, "force_majeure_scope_s")
    level_max = settings_table.chosen_for_all(store, "force_majeure_level_max")
    return Context(
        asked,
        settings_table.questions(store),
        settings_table.kinds(store),
        places.timezones(store),
        DEFAULT_FORCE_MAJEURE_SCOPE_S if scope_s is None else scope_s,
        DEFAULT_FORCE_MAJEURE_LEVEL_MAX if level_max is None else level_max,
    )


def _order(columns: tuple[str, ...], key: RowKey) -> tuple[Any, ...]:
    """Sort by group, null last; the hour that autumn strikes twice by its instant."""
    parts: list[tuple[Any, ...]] = []
    for column, value in zip(columns, key.group, strict=True):
        if column == "hour" and value is not None:
            parts.append((False, value[:16], datetime.fromisoformat(value).timestamp()))
        else:
            parts.append((value is None, value or "", 0.0))
    return (*parts, key.question_id, key.revision or 0, key.kind)


def _row(
    context: Context,
    key: RowKey,
    cell: RowCounts,
    feeds: dict[str, coverage.Gathered | None],
    periods: coverage.ReportPeriods,
) -> Row:
    group, question_id, revision, kind = key
    question = context.questions.get(question_id)
    rule = context.asked.force_majeure or RULE_OF_KIND[kind]
    answers, errors = cell.chosen(rule)
    figures = {name: gathered.figure if gathered else None for name, gathered in feeds.items()}
    row: Row = dict(zip(context.asked.columns, group, strict=True))
    row |= {"question_id": question_id, "question_revision": revision, "kind": kind, "surveys": answers.surveys}
    row |= {name: getattr(answers, name) for name in ("yes", "no", "cant_say", "silent")}
    row |= {"error": errors, "force_majeures": cell.force_majeures, **figures}
    row |= _indices(kind, question.silent_weight if question else 0.0, answers)
    row |= _ratios(cell, figures)
    level = kpi.ratio(cell.force_majeures, cell.surveys)
    row["assessable"] = cell.force_majeures == 0 if level is None else level <= context.level_max
    row["settings"] = _settings(context, question, rule, cell)
    row["notes"] = _notes(row, cell, context)
    for name, gathered in feeds.items():
        if gathered:
            row["notes"] += coverage.notes(name, gathered, periods, group, cell.sites)
    return row


def _indices(kind: str, silent_weight: float, answers: kpi.Answers) -> Row:
    """The index of the question's kind, where there are surveys enough, and the response rate."""
    dissatisfaction = loyalty = None
    if answers.surveys >= kpi.TOO_FEW:
        if kind in {"personnel", "office"}:
            dissatisfaction = kpi.dissatisfaction_index(answers, silent_weight)
        elif kind == "loyalty":
            loyalty = kpi.emotional_loyalty_index(answers, silent_weight)
    rate = kpi.response_rate(answers)
    return {
        "dissatisfaction_index": dissatisfaction._asdict() if dissatisfaction else None,
        "emotional_loyalty_index": loyalty._asdict() if loyalty else None,
        "response_rate": rate._asdict() if rate else None,
    }


def _ratios(cell: RowCounts, figures: dict[str, int | None]) -> Row:
    """Ratios of counts of different things: all surveys count, each for as many customers as one was asked of."""
    values = {
        "exact_conversion": kpi.ratio(cell.asked, figures["transactions"]) if cell.surveys else None,
        "visitor_coverage": kpi.ratio(cell.asked, figures["visitors"]) if cell.surveys else None,
        "force_majeure_level": kpi.ratio(cell.force_majeures, cell.surveys),
    }
    return {
        name: None if value is None else {"value": value, "low": None, "high": None} for name, value in values.items()
    }


def _settings(context: Context, question: settings_table.KeyQuestion | None, rule: Rule, cell: RowCounts) -> Row:
    return {
        "silent_weight": question.silent_weight if question else None,
        "silent_weight_origin": question.silent_weight_origin if question else None,
        "silent_weight_on": question.silent_weight_on if question else None,
        "force_majeure": rule,
        "force_majeure_scope_s": context.scope_s,
        "force_majeure_level_max": context.level_max,
        "merge_revisions": context.asked.merge_revisions,
        "from": context.asked.from_day.isoformat(),
        "to": context.asked.to_day.isoformat(),
        "timezones": {site_id: context.timezones.get(site_id, "UTC") for site_id in sorted(cell.sites)},
    }


def _notes(row: Row, cell: RowCounts, context: Context) -> list[str]:
    """What a reader must know before he believes a row."""
    notes = []
    surveys, level = row["surveys"], row["force_majeure_level"]
    if row["kind"] == UNKNOWN:
        notes.append(f"key question {row['question_id']} is not defined: no index (see `trivox question set`)")
    if surveys < kpi.TOO_FEW:
        notes.append(f"too few surveys ({surveys}): counts only, no index below {kpi.TOO_FEW}")
    elif surveys < kpi.FEW:
        notes.append(f"few surveys ({surveys}): mind the interval")
    if not row["assessable"]:
        why = f"force-majeure level {level['value']:.2f} is above {context.level_max:.2f}" if level else ""
        why = why or f"force majeure declared {cell.force_majeures} times and no surveys"
        notes.append(f"not assessable: {why}; remove the causes, then measure again")
    for name, counted in (("exact_conversion", "transactions"), ("visitor_coverage", "visitors")):
        if row[name] and row[name]["value"] > 1:
            notes.append(f"{name} above 1: more surveys than {counted}, a data fault or a gamed button")
    if cell.ask_every_unknown and (row["exact_conversion"] or row["visitor_coverage"]):
        notes.append(f"ask_every is not known for {cell.ask_every_unknown} of {cell.surveys} surveys: taken as 1")
    if cell.unproved:
        notes.append(
            f"not proved to be their console's: {cell.unproved} of its surveys and force majeures (see `trivox doctor`)"
        )
    if context.asked.merge_revisions and len(cell.revisions) > 1:
        notes.append(f"revisions {', '.join(map(str, sorted(cell.revisions)))} merged")
    return notes
