from console.events import (
    ALREADY_ANSWERED,
    ANSWERED,
    BUTTON_FREED,
    BUTTON_STUCK,
    ERROR,
    EXPIRED,
    FAULT,
    NO,
    NO_SURVEY,
    SELLER,
    SETTINGS_APPLIED,
    SILENT,
    SUPERSEDED,
    TOGETHER,
    YES,
)
from console.survey import PRESS_TESTED, SurveyTable
from survey_stage import closed, declared, facts, opened, other, press, stray, table

# Stuck buttons


def test_a_stuck_answer_button_closes_the_survey_and_each_that_opens():
    console = table()
    console.press(YES, 1000)
    press(console, SELLER, 12000)
    press(console, SELLER, 40000)
    console.release(YES, 50000)
    press(console, SELLER, 60000)
    assert facts(console, 61000) == [
        stray(1000, YES, NO_SURVEY),
        opened(12000),
        (BUTTON_STUCK, 31000, YES),
        closed(31000, 12000, ERROR, FAULT),
        opened(40000),
        closed(40120, 40000, ERROR, FAULT),
        (BUTTON_FREED, 50000, YES),
        opened(60000),
    ]


def test_the_press_of_a_button_that_sticks_counts():
    console = table()
    press(console, SELLER, 5000)
    console.press(NO, 6000)
    assert facts(console, 40000) == [opened(5000), closed(6000, 5000, NO, ANSWERED), (BUTTON_STUCK, 36000, NO)]
    assert console.stuck == [False, True, False, False]


def test_an_answer_after_a_survey_that_ended_in_a_fault_is_stray():
    console = table()
    console.press(YES, 1000)
    press(console, SELLER, 40000)
    press(console, NO, 41000)
    assert facts(console, 42000)[-1] == stray(41000, NO, NO_SURVEY)


def test_a_stuck_seller_button_has_declared_force_majeure_before_and_closes_nothing():
    console = table()
    console.press(SELLER, 5000)
    console.release(SELLER, 60000)
    press(console, SELLER, 61000)
    assert facts(console, 62000) == [
        declared(5000, False),
        (BUTTON_STUCK, 35000, SELLER),
        (BUTTON_FREED, 60000, SELLER),
        opened(61000),
    ]


def test_a_stuck_seller_button_leaves_the_open_survey_open():
    console = SurveyTable(other(survey_window_ms=60000))
    press(console, SELLER, 1000)
    console.press(SELLER, 5000)
    press(console, YES, 40000)
    assert facts(console, 41000) == [
        opened(1000, "office", 4),
        declared(5000, True, "office", 4),
        (BUTTON_STUCK, 35000, SELLER),
        closed(40000, 1000, YES, ANSWERED, "office", 4),
    ]


def test_surveys_close_until_the_last_stuck_button_is_freed():
    console = table()
    console.press(YES, 1000)
    console.press(NO, 2000)
    console.release(YES, 40000)
    press(console, SELLER, 41000)
    console.release(NO, 43000)
    press(console, SELLER, 44000)
    assert facts(console, 45000)[2:] == [
        (BUTTON_STUCK, 31000, YES),
        (BUTTON_STUCK, 32000, NO),
        (BUTTON_FREED, 40000, YES),
        opened(41000),
        closed(41120, 41000, ERROR, FAULT),
        (BUTTON_FREED, 43000, NO),
        opened(44000),
    ]


def test_a_button_held_a_millisecond_less_is_not_stuck():
    console = table()
    press(console, YES, 1000, 29999)
    press(console, NO, 41000, 30000)
    assert facts(console, 80000)[1:] == [
        stray(41000, NO, NO_SURVEY),
        (BUTTON_STUCK, 71000, NO),
        (BUTTON_FREED, 71000, NO),
    ]


# Settings


