"""Make the rows of a comparison: of two periods, of two groups, of each with the others, or with targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bridge.model.intervals import Estimate
from bridge.reports.comparison.among import MemberName, each_pair, in_groups
from bridge.reports.comparison.difference import subtract
from bridge.reports.comparison.outcomes import ComparisonOutcome, against_each_other
from bridge.reports.comparison.sides import ComparedSide
from bridge.reports.comparison.target_parts import TargetJudge, name_of
from bridge.reports.comparison.verdicts import GROUP_ORDER, WORDS
from bridge.reports.report_query import COLUMNS_OF
from bridge.reports.rows import report_rows
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.reports.comparison.outcomes import Name
    from bridge.reports.report_query import ReportQuery
    from bridge.reports.rows import Row
    from bridge.store import Store

ComparisonKind = Literal["periods", "named", "pairs", "groups", "target"]
EXPECTED_BY_CHANCE = 0.05
TOLD_FROM = 0.5
SITES_NAMED = 3


@dataclass(frozen=True)
class ComparisonQuery:
    """What is compared: `this`, with `other` if it is another period, or other sites or sellers.

    `days_in_words` says which days of two periods are compared, in a time zone.
    """

    kind: ComparisonKind
    this: ReportQuery
    other: ReportQuery | None = None
    days_in_words: Callable[[str], str] | None = None

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns that tell apart those who are compared with each other: of the last of the groups."""
        return COLUMNS_OF[self.this.by[-1]] if self.this.by else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns with which a row begins."""
        if self.kind == "named":
            column = "seller_ids" if self.this.seller_ids else "site_ids"
            return column, f"with_{column}"
        columns = self.this.row_columns
        if self.kind == "pairs":
            own = [column for column in columns if column in (*self.own_columns, "seller_name")]
            columns += tuple(f"with_{column}" for column in own)
        return columns


def comparison_rows(store: Store, query: ComparisonQuery) -> list[Row]:
    """Return the rows of a comparison as `--format json` shows them."""
    outcomes = _outcomes(store, query)
    _note_force_majeure(store, query, outcomes)
    _note_flags(outcomes)
    _note_chance(query, outcomes)
    if query.other is not None:
        _note_revisions(outcomes)
    if query.kind in {"groups", "pairs"} and "seller_id" in query.own_columns:
        _note_sites(query, outcomes)
    judge = TargetJudge(store, query.this)
    for outcome in outcomes.values():
        if outcome.this and query.kind not in {"target", "pairs", "named"}:
            outcome.targets = judge.judged(outcome.this)
    return [_as_object(query, outcome) for outcome in _sorted(query, outcomes)]


def _outcomes(store: Store, query: ComparisonQuery) -> dict[Name, ComparisonOutcome]:
    these = _sides(store, query.this)
    if query.kind == "target":
        judge = TargetJudge(store, query.this)
        return {name: _by_target(side, judge) for name, side in these.items()}
    if query.other is not None:
        of = "in this period", "in the other period"
        if query.kind == "named":
            of = "of those named first", "of those to compare with"
        missing = f"no surveys {of[0]}", f"no surveys {of[1]}"
        return against_each_other(these, _sides(store, query.other), missing)
    members = {_member_name(query, side): side for side in these.values()}
    return each_pair(members) if query.kind == "pairs" else in_groups(members)


def _sides(store: Store, query: ReportQuery) -> dict[Name, ComparedSide]:
    people = "seller_id" in query.columns or query.seller_ids is not None
    return {name_of(query, row): ComparedSide(row, people) for row in report_rows(store, query)}


def _member_name(query: ComparisonQuery, side: ComparedSide) -> MemberName:
    row, own = side.row, query.own_columns
    shared = tuple(row[column] for column in query.this.columns if column not in own)
    family = (*shared, row["question_id"], row["question_revision"], row["kind"])
    return MemberName(family, tuple(row[column] for column in own))


def _by_target(side: ComparedSide, judge: TargetJudge) -> ComparisonOutcome:
    """Compare a side with its target; where that changed, all parts must agree."""
    targets = judge.judged(side)
    found = [part for part in targets if part["figure"] == side.index_name] or targets
    verdicts = {part["verdict"] for part in found} - {"no_target"}
    verdict = verdicts.pop() if len(verdicts) == 1 else "cannot_be_told" if verdicts else "no_target"
    words = "; ".join(part["words"] for part in found)
    if len(found) > 1:
        words = f"{WORDS[verdict]}, where the target changed within the period: {words}"
    return ComparisonOutcome(
        verdict, words or f"{WORDS[verdict]}: set one with `trivox target set`", side, targets=targets
    )


def _note_force_majeure(store: Store, query: ComparisonQuery, outcomes: dict[Name, ComparisonOutcome]) -> None:
    """Say where the verdict would be another one with the surveys that force majeure took out."""
    if query.this.force_majeure is not None or not any(_left_out(outcome) for outcome in outcomes.values()):
        return
    other = query.other and replace(query.other, force_majeure="with")
    with_them = _outcomes(store, replace(query, this=replace(query.this, force_majeure="with"), other=other))
    for name, outcome in outcomes.items():
        counted = with_them.get(name)
        if (
            counted
            and counted.verdict != outcome.verdict
            and not (counted.a_side.is_withheld or outcome.a_side.is_withheld)
        ):
            outcome.notes.append(
                f"counting the surveys too that force majeure took out ({_left_out(outcome)}), it would be: "
                f"{WORDS[counted.verdict]}"
            )


def _left_out(outcome: ComparisonOutcome) -> int:
    return sum(side.row["left_out"] for side in (outcome.this, outcome.other) if side)


def _note_flags(outcomes: dict[Name, ComparisonOutcome]) -> None:
    """Say whose figures are flagged, and how many surveys a manager set aside."""
    for outcome in outcomes.values():
        rows = [side.row for side in (outcome.this, outcome.other) if side]
        aside = sum(row["set_aside"] for row in rows)
        if aside:
            outcome.notes.append(f"{plural(aside, 'survey')} set aside by a manager: see `trivox flags --all`")
        told = {(row["seller_id"], flag["rule"], flag["since"]) for row in rows for flag in row["flags"]}
        outcome.notes += [f"{seller_id} is flagged by {rule} since {since}" for seller_id, rule, since in sorted(told)]


def _note_chance(query: ComparisonQuery, outcomes: dict[Name, ComparisonOutcome]) -> None:
    """Say how many of many differences chance alone may make clear."""
    judged = sum(outcome.differences is not None for outcome in outcomes.values())
    expected = EXPECTED_BY_CHANCE * judged
    if query.kind == "periods" and expected >= TOLD_FROM:
        for outcome in outcomes.values():
            if outcome.verdict in {"better", "worse"}:
                outcome.notes.append(
                    f"one of {judged} comparisons, of which chance alone makes up to {expected:.0f} look clear"
                )


def _note_revisions(outcomes: dict[Name, ComparisonOutcome]) -> None:
    """Say where there is nothing to compare with because the other side was asked another revision of the question."""
    alone: dict[Name, list[ComparisonOutcome]] = {}
    for (*group, question_id, _, kind), outcome in outcomes.items():
        if outcome.verdict == "nothing_to_compare":
            alone.setdefault((*group, question_id, kind), []).append(outcome)
    for found in alone.values():
        if any(outcome.this for outcome in found) and any(outcome.other for outcome in found):
            for outcome in found:
                outcome.notes.append("the other side was asked another revision: --merge-revisions compares them")


def _note_sites(query: ComparisonQuery, outcomes: dict[Name, ComparisonOutcome]) -> None:
    """Say where sellers of several sites are compared with each other."""
    if "site_id" in query.this.columns:
        return
    sites = {site for outcome in outcomes.values() for site in outcome.a_side.row["settings"]["timezones"]}
    if len(sites) > 1:
        named = ", ".join(sorted(sites)[:SITES_NAMED]) + (", …" if len(sites) > SITES_NAMED else "")
        for outcome in outcomes.values():
            if outcome.standing or outcome.differences:
                outcome.notes.append(
                    f"sellers of {len(sites)} sites are compared ({named}), whose customers may differ: --by "
                    "site,seller compares those of each site"
                )


def _sorted(query: ComparisonQuery, outcomes: dict[Name, ComparisonOutcome]) -> list[ComparisonOutcome]:
    """Return the outcomes in the order of their names; groups one after the other, and within each by name."""
    found = sorted(outcomes.values(), key=lambda outcome: _order(query, outcome))
    if query.kind == "groups":
        found.sort(key=lambda outcome: (_family_order(query, outcome), GROUP_ORDER.index(outcome.verdict)))
    return found


def _order(query: ComparisonQuery, outcome: ComparisonOutcome) -> tuple[Any, ...]:
    """Return the sort key of an outcome: by name, what has none last; a seller's name comes before his id."""
    row = outcome.a_side.row
    values = [row.get("seller_name") or row["seller_id"]] if "seller_id" in row else []
    named = [(row[column] is None, row[column] or "") for column in query.this.columns if column != "seller_id"]
    people = [(value is None, value or "", row["seller_id"] or "") for value in values]
    second = outcome.other.row if outcome.other and query.kind == "pairs" else {}
    others = [str(second.get(column) or "") for column in query.own_columns]
    return _family_order(query, outcome), named, people, others


