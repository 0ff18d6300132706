"""Alarms as answers come: raised at once, one at a time, about now, and closed when they have passed."""

from __future__ import annotations

from math import comb, prod
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import AcknowledgeAlarm, CloseAlarm, Rebuild, Scope, SetCheckoutPoint, SetSettings, SetSite
from bridge.errors import UsageError
from bridge.surveys.facts import AlarmClosed, AlarmRaised
from tests.bridge.alarm_site import ANSWER_MS, DAY_MS, HOUR_MS, NOON, AlarmSite
from tests.bridge.office import MINUTE_MS, at
from tests.support import facts
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from random import Random

    from bridge.store import Store


@pytest.fixture
def site(store: Store) -> AlarmSite:
    """A site with one console, at which usually 10 % of the answers at noon are no."""
    site = AlarmSite(store)
    site.history()
    return site


def test_an_alarm_is_raised_by_the_answer_that_makes_it(site: AlarmSite) -> None:
    site.answer("no", "no", "no")
    assert site.alarms() == []
    site.now_ms += MINUTE_MS
    site.tills["c1"].survey(site.now_ms - ANSWER_MS, "no")
    raised = [fact for fact in site.send() if isinstance(fact, AlarmRaised)]
    assert raised == [AlarmRaised(1, "s1", None, "no")]
    (alarm,) = site.alarms()
    figures = {"answers": 4, "counted": 4, "usual_answers": 80, "usual_counted": 8, "usual_of": "hour"}
    assert figures.items() <= alarm.items()
    assert (alarm["to_ms"], alarm["raised_at_ms"]) == (site.now_ms, site.now_ms)
    assert alarm["from_ms"] == site.now_ms - 15 * MINUTE_MS
    assert alarm["chance"] == pytest.approx(prod(range(9, 13)) / prod(range(82, 86)))


def test_an_alarm_names_no_seller(site: AlarmSite) -> None:
    site.answer("no", "no", "no", "no")
    (alarm,) = site.alarms()
    assert not [name for name in alarm if "seller" in name]


def test_however_many_answers_follow_there_is_one_alarm_at_a_place(site: AlarmSite) -> None:
    site.answer(*["no"] * 12)
    assert site.alarms("state", "answers") == [("open", 4)]


@pytest.mark.parametrize("outcomes", [("no", "no", "yes", "yes"), ("no", "no", "no"), ("silent",) * 12, ("error",) * 8])
def test_what_chance_may_bring_rings_nothing(site: AlarmSite, outcomes: tuple[str, ...]) -> None:
    site.answer(*outcomes)
    assert site.alarms() == []


def test_cant_say_is_an_answer_and_no_no(site: AlarmSite) -> None:
    site.answer(*["cant_say"] * 6, "no", "no", "no")
    assert site.alarms() == [], "3 of 9"
    site.answer("no", "no", "no", "no")
    assert site.alarms("answers", "counted") == [(13, 7)]


def test_answers_of_an_old_outbox_ring_nothing_and_younger_ones_do(site: AlarmSite) -> None:
    site.answer(*["no"] * 8, ago_ms=16 * MINUTE_MS)
    assert site.alarms() == []
    site.now_ms += HOUR_MS
    site.answer(*["no"] * 4, ago_ms=10 * MINUTE_MS)
    assert site.alarms("state") == ["open"]


def test_an_answer_that_came_late_counts_beside_those_of_its_quarter_of_an_hour(site: AlarmSite) -> None:
    site.now_ms += 14 * MINUTE_MS
    site.answer("no", "no", "no")
    site.tills["c1"].survey(site.now_ms - 10 * MINUTE_MS, "no")
    site.send()
    assert site.alarms("to_ms") == [site.now_ms], "the quarter ends with the latest answer, which came before"


def test_answers_from_the_future_ring_nothing(site: AlarmSite) -> None:
    site.answer(*["no"] * 6, ago_ms=-3 * MINUTE_MS)
    assert site.alarms() == []