def test_new_settings_are_in_force_from_the_next_survey_on():
    console = table()
    press(console, SELLER, 5000)
    console.apply(other(survey_window_ms=5000), 6000)
    press(console, SELLER, 17000, 1600)
    assert facts(console, 19000) == [opened(5000), (SETTINGS_APPLIED, 6000, 13), declared(17000, True)]
    press(console, SELLER, 20000)
    assert facts(console, 30000) == [
        closed(20000, 5000, SILENT, SUPERSEDED),
        opened(20000, "office", 4),
        closed(25000, 20000, SILENT, EXPIRED, "office", 4),
    ]


def test_without_a_survey_new_settings_are_in_force_at_once():
    console = table()
    console.apply(other(long_press_ms=500), 6000)
    press(console, SELLER, 7000, 500)
    assert facts(console, 9000) == [(SETTINGS_APPLIED, 6000, 13), declared(7000, False, "office", 4)]


def test_the_last_of_several_settings_is_in_force():
    console = table()
    press(console, SELLER, 5000)
    console.apply(other(), 6000)
    console.apply(other(question_revision=5), 6000)
    press(console, YES, 7000)
    press(console, SELLER, 8000)
    assert facts(console, 9000)[3:] == [closed(7000, 5000, YES, ANSWERED), opened(8000, "office", 5)]


# Self-test


def test_presses_during_a_self_test_open_no_surveys():
    console = table()
    console.press(SELLER, 4900)
    console.test(True, 5000)
    console.release(SELLER, 5020)
    press(console, YES, 6000)
    press(console, SELLER, 7000, 2000)
    console.test(False, 10000)
    press(console, SELLER, 11000)
    assert facts(console, 12000) == [
        (PRESS_TESTED, 6000, YES),
        (PRESS_TESTED, 7000, SELLER),
        opened(11000),
    ]
    assert console.presses == [0, 0, 0, 2]


def test_a_self_test_closes_the_open_survey_first():
    console = table()
    press(console, SELLER, 5000)
    console.test(True, 6000)
    press(console, YES, 7000)
    console.test(False, 30000)
    press(console, YES, 31000)
    assert facts(console, 40000) == [
        opened(5000),
        closed(6000, 5000, ERROR, FAULT),
        (PRESS_TESTED, 7000, YES),
        stray(31000, YES, NO_SURVEY),
    ]


def test_a_press_after_a_self_test_is_judged_by_the_last_survey():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 6000)
    console.test(True, 7000)
    console.test(False, 30000)
    press(console, YES, 31000)
    assert facts(console, 40000)[2:] == [stray(31000, YES, ALREADY_ANSWERED)]


def test_an_answer_before_a_self_test_counts_even_if_it_is_recognised_later():
    console = table()
    press(console, SELLER, 5000)
    console.test(True, 6000)
    press(console, YES, 5999)
    assert facts(console, 40000) == [opened(5000), closed(5999, 5000, YES, ANSWERED)]


def test_a_survey_that_expires_as_a_self_test_begins_is_silent():
    console = table()
    press(console, SELLER, 5000)
    console.test(True, 25000)
    assert facts(console, 40000) == [opened(5000), closed(25000, 5000, SILENT, EXPIRED)]


def test_a_sellers_press_over_the_begin_of_a_self_test_leaves_the_survey_to_the_self_test():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 9900, 2000)
    console.test(True, 10000)
    assert facts(console, 40000) == [opened(5000), closed(10000, 5000, ERROR, FAULT)]


def test_the_release_of_a_press_over_the_end_of_a_self_test_counts_nowhere():
    console = table()
    console.test(True, 5000)
    press(console, SELLER, 9900, 2000)
    press(console, NO, 9950, 2000)
    console.test(False, 10000)
    press(console, SELLER, 13000)
    assert facts(console, 14000) == [(PRESS_TESTED, 9900, SELLER), (PRESS_TESTED, 9950, NO), opened(13000)]
    assert console.presses == [0, 0, 0, 1]


