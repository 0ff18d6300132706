"""Check a console's status against rules, each with its limit, for `doctor` and `console list`. No I/O.

A rule that applies yields a finding. The gravest finding decides the console's health; of equally grave findings, the
first rule decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from bridge.model.local_time import DAY_MS, MINUTE_MS
from bridge.text import ago, plural, utc
from bridge.wire.health import HealthFigures
from bridge.wire.settings import MAX_REVISIONS_AHEAD
from bridge.wire.signature import Mac, MacCount

LATE_HEARTBEATS = 3
SILENT_FOR_MS = 15 * MINUTE_MS
OUTBOX_MANY = 1_000
OUTBOX_HALF = 2_500  # half of what every console's flash has room for
CLOCK_OFF_MS = 60_000
RSSI_WEAK_DBM = -80


class ConsoleHealth(IntEnum):
    """A console's health, from good to bad.

    Red: it does not measure, or it loses what it measures. Amber: that may happen soon. Grey: it was never heard.
    """

    GREEN = 0
    GREY = 1
    AMBER = 2
    RED = 3

    @property
    def word(self) -> str:
        """Return the colour's name, for people and programs."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """A rule that applies to a console: `reason` in a few words for lists, `sentence` with what to do about it.

    A green finding is reported, but does not decide the health.
    """

    rule: str
    health: ConsoleHealth
    reason: str
    sentence: str


@dataclass(frozen=True)
class IdConflict:
    """A console id that two boards (or two epochs) used in turn, the last time at `last_at_ms`."""

    last_at_ms: int
    reason: str
    sentence: str


@dataclass(frozen=True)
class ConsoleStatus:
    """A console as the rules see it. `last_seen_at_ms` is 0 if this bridge never heard it."""

    site_id: str
    console_id: str
    last_seen_at_ms: int
    enrolled: bool = False
    hardware_id: str | None = None
    online: bool | None = None  # as last reported by the console, or by the broker for it
    figures: HealthFigures = field(default_factory=HealthFigures)
    health_at_ms: int | None = None  # when the figures were sent; None: the broker had retained them
    heartbeat_ms: int = MINUTE_MS
    lost: int = 0  # events missing for good
    lost_last_day: int = 0  # of those, found missing in the last day
    is_staffed: bool | None = None  # whether a seller is on shift; None: no shifts are known
    settings_revision: int = 0  # the highest that it ever reported
    id_conflicts: tuple[IdConflict, ...] = ()
    retired_at_ms: int | None = None  # since when it is out of service
    has_key: bool = False  # whether credentials were issued for it
    events_by_mac: Mapping[Mac, MacCount] = field(default_factory=dict)  # its events since it began to sign
    words_by_mac: Mapping[Mac, MacCount] = field(default_factory=dict)  # what it says about itself, likewise
    proves_words: bool = False  # whether it has proved one since it last started
    ignored_revision: int | None = None  # of settings: the last one that was too high to be believed
    ignored_revision_at_ms: int = 0

    @property
    def name(self) -> str:
        """Return SITE/CONSOLE."""
        return f"{self.site_id}/{self.console_id}"

    @property
    def is_awaited(self) -> bool:
        """False if it is out of service, and keeps to that."""
        return self.retired_at_ms is None or self.last_seen_at_ms > self.retired_at_ms

    @property
    def is_proved(self) -> bool:
        """True if each event since the console began to sign is proved to be its own."""
        return set(self.events_by_mac) == {Mac.VALID}

    @property
    def unproved_count(self) -> int | None:
        """Return how many events are not proved to be its own, or None if it never signed."""
        if not self.events_by_mac:
            return None
        return sum(came.total for mac, came in self.events_by_mac.items() if mac is not Mac.VALID)

    @property
    def words_proved_at_ms(self) -> int | None:
        """Return when the console last proved what it says about itself, or None if it never did."""
        proved = self.words_by_mac.get(Mac.VALID)
        return None if proved is None else proved.last_at_ms

    @property
    def clock_offset_ms(self) -> int | None:
        """Return how far its clock was ahead of this machine's at its last heartbeat, or None if that is not known."""
        if self.figures.at_ms is None or self.health_at_ms is None:
            return None
        return self.figures.at_ms - self.health_at_ms


def rules_that_apply(console: ConsoleStatus, now_ms: int) -> list[Finding]:
    """Return all findings about a console, the deciding one first; an empty list if all is well."""
    if console.retired_at_ms is not None:
        return [_retired(console, console.retired_at_ms, now_ms)]
    rules = (
        *(_flash, _id_conflicts, _stuck, _last_seen, _outbox, _losses, _unproved, _clock, _settings, _other_faults),
        *(_unproved_words, _ignored_revision, _signal, _signing),
    )
    findings = [finding for rule in rules for finding in rule(console, now_ms)]
    return sorted(findings, key=lambda finding: (finding.health is not ConsoleHealth.GREY, -finding.health))


def health_of(findings: list[Finding]) -> ConsoleHealth:
    """Return the health that these findings, in the order of `rules_that_apply`, amount to."""
    return findings[0].health if findings else ConsoleHealth.GREEN


