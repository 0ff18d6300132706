from math import comb, isclose, sqrt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.model import intervals
from bridge.reports import kpi
from bridge.reports.kpi import Answers
from tests.benchmarks import interval_coverage

COUNTS = st.builds(Answers, *[st.integers(0, 2000)] * 4)
WEIGHTS = st.floats(0, 1)


def test_the_methods_formulas_by_hand() -> None:
    answers = Answers(yes=12, no=6, cant_say=2, silent=80)
    dissatisfaction = kpi.dissatisfaction_index(answers, 0.5)
    loyalty = kpi.emotional_loyalty_index(answers, 0.5)
    assert dissatisfaction is not None
    assert loyalty is not None
    assert isclose(dissatisfaction.value, 0.46)
    assert (dissatisfaction.at_k0, dissatisfaction.at_k1) == (0.06, 0.86)
    assert isclose(loyalty.value, -0.34)
    assert (loyalty.at_k0, loyalty.at_k1) == (0.06, -0.74)
    rate = kpi.response_rate(answers)
    assert rate is not None
    assert rate.value == 0.2


def test_wilsons_interval_against_its_defining_equation() -> None:
    low, high = intervals.wilson(7, 50)[1:]
    for bound in (low, high):
        assert isclose(abs(7 / 50 - bound) / sqrt(bound * (1 - bound) / 50), 1.959964, rel_tol=1e-5)


def test_rocks_interval_against_his_own_form_of_it() -> None:
    """Rocks writes the variance of the net share as (p + d - (p - d)²) / (n + 3), with 3/4 added to both counts."""
    yes, no, rest = 40, 10, 50
    promoters, detractors = (yes + 0.75) / 103, (no + 0.75) / 103
    half = 1.959963984540054 * sqrt((promoters + detractors - (promoters - detractors) ** 2) / 103)
    index = kpi.emotional_loyalty_index(Answers(yes=yes, no=no, cant_say=rest), 0.5)
    assert index is not None
    assert isclose(index.low, promoters - detractors - half)
    assert isclose(index.high, promoters - detractors + half)


def test_no_surveys_have_no_value() -> None:
    assert kpi.dissatisfaction_index(Answers(), 0.5) is None
    assert kpi.emotional_loyalty_index(Answers(), 0.5) is None
    assert kpi.response_rate(Answers()) is None


def test_ratios_are_unknown_without_a_divisor_and_never_clipped() -> None:
    assert kpi.ratio(5, None) is None
    assert kpi.ratio(5, 0) is None
    assert kpi.ratio(0, 5) == 0
    assert kpi.ratio(15, 10) == 1.5


@given(COUNTS, WEIGHTS)
def test_bounds_hold_the_value_and_stay_in_the_range(answers: Answers, k: float) -> None:
    for index, lowest in ((kpi.dissatisfaction_index, 0), (kpi.emotional_loyalty_index, -1)):
        found = index(answers, k)
        if answers.surveys:
            assert found is not None
            assert lowest <= found.low <= found.value <= found.high <= 1
            assert min(found.at_k0, found.at_k1) - 1e-12 <= found.value <= max(found.at_k0, found.at_k1) + 1e-12
    rate = kpi.response_rate(answers)
    assert rate is None or 0 <= rate.low <= rate.value <= rate.high <= 1


@given(COUNTS)
def test_the_silent_bounds_are_the_index_at_both_ends(answers: Answers) -> None:
    for index in (kpi.dissatisfaction_index, kpi.emotional_loyalty_index):
        found, at_0, at_1 = (index(answers, k) for k in (0.5, 0.0, 1.0))
        if found is not None:
            assert at_0 is not None
            assert at_1 is not None
            assert isclose(found.at_k0, at_0.value, abs_tol=1e-12)
            assert isclose(found.at_k1, at_1.value, abs_tol=1e-12)


def test_the_benchmark_weights_samples_correctly() -> None:
    """At k = 0 coverage is a plain binomial sum over the number of *no* answers."""
    expected = sum(
        comb(30, no) * 0.1**no * 0.9 ** (30 - no)
        for no in range(31)
        if intervals.wilson(no, 30).low <= 0.1 <= intervals.wilson(no, 30).high
    )
    (found,) = interval_coverage.coverages("dissatisfaction_index", [0.0], (0.55, 0.10, 0.05, 0.30), 30)
    assert isclose(found, expected, abs_tol=1e-7)


