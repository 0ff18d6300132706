"""What can go wrong with one board; each sentence says what a technician is to look at."""

from __future__ import annotations

from bridge.errors import TrivoxError


class FlashError(TrivoxError):
    """Base of all: this board could not be done, others can."""


class BoardGoneError(FlashError):
    """The line to it ended: the cable, or a restart."""


class BoardRefusedError(FlashError):
    """It could not do what it was told; `traceback` is what MicroPython said."""

    def __init__(self, sentence: str, traceback: str) -> None:
        super().__init__(sentence)
        self.traceback = traceback
