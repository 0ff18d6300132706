"""Say what a report counts: its groups, its days, and what it is limited to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.reports.notes import UNKNOWN
from bridge.store.report_queries import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.reports.days import Days
    from bridge.reports.row_counts import Rule

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

RULE_OF_KIND: dict[str, Rule] = {"personnel": "without", "office": "with", "loyalty": "with", UNKNOWN: "with"}


@dataclass(frozen=True)
class ReportQuery:
    """A query for a report, in groups `by` of COLUMNS_OF.

    `days_in` gives the local days for a time zone. None is no limit; of `force_majeure`, each kind's own rule
    (RULE_OF_KIND). A console is named SITE/CONSOLE.
    """

    days_in: Callable[[str], Days]
    by: tuple[str, ...] = ()
    question_id: str | None = None
    site_ids: tuple[str, ...] | None = None
    consoles: tuple[str, ...] | None = None
    seller_ids: tuple[str, ...] | None = None
    merge_revisions: bool = False
    force_majeure: Rule | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The group's columns, each once, in the order of `by`."""
        return tuple(dict.fromkeys(column for name in self.by for column in COLUMNS_OF[name]))

    @property
    def row_columns(self) -> tuple[str, ...]:
        """The columns with which a row begins: those of the group, and a seller's name beside the id."""
        return tuple(
            shown
            for column in self.columns
            for shown in ((column, "seller_name") if column == "seller_id" else (column,))
        )

    def selections(self, timezones: dict[str, str]) -> Iterator[Selection]:
        """Yield what to count; several selections where days differ between sites, each with sites of its own."""
        sites_by_days: dict[Days, list[str]] = {}
        for site_id, timezone in timezones.items():
            if self.site_ids is None or site_id in self.site_ids:
                sites_by_days.setdefault(self.days_in(timezone), []).append(site_id)
        for (from_day, to_day), site_ids in sites_by_days.items():
            limit = self.site_ids if len(sites_by_days) == 1 else tuple(site_ids)
            yield Selection(str(from_day), str(to_day), self.question_id, limit, self.consoles, self.seller_ids)
