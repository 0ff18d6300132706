"""Check the oracle's figures, worked out by hand, and that it raises UncertainError in doubt."""

from math import isclose
from typing import Any

import pytest
from msgspec.structs import replace

from simulator.oracle.expected import expected_rows
from simulator.oracle.facts import QuestionSpec, ReportSetup, TrueCount
from simulator.oracle.surveys import UncertainError, declarations, strays, surveys, transactions, visitors
from simulator.people.diary import DiaryEntry, Ends, Press, Wanted
from simulator.people.shop_plan import Rules

RULES = Rules(survey_window_ms=3000, long_press_ms=1000, reopen_guard_ms=1000, force_majeure_scope_s=8)
QUESTIONS = {"staff": QuestionSpec("personnel"), "loyalty": QuestionSpec("loyalty", 0.25)}
SETUP = ReportSetup(RULES, QUESTIONS)
NOON_MS = 1_763_812_800_000  # 2025-11-22T12:00Z


def press(after_ms: int, button: str, why: str, held_ms: int = 90) -> Press:
    return Press(button, why, held_ms, after_ms, NOON_MS + after_ms, NOON_MS + after_ms + held_ms + 5)


def customer(after_ms: int, wanted: Wanted, ends: Ends, *more: Press, **fields: Any) -> DiaryEntry:
    answer = [press(after_ms + 700, wanted, "answer")] if ends == "answered" else []
    presses = (press(after_ms, "seller", "ask"), *answer, *more)
    at_ms = NOON_MS + after_ms
    entry = DiaryEntry(
        "customer", "demo", "till-1", at_ms, at_ms + 1000, after_ms, wanted, ends, "staff", 1, presses=presses
    )
    return replace(entry, **fields)


def without_customer(kind: Any, after_ms: int, *presses: Press) -> DiaryEntry:
    return DiaryEntry(
        kind, "demo", "till-1", NOON_MS + after_ms, NOON_MS + after_ms + 500, presses=presses, question_id="staff"
    )


def many(counts: dict[Wanted, int], **fields: Any) -> list[DiaryEntry]:
    wants = [want for want, count in counts.items() for _ in range(count)]
    return [
        customer(number * 5000, want, "expired" if want == "silent" else "answered", **fields)
        for number, want in enumerate(wants)
    ]


def test_outcomes_are_those_of_the_presses() -> None:
    diary = [
        customer(0, "yes", "answered"),
        customer(5000, "silent", "superseded"),
        customer(7000, "silent", "expired"),
        customer(12_000, "no", "answered", press(12_200, "seller", "again")),
        customer(17_000, "silent", "not_asked", presses=()),
    ]
    assert [survey.outcome for survey in surveys(diary, RULES)] == ["yes", "silent", "silent", "no"]


@pytest.mark.parametrize(
    "diary",
    [
        [customer(0, "silent", "unfinished")],
        [customer(0, "silent", "expired"), customer(3050, "yes", "answered")],
        [customer(0, "silent", "superseded"), customer(1050, "yes", "answered")],
        [customer(0, "yes", "expired", press(2950, "yes", "answer"))],
        [customer(0, "no", "expired", press(900, "yes", "answer"))],
        [customer(0, "silent", "expired", press(900, "yes", "late_answer"))],
        [customer(0, "silent", "expired", press(950, "seller", "again"))],
        [customer(0, "silent", "expired", presses=(replace(press(0, "seller", "ask"), until_ms=NOON_MS + 950),))],
        [
            customer(0, "silent", "expired"),
            without_customer("force_majeure", 3050, press(3050, "seller", "force_majeure", 1500)),
        ],
        [
            without_customer("force_majeure", 0, press(0, "seller", "force_majeure", 1500)),
            customer(8050, "yes", "answered"),
        ],
    ],
)
def test_doubt_is_an_error_and_no_guess(diary: list[DiaryEntry]) -> None:
    with pytest.raises(UncertainError):
        surveys(diary, RULES)


