"""Build control charts of the store's counts: one for each group, key question and revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.model.target import AT_MOST, TargetScope
from bridge.reports import corrections
from bridge.reports.control_chart.annotated import ChartScope, within
from bridge.reports.control_chart.chart import ChartParts, chart_row
from bridge.reports.control_chart.figures import figure_of
from bridge.reports.control_chart.points import ChartMaker, counts_of, make_points, newest_judgeable
from bridge.reports.control_chart.units import units_of
from bridge.reports.report_context import read_context
from bridge.reports.report_query import RULE_OF_KIND
from bridge.reports.row_silents import add_silents
from bridge.reports.rows import is_assessable, row_settings
from bridge.store import annotations as annotation_table
from bridge.store import report_queries
from bridge.store.targets import in_force

if TYPE_CHECKING:
    from datetime import date

    from bridge.model.annotation import Annotation
    from bridge.model.target import Target, Targets
    from bridge.reports.control_chart.points import ChartPoint
    from bridge.reports.control_chart.units import ChartUnit
    from bridge.reports.report_context import ReportContext, RowKey
    from bridge.reports.report_query import ReportQuery
    from bridge.reports.row_counts import RowCounts
    from bridge.store import Store
    from bridge.store.report_queries import CountsOfGroup

    Row = dict[str, Any]
    GroupsOfChart = dict[str, list[CountsOfGroup]]


@dataclass(frozen=True)
class ChartQuery:
    """A query for charts: `report` says of what and of which days, `today` is the first day that is over nowhere."""

    report: ReportQuery
    unit: str
    figure: str
    from_day: date
    to_day: date
    today: date


def chart_rows(store: Store, query: ChartQuery) -> list[Row]:
    """Return the charts as `--format json` shows them, in order of their groups and key questions."""
    context = read_context(store, query.report)
    units = units_of(query.unit, query.from_day, query.to_day, query.today)
    annotations, targets = annotation_table.every_annotation(store), in_force(store)
    rows = []
    groups_of = _counts(store, context, query.unit)
    totals = {
        key: counts_of([group for some in groups.values() for group in some]) for key, groups in groups_of.items()
    }
    for selection in context.query.selections(context.timezones):
        add_silents(store, context, selection, totals)
    for key in sorted(groups_of, key=_order):
        groups = groups_of[key]
        told = _without_beginning(units, groups)
        parts = _parts(context, query, key, groups, told, annotations, targets, totals[key])
        if parts is not None:
            rows.append(chart_row(parts))
    corrections.add_notes(store, rows)
    of_all = {
        "charts": len(rows),
        "with_signals": sum(1 for row in rows if row["signals"]),
        "expected_false_signals": sum(row["expected_false_signals"] for row in rows),
    }
    return [row | {"of_all": of_all} for row in rows]


def has_surveys(store: Store, query: ChartQuery) -> bool:
    """Return whether there is anything to chart, of whatever question."""
    return bool(_counts(store, read_context(store, query.report), query.unit))


def _counts(store: Store, context: ReportContext, unit: str) -> dict[RowKey, GroupsOfChart]:
    """Return the counts of each chart by the names of its units."""
    found: dict[RowKey, GroupsOfChart] = {}
    columns = (*context.query.columns, unit)
    for selection in context.query.selections(context.timezones):
        for counts in report_queries.counts_of_groups(store, columns, selection):
            *group, name = counts.group
            key = context.key(tuple(group), counts.question_id, counts.question_revision)
            found.setdefault(key, {}).setdefault(str(name), []).append(counts)
    return found


def _order(key: RowKey) -> tuple[Any, ...]:
    return ([(value is None, value or "") for value in key.group], key.question_id, key.revision or 0, key.kind)


def _without_beginning(units: list[ChartUnit], groups: GroupsOfChart) -> list[ChartUnit]:
    """Return the units from the first one on that has counts."""
    first = next((index for index, unit in enumerate(units) if unit.name in groups), len(units))
    return units[first:]


def _parts(
    context: ReportContext,
    query: ChartQuery,
    key: RowKey,
    groups: GroupsOfChart,
    units: list[ChartUnit],
    annotations: list[Annotation],
    targets: Targets,
    total: RowCounts,
) -> ChartParts | None:
    """Return what a chart is made of; None if its question's kind does not have the figure."""
    figure = figure_of(query.figure, key.kind)
    if figure is None:
        return None
    question = context.questions.get(key.question_id)
    rule = context.query.force_majeure or RULE_OF_KIND[key.kind]
    weight = question.silent_weight if question and figure.uses_weight else 0.0
    estimated = context.weights.get(key.question_id)
    variance = estimated.variance(total, rule) if estimated and figure.uses_weight else None
    maker = ChartMaker(figure, query.unit, rule, weight, lambda counts: is_assessable(context, counts), variance)
    scope = _scope(context, key, total)
    concerning = [(note, index) for note, index in within(annotations, units) if scope.has(note)]
    starts = sorted({index for note, index in concerning if index and scope.begins_range(note)})
    numbers = {index: number for number, index in enumerate((0, *starts), 1)}
    begun = [(note, numbers[index] if scope.begins_range(note) else None) for note, index in concerning]
    settings = row_settings(context, key.question_id, rule, total)
    points = make_points(maker, units, groups, starts)
    target = _target(targets, scope, figure.name, newest_judgeable(points, query.unit))
    return ChartParts(_columns(context, key, total.sites), maker, points, begun, total, settings, target)


def _target(targets: Targets, scope: ChartScope, figure: str, newest: ChartPoint | None) -> Target | None:
    """Return the target in force on the last day of the newest point."""
    if newest is None or figure not in AT_MOST:
        return None
    (site_id,) = scope.sites if len(scope.sites) == 1 else ("",)
    (seller_id,) = scope.sellers if len(scope.sellers) == 1 else ("",)
    ((_, point_id),) = scope.checkout_points if len(scope.checkout_points) == 1 else (("", ""),)
    whom = TargetScope(site_id, point_id, seller_id)
    return targets.at(scope.question_id, figure, newest.unit.last, whom)


def _columns(context: ReportContext, key: RowKey, sites: set[str]) -> Row:
    """Return the columns with which a chart begins, as a row of a report does."""
    row: Row = {}
    for column, value in zip(context.query.columns, key.group, strict=True):
        row[column] = value
        if column == "seller_id":
            row["seller_name"] = context.seller_name(value, sites)
    return row | {"question_id": key.question_id, "question_revision": key.revision, "kind": key.kind}


def _scope(context: ReportContext, key: RowKey, total: RowCounts) -> ChartScope:
    """Return what a chart is of, by its group and by what the query is limited to."""
    query, group = context.query, dict(zip(context.query.columns, key.group, strict=True))
    site_id = group.get("site_id") or ""
    consoles = [(site_id, group["console_id"] or "")] if "console_id" in group else []
    consoles = consoles or [_pair(name) for name in query.consoles or ()]
    points = [(site_id, group["checkout_point_id"] or "")] if "checkout_point_id" in group else []
    sellers = [group["seller_id"] or ""] if "seller_id" in group else query.seller_ids or ()
    return ChartScope(
        key.question_id, frozenset(total.sites), frozenset(consoles), frozenset(points), frozenset(sellers)
    )


def _pair(name: str) -> tuple[str, str]:
    site_id, _, console_id = name.partition("/")
    return site_id, console_id
