"""Reckon with spans of time, each (from_ms, to_ms). Pure."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from functools import lru_cache

from bridge.model.local_time import HOUR_MS

Span = tuple[int, int]

SALE_MS = 60_000
AROUND_A_SALE_MS = 1_800_000
"""A till that sends each sale by itself, in less than a minute, is taken to count for so long before and after it."""


def known_span(from_ms: int, to_ms: int) -> Span:
    """Return the time that a count says something of."""
    if to_ms - from_ms >= SALE_MS:
        return from_ms, to_ms
    return from_ms - AROUND_A_SALE_MS, to_ms + AROUND_A_SALE_MS


def end_of(from_ms: int, to_ms: int) -> int:
    """Return where the interval of a count ends; a sale is an instant."""
    return to_ms if to_ms - from_ms >= SALE_MS else from_ms + 1


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
