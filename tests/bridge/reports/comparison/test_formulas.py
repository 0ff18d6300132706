"""The pure parts of comparisons: aligned days, p-values, Holm, groups and empirical Bayes."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.reports.comparison.aligned_days import align, in_words, overlap, previous
from bridge.reports.comparison.empirical_bayes import Sample, drawn
from bridge.reports.comparison.ordering import (
    ALPHA,
    Pair,
    ScoresOrder,
    SharesOrder,
    fisher,
    holm,
    order_all,
    standings,
)
from bridge.reports.kpi import Answers
from tests.bridge.reports.comparison import independent
from tests.support.seeds import seeded

DAY = timedelta(days=1)
dates = st.dates(date(2024, 1, 1), date(2028, 1, 1))
lengths = st.integers(1, 120)


def weekdays(days: tuple[date, date]) -> Counter[int]:
    return Counter((days[0] + number * DAY).weekday() for number in range((days[1] - days[0]).days))


@given(dates, lengths, dates, lengths)
@settings(max_examples=60, deadline=None)
def test_aligned_days_have_each_weekday_equally_often_and_lie_within(one: date, n: int, two: date, m: int) -> None:
    this, other = (one, one + n * DAY), (two, two + m * DAY)
    aligned = align(this, other)
    if aligned is None:
        assert n < 7
        assert m < 7
        assert not weekdays(this).keys() & weekdays(other).keys()
        return
    assert weekdays(aligned.this) == weekdays(aligned.other)
    for chosen, asked in ((aligned.this, this), (aligned.other, other)):
        assert asked[0] <= chosen[0] < chosen[1] <= asked[1]
    assert (aligned.this[1] - aligned.this[0]).days >= min(n, m) - 6, "less than a week is left out"


@given(dates, lengths)
@settings(max_examples=30, deadline=None)
def test_the_period_before_has_the_same_weekdays_and_is_the_nearest_such(first: date, n: int) -> None:
    this = first, first + n * DAY
    before = previous(this)
    assert align(this, before) == (this, before)
    assert not overlap(this, before)
    assert overlap(this, (before[0] + 7 * DAY, before[1] + 7 * DAY))


def test_days_are_named_as_people_do() -> None:
    assert in_words((date(2026, 11, 1), date(2026, 11, 18))) == "1 to 17 November 2026"
    assert in_words((date(2026, 10, 30), date(2026, 11, 3))) == "30 October to 2 November 2026"
    assert in_words((date(2025, 12, 30), date(2026, 1, 3))) == "30 December 2025 to 2 January 2026"
    assert in_words((date(2026, 11, 1), date(2026, 11, 2))) == "1 November 2026"


def test_fishers_p_value_is_that_of_the_definition() -> None:
    for n, m in ((7, 9), (30, 12), (40, 61)):
        for x, y in product(range(0, n + 1, 3), range(0, m + 1, 4)):
            if x * m != y * n:
                assert fisher((x, n), (y, m)) == pytest.approx(float(independent.fisher((x, n), (y, m))), rel=1e-8)


@pytest.mark.parametrize("limit", [ALPHA, 1e-3, 1e-6])
def test_no_pair_is_skipped_whose_p_value_may_be_that_low(limit: float) -> None:
    for n, m in ((30, 30), (30, 95), (40, 900)):
        for x, y in product(range(n + 1), range(0, m + 1, max(1, m // 60))):
            if x * m < y * n and fisher((x, n), (y, m)) <= limit:
                (pair,) = SharesOrder([Answers(n - x, x), Answers(m - y, y)]).pairs(limit)
                assert (pair.better, pair.worse) == (0, 1)
                p = float(independent.fisher((x, n), (y, m))) if m < 100 else fisher((x, n), (y, m))
                assert pair.least <= p * (1 + 1e-9)
                assert pair.most >= p * (1 - 1e-9)


def test_pairs_are_those_with_one_order_at_both_silent_bounds() -> None:
    order = SharesOrder([Answers(90, 5, 0, 5), Answers(20, 60, 0, 20), Answers(10, 0, 0, 90)])
    (pair,) = (pair for pair in order.pairs() if {pair.better, pair.worse} == {0, 1})
    assert (pair.better, pair.worse) == (0, 1)
    at_k0, at_k1 = independent.fisher((5, 100), (60, 100)), independent.fisher((10, 100), (80, 100))
    assert order.exact(pair).most == pytest.approx(float(max(at_k0, at_k1)))
    assert all({found.better, found.worse} != {0, 2} for found in order.pairs()), "bounds disagree"


def test_a_negative_weight_of_loyalty_is_the_lower_bound() -> None:
    members = [Answers(95, 5, 0, 0), Answers(20, 10, 0, 70)]
    assert ScoresOrder(members).pairs(), "at k = 0 and k = 1 the first is better"
    assert not ScoresOrder(members, -1.0).pairs(), "not if all silents are loyal"


def test_holms_procedure_stops_at_the_first_that_fails() -> None:
    assert holm([0.001, 0.03, 0.01], 5) == ALPHA / 3, "0.001 ≤ 0.05/5 and 0.01 ≤ 0.05/4, but 0.03 > 0.05/3"
    assert holm([0.02], 3) == ALPHA / 3
    assert holm([], 3) == ALPHA / 3
    assert holm([0.05], 1) == ALPHA


def test_bounds_of_p_values_lead_to_the_order_of_exact_ones() -> None:
    chance = seeded("orders")
    for _ in range(20):
        no = [chance.choice((5, 9, 14, 20, 27)) for _ in range(9)]
        members = [Answers(120 - count, count, 0, chance.randrange(20)) for count in no]
        counts = {str(number): (m.yes, m.no, m.cant_say, m.silent) for number, m in enumerate(members)}
        (ordered,) = order_all([SharesOrder(members)], 36)
        found = {str(number): standing.group for number, standing in enumerate(standings(9, ordered))}
        assert found == independent.groups(counts)


def test_most_is_more_than_half_of_the_others() -> None:
    pairs = [Pair(0, worse, 0.0, 0.0) for worse in (1, 2)]
    five = standings(5, pairs)
    assert [standing.group for standing in five] == ["cannot_be_told_apart"] * 5, "2 of 4 are not more than half"
    four = standings(4, pairs)
    assert (four[0].group, four[0].better_than, four[0].others) == ("better_than_most", 2, 3)
    two = standings(2, pairs[:1])
    assert [standing.group for standing in two] == ["better_than_most", "worse_than_most"]


def test_empirical_bayes_draws_the_more_the_less_the_others_differ() -> None:
    own = Sample(0.5, 0.2, 40)
    alike = [Sample(0.2 + 0.001 * number, 0.2, 400) for number in range(10)]
    apart = [Sample(0.1 + 0.08 * number, 0.2, 400) for number in range(10)]
    near, far = drawn(own, alike, (0.0, 1.0)), drawn(own, apart, (0.0, 1.0))
    assert near is not None
    assert far is not None
    assert near.own_weight == pytest.approx(0.2), "of ten others an eighth part less than all"
    assert near.value < far.value < own.mean
    assert near.others_mean == pytest.approx(fmean(sample.mean for sample in alike))
    # DerSimonian and Laird by hand: all weights are equal, so the variance between is the sample's less its error.
    between = sum((sample.mean - fmean(s.mean for s in apart)) ** 2 for sample in apart) / 9 - 0.2 / 400
    assert 1 - far.own_weight == pytest.approx(0.8 * (0.2 / 40) / (0.2 / 40 + between))


def test_of_few_others_nobody_knows_how_much_they_differ() -> None:
    own = Sample(0.5, 0.2, 40)
    assert drawn(own, [own] * 4, (0.0, 1.0)) is None
    assert drawn(own, [own] * 5, (0.0, 1.0)) is not None
    assert drawn(own, [Sample(0.0, 0.0, 90)] * 5, (0.0, 1.0)) is None, "all surveys have one score"
