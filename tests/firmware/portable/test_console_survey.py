from console.events import (
    ALREADY_ANSWERED,
    ANSWERED,
    CANT_SAY,
    EXPIRED,
    GUARD,
    NO,
    NO_SURVEY,
    SELLER,
    SILENT,
    SUPERSEDED,
    TOGETHER,
    YES,
)
from survey_stage import closed, declared, facts, opened, press, stray, table

# Opening


def test_a_short_press_opens_a_survey_on_release_from_its_contact():
    console = table()
    console.press(SELLER, 5000)
    assert facts(console, 5119) == []
    console.release(SELLER, 5120)
    assert facts(console, 5119) == []
    assert facts(console, 5120) == [opened(5000)]
    assert console.opened_ms == 5000


def test_a_press_short_by_a_millisecond_opens_and_a_longer_one_does_not():
    console = table()
    press(console, SELLER, 5000, 1499)
    assert facts(console, 9000) == [opened(5000)]
    console = table()
    press(console, SELLER, 5000, 1500)
    assert facts(console, 9000) == [declared(5000, False)]


# Answers


def test_each_answer_closes_the_survey():
    for answer in (YES, NO, CANT_SAY):
        console = table()
        press(console, SELLER, 5000)
        press(console, answer, 8000)
        assert facts(console, 8120) == [opened(5000), closed(8000, 5000, answer, ANSWERED)]
        assert console.opened_ms is None


def test_an_answer_waits_until_none_can_be_together_with_it():
    console = table()
    press(console, SELLER, 5000)
    console.press(YES, 8000)
    assert facts(console, 8019) == [opened(5000)]
    assert facts(console, 8020) == [closed(8000, 5000, YES, ANSWERED)]


def test_later_answers_are_stray_until_the_next_survey_opens():
    console = table()
    press(console, YES, 1000)
    press(console, SELLER, 5000)
    press(console, YES, 8000)
    press(console, YES, 9000)
    press(console, NO, 30000)
    press(console, SELLER, 31000)
    assert facts(console, 60000) == [
        stray(1000, YES, NO_SURVEY),
        opened(5000),
        closed(8000, 5000, YES, ANSWERED),
        stray(9000, YES, ALREADY_ANSWERED),
        stray(30000, NO, ALREADY_ANSWERED),
        opened(31000),
        closed(51000, 31000, SILENT, EXPIRED),
    ]


def test_an_answer_after_a_silent_survey_is_stray():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 25000)
    assert facts(console, 30000) == [
        opened(5000),
        closed(25000, 5000, SILENT, EXPIRED),
        stray(25000, YES, NO_SURVEY),
    ]


def test_after_a_silent_survey_an_answer_to_an_earlier_one_does_not_matter():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 6000)
    press(console, SELLER, 7000)
    press(console, YES, 27000)
    assert facts(console, 30000)[2:] == [
        opened(7000),
        closed(27000, 7000, SILENT, EXPIRED),
        stray(27000, YES, NO_SURVEY),
    ]


def test_an_answer_in_the_windows_last_millisecond_wins_though_it_is_known_later():
    console = table()
    press(console, SELLER, 5000)
    assert facts(console, 24998) == [opened(5000)]
    console.press(NO, 24999)
    assert facts(console, 25010) == []
    assert facts(console, 25019) == [closed(24999, 5000, NO, ANSWERED)]


def test_while_the_seller_holds_the_earlier_survey_is_answered():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 9000, 600)
    press(console, YES, 9300)
    assert facts(console, 10000) == [opened(5000), closed(9300, 5000, YES, ANSWERED), opened(9000)]


def test_while_the_seller_holds_and_nothing_is_open_an_answer_is_stray():
    console = table()
    press(console, SELLER, 9000, 600)
    press(console, YES, 9300)
    press(console, YES, 9700)
    assert facts(console, 10000) == [
        stray(9300, YES, NO_SURVEY),
        opened(9000),
        closed(9700, 9000, YES, ANSWERED),
    ]


def test_while_the_seller_holds_the_earlier_survey_expires():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 24900, 600)
    assert facts(console, 26000) == [opened(5000), closed(25000, 5000, SILENT, EXPIRED), opened(24900)]


# Opening again


def test_a_second_press_supersedes_from_the_guard_on():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 6000)
    assert facts(console, 7000) == [opened(5000), closed(6000, 5000, SILENT, SUPERSEDED), opened(6000)]


def test_a_second_press_within_the_guard_is_stray_however_late_its_release():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 5999, 1000)
    assert facts(console, 8000) == [opened(5000), stray(5999, SELLER, GUARD)]
    assert console.opened_ms == 5000


def test_the_guard_ends_with_the_survey():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 5300)
    press(console, SELLER, 5600)
    assert facts(console, 8000) == [opened(5000), closed(5300, 5000, YES, ANSWERED), opened(5600)]


# Force majeure


def test_a_long_press_declares_when_it_becomes_long_and_its_release_does_nothing():
    console = table()
    console.press(SELLER, 5000)
    assert facts(console, 6499) == []
    assert facts(console, 6500) == [declared(5000, False)]
    console.release(SELLER, 7000)
    assert facts(console, 9000) == []


def test_a_long_press_leaves_the_open_survey_open():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 5500, 2000)
    press(console, YES, 7600)
    assert facts(console, 9000) == [opened(5000), declared(5500, True), closed(7600, 5000, YES, ANSWERED)]


def test_force_majeure_names_the_survey_open_when_it_is_declared():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 24000, 2000)
    assert facts(console, 30000) == [opened(5000), closed(25000, 5000, SILENT, EXPIRED), declared(24000, False)]


# Together


def test_two_answers_within_debounce_ms_are_stray_and_the_survey_stays_open():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 8000)
    press(console, NO, 8020)
    press(console, CANT_SAY, 9000)
    assert facts(console, 10000) == [
        opened(5000),
        stray(8000, YES, TOGETHER),
        stray(8020, NO, TOGETHER),
        closed(9000, 5000, CANT_SAY, ANSWERED),
    ]


def test_two_answers_a_millisecond_further_apart_are_an_answer_and_a_stray():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 8000)
    press(console, NO, 8021)
    assert facts(console, 10000) == [
        opened(5000),
        closed(8000, 5000, YES, ANSWERED),
        stray(8021, NO, ALREADY_ANSWERED),
    ]


def test_a_third_answer_near_either_is_together_too():
    console = table()
    press(console, NO, 8015)
    press(console, CANT_SAY, 8035)
    press(console, YES, 8000)
    assert facts(console, 10000) == [
        stray(8000, YES, TOGETHER),
        stray(8015, NO, TOGETHER),
        stray(8035, CANT_SAY, TOGETHER),
    ]


def test_together_comes_before_every_other_reason():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 6000)
    press(console, YES, 8000)
    press(console, NO, 8000)
    assert facts(console, 10000)[2:] == [stray(8000, YES, TOGETHER), stray(8000, NO, TOGETHER)]


def test_the_same_button_twice_is_not_together():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 8000, 0)
    press(console, YES, 8010, 0)
    assert facts(console, 9000)[1:] == [closed(8000, 5000, YES, ANSWERED), stray(8010, YES, ALREADY_ANSWERED)]


def test_the_sellers_press_is_never_together_with_an_answer():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 8005)
    press(console, YES, 8000)
    assert facts(console, 9000) == [opened(5000), closed(8000, 5000, YES, ANSWERED), opened(8005)]
