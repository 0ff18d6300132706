"""The rules that judge a console's condition, each with its limit: `doctor` tells, `console list` colours. Pure.

A rule that applies gives a sign; the gravest sign decides the light, and of equals the first of the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from bridge.text import DAY_MS, MINUTE_MS, ago, plural, utc
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Came, Mac

LATE_HEARTBEATS = 3
SILENT_FOR_MS = 15 * MINUTE_MS
OUTBOX_MANY = 1_000
OUTBOX_HALF = 2_500  # half of what every console's flash has room for
CLOCK_OFF_MS = 60_000
RSSI_WEAK_DBM = -80


class ConsoleHealth(IntEnum):
    """How a console is: red does not measure or loses what it measures, amber soon may not; grey was never heard."""

    GREEN = 0
    GREY = 1
    AMBER = 2
    RED = 3

    @property
    def word(self) -> str:
        """Its name for people and programs."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """That a rule applies: in few words for a list, and in a sentence of what to do. Green ones decide nothing."""

    rule: str
    light: ConsoleHealth
    words: str
    sentence: str


@dataclass(frozen=True)
class Sharing:
    """A console id was used by two boards (or under two epochs) in turn, last at this instant."""

    last_at_ms: int
    words: str
    sentence: str


@dataclass(frozen=True)
class ConsoleStatus:
    """What is known of a console. `heard_at_ms` is 0 where this bridge never heard it."""

    site_id: str
    console_id: str
    heard_at_ms: int
    enrolled: bool = False
    hardware_id: str | None = None
    online: bool | None = None  # as the console, or the broker for it, said last
    said: HealthFigures = field(default_factory=HealthFigures)
    health_at_ms: int | None = None  # when it was said; None: the broker had kept it
    heartbeat_ms: int = MINUTE_MS
    lost: int = 0  # events missing for good
    lost_lately: int = 0  # … of which this day
    is_staffed: bool | None = None  # whether a seller is on shift; None: no shifts are known
    settings_revision: int = 0  # the highest that it ever told of
    sharings: tuple[Sharing, ...] = ()
    has_key: bool = False  # whether credentials were issued for it
    macs: Mapping[Mac, Came] = field(default_factory=dict)  # how its events came since it began to sign

    @property
    def name(self) -> str:
        """Site and console."""
        return f"{self.site_id}/{self.console_id}"

    @property
    def is_proved(self) -> bool:
        """Whether every event is proved to be its own, since it began to sign them."""
        return set(self.macs) == {Mac.HELD}

    @property
    def unproved(self) -> int | None:
        """How many events are not proved to be its own; None where it never signed."""
        return sum(came.events for mac, came in self.macs.items() if mac is not Mac.HELD) if self.macs else None

    @property
    def clock_offset_ms(self) -> int | None:
        """How far its clock was ahead of this machine's when it last said so; None where that cannot be told."""
        if self.said.at_ms is None or self.health_at_ms is None:
            return None
        return self.said.at_ms - self.health_at_ms


def rules_that_apply(console: ConsoleStatus, now_ms: int) -> list[Finding]:
    """All signs of a console, the deciding one first; none of a console that is well."""
    rules = (
        *(_flash, _sharing, _stuck, _presence, _outbox, _losses, _strangers, _clock, _settings, _other_faults),
        *(_signal, _key),
    )
    signs = [sign for rule in rules for sign in rule(console, now_ms)]
    return sorted(signs, key=lambda sign: (sign.light is not ConsoleHealth.GREY, -sign.light))


def light_of(signs: list[Finding]) -> ConsoleHealth:
    """The light that these signs, as `rules_that_apply` gives them, make."""
    return signs[0].light if signs else ConsoleHealth.GREEN


def deciding(signs: list[Finding]) -> Finding | None:
    """The sign that decided the light, None where none did."""
    return signs[0] if signs and signs[0].light else None


