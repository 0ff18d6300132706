"""What people do at a console whose flash fails, and what they see."""

from itertools import pairwise

from simulator import Console
from tests.support.programs import wait_until

BLINKS = 4
PAUSE_MS = 1000


def answer(console: Console, button: str) -> None:
    console.press("seller")
    console.wait_lamp("cant_say")
    console.press(button)
    console.wait_lamp("cant_say", on=False)
    console.wait_lamp(button)


def wait_for_blinks(console: Console) -> None:
    """Wait until the seller's lamp has blinked as for failed flash."""

    def has_blinked() -> bool:
        lit = [change.ticks_ms for change in console.changes() if change[:3] == ("lamp", "seller", True)]
        ends = [0, *(at for at in range(1, len(lit)) if lit[at] - lit[at - 1] > PAUSE_MS)]
        return any(end - begin == BLINKS for begin, end in pairwise(ends[1:]))

    wait_until(f"{BLINKS} blinks", has_blinked)
