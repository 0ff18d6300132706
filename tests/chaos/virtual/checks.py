"""Check a world at its end, event by event: in virtual time everything is known, so there is no tolerance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.surveys.fold import sweep
from tests.bridge.survey_oracle import expected_surveys
from tests.chaos import database
from tests.chaos.virtual.failures import Failed
from tests.support.facts import ROLLUPS
from tests.support.intake import rebuild

if TYPE_CHECKING:
    from tests.chaos.virtual.board import Board, VirtualPowerCycle
    from tests.chaos.virtual.world import VirtualWorld

    EventName = tuple[str, str, int]  # console, epoch, number

SCOPE_MS = 600_000
DERIVED = ("survey", "force_majeure", "epoch", "received", "boot", *ROLLUPS)
SURE_MS = 300


def check(world: VirtualWorld) -> int:
    """Raise Failed with the first thing that is wrong; return how many events are missing for a known reason."""
    stored = _stored(world)
    claimed: set[EventName] = set()
    for board in world.boards:
        claimed |= _check_board(world, board, stored)
        for cycle in board.power_cycles:
            _check_presses(board, cycle)
    invented = sorted(set(stored) - claimed)
    if invented:
        raise Failed(f"stored by the bridge, and never stored by a console: {invented[:5]}")
    rejected = database.rejects(world.database)
    if rejected:
        raise Failed(f"rejects: {rejected}")
    _check_surveys(world)
    _check_rebuild(world)
    return len(claimed) - len(stored)


def check_ack(world: VirtualWorld, topic: str, payload: bytes) -> None:
    """Check that what the bridge is about to acknowledge is committed."""
    ack = json.loads(payload)
    through = database.throughs(world.database).get((*topic.split("/")[2:4], ack["epoch"]))
    if through is None or through < ack["through"]:
        raise Failed(f"acknowledged before it is committed: {ack}, and only {through} is")


def _stored(world: VirtualWorld) -> dict[EventName, dict[str, Any]]:
    return {row[1:4]: json.loads(row[4]) for row in database.numbered_rows(world.database, "event", "raw")}


def _check_board(world: VirtualWorld, board: Board, stored: dict[Any, dict[str, Any]]) -> set[EventName]:
    """Check that each event of a board is stored unchanged, or missing for a known reason; return the events' names."""
    ledger, console = board.ledger, board.console_id
    names = set()
    for (epoch, seq), event in ledger.stored.items():
        name = (console, epoch, seq)
        names.add(name)
        found = stored.get(name)
        if found is None:
            _check_gone(world, board, name, event)
        elif found != event:
            raise Failed(f"{name} is stored as {found}, and is {event} at its console")
    if board.flash.dropped and not board.may_overflow():
        raise Failed(f"{board.name} deleted what nobody had acknowledged: {sorted(board.flash.dropped)[:5]}")
    for (epoch, seq), events in ledger.uncertain.items():
        name = (console, epoch, seq)
        if name in stored:
            names.add(name)
            if stored[name] not in events:
                raise Failed(f"{name} is stored as {stored[name]}, and should be one of {events}")
    return names


def _check_gone(world: VirtualWorld, board: Board, name: EventName, event: dict[str, Any]) -> None:
    """Check why an event is missing: flash was full, it was only in RAM, or a bridge had it and was put back."""
    _, epoch, seq = name
    if board.flash.copies.get((epoch, seq), 0) > 0 and _holds(board, epoch, seq):
        raise Failed(f"{name} is not stored, though its console still holds it: {event}")
    if name in world.forgotten or _is_gone_from_ram(board.ledger, epoch, seq):
        return
    if (epoch, seq) in board.flash.dropped and board.may_overflow():
        return
    raise Failed(f"{name} is lost: {event}")


def _holds(board: Board, epoch: str, seq: int) -> bool:
    """Return whether the outbox still counts this number as its own and never reported it as gone.

    Flash has more numbers, from slots that were merged; a start may count them again once everything is delivered.
    """
    parts = getattr(board.cycle.app.outbox, "_parts", ()) if board.cycle else ()
    return any(part[1] == epoch and max(part[2], board.ledger.first.get(epoch, 1)) <= seq for part in parts[:1])


def _is_gone_from_ram(ledger: Any, epoch: str, seq: int) -> bool:
    if (epoch, seq) not in ledger.ram:
        return False
    return any(other == epoch and seq <= number for other, number in ledger.gone_from_ram)


def _check_presses(board: Board, cycle: VirtualPowerCycle) -> None:
    """Check that each press that ended well before power went gives an event, and that no event has no press."""
    counted: dict[tuple[int, int], int] = {}
    for event_cycle, event, button in board.ledger.attempts:
        if event_cycle is cycle and button is not None:
            contact = (button, event["up_ms"])
            counted[contact] = counted.get(contact, 0) + 1
    debounce_ms = 200
    for press in cycle.presses:
        contact = (press.button, press.at_ms - cycle.began_ms)
        end_ms = press.at_ms + press.held_ms + SURE_MS
        is_over = cycle.ended_ms is None or end_ms < cycle.ended_ms
        times = counted.pop(contact, 0)
        if is_over and times == 0 and press.held_ms > debounce_ms:
            raise Failed(f"{board.name}: the press {contact} gave no event")
    if counted:
        raise Failed(f"{board.name}: events of presses that nobody made: {counted}")


def _check_surveys(world: VirtualWorld) -> None:
    """Check surveys against the oracle's reading of all messages taken in, once the bridge has swept."""
    now_ms = world.bridge_ms()
    with world.bridge.store.transaction(now_ms):
        sweep(world.bridge.store)
    messages = [(message.topic, message.payload, message.arrived_at_ms) for message in world.bridge.committed]
    expected = expected_surveys(messages, now_ms, SCOPE_MS)
    names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected")
    rows = database.numbered_rows(world.database, "survey", *names)
    found = {row[1:4]: dict(zip(names, row[4:], strict=True)) for row in rows}
    for name in sorted({*expected, *found}):
        wanted = {key: value for key, value in expected.get(name, {}).items() if key != "ask_every"}
        if found.get(name, {}) != wanted:
            raise Failed(f"survey {name} is {found.get(name)}, and should be {wanted} by the messages")


def _check_rebuild(world: VirtualWorld) -> None:
    """Check that the tables, which followed every change, are those that a rebuild makes of the events."""
    before = database.contents(world.database, *DERIVED)
    store = world.bridge.store
    with store.transaction(world.bridge_ms()):
        rebuild(store)
    after = database.contents(world.database, *DERIVED)
    for name in DERIVED:
        if before[name] != after[name]:
            odd = [row for row in before[name] + after[name] if (row in before[name]) != (row in after[name])]
            raise Failed(f"{name} is not what a rebuild makes: {odd[:6]}")