def _family_order(query: ComparisonQuery, outcome: ComparisonOutcome) -> tuple[Any, ...]:
    row = outcome.a_side.row
    shared = [str(row[column] or "") for column in query.this.columns if column not in query.own_columns]
    return row["question_id"], row["question_revision"] or 0, row["kind"], *shared


def _as_object(query: ComparisonQuery, outcome: ComparisonOutcome) -> Row:
    row, settings = outcome.a_side.row, outcome.a_side.row["settings"]
    found, standing = outcome.differences, outcome.standing
    zone = next(iter(settings["timezones"].values()), "UTC")
    return {
        **_names(query, outcome),
        "question_id": row["question_id"],
        "question_revision": row["question_revision"],
        "kind": row["kind"],
        "comparison": query.kind,
        "index": outcome.a_side.index_name,
        "days": query.days_in_words(zone) if query.days_in_words else None,
        "this": outcome.this and outcome.this.as_object(),
        "with": outcome.other and outcome.other.as_object(),
        "difference": found.stated._asdict() if found else _from_target(query, outcome),
        "difference_at_k0": found and found.at_k0._asdict(),
        "difference_at_k1": found and found.at_k1._asdict(),
        "response_rate_difference": _response_rates(outcome),
        "clearly_better_than": standing and standing.better_than,
        "clearly_worse_than": standing and standing.worse_than,
        "others": standing and standing.others,
        "empirical_bayes": outcome.drawn and outcome.drawn._asdict(),
        "verdict": outcome.verdict,
        "words": outcome.words,
        "targets": outcome.targets,
        "settings": {name: value for name, value in settings.items() if name not in {"from", "to", "timezones"}},
        "notes": outcome.notes,
    }


