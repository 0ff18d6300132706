"""A fleet console encodes events as the firmware does, stores them as its outbox does, and survives faults."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.people.diary import DiaryEntry, Press
from simulator.scenario.fleet_console import LIMIT, Fleet, FleetConsole, FleetOutbox
from tests.firmware.portable.at_once import read_batch

FLEET = Fleet()
EVENTS = FLEET.firmware.events
NOON_MS = 1_763_812_800_000
numbers = st.integers(0, 2**40)
facts = st.one_of(
    st.tuples(st.just(EVENTS.SURVEY_OPENED), numbers, st.sampled_from(["staff", "a%d_b"]), st.integers(1, 99)),
    st.tuples(
        st.just(EVENTS.SURVEY_CLOSED),
        numbers,
        st.just(value=True),
        st.integers(0, 9),
        st.sampled_from(["staff", "office"]),
        st.integers(1, 99),
        st.integers(0, 4),
        st.integers(0, 3),
    ),
    st.tuples(
        st.just(EVENTS.FORCE_MAJEURE_DECLARED), numbers, st.booleans(), st.sampled_from(["staff"]), st.integers(1, 9)
    ),
    st.tuples(st.just(EVENTS.STRAY_PRESSED), numbers, st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just(EVENTS.BUTTON_STUCK), numbers, st.integers(0, 3)),
    st.tuples(st.just(EVENTS.SETTINGS_APPLIED), numbers, st.integers(1, 10**6)),
    st.tuples(st.just(EVENTS.CLOCK_SET), numbers, st.integers(0, 1), st.none() | st.integers(-9, 9)),
    st.tuples(
        st.just(EVENTS.BOOTED),
        numbers,
        st.integers(0, 5),
        st.sampled_from(["1.0.0", "50%"]),
        st.just("unix"),
        st.just("ab"),
    ),
)


@given(facts, st.integers(1, 10**6), st.none() | numbers, st.integers(1, 10**6))
def test_every_fact_is_encoded_as_by_the_firmware(
    fact: tuple[Any, ...], boot: int, at_ms: int | None, survey: int
) -> None:
    made = json.dumps(EVENTS.event(fact, boot, at_ms, survey), separators=(",", ":"))
    assert FLEET.encoder.encode(fact, boot, at_ms, survey) == made
    assert Fleet().encoder.encode(fact, boot, at_ms, survey) == made  # no template was there before


def test_an_outbox_gives_and_deletes_events_as_the_firmwares_does() -> None:
    outbox = FleetOutbox("0a0b0c0d")
    assert read_batch(outbox, 1) == (1, [])
    assert [outbox.append(text) for text in "abcde"] == [1, 2, 3, 4, 5]
    assert read_batch(outbox, 2, 2) == (2, ["b", "c"])
    assert not outbox.acknowledge("ffffffff", 3)
    assert outbox.acknowledge("0a0b0c0d", 3)
    assert (outbox.delivery(), read_batch(outbox, 1)) == (("0a0b0c0d", 4, 6), (4, ["d", "e"]))
    assert outbox.acknowledge("0a0b0c0d", 2)  # from a bridge that was restored from an older copy
    assert outbox.held() == 4
    assert outbox.acknowledge("0a0b0c0d", 99)
    assert outbox.waiting() == 0


def test_a_full_outbox_loses_the_oldest_and_says_so() -> None:
    outbox = FleetOutbox("0a0b0c0d")
    for number in range(LIMIT + 3):
        outbox.append(str(number))
    assert outbox.delivery() == ("0a0b0c0d", 4, LIMIT + 4)
    assert outbox.lost == 3
    assert read_batch(outbox, 1, 1) == (4, ["3"])


def press(button: str, after_ms: int, held_ms: int = 100, why: str = "ask") -> Press:
    return Press(button, why, held_ms, 0, NOON_MS + after_ms, NOON_MS + after_ms + held_ms)


def entry(*presses: Press) -> DiaryEntry:
    return DiaryEntry("customer", "shop", "till", presses[0].at_ms, presses[-1].until_ms, presses=presses)


def events(console: FleetConsole) -> list[dict[str, Any]]:
    return [json.loads(text) for text in read_batch(console.outbox, 1, LIMIT)[1]]


def test_a_power_cut_ends_a_survey_without_an_event_and_the_clock_is_set_again() -> None:
    console = FleetConsole(FLEET, FLEET.settings(revision=4), "0a0b0c0d", "aa")
    console.power_on(NOON_MS - 10_000)
    console.play(entry(press("seller", 0), press("power", 1000, 2000, "power_cut")))
    console.play(entry(press("seller", 4000), press("yes", 6000, why="answer")))
    console.settle(NOON_MS + 60_000)
    recorded = events(console)
    start = ["booted", "settings_applied"]
    first, second = [*start, "clock_set", "survey_opened"], [*start, "survey_opened", "clock_set", "survey_closed"]
    assert [event["type"] for event in recorded] == first + second
    assert [event["boot"] for event in recorded] == [1] * 4 + [2] * 5
    assert recorded[-1]["outcome"] == "yes"
    assert recorded[-1]["at_ms"] == NOON_MS + 6000
    assert [event["at_ms"] is None for event in recorded] == [True, True, False, False, True, True, True, False, False]


def test_settings_from_the_bridge_are_in_force_from_the_next_survey_on() -> None:
    console = FleetConsole(FLEET, FLEET.settings(), "0a0b0c0d", "aa")
    console.power_on(NOON_MS - 10_000)
    console.play(entry(press("seller", 0), press("no", 900, why="answer")))
    console.settle(NOON_MS + 5000)
    payload = {**FLEET.firmware.settings.payload(FLEET.settings(revision=7)), "survey_window_ms": 3000}
    payload["question"] = {"id": "office", "revision": 2, "kind": "office", "text": {"en": "Nice?"}}
    console.apply_settings(FLEET.firmware.settings.check(payload))
    console.apply_settings("settings are no object")
    console.play(entry(press("seller", 10_000)))
    console.settle(NOON_MS + 60_000)
    recorded = events(console)
    assert [event["revision"] for event in recorded if event["type"] == "settings_applied"] == [7]
    assert recorded[-1]["question_id"] == "office"
    assert recorded[-1]["up_ms"] - recorded[-1]["opened_up_ms"] == 3000


def test_a_setting_that_the_firmware_does_not_know_is_refused() -> None:
    with pytest.raises(AttributeError, match="no setting colour"):
        FLEET.settings(colour="red")
