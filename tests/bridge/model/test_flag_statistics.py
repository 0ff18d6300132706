"""The flags' statistics, each against a computation that is written anew and shares no code with the bridge."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from statistics import median

import pytest

from bridge.model.flags.asking import AskedHour, effect_of_bad_hours, logit_of_asked
from bridge.model.flags.beta_binomial import fit_peers, upper_tail
from bridge.model.flags.evidence import AskedInHour, SellerMonth
from bridge.model.flags.fullest_second import fullest_second
from bridge.model.flags.measures import skipping_bad_hours
from bridge.model.flags.odds import Stratum, mantel_haenszel
from bridge.model.flags.robust_z import Effect, z_scores
from bridge.model.flags.sales_matching import NEAR_MS, left_over
from tests.support.seeds import seeded

ROUNDS = 40


# Z ------------------------------------------------------------------------------------------------------------------


def robust_scale(effects: list[Effect], centre: float, tau2: float) -> float:
    return 1.4826 * median(abs(y - centre) / math.sqrt(variance + tau2) for y, variance in effects)


@pytest.mark.parametrize("count", [2, 3, 20, 21, 51])
@pytest.mark.parametrize("between", [0.0, 0.3, 2.0])
def test_z_has_the_smallest_spread_with_which_the_robust_scale_is_1(count: int, between: float) -> None:
    rng = seeded(f"z {count} {between}")
    effects = []
    for _ in range(count):
        variance = rng.uniform(0.01, 0.5)
        effects.append(Effect(rng.gauss(0, math.sqrt(variance) + between), variance))
    z = z_scores({str(number): effect for number, effect in enumerate(effects)})
    centre = median(y for y, _ in effects)
    name, (y, variance) = next((name, e) for name, e in zip(z, effects, strict=True) if abs(e.y - centre) > 1e-9)
    tau2 = ((y - centre) / z[name]) ** 2 - variance
    for name, (y, variance) in zip(z, effects, strict=True):
        assert z[name] == pytest.approx((y - centre) / math.sqrt(variance + tau2), abs=1e-6)
    assert robust_scale(effects, centre, max(0.0, tau2)) <= 1 + 1e-9
    assert tau2 == pytest.approx(0, abs=1e-9) or robust_scale(effects, centre, tau2 * (1 - 1e-6)) > 1


def test_two_cheats_among_twenty_do_not_hide_each_other() -> None:
    rng = seeded("two cheats")
    effects = {f"honest-{number}": Effect(rng.gauss(0, 0.2), 0.04) for number in range(18)}
    z = z_scores(effects | {"cheat-1": Effect(3.0, 0.04), "cheat-2": Effect(3.2, 0.04)})
    assert min(z["cheat-1"], z["cheat-2"]) > 3.09
    assert all(abs(z[name]) < 3.09 for name in effects)


def test_effects_that_are_all_the_same_have_z_of_0() -> None:
    assert z_scores({"a": Effect(1.0, 0.1), "b": Effect(1.0, 0.2)}) == {"a": 0, "b": 0}


# EB -----------------------------------------------------------------------------------------------------------------


def beta_binomial_tail(x: int, n: int, p: float, rho: float) -> float:
    """Return P(X ≥ x) by the product form of a Pólya urn, which needs no gamma function."""
    theta = rho / (1 - rho)
    total = 0.0
    for k in range(x, n + 1):
        term = float(math.comb(n, k))
        for step in range(k):
            term *= p + step * theta
        for step in range(n - k):
            term *= 1 - p + step * theta
        for step in range(n):
            term /= 1 + step * theta
        total += term
    return total


def empirical_bayes(x: int, n: int, others: list[tuple[int, int]]) -> float:
    """Return domain's EB: moments of the others without the fifth of them in highest standardised excess."""
    share = Fraction(sum(a for a, _ in others), sum(b for _, b in others))
    deviation = math.sqrt(share * (1 - share)) or 1
    excess = [(a - b * float(share)) / (math.sqrt(b) * deviation) for a, b in others]
    order = sorted(range(len(others)), key=lambda index: excess[index])
    others = [others[index] for index in order[: len(others) - len(others) // 5]]
    weights = sum(b for _, b in others)
    p = sum(a for a, _ in others) / weights
    rho = 0.0
    if 0 < p < 1:
        between = sum(b * (a / b - p) ** 2 for a, b in others)
        at_0 = p * (1 - p) * sum(1 - b / weights for _, b in others)
        per_rho = p * (1 - p) * sum((b - 1) * (1 - b / weights) for _, b in others)
        rho = (between - at_0) / per_rho
    rho = min(max(rho, 0.002), 0.5)
    if p == 0:
        p = 0.5 / (weights + 1)  # half a case, as a share of 0 would make any case impossible
    return beta_binomial_tail(x, n, min(1.25 * p, 0.999), min(2 * rho + 0.005, 0.9))


@pytest.mark.parametrize("spread", [0.0, 0.03, 0.3])
def test_eb_is_the_tail_of_a_beta_binomial_fitted_to_the_others(spread: float) -> None:
    rng = seeded(f"eb {spread}")
    for _ in range(ROUNDS):
        others = []
        for _ in range(rng.choice([20, 23, 29])):
            n, p = rng.randint(10, 200), min(0.9, max(0.0, rng.gauss(0.05, spread)))
            others.append((sum(rng.random() < p for _ in range(n)), n))
        n = rng.randint(10, 90)
        x = rng.randint(1, n)
        assert fit_peers(others).upper_tail(x, n) == pytest.approx(empirical_bayes(x, n, others), rel=1e-6, abs=1e-12)


def test_eb_where_no_other_has_a_case_is_small_but_not_0() -> None:
    others = [(0, 100)] * 20
    assert fit_peers(others).upper_tail(4, 100) == pytest.approx(empirical_bayes(4, 100, others))
    assert 0 < fit_peers(others).upper_tail(4, 100) < 0.005


def test_eb_where_all_others_have_nothing_but_cases_finds_nobody() -> None:
    assert fit_peers([(50, 50)] * 20).upper_tail(50, 50) > 0.5


def test_two_cheats_among_twenty_are_found_by_eb() -> None:
    honest = [(1, 100)] * 18
    assert fit_peers([*honest, (30, 100)]).upper_tail(30, 100) < 0.001


@pytest.mark.parametrize(("x", "n", "tail"), [(0, 10, 1.0), (11, 10, 0.0)])
def test_tails_beyond_the_range(x: int, n: int, tail: float) -> None:
    assert upper_tail(x, n, 0.3, 0.1) == tail


# Asking -------------------------------------------------------------------------------------------------------------


def test_the_logit_of_asked_and_its_variance() -> None:
    for asked, sales in ((0, 10), (3, 10), (10, 10), (12, 10)):
        some, others = min(asked, sales) + 0.5, max(sales - asked, 0) + 0.5
        assert logit_of_asked(asked, sales) == pytest.approx((math.log(some / others), 1 / some + 1 / others))


def log_odds(tables: list[tuple[float, float, float, float]]) -> tuple[float, float]:
    """Return Mantel and Haenszel's log odds ratio and the variance of Robins, Breslow and Greenland."""
    r = [a * d / (a + b + c + d) for a, b, c, d in tables]
    s = [b * c / (a + b + c + d) for a, b, c, d in tables]
    p = [(a + d) / (a + b + c + d) for a, b, c, d in tables]
    big_r, big_s = sum(r), sum(s)
    pairs = list(zip(r, s, p, strict=True))
    variance = sum(p * r for r, _, p in pairs) / (2 * big_r**2)
    variance += sum(p * s + (1 - p) * r for r, s, p in pairs) / (2 * big_r * big_s)
    variance += sum((1 - p) * s for _, s, p in pairs) / (2 * big_s**2)
    return math.log(big_r / big_s), variance


def test_mantel_haenszel_over_hours() -> None:
    rng = seeded("odds")
    for _ in range(ROUNDS):
        tables = [tuple(rng.randint(1, 60) for _ in range(4)) for _ in range(rng.randint(1, 9))]
        answers = sum(map(sum, tables))
        corrected = [tuple(cell + 0.5 * sum(table) / answers for cell in table) for table in tables]
        empty = [Stratum(0, 0, 9, 30), Stratum(4, 8, 0, 0)]  # nobody to compare
        found = mantel_haenszel([*(Stratum(*table) for table in tables), *empty])
        assert found == pytest.approx(log_odds(corrected))  # type: ignore[arg-type]


def test_the_correction_of_odds_vanishes_among_many_answers() -> None:
    tables = [(400.0, 1600.0, 9000.0, 21_000.0), (700.0, 1500.0, 11_000.0, 19_000.0)]
    assert mantel_haenszel(Stratum(*table) for table in tables) == pytest.approx(log_odds(tables), rel=1e-3)


def test_odds_without_anybody_to_compare_and_without_a_no() -> None:
    assert mantel_haenszel([]) is None
    assert mantel_haenszel([Stratum(3, 4, 0, 0)]) is None
    without = mantel_haenszel([Stratum(0, 40, 30, 70)])
    assert without is not None
    assert without.y < -2
    assert without.variance > 1


def bad_hours_effect(hours: list[AskedHour]) -> tuple[float, float]:
    """Return the effect and the variance over days, or the binomial one if that is higher."""
    ratio, floor, per_day = 0.0, 0.0, Counter[str]()
    for is_bad, sign in ((True, 1), (False, -1)):
        some = [hour for hour in hours if hour.is_bad is is_bad]
        asked, expected = sum(hour.asked for hour in some) + 0.5, sum(hour.expected for hour in some) + 0.5
        sales = sum(hour.sales for hour in some) + 1
        ratio += sign * math.log(asked / expected)
        floor += (1 - min(1.0, asked / sales)) / asked
        for hour in some:
            per_day[hour.day] += sign * (hour.asked / asked - hour.expected / expected)  # type: ignore[assignment]
    days = len(per_day)
    return ratio, max(floor, sum(part**2 for part in per_day.values()) * days / (days - 1))


def test_asked_against_expected_in_bad_hours_with_variance_by_days() -> None:
    rng = seeded("bad hours")
    for _ in range(ROUNDS):
        hours = []
        for day in range(rng.randint(2, 25)):
            for number in range(8):
                sales = rng.randint(1, 12)
                asked = sum(rng.random() < rng.choice([0.2, 0.8]) for _ in range(sales))
                hours.append(AskedHour(str(day), number < 2, asked, sales, sales * rng.uniform(0.3, 0.9)))
        assert effect_of_bad_hours(hours) == pytest.approx(bad_hours_effect(hours))


def test_there_is_no_effect_of_bad_hours_without_two_days_and_both_kinds() -> None:
    bad, other = (AskedHour("1", is_bad, 3, 5, 4) for is_bad in (True, False))
    assert effect_of_bad_hours([bad, other]) is None
    assert effect_of_bad_hours([bad, bad._replace(day="2")]) is None
    assert effect_of_bad_hours([bad, other._replace(day="2")]) is not None


def chain(sellers: int, sales_in_hour: int) -> dict[str, SellerMonth]:
    """Return sellers who work the same 20 hours on each of two days: at noon customers are angry, and he-0 skips it."""
    evidence = {}
    for seller in range(sellers):
        month = evidence[f"he-{seller}"] = SellerMonth()
        for number in range(20):
            hour = ("shop", f"2026-11-0{2 + number // 10}T{9 + number % 10:02d}")
            is_angry = 12 <= 9 + number % 10 < 14
            asked = 1 if seller == 0 and is_angry else sales_in_hour // 2
            month.hours[hour] = AskedInHour(asked, sales_in_hour)
            month.answers[("shop", "staff", hour[1])] = [asked // 2, asked - asked // 2] if is_angry else [0, asked]
    return evidence


@pytest.mark.parametrize(("sellers", "sales", "is_measured"), [(4, 10, True), (3, 10, False), (4, 9, False)])
def test_bad_hours_need_three_peers_and_200_sales(sellers: int, sales: int, *, is_measured: bool) -> None:
    found = skipping_bad_hours(chain(sellers, sales))
    assert bool(found) is is_measured
    if is_measured:
        assert found["he-0"].n == 50  # the worst quarter of twenty hours
        assert found["he-0"].effects[0].y < math.log(0.85) < found["he-1"].effects[0].y


# Times --------------------------------------------------------------------------------------------------------------


def test_the_fullest_second_is_found_at_each_quarter() -> None:
    rng = seeded("fullest")
    for _ in range(ROUNDS):
        times = [int(rng.lognormvariate(8, 0.5)) for _ in range(rng.randint(1, 80))]
        counted = [sum(start <= time < start + 1000 for time in times) for start in range(0, max(times) + 1, 250)]
        found = fullest_second(Counter(time // 250 for time in times))
        assert found.answers == max(counted)
        assert sum(found.from_ms <= time < found.from_ms + 1000 for time in times) == found.answers


def most_matches(surveys: list[int], sales: list[int]) -> int:
    """Return how many pairs there are at most, by augmenting paths."""
    taken: dict[int, int] = {}

    def place(survey: int, seen: set[int]) -> bool:
        for sale, at_ms in enumerate(sales):
            if abs(at_ms - surveys[survey]) <= 180_000 and sale not in seen:
                seen.add(sale)
                if sale not in taken or place(taken[sale], seen):
                    taken[sale] = survey
                    return True
        return False

    return sum(place(survey, set()) for survey in range(len(surveys)))


def test_as_many_surveys_as_can_be_are_matched_with_sales() -> None:
    rng = seeded("matching")
    for _ in range(ROUNDS):
        surveys, sales = (sorted(rng.randrange(3_000_000) for _ in range(rng.randint(0, 25))) for _ in range(2))
        assert len(surveys) - len(left_over(surveys, sales)) == most_matches(surveys, sales)


@pytest.mark.parametrize(("apart_ms", "rest"), [(NEAR_MS, []), (NEAR_MS + 1, [0]), (-NEAR_MS, []), (-NEAR_MS - 1, [0])])
def test_a_sale_is_near_up_to_three_minutes(apart_ms: int, rest: list[int]) -> None:
    assert left_over([1_000_000], [1_000_000 + apart_ms]) == rest
    assert left_over([1_000_000, 1_000_000], [1_000_000]) == [1]  # one sale for one survey
