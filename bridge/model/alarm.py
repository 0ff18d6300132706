"""When an operational alarm rings, and when it has passed. Pure.

An alarm rings when, in 15 minutes at a site or checkout point, at least 4 answers came and so many of them were *no*
(or *yes*, for good news) as would come by chance in at most 1 of 200 such quarters of an hour.

**By chance** is the binomial tail against the usual share of that answer. That share is itself known from a limited
number of answers only, and what is not known of it counts as chance too: the tail is that of the beta-binomial
predictive distribution, with a uniform prior, which is the binomial tail where many answers are known.

**At most 1 of 200** has to hold although the quarter of an hour is not one on the clock: it rolls, and is looked at
after each answer, so that somebody comes while the customers are still there. A rolling window meets a limit more often
than one on the clock does: n times as often where answers are rare (n of them fall within some quarter of an hour n
times as often as within one on the clock), and by about √n times where there are many, as it is looked at n times. So
the tail times `looks(n)` must be at most 1 in 200. `tests/benchmarks/alarms.py` counts what that leads to.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from math import exp, lgamma, sqrt
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.local_time import MINUTE_MS
from bridge.model.periods import EVER

if TYPE_CHECKING:
    from collections.abc import Callable

    Chance = Callable[[tuple[int, int], "AnswerCount"], float | None]
    """The chance of what was found, from the first to the last answer; None where nobody knows what is usual."""

WINDOW_MS = 15 * MINUTE_MS
LEAST_ANSWERS = 4
CHANCE_MAX = 1 / 200
QUIET_MS = 60 * MINUTE_MS
"""After so long without the rule being met an alarm has passed, however few answers came."""


class AnswerCount(NamedTuple):
    """How many answers there were, and how many of them were the one that the alarm is about."""

    answers: int
    counted: int

    @property
    def share(self) -> float:
        """The share of that answer, 0 to 1; 0 where there were none."""
        return self.counted / self.answers if self.answers else 0.0


class AlarmWindow(NamedTuple):
    """A quarter of an hour in which the rule is met: from (not included) to the instant of its last answer."""

    from_ms: int
    to_ms: int
    first_ms: int
    """The instant of its first answer."""
    found: AnswerCount
    chance: float
    """Of as many of these answers or more among as many, in one such quarter of an hour."""


@lru_cache(maxsize=65_536)
def chance_of(found: AnswerCount, usual: AnswerCount) -> float:
    """Return the probability that as many answers hold `found.counted` or more of one kind, which is `usual`ly rarer.

    Beta-binomial, with the usual share distributed as Beta(counted + 1, answers - counted + 1).
    """
    n, a, b = found.answers, usual.counted + 1, usual.answers - usual.counted + 1
    whole = lgamma(n + 1) + lgamma(a + b) - lgamma(a) - lgamma(b) - lgamma(n + a + b)
    terms = (
        exp(whole + lgamma(x + a) + lgamma(n - x + b) - lgamma(x + 1) - lgamma(n - x + 1))
        for x in range(found.counted, n + 1)
    )
    return min(1.0, sum(terms))


def looks(answers: int) -> float:
    """Return how many times as often a rolling window of so many answers meets a limit as one on the clock does."""
    return max(float(LEAST_ANSWERS), sqrt(answers))


def is_beyond_chance(found: AnswerCount, chance: float) -> bool:
    """Return whether what was found in a rolling window is to ring."""
    return found.answers >= LEAST_ANSWERS and chance * looks(found.answers) <= CHANCE_MAX


class AlarmWatch:
    """Follows the answers at one place to one question, in the order of their time, for one of the answers.

    `met_at_ms` is when the rule was last met by the alarm that is not closed; None: there is none. Answers up to
    `after_ms` belong to an alarm that was closed, and make no other.
    """

    def __init__(self, chance: Chance, after_ms: int = -EVER) -> None:
        self._chance = chance
        self._after_ms = after_ms
        self._window: deque[tuple[int, bool]] = deque()
        self._count = 0
        self.met_at_ms: int | None = None
        self._since = 0  # answers since the rule was last met

    def resume(self, met_at_ms: int) -> None:
        """Go on with an alarm that is not closed; the answers since then are to be noted or judged next."""
        self.met_at_ms, self._since = met_at_ms, 0

    def note(self, at_ms: int, *, is_counted: bool) -> None:
        """Take an answer that is too old to ring, but lies in the same quarter of an hour as later ones."""
        if at_ms <= self._after_ms:
            return
        self._window.append((at_ms, is_counted))
        self._count += is_counted
        while self._window[0][0] <= at_ms - WINDOW_MS:
            self._count -= self._window.popleft()[1]
        if self.met_at_ms is not None and at_ms > self.met_at_ms:
            self._since += 1

    def judge(self, at_ms: int, *, is_counted: bool) -> AlarmWindow | None:
        """Take an answer; return the quarter of an hour that it ends, if the rule is met in it."""
        self.note(at_ms, is_counted=is_counted)
        found = AnswerCount(len(self._window), self._count)
        if not is_counted or found.answers < LEAST_ANSWERS or at_ms <= self._after_ms:
            return None
        chance = self._chance((self._window[0][0], at_ms), found)
        if chance is None or not is_beyond_chance(found, chance):
            return None
        self.met_at_ms, self._since = max(at_ms, self.met_at_ms or at_ms), 0
        return AlarmWindow(at_ms - WINDOW_MS, at_ms, self._window[0][0], found, chance)

    def closes_by_itself(self, now_ms: int) -> str | None:
        """Return why the alarm has passed by now, `recovered` or `quiet`; None if it has not, or there is none.

        It has recovered when the rule was not met for 15 minutes, in which at least 4 answers came; where fewer come
        it is quiet after an hour. What was noted and judged so far must reach up to now.
        """
        if self.met_at_ms is None:
            return None
        since_ms = now_ms - self.met_at_ms
        if since_ms >= WINDOW_MS and self._since >= LEAST_ANSWERS:
            return "recovered"
        return "quiet" if since_ms >= QUIET_MS else None

    def close(self) -> None:
        """Close the alarm; what it rang for makes no other."""
        if self.met_at_ms is not None:
            self._after_ms = max(self._after_ms, self.met_at_ms)
            while self._window and self._window[0][0] <= self._after_ms:
                self._count -= self._window.popleft()[1]
        self.met_at_ms = None
