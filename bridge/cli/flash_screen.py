"""Show a technician the progress of each board: bars in a terminal, lines elsewhere; one question at a time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bridge.cli.output import warn
from bridge.errors import TrivoxError
from bridge.rich_terminal import RichTerminal
from bridge.text import escaped, printable

PLAIN_WIDTH = 160  # columns, if the output is not a terminal
LONGEST = 1000  # characters of an error


class Screen:
    """The technician's screen, shared by the threads of all boards; use it as a context."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._terminal = RichTerminal(width=None if self.is_terminal else PLAIN_WIDTH)
        columns = (
            TextColumn("{task.fields[board]}", markup=False),
            BarColumn(24),
            TextColumn("{task.fields[stage]}", markup=False),
        )
        self._progress = Progress(*columns, console=self._terminal)
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        if self.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_terminal:
            self._progress.stop()

    @contextmanager
    def add_board(self, port: str) -> Iterator[BoardDisplay]:
        """Add a display for the board at a port."""
        yield BoardDisplay(self, port, self._progress.add_task("", total=1, board=port, stage=""))

    def show(self, task: TaskID, board: str, stage: str, done: int, total: int) -> None:
        """Update a board's bar."""
        self._progress.update(task, completed=done, total=total or 1, board=board, stage=stage)

    def say(self, sentence: str) -> None:
        """Print a line above the bars; control codes in the text have no effect."""
        with self._lock:
            self._terminal.print(sentence, soft_wrap=True)

    def fail(self, sentence: str) -> None:
        """Print an error; beside bars, it comes above them."""
        with self._lock:
            warn(printable(sentence, LONGEST))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Hide the bars for a question, and let no other board ask meanwhile."""
        with self._lock:
            if self.is_terminal:
                self._progress.stop()
            try:
                yield
            finally:
                if self.is_terminal:
                    self._progress.start()


class BoardDisplay:
    """The technician's view of one board."""

    def __init__(self, screen: Screen, port: str, task: TaskID) -> None:
        self._screen, self._task = screen, task
        self._board = self._port = port
        self._stage = ""

    def show_name(self, name: str) -> None:
        """Show which console the board becomes."""
        self._board = name

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show a stage of the work, and how far it is: `done` of `total`."""
        self._screen.show(self._task, self._board, what, done, total)
        if not self._screen.is_terminal and what != self._stage:
            self._screen.say(f"{self._board}: {what}")
        self._stage = what

    def note(self, sentence: str) -> None:
        """Print a line about the board."""
        self._screen.say(sentence)

    def fail(self, sentence: str) -> None:
        """Print why the board could not be flashed."""
        self._screen.fail(sentence)

    def confirm(self, question: str) -> bool:
        """Ask the technician a yes-or-no question. Raises TrivoxError if nobody answers."""
        with self._screen.asking():
            try:
                return typer.confirm(escaped(f"{self._board}: {question}"), default=True)
            except typer.Abort as error:
                raise TrivoxError("Nobody answered: run this in a terminal, or give --no-self-test.") from error
