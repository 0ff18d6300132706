"""Supply one simulated board with power: start the process of each run, again after a reset, and ask it for things."""

import threading
import time
from collections.abc import Callable
from typing import Any

from simulator.console.micropython_process import REPLY_LIMIT_S, BoardProcess
from simulator.console.observations import Record
from simulator.errors import ConsoleError, ConsoleGoneError

OnEnd = Callable[[BoardProcess, str], None]
PlannedCut = list[float]  # the number of the flash operation at which power goes, and the share of it that is done


class PowerSupply:
    """The power of one board, off until `on`; several threads may use it. `resets` are those of all runs, in order.

    Args:
        name: the console's name, for error sentences.
        record: where the end of a run and faults are recorded.
        prepare: called before power-on.
        start: starts the process of a run; takes why it begins, the planned cut, and what to call when it has ended.
        go_dark: called when power has gone.
    """

    def __init__(
        self,
        name: str,
        record: Record,
        *,
        prepare: Callable[[], None],
        start: Callable[[str, PlannedCut | None, OnEnd], BoardProcess],
        go_dark: Callable[[], None],
    ) -> None:
        self._name, self._record = name, record
        self._prepare, self._start, self._go_dark = prepare, start, go_dark
        self._changed = threading.Condition(threading.RLock())
        self._process: BoardProcess | None = None
        self._lost = False  # the process has ended without a reset
        self._cut: PlannedCut | None = None
        self.resets: list[str] = []

    @property
    def powered(self) -> bool:
        """Whether power is on."""
        return self._process is not None

    def on(self) -> None:
        """Start the process; return once the firmware has started and hears its buttons."""
        with self._changed:
            if self._process:
                return
            self._prepare()
            self._lost = False
            self._record.clear_sounds()
            process = self._process = self._start("power_on", self._cut, self._on_end)
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

    def cut_at(self, operations: int, share: float, done_operations: Callable[[], int]) -> None:
        """Plan a power cut, so many flash operations ahead.

        `done_operations` returns how many there have been; it is called only without power.
        """
        on = self.powered
        last = self.ask("cut_power_at", operations, share) if on else done_operations() + operations
        with self._changed:
            self._cut = [last, share] if self.powered or not on else None  # power may have gone meanwhile

    @property
    def pid(self) -> int:
        """The process id, whatever state the process is in; raises ConsoleError without power."""
        process = self._process
        if process is None:
            raise ConsoleError(f"The console {self._name} is not powered: switch it on.")
        return process.pid

    def waited_ms(self) -> int:
        """Return `BoardProcess.waited_ms`; 0 without power."""
        process = self._process
        return process.waited_ms() if process else 0

    def ask(self, command: str, *arguments: Any, limit_s: float = REPLY_LIMIT_S, repeats: bool = True) -> Any:
        """Send a command to the process and return its reply.

        If a reset comes between, send it to the next process too, or return None if the command is not one that
        `repeats`.
        """
        deadline = time.monotonic() + REPLY_LIMIT_S
        while True:
            process = self.running_process()
            try:
                return process.ask(command, *arguments, limit_s=limit_s)
            except ConsoleGoneError:
                if time.monotonic() > deadline:
                    raise
            with self._changed:
                self._changed.wait_for(lambda old=process: self._process is not old or self._lost, 5)  # type: ignore[misc]
                if not repeats and not self._lost:
                    return None

    def wait_at_work(self) -> None:
        """Wait until the firmware has started, also after a reset; raises ConsoleError without power, or if late."""
        self.running_process().wait_at_work()

    def running_process(self) -> BoardProcess:
        """Return the process, once it is ready if it is just starting; raises ConsoleError without power."""
        deadline = time.monotonic() + REPLY_LIMIT_S
        while True:
            process = self._process
            if process is None or self._lost:
                state = (
                    "has ended without a reset: switch it off and on" if self._lost else "is not powered: switch it on"
                )
                raise ConsoleError(f"The console {self._name} {state}.")
            if process.running:
                process.wait_ready()
                return process
            if time.monotonic() > deadline:
                raise ConsoleError(f"The console {self._name} did not start again after a reset.")
            with self._changed:
                self._changed.wait_for(lambda old=process: self._process is not old, 1)  # type: ignore[misc]

    def _on_end(self, process: BoardProcess, why: str) -> None:
        """Note that a process has ended: by `off` or a power cut, or by a reset, after which the board starts again."""
        with self._changed:
            if self._process is not process:
                return
            if why == "power_cut":
                self._process = self._cut = None
                self._go_dark()
                self._changed.notify_all()
                return
            self._record.end_run()
            if why == "lost":
                self._lost = True
                self._record.fault("the process has ended; the serial output may say why")
            else:
                self.resets.append(why)
                self._process = self._start(why, self._cut, self._on_end)
            self._changed.notify_all()
