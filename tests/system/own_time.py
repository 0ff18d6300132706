"""Run a console whose clock jumps forward whenever people wait, so that a day of presses takes minutes."""

import time
from pathlib import Path
from threading import Event

from simulator.console.console import Console
from tests.support import facts
from tests.support.programs import wait_until
from tests.support.time_server import TimeServer

BEHIND_MS = 3600_000  # its time begins an hour ago, so that it does not get ahead of the bridge's
SPEED = 100  # times as fast as this machine's clock: slow enough that broker and bridge keep up
NTP = "ntp"


class OwnTime:
    """The buttons and the clock of the console in `folder`, for `People`; `options` are those of `Console`."""

    def __init__(self, folder: Path, database: Path, stop: Event, **options: object) -> None:
        self._database, self._stop = database, stop
        self._server = TimeServer(ahead_ms=-BEHIND_MS)
        self.console = Console(folder, ntp_host=f"127.0.0.1:{self._server.port}", **options)

    def close(self) -> None:
        """End the console; raise FirmwareError if its firmware broke a rule."""
        self.console.power_off()
        self._server.close()
        self.console.check()

    def power_on(self) -> None:
        """Power the console on; return once the bridge has an event saying that it knows the time."""
        before = self._clock_sets()
        self.console.power_on()
        wait_until("it knows the time", lambda: self._clock_sets() > before)

    def power_off(self) -> None:
        """Power the console off."""
        self.console.power_off()

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press a button, and return once it is released."""
        self._live([(1, button, True), (held_ms, button, False)])

    def now_ms(self) -> int:
        """Return the console's time in milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000 + self._server.ahead_ms

    def wait(self, ms: int) -> bool:
        """Let some milliseconds pass; return whether people are to stop."""
        self._live([(ms, None, False)])
        return self._stop.wait(ms / 1000 / SPEED)

    def _live(self, plan: list[tuple[int, str | None, bool]]) -> None:
        self._server.ahead_ms += self.console.hurry(plan)

    def _clock_sets(self) -> int:
        sent = facts.sent_events(self._database, console_id=self.console.console_id, type="clock_set")
        return sum(event["source"] == NTP for event in sent)
