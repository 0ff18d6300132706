"""Lead a technician through a console's self-test, step by step, following what the console reports by serial line."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bridge.ops.flash.console_output import ConsoleOutput
from bridge.ops.flash.errors import FlashingError

STEP_LIMIT_S = 30.0  # a console gives 15 s to each
NAMES = {"yes": "Yes", "no": "No", "cant_say": "Can't say", "seller": "the seller's button"}
QUESTION = "Did all four lamps light, did it click at each press, and sound twice at the end?"
_PREFIX = "self_test: "


class SelfTestResult(NamedTuple):
    """The result of a self-test; if it failed, with the end of a sentence that says why."""

    passed: bool
    sentence: str = ""


def run_self_test(output: ConsoleOutput, show: Callable[[str], None], confirm: Callable[[str], bool]) -> SelfTestResult:
    """Show what to press, follow the console, and ask what it cannot know. Raises FlashingError if it falls silent."""
    missed: dict[str, None] = {}  # a set in order: some are reported twice
    while True:
        verb, _, button = _next_step(output).partition(" ")
        if verb == "press":
            show(f"Press {NAMES.get(button, button)} briefly: its lamp is lit")
        elif verb == "hold":
            show("Hold the seller's button until it sounds twice")
        elif verb == "missed":
            missed["the long press of the seller's button" if button == "long" else NAMES.get(button, button)] = None
        elif verb in {"passed", "failed"}:
            break
    if missed or verb == "failed":
        return SelfTestResult(
            passed=False,
            sentence=f"the self-test missed {', '.join(missed) or 'something'}: check the wiring and the buttons",
        )
    if not confirm(QUESTION):
        return SelfTestResult(passed=False, sentence="its lamps or sound are wrong: check their wiring")
    return SelfTestResult(passed=True)


def _next_step(output: ConsoleOutput) -> str:
    while True:
        line = output.next_line(STEP_LIMIT_S)
        if line is None:
            raise FlashingError(f"The console on {output.port.path} fell silent in its self-test: run this again.")
        if line.text.startswith(_PREFIX):
            return line.text.removeprefix(_PREFIX)
