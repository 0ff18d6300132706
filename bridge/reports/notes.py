"""Say what a reader must know before relying on a row; an ordinary row has no notes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.reports import estimated_weights, kpi, set_aside_rows
from bridge.reports.feeds import KINDS
from bridge.reports.notation import above, decimal
from bridge.reports.row_counts import BEYOND_MAX
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.row_counts import RowCounts

Row = dict[str, Any]

UNKNOWN = "unknown"
OUTSIDE_SHARE_MAX = 0.05
"""Above this share of surveys outside the time that a feed knows, a note says so: one in twenty."""
UNMANNED_SHARE_MAX = 0.05
"""So too where as much of a row's figure again fell, in the same intervals, to time with nobody on shift."""

SUSPECT = "a data fault or a gamed button"
RATIO_OF = {"transactions": "exact_conversion", "visitors": "visitor_coverage"}


def notes(row: Row, counts: RowCounts, sampled: set[str]) -> list[str]:
    """Return the notes of a row; at the sites `sampled`, consoles were ever told to ask only every n-th customer."""
    return [
        *_on_numbers(row, counts),
        *estimated_weights.notes(row, row["dissatisfaction_index"] or row["emotional_loyalty_index"]),
        *_on_force_majeure(row, counts),
        *set_aside_rows.notes(row, counts),
        *_on_ratios(row, counts, sampled),
        *_on_origin(row, counts),
    ]


def _on_numbers(row: Row, counts: RowCounts) -> Iterator[str]:
    surveys = row["surveys"]
    if row["kind"] == UNKNOWN:
        yield f"key question {row['question_id']} is not defined: no index (see `trivox question set`)"
    if _is_unasked(counts):
        yield f"nobody was asked, although {' and '.join(kind for kind in KINDS if row[kind])} were counted"
    elif surveys < kpi.TOO_FEW:
        yield f"too few surveys ({surveys}): counts only, no index below {kpi.TOO_FEW}"
    elif surveys < kpi.FEW:
        yield f"few surveys ({surveys}): mind the interval"


def _is_unasked(counts: RowCounts) -> bool:
    """Return whether there are only transactions or visitors, and all of them in the row's own time."""
    return not (counts.surveys or counts.errors_of_all or counts.force_majeures or any(counts.shares_beyond.values()))


def _on_force_majeure(row: Row, counts: RowCounts) -> Iterator[str]:
    level, settings = row["force_majeure_level"], row["settings"]
    for why in _reasons_not_assessable(row, counts, settings):
        yield f"not assessable: {why}; remove the causes, then measure again"
    left_out = counts.surveys - counts.with_set_aside().under_rule(settings["force_majeure"])[0].surveys
    if left_out:
        which = "not affected" if settings["force_majeure"] == "only" else "affected"
        yield (
            f"{left_out} of {plural(counts.surveys, 'survey')} left out, {which} by force majeure: "
            f"index {_index(row['index_with'])} with the affected, {_index(row['index_without'])} without"
        )
    if level is None and counts.errors_of_all:
        yield f"every survey ended as an error, {counts.errors_of_all} in all (see `trivox doctor`)"
    elif counts.error_share > settings["error_share_max"]:
        yield (
            f"many errors ({counts.errors_of_all} of {counts.surveys + counts.errors_of_all}): an error can hide a no "
            "(see `trivox doctor`)"
        )


def _reasons_not_assessable(row: Row, counts: RowCounts, settings: dict[str, Any]) -> Iterator[str]:
    level = row["force_majeure_level"]
    if level is None and counts.force_majeures:
        yield f"force majeure declared {plural(counts.force_majeures, 'time')} and no surveys"
    if level is not None and level["value"] > settings["force_majeure_level_max"]:
        yield f"force-majeure level {above(level['value'], settings['force_majeure_level_max'])}"
    if counts.affected_share > settings["affected_share_max"]:
        share = above(counts.affected_share, settings["affected_share_max"])
        yield f"the share of surveys affected by force majeure {share}"


def _on_ratios(row: Row, counts: RowCounts, sampled: set[str]) -> Iterator[str]:
    for kind in KINDS:
        figure, ratio, known = row[kind], row[RATIO_OF[kind]], counts.known[kind]
        if figure is None or kind not in counts.comparable:
            continue
        name = RATIO_OF[kind].replace("_", " ")
        outside = counts.surveys - known.surveys
        if figure == 0 and known.surveys:
            yield f"no {name}: {plural(known.surveys, 'survey')} and no {kind}, {SUSPECT}"
        elif ratio and ratio["value"] > 1:
            yield f"{name} {above(ratio['value'], 1)}: more asked than {kind}, {SUSPECT}"
        if counts.shares_beyond[kind]:
            nothing = f": no {name}" if counts.shares_beyond[kind] > BEYOND_MAX else ""
            yield f"some {kind} were counted over an interval that reaches beyond the period{nothing}"
        elif outside > OUTSIDE_SHARE_MAX * counts.surveys:
            of_all = f"{outside} of {plural(counts.surveys, 'survey')}"
            yield f"{of_all} lie outside the time that {kind} are known for, and are not in the {name}"
        if counts.unmanned[kind] > UNMANNED_SHARE_MAX * figure:
            yield (
                f"of intervals shared out by time, {counts.unmanned[kind]} {kind} are nobody's: surveys were opened "
                "while nobody was on shift (see `trivox shift list`)"
            )
    if counts.ask_every_unknown and counts.sites & sampled and any(row[RATIO_OF[kind]] for kind in KINDS):
        yield f"ask_every is not known for {counts.ask_every_unknown} of {plural(counts.surveys, 'survey')}: taken as 1"


def _on_origin(row: Row, counts: RowCounts) -> Iterator[str]:
    if counts.unproved:
        yield (
            f"not proved to be their console's: {counts.unproved} of its surveys and force majeures "
            "(see `trivox doctor`)"
        )
    if row["settings"]["merge_revisions"] and len(counts.revisions) > 1:
        yield f"revisions {', '.join(map(str, sorted(counts.revisions)))} merged"


def on_two_names(seller_id: str, names: dict[str, str]) -> Iterator[str]:
    """Say that a row may mix two people: its sites call the seller by different names. Capitals make no difference."""
    by_name = {name.casefold(): (name, site_id) for site_id, name in names.items()}
    if len(by_name) > 1:
        called = ", ".join(f"{name} at {site_id}" for name, site_id in by_name.values())
        yield (
            f"{seller_id} is called {called}: perhaps two people in one row (`--by site,seller` tells them apart, a "
            "seller_id of his own for good)"
        )


def _index(index: dict[str, float] | None) -> str:
    return "not shown (too few)" if index is None else decimal(index["value"])
