"""Play sellers and customers at one console: random presses, ordinary and odd, each at its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tests.chaos.virtual.board import Board

SELLER = 3
HELD_MS = (40, 60, 90, 140, 250)


class VirtualPeople:
    """People who press until `until_ms`."""

    def __init__(self, board: Board, chance: random.Random, until_ms: int) -> None:
        self._board = board
        self._chance = chance
        self._until_ms = until_ms
        self._habits = [
            *[self._answers] * 8,
            *[self._says_nothing] * 3,
            *[self._asks_twice] * 2,
            self._declares,
            self._presses_two,
            self._strays,
            self._bounces,
            self._leans if chance.random() < 0.3 else self._answers,
        ]
        self._next()

    def _next(self) -> None:
        timeline = self._board.timeline
        if timeline.now_ms < self._until_ms:
            busy_ms = self._chance.choice(self._habits)()
            timeline.after(busy_ms + self._chance.choice((30, 100, 300, 900, 2500)), self._next)

    def _press(self, button: int, in_ms: int, held_ms: int | None = None) -> int:
        """Have a button pressed in some milliseconds; return in how many it will be released."""
        held_ms = held_ms or self._chance.choice(HELD_MS)
        self._board.timeline.after(in_ms, lambda: self._board.press(button, held_ms))
        return in_ms + held_ms

    def _ask(self, in_ms: int = 0) -> int:
        return self._press(SELLER, in_ms)

    def _answers(self) -> int:
        end_ms = self._ask() + self._chance.choice((40, 150, 400, 900, 1900, 2600))
        end_ms = self._press(self._chance.randrange(3), end_ms)
        if self._chance.random() < 0.15:
            end_ms = self._press(self._chance.randrange(3), end_ms + self._chance.choice((30, 200)))
        return end_ms

    def _says_nothing(self) -> int:
        return self._ask() + self._chance.choice((0, 500, 2200, 4200))

    def _asks_twice(self) -> int:
        return self._ask(self._ask() + self._chance.choice((50, 300, 1100)))

    def _declares(self) -> int:
        start_ms = self._ask() + 200 if self._chance.random() < 0.5 else 0
        return self._press(SELLER, start_ms, self._chance.choice((1490, 1510, 1600, 2200)))

    def _presses_two(self) -> int:
        end_ms = self._ask() + 100
        first, second = self._chance.sample(range(3), 2)
        self._press(first, end_ms)
        return max(end_ms + 250, self._press(second, end_ms + self._chance.choice((1, 15, 20, 21, 25, 60))))

    def _strays(self) -> int:
        return self._press(self._chance.randrange(3), 0)

    def _bounces(self) -> int:
        self._press(self._chance.randrange(4), 0, self._chance.choice((1, 3, 8)))
        return 30

    def _leans(self) -> int:
        return self._press(self._chance.randrange(4), 0, self._chance.choice((2100, 3600)))
