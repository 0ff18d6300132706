"""Which target is in force for whom and when, and when it is met."""

from __future__ import annotations

from datetime import date

import pytest

from bridge.model.target import EVERYWHERE, Target, Targets, TargetScope, judge

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))
SITE, POINT, SELLER = TargetScope("s"), TargetScope("s", "p"), TargetScope(seller_id="anna")
ANNA_AT_WORK = TargetScope("s", "p", "anna")


def target(value: float | None, scope: TargetScope = EVERYWHERE, day: int = 1, figure: str = "index") -> Target:
    name = "dissatisfaction_index" if figure == "index" else figure
    return Target("staff", name, scope, date(2026, 11, day), value, 0, "anna")  # type: ignore[arg-type]


def value_at(targets: Targets, whom: TargetScope, day: int = 20) -> float | None:
    found = targets.at("staff", "dissatisfaction_index", date(2026, 11, day), whom)
    return found.value if found else None


def test_the_most_specific_target_is_in_force() -> None:
    all_four = [target(0.4), target(0.3, SITE), target(0.2, POINT), target(0.1, SELLER)]
    for count, expected in ((1, 0.4), (2, 0.3), (3, 0.2), (4, 0.1)):
        assert value_at(Targets(all_four[:count]), ANNA_AT_WORK) == expected
    targets = Targets(all_four)
    assert value_at(targets, TargetScope("s", "p", "boris")) == 0.2
    assert value_at(targets, TargetScope("s", "other")) == 0.3
    assert value_at(targets, TargetScope("other")) == 0.4
    assert targets.at("office", "dissatisfaction_index", date(2026, 11, 20), SITE) is None


def test_a_target_holds_from_its_day_until_the_next_or_its_end() -> None:
    targets = Targets([target(0.2, SITE, 10), target(None, SITE, 20), target(0.4)])
    assert [value_at(targets, SITE, day) for day in (9, 10, 19, 20)] == [0.4, 0.2, 0.2, 0.4]
    spans = targets.spans("staff", "dissatisfaction_index", NOVEMBER, SITE)
    assert [(span.from_day.day, span.to_day.day, span.target and span.target.value) for span in spans] == [
        (1, 10, 0.4),
        (10, 20, 0.2),
        (20, 1, 0.4),
    ]


def test_the_same_target_set_anew_goes_on() -> None:
    targets = Targets([target(0.2), target(0.2, EVERYWHERE, 15)])
    (span,) = targets.spans("staff", "dissatisfaction_index", NOVEMBER, SITE)
    assert span[:2] == NOVEMBER


def test_before_the_first_target_there_is_none() -> None:
    spans = Targets([target(0.2, SITE, 10)]).spans("staff", "dissatisfaction_index", NOVEMBER, SITE)
    assert [span.target is None for span in spans] == [True, False]


@pytest.mark.parametrize(
    ("intervals", "at_most", "at_least"),
    [
        ([(0.1, 0.25), (0.0, 0.2), (0.15, 0.25)], "met", "cannot_be_told"),
        ([(0.1, 0.25), (0.0, 0.2), (0.15, 0.26)], "cannot_be_told", "cannot_be_told"),
        ([(0.26, 0.3), (0.251, 0.3), (0.4, 0.5)], "missed", "met"),
        ([(0.26, 0.3), (0.25, 0.3), (0.4, 0.5)], "cannot_be_told", "met"),
        ([(0.1, 0.24), (0.1, 0.2), (0.1, 0.2)], "met", "missed"),
        ([(0.1, 0.2), (0.0, 0.1), (0.4, 0.5)], "cannot_be_told", "cannot_be_told"),
    ],
)
def test_a_target_is_met_or_missed_only_if_all_intervals_clear_it(
    intervals: list[tuple[float, float]], at_most: str, at_least: str
) -> None:
    assert judge(target(0.25), intervals) == at_most
    assert judge(target(0.25, figure="response_rate"), intervals) == at_least
    assert judge(target(0.25, figure="emotional_loyalty_index"), intervals) == at_least


def test_without_a_target_nothing_is_judged() -> None:
    with pytest.raises(ValueError, match="no target"):
        judge(target(None), [(0.0, 1.0)])
