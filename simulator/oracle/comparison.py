"""A report's rows held against the expected ones."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from simulator.oracle.kpis import Row

KEYS = (
    *("site_id", "console_id", "seller_id", "checkout_point_id", "day", "hour", "week", "month"),
    *("question_id", "question_revision"),
)


def differences(reported: Sequence[Row], expected: Sequence[Row]) -> list[str]:
    """A sentence for each figure that is not as expected; intervals, settings and notes are not compared.

    A row that nobody expects may be there if it tells of no survey and no force majeure.
    """
    found: list[str] = []
    by_key: dict[tuple[Any, ...], Row] = {}
    for row in reported:
        if _key(row) in by_key:
            found.append(f"{_name(row)} is reported twice.")
        by_key[_key(row)] = row
    for row in expected:
        other = by_key.pop(_key(row), None)
        if other is None:
            found.append(f"{_name(row)} is not reported.")
        else:
            found += [f"{_name(row)}: {words}" for words in _differing(other, row)]
    left = (row for row in by_key.values() if row["surveys"] or row["force_majeures"])
    return found + [f"{_name(row)} is reported, but nobody was there." for row in left]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple((name, row[name]) for name in KEYS if name in row)


def _name(row: Row) -> str:
    return ", ".join(f"{name} {row[name]}" for name in KEYS if name in row)


def _differing(reported: Row, expected: Row) -> Iterator[str]:
    for name, value in expected.items():
        said = reported.get(name)
        if not isinstance(value, Mapping):
            if said != value:
                yield f"{name} is {said}, not {value}."
        elif not isinstance(said, Mapping):
            yield f"{name} is {said}, not {value}."
        else:
            for part, figure in value.items():
                if not _is_same(said.get(part), figure):
                    yield f"{name}.{part} is {said.get(part)}, not {figure}."


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=0, abs_tol=1e-9)
    return bool(one == other)
