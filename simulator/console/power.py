"""The power of one simulated board: the process of each run, started again after a reset, and asked for things."""

import threading
import time
from collections.abc import Callable
from typing import Any

from simulator.console.micropython_process import REPLY_LIMIT_S, Process
from simulator.console.observations import Record
from simulator.errors import ConsoleError, ConsoleGoneError

Gone = Callable[[Process, str], None]
Cut = list[float]  # the number of the flash operation at which power goes, and its share


class Supply:
    """Off until `on`; may be used by several threads. `resets` are those of all runs, in order.

    Args:
        name: whose power it is, for sentences.
        record: where it is told that lamps went dark with a reset, or that the firmware ended.
        prepare: called when power comes.
        start: starts the process of a run: why it begins, what cut is planned, whom to tell when it has ended.
        go_dark: called when power has gone.
    """

    def __init__(
        self,
        name: str,
        record: Record,
        *,
        prepare: Callable[[], None],
        start: Callable[[str, Cut | None, Gone], Process],
        go_dark: Callable[[], None],
    ) -> None:
        self._name, self._record = name, record
        self._prepare, self._start, self._go_dark = prepare, start, go_dark
        self._changed = threading.Condition(threading.RLock())
        self._process: Process | None = None
        self._lost = False
        self._cut: Cut | None = None
        self.resets: list[str] = []

    @property
    def powered(self) -> bool:
        """Is it on?"""
        return self._process is not None

    def on(self) -> None:
        """Start the process; returns once the firmware has started, and hears its buttons."""
        with self._changed:
            if self._process:
                return
            self._prepare()
            self._lost = False
            self._record.begin()
            process = self._process = self._start("power_on", self._cut, self._gone)
        try:
            process.wait_ready()
            process.wait_at_work()
        except ConsoleError:
            self.off()
            if process.ended != "power_cut":
                raise

    def off(self) -> None:
        """Cut the power: the process is killed wherever it is."""
        with self._changed:
            process, self._process = self._process, None
            self._cut = None
        if process:
            process.kill()
            self._go_dark()

    def cut_at(self, operations: int, share: float, done: Callable[[], int]) -> None:
        """Plan a power cut, so many flash operations ahead; `done` is how many there were, asked without power."""
        on = self.powered
        last = self.ask("cut_power_at", operations, share) if on else done() + operations
        with self._changed:
            self._cut = [last, share] if self.powered or not on else None  # it may have gone meanwhile

    @property
    def pid(self) -> int:
        """The number of its process, whatever state that is in; ConsoleError without power."""
        process = self._process
        if process is None:
            raise ConsoleError(f"The console {self._name} is not powered.")
        return process.pid

    def waited_ms(self) -> int:
        """See `Process.waited_ms`; 0 without power."""
        process = self._process
        return process.waited_ms() if process else 0

    def ask(self, command: str, *arguments: Any, limit_s: float = REPLY_LIMIT_S) -> Any:
        """The answer of the process; of the next one, if a reset comes between."""
        deadline = time.monotonic() + REPLY_LIMIT_S
        while True:
            process = self.running()
            try:
                return process.ask(command, *arguments, limit_s=limit_s)
            except ConsoleGoneError:
                if time.monotonic() > deadline:
                    raise
            with self._changed:
                self._changed.wait_for(lambda old=process: self._process is not old or self._lost, 5)  # type: ignore[misc]

    def running(self) -> Process:
        """The process, which may just be starting after a reset."""
        deadline = time.monotonic() + REPLY_LIMIT_S
        while True:
            process = self._process
            if process is None or self._lost:
                state = "has ended without a reset" if self._lost else "is not powered"
                raise ConsoleError(f"The console {self._name} {state}.")
            if process.running:
                process.wait_ready()
                return process
            if time.monotonic() > deadline:
                raise ConsoleError(f"The console {self._name} does not start again.")
            with self._changed:
                self._changed.wait_for(lambda old=process: self._process is not old, 1)  # type: ignore[misc]

    def _gone(self, process: Process, why: str) -> None:
        """The process has ended: by our hand, or by a reset, after which the board starts again."""
        with self._changed:
            if self._process is not process:
                return
            if why == "power_cut":
                self._process = self._cut = None
                self._go_dark()
                self._changed.notify_all()
                return
            self._record.dark()
            if why == "lost":
                self._lost = True
                self._record.fault("the process has ended; the serial output may say why")
            else:
                self.resets.append(why)
                self._process = self._start(why, self._cut, self._gone)
            self._changed.notify_all()
