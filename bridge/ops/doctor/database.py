"""What is wrong with database, consoles and delivery, in plain sentences. Reads only; the time comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.ops.doctor.console_rules import CLOCK_OFF_MS, ConsoleStatus, rules_that_apply
from bridge.ops.doctor.console_status import roll_call
from bridge.store import console_status, updates
from bridge.store.connection import damaged
from bridge.store.integrity import integrity_faults
from bridge.store.rejects import NOT_ENROLLED, NOT_SIGNED
from bridge.text import ago, plural, printable, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

FAULTS_TOLD = 3
REASONS_TOLD = 20  # an older bridge let senders name them
SAME_CLOCK_CONSOLES = 3
OF_PRESENCE = ("never_heard", "host_clock", "off_shift", "silent", "offline", "late")

ADVICE = {
    NOT_SIGNED: "the bridge runs with --signed-only: give the console's board the credentials of now; it keeps its "
    "events meanwhile. If it has them, somebody else speaks in its name",
    NOT_ENROLLED: "enroll the console by `trivox console enroll SITE/CONSOLE`, then run `trivox rebuild`",
    "conflict": "two boards may share an id and an epoch, or a flash was put back",
    "failed": "the bridge has a fault: report it with the log, then `trivox rebuild` with a newer bridge",
    "unknown type": "its firmware is newer than the bridge: renew the bridge, then run `trivox rebuild`",
    "not kept": "somebody sends what is no message of ours: see who writes to that topic",
}


@dataclass(frozen=True)
class Finding:
    """A sentence, and whether something has to be done about it."""

    sentence: str
    bad: bool = True


def examine(store: Store, now_ms: int) -> Iterator[Finding]:
    """Look at everything that the database can tell of; raises DatabaseError when it is damaged."""
    faults = integrity_faults(store.connection, "integrity_check")
    if faults:
        raise damaged(str(store.path), "; ".join(faults[:FAULTS_TOLD]))  # what else it says can't be believed
    yield Finding(f"The database {store.path} is whole.", bad=False)
    rejects = console_status.rejects(store)
    yield from _rejects(rejects)
    consoles = roll_call(store, now_ms)
    if not consoles and all(reason != NOT_ENROLLED for reason, *_ in rejects):
        yield Finding("No console was ever heard of: check the broker's address, and that a bridge runs.")
    yield from _clock_of_all(consoles)
    for console in consoles:
        yield from _console(console, now_ms)
    yield from _updates(updates.orders(store))
    waiting = console_status.waiting_settings(store)
    if waiting:
        are = "waits" if waiting == 1 else "wait"
        yield Finding(f"What {plural(waiting, 'console')} should be set to {are} to be published: start the bridge.")


def _updates(orders: list[updates.UpdateOrder]) -> Iterator[Finding]:
    for order in orders:
        if order.state in {updates.FAILED, updates.RETURNED}:
            yield Finding(
                f"Console {order.site_id}/{order.console_id} did not take firmware {order.version} ({order.reason}): "
                f"see to it, then `trivox console update --to {order.version} --console "
                f"{order.site_id}/{order.console_id}`."
            )


def _rejects(rejects: list[tuple[str, int, int, str]]) -> Iterator[Finding]:
    for reason, count, last_at_ms, topic in rejects[:REASONS_TOLD]:
        advice = ADVICE.get(reason, "see who sends there, and with which firmware")
        example = f", for example from {printable(topic)}" if topic else ""
        yield Finding(f"Rejected as {printable(reason)}: {count}, last at {utc(last_at_ms)}{example}: {advice}.")
    if rest := rejects[REASONS_TOLD:]:
        count = sum(row[1] for row in rest)
        yield Finding(f"Rejected for {len(rest)} further reasons: {count}: see who sends to {printable(rest[0][3])}.")
    if not rejects:
        yield Finding("Nothing was rejected.", bad=False)


def _console(console: ConsoleStatus, now_ms: int) -> Iterator[Finding]:
    signs = rules_that_apply(console, now_ms)
    yield from (Finding(sign.sentence) for sign in signs)
    if not any(sign.rule in OF_PRESENCE for sign in signs):
        yield Finding(f"Console {console.name} was heard {ago(now_ms - console.heard_at_ms)}.", bad=False)
    if console.is_proved:
        yield Finding(f"Every event of console {console.name} since its first mac is proved to be its own.", bad=False)


def _clock_of_all(consoles: list[ConsoleStatus]) -> Iterator[Finding]:
    """Consoles that differ from this machine by the same are right, and this machine is wrong."""
    offsets = [offset for console in consoles if (offset := console.clock_offset_ms) is not None]
    if len(offsets) >= SAME_CLOCK_CONSOLES and min(map(abs, offsets)) > CLOCK_OFF_MS > max(offsets) - min(offsets):
        off_s = abs(offsets[0]) // 1000
        yield Finding(
            f"The clocks of all {len(offsets)} consoles are about {off_s} s {'ahead' if offsets[0] > 0 else 'behind'} "
            "of this machine's: it is this machine's clock that is wrong; have a time server set it."
        )
