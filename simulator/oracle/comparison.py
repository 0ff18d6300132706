"""Compare a report's rows with the expected rows."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from simulator.oracle.kpis import Row

KEYS = (
    *("site_id", "console_id", "seller_id", "checkout_point_id", "day", "hour", "week", "month"),
    *("question_id", "question_revision"),
)


def differences(reported: Sequence[Row], expected: Sequence[Row]) -> list[str]:
    """Return a sentence for each figure that differs; settings and notes are not compared.

    An unexpected row is allowed if it has no survey and no force majeure.
    """
    sentences: list[str] = []
    by_key: dict[tuple[Any, ...], Row] = {}
    for row in reported:
        if _key(row) in by_key:
            sentences.append(f"{_name(row)} is reported twice.")
        by_key[_key(row)] = row
    for row in expected:
        reported_row = by_key.pop(_key(row), None)
        if reported_row is None:
            sentences.append(f"{_name(row)} is not reported.")
        else:
            sentences += [f"{_name(row)}: {difference}" for difference in _row_differences(reported_row, row)]
    unexpected = (row for row in by_key.values() if row["surveys"] or row["force_majeures"])
    return sentences + [f"{_name(row)} is reported, but nobody was there." for row in unexpected]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple((name, row[name]) for name in KEYS if name in row)


def _name(row: Row) -> str:
    return ", ".join(f"{name} {row[name]}" for name in KEYS if name in row)


def _row_differences(reported: Row, expected: Row) -> Iterator[str]:
    for name, value in expected.items():
        actual = reported.get(name)
        if not isinstance(value, Mapping):
            if not _is_same(actual, value):
                yield f"{name} is {actual}, not {value}."
        elif not isinstance(actual, Mapping):
            yield f"{name} is {actual}, not {value}."
        else:
            for part, figure in value.items():
                if not _is_same(actual.get(part), figure):
                    yield f"{name}.{part} is {actual.get(part)}, not {figure}."


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=0, abs_tol=1e-9)
    return bool(one == other)
