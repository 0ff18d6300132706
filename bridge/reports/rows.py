"""Build the rows of a report: the store's counts by group, with the indices computed from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bridge.model.feed_faults import FeedFault, find_faults
from bridge.reports import corrections, coverage, kpi
from bridge.store import counts as counts_table
from bridge.store import imports, places, report_queries
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
"""Each index or ratio with the keys of its value."""


@dataclass(frozen=True)
class ReportQuery:
    """A query for a report: local days from `from_day` up to but not including `to_day`, in groups `by`."""

    from_day: date
    to_day: date
    by: tuple[str, ...]
    question_id: str | None = None
    merge_revisions: bool = False
    force_majeure: Rule | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The group's columns, each once, in the order of `by`."""
        return tuple(dict.fromkeys(column for name in self.by for column in COLUMNS_OF[name]))


class RowKey(NamedTuple):
    """The key of a row; `revision` is None if revisions are merged, which happens only within one kind."""

    group: report_queries.Group
    question_id: str
    revision: int | None
    kind: str


@dataclass
class RowCounts:
    """The counts of a row; for answers and errors, index 1 is surveys affected by force majeure, index 0 the others."""

    answers: list[list[int]] = field(default_factory=lambda: [[0, 0, 0, 0], [0, 0, 0, 0]])
    errors: list[int] = field(default_factory=lambda: [0, 0])
    force_majeures: int = 0
    asked: int = 0
    ask_every_unknown: int = 0
    unproved: int = 0
    sites: set[str] = field(default_factory=set)
    revisions: set[int] = field(default_factory=set)

    def add(self, group_counts: report_queries.GroupCounts) -> None:
        """Add the counts of a group."""
        affected = group_counts.affected
        added = (group_counts.yes, group_counts.no, group_counts.cant_say, group_counts.silent)
        self.answers[affected] = [a + b for a, b in zip(self.answers[affected], added, strict=True)]
        self.errors[affected] += group_counts.error
        self.force_majeures += group_counts.force_majeures
        self.asked += group_counts.asked
        self.ask_every_unknown += group_counts.ask_every_unknown
        self.sites.add(group_counts.site_id)
        self.revisions.add(group_counts.question_revision)

    def under_rule(self, rule: Rule) -> tuple[kpi.Answers, int]:
        """Return the answers and the number of errors that count under a force-majeure rule."""
        indices = {"with": (0, 1), "without": (0,), "only": (1,)}[rule]
        answers = kpi.Answers(*(sum(self.answers[affected][outcome] for affected in indices) for outcome in range(4)))
        return answers, sum(self.errors[affected] for affected in indices)

    @property
    def surveys(self) -> int:
        """The number of all surveys, whatever the force-majeure rule."""
        return sum(map(sum, self.answers))


@dataclass(frozen=True)
class ReportContext:
    """The query, the questions and the settings that all rows of a report share."""

    query: ReportQuery
    questions: dict[str, settings_table.KeyQuestion]
    kinds: dict[str, dict[int, str]]
    timezones: dict[str, str]
    scope_s: int
    level_max: float

    def kind_of(self, question_id: str, revision: int) -> str:
        """Return a question's kind in a revision, or, if that is not defined, in the nearest defined one before it.

        Before the first defined revision it is the kind of that one.
        """
        kinds = self.kinds.get(question_id)
        if not kinds:
            return UNKNOWN
        return kinds[max((known for known in kinds if known <= revision), default=min(kinds))]

    def key(self, group: report_queries.Group, question_id: str, revision: int) -> RowKey:
        """Return the key of the row that takes the counts of a question's revision."""
        row_revision = None if self.query.merge_revisions else revision
        return RowKey(group, question_id, row_revision, self.kind_of(question_id, revision))


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
    """Return the rows of a report as `--format json` shows them, one per group, key question and revision, in order.

    `by` names groups of COLUMNS_OF; `force_majeure` None takes each kind's own rule (RULE_OF_KIND).
    """
    query = ReportQuery(from_day, to_day, by, question_id, merge_revisions, force_majeure)
    columns = query.columns
    context = _read_context(store, query)
    from_text, to_text = from_day.isoformat(), to_day.isoformat()
    counts: dict[RowKey, RowCounts] = {}
    for group_counts in report_queries.group_counts(store, columns, from_text, to_text, question_id):
        key = context.key(group_counts.group, group_counts.question_id, group_counts.question_revision)
        counts.setdefault(key, RowCounts()).add(group_counts)
    for group, question, revision, count in report_queries.unproved(store, columns, from_text, to_text, question_id):
        if row_counts := counts.get(context.key(group, question, revision)):
            row_counts.unproved += count
    feeds = coverage.total_feeds(report_queries.feeds(store, columns, from_text, to_text), columns)
    intervals = counts_table.intervals(store, (from_text, to_text), with_staged=imports.is_visible(store))
    faults = find_faults(intervals) if feeds else []
    periods = coverage.ReportPeriods(from_day, to_day, columns, context.timezones)
    if "seller_id" in columns and feeds:
        periods = periods.with_shifts(places.shifts_of_sellers(store, *periods.outer_span()))
    rows = [
        _row(
            context, key, counts[key], {kind: feeds.get((key.group, kind)) for kind in coverage.KINDS}, periods, faults
        )
        for key in sorted(counts, key=lambda key: _order(columns, key))
    ]
    corrections.add_notes(store, rows)
    return rows


