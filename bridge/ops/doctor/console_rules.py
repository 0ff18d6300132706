"""Check a console's status against rules, each with its limit, for `doctor` and `console list`. No I/O.

A rule that applies yields a finding. The gravest finding decides the console's health; of equally grave findings, the
first rule decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from bridge.model.contact import late_after_ms
from bridge.model.local_time import DAY_MS, MINUTE_MS
from bridge.ops.doctor import proof_rules
from bridge.ops.doctor.findings import ConsoleHealth, ConsoleStatus, Finding, fault_names
from bridge.text import ago, plural, utc

SILENT_FOR_MS = 15 * MINUTE_MS
OUTBOX_MANY = 1_000
OUTBOX_HALF = 2_500  # half of what every console's flash has room for
CLOCK_OFF_MS = 60_000
RSSI_WEAK_DBM = -80
BUTTONS = ("yes", "no", "cant_say", "seller")


def rules_that_apply(console: ConsoleStatus, now_ms: int) -> list[Finding]:
    """Return all findings about a console, the deciding one first; an empty list if all is well."""
    if console.retired_at_ms is not None:
        return [_retired(console, console.retired_at_ms, now_ms)]
    rules = (
        *(_flash, _id_conflicts, _stuck, _revoked, _board_elsewhere, _last_seen, _outbox, _losses),
        *(proof_rules.unproved_events, _clock, _settings),
        *(_other_faults, proof_rules.unproved_words, proof_rules.ignored_revision, _signal),
        proof_rules.unsigned_events,
    )
    findings = [finding for rule in rules for finding in rule(console, now_ms)]
    return sorted(findings, key=lambda finding: (finding.health is not ConsoleHealth.GREY, -finding.health))


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
    for fault in dict.fromkeys(console.figures.faults):
        kind, _, button = fault.partition(":")
        if kind == "stuck" and button in BUTTONS:
            yield Finding(
                "stuck",
                ConsoleHealth.RED,
                f"button stuck: {button}",
                f"Console {console.name} reports the fault {fault}: free the button, or replace it; until then it "
                "measures nothing.",
            )


def _revoked(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    if console.is_revoked and console.last_seen_at_ms:
        yield Finding(
            "revoked",
            ConsoleHealth.AMBER,
            "revoked",
            f"Console {console.name} is revoked, and was heard {ago(now_ms - console.last_seen_at_ms)}: so that "
            "nothing more comes from it, update the broker with `trivox broker-config`, and run the bridge with "
            f"--enrolled-only; if it is out of service, run `trivox console retire {console.name}`.",
        )


def _board_elsewhere(console: ConsoleStatus, _: int) -> Iterator[Finding]:
    if console.board_at is not None:
        yield Finding(
            "board_elsewhere",
            ConsoleHealth.AMBER,
            f"its board is now {console.board_at}",
            f"The board of console {console.name} ({console.hardware_id}) is now {console.board_at}: retire the old "
            f"name with `trivox console retire {console.name}`.",
        )


def _last_seen(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    """Yield at most one finding: never heard, heard in the future, silent, offline or late."""
    name, quiet_ms = console.name, now_ms - console.last_seen_at_ms
    late_ms = late_after_ms(console.heartbeat_ms)
    is_silent = quiet_ms > max(SILENT_FOR_MS, late_ms)
    state = "is offline" if console.online is False else "is silent"
    advice = ": check its power and Wi-Fi" if console.board_at is None else ""
    sentence = f"Console {name} {state}, last heard {ago(quiet_ms)}{advice}."
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
    known = ("flash", "clock", "settings", *(f"stuck:{button}" for button in BUTTONS))
    others = [fault for fault in console.figures.faults if fault not in known]
    if others:
        names = fault_names(others)
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