def _flash(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if "flash" in console.said.faults:
        yield Finding(
            "flash",
            ConsoleHealth.RED,
            "flash fails: works from RAM",
            f"Console {console.name} reports the fault flash: it works from RAM and forgets at power-off; exchange the "
            "board.",
        )


def _sharing(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    for sharing in console.sharings:
        lately = now_ms - sharing.last_at_ms <= DAY_MS
        words = sharing.words if lately else f"once {sharing.words}"
        yield Finding("two_boards", ConsoleHealth.RED if lately else ConsoleHealth.GREEN, words, sharing.sentence)


def _stuck(console: ConsoleStatus, _now_ms: int) -> Iterator[Finding]:
    for fault in console.said.faults:
        kind, _, button = fault.partition(":")
        if kind == "stuck":
            yield Finding(
                "stuck",
                ConsoleHealth.RED,
                f"button stuck: {button}",
                f"Console {console.name} reports the fault {fault}: free the button, or exchange it; until then it "
                "measures nothing.",
            )


def _presence(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Never heard, heard in times to come, silent, offline, late: one of them at most."""
    name, quiet_ms = console.name, now_ms - console.heard_at_ms
    late_ms = max(LATE_HEARTBEATS * console.heartbeat_ms, MINUTE_MS)
    is_silent = quiet_ms > max(SILENT_FOR_MS, late_ms)
    state = "says that it is offline" if console.online is False else "is silent"
    sentence = f"Console {name} {state}, last heard {ago(quiet_ms)}: check its power and Wi-Fi."
    if not console.heard_at_ms:
        yield Finding(
            "never_heard",
            ConsoleHealth.GREY,
            "never heard",
            f"Console {name} was never heard by this bridge: check its power, Wi-Fi and broker address.",
        )
    elif quiet_ms < -MINUTE_MS:
        yield Finding(
            "host_clock",
            ConsoleHealth.AMBER,
            "heard in times to come",
            f"Console {name} was last heard at {utc(console.heard_at_ms)}, which is still to come: this machine's "
            "clock was set back; have a time server set it.",
        )
    elif is_silent and console.is_staffed is False:
        yield Finding("off_shift", ConsoleHealth.AMBER, f"silent, and nobody on shift ({ago(quiet_ms)})", sentence)
    elif is_silent:
        yield Finding("silent", ConsoleHealth.RED, f"silent ({ago(quiet_ms)})", sentence)
    elif console.online is False:
        yield Finding("offline", ConsoleHealth.AMBER, f"offline ({ago(quiet_ms)})", sentence)
    elif quiet_ms > late_ms:
        yield Finding("late", ConsoleHealth.AMBER, f"late ({ago(quiet_ms)})", sentence)


def _outbox(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    waiting = console.said.outbox or 0
    if waiting >= OUTBOX_MANY:
        half = waiting >= OUTBOX_HALF
        yield Finding(
            "outbox_half" if half else "outbox",
            ConsoleHealth.RED if half else ConsoleHealth.AMBER,
            f"{waiting} events wait",
            f"Console {console.name} holds {waiting} events that are not acknowledged: see that it reaches the broker "
            "and that the bridge runs, before its flash is full.",
        )


def _losses(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if console.lost:
        lately = console.lost_lately
        lost = f"lost {plural(console.lost, 'event')}"
        yield Finding(
            "lost",
            ConsoleHealth.RED if lately else ConsoleHealth.GREEN,
            f"lost {plural(lately, 'event')} in a day" if lately else f"once {lost}",
            f"Console {console.name} {lost} for good: its flash was full, or an old copy was restored.",
        )


def _strangers(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Events that somebody else may have sent in its name."""
    for mac, words in ((Mac.FAILED, "with a mac that does not hold"), (Mac.MISSING, "without a mac, unlike earlier")):
        if mac in console.macs:
            events, last_at_ms = console.macs[mac]
            lately = now_ms - last_at_ms <= DAY_MS
            yield Finding(
                "not_proved",
                ConsoleHealth.RED if lately else ConsoleHealth.GREEN,
                f"{'' if lately else 'once '}{plural(events, 'event')} {words}",
                f"{plural(events, 'event')} of console {console.name} came {words}, last at {utc(last_at_ms)}: give "
                "its board the credentials of now; if it has them, somebody else speaks in its name.",
            )


def _key(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    """Whether its events can be proved."""
    came, held = console.macs.get(Mac.NO_KEY), console.macs.get(Mac.HELD)
    if came and (held is None or came.last_at_ms >= held.last_at_ms):
        file = "see that its file in the folder of keys is whole" if console.has_key else "enroll it anew for its board"
        yield Finding(
            "no_key",
            ConsoleHealth.AMBER,
            "signs, but its key is not known",
            f"{plural(came.events, 'event')} of console {console.name} came signed, but no key was known to check "
            f"them by, last at {utc(came.last_at_ms)}: put the folder of keys back from its copy, or {file}.",
        )
    elif console.has_key and not console.macs and console.heard_at_ms:
        yield Finding(
            "not_signed",
            ConsoleHealth.AMBER,
            "does not sign its events",
            f"Console {console.name} has a key, but does not sign its events: put its credentials on the board.",
        )


def _clock(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    off_ms = console.clock_offset_ms
    if "clock" in console.said.faults:
        yield Finding(
            "clock_unknown",
            ConsoleHealth.AMBER,
            "clock not set",
            f"Console {console.name} reports the fault clock: it does not know the time; check its time server.",
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
    if "settings" in console.said.faults:
        yield Finding(
            "settings",
            ConsoleHealth.AMBER,
            "settings can't be used",
            f"Console {console.name} reports the fault settings: it can't use them, or its console.json; correct them.",
        )


def _other_faults(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    known = ("flash", "clock", "settings", "stuck")
    others = [fault for fault in console.said.faults if fault.partition(":")[0] not in known]
    if others:
        told = ", ".join(others)
        yield Finding("fault", ConsoleHealth.AMBER, told, f"Console {console.name} reports faults: {told}.")


def _signal(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    rssi_dbm = console.said.rssi_dbm
    if rssi_dbm is not None and rssi_dbm < RSSI_WEAK_DBM:
        yield Finding(
            "signal",
            ConsoleHealth.AMBER,
            f"weak signal, {rssi_dbm} dBm",
            f"The Wi-Fi signal at console {console.name} is weak ({rssi_dbm} dBm): move it or the access point.",
        )
