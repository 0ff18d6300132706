"""`Console.runs` gives what a console did from each power-on or reset: presses, output, beginning and end."""

from __future__ import annotations

from collections.abc import Callable

from simulator import Console
from tests.support.programs import wait_until

RESETS_ONCE = """
import machine, time
print("cause", machine.reset_cause())
if machine.reset_cause() == 1:
    while machine.Pin(2, machine.Pin.IN, machine.Pin.PULL_UP).value():
        time.sleep_ms(5)
    machine.reset()
print("stays")
"""


def test_runs_are_told_apart(make: Callable[..., Console]) -> None:
    console = make(RESETS_ONCE)
    assert console.runs() == []
    with console:
        console.wait_output("cause 1\n")
        console.hold("yes")
        console.wait_output("stays\n")
        console.release("yes")
        console.press("no", held_ms=20)
    console.power_on()
    console.wait_output("cause 2\nstays\ncause 1\n")
    first, second, third = console.runs()
    assert [run.reset for run in (first, second, third)] == ["power_on", "hard", "power_on"]
    assert [run.output for run in (first, second)] == ["cause 1\n", "cause 2\nstays\n"]
    pressed = [[(change.name, change.on) for change in run.changes] for run in (first, second, third)]
    assert pressed == [[("yes", True)], [("yes", False), ("no", True), ("no", False)], []]
    assert first.ended_at_s is not None
    assert first.began_at_s < first.changes[0].at_s < first.ended_at_s <= second.began_at_s
    assert [run.held for run in (first, second, third)] == [frozenset(), frozenset({"yes"}), frozenset()]
    assert third.ended_at_s is None
    console.power_off()
    wait_until("it has ended", lambda: console.runs()[-1].ended_at_s)
