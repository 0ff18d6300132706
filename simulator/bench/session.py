"""One console on the bench: what can be done to it, and the journal of all that follows.

Its methods are called by the commands of `language.py`, by several threads.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulator.bench.flash_contents import Kept
from simulator.bench.journal import Journal
from simulator.bench.meters import Meters
from simulator.bench.services import Surroundings
from simulator.bench.survey_rows import Rows
from simulator.bench.wire_tap import WireTap
from simulator.console.console import STEP_MS, Console
from simulator.console.pinmap import BUTTONS
from simulator.errors import ConsoleError, FirmwareError, SimulatorError

LOOK_S = 0.2  # how often a wait looks whether the user wants the end


@dataclass
class Switches:
    """How everything around the console stands."""

    powered: bool = False
    wifi: bool = True
    link: bool = True
    stuck: list[str] = field(default_factory=list)
    filled: bool = False
    cut: str | None = None  # a power cut that is planned, as it was asked for
    recording: bool = False


class Session:
    """Made on a folder, in which flash, serial output, database and logs lie; `recordings` is a folder too.

    `check` raises when the user wants the end or a program has ended.
    """

    def __init__(
        self,
        folder: Path,
        surroundings: Surroundings,
        *,
        board: str,
        firmware: Path,
        site_id: str,
        console_id: str,
        recordings: Path,
    ) -> None:
        self.folder = folder
        self.recordings = recordings
        self._firmware = firmware
        self.journal = Journal()
        self.switches = Switches()
        self.board, self.site_id, self.console_id = board, site_id, console_id
        self._surroundings = surroundings
        self._changing = threading.Lock()
        self.console = self._made()
        if self._is_on_cable:
            surroundings.connect(self.console.serial_port)
        self._tap = WireTap(surroundings.broker, surroundings.ca, site_id, console_id, self.journal)
        self._meters = Meters(self.journal, self, Rows(surroundings.database, site_id, console_id))
        self.kept = Kept(lambda: self.console, self.journal, folder / "console" / "outbox")
        self.kept.watch()

    def close(self) -> None:
        """Power off, and let go of everything but the surroundings."""
        self.kept.close()
        self._meters.close()
        self._tap.close()
        self.console.power_off()

    def check(self) -> None:
        """Raise EndError when the user wants the end, ProcessError when a program has ended."""
        self._surroundings.check()

    def wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Wait for something in the journal, at most so long, unless the end is asked for."""
        while limit_s > 0:
            if self.journal.wait(condition, min(LOOK_S, limit_s)):
                return True
            limit_s -= LOOK_S
            self.check()
        return condition()

    # Fingers.

    def hold(self, button: str) -> None:
        """Press and keep pressed; nothing new if it is stuck."""
        if button not in self.switches.stuck:
            self._touch(button, self.console.hold, closed=True)

    def release(self, button: str) -> None:
        """Let go, as far as it goes."""
        if button not in self.switches.stuck:
            self._touch(button, self.console.release, closed=False)

    def bounce(self, button: str, held_ms: int) -> None:
        """A press whose contacts bounce at both ends."""
        if button not in self.switches.stuck:
            self.console.bounce(button, held_ms)

    def stick(self, button: str) -> None:
        """Its contact stays closed, whatever fingers do."""
        self.hold(button)
        self._switch(stuck=sorted({*self.switches.stuck, button}, key=BUTTONS.index))

    def free(self, button: str) -> None:
        """It comes up again."""
        self._switch(stuck=[name for name in self.switches.stuck if name != button])
        self.release(button)

    def _touch(self, button: str, how: Callable[[str], None], *, closed: bool) -> None:
        try:
            how(button)
        except ConsoleError:
            if self.console.powered:
                raise
            # Without power a button can be pressed all the same: nobody hears it, but its contact moves.
            self.journal.write("button", name=button, on=closed)

    # What surrounds it.

    def wifi(self, *, on: bool) -> None:
        """The network is there, or not."""
        self.console.wifi(on)
        self._switch(wifi=on)

    def link(self, *, on: bool) -> None:
        """What is sent gets through, or the network hangs; of a board without radio the cable is pulled."""
        self._set_link(self.console, on=on)
        self._switch(link=on)

    @property
    def _is_on_cable(self) -> bool:
        return self.board == "pico"

    def _set_link(self, console: Console, *, on: bool) -> None:
        if not self._is_on_cable:
            console.hang(not on)
        elif on:
            console.cable.plug()
        else:
            console.cable.pull()

    def power_on(self) -> None:
        """Put the plug in; after a fault of the firmware with a fresh record."""
        try:
            self.console.check()
        except FirmwareError:
            self.console.power_off()
            self.console = self._made()
        self.console.power_on()
        self._tell()

    def power_cut(self) -> None:
        """Pull the plug."""
        self.console.power_off()
        self._switch(cut=None)

    def power_cut_at(self, operations: int, share: float) -> None:
        """Let power go within the n-th flash operation from now on, so much of it done."""
        was_on = self.console.powered
        self.console.cut_power_at(operations, share)
        gone = was_on and not self.console.powered
        self._switch(cut=None if gone else f"{operations} {share:g}")

    def flash_fill(self, free_blocks: int) -> None:
        """Another's file takes the flash."""
        self.console.fill_flash(free_blocks)
        self._switch(filled=True)

    def flash_free(self) -> None:
        """It goes."""
        if self.switches.filled:
            self.console.free_flash()
        self._switch(filled=False)

    def step(self, ms: int) -> None:
        """The clock jumps; far ones are done in pieces, between which the user may want the end."""
        while ms > STEP_MS:
            self.console.step(STEP_MS)
            ms -= STEP_MS
            self.check()
        self.console.step(ms)

    def stall(self, ms: int) -> None:
        """The main loop stands still."""
        self.console.stall(ms)

    def settings(self, pairs: list[str]) -> None:
        """Settings change at the bridge, which tells the console."""
        self._surroundings.settings(self.site_id, self.console_id, pairs)

    def recording(self, *, on: bool) -> None:
        """Say whether one is under way."""
        if self.switches.recording == on:
            raise SimulatorError("A recording is under way already." if on else "No recording is under way.")
        self._switch(recording=on)

    # Saying how it is.

    def _made(self) -> Console:
        console = Console(
            self.folder / "console",
            site_id=self.site_id,
            console_id=self.console_id,
            board=self.board,
            firmware=self._firmware,
            architecture="i386",  # so that the heap is as on a board
            broker=self._surroundings.broker_of_consoles,
            ca=self._surroundings.ca,
        )
        for button in self.switches.stuck:
            with suppress(ConsoleError):  # not powered yet, but the contact is closed
                console.hold(button)
        if not self.switches.wifi:
            console.wifi(on=False)
        if not self.switches.link:
            self._set_link(console, on=False)
        console.watch(self.journal.see)
        return console

    def notice_power(self) -> None:
        """Power may have gone by a cut that was planned."""
        if self.switches.powered and not self.console.powered:
            self._switch(cut=None)

    def _switch(self, **changes: object) -> None:
        with self._changing:
            for name, value in changes.items():
                setattr(self.switches, name, value)
        self._tell()

    def _tell(self) -> None:
        with self._changing:
            self.switches.powered = self.console.powered
            self.journal.write("switches", **asdict(self.switches))
