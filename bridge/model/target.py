"""What a target is, which one is in force where and when, and when it is met or missed. Pure."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

TargetFigure = Literal["dissatisfaction_index", "emotional_loyalty_index", "response_rate"]
TargetVerdict = Literal["met", "missed", "cannot_be_told"]

AT_MOST: dict[TargetFigure, bool] = {
    "dissatisfaction_index": True,
    "emotional_loyalty_index": False,
    "response_rate": False,
}
"""The figures that may have a target, and whether it is the most that they may be; of the others it is the least."""

RANGES: dict[TargetFigure, tuple[float, float]] = {
    "dissatisfaction_index": (0.0, 1.0),
    "emotional_loyalty_index": (-1.0, 1.0),
    "response_rate": (0.0, 1.0),
}

TARGET_SIGNS = {"met": "● M", "missed": "✕ X", "cannot_be_told": "◌ ?"}
"""A sign for each verdict, by shape and letter."""

TARGET_WORDS = {"met": "met", "missed": "missed", "cannot_be_told": "cannot be told"}


class TargetScope(NamedTuple):
    """Whom a target is for: a seller, a checkout point of a site, a site, or (all empty) all who are asked."""

    site_id: str = ""
    checkout_point_id: str = ""
    seller_id: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        if self.seller_id:
            return f"seller {self.seller_id}"
        if self.checkout_point_id:
            return f"checkout point {self.site_id}/{self.checkout_point_id}"
        return f"site {self.site_id}" if self.site_id else "all"


EVERYWHERE = TargetScope()


class Target(NamedTuple):
    """A target from a local day on, until the next one of the same scope; its value is None if there is none any more.

    `set_at_ms` is the instant at which it was set, and `set_by` who did.
    """

    question_id: str
    figure: TargetFigure
    scope: TargetScope
    from_day: date
    value: float | None
    set_at_ms: int
    set_by: str

    @property
    def in_words(self) -> str:
        """The target as `at most 0.25`."""
        return "none" if self.value is None else f"at {'most' if AT_MOST[self.figure] else 'least'} {self.value:g}"


class TargetSpan(NamedTuple):
    """Local days, `to_day` not included, on which one target is in force; None: there is none."""

    from_day: date
    to_day: date
    target: Target | None


class Targets:
    """All targets that were ever set, by question, figure and scope."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_scope: dict[tuple[str, str, TargetScope], list[Target]] = {}
        for target in sorted(targets, key=lambda target: target.from_day):
            self._by_scope.setdefault((target.question_id, target.figure, target.scope), []).append(target)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._by_scope)

    def are_of_checkout_points(self) -> bool:
        """Return whether any is of a checkout point."""
        return any(scope.checkout_point_id for _, _, scope in self._by_scope)

    def of_scope(self, question_id: str, figure: TargetFigure, scope: TargetScope) -> list[Target]:
        """Return the targets of one scope, in order of their days."""
        return self._by_scope.get((question_id, figure, scope), [])

    def at(self, question_id: str, figure: TargetFigure, day: date, whom: TargetScope) -> Target | None:
        """Return the target in force for someone on a day: the most specific one.

        `whom` may name a seller and, with him, the checkout point and the site at which he works: his own target comes
        before that of the checkout point, then that of the site, then that of all.
        """
        for scope in _scopes_of(whom):
            found = self.of_scope(question_id, figure, scope)
            index = bisect_right(found, day, key=lambda target: target.from_day) - 1
            if index >= 0 and found[index].value is not None:
                return found[index]
        return None

    def spans(
        self, question_id: str, figure: TargetFigure, days: tuple[date, date], whom: TargetScope
    ) -> list[TargetSpan]:
        """Return which target is in force when for someone, within days (the first, and the one after the last).

        A target that is set anew with the same value goes on.
        """
        first, end = days
        changes = {
            target.from_day for scope in _scopes_of(whom) for target in self.of_scope(question_id, figure, scope)
        }
        starts = [first, *sorted(day for day in changes if first < day < end)]
        spans: list[TargetSpan] = []
        for from_day, to_day in zip(starts, [*starts[1:], end], strict=True):
            target = self.at(question_id, figure, from_day, whom)
            if spans and _value(spans[-1].target) == _value(target):
                spans[-1] = spans[-1]._replace(to_day=to_day)
            else:
                spans.append(TargetSpan(from_day, to_day, target))
        return spans


def judge(target: Target, intervals: Iterable[tuple[float, float]]) -> TargetVerdict:
    """Say whether a target is met, by intervals (low, high): those at the stated silent weight, and at its bounds.

    It is met or missed only if each of them lies wholly on one side; a bound that equals the target keeps it. Raises
    ValueError if the target has no value.
    """
    if target.value is None:
        raise ValueError("there is no target to judge by")
    found = list(intervals)
    lows, highs = [low for low, _ in found], [high for _, high in found]
    if AT_MOST[target.figure]:
        is_met, is_missed = max(highs) <= target.value, min(lows) > target.value
    else:
        is_met, is_missed = min(lows) >= target.value, max(highs) < target.value
    return "met" if is_met else "missed" if is_missed else "cannot_be_told"


def _scopes_of(whom: TargetScope) -> list[TargetScope]:
    """Return the scopes that someone belongs to, the most specific first."""
    site_id, checkout_point_id, seller_id = whom
    scopes = [TargetScope(seller_id=seller_id)] if seller_id else []
    if site_id and checkout_point_id:
        scopes.append(TargetScope(site_id, checkout_point_id))
    if site_id:
        scopes.append(TargetScope(site_id))
    return [*scopes, EVERYWHERE]


def _value(target: Target | None) -> float | None:
    return target.value if target else None
