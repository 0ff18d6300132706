"""Build the rows of a report: the store's counts by group, with the indices computed from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from bridge.model.local_time import UNITS
from bridge.reports import console_notes, corrections, feed_notes, kpi, row_flags, set_aside_rows
from bridge.reports.coverage.reading import can_tell, read_coverage
from bridge.reports.feeds import KINDS, total_feeds
from bridge.reports.known_surveys import count_known
from bridge.reports.notes import RATIO_OF, UNKNOWN, notes, on_two_names
from bridge.reports.report_context import ReportContext, RowKey, read_context
from bridge.reports.report_query import RULE_OF_KIND, ReportQuery
from bridge.reports.row_counts import BEYOND_MAX, RowCounts, Rule
from bridge.reports.row_silents import add_silents
from bridge.reports.seller_shares import SellerShares
from bridge.reports.time_spans import AROUND_A_SALE_MS, SALE_MS
from bridge.store import places, report_queries
from bridge.store.report_queries import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.reports.known_surveys import KnownCounts, Totals
    from bridge.store import Store

Row = dict[str, Any]


_WITH_AND_WITHOUT: tuple[Rule, Rule] = ("with", "without")


def report_rows(store: Store, query: ReportQuery, *, total: bool = False) -> list[Row]:
    """Return the rows of a report as `--format json` shows them, one per group, key question and revision, in order.

    With `total`, each row says whether it is a total, and a total of each key question and revision comes last.
    """
    context = read_context(store, query)
    rows = _rows(store, context)
    if total:
        columns = dict.fromkeys(query.row_columns)
        totals = _rows(store, _by(context))
        rows = [row | {"total": False} for row in rows] + [columns | row | {"total": True} for row in totals]
    whole = rows if set(query.columns) <= {"site_id"} else [row for row in rows if row.get("total")]
    if any(row[kind] is not None for row in whole for kind in KINDS):
        console_notes.add_notes(whole, _rows(store, _by(context, "console")))
    feed_notes.add_notes(store, rows)
    corrections.add_notes(store, rows)
    row_flags.add(store, rows)
    return rows


def _by(context: ReportContext, *by: str) -> ReportContext:
    return replace(context, query=replace(context.query, by=by))


def _rows(store: Store, context: ReportContext) -> list[Row]:
    query, columns = context.query, context.query.columns
    selections = list(query.selections(context.timezones))
    counts: dict[RowKey, RowCounts] = {}
    for selection in selections:
        for found in report_queries.counts_of_groups(store, columns, selection):
            key = context.key(found.group, found.question_id, found.question_revision)
            counts.setdefault(key, RowCounts()).add(found)
        for group, question, revision, count in report_queries.unproved(store, columns, selection):
            if row_counts := counts.get(context.key(group, question, revision)):
                row_counts.unproved += count
        add_silents(store, context, selection, counts)
    feeds, known = _read_coverage(store, context, selections)
    _add_unasked(store, context, counts, feeds)
    for question_key, kind, surveys, asked in known:
        if row_counts := counts.get(context.key(*question_key)):
            row_counts.known[kind].add(surveys, asked)
    return [_row(context, key, counts[key], feeds) for key in sorted(counts, key=lambda key: _order(columns, key))]


def _add_unasked(store: Store, context: ReportContext, counts: dict[RowKey, RowCounts], feeds: Totals) -> None:
    """Add rows for the groups that had transactions or visitors and no surveys: of each question asked at their sites.

    Who never asks would else be missing from the report.
    """
    columns, known = context.query.columns, {key.group for key in counts}
    unasked = [(group, total) for (group, _), total in feeds.items() if total.figure and group not in known]
    asked: dict[str, set[tuple[str, int]]] = {}
    for selection in context.query.selections(context.timezones) if unasked else ():
        for found in report_queries.group_counts(store, (), selection._replace(consoles=None, seller_ids=None)):
            asked.setdefault(found.site_id, set()).add((found.question_id, found.question_revision))
    for group, total in unasked:
        names = dict(zip(columns, group, strict=True))
        if names.get("console_id", "") is None or (_is_of_nobody(columns, group) and total.is_of_whole_site):
            continue
        for site_id in total.ends_ms:
            for question_id, revision in asked.get(site_id, ()):
                counts.setdefault(context.key(group, question_id, revision), RowCounts()).sites.add(site_id)


def _is_of_nobody(columns: tuple[str, ...], group: report_queries.Group) -> bool:
    """Return whether a group is what belongs to no seller or no checkout point."""
    return any(name is None for column, name in zip(columns, group, strict=True) if column not in UNITS)


def _read_coverage(
    store: Store, context: ReportContext, selections: list[Selection]
) -> tuple[Totals, Iterable[KnownCounts]]:
    """Return transactions and visitors, and the surveys that they tell of: from sums where those can tell."""
    columns = context.query.columns
    if can_tell(store, columns, selections):
        return read_coverage(store, columns, selections, context.timezones, context.made_sums)
    feeds = _read_feeds(store, context, selections)
    return feeds, chain.from_iterable(count_known(store, columns, selection, feeds) for selection in selections)


def _read_feeds(store: Store, context: ReportContext, selections: list[Selection]) -> Totals:
    columns, seller_ids = context.query.columns, context.query.seller_ids
    shares = None
    if "seller_id" in columns or seller_ids is not None:
        unmanned = (hour for selection in selections for hour in report_queries.hours_without_seller(store, selection))
        shares = SellerShares(places.shifts_at_checkout_points(store), unmanned)
    how: Any = {"by_seller": shares is not None, "sale_ms": SALE_MS, "around_ms": AROUND_A_SALE_MS}
    runs = (run for selection in selections for run in report_queries.feeds(store, columns, selection, **how))
    times = {index for index, column in enumerate(columns) if column in UNITS}
    seller = columns.index("seller_id") if "seller_id" in columns else None
    return total_feeds(runs, shares, times, seller, seller_ids)


def _order(columns: tuple[str, ...], key: RowKey) -> tuple[Any, ...]:
    """Return the sort key of a row: by group, null last; an hour that comes twice in autumn by its instant."""
    parts: list[tuple[Any, ...]] = []
    for column, value in zip(columns, key.group, strict=True):
        if column == "hour" and value is not None:
            parts.append((False, value[:16], datetime.fromisoformat(value).timestamp()))
        else:
            parts.append((value is None, value or "", 0.0))
    return (*parts, key.question_id, key.revision or 0, key.kind)


def _row(context: ReportContext, key: RowKey, counts: RowCounts, feeds: Totals) -> Row:
    group, question_id, revision, kind = key
    rule = context.query.force_majeure or RULE_OF_KIND[kind]
    answers, errors = counts.under_rule(rule)
    row: Row = {}
    for column, value in zip(context.query.columns, group, strict=True):
        row[column] = value
        if column == "seller_id":
            row["seller_name"] = context.seller_name(value, counts.sites)
    row |= {"question_id": question_id, "question_revision": revision, "kind": kind, "surveys": answers.surveys}
    row |= {name: getattr(answers, name) for name in ("yes", "no", "cant_say", "silent")}
    row |= {"error": errors, "left_out": counts.surveys - answers.surveys, "affected": counts.affected}
    row |= {"force_majeures": counts.force_majeures} | _figures(context, group, counts, feeds)
    row |= _indices(context, key, rule, counts)
    row |= set_aside_rows.figures(
        counts, rule, lambda every: _index(context, key, context.silent_weight(question_id), every, rule)
    )
    row |= _ratios(counts, row)
    row["assessable"] = is_assessable(context, counts)
    row["settings"] = row_settings(context, question_id, rule, counts)
    row["notes"] = notes(row, counts, context.sampled)
    if row.get("seller_id"):
        row["notes"] += on_two_names(row["seller_id"], context.names_of(row["seller_id"], counts.sites))
    return row


def _figures(context: ReportContext, group: report_queries.Group, counts: RowCounts, feeds: Totals) -> Row:
    """Return transactions and visitors; put into `counts` what is to be known of their intervals."""
    figures: Row = {}
    for kind in KINDS:
        total = feeds.get((group, kind))
        figures[kind] = total.figure if total else None
        counts.unmanned[kind] = total.unmanned if total else 0
        ends_ms = total.ends_ms.items() if total else ()
        counts.shares_beyond[kind] = max((context.share_beyond(group, *end) for end in ends_ms), default=0.0)
        if total and total.is_of_whole_site and _is_of_nobody(context.query.columns, group):
            counts.comparable.discard(kind)
    return figures


def _indices(context: ReportContext, key: RowKey, rule: Rule, counts: RowCounts) -> Row:
    """Return what rests on answers: the index of the question's kind, also under either rule, and shares."""
    kind, weight = key.kind, context.silent_weight(key.question_id)
    indices = {counted: _index(context, key, weight, counts, counted) for counted in {rule, *_WITH_AND_WITHOUT}}
    own, with_affected, without = (indices[counted] for counted in (rule, *_WITH_AND_WITHOUT))
    answers, _ = counts.under_rule(rule)
    rate, answered_no = kpi.response_rate(answers), kpi.answered_no_share(answers)
    return {
        "dissatisfaction_index": None if kind == "loyalty" else own,
        "emotional_loyalty_index": own if kind == "loyalty" else None,
        "index_with": with_affected,
        "index_without": without,
        "silent_part": weight * answers.silent / answers.surveys if own else None,
        "response_rate": rate._asdict() if rate else None,
        "answered_no_share": answered_no._asdict() if answered_no else None,
    }