def _from_target(query: ComparisonQuery, outcome: ComparisonOutcome) -> Row | None:
    """Return by how much the index exceeds the target that it is compared with, if it is one."""
    found = [part["difference"] for part in outcome.targets if part["figure"] == outcome.a_side.index_name]
    return found[0] if len(found) == 1 and query.kind == "target" else None


def _names(query: ComparisonQuery, outcome: ComparisonOutcome) -> Row:
    if query.kind == "named":
        name = query.columns[0]
        return {name: _ids(query.this, name), f"with_{name}": _ids(query.other, name)}
    row = outcome.a_side.row
    names = {column: row[column] for column in query.this.row_columns}
    second = outcome.other.row if outcome.other else {}
    return names | {column: second.get(column.removeprefix("with_")) for column in query.columns if column not in names}


def _ids(query: ReportQuery | None, name: str) -> list[str]:
    return [*((query and (query.seller_ids if name == "seller_ids" else query.site_ids)) or ())]


def _response_rates(outcome: ComparisonOutcome) -> Row | None:
    rates = [side.row["response_rate"] for side in (outcome.this, outcome.other) if side]
    if outcome.differences is None or len(rates) < 2 or None in rates:  # noqa: PLR2004 - two sides
        return None
    this, other = (Estimate(rate["value"], rate["low"], rate["high"]) for rate in rates)
    return subtract(this, other)._asdict()
