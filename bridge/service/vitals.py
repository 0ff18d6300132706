"""Keep the condition of a running bridge in memory, for metrics, `doctor` and the log.

The writer's thread updates it after each commit, so nothing that was rolled back counts; any thread may read it.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge import log
from bridge.log import RateLimiter
from bridge.store import console_status
from bridge.surveys.facts import (
    AlarmClosed,
    AlarmRaised,
    ConsoleCameOnline,
    ConsoleDiscovered,
    ConsoleHeard,
    ConsoleWentOffline,
    EpochBegan,
    EpochResumed,
    EventsLost,
    EventsUnproved,
    ForceMajeuresChanged,
    HealthReported,
    Rejected,
    SettingsRenewed,
    StrangerRefused,
    SurveysChanged,
    WordsUnproved,
)
from bridge.wire.signature import Mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.model.console import ConsoleName
    from bridge.store import Store
    from bridge.surveys.facts import Fact
    from bridge.wire.health import HealthFigures

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
FLOOD_WINDOW_S = 60.0
FLOOD_MESSAGES = 6_000  # in that window; a console that empties a full outbox sends a few hundred
MANY = 20  # log lines a minute of one kind
STEP_MS = 1_000  # a smaller jump of this machine's clock is not called a step
UNPROVED = {
    Mac.FAILED: "the MAC of a console's events is wrong: it has another key, or somebody else sends in its name",
    Mac.NO_KEY: "a console signs its events, but its key is missing here or cannot be read",
    Mac.MISSING: "a console that signs its events sent some without a MAC: somebody else may be sending in its name",
}

UNPROVED_WORDS = {
    Mac.FAILED: "the MAC of what a console says about itself is wrong: it has another key, or somebody else sends in "
    "its name",
    Mac.NO_KEY: "a console signs what it says about itself, but its key is missing here or cannot be read",
    Mac.MISSING: "a console that signs what it says about itself said something without a MAC: somebody else may be "
    "sending in its name",
}


@dataclass
class ConsoleVitals:
    """The condition of a console as last reported; None if it never reported the figure."""

    last_seen_at_ms: int = 0
    online: bool | None = None
    lost: int = 0
    outbox: int | None = None
    clock_offset_ms: int | None = None
    loop_lag_max_ms: int | None = None
    heap_free: int | None = None
    rssi_dbm: int | None = None
    faults: int = 0
    messages: int = 0
    flood_count: int = 0  # messages in the current window
    is_flooding: bool = False

    def note_health(self, figures: HealthFigures, sent_at_ms: int | None, *, is_proved: bool = False) -> None:
        """Take the figures of a health message; `sent_at_ms` is None if the broker had retained it."""
        self.outbox, self.heap_free, self.loop_lag_max_ms = figures.outbox, figures.heap_free, figures.loop_lag_max_ms
        self.faults, self.rssi_dbm = len(figures.faults), figures.rssi_dbm
        if sent_at_ms is not None:
            self.online = True if is_proved else self.online
            self.clock_offset_ms = None if figures.at_ms is None else figures.at_ms - sent_at_ms


@dataclass
class Vitals:
    """The condition of the bridge and of the consoles it hears."""

    started_at_ms: int = 0
    broker: str = ""
    is_connected: bool = False
    refused: str = ""  # why the broker refuses the bridge
    instance: str = ""  # how this run of the bridge names itself to others
    sites: tuple[str, ...] = ()  # the only ones that it serves; empty: all
    signed_only: bool = False  # whether it takes only events that are signed
    can_claim: bool = True  # whether the broker lets it tell other bridges that it serves
    connections: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    commit_counts: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_SECONDS) + 1))
    commit_seconds: float = 0.0
    write_error: str | None = None
    failing_since_s: float = 0.0
    write_errors: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)  # raised, by the answer that came so often
    clock_steps: int = 0
    clock_step_ms: int = 0
    clock_stepped_at_ms: int = 0
    unproved: Counter[str] = field(default_factory=Counter)  # events not proved to come from their console, by reason
    unproved_words: Counter[str] = field(default_factory=Counter)  # … and what consoles say about themselves
    consoles: dict[ConsoleName, ConsoleVitals] = field(default_factory=dict)
    retired: set[ConsoleName] = field(default_factory=set)  # they are not counted
    # Messages of consoles that are not enrolled, in the current window.
    strangers: Counter[ConsoleName] = field(default_factory=Counter)
    flooding_strangers: set[ConsoleName] = field(default_factory=set)
    backlog: Callable[[], int] = lambda: 0
    limiter: RateLimiter = field(default_factory=RateLimiter)
    _window_s: float = field(default_factory=time.monotonic)

    def console(self, name: ConsoleName) -> ConsoleVitals:
        """Return the vitals of a console; add them if it is new."""
        vitals = self.consoles.get(name)
        if vitals is None:
            vitals = self.consoles[name] = ConsoleVitals()
        return vitals

    def load(self, store: Store) -> None:
        """Load what the database knows about consoles."""
        known = console_status.consoles(store)
        self.retired = {(row.site_id, row.console_id) for row in known if row.retired_at_ms is not None}
        names = {(row.site_id, row.console_id) for row in known} - self.retired
        self.consoles = {name: vitals for name, vitals in self.consoles.copy().items() if name in names}
        for console in known:
            if not console.was_heard or console.retired_at_ms is not None:
                continue  # somebody named it in a command, but it never sent anything; or it is out of service
            vitals = self.console((console.site_id, console.console_id))
            vitals.last_seen_at_ms = console.last_seen_at_ms
            vitals.online = None if console.online is None else bool(console.online)
        for site_id, console_id, lost in console_status.losses(store):
            if (site_id, console_id) in self.consoles:
                self.console((site_id, console_id)).lost = lost

    # -- writing -------------------------------------------------------------------------------------------------

    def note_commit(self, seconds: float) -> None:
        """Count a transaction that took `seconds`, including the commit to disk."""
        index = next((index for index, bound in enumerate(COMMIT_SECONDS) if seconds <= bound), -1)
        self.commit_counts[index] += 1
        self.commit_seconds += seconds

    def note_write_error(self, reason: str, error: object) -> None:
        """Note that the database cannot be written; nothing is acknowledged until `note_recovered`."""
        if self.write_error is None:
            self.failing_since_s = time.monotonic()
        if self.write_error != reason:
            self.write_errors[reason] += 1
        self.write_error = reason
        if self.limiter.allow(("write_error", reason)) is not None:
            log.warning(
                "cannot write the database: consoles keep their events, nothing is acknowledged, trying again",
                reason=reason,
                error=error,
                waiting_messages=self.backlog(),
                failing_s=round(time.monotonic() - self.failing_since_s),
            )

    def note_files_changed(self, error: object) -> None:
        """Note that the database was moved, deleted or replaced: nothing is acknowledged until the bridge ends."""
        self.failing_since_s = time.monotonic()
        self.write_error = "moved"
        log.error(str(error))

    def note_recovered(self) -> None:
        """Note that the database was written."""
        if self.write_error is None:
            return
        failing_s = time.monotonic() - self.failing_since_s
        if self.limiter.allow(("recovered", self.write_error)) is not None:
            log.info("the database can be written again", reason=self.write_error, after_s=round(failing_s))
        self.write_error = None

    # -- the clock of this machine -------------------------------------------------------------------------------

    def note_step(self, step_ms: int, at_ms: int) -> None:
        """Note that this machine's clock was stepped by `step_ms`, to `at_ms`."""
        self.clock_steps += 1
        self.clock_step_ms, self.clock_stepped_at_ms = step_ms, at_ms
        if self.limiter.allow("clock") is not None:
            log.warning(
                "this machine's clock was stepped: events without a date of their own, and consoles without a time "
                "server, follow it",
                step_s=step_ms / 1000,
            )

    # -- consoles ------------------------------------------------------------------------------------------------

    def handle_all(self, facts: Iterable[Fact]) -> None:
        """Follow committed facts."""
        for fact in facts:
            self.handle(fact)

    def handle(self, fact: Fact) -> None:  # noqa: C901, PLR0912 - one case for each fact
        """Count and log a committed fact."""
        if getattr(fact, "console", None) in self.retired:
            if isinstance(fact, ConsoleHeard):
                self._warn("a retired console is heard: unplug it, or put it back into service", fact.console)
            return
        match fact:
            case ConsoleHeard(console, last_at_ms, messages):
                self._note_messages(console, last_at_ms, messages)
            case SurveysChanged() | ForceMajeuresChanged():
                pass  # the most frequent ones; nothing counts them here
            case ConsoleDiscovered(console):
                self._log_new("a console was heard for the first time", console)
            case EpochBegan(console, epoch):
                self._log_new("a console sends under a new epoch", console, epoch)
            case EpochResumed(console, epoch):
                self._warn("a console alternates between two epochs: two boards may have its id", console, epoch)
            case SettingsRenewed(console, was_ahead=True):
                self._warn("a console uses settings unknown here: is this database an old copy?", console)
            case EventsUnproved(console, mac, count):
                self.unproved[mac.name.lower()] += count
                self._warn(UNPROVED[mac], console)
            case WordsUnproved(console, mac, count):
                self.unproved_words[mac.name.lower()] += count
                if mac in UNPROVED_WORDS:  # else it came again, as messages may
                    self._warn(UNPROVED_WORDS[mac], console)
            case EventsLost(console, epoch, count):
                self._note_loss(console, epoch, count)
            case StrangerRefused(console, messages):
                self._note_stranger(console, messages)
            case HealthReported(console, figures, sent_at_ms, is_proved):
                self.console(console).note_health(figures, sent_at_ms, is_proved=is_proved)
            case ConsoleCameOnline(console):
                self.console(console).online = True
            case ConsoleWentOffline(console):
                self.console(console).online = False
            case Rejected(reason, count, example_topic):
                self._note_reject(reason, count, example_topic)
            case AlarmRaised(alarm_id, site_id, point, answer):
                self.alarms[answer] += 1
                log.warning(
                    "an alarm was raised", alarm_id=alarm_id, site_id=site_id, checkout_point_id=point, answer=answer
                )
            case AlarmClosed(alarm_id, site_id, point, because):
                place = {"site_id": site_id, "checkout_point_id": point}
                log.info("an alarm has closed by itself", alarm_id=alarm_id, **place, because=because)

    def _note_messages(self, name: ConsoleName, last_at_ms: int, count: int) -> None:
        self._begin_window_if_due()
        console = self.console(name)
        console.last_seen_at_ms = last_at_ms or console.last_seen_at_ms
        console.messages += count
        console.flood_count += count
        if console.flood_count > FLOOD_MESSAGES:
            console.is_flooding = True
            self._log_flood(name, console.flood_count)

    def _note_stranger(self, name: ConsoleName, count: int) -> None:
        self._begin_window_if_due()
        self.strangers[name] += count
        if self.strangers[name] > FLOOD_MESSAGES:
            self.flooding_strangers.add(name)
            self._log_flood(name, self.strangers[name])

    def _begin_window_if_due(self) -> None:
        if time.monotonic() - self._window_s >= FLOOD_WINDOW_S:
            self._begin_window()

    def _begin_window(self) -> None:
        self._window_s = time.monotonic()
        for console in self.consoles.values():
            console.is_flooding, console.flood_count = console.flood_count > FLOOD_MESSAGES, 0
        self.flooding_strangers = {name for name, count in self.strangers.items() if count > FLOOD_MESSAGES}
        self.strangers.clear()

    def _log_flood(self, name: ConsoleName, messages: int) -> None:
        if self.limiter.allow(("flood", name)) is not None and self.limiter.allow("flood", burst=MANY) is not None:
            log.warning(
                "a console floods the bridge: it sends more than a working console ever would",
                **_facts(name),
                messages=messages,
                within_s=FLOOD_WINDOW_S,
            )

    def _log_new(self, message: str, name: ConsoleName, epoch: str | None = None) -> None:
        count = self.limiter.allow(message, burst=MANY)
        if count is not None:
            log.info(message, **_facts(name), epoch=epoch, others_not_logged=count - 1 or None)

    def _warn(self, message: str, name: ConsoleName, epoch: str | None = None) -> None:
        """Log a problem with a console that somebody should look at."""
        if self.limiter.allow((message, name)) is not None and self.limiter.allow(message, burst=MANY) is not None:
            log.warning(message, **_facts(name), epoch=epoch)

    def _note_loss(self, name: ConsoleName, epoch: str, change: int) -> None:
        """Change the number of a console's lost events; `change` is negative if some arrived after all."""
        console = self.console(name)
        console.lost += change
        unlogged = self.limiter.allow(("lost", name), change)
        if unlogged is not None and self.limiter.allow("lost", burst=MANY) is not None:
            message = "events of a console are lost" if unlogged > 0 else "events counted as lost arrived after all"
            log.warning(message, **_facts(name), epoch=epoch, events=abs(unlogged), lost_total=console.lost)

    def _note_reject(self, reason: str, count: int, topic: str) -> None:
        self.reasons[reason] += count
        unlogged = self.limiter.allow(("reject", reason), count)
        if unlogged is not None:
            log.warning(
                "messages or events were rejected: run `trivox doctor`", reason=reason, count=unlogged, example=topic
            )

    def snapshot(self, now_ms: int) -> dict[str, Any]:
        """Return what `doctor` asks for, in a form that JSON can hold."""
        consoles = {name for name, console in self.consoles.copy().items() if console.is_flooding}
        flooding = sorted("/".join(name) for name in consoles | self.flooding_strangers.copy())
        return {
            "started_at_ms": self.started_at_ms,
            "now_ms": now_ms,
            "broker": self.broker,
            "is_connected": self.is_connected,
            "refused": self.refused,
            "instance": self.instance,
            "sites": list(self.sites),
            "can_claim": self.can_claim,
            "signed_only": self.signed_only,
            "write_error": self.write_error,
            "failing_s": round(time.monotonic() - self.failing_since_s) if self.write_error else 0,
            "backlog": self.backlog(),
            "clock_steps": self.clock_steps,
            "clock_step_ms": self.clock_step_ms,
            "clock_stepped_at_ms": self.clock_stepped_at_ms,
            "flooding": flooding,
        }


def _facts(name: ConsoleName) -> dict[str, str]:
    return {"site_id": name[0], "console_id": name[1]}
