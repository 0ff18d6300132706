"""Test the arithmetic of estimated silent weights against computations of its own."""

from math import isclose

import pytest

from bridge.model import silent_weight
from bridge.model.silent_weight import FollowUp, variance_between_sellers

FOUND = FollowUp(yes=30, no=20, cant_say=4, unanswered=6)


def test_the_weight_is_the_share_of_no_among_all_who_were_asked() -> None:
    weight = silent_weight.estimate_weight("personnel", FOUND)
    assert weight.value == 20 / 60
    for bound in (weight.low, weight.high):  # Wilson's own equation
        assert isclose((bound - 1 / 3) ** 2, 1.959963984540054**2 * bound * (1 - bound) / 60)
    assert silent_weight.bounds_of_weight("office", FOUND) == (20 / 60, 26 / 60)


def test_the_weight_of_loyalty_is_minus_the_mean_score_and_may_be_negative() -> None:
    weight = silent_weight.estimate_weight("loyalty", FOUND)
    assert isclose(weight.value, -10 / 60)
    assert weight.low < weight.value < weight.high
    lowest, highest = silent_weight.bounds_of_weight("loyalty", FOUND)
    assert isclose(lowest, -16 / 60)
    assert isclose(highest, -4 / 60)
    assert silent_weight.lowest_weight("loyalty") == -1
    assert silent_weight.lowest_weight("personnel") == silent_weight.lowest_weight("office") == 0


def test_the_variance_of_the_weight_is_the_methods() -> None:
    share = 22 / 64
    assert isclose(silent_weight.weight_variance("personnel", FOUND), share * (1 - share) / 64)
    mean, square = -10 / 63, (50 + 1.5) / 63
    assert isclose(silent_weight.weight_variance("loyalty", FOUND), (square - mean**2) / 63)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 0.01579), (2, 0.21072), (10, 4.86518), (101, 83.2665)])
def test_a_tenth_of_chi_squared_lies_below_its_quantile(freedom: int, quantile: float) -> None:
    """The quantiles are those of printed tables."""
    assert isclose(silent_weight.chi_squared_at_most(quantile, freedom), 0.1, abs_tol=1e-4)


def test_sellers_who_differ_have_a_higher_limit_of_variance_than_sellers_who_do_not() -> None:
    alike = variance_between_sellers("personnel", [FollowUp(yes=14, no=6)] * 50)
    apart = variance_between_sellers("personnel", [FollowUp(yes=20), FollowUp(yes=8, no=12)] * 25)
    assert 0 <= alike < 0.02
    assert 0.09 < apart < 0.2  # of the sellers drawn it is 0.09
    assert apart <= 0.3 * 0.7 + 0.01


def test_little_data_limits_the_variance_between_sellers_only_by_that_of_single_silents() -> None:
    share = 22 / 64
    for sellers in ([FOUND], [FollowUp(*part) for part in [(1, 0), (0, 1)] * 3]):
        whole = FollowUp(*map(sum, zip(*sellers, strict=True)))
        share = (whole.no + 2) / (whole.asked + 4)
        assert isclose(variance_between_sellers("personnel", sellers), share * (1 - share))
    assert isclose(variance_between_sellers("personnel", []), 0.25)
    assert 0 < variance_between_sellers("loyalty", [FollowUp(yes=30, no=20), FollowUp(yes=5)]) <= 1