def test_force_majeure_touches_what_is_open_and_what_opens_within_its_scope() -> None:
    diary = [
        customer(0, "yes", "answered"),
        customer(5000, "silent", "expired", press(5500, "seller", "force_majeure", 1500)),
        customer(12_000, "yes", "answered"),
        customer(15_000, "yes", "answered"),
        customer(12_000, "yes", "answered", console_id="till-2"),
    ]
    affected = [(survey.console_id, survey.affected) for survey in surveys(diary, RULES)]
    assert affected == [("till-1", False), ("till-1", True), ("till-1", True), ("till-2", False), ("till-1", False)]
    assert len(declarations(diary)) == 1


def test_a_doubtful_force_majeure_does_not_matter_where_another_is_certain() -> None:
    declared = [
        without_customer("force_majeure", after_ms, press(after_ms, "seller", "force_majeure", 1500))
        for after_ms in (0, 4000)
    ]
    assert [survey.affected for survey in surveys([*declared, customer(8050, "yes", "answered")], RULES)] == [True]


def test_a_survey_that_lost_its_power_is_an_error_and_part_of_nothing_else() -> None:
    cut = customer(5000, "yes", "cut_off", press(6000, "power", "power_cut", 0))
    stray = without_customer("stray", 10_000, press(10_000, "no", "stray"))
    diary = [customer(0, "yes", "answered"), cut, stray, *many({"no": 1}, console_id="till-2")]
    rows = {
        row["console_id"]: row
        for row in expected_rows(diary, SETUP, ["console"], [TrueCount("transactions", "demo", NOON_MS, 4, "till-1")])
    }
    assert (rows["till-1"]["surveys"], rows["till-1"]["yes"], rows["till-1"]["error"]) == (1, 1, 1)
    assert rows["till-1"]["exact_conversion"] == {"value": 0.25}
    assert rows["till-2"]["error"] == 0
    assert strays(diary, RULES) == {("no", "no_survey"): 1}


def test_strays_by_button_and_reason() -> None:
    diary = [
        without_customer("stray", 0, press(0, "yes", "stray")),
        customer(1000, "no", "answered", press(1200, "seller", "again"), press(2200, "yes", "late_answer")),
        without_customer("stray", 4000, press(4000, "cant_say", "stray")),
        customer(5000, "silent", "expired"),
        without_customer("stray", 9000, press(9000, "no", "stray")),
    ]
    assert strays(diary, RULES) == {
        ("yes", "no_survey"): 1,
        ("seller", "guard"): 1,
        ("yes", "already_answered"): 1,
        ("cant_say", "already_answered"): 1,
        ("no", "no_survey"): 1,
    }


def test_indices_of_a_personnel_question() -> None:
    [row] = expected_rows(many({"yes": 20, "no": 6, "cant_say": 4, "silent": 30}), SETUP, ["site"])
    assert (row["surveys"], row["yes"], row["no"], row["cant_say"], row["silent"]) == (60, 20, 6, 4, 30)
    index = row["dissatisfaction_index"]
    assert [index[name] for name in ("value", "at_k0", "at_k1")] == [21 / 60, 6 / 60, 36 / 60]
    assert 6 / 60 < index["low"] < 21 / 60 < index["high"] < 36 / 60
    assert row["silent_part"] == 15 / 60
    assert row["emotional_loyalty_index"] is None
    assert row["response_rate"]["value"] == 0.5
    assert isclose(row["response_rate"]["low"] + row["response_rate"]["high"], 1)
    assert row["force_majeure_level"] == {"value": 0.0}
    assert row["exact_conversion"] is None
    assert row["assessable"] is True


def test_indices_of_a_loyalty_question() -> None:
    [row] = expected_rows(
        many({"yes": 20, "no": 4, "cant_say": 0, "silent": 16}, question_id="loyalty"), SETUP, ["site"]
    )
    index = row["emotional_loyalty_index"]
    assert [index[name] for name in ("value", "at_k0", "at_k1")] == [12 / 40, 16 / 40, 0.0]
    assert row["dissatisfaction_index"] is None


def test_few_surveys_have_counts_but_no_index() -> None:
    [row] = expected_rows(many({"yes": 29}), SETUP, ["console"])
    assert (row["console_id"], row["surveys"], row["dissatisfaction_index"]) == ("till-1", 29, None)
    assert row["response_rate"]["value"] == 1.0


