"""Reckon with spans of time, each (from_ms, to_ms). Pure."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from functools import lru_cache

from bridge.model.local_time import HOUR_MS

Span = tuple[int, int]


def unite(spans: list[Span]) -> list[Span]:
    """Return spans in order of time, joined where they touch."""
    united: list[Span] = []
    for from_ms, to_ms in sorted(spans):
        if united and from_ms <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], to_ms)
        else:
            united.append((from_ms, to_ms))
    return united


def without(spans: list[Span], others: list[Span]) -> list[Span]:
    """Return what of spans of time lies in none of others; both are in order, and do not overlap among themselves."""
    left, ends = [], [to_ms for _, to_ms in others]
    for from_ms, to_ms in spans:
        start_ms = from_ms
        for index in range(bisect_right(ends, from_ms), len(others)):
            other_from_ms, other_to_ms = others[index]
            if other_from_ms >= to_ms:
                break
            if other_from_ms > start_ms:
                left.append((start_ms, other_from_ms))
            start_ms = other_to_ms
        if start_ms < to_ms:
            left.append((start_ms, to_ms))
    return left


def hours_span(first_hour: str, last_hour: str) -> Span:
    """Return the time from the start of one local hour, named as in reports, to the end of another."""
    return _starts_ms(first_hour), _starts_ms(last_hour) + HOUR_MS


@lru_cache(maxsize=65_536)
def _starts_ms(hour: str) -> int:
    return int(datetime.fromisoformat(hour).timestamp() * 1000)
