"""Count how often alarms ring where nothing but chance is at work, and how soon where something is wrong.

1 in 200 quarters of an hour with at least 4 answers is promised at most. Every place is watched as the bridge does: a
rolling quarter, looked at after each answer, against what was usual there in the 8 weeks before.

    python -m tests.benchmarks alarms
"""

from __future__ import annotations

import random
import sys
from statistics import median
from typing import TYPE_CHECKING

from bridge.model.alarm import AlarmWatch, AnswerCount, chance_of
from tests.benchmarks.figure import Figure
from tests.support.alarm_world import QUARTER_MS, CommonCause, Rung, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARES = (0.03, 0.05, 0.1, 0.12, 0.2, 0.3, 0.5)
RATES = (0.7, 1.5, 3.0, 6.0, 12.0, 25.0, 60.0)  # answers a quarter of an hour
QUARTERS = 24_000  # of a point, about: so many that chance moves it by a tenth
FIVE_YEARS = 5 * 365
MINUTE_MS = QUARTER_MS / 15
TROUBLES = 400
USUAL, BAD, RATE = AnswerCount(2_000, 240), 0.6, 6.0


def shop(*, busy: float = 1.0, sellers: tuple[float, ...] = (0.0,)) -> CommonCause:
    """Return a shop whose share of no and whose customers differ by hour."""
    shares = {hour: 0.08 + 0.02 * (hour % 5) for hour in range(9, 19)}
    return CommonCause(shares, {hour: busy * (2.0 + hour % 4) for hour in shares}, sellers)


def point(share: float, rate: float, *, counted_is_no: bool) -> Rung:
    """Let two hours a day pass at a place of always the same share and rate."""
    hours = {10: share, 11: share}
    days = int(min(QUARTERS, 600_000 / rate) / 8)
    draw = random.Random(f"{share} {rate} {counted_is_no}")
    return simulate(CommonCause(hours, dict.fromkeys(hours, rate)), days, draw, counted_is_no=counted_is_no)


def minutes_to_alarm(draw: random.Random) -> float:
    """Return how long it takes until an alarm rings after three in five answers have begun to be no."""
    watch = AlarmWatch(lambda _span, found: chance_of(found, USUAL))
    at_ms, share = -QUARTER_MS, USUAL.share
    while True:
        at_ms += int(draw.expovariate(RATE / QUARTER_MS))
        share = USUAL.share if at_ms < 0 else BAD
        if watch.judge(at_ms, is_counted=draw.random() < share) is not None and at_ms > 0:
            return at_ms / MINUTE_MS


def figures() -> Iterator[Figure]:
    """Print the grid, then give the whole and its parts as shares of what is promised."""
    name = "alarms of chance alone, of those promised"
    rung = simulate(shop(), FIVE_YEARS, random.Random("five years"))
    note = f"{rung.alarms} in {rung.quarters:,} quarters of an hour with 4 answers"
    yield Figure(f"{name}: five years at a shop", rung.of_promise, "", 1, at_most=True, note=note)
    sys.stdout.write("  alarms of those promised, by share of the answer and answers a quarter of an hour\n")
    sys.stdout.write(f"  {'':8}" + "".join(f"{rate:>7g}" for rate in RATES) + "\n")
    points = []
    for counted_is_no, word in ((True, "no"), (False, "yes")):
        for share in SHARES:
            row = [point(share, rate, counted_is_no=counted_is_no) for rate in RATES]
            points += row
            shown = share if counted_is_no else 1 - share
            sys.stdout.write(f"  {word} {shown:4.2f} " + "".join(f"{found.of_promise:7.2f}" for found in row) + "\n")
            sys.stdout.flush()
    large = [found for found in points if found.quarters > QUARTERS // 4]
    yield Figure(f"{name}: worst point of a grid", max(found.of_promise for found in large), "", 1, at_most=True)
    unlike = simulate(shop(sellers=(-0.4, 0.0, 0.4)), FIVE_YEARS, random.Random("sellers"))
    note = "each day one of three, whose odds of a no differ by half"
    yield Figure(f"{name}: sellers who differ", unlike.of_promise, "", 1, at_most=True, note=note)
    draw = random.Random("trouble")
    waited = median(minutes_to_alarm(draw) for _ in range(TROUBLES))
    note = f"median, {RATE:g} answers a quarter of an hour, of which 12 % are usually no"
    yield Figure("60 % of answers are no: minutes to the alarm", waited, "min", 30, at_most=True, note=note)
