"""Drawing surveys for audits: strata, weights, seeds, and who judges twice. Counted by hand, not by the bridge."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise

from bridge.model.audit import AuditDraw, CandidateSurvey, StratumKey, SurveyName, allocate, draw, is_same_expert
from tests.support.seeds import seeded


def day(**sizes: int) -> list[CandidateSurvey]:
    """Make surveys of a day: `ann_yes=5` are five of seller ann with outcome yes."""
    surveys = []
    for word, size in sizes.items():
        seller, _, outcome = word.partition("_")
        for _ in range(size):
            name = SurveyName("demo", "till-1", "0000abcd", 2 * len(surveys) + 1)
            surveys.append(CandidateSurvey(name, 1000 * len(surveys), seller, outcome))
    return surveys


def sample_sizes(drawn: AuditDraw) -> dict[str, tuple[int, int]]:
    """Return (population, sample) by seller and outcome, and check that so many were really drawn."""
    really = Counter(survey.survey.stratum for survey in drawn.surveys)
    assert all(really[stratum.key] == stratum.sample for stratum in drawn.strata)
    return {
        f"{stratum.key.seller_id}_{stratum.key.outcome}": (stratum.population, stratum.sample)
        for stratum in drawn.strata
    }


def test_each_seller_and_outcome_has_three_or_all() -> None:
    surveys = day(ann_yes=50, ann_no=4, ann_silent=200, bob_yes=2, bob_cant=1)
    assert sample_sizes(draw(surveys, 1, 1)) == {
        "ann_yes": (50, 3),
        "ann_no": (4, 3),
        "ann_silent": (200, 3),
        "bob_yes": (2, 2),
        "bob_cant": (1, 1),
    }


def test_further_audits_go_where_each_stands_for_most_surveys() -> None:
    sizes = sample_sizes(draw(day(ann_yes=50, ann_no=4, ann_silent=200), 1, 30))
    assert sum(size for _, size in sizes.values()) == 30
    assert sizes["ann_no"] == (4, 3)
    # 27 remain: of 6 and 21 each stands for 8.3 and 9.5 surveys; with one less of either, some would stand for 10
    assert sizes["ann_yes"] == (50, 6)
    assert sizes["ann_silent"] == (200, 21)


def test_a_sample_larger_than_the_day_is_the_day() -> None:
    assert sample_sizes(draw(day(ann_yes=5, ann_no=2), 1, 100)) == {"ann_yes": (5, 5), "ann_no": (2, 2)}
    assert draw([], 1, 30) == AuditDraw([], [])


def test_no_stratum_gets_more_than_it_has_or_less_than_three() -> None:
    chance = seeded("strata")
    for _ in range(200):
        populations = {
            StratumKey("", f"s{number}", "yes"): chance.choice([1, 2, 3, 4, 10, 300])
            for number in range(chance.randint(1, 9))
        }
        sample = chance.randint(1, 60)
        sizes = allocate(populations, sample)
        least = sum(min(3, size) for size in populations.values())
        assert sum(sizes.values()) == max(least, min(sample, sum(populations.values())))
        assert all(min(3, populations[key]) <= size <= populations[key] for key, size in sizes.items())


def test_surveys_that_a_rule_concerns_are_a_stratum_of_their_own() -> None:
    plain = day(ann_yes=20, ann_no=20)
    watched = [survey._replace(rule="fast_yes") if index < 5 else survey for index, survey in enumerate(plain)]
    strata = {tuple(stratum.key): stratum.population for stratum in draw(watched, 1, 9).strata}
    assert strata == {("fast_yes", "ann", None): 5, ("", "ann", "yes"): 15, ("", "ann", "no"): 20}


def test_the_same_seed_draws_the_same_whatever_the_order_and_another_seed_others() -> None:
    surveys = day(ann_yes=60, bob_no=60)
    mixed = surveys[:]
    seeded("order").shuffle(mixed)
    assert draw(surveys, 481516, 20) == draw(mixed, 481516, 20)
    assert draw(surveys, 481516, 20) != draw(surveys, 481517, 20)


def test_anybody_can_draw_the_same_again_by_the_rule_that_is_written_down() -> None:
    surveys = day(ann_yes=40)

    def rank(survey: CandidateSurvey) -> bytes:
        name = survey.name
        text = f"7 draw {name.site_id}/{name.console_id}/{name.epoch}/{name.survey}"
        return hashlib.sha256(text.encode()).digest()

    expected = {survey.name.survey for survey in sorted(surveys, key=rank)[:5]}
    assert {survey.survey.name.survey for survey in draw(surveys, 7, 5).surveys} == expected


def test_each_survey_is_drawn_as_often_as_any_other_and_shown_at_any_place() -> None:
    surveys, rounds = day(ann_yes=20), 1500
    drawn: Counter[int] = Counter()
    first: Counter[int] = Counter()
    for seed in range(rounds):
        found = draw(surveys, seed, 4).surveys
        drawn.update(survey.survey.name.survey for survey in found)
        first[found[0].survey.name.survey] += 1
    # binomial, 1500 times 1/5: mean 300, standard deviation 15.5; five of them
    assert all(abs(count - rounds / 5) < 78 for count in drawn.values())
    assert len(drawn) == 20
    assert all(abs(count - rounds / 20) < 43 for count in first.values())  # mean 75, standard deviation 8.4


def test_the_list_is_not_in_order_of_time_or_outcome() -> None:
    found = draw(day(ann_yes=100, ann_no=100, ann_silent=100), 5, 60).surveys
    outcomes = [survey.survey.outcome for survey in found]
    times = [survey.survey.opened_at_ms for survey in found]
    assert outcomes != sorted(outcomes)
    assert times not in (sorted(times), sorted(times, reverse=True))
    changes = sum(one != other for one, other in pairwise(outcomes))
    assert changes > 20  # 39 expected of 59


def test_a_tenth_is_judged_twice_over_all_draws() -> None:
    before = twice = 0
    for seed in range(40):
        found = draw(day(ann_yes=9), seed, 7, drawn_before=before).surveys
        before += len(found)
        twice += sum(survey.is_twice for survey in found)
    assert (before, twice) == (280, 28)
    assert sum(survey.is_twice for survey in draw(day(ann_yes=99), 1, 30).surveys) == 3
    assert sum(survey.is_twice for survey in draw(day(ann_yes=99), 1, 31).surveys) == 4  # rounded up


def test_one_person_is_one_expert() -> None:
    assert is_same_expert("Anna  Petrova ", "anna petrova")
    assert is_same_expert("Ren\u00e9e", "rene\u0301e")  # as another keyboard composes it
    assert not is_same_expert("anna", "anne")