def test_settings_that_waited_for_the_survey_are_in_force_after_a_self_test():
    console = table()
    press(console, SELLER, 5000)
    console.apply(other(), 6000)
    console.test(True, 7000)
    console.test(False, 8000)
    press(console, SELLER, 9000)
    assert facts(console, 9500)[-2:] == [closed(7000, 5000, ERROR, FAULT), opened(9000, "office", 4)]


# Counting, and another epoch


def test_an_answer_just_after_a_self_test_may_be_together_with_one_just_before():
    console = table()
    console.test(True, 5000)
    press(console, YES, 6000)
    console.test(False, 6010)
    press(console, NO, 6020)
    assert facts(console, 12000) == [(PRESS_TESTED, 6000, YES), stray(6020, NO, TOGETHER)]


def test_each_press_is_counted_by_its_button():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 6000)
    press(console, YES, 7000)
    press(console, SELLER, 8000, 2000)
    facts(console, 12000)
    assert console.presses == [2, 0, 0, 2]


def test_in_another_epoch_an_open_survey_is_not_continued():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 8000)
    facts(console, 6000)
    fact = (SETTINGS_APPLIED, 5900, 13)
    assert console.new_epoch(fact) == fact
    assert facts(console, 40000) == [stray(8000, YES, NO_SURVEY)]


def test_an_answer_that_could_not_be_recorded_is_stray_in_the_other_epoch():
    console = table()
    press(console, SELLER, 5000)
    press(console, YES, 8000)
    press(console, YES, 9000)
    facts(console, 6000)
    answered = console.take(8100)
    assert console.new_epoch(answered) == stray(8000, YES, NO_SURVEY)
    assert facts(console, 40000) == [stray(9000, YES, NO_SURVEY)]


def test_a_survey_whose_opening_goes_to_the_other_epoch_continues_there():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 9000)
    facts(console, 6000)
    superseded = console.take(9200)
    assert console.new_epoch(superseded) is None
    opening = console.take(9200)
    assert console.new_epoch(opening) == opening == opened(9000)
    assert facts(console, 40000) == [closed(29000, 9000, SILENT, EXPIRED)]


def test_force_majeure_in_another_epoch_names_no_survey():
    console = table()
    press(console, SELLER, 5000)
    press(console, SELLER, 9000, 2000)
    facts(console, 6000)
    assert console.new_epoch(console.take(11000)) == declared(9000, False)
    assert facts(console, 40000) == []


def test_a_fault_that_could_not_be_recorded_closes_nothing_in_the_other_epoch():
    console = table()
    console.press(YES, 1000)
    press(console, SELLER, 25000)
    facts(console, 30000)
    stuck = console.take(31000)
    assert console.new_epoch(stuck) == stuck == (BUTTON_STUCK, 31000, YES)
    assert facts(console, 60000) == []


# Order


def test_a_stalled_loop_brings_the_same_facts():
    def play(step_ms):
        console = table()
        press(console, SELLER, 1000)
        press(console, NO, 2000)
        press(console, SELLER, 3000)
        press(console, SELLER, 4500, 1700)
        press(console, YES, 4600)
        press(console, SELLER, 8000)
        press(console, NO, 31000, 40000)
        taken = []
        for settled_ms in range(0, 90001, step_ms):
            taken += facts(console, settled_ms)
        return taken

    assert play(10) == play(2000) == play(90000)
    assert len(play(10)) == 10


def test_a_contact_without_length_is_a_press_and_a_release():
    console = table()
    press(console, SELLER, 5000, 0)
    press(console, YES, 5001, 0)
    assert facts(console, 5100) == [opened(5000), closed(5001, 5000, YES, ANSWERED)]


def test_times_far_beyond_a_machine_word_are_right():
    console = table()
    days_ms = 13 * 86400000
    press(console, SELLER, days_ms)
    press(console, YES, days_ms + 19999)
    assert facts(console, days_ms + 30000) == [opened(days_ms), closed(days_ms + 19999, days_ms, YES, ANSWERED)]
