"""What each rule needs beside rare chance, at the border and beside it; when a flag stands on a person, and lapses."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bridge.model.flags.assess import assess
from bridge.model.flags.evidence import SellerMonth
from bridge.model.flags.measures import Measured, asking_the_happy, regular_yes
from bridge.model.flags.robust_z import Effect
from bridge.model.flags.rules import RULE_OF, CountRule, EffectRule
from bridge.model.flags.standing import Audited, standings

if TYPE_CHECKING:
    from bridge.model.flags.assess import Assessment
    from bridge.model.flags.standing import MonthState

PEERS = 20


def level(rule: str, suspect: SellerMonth, peer: SellerMonth, peers: int = PEERS) -> str:
    """Return what a rule says of somebody among peers who are all the same; "none" if it cannot compare him."""
    return {each.seller_id: each.level for each in judged(rule, suspect, peer, peers)}.get("he", "none")


def judged(rule: str, suspect: SellerMonth, peer: SellerMonth, peers: int = PEERS) -> list[Assessment]:
    evidence = {"he": suspect, **{f"peer-{number}": peer for number in range(peers)}}
    return list(assess(evidence, (RULE_OF[rule],)))


def month(**counts: Any) -> SellerMonth:
    return SellerMonth(**counts)


def yes(fast: int, of: int) -> SellerMonth:
    """Return a month with *yes* within a second, at 750 ms or more, and all others later."""
    return month(yes_bins=Counter({3: fast, 4: of - fast}))


CASES = {  # (the suspect's month, his peers'): what is said of him
    "fast_yes": [
        (yes(10, 30), yes(0, 30), "flag"),
        (yes(10, 29), yes(0, 30), "none"),
        (yes(4, 30), yes(0, 300), "flag"),
        (yes(3, 30), yes(0, 3000), "clean"),
    ],
    "force_majeure_after_no": [
        (month(no=10, no_then_force_majeure=6), month(no=200), "flag"),
        (month(no=9, no_then_force_majeure=6), month(no=200), "none"),
        (month(no=20, no_then_force_majeure=3), month(no=2000), "flag"),
        (month(no=20, no_then_force_majeure=2), month(no=20_000), "clean"),
    ],
    "force_majeure_while_open": [
        (month(surveys=100, force_majeure_open=20), month(surveys=100), "flag"),
        (month(surveys=99, force_majeure_open=20), month(surveys=100), "none"),
        (month(surveys=100, force_majeure_open=4), month(surveys=9000), "flag"),
        (month(surveys=100, force_majeure_open=3), month(surveys=9000), "clean"),
    ],
    "no_sale": [
        (month(matched=100, left_over=20), month(matched=100), "flag"),
        (month(matched=99, left_over=20), month(matched=100), "none"),
        (month(matched=100, left_over=5), month(matched=900), "flag"),
        (month(matched=100, left_over=4), month(matched=9000), "clean"),
    ],
    "errors": [
        (month(surveys=100, errors=20), month(surveys=100), "flag"),
        (month(surveys=99, errors=20), month(surveys=100), "none"),
        (month(surveys=100, errors=5), month(surveys=900), "flag"),
        (month(surveys=100, errors=4), month(surveys=9000), "clean"),
    ],
    "strays": [
        (month(surveys=100, strays=10), month(surveys=400), "flag"),
        (month(surveys=100, strays=9), month(surveys=9000), "clean"),
        (month(surveys=0, strays=50), month(surveys=400), "none"),
    ],
    "regular_yes": [
        (month(yes_bins=Counter({8: 50})), month(yes_bins=Counter(range(60))), "flag"),
        (month(yes_bins=Counter({8: 49})), month(yes_bins=Counter(range(60))), "none"),
    ],
}


@pytest.mark.parametrize(
    ("rule", "suspect", "peer", "said"),
    [
        pytest.param(rule, *case, id=f"{rule}-{index}")
        for rule, cases in CASES.items()
        for index, case in enumerate(cases)
    ],
)
def test_what_a_rule_needs_at_its_border(rule: str, suspect: SellerMonth, peer: SellerMonth, said: str) -> None:
    assert level(rule, suspect, peer) == said


@pytest.mark.parametrize(
    ("rule", "x", "n", "peers_share", "is_enough"),
    [
        ("fast_yes", 7, 100, 0.05, True),
        ("fast_yes", 69, 1000, 0.05, False),
        ("force_majeure_after_no", 15, 100, 0.05, True),
        ("force_majeure_after_no", 149, 1000, 0.05, False),
        ("force_majeure_while_open", 10, 100, 0.05, True),
        ("force_majeure_while_open", 99, 1000, 0.05, False),
        ("no_sale", 8, 100, 0.05, True),
        ("no_sale", 79, 1000, 0.05, False),
        ("errors", 8, 100, 0.05, True),
        ("errors", 79, 1000, 0.05, False),
    ],
)
def test_how_far_above_the_peers_a_share_must_lie(
    rule: str, x: int, n: int, peers_share: float, *, is_enough: bool
) -> None:
    found = RULE_OF[rule]
    assert isinstance(found, CountRule)
    assert found.is_enough(x, n, peers_share) is is_enough


@pytest.mark.parametrize("rule", CASES)
def test_with_fewer_than_twenty_peers_there_is_only_a_watch(rule: str) -> None:
    suspect, peer, _ = CASES[rule][0]
    assert level(rule, suspect, peer, PEERS) == "flag"
    assert level(rule, suspect, peer, PEERS - 1) == "watch"


@pytest.mark.parametrize(
    "rule", [rule for rule in RULE_OF.values() if isinstance(rule, CountRule)], ids=lambda rule: rule.id
)
def test_a_lonely_seller_is_not_judged(rule: CountRule) -> None:
    suspect, peer, _ = CASES[rule.id][0]
    assert judged(rule.id, suspect, peer, peers=0) == []
    assert {each.level for each in judged(rule.id, peer, peer)} == {"clean"}


def test_a_watch_lies_between_1_in_200_and_1_in_1000() -> None:
    found = {}
    for x in range(4, 30):
        (he,) = (each for each in judged("fast_yes", yes(x, 100), yes(2, 100)) if each.seller_id == "he")
        found[x] = he.statistic
        expected = "flag" if he.statistic < 0.001 else "watch" if he.statistic < 0.005 else "clean"
        assert he.level == expected
        assert (he.x, he.n, he.share, he.peers, he.peers_share) == (x, 100, x / 100, PEERS, 0.02)
    assert {"watch", "flag", "clean"} == {
        "flag" if p < 0.001 else "watch" if p < 0.005 else "clean" for p in found.values()
    }


# Whom he asks -------------------------------------------------------------------------------------------------------


def effect_rule(rule: str) -> EffectRule:
    found = RULE_OF[rule]
    assert isinstance(found, EffectRule)
    return found


@pytest.mark.parametrize(
    ("zc", "zr", "is_enough"),
    [(-1.29, -3.5, True), (-1.28, -3.5, False), (-3.0, -1.97, True), (-3.0, -1.96, False), (4.0, 4.0, False)],
)
def test_asking_the_happy_needs_fewer_asked_and_fewer_no(zc: float, zr: float, *, is_enough: bool) -> None:
    rule = effect_rule("asks_the_happy")
    assert rule.needs((zc, zr), Measured((), 0, 0)) is is_enough
    assert rule.combine((zc, zr)) == pytest.approx(-(zc + zr) / math.sqrt(2))


@pytest.mark.parametrize(("ratio", "is_enough"), [(0.849, True), (0.851, False)])
def test_skipping_bad_hours_needs_fifteen_percent(ratio: float, *, is_enough: bool) -> None:
    rule = effect_rule("skips_bad_hours")
    assert rule.needs((-4.0,), Measured((Effect(math.log(ratio), 0.01),), 0, 0)) is is_enough
    assert rule.combine((-4.0,)) == 4


def happy(asked: int, no: int) -> SellerMonth:
    answers = {("shop", "staff", f"2026-11-{2 + day:02d}T{9 + day}"): [no // 10, asked // 20] for day in range(10)}
    return month(asked=asked, asked_surveys=asked, sales=1000.0, answers=answers)


def test_who_asks_fewer_and_hears_fewer_no_is_flagged_and_who_does_one_of_these_is_not() -> None:
    usual = happy(800, 100)
    assert level("asks_the_happy", happy(500, 10), usual) == "flag"
    assert level("asks_the_happy", happy(800, 10), usual) == "clean"
    assert level("asks_the_happy", happy(500, 60), usual) == "clean"
    assert level("asks_the_happy", month(answers=usual.answers), usual) == "none"  # no feed of sales


def test_with_sampling_asked_customers_are_compared_as_draws() -> None:
    """Each tenth was asked: 80 surveys stand for 800 customers, and are as sure as 80."""
    sampled = happy(800, 100)
    sampled.asked_surveys = 80
    (found,) = asking_the_happy({"he": sampled, "peer": happy(800, 100)})["he"].effects[:1]
    assert found == pytest.approx((math.log(80.5 / 20.5), 1 / 80.5 + 1 / 20.5))


def test_peers_are_those_of_the_site_and_the_hour() -> None:
    lively, quiet = happy(800, 10), happy(800, 100)
    lively.answers = {("other", question, hour): counts for (_, question, hour), counts in lively.answers.items()}
    assert asking_the_happy({"he": lively, "she": quiet}) == {}


def test_the_share_of_the_fullest_second() -> None:
    (found,) = regular_yes({"he": month(yes_bins=Counter({4: 10, 7: 20, 8: 15, 30: 25}))}).values()
    assert (found.x, found.n, found.effects[0].y) == (35, 70, 0.5)


# Standing -----------------------------------------------------------------------------------------------------------

STATES: dict[str, MonthState] = {"F": "flag", "W": "watch", "c": "clean", "a": "set_aside"}


def on_person(months: str, version: int = 1, confirmed: tuple[int, ...] = ()) -> list[tuple[int, int, int, str | None]]:
    """Return (first, made to stand, last flagged month, why lapsed); a month for each letter, `-`: not compared.

    In the months of `confirmed` thirty surveys were audited, and all confirmed.
    """
    states = {f"2026-{number:02d}": STATES[letter] for number, letter in enumerate(months, 1) if letter != "-"}
    audited = dict.fromkeys((f"2026-{month:02d}" for month in confirmed), Audited(30, 30))
    found = standings(
        "he", "errors", 1, version, states, f"2026-{len(months):02d}", lambda month: audited.get(month, Audited(0, 0))
    )
    return [
        (*(int(month[-2:]) for month in (each.since, each.stands_from, each.last)), each.lapsed_because)  # type: ignore[misc]
        for each in found
    ]


@pytest.mark.parametrize(
    ("months", "stand"),
    [
        ("F", []),
        ("FccF", []),
        ("FWWF", []),
        ("FF", [(1, 2, 2, None)]),
        ("FcF", [(1, 3, 3, None)]),
        ("F-F", [(1, 3, 3, None)]),
        ("FWFcWc", [(1, 3, 3, None)]),
        ("FFcc", [(1, 2, 2, "clean_months")]),
        ("FFc-c", [(1, 2, 2, "clean_months")]),
        ("FFc", [(1, 2, 2, None)]),
        ("FFcFcc", [(1, 2, 4, "clean_months")]),
        ("FFccF", [(1, 2, 2, "clean_months")]),
        ("FFccFF", [(1, 2, 2, "clean_months"), (5, 6, 6, None)]),
        ("Fa", []),
        ("aF", []),
    ],
)
def test_two_of_three_months_stand_and_two_clean_ones_end_it(
    months: str, stand: list[tuple[int, int, int, str | None]]
) -> None:
    assert on_person(months) == stand


def test_a_new_version_of_the_rule_ends_a_flag() -> None:
    assert on_person("FF", version=2) == [(1, 2, 2, "new_version")]


@pytest.mark.parametrize(
    ("judged", "confirmed", "ends"), [(30, 30, True), (29, 29, False), (30, 29, False), (60, 60, True), (0, 0, False)]
)
def test_thirty_audits_all_confirmed_end_a_flag(judged: int, confirmed: int, *, ends: bool) -> None:
    halves = {"2026-01": Audited(judged // 2, confirmed // 2)}
    halves["2026-02"] = Audited(judged - judged // 2, confirmed - confirmed // 2)
    states: dict[str, MonthState] = {"2026-01": "flag", "2026-02": "flag"}
    (flag,) = standings("he", "errors", 1, 1, states, "2026-02", halves.__getitem__)
    assert flag.stands is not ends
    assert flag.lapsed_because == ("confirmed_by_audit" if ends else None)


@pytest.mark.parametrize(
    ("months", "confirmed", "stand"),
    [
        ("FFF", (2,), [(1, 2, 2, "confirmed_by_audit")]),
        ("FFFF", (2,), [(1, 2, 2, "confirmed_by_audit"), (3, 4, 4, None)]),
        ("FFFcF", (1,), [(1, 2, 2, "confirmed_by_audit"), (3, 5, 5, None)]),
        ("FFFF", (2, 4), [(1, 2, 2, "confirmed_by_audit"), (3, 4, 4, "confirmed_by_audit")]),
        ("FFF", (3,), [(1, 2, 3, "confirmed_by_audit")]),
    ],
)
def test_a_flag_that_audits_ended_can_stand_again_with_audits_of_its_own(
    months: str, confirmed: tuple[int, ...], stand: list[tuple[int, int, int, str | None]]
) -> None:
    assert on_person(months, confirmed=confirmed) == stand
