"""Count whose silents the rows of questions with an estimated silent weight hold, and how many were drawn for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import report_queries

if TYPE_CHECKING:
    from bridge.reports.report_context import ReportContext, RowKey
    from bridge.reports.row_counts import RowCounts
    from bridge.store import Store
    from bridge.store.report_queries import Selection


def add_silents(store: Store, context: ReportContext, selection: Selection, counts: dict[RowKey, RowCounts]) -> None:
    """Add to the counts of rows, by the key of each, their silents by seller and how many of them were drawn."""
    columns = context.query.columns
    if not context.weights:
        return
    is_by_seller = "seller_id" in columns
    by = columns if is_by_seller else (*columns, "seller_id")
    for found in report_queries.counts_of_groups(store, by, selection):
        if found.question_id not in context.weights or not found.silent:
            continue
        sign = -1 if isinstance(found, report_queries.SetAsideCounts) else 1
        seller_id = found.group[columns.index("seller_id") if is_by_seller else -1]
        group = found.group if is_by_seller else found.group[:-1]
        if row_counts := counts.get(context.key(group, found.question_id, found.question_revision)):
            row_counts.add_silents(seller_id or "", found.affected, sign * found.silent)
    for question_id, weight in context.weights.items():
        draw = weight.estimate.draw.draw
        for group, revision, affected, count in report_queries.silents_drawn(store, columns, selection, draw):
            if row_counts := counts.get(context.key(group, question_id, revision)):
                row_counts.drawn[affected] += count
