"""Read what is chosen or named for all rows of a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.local_time import UNITS, day_starts_ms, period_of
from bridge.reports.estimated_weights import EstimatedWeight
from bridge.reports.notes import UNKNOWN
from bridge.store import places, report_queries, silent_weight
from bridge.store import settings as settings_table
from bridge.store.seller_names import names_at_sites, seller_names
from bridge.wire.settings import DEFAULT_FORCE_MAJEURE_SCOPE_S, SHARES_MAX

if TYPE_CHECKING:
    from bridge.reports.coverage.reading import MadeSums
    from bridge.reports.days import Days
    from bridge.reports.report_query import ReportQuery
    from bridge.store import Store


class RowKey(NamedTuple):
    """The key of a row; `revision` is None if revisions are merged, which happens only within one kind."""

    group: report_queries.Group
    question_id: str
    revision: int | None
    kind: str


@dataclass(frozen=True)
class ReportContext:
    """The query, and what is chosen or named for all rows of a report."""

    query: ReportQuery
    questions: dict[str, settings_table.KeyQuestion]
    kinds: dict[str, dict[int, str]]
    timezones: dict[str, str]
    seller_names: dict[str, str]
    names_at_sites: dict[str, dict[str, str]]
    sampled: set[str]
    scope_s: int
    shares_max: dict[str, float]
    weights: dict[str, EstimatedWeight]
    made_sums: MadeSums = field(default_factory=dict)  # of stale days, which several of its tables need

    def kind_of(self, question_id: str, revision: int) -> str:
        """Return a question's kind in a revision, or, if that is not defined, in the nearest defined one before it.

        Before the first defined revision it is the kind of that one.
        """
        kinds = self.kinds.get(question_id)
        if not kinds:
            return UNKNOWN
        return kinds[max((known for known in kinds if known <= revision), default=min(kinds))]

    def silent_weight(self, question_id: str) -> float:
        """Return the silent weight of a question in force; 0 if the question is not defined, so has no index."""
        question = self.questions.get(question_id)
        return question.silent_weight if question else 0.0

    def key(self, group: report_queries.Group, question_id: str, revision: int) -> RowKey:
        """Return the key of the row that takes the counts of a question's revision."""
        row_revision = None if self.query.merge_revisions else revision
        return RowKey(group, question_id, row_revision, self.kind_of(question_id, revision))

    def names_of(self, seller_id: str, sites: set[str]) -> dict[str, str]:
        """Return what a seller is called at each of these sites, as far as shifts there named him."""
        known = self.names_at_sites.get(seller_id, {})
        return {site_id: known[site_id] for site_id in sorted(sites) if site_id in known}

    def seller_name(self, seller_id: str | None, sites: set[str]) -> str | None:
        """Return the name that these sites have for a seller; where they differ, or have none, the last one given."""
        names = set(self.names_of(seller_id or "", sites).values())
        return names.pop() if len(names) == 1 else self.seller_names.get(seller_id or "")

    def days_of(self, sites: set[str]) -> Days:
        """Return the first day at any of these sites, and the first day that no longer counts at any."""
        found = [self.query.days_in(self.timezones.get(site_id, "UTC")) for site_id in sites]
        return min(first for first, _ in found), max(last for _, last in found)

    def share_beyond(self, group: report_queries.Group, site_id: str, end_ms: int) -> float:
        """Return by how much of a row's own time at a site (its hour, day, …, or all) `end_ms` lies beyond it."""
        timezone = self.timezones.get(site_id, "UTC")
        first, last = (day_starts_ms(day, timezone) for day in self.query.days_in(timezone))
        units = zip(self.query.columns, group, strict=True)
        spans = [period_of(unit, name, timezone) for unit, name in units if unit in UNITS and name is not None]
        begins, ends = max([first, *(begin for begin, _ in spans)]), min([last, *(end for _, end in spans)])
        return max(0, end_ms - ends) / (ends - begins)


def read_context(store: Store, query: ReportQuery) -> ReportContext:
    """Read what is chosen or named for all rows of a report."""
    scope_s = settings_table.chosen_for_all(store, "force_majeure_scope_s")
    chosen = {name: settings_table.chosen_for_all(store, name) for name in SHARES_MAX}
    return ReportContext(
        query,
        settings_table.questions(store),
        settings_table.kinds(store),
        places.timezones(store),
        *((seller_names(store), names_at_sites(store)) if "seller_id" in query.columns else ({}, {})),
        report_queries.sites_that_sampled(store),
        DEFAULT_FORCE_MAJEURE_SCOPE_S if scope_s is None else scope_s,
        {name: default if chosen[name] is None else chosen[name] for name, default in SHARES_MAX.items()},
        {
            question_id: EstimatedWeight(estimate, silent_weight.sellers_drawn(store, estimate.draw.draw))
            for question_id, estimate in silent_weight.estimates_in_force(store).items()
        },
    )
