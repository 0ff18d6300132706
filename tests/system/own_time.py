"""A console with a time of its own, for people who have no patience: it jumps on whenever they wait."""

import time
from pathlib import Path
from threading import Event

from simulator.console.console import Console
from tests.support import facts
from tests.support.programs import wait_until
from tests.support.time_server import TimeServer

BEHIND_MS = 3600_000  # its time begins an hour ago, so that it does not come to the future
TIMES = 100  # as fast as this machine's clock: broker and bridge have their say meanwhile
NTP = "ntp"


class OwnTime:
    """What people press and their wrist-watch, for the console in `folder`; `options` are those of `Console`."""

    def __init__(self, folder: Path, database: Path, stop: Event, **options: object) -> None:
        self._database, self._stop = database, stop
        self._server = TimeServer(ahead_ms=-BEHIND_MS)
        self.console = Console(folder, ntp_host=f"127.0.0.1:{self._server.port}", **options)

    def close(self) -> None:
        """End it; raises FirmwareError if the firmware broke a rule."""
        self.console.power_off()
        self._server.close()
        self.console.check()

    def power_on(self) -> None:
        """Put the plug in; returns once the bridge has heard that the console knows the time."""
        before = self._clock_sets()
        self.console.power_on()
        wait_until("it knows the time", lambda: self._clock_sets() > before)

    def power_off(self) -> None:
        """Pull the plug."""
        self.console.power_off()

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press and let go; returns once released."""
        self._live([(1, button, True), (held_ms, button, False)])

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC, by the console's time."""
        return time.time_ns() // 1_000_000 + self._server.ahead_ms

    def wait(self, ms: int) -> bool:
        """Let that long pass; True when people shall stop."""
        self._live([(ms, None, False)])
        return self._stop.wait(ms / 1000 / TIMES)

    def _live(self, plan: list[tuple[int, str | None, bool]]) -> None:
        self._server.ahead_ms += self.console.hurry(plan)

    def _clock_sets(self) -> int:
        told = facts.told(self._database, console_id=self.console.console_id, type="clock_set")
        return sum(event["source"] == NTP for event in told)
