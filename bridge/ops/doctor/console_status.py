"""Read the status of every console from the database, in a fixed number of queries."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from bridge.keyring import Keyring
from bridge.model.local_time import DAY_MS
from bridge.ops.doctor.findings import ConsoleStatus, IdConflict
from bridge.store import console_status, gone_consoles
from bridge.text import printable
from bridge.wire.health import read_figures
from bridge.wire.settings import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store
    from bridge.store.console_status import BoardRow, EpochRow

MANY_TURNS = 4  # a board that was replaced and put back again changes twice
SHIFT_PLAN_MS = 7 * DAY_MS  # without a shift this near, a console's shifts are not known


def read_console_statuses(store: Store, now_ms: int) -> list[ConsoleStatus]:
    """Return the status of all consoles, in the order of their names; also of those that are not awaited."""
    epochs, boards = console_status.epochs(store), console_status.boards(store)
    lost_last_day, heartbeats = console_status.lost_since(store, now_ms - DAY_MS), console_status.heartbeats(store)
    shifts = console_status.shifts_around(store, now_ms)
    events_by_mac, words_by_mac = console_status.macs(store), console_status.word_macs(store)
    have_keys, gone = Keyring(store.path).visible_consoles(), set(gone_consoles.gone(store))
    statuses = []
    for console in console_status.consoles(store):
        key, name = console.console_key, (console.site_id, console.console_id)
        own_epochs, figures = epochs.get(key, []), read_figures(console.health)
        newest_board = next((epoch.hardware_id for epoch in reversed(own_epochs) if epoch.hardware_id), None)
        statuses.append(
            ConsoleStatus(
                *name,
                last_seen_at_ms=console.last_seen_at_ms,
                enrolled=bool(console.enrolled),
                online=None if console.online is None else bool(console.online),
                hardware_id=figures.hardware_id or (newest_board and printable(newest_board)),
                figures=figures,
                health_at_ms=console.health_at_ms,
                settings_revision=console.settings_revision_reported,
                heartbeat_ms=heartbeats.get(name, DEFAULTS["heartbeat_ms"]),
                lost=sum(epoch.lost for epoch in own_epochs),
                lost_last_day=lost_last_day.get(key, 0),
                is_staffed=_is_staffed(*shifts[key], now_ms),
                retired_at_ms=console.retired_at_ms,
                is_revoked=name in gone and console.retired_at_ms is None,
                has_key=None if have_keys is None else name in have_keys,
                events_by_mac=events_by_mac.get(key, {}),
                words_by_mac=words_by_mac.get(key, {}),
                proves_words=bool(console.proves_words),
                ignored_revision=console.ignored_revision,
                ignored_revision_at_ms=console.ignored_revision_at_ms or 0,
                id_conflicts=tuple(_id_conflicts("/".join(name), own_epochs, boards.get(key, []))),
            )
        )
    return _with_boards_elsewhere(statuses)


def _with_boards_elsewhere(statuses: list[ConsoleStatus]) -> list[ConsoleStatus]:
    """Note, with each console that is away, under which other name its board was heard since."""
    latest: dict[str, ConsoleStatus] = {}
    for status in sorted(statuses, key=lambda status: status.last_seen_at_ms):
        if status.hardware_id is not None and status.retired_at_ms is None:
            latest[status.hardware_id] = status
    return [
        replace(status, board_at=other.name)
        if (other := latest.get(status.hardware_id or ""))
        and other.last_seen_at_ms > status.last_seen_at_ms
        and other.online
        and not status.online
        else status
        for status in statuses
    ]


def _is_staffed(ends_at_ms: int | None, starts_at_ms: int | None, now_ms: int) -> bool | None:
    """Return whether a seller is on shift, or None if no shifts of the last and next days are known.

    `ends_at_ms` is the end of the last shift that has begun, `starts_at_ms` the start of the next.
    """
    if ends_at_ms is not None and ends_at_ms > now_ms:
        return True
    was_recent = ends_at_ms is not None and ends_at_ms > now_ms - SHIFT_PLAN_MS
    is_soon = starts_at_ms is not None and starts_at_ms < now_ms + SHIFT_PLAN_MS
    return False if was_recent or is_soon else None


def _id_conflicts(name: str, epochs: list[EpochRow], boards: list[BoardRow]) -> Iterator[IdConflict]:
    """Find boards that share an id: they send in turn, while a single board ends an epoch before it begins the next."""
    epochs_by_time = sorted(
        (epoch.first_arrival_ms, epoch.last_arrival_ms, epoch)
        for epoch in epochs
        if epoch.first_arrival_ms is not None and epoch.last_arrival_ms is not None
    )
    board_pairs: dict[tuple[str, str], int] = {}
    epoch_pairs: dict[tuple[str, str], int] = {}
    for (_, ended_ms, earlier), (began_ms, other_ended_ms, later) in pairwise(epochs_by_time):
        if began_ms >= ended_ms:
            continue
        last_ms = min(ended_ms, other_ended_ms)
        ids = sorted({epoch.hardware_id for epoch in (earlier, later) if epoch.hardware_id})
        if len(ids) > 1:
            board_pairs[ids[0], ids[1]] = max(last_ms, board_pairs.get((ids[0], ids[1]), 0))
        else:
            epoch_pairs[earlier.epoch, later.epoch] = last_ms
    if sum(board.turns for board in boards) >= MANY_TURNS:
        first, second = sorted(board.hardware_id for board in boards[:2])
        board_pairs[first, second] = max(boards[1].last_heard_at_ms, board_pairs.get((first, second), 0))
    for (first, second), last_ms in sorted(board_pairs.items()):
        yield IdConflict(
            last_ms,
            "two boards with one id",
            f"Two boards ({printable(first)} and {printable(second)}) use the console id {name} at once: give one of "
            "them another id. Their events are kept apart, each under its own epoch.",
        )
    if board_pairs:
        return  # they explain the epochs in turn
    for (first, second), last_ms in epoch_pairs.items():
        yield IdConflict(
            last_ms,
            "two epochs in turn",
            f"Console {name} sends under two epochs in turn ({first} and {second}): two boards have its id, or its "
            "flash fails and it works from RAM; find the second board, or replace this one.",
        )
