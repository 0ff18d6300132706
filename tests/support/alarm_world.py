"""Simulate answers of common cause alone at a place, and count how often its alarms ring."""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from typing import NamedTuple

from bridge.model.alarm import AlarmWatch, AnswerCount, chance_of

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
QUARTER_MS = 15 * MINUTE_MS
BASE_DAYS = 56


class CommonCause(NamedTuple):
    """A place without any special cause: the share of *no* by hour of day, and answers a quarter of an hour by hour.

    `sellers` are logits that the seller of a day adds, one drawn for each day.
    """

    shares: dict[int, float]
    rates: dict[int, float]
    sellers: tuple[float, ...] = (0.0,)


class Rung(NamedTuple):
    """How many alarms rang, and in how many quarters of an hour on the clock at least 4 answers came."""

    alarms: int
    quarters: int

    @property
    def of_promise(self) -> float:
        """The alarms as a share of those promised at most: 1 in 200 of such quarters of an hour."""
        return 200 * self.alarms / self.quarters if self.quarters else 0.0

    def __add__(self, other: tuple[int, ...]) -> Rung:  # type: ignore[override]
        return Rung(self.alarms + other[0], self.quarters + other[1])


def simulate(world: CommonCause, days: int, draw: random.Random, *, counted_is_no: bool = True) -> Rung:
    """Let so many days pass at a place, after 8 weeks from which the base is known, and count."""
    history: dict[int, deque[AnswerCount]] = {hour: deque(maxlen=BASE_DAYS) for hour in world.shares}
    base: dict[int, AnswerCount] = {}

    def chance(span: tuple[int, int], found: AnswerCount) -> float:
        """Return the chance by the hour that explains more, as the bridge does where answers came in two hours."""
        return max(chance_of(found, base[hour]) for hour in {at_ms % DAY_MS // HOUR_MS for at_ms in span})

    watch = AlarmWatch(chance)
    rung = Rung(0, 0)
    for day in range(-BASE_DAYS, days):
        base = {hour: AnswerCount(*map(sum, zip(*known, strict=True))) for hour, known in history.items() if known}
        seller = draw.choice(world.sellers)
        quarters: Counter[int] = Counter()
        for hour, share in world.shares.items():
            begin_ms = day * DAY_MS + hour * HOUR_MS
            no = 1 / (1 + math.exp(-math.log(share / (1 - share)) - seller))
            answers = [
                (at_ms, (draw.random() < no) is counted_is_no) for at_ms in _times(begin_ms, world.rates[hour], draw)
            ]
            history[hour].append(AnswerCount(len(answers), sum(counted for _, counted in answers)))
            if day < 0:
                continue
            quarters.update(at_ms // QUARTER_MS for at_ms, _ in answers)
            rung += (sum(_judge(watch, at_ms, counted=counted) for at_ms, counted in answers), 0)
        rung += (0, sum(count >= 4 for count in quarters.values()))
    return rung


def _times(begin_ms: int, rate: float, draw: random.Random) -> list[int]:
    """Draw the instants of an hour's answers, `rate` of them a quarter of an hour."""
    times, at_ms = [], begin_ms + draw.expovariate(rate / QUARTER_MS)
    while at_ms < begin_ms + HOUR_MS:
        times.append(int(at_ms))
        at_ms += draw.expovariate(rate / QUARTER_MS)
    return times


def _judge(watch: AlarmWatch, at_ms: int, *, counted: bool) -> bool:
    """Take an answer; return whether it raises an alarm where none was open."""
    if watch.closes_by_itself(at_ms):
        watch.close()
    was_open = watch.met_at_ms is not None
    return watch.judge(at_ms, is_counted=counted) is not None and not was_open
