"""What must hold at the end of a world, to the event: in virtual time all is known, so nothing is allowed for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.surveys.fold import sweep
from tests.bridge.survey_oracle import expected_surveys
from tests.chaos import table
from tests.chaos.virtual.failures import Failed
from tests.support.intake import rebuild

if TYPE_CHECKING:
    from tests.chaos.virtual.board import Board, Life
    from tests.chaos.virtual.world import World

    EventName = tuple[str, str, int]  # console, epoch, number

SCOPE_MS = 600_000
DERIVED = ("survey", "force_majeure", "epoch", "received", "boot", "rollup_hour", "rollup_day")
SURE_MS = 300


def check(world: World) -> int:
    """Raise Failed with the first thing that is wrong; how many events are gone for a known reason."""
    stored = _stored(world)
    claimed: set[EventName] = set()
    for board in world.boards:
        claimed |= _check_board(world, board, stored)
        for life in board.lives:
            _check_presses(board, life)
    invented = sorted(set(stored) - claimed)
    if invented:
        raise Failed(f"stored, and never kept by a console: {invented[:5]}")
    rejected = table.rejects(world.database)
    if rejected:
        raise Failed(f"rejects: {rejected}")
    _check_surveys(world)
    _check_rebuild(world)
    return len(claimed) - len(stored)


def check_ack(world: World, topic: str, payload: bytes) -> None:
    """What the bridge is about to acknowledge is committed."""
    ack = json.loads(payload)
    through = table.throughs(world.database).get((*topic.split("/")[2:4], ack["epoch"]))
    if through is None or through < ack["through"]:
        raise Failed(f"acknowledged before it is committed: {ack}, and {through} is")


def _stored(world: World) -> dict[EventName, dict[str, Any]]:
    return {row[1:4]: json.loads(row[4]) for row in table.named(world.database, "event", "raw")}


def _check_board(world: World, board: Board, stored: dict[Any, dict[str, Any]]) -> set[EventName]:
    """Everything that a board kept is stored as it was, or is gone for a known reason; its events by name."""
    ledger, console = board.ledger, board.console_id
    names = set()
    for (epoch, seq), event in ledger.kept.items():
        name = (console, epoch, seq)
        names.add(name)
        found = stored.get(name)
        if found is None:
            _check_gone(world, board, name, event)
        elif found != event:
            raise Failed(f"{name} is stored as {found}, and was kept as {event}")
    if board.flash.gone_unsaid and not board.may_overflow():
        raise Failed(f"{board.name} deleted what nobody had acknowledged: {sorted(board.flash.gone_unsaid)[:5]}")
    for (epoch, seq), events in ledger.perhaps.items():
        name = (console, epoch, seq)
        if name in stored:
            names.add(name)
            if stored[name] not in events:
                raise Failed(f"{name} is stored as {stored[name]}, and was to be one of {events}")
    return names


def _check_gone(world: World, board: Board, name: EventName, event: dict[str, Any]) -> None:
    """An event that is not stored was dropped by full flash, went with RAM, or a bridge had it and forgot it."""
    _, epoch, seq = name
    if board.flash.copies.get((epoch, seq), 0) > 0 and _holds(board, epoch, seq):
        raise Failed(f"{name} is not stored, though its console still holds it: {event}")
    if name in world.forgotten or _is_gone_from_ram(board.ledger, epoch, seq):
        return
    if (epoch, seq) in board.flash.gone_unsaid and board.may_overflow():
        return
    raise Failed(f"{name} is lost: {event}")


def _holds(board: Board, epoch: str, seq: int) -> bool:
    """Whether the outbox still counts this number among its own, and never said that it is gone.

    Of slots that were put together flash has more; a start may count them in again when the whole is delivered.
    """
    parts = getattr(board.life.app.outbox, "_parts", ()) if board.life else ()
    return any(part[1] == epoch and max(part[2], board.ledger.first.get(epoch, 1)) <= seq for part in parts[:1])


def _is_gone_from_ram(ledger: Any, epoch: str, seq: int) -> bool:
    if (epoch, seq) not in ledger.ram:
        return False
    return any(other == epoch and seq <= number for other, number in ledger.gone_from_ram)


def _check_presses(board: Board, life: Life) -> None:
    """Each press that was over long before power went has one event that counts it; no event counts another."""
    counted: dict[tuple[int, int], int] = {}
    for of_life, event, button in board.ledger.attempts:
        if of_life is life and button is not None:
            contact = (button, event["up_ms"])
            counted[contact] = counted.get(contact, 0) + 1
    debounce_ms = 200
    for press in life.presses:
        contact = (press.button, press.at_ms - life.began_ms)
        end_ms = press.at_ms + press.held_ms + SURE_MS
        is_over = life.ended_ms is None or end_ms < life.ended_ms
        times = counted.pop(contact, 0)
        if is_over and times == 0 and press.held_ms > debounce_ms:
            raise Failed(f"{board.name}: nothing came of the press of {contact}")
    if counted:
        raise Failed(f"{board.name}: events of presses that nobody made: {counted}")


def _check_surveys(world: World) -> None:
    """Surveys are what a plain reading of the contract makes of the messages taken in, once the bridge has swept."""
    now_ms = world.bridge_ms()
    with world.bridge.store.transaction(now_ms):
        sweep(world.bridge.store)
    messages = [(message.topic, message.payload, message.arrived_at_ms) for message in world.bridge.committed]
    expected = expected_surveys(messages, now_ms, SCOPE_MS)
    names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected")
    rows = table.named(world.database, "survey", *names)
    found = {row[1:4]: dict(zip(names, row[4:], strict=True)) for row in rows}
    for name in sorted({*expected, *found}):
        wanted = {key: value for key, value in expected.get(name, {}).items() if key != "ask_every"}
        if found.get(name, {}) != wanted:
            raise Failed(f"survey {name} is {found.get(name)}, by the messages it is {wanted}")


def _check_rebuild(world: World) -> None:
    """What followed every change is what a rebuild makes of the events."""
    before = table.contents(world.database, *DERIVED)
    store = world.bridge.store
    with store.transaction(world.bridge_ms()):
        rebuild(store)
    after = table.contents(world.database, *DERIVED)
    for name in DERIVED:
        if before[name] != after[name]:
            odd = [row for row in before[name] + after[name] if (row in before[name]) != (row in after[name])]
            raise Failed(f"{name} is not what a rebuild makes: {odd[:6]}")
