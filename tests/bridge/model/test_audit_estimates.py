"""Error rate and agreement of audits, against exact binomial sums and figures that were computed by hand."""

from __future__ import annotations

from math import comb, isclose

import pytest

from bridge.model.audit_estimates import Agreement, agreement, at_most, clean_needed, error_rate
from bridge.model.beta import beta_cdf
from tests.support.seeds import seeded


def chance_of_at_most(bad: int, audits: int, share: float) -> float:
    """Return the probability of at most `bad` bad ones among so many, each bad with this probability."""
    return sum(comb(audits, k) * share**k * (1 - share) ** (audits - k) for k in range(bad + 1))


@pytest.mark.parametrize(("bad", "audits"), [(0, 1), (0, 30), (0, 59), (1, 12), (1, 93), (3, 40), (11, 12), (25, 400)])
def test_the_bound_is_the_share_at_which_so_few_bad_ones_have_a_chance_of_one_in_twenty(bad: int, audits: int) -> None:
    assert isclose(chance_of_at_most(bad, audits, at_most(bad, audits)), 0.05, rel_tol=1e-6)


def test_the_figures_that_everybody_knows() -> None:
    assert round(at_most(0, 30), 3) == 0.095
    assert round(at_most(0, 59), 3) == 0.050
    assert at_most(0, 59) <= 0.05 < at_most(0, 58)
    assert at_most(1, 93) <= 0.05 < at_most(1, 92)  # one bad asks for 34 more
    assert clean_needed(0, 30, 30) == 29
    assert clean_needed(0, 59, 59) == 0
    assert clean_needed(1, 60, 60) == 33
    assert at_most(5, 5) == 1.0


def test_fractions_lie_between_whole_numbers() -> None:
    assert at_most(0, 30) < at_most(0.5, 30) < at_most(1, 30)
    assert at_most(1, 31) < at_most(1, 30.5) < at_most(1, 30)


def test_equal_weights_give_the_plain_share_with_wilsons_interval() -> None:
    rate = error_rate([("confirmed", 4.0)] * 11 + [("no_customer", 4.0)])
    assert rate is not None
    assert (rate.audits, rate.bad, rate.effective) == (12, 1, 12)
    assert isclose(rate.value, 1 / 12)
    # Wilson: (x + z²/2 ± z √(x(n-x)/n + z²/4)) / (n + z²)
    z = 1.959963984540054
    centre, half = (1 + z * z / 2), z * (11 / 12 + z * z / 4) ** 0.5
    assert isclose(rate.low, (centre - half) / (12 + z * z))
    assert isclose(rate.high, (centre + half) / (12 + z * z))


def test_none_bad_still_allows_some() -> None:
    rate = error_rate([("confirmed", 1.0)] * 30)
    assert rate is not None
    assert (rate.value, rate.low, rate.bad, rate.clean_needed) == (0, 0, 0, 29)
    assert rate.high == rate.at_most == at_most(0, 30)


def test_weights_count() -> None:
    judged = [("confirmed", 1.0)] * 3 + [("confirmed", 100.0)] * 2 + [("not_asked", 100.0)]
    rate = error_rate(judged)
    assert rate is not None
    assert isclose(rate.value, 100 / 303)
    assert isclose(rate.effective, 303**2 / (3 + 3 * 100**2))
    assert rate.effective < 4
    assert rate.low < rate.value < rate.high


def test_what_has_no_footage_counts_nowhere() -> None:
    judged = [("confirmed", 1.0)] * 5
    assert error_rate([*judged, ("no_footage", 50.0)]) == error_rate(judged)
    assert error_rate([("no_footage", 1.0)] * 3) is None
    assert error_rate([]) is None


@pytest.mark.parametrize("verdict", ["no_customer", "pressed_by_staff", "pressed_by_other", "not_asked"])
def test_four_verdicts_are_errors(verdict: str) -> None:
    rate = error_rate([(verdict, 1.0)] * 7)
    assert rate is not None
    assert (rate.value, rate.high, rate.bad) == (1, 1, 7)
    assert rate.low > 0.6


def test_bounds_stay_in_range_and_around_the_value_whatever_the_weights() -> None:
    chance = seeded("weights")
    for _ in range(300):
        verdicts = chance.choices(
            ["confirmed", "no_customer", "no_footage"], [8, chance.random() * 4, 1], k=chance.randint(1, 40)
        )
        rate = error_rate([(verdict, 10 ** chance.uniform(0, 2.5)) for verdict in verdicts])
        if rate is not None:
            assert 0 <= rate.low <= rate.value <= rate.high <= 1
            assert rate.value <= rate.at_most <= 1
            assert rate.effective <= rate.audits + 1e-9


def test_agreement_by_hand() -> None:
    pairs = (
        [("confirmed", "confirmed")] * 20
        + [("confirmed", "not_asked")] * 5
        + [("not_asked", "confirmed")] * 10
        + [("not_asked", "not_asked")] * 15
    )
    found = agreement(pairs)
    assert isinstance(found, Agreement)
    assert (found.pairs, found.value) == (50, 0.7)
    # Cohen: by chance .5 · .6 + .5 · .4 = .5; Gwet, six verdicts: 2 · .55 · .45 / 5 = .099
    assert isclose(found.kappa or 0, 0.4)
    assert isclose(found.ac1, (0.7 - 0.099) / (1 - 0.099))
    assert found.low < 0.7 < found.high


def test_kappa_says_nothing_where_all_is_the_same() -> None:
    found = agreement([("confirmed", "confirmed")] * 10)
    assert found is not None
    assert (found.value, found.kappa, found.ac1) == (1, None, 1)
    assert agreement([]) is None


@pytest.mark.parametrize(("a", "b"), [(1, 30), (2, 92), (4, 37), (20, 3)])
def test_the_beta_distribution_by_sums(a: int, b: int) -> None:
    for x in (0.001, 0.05, 0.3, 0.6, 0.99):
        exact = 1 - chance_of_at_most(a - 1, a + b - 1, x)  # P(at least a of a + b - 1)
        assert isclose(beta_cdf(x, a, b), exact, rel_tol=1e-9, abs_tol=1e-12)
    assert (beta_cdf(0, a, b), beta_cdf(1, a, b)) == (0, 1)
