"""Find the annotations that concern a chart, and where its ranges begin. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.model.annotation import Annotation
    from bridge.reports.control_chart.units import ChartUnit


class ChartScope(NamedTuple):
    """What a chart is of: its question, the sites of its surveys, and the console, point or seller, if it is of one."""

    question_id: str
    sites: frozenset[str]
    consoles: frozenset[tuple[str, str]]
    checkout_points: frozenset[tuple[str, str]]
    sellers: frozenset[str]

    def has(self, annotation: Annotation) -> bool:
        """Return whether an annotation concerns the chart.

        What is of a console, checkout point or seller concerns only the charts of that one; what is of a site, all
        that have surveys of it.
        """
        site_id, console_id, point_id, seller_id, question_id = annotation.scope
        return (
            question_id in {"", self.question_id}
            and site_id in {"", *self.sites}
            and (not console_id or self.consoles == {(site_id, console_id)})
            and (not point_id or self.checkout_points == {(site_id, point_id)})
            and (not seller_id or self.sellers == {seller_id})
        )

    def begins_range(self, annotation: Annotation) -> bool:
        """Return whether an annotation that concerns the chart begins a new range: if it concerns all of it."""
        return annotation.new_range and (not annotation.scope.site_id or self.sites == {annotation.scope.site_id})


def within(annotations: Sequence[Annotation], units: Sequence[ChartUnit]) -> Iterator[tuple[Annotation, int]]:
    """Yield the annotations of days in a chart's time, each with the index of the unit that holds its day."""
    for annotation in annotations:
        for index, unit in enumerate(units):
            if unit.first.isoformat() <= annotation.on_day < unit.following.isoformat():
                yield annotation, index


def as_object(annotation: Annotation, begins: int | None) -> dict[str, Any]:
    """Return an annotation as JSON shows it; `begins` is the number of the range that begins with it."""
    set_at = datetime.fromtimestamp(annotation.set_at_ms / 1000, UTC)
    scope = {name: value or None for name, value in annotation.scope._asdict().items()}
    return {
        "annotation_id": annotation.annotation_id,
        "on": annotation.on_day,
        "text": annotation.text,
        "new_range": annotation.new_range,
        "begins_range": begins,
        **scope,
        "set_at": set_at.isoformat(timespec="milliseconds"),
        "set_by": annotation.set_by,
    }
