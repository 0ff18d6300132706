"""The checker finds nothing in a correct database, and finds each corruption of database or observations."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.store import open_store
from tests.chaos.checker import check
from tests.chaos.corruptions import (
    Corruption,
    change_event,
    change_rows,
    delete_rows,
    duplicate_event,
    increment,
    insert_reject,
    set_received,
    without_foreign_keys,
)
from tests.chaos.database import ROLLUPS
from tests.chaos.observations import Counters, Observations, ObservedPowerCycle, ObservedPress, Thanks
from tests.support.intake import take_messages

NOW_MS = 1_763_800_000_000
NAME = ("shop", "till-1", "9f2c1ab0")
BOARD = "a1b2c3d4e5f6"
QUESTION = {"question_id": "staff", "question_revision": 1}
LONG_AGO = "2020-01-01T00:00+00:00"
SHIFT_MS = -140  # the firmware's clock started this long after the board's


def make_event(up_ms: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"boot": 1, "up_ms": up_ms, "at_ms": NOW_MS - 10**6 + up_ms, "type": kind, **more}


def closed(up_ms: int, survey: int, opened_ms: int, outcome: str, cause: str) -> dict[str, Any]:
    more = {"response_ms": up_ms - opened_ms} if cause == "answered" else {}
    fields = {"survey": survey, "opened_up_ms": opened_ms, **QUESTION, "outcome": outcome, "cause": cause}
    return make_event(up_ms, "survey_closed", **fields, **more)


EVENTS = [
    {**make_event(10, "booted", reset="power_on", firmware="1", board="unix", hardware_id=BOARD), "at_ms": None},
    make_event(300, "clock_set", source="ntp", step_ms=None),
    make_event(5000, "survey_opened", **QUESTION),  # 3: answered
    closed(6200, 3, 5000, "yes", "answered"),
    make_event(6800, "stray_pressed", button="no", reason="already_answered"),
    make_event(9000, "survey_opened", **QUESTION),  # 6: superseded
    closed(11000, 6, 9000, "silent", "superseded"),
    make_event(11000, "survey_opened", **QUESTION),  # 8: expires
    make_event(11500, "stray_pressed", button="seller", reason="guard"),
    make_event(13000, "force_majeure_declared", survey=8, **QUESTION),
    closed(31000, 8, 11000, "silent", "expired"),
    make_event(40000, "stray_pressed", button="cant_say", reason="no_survey"),
]
PRESSES = tuple(
    ObservedPress(button, up_ms - SHIFT_MS, held_ms)
    for button, up_ms, held_ms in (
        ("seller", 5000, 90),
        ("yes", 6200, 90),
        ("no", 6800, 90),
        ("seller", 9000, 90),
        ("seller", 11000, 90),
        ("seller", 11500, 90),
        ("seller", 13000, 1700),
        ("cant_say", 40000, 90),
    )
)
CYCLE = ObservedPowerCycle(
    "shop", "till-1", BOARD, 1, 80_000, PRESSES, (Thanks("yes", 6250 - SHIFT_MS),), awake_ms=-SHIFT_MS
)
COUNTERS = Counters(len(EVENTS) + 1, {"yes": 1, "no": 1, "cant_say": 1, "seller": 5})
TRUE = Observations((CYCLE,), {}, {NAME: COUNTERS})


def message(events: list[dict[str, Any]], first: int = 1, base: int = 1) -> tuple[str, bytes, int]:
    payload = {"epoch": NAME[2], "first": first, "base": base, "events": events}
    return "trivox/v1/shop/till-1/events", json.dumps(payload, separators=(",", ":")).encode(), NOW_MS


def stored(folder: Path, *messages: tuple[str, bytes, int]) -> sqlite3.Connection:
    store = open_store(folder / "trivox.db", writing=True)
    take_messages(store, list(messages), NOW_MS)
    store.close()
    return sqlite3.connect(folder / "trivox.db", isolation_level=None)


@pytest.fixture(scope="module")
def correct_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("correct")
    stored(folder, message(EVENTS)).close()
    return folder / "trivox.db"


@pytest.fixture
def table(correct_database: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    copy = shutil.copy(correct_database, tmp_path)
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        yield connection


def test_nothing_is_found_in_a_correct_database(table: sqlite3.Connection) -> None:
    assert check(table, TRUE, NOW_MS) == []


CORRUPTIONS: dict[str, tuple[list[Corruption], str]] = {
    "a row is missing": ([delete_rows("event", seq=5)], "`received` and the rows differ"),
    "a press is missing": ([delete_rows("event", seq=5), set_received((1, 4), (6, 12))], "nothing explains it"),
    "the last row is missing": (
        [delete_rows("event", seq=12), set_received((1, 11)), change_rows("epoch", {"through": 11})],
        "stored is up to 11",
    ),
    "an answer is wrong": ([change_event(4, outcome="no")], "nobody pressed no then"),
    "an event is there twice": (
        [duplicate_event(5, 13), set_received((1, 13)), change_rows("epoch", {"through": 13})],
        "is there twice",
    ),
    "a silent has another cause": ([change_event(11, cause="superseded")], "ended as silent (expired)"),
    "a reason is wrong": ([change_event(12, reason="guard")], "has the reason guard"),
    "a boot that never was": ([change_rows("event", {"boot": 2}, seq=12)], "boot 2, which never was"),
    "a survey's outcome": ([change_rows("survey", {"outcome": "no"}, survey=3)], "by its events"),
    "a survey is missing": ([delete_rows("survey", survey=8)], "by its events"),
    "a rollup by hour": ([increment("rollup_hour", "silent")], "rollup_hour"),
    "a rollup by day": ([change_rows("rollup_day", {"force_majeures": 0})], "rollup_day"),
    "a rollup by month": ([increment("rollup_month", "yes")], "rollup_month"),
    "a rollup of sites by day": ([increment("rollup_site_day", "no")], "rollup_site_day"),
    "a rollup of sites by month": ([delete_rows("rollup_site_month")], "rollup_site_month"),
    "too much is acknowledged": ([change_rows("epoch", {"through": 13})], "through is 13"),
    "a reject": ([insert_reject(4, "conflict: x")], "1 rejects on t: conflict: x"),
    "a force majeure of another survey": ([change_event(10, survey=6)], "names survey 6, and 8 was open"),
    "a window that was too short": ([change_event(11, up_ms=29_000)], "its close says 29000"),
    "a start that is not reported": ([change_event(1, type="clock_set")], "reported 0 times that it started"),
    "a clock that nobody set": ([change_event(5, at_ms=NOW_MS + 3_600_000)], "by its clock"),
    "a stuck button that was not": ([change_event(12, type="button_stuck")], "is reported stuck"),
    "a survey's cause": ([change_rows("survey", {"cause": "expired"})], ", its events ("),
    "a survey's response": ([change_rows("survey", {"response_ms": 1})], ", its events ("),
    "a survey's revision": ([change_rows("survey", {"question_revision": 7})], ", its events ("),
    "an hour": (
        [
            change_rows("survey", {"hour": LONG_AGO}),
            change_rows("rollup_hour", {"hour": LONG_AGO}),
            change_rows("rollup_day", {"day": LONG_AGO[:10]}),
            change_rows("rollup_month", {"month": LONG_AGO[:7]}),
            change_rows("rollup_site_day", {"day": LONG_AGO[:10]}),
            change_rows("rollup_site_month", {"month": LONG_AGO[:7]}),
            change_rows("force_majeure", {"hour": LONG_AGO}),
        ],
        "is in the hour",
    ),
    "a date": ([change_rows("event", {"dated_at_ms": 5, "dated_by": "arrival"}, seq=1)], "and should be"),
    "a sum of asked": ([increment("rollup_day", "asked")], "rollup_day"),
    "a force majeure is missing": (
        [
            delete_rows("force_majeure"),
            *(change_rows(name, {"force_majeures": 0}) for name in ROLLUPS),
        ],
        "force majeures are counted",
    ),
    "a broken reference": ([without_foreign_keys(delete_rows("site"))], "foreign_key_check"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_finds_each_corruption_of_the_database(table: sqlite3.Connection, name: str) -> None:
    changes, sentence = CORRUPTIONS[name]
    for change in changes:
        change(table)
    found = check(table, TRUE, NOW_MS)
    assert [finding for finding in found if sentence in finding], found


def presses(change: Callable[[tuple[ObservedPress, ...]], tuple[ObservedPress, ...]]) -> Observations:
    return replace(TRUE, power_cycles=(replace(CYCLE, presses=change(PRESSES)),))


WRONG_OBSERVATIONS: dict[str, tuple[Observations, str]] = {
    "one press more": (presses(lambda all_: (*all_, ObservedPress("no", 50_000, 90))), "no was pressed at 49860 ms"),
    "one press less": (presses(lambda all_: all_[:-1]), "nobody pressed cant_say then"),
    "a longer press": (
        presses(lambda all_: (replace(all_[0], held_ms=1800), *all_[1:])),
        "is force_majeure_declared",
    ),
    "a wrong clock": (replace(TRUE, power_cycles=(replace(CYCLE, true_ms=NOW_MS),)), "ms wrong"),
    "a stuck button": (
        presses(lambda all_: (*all_[:-1], replace(all_[-1], held_ms=31_000))),
        "cant_say was stuck at 70000 ms",
    ),
    "thanks for nothing": (
        replace(TRUE, power_cycles=(replace(CYCLE, thanks=(Thanks("no", 20_000),)),)),
        "no was thanked for at 19860 ms",
    ),
    "more numbers": (replace(TRUE, counters={NAME: replace(COUNTERS, next=14)}), "numbers up to 13"),
    "more presses": (
        replace(TRUE, counters={NAME: replace(COUNTERS, presses={**COUNTERS.presses, "yes": 2})}),
        "counted 2 presses of yes",
    ),
    "an epoch nobody knows": (
        replace(TRUE, counters={**TRUE.counters, ("shop", "till-1", "00000000"): Counters(3, {})}),
        "the epoch is not known",
    ),
}


@pytest.mark.parametrize("name", WRONG_OBSERVATIONS)
def test_it_finds_what_was_observed_and_is_not_in_the_database(table: sqlite3.Connection, name: str) -> None:
    observations, sentence = WRONG_OBSERVATIONS[name]
    found = check(table, observations, NOW_MS)
    assert [finding for finding in found if sentence in finding], found


def test_a_press_just_before_power_went_may_be_missing(table: sqlite3.Connection) -> None:
    assert check(table, presses(lambda all_: (*all_, ObservedPress("no", 79_900, 90, sure=False))), NOW_MS) == []


def test_a_close_that_power_may_have_prevented_may_be_missing(tmp_path: Path) -> None:
    cycle = replace(CYCLE, ended_ms=31_500, presses=PRESSES[:-1])
    observations = replace(TRUE, power_cycles=(cycle,), counters={})
    with closing(stored(tmp_path, message(EVENTS[:10]))) as connection:
        assert check(connection, observations, NOW_MS) == []
        longer = replace(observations, power_cycles=(replace(cycle, ended_ms=60_000),))
        found = check(connection, longer, NOW_MS)
    assert [finding for finding in found if "no close is stored" in finding], found


def test_losses_of_a_full_flash_are_counted_to_the_event(tmp_path: Path) -> None:
    with closing(stored(tmp_path, message(EVENTS[5:], first=6, base=6))) as connection:
        assert check(connection, replace(TRUE, overflowed=frozenset({BOARD})), NOW_MS) == []
        assert [finding for finding in check(connection, TRUE, NOW_MS) if "5 numbers are lost" in finding]
        more = presses(
            lambda all_: (
                ObservedPress("no", 2000, 90),
                ObservedPress("yes", 2500, 90),
                ObservedPress("no", 3000, 90),
                ObservedPress("no", 4000, 90),
                *all_,
            )
        )
        found = check(connection, replace(more, overflowed=frozenset({BOARD}), counters={}), NOW_MS)
    assert [finding for finding in found if "neither stored nor counted as lost" in finding], found


def test_what_a_restored_bridge_forgot_may_be_missing_and_no_more(tmp_path: Path) -> None:
    with closing(stored(tmp_path, message(EVENTS[5:], first=6, base=6))) as connection:
        assert check(connection, replace(TRUE, forgotten={NAME: 5}), NOW_MS) == []
        assert check(connection, replace(TRUE, forgotten={NAME: 4}), NOW_MS)


def test_two_boards_with_one_id_are_kept_apart(tmp_path: Path) -> None:
    other = [{**event, "hardware_id": "0123456789ab"} if event["type"] == "booted" else event for event in EVENTS]
    payload = {"epoch": "00000001", "first": 1, "base": 1, "events": other}
    second = ("trivox/v1/shop/till-1/events", json.dumps(payload, separators=(",", ":")).encode(), NOW_MS)
    twins = replace(TRUE, power_cycles=(CYCLE, replace(CYCLE, hardware_id="0123456789ab")))
    with closing(stored(tmp_path, message(EVENTS), second)) as connection:
        assert check(connection, twins, NOW_MS) == []
        assert check(connection, TRUE, NOW_MS)


def test_each_stored_answer_was_thanked_for(tmp_path: Path) -> None:
    cycle = replace(CYCLE, presses=PRESSES[:2])
    observations = replace(TRUE, power_cycles=(cycle,), counters={})
    with closing(stored(tmp_path, message(EVENTS[:4]))) as connection:
        assert check(connection, observations, NOW_MS) == []
        found = check(connection, replace(observations, power_cycles=(replace(cycle, thanks=()),)), NOW_MS)
    assert [finding for finding in found if "was not thanked for" in finding], found
