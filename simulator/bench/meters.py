"""Poll what does not report itself: rows of the database, serial output, heap, flash, and power that was cut."""

import threading
from collections.abc import Callable
from contextlib import suppress

from simulator.bench.journal import Journal, JournalEntry
from simulator.bench.survey_rows import SurveyRows
from simulator.console.console import Console
from simulator.errors import ConsoleError

LOOK_S = 0.25
FIGURES_S = 2.0  # a collection of the heap costs the console's main loop a moment, so not too often


class Meters:
    """Two threads that poll until `close`: a console that stands still holds up only the one that asks it.

    Args:
        journal: where readings are written.
        current_console: returns the console as it is now; it may be replaced.
        check_power: called with each look, for a planned power cut that may have happened.
        rows: the console's surveys in the bridge's database.
    """

    def __init__(
        self,
        journal: Journal,
        current_console: Callable[[], Console],
        check_power: Callable[[], None],
        rows: SurveyRows,
    ) -> None:
        self._journal = journal
        self._current_console = current_console
        self._check_power = check_power
        self._rows = rows
        self._output_length = len(current_console().output())  # earlier output is not written again
        self._figures: tuple[int, int, int] | None = None
        self._due = threading.Event()  # rows may have changed
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._measure)]
        journal.listen(self._on_entry)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop polling."""
        self._ended.set()
        self._due.set()
        for thread in self._threads:
            thread.join(1)

    def _on_entry(self, entry: JournalEntry) -> None:
        if entry.kind == "wire" and entry.facts["leaf"] == "ack":  # so it is committed
            self._due.set()

    def _look(self) -> None:
        while not self._ended.is_set():
            self._due.wait(LOOK_S)
            self._due.clear()
            for row in self._rows.changes():
                self._journal.write("row", **row)
            self._read_serial()
            self._check_power()

    def _read_serial(self) -> None:
        output = self._current_console().output()
        if len(output) > self._output_length:
            self._journal.write("serial", text=output[self._output_length :])
            self._output_length = len(output)

    def _measure(self) -> None:
        while not self._ended.wait(FIGURES_S):
            console = self._current_console()
            if not console.powered:
                continue
            with suppress(ConsoleError):  # it has just lost power, or stands still
                figures = (console.heap(), *console.flash_counts())
                if figures != self._figures:
                    self._figures = figures
                    self._journal.write("figures", heap=figures[0], erases=figures[1], programs=figures[2])