def deciding_finding(findings: list[Finding]) -> Finding | None:
    """Return the finding that decided the health, or None if the console is green."""
    return findings[0] if findings and findings[0].health else None


def _retired(console: ConsoleStatus, retired_at_ms: int, now_ms: int) -> Finding:
    if not console.is_awaited:
        since = f"Console {console.name} is out of service since {utc(retired_at_ms)}."
        return Finding("retired", ConsoleHealth.GREY, "retired", since)
    return Finding(
        "retired_heard",
        ConsoleHealth.AMBER,
        "retired, yet heard",
        f"Console {console.name} is retired, but was heard {ago(now_ms - console.last_seen_at_ms)}: unplug it, or put "
        f"it back into service with `trivox console retire --undo {console.name}`.",
    )


def _flash(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if "flash" in console.figures.faults:
        yield Finding(
            "flash",
            ConsoleHealth.RED,
            "flash fails: works from RAM",
            f"Console {console.name} reports the fault flash: it works from RAM and loses its events at power-off; "
            "replace the board.",
        )


def _id_conflicts(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    for conflict in console.id_conflicts:
        is_recent = now_ms - conflict.last_at_ms <= DAY_MS
        reason = conflict.reason if is_recent else f"once {conflict.reason}"
        yield Finding("two_boards", ConsoleHealth.RED if is_recent else ConsoleHealth.GREEN, reason, conflict.sentence)


def _stuck(console: ConsoleStatus, _now_ms: int) -> Iterator[Finding]:
    for fault in console.figures.faults:
        kind, _, button = fault.partition(":")
        if kind == "stuck":
            yield Finding(
                "stuck",
                ConsoleHealth.RED,
                f"button stuck: {button}",
                f"Console {console.name} reports the fault {fault}: free the button, or replace it; until then it "
                "measures nothing.",
            )


def _last_seen(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield at most one finding: never heard, heard in the future, silent, offline or late."""
    name, quiet_ms = console.name, now_ms - console.last_seen_at_ms
    late_ms = max(LATE_HEARTBEATS * console.heartbeat_ms, MINUTE_MS)
    is_silent = quiet_ms > max(SILENT_FOR_MS, late_ms)
    state = "is offline" if console.online is False else "is silent"
    sentence = f"Console {name} {state}, last heard {ago(quiet_ms)}: check its power and Wi-Fi."
    if not console.last_seen_at_ms:
        yield Finding(
            "never_heard",
            ConsoleHealth.GREY,
            "never heard",
            f"This bridge has never heard console {name}: check its power, Wi-Fi and broker's address.",
        )
    elif quiet_ms < -MINUTE_MS:
        yield Finding(
            "host_clock",
            ConsoleHealth.AMBER,
            "last heard in the future",
            f"Console {name} was last heard at {utc(console.last_seen_at_ms)}, which is in the future: this machine's "
            "clock was set back; let a time server set it.",
        )
    elif is_silent and console.is_staffed is False:
        yield Finding("off_shift", ConsoleHealth.AMBER, f"silent, nobody on shift ({ago(quiet_ms)})", sentence)
    elif is_silent:
        yield Finding("silent", ConsoleHealth.RED, f"silent ({ago(quiet_ms)})", sentence)
    elif console.online is False:
        yield Finding("offline", ConsoleHealth.AMBER, f"offline ({ago(quiet_ms)})", sentence)
    elif quiet_ms > late_ms:
        yield Finding("late", ConsoleHealth.AMBER, f"late ({ago(quiet_ms)})", sentence)


def _outbox(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    waiting_count = console.figures.outbox or 0
    if waiting_count >= OUTBOX_MANY:
        is_half_full = waiting_count >= OUTBOX_HALF
        yield Finding(
            "outbox_half" if is_half_full else "outbox",
            ConsoleHealth.RED if is_half_full else ConsoleHealth.AMBER,
            f"{waiting_count} events waiting",
            f"Console {console.name} holds {waiting_count} events that are not acknowledged: make sure that it reaches "
            "the broker and that the bridge is running, before its flash is full.",
        )


def _losses(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if console.lost:
        last_day = console.lost_last_day
        lost = f"lost {plural(console.lost, 'event')}"
        yield Finding(
            "lost",
            ConsoleHealth.RED if last_day else ConsoleHealth.GREEN,
            f"lost {plural(last_day, 'event')} in a day" if last_day else f"once {lost}",
            f"Console {console.name} {lost} for good: its flash was full, or another database has them, as this one is "
            "new or an old copy; make sure that it reaches the broker.",
        )


def _unproved(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield findings about events that somebody else may have sent in the console's name."""
    for mac, how in ((Mac.FAILED, "with a wrong MAC"), (Mac.MISSING, "without a MAC, unlike earlier ones")):
        if mac in console.events_by_mac:
            events, last_at_ms = console.events_by_mac[mac]
            is_recent = now_ms - last_at_ms <= DAY_MS
            yield Finding(
                "not_proved",
                ConsoleHealth.RED if is_recent else ConsoleHealth.GREEN,
                f"{'' if is_recent else 'once '}{plural(events, 'event')} {how}",
                f"{plural(events, 'event')} of console {console.name} came {how}, last at {utc(last_at_ms)}: put its "
                "current credentials on the board; if it has them, somebody else is sending in its name.",
            )


def _signing(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    """Yield a finding if the console's events cannot be proved to be its own."""
    unknown, valid = console.events_by_mac.get(Mac.NO_KEY), console.events_by_mac.get(Mac.VALID)
    if unknown and (valid is None or unknown.last_at_ms >= valid.last_at_ms):
        repair = "repair its file in that folder" if console.has_key else "enrol it again for its board"
        yield Finding(
            "no_key",
            ConsoleHealth.AMBER,
            "signs, but its key is not known",
            f"{plural(unknown.total, 'event')} of console {console.name} came signed, but there was no key to check "
            f"them with, last at {utc(unknown.last_at_ms)}: restore the folder of keys from its copy, or {repair}.",
        )
    elif console.has_key and not console.events_by_mac and not console.words_by_mac and console.last_seen_at_ms:
        yield Finding(
            "not_signed",
            ConsoleHealth.AMBER,
            "does not sign its events",
            f"Console {console.name} has a key, but does not sign its events: put its credentials on the board.",
        )


def _unproved_words(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield findings about words that somebody else may have said in the console's name; they moved nothing."""
    for mac, how in ((Mac.FAILED, "with a wrong MAC"), (Mac.MISSING, "without a MAC, unlike earlier ones")):
        if mac in console.words_by_mac:
            words, last_at_ms = console.words_by_mac[mac]
            is_recent = now_ms - last_at_ms <= DAY_MS
            yield Finding(
                "words_not_proved",
                ConsoleHealth.RED if is_recent else ConsoleHealth.GREEN,
                f"{'' if is_recent else 'once '}{plural(words, 'word')} that its key does not prove",
                f"{plural(words, 'word')} of console {console.name} about itself (health, status or reply) came {how}, "
                f"last at {utc(last_at_ms)}, which its key does not prove: put its current credentials and firmware on "
                "the board; if it has them, somebody else is sending in its name.",
            )
    firmware, signs_events = console.figures.firmware, Mac.VALID in console.events_by_mac
    if console.has_key and signs_events and firmware is not None and not console.proves_words:
        yield Finding(
            "words_not_signed",
            ConsoleHealth.AMBER,
            "does not sign its health",
            f"Console {console.name} signs its events, but not what it says about itself, as its firmware ({firmware}) "
            "is older, so its health is not proved: update it with `trivox console update`, or flash it again.",
        )


def _ignored_revision(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    if console.ignored_revision is not None:
        is_recent = now_ms - console.ignored_revision_at_ms <= DAY_MS
        yield Finding(
            "revision_ignored",
            ConsoleHealth.AMBER if is_recent else ConsoleHealth.GREEN,
            f"{'' if is_recent else 'once '}settings revision {console.ignored_revision} ignored",
            f"Settings revision {console.ignored_revision} was reported in the name of console {console.name}, last "
            f"at {utc(console.ignored_revision_at_ms)}. It is over {MAX_REVISIONS_AHEAD:,} above the highest sent to "
            "it, and was ignored: if the console does use it, as after a change of databases, flash it again with "
            "--wipe; else somebody else is sending in its name.",
        )


def _clock(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    off_ms = console.clock_offset_ms
    if "clock" in console.figures.faults:
        yield Finding(
            "clock_unknown",
            ConsoleHealth.AMBER,
            "clock not set",
            f"Console {console.name} reports the fault clock: it does not know the time; check that it can reach its "
            "time server.",
        )
    elif off_ms is not None and abs(off_ms) > CLOCK_OFF_MS:
        ahead = f"{abs(off_ms) // 1000} s {'ahead' if off_ms > 0 else 'behind'}"
        yield Finding(
            "clock_off",
            ConsoleHealth.AMBER,
            f"clock {ahead}",
            f"The clock of console {console.name} is {ahead}: check its time server.",
        )


def _settings(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if "settings" in console.figures.faults:
        yield Finding(
            "settings",
            ConsoleHealth.AMBER,
            "settings can't be used",
            f"Console {console.name} reports the fault settings: it can't use its settings or its console.json; "
            "correct them.",
        )


def _other_faults(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    known = ("flash", "clock", "settings", "stuck")
    others = [fault for fault in console.figures.faults if fault.partition(":")[0] not in known]
    if others:
        names = ", ".join(others)
        yield Finding(
            "fault",
            ConsoleHealth.AMBER,
            names,
            f"Console {console.name} reports faults: {names}; restart it, and if they return, read its serial line.",
        )


def _signal(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    rssi_dbm = console.figures.rssi_dbm
    if rssi_dbm is not None and rssi_dbm < RSSI_WEAK_DBM:
        yield Finding(
            "signal",
            ConsoleHealth.AMBER,
            f"weak signal, {rssi_dbm} dBm",
            f"The Wi-Fi signal at console {console.name} is weak ({rssi_dbm} dBm): move the console or the access "
            "point.",
        )
