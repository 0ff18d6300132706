"""Say what a reader must know before relying on a chart; an ordinary chart has no notes. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bridge.reports import kpi
from bridge.reports.control_chart.laney import TRIAL
from bridge.reports.control_chart.plain_words import BETTER, BY_NAME, WORSE
from bridge.reports.control_chart.points import JUDGED, NO_SURVEYS, NOT_ASSESSABLE, TOO_FEW
from bridge.reports.control_chart.units import LEAST_EXPECTED
from bridge.reports.notation import decimal
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.control_chart.figures import ChartFigure
    from bridge.reports.row_counts import RowCounts

Row = dict[str, Any]

LONGER = {"day": " (`--unit week` has more in each)", "week": " (`--unit month` has more in each)", "month": ""}


def chart_notes(row: Row, figure: ChartFigure, total: RowCounts) -> list[str]:
    """Return the notes of a chart that is complete but for them; `total` are the counts of all its points."""
    return [*_on_range(row), *_on_points(row, figure), *_on_what_is_left_out(row, total), *_on_weight(row)]


def _on_range(row: Row) -> Iterator[str]:
    """Say who had the limits begin anew, and what was usual before: a new range makes anything usual."""
    ranges = {some["range"]: some for some in row["ranges"]}
    before, since = ranges.get(row["range"] - 1), ranges[row["range"]]
    for note in row["annotations"] if before else []:
        if before and note["begins_range"] == row["range"]:
            yield (
                f"limits begin anew on {since['from']} by annotation {note['annotation_id']}, set on "
                f"{note['set_at'][:10]} by {note['set_by']}: centre {_centre(before)} before, {_centre(since)} since"
            )


def _centre(some: Row) -> str:
    return "unknown" if some["centre"] is None else decimal(some["centre"])


def _on_points(row: Row, figure: ChartFigure) -> Iterator[str]:
    unit, states = row["unit"], Counter(point["state"] for point in row["points"])
    current = [point for point in row["points"] if point["range"] == row["range"]]
    judged = [point for point in current if point["state"] == JUDGED]
    if judged and row["trial_limits"]:
        yield f"trial limits: of {plural(len(judged), 'point')}, fewer than {TRIAL}"
    if states[TOO_FEW]:
        too_few = plural(states[TOO_FEW], unit)
        yield f"{too_few} with fewer than {kpi.TOO_FEW} surveys: too few to say, and not judged{LONGER[unit]}"
    if states[NOT_ASSESSABLE]:
        yield f"{plural(states[NOT_ASSESSABLE], unit)} not assessable (force majeure), and not judged"
    if states[NO_SURVEYS] and unit != "day":
        yield f"{plural(states[NO_SURVEYS], unit)} without surveys"
    if unit != "day" and judged and row["sigma_z"]:
        mean_size = sum(point["surveys"] for point in judged) / len(judged)
        if mean_size * figure.share(row["centre"]) < LEAST_EXPECTED:
            yield (
                f"N·p̄ is below {LEAST_EXPECTED} in the mean {unit}: limits are rough, and signals by chance "
                f"may be more{LONGER[unit]}"
            )


def _on_what_is_left_out(row: Row, total: RowCounts) -> Iterator[str]:
    settings = row["settings"]
    aside = total.surveys - total.under_rule("with")[0].surveys
    if aside:
        yield f"{plural(aside, 'survey')} set aside (see `trivox flags --all`)"
    left_out = total.surveys - total.with_set_aside().under_rule(settings["force_majeure"])[0].surveys
    if left_out:
        which = "not affected" if settings["force_majeure"] == "only" else "affected"
        yield f"{left_out} of {plural(total.surveys, 'survey')} left out, {which} by force majeure"
    if total.error_share > settings["error_share_max"]:
        yield (
            f"many errors ({total.errors_of_all} of {total.surveys + total.errors_of_all}): an error can hide a no "
            "(see `trivox doctor`)"
        )


def _on_weight(row: Row) -> Iterator[str]:
    """Say where a change is due to what the silents are taken for, rather than to the answers."""
    change = row["change"]
    bounds = [change["at_k0"], change["at_k1"]]
    if change["name"] in {BETTER.name, WORSE.name} and None not in bounds and set(bounds) != {change["name"]}:
        at_k0, at_k1 = (BY_NAME[name].words for name in bounds)
        weight = row["settings"]["silent_weight"]
        yield f"mind the silent weight: {change['words']} at k = {weight:g}, {at_k0} at k = 0, {at_k1} at k = 1"
