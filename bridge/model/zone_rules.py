"""The rules of a time zone: its offsets from UTC, and since when each holds. Pure, but for what `zoneinfo` reads.

They come from this machine, and change as governments decide: what was derived by older rules must be derived again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_zone
from functools import lru_cache

from bridge.model.local_time import first_of_offset, zone

Rules = tuple[tuple[int, int], ...]
"""(from_s, offset_s) of each span of time, in order; the first holds since FIRST_S, too."""

FIRST_S = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp())
LAST_S = int(datetime(2050, 1, 1, tzinfo=UTC).timestamp())
OFFSETS_SHOWN = 4
_STEP_S = 7 * 86_400  # no zone changes its offset twice in a week


@lru_cache(maxsize=512)
def rules_of(timezone: str) -> Rules:
    """Return the rules of a zone from 1970 to 2050, as this machine has them. Raises UsageError if it has none."""
    tz = zone(timezone)
    rules = [(FIRST_S, _offset_s(FIRST_S, timezone))]
    for at_s in range(FIRST_S + _STEP_S, LAST_S, _STEP_S):
        offset_s = _offset_s(at_s, timezone)
        if offset_s != rules[-1][1]:
            rules.append((first_of_offset(at_s - _STEP_S, at_s, tz), offset_s))
    return tuple(rules)


def _offset_s(at_s: int, timezone: str) -> int:
    offset = datetime.fromtimestamp(at_s, zone(timezone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def changed_span_s(before: Rules, after: Rules) -> tuple[int, int] | None:
    """Return from when to when two versions of a zone's rules differ; None if they don't."""
    changes = sorted({from_s for from_s, _ in (*before, *after)})
    differ = [
        (from_s, to_s)
        for from_s, to_s in zip(changes, [*changes[1:], LAST_S], strict=True)
        if _at(before, from_s) != _at(after, from_s)
    ]
    return (differ[0][0], differ[-1][1]) if differ else None


def offsets_in(rules: Rules, span_s: tuple[int, int]) -> str:
    """Say which offsets hold in a span of time, and from when, as `+02:00, +03:00 from 2026-03-29T01:00Z`."""
    first, *others = [(span_s[0], _at(rules, span_s[0])), *(rule for rule in rules if span_s[0] < rule[0] < span_s[1])]
    parts = [_offset(first[1]), *(f"{_offset(offset_s)} from {_instant(from_s)}" for from_s, offset_s in others)]
    return ", ".join(parts[:OFFSETS_SHOWN]) + (" …" if len(parts) > OFFSETS_SHOWN else "")


def _offset(offset_s: int) -> str:
    return datetime.fromtimestamp(0, fixed_zone(timedelta(seconds=offset_s))).isoformat()[len("1970-01-01T00:00:00") :]


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _at(rules: Rules, at_s: int) -> int:
    return [offset_s for from_s, offset_s in rules if from_s <= at_s][-1]
