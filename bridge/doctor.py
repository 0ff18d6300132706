"""What is wrong with database, consoles and delivery, in plain sentences. Reads only; the time comes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from bridge.health import read_figures
from bridge.ingest import NOT_ENROLLED
from bridge.plain import counted, plain
from bridge.store import condition
from bridge.store.connection import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store
    from bridge.store.condition import BoardRow, ConsoleRow, EpochRow

FAULTS_TOLD = 3
REASONS_TOLD = 20  # an older bridge let senders name them
SILENT_FOR_MS = 15 * 60_000
MANY_TURNS = 4  # a board that was exchanged, and put back, has given up its place twice
CLOCK_OFF_MS = 60_000
OUTBOX_MANY = 1_000
SAME_CLOCK_CONSOLES = 3
MINUTE_MS = 60_000
DAY_MINUTES = 1440


ADVICE = {
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
    faults = condition.integrity(store.connection, "integrity_check")
    if faults:
        raise damaged(str(store.path), "; ".join(faults[:FAULTS_TOLD]))  # what else it says can't be believed
    yield Finding(f"The database {store.path} is whole.", bad=False)
    rejects = condition.rejects(store)
    yield from _rejects(rejects)
    consoles = condition.consoles(store)
    if not consoles and all(reason != NOT_ENROLLED for reason, *_ in rejects):
        yield Finding("No console was ever heard of: check the broker's address, and that a bridge runs.")
    yield from _clock_of_all(consoles)
    for console in consoles:
        epochs, boards = condition.epochs(store, console.console_key), condition.boards(store, console.console_key)
        yield from _console(console, epochs, boards, now_ms)
    waiting = condition.waiting_settings(store)
    if waiting:
        are = "waits" if waiting == 1 else "wait"
        yield Finding(f"What {counted(waiting, 'console')} should be set to {are} to be published: start the bridge.")


def _rejects(rejects: list[tuple[str, int, int, str]]) -> Iterator[Finding]:
    for reason, count, last_at_ms, topic in rejects[:REASONS_TOLD]:
        advice = ADVICE.get(reason, "see who sends there, and with which firmware")
        example = f", for example from {plain(topic)}" if topic else ""
        yield Finding(f"Rejected as {plain(reason)}: {count}, last at {_utc(last_at_ms)}{example}: {advice}.")
    if rest := rejects[REASONS_TOLD:]:
        count = sum(row[1] for row in rest)
        yield Finding(f"Rejected for {len(rest)} further reasons: {count}: see who sends to {plain(rest[0][3])}.")
    if not rejects:
        yield Finding("Nothing was rejected.", bad=False)


def _console(console: ConsoleRow, epochs: list[EpochRow], boards: list[BoardRow], now_ms: int) -> Iterator[Finding]:
    name = f"{console.site_id}/{console.console_id}"
    lost = sum(epoch.lost for epoch in epochs)
    if lost:
        yield Finding(
            f"Console {name} lost {counted(lost, 'event')} for good: its flash was full, or an old copy was restored."
        )
    yield from (Finding(sentence) for sentence in two_boards(name, epochs, boards))
    silent_ms = now_ms - console.last_seen_at_ms
    if not console.last_seen_at_ms:
        yield Finding(f"Console {name} was never heard by this bridge: check its power, Wi-Fi and broker address.")
    elif silent_ms < -MINUTE_MS:
        yield Finding(
            f"Console {name} was last heard at {_utc(console.last_seen_at_ms)}, which is still to come: this machine's "
            "clock was set back; have a time server set it."
        )
    elif silent_ms > SILENT_FOR_MS or console.online == 0:
        state = "says that it is offline" if console.online == 0 else "is silent"
        yield Finding(f"Console {name} {state}, last heard {ago(silent_ms)}: check its power and Wi-Fi.")
    else:
        yield Finding(f"Console {name} was heard {ago(silent_ms)}.", bad=False)
    yield from _health(name, console)


def _health(name: str, console: ConsoleRow) -> Iterator[Finding]:
    said = read_figures(console.health)
    if said.faults:
        yield Finding(f"Console {name} reports faults: {', '.join(said.faults)}.")
    if said.outbox is not None and said.outbox >= OUTBOX_MANY:
        yield Finding(
            f"Console {name} holds {said.outbox} events that are not acknowledged: see that it reaches the broker and "
            "that the bridge runs, before its flash is full."
        )
    off_ms = _clock_offset_ms(console)
    if off_ms is not None and abs(off_ms) > CLOCK_OFF_MS:
        ahead = "ahead" if off_ms > 0 else "behind"
        yield Finding(f"The clock of console {name} is {abs(off_ms) // 1000} s {ahead}: check its time server.")


def _clock_offset_ms(console: ConsoleRow) -> int | None:
    """How far the console's clock was ahead at its last health message, None where that cannot be told."""
    at_ms = read_figures(console.health).at_ms
    return None if at_ms is None or console.health_at_ms is None else at_ms - console.health_at_ms


def _clock_of_all(consoles: list[ConsoleRow]) -> Iterator[Finding]:
    """Consoles that differ from this machine by the same are right, and this machine is wrong."""
    offsets = [offset for console in consoles if (offset := _clock_offset_ms(console)) is not None]
    if len(offsets) >= SAME_CLOCK_CONSOLES and min(map(abs, offsets)) > CLOCK_OFF_MS > max(offsets) - min(offsets):
        off_s = abs(offsets[0]) // 1000
        yield Finding(
            f"The clocks of all {len(offsets)} consoles are about {off_s} s {'ahead' if offsets[0] > 0 else 'behind'} "
            "of this machine's: it is this machine's clock that is wrong; have a time server set it."
        )


def two_boards(name: str, epochs: list[EpochRow], boards: list[BoardRow]) -> list[str]:
    """Tell of boards that share an id: they speak in turn, where one board ends an epoch to begin the next."""
    alive = sorted(
        (epoch.first_arrival_ms, epoch.last_arrival_ms, epoch)
        for epoch in epochs
        if epoch.first_arrival_ms is not None and epoch.last_arrival_ms is not None
    )
    pairs: set[tuple[str, str]] = set()
    unknown: list[tuple[str, str]] = []
    for (_, ended_ms, earlier), (began_ms, _, later) in pairwise(alive):
        ids = sorted({epoch.hardware_id for epoch in (earlier, later) if epoch.hardware_id})
        if began_ms < ended_ms and len(ids) > 1:
            pairs.add((ids[0], ids[1]))
        elif began_ms < ended_ms:
            unknown.append((earlier.epoch, later.epoch))
    if sum(board.turns for board in boards) >= MANY_TURNS:
        ids = sorted(board.hardware_id for board in boards[:2])
        pairs.add((ids[0], ids[1]))
    if pairs:
        unknown.clear()  # that is why
    return [
        f"Two boards ({plain(one)} and {plain(other)}) use the console id {name} at once: give one of them another id. "
        "Their events are kept apart, under epochs of their own."
        for one, other in sorted(pairs)
    ] + [
        f"Console {name} sends under two epochs in turn ({one} and {other}): two boards have its id, or its flash "
        "fails and it works from RAM."
        for one, other in unknown
    ]


def ago(elapsed_ms: int) -> str:
    """How long ago, in words."""
    minutes = max(0, elapsed_ms) // MINUTE_MS
    if not minutes:
        return "just now"
    if minutes < 2 * 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2 * DAY_MINUTES else f"{minutes // DAY_MINUTES} days ago"


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
