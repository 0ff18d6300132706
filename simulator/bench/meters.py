"""What has to be looked at, as nobody tells it: rows of the database, serial output, heap, flash, power that went."""

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from simulator.bench.journal import Entry, Journal
from simulator.bench.survey_rows import Rows
from simulator.errors import ConsoleError

if TYPE_CHECKING:
    from simulator.bench.session import Session

LOOK_S = 0.25
FIGURES_S = 2.0  # a collection of the heap costs the console's main loop a moment, so not too often


class Meters:
    """Two threads that look until `close`: a console that stands still holds up the one that asks it, alone."""

    def __init__(self, journal: Journal, session: "Session", rows: Rows) -> None:
        self._journal = journal
        self._session = session
        self._rows = rows
        self._written = len(session.console.output())  # what came before is history
        self._figures: tuple[int, int, int] | None = None
        self._due = threading.Event()  # rows may have changed
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._measure)]
        journal.listen(self._heard)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._due.set()
        for thread in self._threads:
            thread.join(1)

    def _heard(self, entry: Entry) -> None:
        if entry.kind == "wire" and entry.facts["leaf"] == "ack":  # so it is committed
            self._due.set()

    def _look(self) -> None:
        while not self._ended.is_set():
            self._due.wait(LOOK_S)
            self._due.clear()
            for row in self._rows.news():
                self._journal.write("row", **row)
            self._read_serial()
            self._session.notice_power()

    def _read_serial(self) -> None:
        output = self._session.console.output()
        if len(output) > self._written:
            self._journal.write("serial", text=output[self._written :])
            self._written = len(output)

    def _measure(self) -> None:
        while not self._ended.wait(FIGURES_S):
            console = self._session.console
            if not console.powered:
                continue
            with suppress(ConsoleError):  # it has just gone, or stands still
                figures = (console.heap(), *console.flash_counts())
                if figures != self._figures:
                    self._figures = figures
                    self._journal.write("figures", heap=figures[0], erases=figures[1], programs=figures[2])
