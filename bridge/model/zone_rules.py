"""The rules of a time zone: its offsets from UTC, and since when each holds. Pure, but for what `zoneinfo` reads.

They come from this machine, and change as governments decide: what was derived by older rules must be derived again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from bridge.model.local_time import first_of_offset, zone

Rules = tuple[tuple[int, int], ...]
"""(from_s, offset_s) of each span of time, in order; the first holds since FIRST_S, too."""

FIRST_S = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp())
LAST_S = int(datetime(2050, 1, 1, tzinfo=UTC).timestamp())
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


def _at(rules: Rules, at_s: int) -> int:
    return [offset_s for from_s, offset_s in rules if from_s <= at_s][-1]
