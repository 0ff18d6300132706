"""Format the rows of a comparison as CSV; JSON is that of all reports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv, to_json
from bridge.reports.comparison.sides import COUNTS, INDEX_NAMES, RATIOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.rows import Row

_ESTIMATE = ("value", "low", "high")
_INDEX = (*_ESTIMATE, "at_k0", "at_k1")
_SIDE = {
    **dict.fromkeys(("from", "to", *COUNTS), ()),
    **dict.fromkeys(INDEX_NAMES, _INDEX),
    **dict.fromkeys(RATIOS, _ESTIMATE),
    **dict.fromkeys(("withheld", "assessable", "flags", "notes"), ()),
}
_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("question_id", "question_revision", "kind", "comparison", "index", "days"), ()),
    **dict.fromkeys(("difference", "difference_at_k0", "difference_at_k1", "response_rate_difference"), _ESTIMATE),
    **dict.fromkeys(("clearly_better_than", "clearly_worse_than", "others"), ()),
    "empirical_bayes": (*_ESTIMATE, "others_mean", "own_weight"),
    **dict.fromkeys(("verdict", "words", "targets", "settings", "notes"), ()),
}


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the rows as CSV, each side with `this_` or `with_` before its columns; lists and settings are JSON."""
    headings = [
        *columns,
        *_headings(_FIELDS),
        *(f"{side}_{name}" for side in ("this", "with") for name in _headings(_SIDE)),
    ]
    lines = [[*(_cell(row[column]) for column in columns), *_cells(row, _FIELDS), *_sides(row)] for row in rows]
    return to_csv([headings, *lines])


def _headings(fields: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for name, parts in fields.items():
        yield from (name if part == "value" else f"{name}_{part}" for part in parts or ("value",))


def _sides(row: Row) -> Iterator[Any]:
    for side in ("this", "with"):
        yield from _cells(row[side] or {}, _SIDE)


def _cells(values: dict[str, Any], fields: dict[str, tuple[str, ...]]) -> Iterator[Any]:
    for name, parts in fields.items():
        value = values.get(name)
        yield from ((value or {}).get(part) for part in parts) if parts else (_cell(value),)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "; ".join(value)
    return to_json(value) if isinstance(value, list | dict) else value
