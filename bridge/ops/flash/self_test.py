"""Leads a technician through a console's self-test, step by step, by what the console says on its serial line."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bridge.ops.flash.console_output import Output
from bridge.ops.flash.errors import FlashError

STEP_LIMIT_S = 30.0  # a console gives 15 s to each
NAMES = {"yes": "Yes", "no": "No", "cant_say": "Can't say", "seller": "the seller's button"}
QUESTION = "Did all four lamps light, did it click at each press, and sound twice at the end?"
_PREFIX = "self_test: "


class Result(NamedTuple):
    """`passed`, and what to say of it if not."""

    passed: bool
    sentence: str = ""


def lead(output: Output, tell: Callable[[str], None], confirm: Callable[[str], bool]) -> Result:
    """Tell what to press, follow the console, and ask what it cannot know. Raises BoardError if it falls silent."""
    missed: dict[str, None] = {}  # in order, though some are told twice
    while True:
        word = _next_word(output)
        verb, _, button = word.partition(" ")
        if verb == "press":
            tell(f"Press {NAMES.get(button, button)} shortly: its lamp is lit")
        elif verb == "hold":
            tell("Hold the seller's button until it sounds twice")
        elif verb == "missed":
            missed["the long press of the seller's button" if button == "long" else NAMES.get(button, button)] = None
        elif verb in {"passed", "failed"}:
            break
    if missed or verb == "failed":
        return Result(
            passed=False, sentence=f"the self-test did not see {', '.join(missed) or 'all'}: see to wiring and buttons"
        )
    if not confirm(QUESTION):
        return Result(passed=False, sentence="lamps or sound are not right: see to their wiring")
    return Result(passed=True)


def _next_word(output: Output) -> str:
    while True:
        said = output.next(STEP_LIMIT_S)
        if said is None:
            raise FlashError(f"The console on {output.port.path} fell silent in its self-test: run this again.")
        if said.text.startswith(_PREFIX):
            return said.text.removeprefix(_PREFIX)
