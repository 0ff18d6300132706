"""Put one console on the bench: act on it and on what surrounds it, and keep the journal of all that follows.

The commands in `language.py` call the methods here, from several threads.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulator.bench.flash_contents import FlashContents
from simulator.bench.journal import Journal
from simulator.bench.meters import Meters
from simulator.bench.services import BenchServices
from simulator.bench.survey_rows import SurveyRows
from simulator.bench.wire_tap import WireTap
from simulator.console.console import STEP_MS, Console
from simulator.console.pinmap import BUTTONS
from simulator.errors import ConsoleError, FirmwareError, SimulatorError

LOOK_S = 0.2  # how often a wait checks whether the user wants to end


@dataclass
class Switches:
    """The state of everything around the console."""

    powered: bool = False
    wifi: bool = True
    link: bool = True
    stuck: list[str] = field(default_factory=list)
    filled: bool = False
    cut: str | None = None  # a planned power cut, as "OPERATIONS SHARE"
    recording: bool = False


class BenchSession:
    """One console on the bench, with its switches and its journal.

    Args:
        folder: where flash, serial output, database and logs lie.
        services: the broker and the bridge.
        board: whose pins and modules the console has.
        firmware: the folder of the firmware that it runs.
        site_id: its site.
        console_id: its id within the site.
        recordings: the folder that recordings are saved in.
    """

    def __init__(
        self,
        folder: Path,
        services: BenchServices,
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
        self._services = services
        self._changing = threading.Lock()
        self.console = self._new_console()
        if self._is_on_cable:
            services.start_gateway(self.console.serial_port)
        self._tap = WireTap(services.broker, services.ca, site_id, console_id, self.journal)
        rows = SurveyRows(services.database, site_id, console_id)
        self._meters = Meters(self.journal, self._current_console, self._check_power, rows)
        self.flash_contents = FlashContents(self._current_console, self.journal, folder / "console" / "outbox")
        self.flash_contents.watch()

    def close(self) -> None:
        """Power off, and close everything but the services."""
        self.flash_contents.close()
        self._meters.close()
        self._tap.close()
        self.console.power_off()

    def check(self) -> None:
        """Raise EndError if the user wants to end, ProcessError if one of the programs has ended."""
        self._services.check()

    def wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Wait until the condition holds, checking it with each journal entry; return whether it holds.

        Raises as `check` does.
        """
        while limit_s > 0:
            if self.journal.wait(condition, min(LOOK_S, limit_s)):
                return True
            limit_s -= LOOK_S
            self.check()
        return condition()

    # Fingers.

    def hold(self, button: str) -> None:
        """Press and keep pressed; nothing changes if the button is stuck."""
        if button not in self.switches.stuck:
            self._touch(button, self.console.hold, closed=True)

    def release(self, button: str) -> None:
        """Release; nothing changes if the button is stuck."""
        if button not in self.switches.stuck:
            self._touch(button, self.console.release, closed=False)

    def bounce(self, button: str, held_ms: int) -> None:
        """Press and release with contacts that bounce at both ends."""
        if button not in self.switches.stuck:
            self.console.bounce(button, held_ms)

    def stick(self, button: str) -> None:
        """Keep the contact closed, whatever fingers do."""
        self.hold(button)
        self._switch(stuck=sorted({*self.switches.stuck, button}, key=BUTTONS.index))

    def free(self, button: str) -> None:
        """End `stick`: the button comes up again."""
        self._switch(stuck=[name for name in self.switches.stuck if name != button])
        self.release(button)

    def _touch(self, button: str, move: Callable[[str], None], *, closed: bool) -> None:
        try:
            move(button)
        except ConsoleError:
            if self.console.powered:
                raise
            # A button can be pressed without power too: nothing reads it, but its contact moves.
            self.journal.write("button", name=button, on=closed)

    # What surrounds the console.

    def wifi(self, *, on: bool) -> None:
        """Switch the network on or off."""
        self.console.wifi(on)
        self._switch(wifi=on)

    def link(self, *, on: bool) -> None:
        """Let data through, or let the network hang; on a board without radio, plug or pull the cable."""
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
        """Power on; after a fault of the firmware with a new console, whose record is empty."""
        try:
            self.console.check()
        except FirmwareError:
            self.console.power_off()
            self.console = self._new_console()
        self.console.power_on()
        self._write_switches()

    def power_cut(self) -> None:
        """Pull the plug."""
        self.console.power_off()
        self._switch(cut=None)

    def power_cut_at(self, operations: int, share: float) -> None:
        """Plan a power cut during the n-th flash operation from now on, with `share` of it done."""
        was_on = self.console.powered
        self.console.cut_power_at(operations, share)
        is_cut = was_on and not self.console.powered
        self._switch(cut=None if is_cut else f"{operations} {share:g}")

    def flash_fill(self, free_blocks: int) -> None:
        """Fill the flash with another file, up to that many free blocks."""
        self.console.fill_flash(free_blocks)
        self._switch(filled=True)

    def flash_free(self) -> None:
        """Delete the file that fills the flash."""
        if self.switches.filled:
            self.console.free_flash()
        self._switch(filled=False)

    def step(self, ms: int) -> None:
        """Let the console's clock jump; a long jump is made in pieces, so that the user can end it."""
        while ms > STEP_MS:
            self.console.step(STEP_MS)
            ms -= STEP_MS
            self.check()
        self.console.step(ms)

    def stall(self, ms: int) -> None:
        """Block the main loop."""
        self.console.stall(ms)

    def settings(self, pairs: list[str]) -> None:
        """Change settings at the bridge, each as NAME=VALUE; the bridge sends them to the console."""
        self._services.change_settings(self.site_id, self.console_id, pairs)

    def set_recording(self, *, on: bool) -> None:
        """Note that a recording begins or ends; raises SimulatorError if it has already."""
        if self.switches.recording == on:
            raise SimulatorError(
                "A recording is already running; end it with `record end`."
                if on
                else "No recording is running; start one with `record begin`."
            )
        self._switch(recording=on)

    # The console, and what the journal says of the switches.

    def _current_console(self) -> Console:
        return self.console

    def _new_console(self) -> Console:
        console = Console(
            self.folder / "console",
            site_id=self.site_id,
            console_id=self.console_id,
            board=self.board,
            firmware=self._firmware,
            architecture="i386",  # so that the heap is as on a board
            broker=self._services.broker_of_consoles,
            ca=self._services.ca,
        )
        for button in self.switches.stuck:
            with suppress(ConsoleError):  # raised without power, but the contact is closed
                console.hold(button)
        if not self.switches.wifi:
            console.wifi(on=False)
        if not self.switches.link:
            self._set_link(console, on=False)
        console.watch(self.journal.write_observation)
        return console

    def _check_power(self) -> None:
        """Update the switches if a planned power cut has happened."""
        if self.switches.powered and not self.console.powered:
            self._switch(cut=None)

    def _switch(self, **changes: object) -> None:
        with self._changing:
            for name, value in changes.items():
                setattr(self.switches, name, value)
        self._write_switches()

    def _write_switches(self) -> None:
        with self._changing:
            self.switches.powered = self.console.powered
            self.journal.write("switches", **asdict(self.switches))