def _index(context: ReportContext, key: RowKey, weight: float, counts: RowCounts, rule: Rule) -> Row | None:
    """Return the index of a question's kind; None if it has none, or there are too few surveys."""
    answers, _ = counts.under_rule(rule)
    if key.kind == UNKNOWN or answers.surveys < kpi.TOO_FEW:
        return None
    formula = kpi.emotional_loyalty_index if key.kind == "loyalty" else kpi.dissatisfaction_index
    estimated = context.weights.get(key.question_id)
    index = formula(answers, weight, estimated.variance(counts, rule) if estimated else None)
    return index._asdict() if index else None


def _ratios(counts: RowCounts, figures: Row) -> Row:
    """Return the ratios to other counts.

    All surveys count, whatever the force-majeure rule; of those in time that the feed knows, each for its `ask_every`
    customers. There is no value where there are none of them, or where the figure is of more than the row's own time.
    """
    values = {
        RATIO_OF[kind]: kpi.ratio(known.asked, figures[kind])
        if kind in counts.comparable
        and counts.shares_beyond[kind] <= BEYOND_MAX
        and (known := counts.known[kind]).surveys
        else None
        for kind in KINDS
    }
    values["force_majeure_level"] = kpi.ratio(counts.force_majeures, counts.surveys)
    return {
        name: None if value is None else {"value": value, "low": None, "high": None} for name, value in values.items()
    }