def _read_context(store: Store, query: ReportQuery) -> ReportContext:
    scope_s = settings_table.chosen_for_all(store, "force_majeure_scope_s")
    level_max = settings_table.chosen_for_all(store, "force_majeure_level_max")
    return ReportContext(
        query,
        settings_table.questions(store),
        settings_table.kinds(store),
        places.timezones(store),
        DEFAULT_FORCE_MAJEURE_SCOPE_S if scope_s is None else scope_s,
        DEFAULT_FORCE_MAJEURE_LEVEL_MAX if level_max is None else level_max,
    )


def _order(columns: tuple[str, ...], key: RowKey) -> tuple[Any, ...]:
    """Return the sort key of a row: by group, null last; an hour that comes twice in autumn by its instant."""
    parts: list[tuple[Any, ...]] = []
    for column, value in zip(columns, key.group, strict=True):
        if column == "hour" and value is not None:
            parts.append((False, value[:16], datetime.fromisoformat(value).timestamp()))
        else:
            parts.append((value is None, value or "", 0.0))
    return (*parts, key.question_id, key.revision or 0, key.kind)


def _row(
    context: ReportContext,
    key: RowKey,
    counts: RowCounts,
    feeds: dict[str, coverage.FeedTotal | None],
    periods: coverage.ReportPeriods,
    faults: list[FeedFault],
) -> Row:
    group, question_id, revision, kind = key
    question = context.questions.get(question_id)
    rule = context.query.force_majeure or RULE_OF_KIND[kind]
    answers, errors = counts.under_rule(rule)
    figures = {name: total.figure if total else None for name, total in feeds.items()}
    row: Row = dict(zip(context.query.columns, group, strict=True))
    row |= {"question_id": question_id, "question_revision": revision, "kind": kind, "surveys": answers.surveys}
    row |= {name: getattr(answers, name) for name in ("yes", "no", "cant_say", "silent")}
    row |= {"error": errors, "force_majeures": counts.force_majeures, **figures}
    row |= _indices(kind, question.silent_weight if question else 0.0, answers)
    row |= _ratios(counts, figures)
    level = kpi.ratio(counts.force_majeures, counts.surveys)
    row["assessable"] = counts.force_majeures == 0 if level is None else level <= context.level_max
    row["settings"] = _settings(context, question, rule, counts)
    row["notes"] = _notes(row, counts, context)
    for name, total in feeds.items():
        if total:
            row["notes"] += coverage.notes(name, total, periods, group, counts.sites)
    row["notes"] += coverage.fault_notes(faults, periods, group, counts.sites)
    return row


def _indices(kind: str, silent_weight: float, answers: kpi.Answers) -> Row:
    """Return the index of the question's kind, None if there are too few surveys, and the response rate."""
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


def _ratios(counts: RowCounts, figures: dict[str, int | None]) -> Row:
    """Return the ratios to other counts.

    All surveys count, whatever the force-majeure rule, and each for its `ask_every` customers.
    """
    values = {
        "exact_conversion": kpi.ratio(counts.asked, figures["transactions"]) if counts.surveys else None,
        "visitor_coverage": kpi.ratio(counts.asked, figures["visitors"]) if counts.surveys else None,
        "force_majeure_level": kpi.ratio(counts.force_majeures, counts.surveys),
    }
    return {
        name: None if value is None else {"value": value, "low": None, "high": None} for name, value in values.items()
    }


def _settings(
    context: ReportContext, question: settings_table.KeyQuestion | None, rule: Rule, counts: RowCounts
) -> Row:
    return {
        "silent_weight": question.silent_weight if question else None,
        "silent_weight_origin": question.silent_weight_origin if question else None,
        "silent_weight_on": question.silent_weight_on if question else None,
        "force_majeure": rule,
        "force_majeure_scope_s": context.scope_s,
        "force_majeure_level_max": context.level_max,
        "merge_revisions": context.query.merge_revisions,
        "from": context.query.from_day.isoformat(),
        "to": context.query.to_day.isoformat(),
        "timezones": {site_id: context.timezones.get(site_id, "UTC") for site_id in sorted(counts.sites)},
    }


def _notes(row: Row, counts: RowCounts, context: ReportContext) -> list[str]:
    """Return what a reader must know before relying on a row."""
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
        why = why or f"force majeure declared {counts.force_majeures} times and no surveys"
        notes.append(f"not assessable: {why}; remove the causes, then measure again")
    for name, counted in (("exact_conversion", "transactions"), ("visitor_coverage", "visitors")):
        if row[name] and row[name]["value"] > 1:
            notes.append(f"{name} above 1: more surveys than {counted}, a data fault or a gamed button")
    if counts.ask_every_unknown and (row["exact_conversion"] or row["visitor_coverage"]):
        notes.append(f"ask_every is not known for {counts.ask_every_unknown} of {counts.surveys} surveys: taken as 1")
    if counts.unproved:
        notes.append(
            f"not proved to be their console's: {counts.unproved} of its surveys and force majeures "
            "(see `trivox doctor`)"
        )
    if context.query.merge_revisions and len(counts.revisions) > 1:
        notes.append(f"revisions {', '.join(map(str, sorted(counts.revisions)))} merged")
    return notes
