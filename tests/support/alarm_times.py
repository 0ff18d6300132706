"""When answers come that ring an alarm now, and those of earlier days by which they are judged."""

from __future__ import annotations

from typing import NamedTuple

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class AlarmTimes(NamedTuple):
    """The first instant of the answers, and of those of each earlier day: all within one hour of UTC."""

    answers_ms: int
    earlier_ms: list[int]


def alarm_times(now_ms: int, days: int = 10) -> AlarmTimes:
    """Return the times for three minutes of answers a few minutes ago, and half an hour of them on days before."""
    answers_ms = now_ms - 4 * MINUTE_MS
    if answers_ms % HOUR_MS > 57 * MINUTE_MS:
        answers_ms -= 4 * MINUTE_MS
    hour_ms = answers_ms - answers_ms % HOUR_MS
    return AlarmTimes(answers_ms, [hour_ms + 10 * MINUTE_MS - day * DAY_MS for day in range(days, 0, -1)])