def test_a_recording_and_a_rebuild_ring_nothing(site: AlarmSite) -> None:
    till = site.tills["c1"]
    till.surveys(NOON - HOUR_MS, no=8)
    site.send()
    site.do(Rebuild())
    assert site.alarms() == []


def test_it_closes_by_itself_when_the_answers_recover(site: AlarmSite) -> None:
    site.answer("no", "no", "no", "no")
    site.answer(*["yes"] * 4)
    assert site.wait(10) == []
    assert site.wait(1) == [AlarmClosed(1, "s1", None, "recovered")]
    assert site.alarms("state", "closed_because", "closed_at_ms") == [("closed", "recovered", site.now_ms)]
    site.answer("no", "no", "no", "no")
    assert site.alarms("state") == ["closed", "open"]


def test_it_goes_on_while_the_rule_is_met(site: AlarmSite) -> None:
    site.answer(*["no"] * 20)
    assert site.wait(14) == []
    assert site.alarms("met_at_ms") == [site.now_ms - 14 * MINUTE_MS]


def test_it_is_quiet_after_an_hour_of_few_answers(site: AlarmSite) -> None:
    site.answer("no", "no", "no", "no")
    site.answer("yes", "yes")
    assert site.wait(57) == []
    site.do(AcknowledgeAlarm(alarm_id=1))
    assert site.wait(1) == [AlarmClosed(1, "s1", None, "quiet")]


def test_closed_by_hand_it_does_not_ring_again_for_the_same_answers(site: AlarmSite) -> None:
    site.answer(*["no"] * 6)
    site.do(CloseAlarm(alarm_id=1))
    site.answer("no", "no", "no")
    assert site.alarms("state") == ["closed"]
    site.answer("no")
    assert site.alarms("state") == ["closed", "open"]


def test_a_clock_that_was_set_back_holds_no_alarm_open_for_ever(site: AlarmSite) -> None:
    site.answer(*["no"] * 4)
    site.now_ms -= 5 * HOUR_MS
    assert site.wait(1) == []
    assert site.wait(60) == [AlarmClosed(1, "s1", None, "quiet")]


def test_checkout_points_ring_alone_and_their_site_only_for_the_rest(store: Store) -> None:
    site = AlarmSite(store, "c1", "c2", "c3")
    for console in ("c1", "c2", "c3"):
        point = SetCheckoutPoint(site_id="s1", checkout_point_id=f"till-{console[1]}", console_id=console, new=True)
        site.do(point)
    site.history(no=10, yes=190)
    site.answer("no", "no", "no", "no", console="c2")
    assert site.alarms("checkout_point_id", "usual_answers") == [("till-2", 200)]
    site.answer("no", "no", console="c1")
    site.answer("no", console="c3")
    assert len(site.alarms()) == 1
    site.answer("no", console="c3")
    assert site.alarms("checkout_point_id", "usual_answers") == [("till-2", 200), (None, 400)]


def test_a_hundred_answers_at_once_ring_once(site: AlarmSite) -> None:
    site.now_ms += 10 * MINUTE_MS
    site.tills["c1"].surveys(site.now_ms - 9 * MINUTE_MS, yes=3, no=14)
    site.send()
    assert site.alarms("state") == ["open"]