def test_affected_surveys_are_left_out_only_for_personnel() -> None:
    diary = [
        customer(0, "silent", "expired", press(500, "seller", "force_majeure", 1500)),
        customer(12_000, "yes", "answered"),
        *[replace(entry, console_id="till-2", question_id="loyalty") for entry in many({"yes": 1})],
    ]
    rows = {row["question_id"]: row for row in expected_rows(diary, SETUP, [])}
    assert (rows["staff"]["surveys"], rows["staff"]["force_majeures"]) == (1, 1)
    assert rows["staff"]["force_majeure_level"] == {"value": 0.5}
    assert rows["staff"]["assessable"] is False
    assert rows["loyalty"]["surveys"] == 1
    [staff, _] = sorted(
        expected_rows(diary, SETUP, [], force_majeure="with"), key=lambda row: row["kind"], reverse=True
    )
    assert staff["surveys"] == 2
    [_, staff] = sorted(expected_rows(diary, SETUP, [], force_majeure="only"), key=lambda row: row["kind"])
    assert (staff["surveys"], staff["silent"]) == (1, 1)


def test_a_force_majeure_without_surveys_is_not_assessable() -> None:
    [row] = expected_rows(
        [without_customer("force_majeure", 0, press(0, "seller", "force_majeure", 1500))], SETUP, ["site"]
    )
    assert (row["surveys"], row["force_majeures"], row["assessable"]) == (0, 1, False)
    assert row["force_majeure_level"] is None
    assert row["response_rate"] is None


def test_conversion_counts_each_survey_for_those_not_asked_and_is_never_clipped() -> None:
    diary = many({"yes": 4}, ask_every=5, bought=True, visitors=3)
    counts = [*transactions(diary), *visitors(diary)]
    [row] = expected_rows(diary, SETUP, ["site"], counts)
    assert row["exact_conversion"] == {"value": 5.0}
    assert row["visitor_coverage"] == {"value": 20 / 12}
    [row] = expected_rows(diary, SETUP, ["console"], counts)
    assert (row["transactions"], row["visitors"]) == (4, None)


def test_sellers_are_those_on_shift_and_none_outside() -> None:
    shift = DiaryEntry("shift", "demo", "till-1", NOON_MS - 1000, NOON_MS + 9000, seller_id="seller-1")
    diary = [shift, *many({"yes": 3}, bought=True)]
    rows = expected_rows(diary, SETUP, ["seller"], transactions(diary))
    assert {row["seller_id"]: (row["surveys"], row["transactions"]) for row in rows} == {
        "seller-1": (2, 2),
        None: (1, 1),
    }


@pytest.mark.parametrize(
    ("zone", "day", "hour", "week"),
    [
        ("UTC", "2025-11-22", "2025-11-22T12:00+00:00", "2025-W47"),
        ("Europe/Sofia", "2025-11-22", "2025-11-22T14:00+02:00", "2025-W47"),
        ("Pacific/Auckland", "2025-11-23", "2025-11-23T01:00+13:00", "2025-W47"),
        ("Asia/Kathmandu", "2025-11-22", "2025-11-22T17:00+05:45", "2025-W47"),
    ],
)
def test_days_and_hours_are_the_sites_own(zone: str, day: str, hour: str, week: str) -> None:
    setup = ReportSetup(RULES, QUESTIONS, zones={"demo": zone})
    [row] = expected_rows(many({"yes": 1}), setup, ["day", "hour", "week", "month"])
    assert (row["day"], row["hour"], row["week"], row["month"]) == (day, hour, week, "2025-11")


def test_checkout_points_take_the_counts_of_their_console() -> None:
    setup = ReportSetup(RULES, QUESTIONS, checkout_points={("demo", "till-1"): "left"})
    [row] = expected_rows(
        many({"yes": 1}), setup, ["checkout_point"], [TrueCount("transactions", "demo", NOON_MS, 7, "till-1")]
    )
    assert (row["checkout_point_id"], row["transactions"]) == ("left", 7)
