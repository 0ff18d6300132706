"""Observations at the boards: the firmware is not blamed for what a slow or stopped machine did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator.console.observations import Change, ConsoleRun, Round
from tests.chaos.checker import check
from tests.chaos.matching import LATE_MS
from tests.chaos.observations import Observations, ObservedPowerCycle, ObservedPress, PressRules
from tests.chaos.observe import ended_ms, presses, thanks
from tests.chaos.test_checker import CYCLE, EVENTS, NOW_MS, PRESSES, SHIFT_MS, TRUE, closed, make_event, message, stored
from tests.support.seeds import seeded

FIRST = Round(1.0, 1000)


def change(name: str, what: str, at_ms: int, caught_ms: int | None) -> Change:
    kind: Any = "lamp" if what in {"lit", "dark"} else "button"
    return Change(kind, name, what in {"lit", "down"}, at_ms / 1000, at_ms, caught_ms)


def down(name: str, at_ms: int, caught_ms: int | None = None) -> Change:
    return change(name, "down", at_ms, caught_ms or at_ms)


def up(name: str, at_ms: int, caught_ms: int | None = None) -> Change:
    return change(name, "up", at_ms, caught_ms or at_ms)


def stop(from_ms: int, to_ms: int) -> Round:
    return Round(to_ms / 1000, to_ms, to_ms - from_ms)


def run(*changes: Change, stood: tuple[Round, ...] = (), last_ms: int = 99_000, **more: Any) -> ConsoleRun:
    last = Round(last_ms / 1000, last_ms)
    given = {"ended_at_s": 100.0, "first_round": FIRST, "last_round": last, **more}
    return ConsoleRun(
        reset="power_on", began_at_s=0.5, changes=changes, output="", held=frozenset(), stood=stood, **given
    )


def pressed(name: str, at_ms: int, held_ms: int = 90) -> tuple[Change, Change]:
    return down(name, at_ms), up(name, at_ms + held_ms)


def test_a_press_is_as_long_as_the_interrupts_saw_it() -> None:
    """The board may be stopped between reporting a release and letting the firmware see it."""
    late = run(down("yes", 5000), up("yes", 5090, caught_ms=12_000))
    (press,) = presses(late, has_late_interrupts=False)
    assert (press.contact_ms, press.held_ms, press.late_ms) == (5000, 7000, 0)
    assert 90 in press.other_held_ms  # a poll may have seen it before the interrupt


def test_a_contact_may_be_stamped_as_late_as_its_interrupt_came() -> None:
    (press,) = presses(run(down("yes", 5000, caught_ms=9000), *pressed("yes", 9010)[1:]), has_late_interrupts=False)
    assert press.late_ms == 4000


def test_a_contact_that_no_interrupt_caught_is_seen_when_the_main_loop_goes_on() -> None:
    changes = change("yes", "down", 5000, None), change("yes", "up", 5090, None)
    (press,) = presses(run(*changes, stood=(stop(4000, 8000),)), has_late_interrupts=True)
    assert press.late_ms == 3000


@pytest.mark.parametrize(
    ("last_ms", "stood", "sure"),
    [
        (8000, (), True),
        (5600, (), False),
        (8000, (stop(5100, 7900),), False),
        (12_000, (stop(5100, 7900),), True),
    ],
    ids=["long", "short", "stood still until power went", "ran on after that"],
)
def test_a_press_is_sure_if_the_main_loop_ran_on_after_it(last_ms: int, stood: Any, sure: bool) -> None:  # noqa: FBT001
    (press,) = presses(run(*pressed("yes", 5000), last_ms=last_ms, stood=stood), has_late_interrupts=False)
    assert press.sure is sure


def test_a_press_before_the_main_loop_began_is_not_sure() -> None:
    before, after = presses(run(*pressed("yes", 900), *pressed("yes", 1100)), has_late_interrupts=False)
    assert (before.sure, after.sure) == (False, True)
    (never,) = presses(run(*pressed("yes", 5000), first_round=None, last_round=None), has_late_interrupts=False)
    assert not never.sure


def test_of_two_presses_in_one_stop_a_board_with_late_interrupts_may_see_one_or_one_long_one() -> None:
    two = run(*pressed("yes", 5000), *pressed("yes", 11_000), stood=(stop(5040, 11_040),))
    first, second = presses(two, has_late_interrupts=True)
    assert (first.sure, second.sure) == (True, False)
    assert 6090 in first.other_held_ms
    assert 40 in first.other_held_ms  # released when the stop began
    first, second = presses(two, has_late_interrupts=False)
    assert (first.sure, second.sure) == (True, True)
    assert first.other_held_ms == (90,)


def test_two_presses_far_apart_are_two() -> None:
    first, second = presses(run(*pressed("yes", 5000), *pressed("yes", 5300)), has_late_interrupts=True)
    assert (first.sure, second.sure) == (True, True)
    assert first.other_held_ms == (90,)


def test_a_lamp_that_a_board_left_lit_while_it_stood_still_gives_no_thanks() -> None:
    lit = change("yes", "lit", 5000, None), change("yes", "dark", 7000, None)
    assert [given.at_ms for given in thanks(run(*lit))] == [5000]
    assert not list(thanks(run(*lit, stood=(stop(5100, 6900),))))


def test_a_power_cycle_ends_when_the_main_loop_last_came_round() -> None:
    assert ended_ms(run(last_ms=7000)) == 7000
    assert ended_ms(run(ended_at_s=None)) is None


# What the checker finds ---------------------------------------------------------------------------------------------


def findings(folder: Path, events: list[dict[str, Any]], cycle: ObservedPowerCycle) -> list[str]:
    observations = Observations((cycle,), {}, {})
    with closing(stored(folder, message(events))) as connection:
        return check(connection, observations, NOW_MS)


STUCK = [
    *EVENTS[:2],
    make_event(5000, "stray_pressed", button="yes", reason="no_survey"),
    make_event(35_000, "button_stuck", button="yes"),
]


def cycle_with(*seen: ObservedPress) -> ObservedPowerCycle:
    return ObservedPowerCycle("shop", "till-1", CYCLE.hardware_id, 1, 99_000, seen, awake_ms=1000)


def test_a_button_that_a_stop_held_too_long_is_stuck(tmp_path: Path) -> None:
    at_ms = 5000 - SHIFT_MS
    late = run(down("yes", at_ms), up("yes", at_ms + 90, caught_ms=at_ms + 32_000))
    assert findings(tmp_path, STUCK, cycle_with(*presses(late, has_late_interrupts=False))) == []


def test_a_button_pressed_twice_may_be_stuck_only_during_a_stop(
    tmp_path: Path,
) -> None:
    at_ms = 5000 - SHIFT_MS
    changes = *pressed("yes", at_ms), *pressed("yes", at_ms + 32_000)
    stood = (stop(at_ms + 30, at_ms + 32_020),)
    assert findings(tmp_path, STUCK, cycle_with(*presses(run(*changes, stood=stood), has_late_interrupts=True))) == []
    with closing(sqlite3.connect(tmp_path / "trivox.db")) as connection:
        found = check(
            connection, Observations((cycle_with(*presses(run(*changes), has_late_interrupts=True)),), {}, {}), NOW_MS
        )
    assert [finding for finding in found if "yes is reported stuck at 35000 ms, and was not" in finding], found


def test_a_board_may_take_a_long_press_for_short_only_if_it_stood_still(tmp_path: Path) -> None:
    at_ms = 5000 - SHIFT_MS
    changes = pressed("seller", at_ms, 1700)
    events = [*EVENTS[:3], closed(25_000, 3, 5000, "silent", "expired")]
    stood = (stop(at_ms + 100, at_ms + 1800),)
    assert findings(tmp_path, events, cycle_with(*presses(run(*changes, stood=stood), has_late_interrupts=True))) == []
    with closing(sqlite3.connect(tmp_path / "trivox.db")) as connection:
        found = check(
            connection, Observations((cycle_with(*presses(run(*changes), has_late_interrupts=True)),), {}, {}), NOW_MS
        )
    assert [finding for finding in found if "force_majeure_declared" in finding], found


def test_an_event_matches_only_a_press_whose_interrupt_was_late_enough(tmp_path: Path) -> None:
    at_ms = 40_000 - SHIFT_MS - 3000  # caught three seconds later
    late = (*PRESSES[:-1], ObservedPress("cant_say", at_ms, 90, late_ms=3000))
    with closing(stored(tmp_path, message(EVENTS))) as connection:
        honest = Observations((cycle_with(*late),), {}, TRUE.counters)
        assert [finding for finding in check(connection, honest, NOW_MS) if "cant_say" in finding] == []
        early = Observations(
            (cycle_with(*PRESSES[:-1], ObservedPress("cant_say", at_ms, 90, late_ms=2900 - LATE_MS)),), {}, {}
        )
        assert [finding for finding in check(connection, early, NOW_MS) if "nobody pressed cant_say then" in finding]


def test_settings_found_in_flash_are_in_force_before_they_are_reported(tmp_path: Path) -> None:
    applied = make_event(6000, "settings_applied", revision=2)  # flash was slow
    stuck = make_event(10_000, "button_stuck", button="yes")
    told_late = [{**event, "at_ms": None} for event in (EVENTS[0], applied, STUCK[2], stuck)]
    leant = cycle_with(ObservedPress("yes", 5000 - SHIFT_MS, 9000))
    rules = {("shop", "till-1"): {2: PressRules(stuck_ms=5000)}}
    with closing(stored(tmp_path, message(told_late))) as connection:
        assert check(connection, Observations((leant,), rules, {}), NOW_MS) == []
        short = replace(leant, presses=(ObservedPress("yes", 5000 - SHIFT_MS, 4000),))
        found = check(connection, Observations((short,), rules, {}), NOW_MS)
    assert [finding for finding in found if "is reported stuck" in finding], found


@pytest.mark.parametrize("seed", [25, 47, *range(6)])  # the first two fail without that moment
def test_a_press_during_which_the_clock_jumped_is_matched_by_when_it_was_caught(tmp_path: Path, seed: int) -> None:
    """A child presses fast, interrupts are late, a press is missed now and then, and an hour passes within the last.

    When presses were matched by the moment of contact, it was taken for its neighbour: "yes is reported stuck, and was
    not".
    """
    chance, hour_ms, at_ms = seeded(seed), 3_600_000, 5000
    changes, strays = [], []
    while len(changes) < 2 * 40:
        caught_ms = at_ms + chance.choice((0, 0, 5, 20, 40, 60))
        changes += [down("yes", at_ms, caught_ms), up("yes", at_ms + 30, caught_ms + 30)]
        if chance.random() < 0.9 or len(changes) in {2, 80}:
            up_ms = caught_ms + SHIFT_MS
            strays.append(make_event(up_ms, "stray_pressed", button="yes", reason="no_survey"))
        at_ms += chance.randint(61, 75)
    end_ms = changes[-1].ticks_ms + hour_ms
    changes[-1] = changes[-1]._replace(ticks_ms=end_ms, caught_ms=end_ms)
    cycle = replace(cycle_with(*presses(run(*changes), has_late_interrupts=True)), ended_ms=None)
    stuck = make_event(up_ms + 30_000, "button_stuck", button="yes")
    assert findings(tmp_path, [*EVENTS[:2], *strays, stuck], cycle) == []