def test_a_quarter_that_met_the_rule_rings_also_if_it_is_judged_after_further_answers(site: AlarmSite) -> None:
    site.now_ms += 12 * MINUTE_MS
    answered_ms = site.tills["c1"].surveys(site.now_ms - 12 * MINUTE_MS, no=5, yes=15) - MINUTE_MS // 2
    site.send()
    assert answered_ms < site.now_ms
    fourth_ms, fifth_ms = (NOON + number * MINUTE_MS // 2 + ANSWER_MS for number in (3, 4))
    assert site.alarms("answers", "counted", "to_ms", "met_at_ms") == [(4, 4, fourth_ms, fifth_ms)]


def test_key_questions_and_revisions_are_judged_apart(site: AlarmSite) -> None:
    site.answer("no", "no")
    site.answer("no", "no", question="office")
    site.answer("no", "no", revision=2)
    assert site.alarms() == [], "nothing is known of the others"
    site.answer("no", "no")
    assert site.alarms("question_id", "question_revision", "answers") == [("staff", 1, 4)]


def test_another_hour_has_another_base(store: Store) -> None:
    site = AlarmSite(store)
    site.history(no=150, yes=100)
    site.history(no=5, yes=95, at_ms=NOON + 2 * HOUR_MS, question="office")
    site.answer("no", "no", "no", "no")
    assert site.alarms() == [], "60 % are no at noon"
    site.now_ms = NOON + 2 * HOUR_MS + 15 * MINUTE_MS
    site.answer("no", "no", "no", "no", question="office")
    assert site.alarms("usual_of", "usual_answers", "usual_counted") == [("hour", 100, 5)]


def test_where_the_hour_knows_too_little_all_hours_of_the_site_are_the_base(store: Store) -> None:
    site = AlarmSite(store)
    site.history(no=4, yes=96, at_ms=NOON - 3 * HOUR_MS)
    site.history(no=0, yes=29)
    site.answer("no", "no", "no", "no")
    assert site.alarms("usual_of", "usual_answers", "usual_counted") == [("all_hours", 129, 4)]


def test_a_new_checkout_point_has_the_base_of_its_site(store: Store) -> None:
    site = AlarmSite(store, "c1", "c2")
    site.do(SetCheckoutPoint(site_id="s1", checkout_point_id="old", console_id="c1", new=True))
    site.tills["c2"].surveys(NOON - DAY_MS, yes=1)
    site.do(SetCheckoutPoint(site_id="s1", checkout_point_id="new", console_id="c2", new=True))
    fresh, site.tills = site.tills, {"c1": site.tills["c1"]}
    site.history()
    site.tills = fresh
    site.answer("no", "no", "no", "no", console="c2")
    assert site.alarms("checkout_point_id", "usual_of", "usual_answers") == [("new", "site_hour", 81)]


def test_today_and_what_is_older_than_eight_weeks_is_no_base(store: Store) -> None:
    site = AlarmSite(store)
    till = site.tills["c1"]
    till.surveys(NOON - 57 * DAY_MS, yes=40)
    till.surveys(NOON - 3 * HOUR_MS, yes=40)
    till.surveys(NOON - 56 * DAY_MS, yes=29)
    site.answer("no", "no", "no", "no")
    assert site.alarms() == []
    till.survey(NOON - DAY_MS, "yes")
    site.send()
    site.answer("no")
    assert site.alarms("usual_answers") == [30]


def test_the_hour_is_that_of_the_sites_clock_also_after_it_was_changed(store: Store) -> None:
    site = AlarmSite(store)
    site.do(SetSite(site_id="s1", timezone="Europe/Sofia", new=True))
    for day, offset in ((20, 3), (26, 2)):  # summer time ends on 25 October
        site.tills["c1"].surveys(at(f"2026-10-{day}T12:00:00+0{offset}:00"), no=1, yes=39)
    site.tills["c1"].surveys(at("2026-11-20T12:00:00+00:00"), no=40)
    site.now_ms = at("2026-11-25T12:30:00+02:00")
    site.answer("no", "no", "no", "no")
    assert site.alarms("usual_answers", "usual_counted", "usual_of") == [(80, 2, "hour")]


def test_in_two_hours_the_one_that_explains_more_counts(store: Store) -> None:
    site = AlarmSite(store)
    site.history(no=60, yes=40)
    site.history(no=0, yes=100, at_ms=NOON + HOUR_MS)
    site.now_ms = NOON + HOUR_MS - 3 * MINUTE_MS
    site.answer("no", "no", "no", "no")
    assert site.alarms() == []
    site.now_ms += 15 * MINUTE_MS
    site.answer("no", "no", "no", "no")
    assert site.alarms("usual_counted") == [0]


def test_alarms_can_be_switched_off_for_a_site_and_good_news_on(site: AlarmSite) -> None:
    every, here = Scope("", ""), Scope("s1", "")
    site.do(SetSettings(scope=every, values={"alarms": "off"}))
    site.answer(*["no"] * 5)
    assert site.alarms() == []
    site.do(SetSettings(scope=here, values={"alarms": "on", "good_news_alarms": "on"}))
    site.answer("no")
    assert site.alarms("answer") == ["no"]
    site.now_ms += HOUR_MS
    site.history(no=160, yes=40, question="office", at_ms=site.now_ms)
    site.answer(*["yes"] * 6, question="office")
    assert site.alarms("answer", "question_id") == [("no", "staff"), ("yes", "office")]


@pytest.mark.parametrize(
    ("scope", "values", "sentence"),
    [
        (
            Scope("s1", "c1"),
            {"alarms": "off"},
            "alarms applies to sites: give --site SITE, or --all, without --console.",
        ),
        (Scope("s1", ""), {"alarms": "no"}, "alarms must be on or off, not 'no'."),
    ],
)
def test_a_wrong_setting_is_refused(site: AlarmSite, scope: Scope, values: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        site.do(SetSettings(scope=scope, values=values))
    assert str(refused.value) == sentence


def test_a_setting_of_alarms_makes_no_settings_for_consoles(site: AlarmSite) -> None:
    done = site.do(SetSettings(scope=Scope("s1", ""), values={"good_news_alarms": "on"}))
    assert done["renewed"] == 0
    assert facts.settings_sent(site.store) == []


# Random worlds, against an independent computation ----------------------------------------------------------------


def chance(found: tuple[int, int], usual: tuple[int, int]) -> float:
    """Return the chance of as many or more, by Pólya's urn, whole numbers until the end."""
    (answers, counted), (known, of_known) = found, usual
    others = known - of_known
    ways = sum(
        comb(answers, x)
        * prod(range(of_known + 1, of_known + 1 + x))
        * prod(range(others + 1, others + 1 + answers - x))
        for x in range(counted, answers + 1)
    )
    return ways / prod(range(known + 2, known + 2 + answers))


def first_ring(live: list[tuple[int, str]], usual: tuple[int, int]) -> int | None:
    """Return when the first alarm rings, by looking at every quarter of an hour that ends with an answer."""
    for end_ms, _ in live:
        quarter = [answer for at_ms, answer in live if end_ms - 15 * MINUTE_MS < at_ms <= end_ms]
        found = len(quarter), quarter.count("no")
        if found[0] >= 4 and chance(found, usual) * max(4.0, found[0] ** 0.5) <= 0.005:
            return end_ms
    return None


def drawn_world(draw: Random) -> tuple[dict[str, int], float, int]:
    """Draw the history of a console, the share of no today, and how many seconds lie between two answers."""
    return (
        {"no": draw.randint(0, 60), "yes": draw.randint(40, 200)},
        draw.choice([0.1, 0.3, 0.6, 0.9]),
        draw.choice([40, 90, 200]),
    )


def test_in_random_worlds_the_first_alarm_rings_when_an_independent_computation_says(store: Store) -> None:
    draw = seeded("alarm worlds")
    outcomes = []
    for number in range(10):
        site = AlarmSite(store, site_id=f"s{number}")
        past, share, pause_s = drawn_world(draw)
        site.history(**past, days=5)
        live: list[tuple[int, str]] = []
        for _ in range(25):
            site.now_ms += draw.randint(1, 2 * pause_s) * 1000
            if site.now_ms >= NOON + HOUR_MS - 2 * MINUTE_MS:
                break
            answer = draw.choices(["no", "yes", "cant_say"], [share, 0.9 * (1 - share), 0.1 * (1 - share)])[0]
            site.tills["c1"].survey(site.now_ms - ANSWER_MS, answer)
            live.append((site.now_ms, answer))
            if draw.random() < 0.7:
                site.send()
        site.send()
        expected = first_ring(live, (sum(past.values()), past["no"]))
        rung: list[Any] = site.alarms("to_ms", site_id=f"s{number}")
        assert rung[:1] == ([] if expected is None else [expected]), (number, past, live)
        outcomes.append(expected is None)
    assert 2 < sum(outcomes) < 9, "some ring and some do not"