def is_assessable(context: ReportContext, counts: RowCounts) -> bool:
    """Return whether force majeure leaves enough of the counts to judge."""
    level = kpi.ratio(counts.force_majeures, counts.surveys)
    if level is None:
        return counts.force_majeures == 0
    limits = context.shares_max
    return level <= limits["force_majeure_level_max"] and counts.affected_share <= limits["affected_share_max"]


def row_settings(context: ReportContext, question_id: str, rule: Rule, counts: RowCounts) -> Row:
    """Return the settings that a row, or a chart, of these counts is computed with."""
    question, estimated = context.questions.get(question_id), context.weights.get(question_id)
    from_day, to_day = context.days_of(counts.sites)
    return {
        "silent_weight": question.silent_weight if question else None,
        "silent_weight_origin": question.silent_weight_origin if question else None,
        "silent_weight_on": question.silent_weight_on if question else None,
        "silent_weight_estimate": estimated.settings(counts, rule) if estimated else None,
        "force_majeure": rule,
        "force_majeure_scope_s": context.scope_s,
        **context.shares_max,
        "merge_revisions": context.query.merge_revisions,
        "from": from_day.isoformat(),
        "to": to_day.isoformat(),
        "timezones": {site_id: context.timezones.get(site_id, "UTC") for site_id in sorted(counts.sites)},
    }
