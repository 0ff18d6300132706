"""Play the people around the consoles: sellers ask, customers answer or stay silent, each by seeded habits.

They stay clear of every boundary (the window's end, the reopen guard, a long press's length), so that the meaning of
each press is certain. They press whatever happens to the console; the simulated board records each contact.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from simulator.errors import ConsoleError
from tests.chaos.world import ChaosTill

SHORT_MS, LONG_MS = 90, 1400
WINDOW_S = 4.8  # after this time no survey is open, under any of the settings that are used
STUCK_MS = 6200
PLAY_PRESSES, PLAY_HELD_MS, PLAY_PAUSE_S = 400, 30, 0.03
AHEAD = 8  # presses that may wait in a board whose main loop stands still: its interrupts can hold four times as many
STOP_LIMIT_S = 600.0


class Person:
    """Seller and customers at one till; all their habits are made of `press` and `wait`."""

    def __init__(self, till: ChaosTill, chance: random.Random, going_home: threading.Event) -> None:
        self._till = till
        self._chance = chance
        self._going_home = going_home
        self._ahead = 0

    def act(self) -> None:
        """Ask and answer until it is time to go home."""
        ways: list[tuple[float, Callable[[], None]]] = [
            (40, self.answers),
            (14, self.keeps_silent),
            (14, self.is_superseded),
            (6, self.asks_twice),
            (6, self.answers_twice),
            (8, self.strays),
            (5, self.declares),
            (4, self.declares_meanwhile),
            (1, self.leans_on_a_button),
        ]
        while not self._going_home.is_set():
            if self._till.play_requested.is_set():
                self.plays()
            self._chance.choices([way for _, way in ways], weights=[weight for weight, _ in ways])[0]()
            self.wait(self._chance.uniform(0.3, 1.4))

    def press(self, button: str, held_ms: int = SHORT_MS) -> None:
        """Press, if the console can take it; not after it is time to go home, when `wait` returns at once too."""
        if self._going_home.is_set():
            return
        if self._till.is_stopped or not self._till.console.powered:
            self.wait(0.3)
            return
        try:
            self._till.console.press(button, held_ms=held_ms)
            self._ahead += 1
            if self._ahead % AHEAD == 0:
                self._till.console.come_round()
        except ConsoleError:  # its power went
            self.wait(0.3)

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, but not longer than until it is time to go home."""
        self._going_home.wait(seconds)

    def answer(self) -> str:
        """Draw an answer."""
        return self._chance.choice(("yes", "yes", "no", "cant_say"))

    def answers(self) -> None:
        self.press("seller")
        self.wait(self._chance.uniform(0.35, 1.6))
        self.press(self.answer())

    def keeps_silent(self) -> None:
        self.press("seller")
        self.wait(WINDOW_S)

    def is_superseded(self) -> None:
        self.press("seller")
        self.wait(self._chance.uniform(1.2, 1.9))
        self.answers()

    def asks_twice(self) -> None:
        self.press("seller")
        self.wait(0.1)
        self.press("seller")
        self.wait(0.4)
        self.press(self.answer())

    def answers_twice(self) -> None:
        self.answers()
        self.wait(0.4)
        self.press(self.answer())

    def strays(self) -> None:
        self.wait(WINDOW_S)
        self.press(self.answer())

    def declares(self) -> None:
        self.press("seller", LONG_MS)

    def declares_meanwhile(self) -> None:
        self.press("seller")
        self.wait(0.2)
        self.press("seller", LONG_MS)
        self.wait(0.3)
        self.press(self.answer())

    def leans_on_a_button(self) -> None:
        self.press(self._chance.choice(("yes", "no", "cant_say", "seller")), STUCK_MS)
        self.wait(0.5)

    def plays(self) -> None:
        """Press as fast as a playing child can, so that even an outbox overflows."""
        self._till.play_requested.clear()
        button = self.answer()
        for _ in range(PLAY_PRESSES):
            if self._going_home.is_set():
                return
            self.press(button, PLAY_HELD_MS)
            self.wait(PLAY_PAUSE_S)


class ChaosCrowd:
    """A person at each till, from `come` to `go_home`, which raises what went wrong with any of them."""

    def __init__(self, tills: list[ChaosTill], seed: int) -> None:
        self._going_home = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._act, args=(till, random.Random(f"person {seed} {number}")), daemon=True)
            for number, till in enumerate(tills)
        ]

    def come(self) -> None:
        """Start them."""
        for thread in self._threads:
            thread.start()

    def go_home(self) -> None:
        """Let each finish what it is doing, and raise what went wrong with one of them."""
        self._going_home.set()
        for thread in self._threads:
            thread.join(STOP_LIMIT_S)
            if thread.is_alive():
                raise AssertionError(f"somebody still presses {STOP_LIMIT_S:.0f} s after it was time to go home")
        if self._errors:
            raise self._errors[0]

    def _act(self, till: ChaosTill, chance: random.Random) -> None:
        try:
            Person(till, chance, self._going_home).act()
        except BaseException as error:  # noqa: BLE001 - raised by go_home
            self._errors.append(error)
