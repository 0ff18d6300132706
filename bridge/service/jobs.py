"""Commands on their way from the threads that want them to the writer, which carries them out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.errors import TrivoxError
from bridge.model.history import BRIDGE_ITSELF, Origin
from bridge.service.answers import STOPPED
from bridge.system import make_thread_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from bridge.admin.commands import BridgeCommand
    from bridge.service.operations import Progress

POLL_S = 0.2
COMMAND_WAIT_S = 5.0  # how long a command waits for a database that cannot be written
SILENCE_S = 10.0  # a writer that did not run for so long gives no sign of life
STOPPED_LATE = "The bridge stopped before the import was done: the next bridge, or command that writes, will finish it."


@dataclass
class Job:
    """A command from another thread; None asks for all settings to be published."""

    command: BridgeCommand | None = None
    file: IO[bytes] | None = None
    who: str = BRIDGE_ITSELF.who  # whoever wants it
    progress: tuple[int, int] = (0, 0)  # (done, of); 0 of 0: not known
    result: dict[str, Any] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    claim: threading.Lock = field(default_factory=threading.Lock)  # taken by the writer to begin, or to give the job up
    is_unwanted: bool = False  # whoever wanted it is gone: give it up if that is still possible

    @property
    def origin(self) -> Origin:
        """Where the changes that it makes come from."""
        return BRIDGE_ITSELF if self.command is None else Origin(self.who, self.command.words)

    def note_progress(self, done: int, of: int) -> None:
        """Keep how far it is; whoever waits tells it on."""
        self.progress = done, of


class WriterPulse:
    """Tells whether the writer's thread still runs: it waits for nothing outside the program for long."""

    def __init__(self) -> None:
        self._clock: Callable[[], float] | None = None
        self._used_s = -1.0
        self._seen_s = time.monotonic()

    def begin(self) -> None:
        """Call this in the writer's thread when it begins."""
        self._clock = make_thread_clock()

    def is_felt(self) -> bool:
        """Return whether the thread has used the processor lately."""
        now_s, used_s = time.monotonic(), self._used_s
        if self._clock is not None:
            try:
                used_s = self._clock()
            except OSError:  # the thread has ended
                return False
        if used_s != self._used_s:
            self._used_s, self._seen_s = used_s, now_s
        return now_s - self._seen_s < SILENCE_S


def wait_for(
    job: Job,
    pulse: WriterPulse,
    hindrance: Callable[[], str | None],
    has_ended: threading.Event,
    tell: Progress | None,
) -> dict[str, Any]:
    """Wait for a job's result; `tell` its progress again and again as long as the writer is alive.

    Raises what the command raises, TrivoxError if it cannot begin, and what `tell` raises. `hindrance` returns what
    keeps the database from being written, if anything does.
    """
    end_s = time.monotonic() + COMMAND_WAIT_S
    while not job.done.wait(POLL_S):
        reason = hindrance() if time.monotonic() > end_s else None
        if (reason is not None or has_ended.is_set()) and job.claim.acquire(blocking=False):
            if reason is not None:
                raise cannot_write(reason)
            raise TrivoxError(STOPPED)
        if tell is not None and pulse.is_felt():
            try:
                tell(*job.progress)
            except OSError:  # whoever wanted it is gone
                job.is_unwanted = True
                job.claim.acquire(blocking=False)
                raise
    if job.error is not None:
        raise job.error
    return job.result or {}


def cannot_write(reason: str) -> TrivoxError:
    """Make the error for a command that finds a database that cannot be written."""
    return TrivoxError(f"The bridge cannot write its database now ({reason}): run `trivox doctor`, then try again.")
