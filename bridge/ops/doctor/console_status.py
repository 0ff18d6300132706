"""Every console with what the database knows of its condition, by a few questions however many there are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from bridge.keyring import Keyring
from bridge.ops.doctor.console_rules import ConsoleStatus, Sharing
from bridge.store import console_status
from bridge.text import DAY_MS, printable
from bridge.wire.health import read_figures
from bridge.wire.settings import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store
    from bridge.store.console_status import BoardRow, EpochRow

MANY_TURNS = 4  # a board that was exchanged, and put back, has given up its place twice
SHIFTS_KEPT_MS = 7 * DAY_MS  # a console whose last shift is longer ago has no plan to go by


def roll_call(store: Store, now_ms: int) -> list[ConsoleStatus]:
    """All consoles, in the order of their names."""
    epochs, boards = console_status.epochs(store), console_status.boards(store)
    lately, beats = console_status.lost_since(store, now_ms - DAY_MS), console_status.heartbeats(store)
    shifts, macs = console_status.shifts_around(store, now_ms), console_status.macs(store)
    have_keys = set(Keyring(store.path).consoles())
    found = []
    for console in console_status.consoles(store):
        key, name = console.console_key, (console.site_id, console.console_id)
        of_it, said = epochs.get(key, []), read_figures(console.health)
        board = next((epoch.hardware_id for epoch in reversed(of_it) if epoch.hardware_id), None)
        found.append(
            ConsoleStatus(
                *name,
                heard_at_ms=console.last_seen_at_ms,
                enrolled=bool(console.enrolled),
                online=None if console.online is None else bool(console.online),
                hardware_id=said.hardware_id or (board and printable(board)),
                said=said,
                health_at_ms=console.health_at_ms,
                settings_revision=console.settings_revision_reported,
                heartbeat_ms=beats.get(name, DEFAULTS["heartbeat_ms"]),
                lost=sum(epoch.lost for epoch in of_it),
                lost_lately=lately.get(key, 0),
                is_staffed=_is_staffed(*shifts[key], now_ms),
                has_key=name in have_keys,
                macs=macs.get(key, {}),
                sharings=tuple(_sharings("/".join(name), of_it, boards.get(key, []))),
            )
        )
    return found


def _is_staffed(ends_at_ms: int | None, starts_at_ms: int | None, now_ms: int) -> bool | None:
    """Whether a seller is on shift, by the end of the last shift that began and the start of the next."""
    if ends_at_ms is not None and ends_at_ms > now_ms:
        return True
    lately = ends_at_ms is not None and ends_at_ms > now_ms - SHIFTS_KEPT_MS
    soon = starts_at_ms is not None and starts_at_ms < now_ms + SHIFTS_KEPT_MS
    return False if lately or soon else None


def _sharings(name: str, epochs: list[EpochRow], boards: list[BoardRow]) -> Iterator[Sharing]:
    """Tell of boards that share an id: they speak in turn, where one board ends an epoch to begin the next."""
    alive = sorted(
        (epoch.first_arrival_ms, epoch.last_arrival_ms, epoch)
        for epoch in epochs
        if epoch.first_arrival_ms is not None and epoch.last_arrival_ms is not None
    )
    pairs: dict[tuple[str, str], int] = {}
    unknown: dict[tuple[str, str], int] = {}
    for (_, ended_ms, earlier), (began_ms, other_ended_ms, later) in pairwise(alive):
        if began_ms >= ended_ms:
            continue
        last_ms = min(ended_ms, other_ended_ms)
        ids = sorted({epoch.hardware_id for epoch in (earlier, later) if epoch.hardware_id})
        if len(ids) > 1:
            pairs[ids[0], ids[1]] = max(last_ms, pairs.get((ids[0], ids[1]), 0))
        else:
            unknown[earlier.epoch, later.epoch] = last_ms
    if sum(board.turns for board in boards) >= MANY_TURNS:
        one, other = sorted(board.hardware_id for board in boards[:2])
        pairs[one, other] = max(boards[1].last_heard_at_ms, pairs.get((one, other), 0))
    for (one, other), last_ms in sorted(pairs.items()):
        yield Sharing(
            last_ms,
            "two boards with one id",
            f"Two boards ({printable(one)} and {printable(other)}) use the console id {name} at once: give one of them "
            "another "
            "id. Their events are kept apart, under epochs of their own.",
        )
    if pairs:
        return  # that is why
    for (one, other), last_ms in unknown.items():
        yield Sharing(
            last_ms,
            "two epochs in turn",
            f"Console {name} sends under two epochs in turn ({one} and {other}): two boards have its id, or its flash "
            "fails and it works from RAM.",
        )
