"""Errors about one board; each sentence tells a technician what to look at."""

from __future__ import annotations

from bridge.errors import TrivoxError


class FlashingError(TrivoxError):
    """Base class: this board could not be flashed; others can."""


class NotHeardError(FlashingError):
    """The board is flashed, but is not heard at the broker."""


class BoardGoneError(FlashingError):
    """The connection to the board ended: its cable was pulled, or it restarted."""


class BoardRefusedError(FlashingError):
    """The board could not run a program; `traceback` is MicroPython's."""

    def __init__(self, sentence: str, traceback: str) -> None:
        super().__init__(sentence)
        self.traceback = traceback
