"""What the bridge does once a night, between messages: a table of jobs, and when each of them is due.

A night's jobs are due from three o'clock on, by the time zone of most sites; after a night in which no bridge ran, as
soon as one runs. A job that fails is tried again within the hour.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.audits import draw_last_night
from bridge.admin.commands import RunNightlyJob
from bridge.admin.flags import compute_due
from bridge.model.local_time import HOUR_MS, local
from bridge.reports.coverage.stale import refresh
from bridge.store import nightly as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.store import Store

BEGINS_AT = timedelta(hours=3)


class NightlyJob(NamedTuple):
    """A job: its name, by which the database remembers it, and its work as a generator that yields between steps.

    In a running bridge each step is a transaction of its own, and messages are taken in between: a step should take a
    tenth of a second at most, and keep no query open. Commands of people go before it, also between two of its steps.
    """

    name: str
    steps: Callable[[Store], Iterator[None]]


NIGHTLY: tuple[NightlyJob, ...] = (
    NightlyJob("coverage", refresh),
    NightlyJob("flags", compute_due),
    NightlyJob("audits", draw_last_night),
)
"""The jobs, in the order in which they are done."""


class NightSchedule:
    """Says which jobs are due; asked again and again, it looks once in each hour of the clock."""

    def __init__(self, store: Store, jobs: tuple[NightlyJob, ...] | None = None) -> None:
        self._store = store
        self._jobs = NIGHTLY if jobs is None else jobs
        self._looked_at_hour = -1

    def due(self, now_ms: int) -> list[RunNightlyJob]:
        """Return the commands that carry out the jobs which are due."""
        if now_ms // HOUR_MS == self._looked_at_hour:
            return []
        night = night_of(now_ms, table.usual_timezone(self._store)).isoformat()
        done = table.nights(self._store)
        self._looked_at_hour = now_ms // HOUR_MS
        return [RunNightlyJob(name=job.name, night=night) for job in self._jobs if done.get(job.name, "") < night]


def night_of(now_ms: int, timezone: str) -> date:
    """Return the local date on which the last night began at or before an instant."""
    return (local(now_ms, timezone) - BEGINS_AT).date()


def run_steps(store: Store, command: RunNightlyJob) -> Iterator[None]:
    """Do a job, and note that it is done for its night."""
    for job in NIGHTLY:
        if job.name == command.name:
            yield from job.steps(store)
    table.note_done(store, command.name, command.night)
