"""Format control charts as CSV, a line for each point. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv, to_json

if TYPE_CHECKING:
    from bridge.reports.control_chart.chart import Row

OF_CHART = ("question_id", "question_revision", "kind", "figure", "unit")
OF_POINT = (
    *("name", "from", "to", "last_day", "surveys", "yes", "no", "cant_say", "silent", "error", "left_out"),
    *("force_majeures", "value", "low", "high", "at_k0", "at_k1", "lower_limit", "upper_limit", "range", "state"),
    "beyond",
)
OF_RANGE = ("centre", "sigma_z", "trial_limits")


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the charts as CSV, a line for each point; what is said of the whole chart stands in each of its lines."""
    names = [*columns, *OF_CHART]
    said = ["change", "target", "target_value", "signals", "expected_false_signals", "settings", "notes"]
    lines: list[list[Any]] = [[*names, *OF_POINT, *OF_RANGE, *said]]
    for row in rows:
        ranges = {some["range"]: some for some in row["ranges"]}
        of_chart = [row[name] for name in names]
        for point in row["points"]:
            of_range = [_cell(ranges[point["range"]][name]) for name in OF_RANGE]
            lines.append([*of_chart, *(point.get(name) for name in OF_POINT), *of_range, *_said(row)])
    return to_csv(lines)


def _said(row: Row) -> list[Any]:
    target = row["target"] or {}
    return [
        row["change"]["words"],
        *(target.get("words"), target.get("value")),
        "; ".join(signal["words"] for signal in row["signals"]),
        row["expected_false_signals"],
        *(to_json(row["settings"]), "; ".join(row["notes"])),
    ]


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