@pytest.mark.parametrize("index", interval_coverage.INDICES)
def test_intervals_cover_the_truth_at_small_numbers(index: str) -> None:
    covered = [
        share
        for shares in interval_coverage.SHARES
        for surveys in ((30, 60) if index == "dissatisfaction_index" else (30,))
        for share in interval_coverage.coverages(index, interval_coverage.SILENT_WEIGHTS, shares, surveys)
    ]
    assert 0.94 <= sum(covered) / len(covered) <= 0.97
    assert min(covered) >= 0.91


def _joined(answers: Answers, k: float) -> tuple[float, float]:
    """Compute the interval by the method's own words: distances to Wilson's limits of d and e, added as vectors."""
    surveys = answers.surveys
    d, e = answers.no / surveys, (answers.no + answers.silent) / surveys
    r = 1.0 if d == e else sqrt(d * (1 - e) / (e * (1 - d)))
    at_d, at_e = _limits(d, surveys), _limits(e, surveys)
    theta = (1 - k) * d + k * e
    low, high = (((1 - k) * (d - at_d[side]), k * (e - at_e[side])) for side in (0, 1))
    a, b = (sqrt(x * x + y * y + 2 * r * x * y) for x, y in (low, high))
    return theta - a, theta + b


def _limits(share: float, surveys: int) -> tuple[float, float]:
    """Solve (p - share)² = z² p (1 - p) / n for p."""
    z2 = 1.959963984540054**2 / surveys
    root = sqrt((2 * share + z2) ** 2 - 4 * (1 + z2) * share**2)
    return (2 * share + z2 - root) / 2 / (1 + z2), (2 * share + z2 + root) / 2 / (1 + z2)


@given(COUNTS, WEIGHTS)
@example(Answers(silent=40), 0.5)
@example(Answers(yes=40), 0.5)
@example(Answers(no=40), 0.5)
@example(Answers(no=4, silent=40), 0.3)
@example(Answers(no=4, yes=40), 0.3)
@example(Answers(yes=4, silent=40), 0.3)
def test_the_interval_of_the_dissatisfaction_index_is_the_methods(answers: Answers, k: float) -> None:
    found = kpi.dissatisfaction_index(answers, k)
    if found is not None:
        expected = _joined(answers, k)
        assert isclose(found.low, expected[0], abs_tol=1e-7)
        assert isclose(found.high, expected[1], abs_tol=1e-7)


@given(COUNTS)
def test_at_both_ends_the_dissatisfaction_index_has_wilsons_interval(answers: Answers) -> None:
    for k, count in ((0.0, answers.no), (1.0, answers.no + answers.silent)):
        found = kpi.dissatisfaction_index(answers, k)
        assert found is None or found[:3] == intervals.wilson(count, answers.surveys)


@given(COUNTS, st.floats(-1, 1))
def test_bounds_move_without_a_jump_in_the_silent_weight(answers: Answers, k: float) -> None:
    indices = [kpi.emotional_loyalty_index] + ([kpi.dissatisfaction_index] if k >= 0 else [])
    for index in indices:
        here, there = index(answers, k), index(answers, min(1, k + 1e-6))
        if here is not None:
            assert there is not None
            assert all(abs(a - b) < 1e-5 for a, b in zip(here, there, strict=True))


@given(COUNTS, st.floats(-1, 0), st.floats(0, 1))
def test_a_loyalty_index_with_a_negative_weight_stays_in_its_range(answers: Answers, k: float, error: float) -> None:
    found = kpi.emotional_loyalty_index(answers, k, error)
    assert found is None or -1 <= found.low <= found.value <= found.high <= 1
    assert found is None or found.value >= max(found.at_k0, found.at_k1) - 1e-12


def test_an_estimated_weight_adds_its_own_error() -> None:
    """The method: the mean with three pseudo-observations, and Var = (E[x²] - mean²) / (N + 3) + (S / N)² · Var(k)."""
    answers, k, error = Answers(yes=20, no=10, cant_say=5, silent=65), 0.4, 0.004
    mean = (10 + 0.4 * 65 + 0.75 + 1.5 * 0.5) / 103
    square = (10 + 0.16 * 65 + 0.75 + 1.5 * 0.25) / 103
    half = 1.959963984540054 * sqrt((square - mean**2) / 103 + 0.65**2 * error)
    found = kpi.dissatisfaction_index(answers, k, error)
    assert found is not None
    assert isclose(found.value, 0.36)
    assert isclose(found.low, mean - half)
    assert isclose(found.high, mean + half)
