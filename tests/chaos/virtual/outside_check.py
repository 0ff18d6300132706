"""Check a virtual world by what could be observed from outside, with the checker of the runs with real processes."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.chaos import observations as outside
from tests.chaos.checker import check
from tests.chaos.virtual.board import BUTTONS
from tests.chaos.virtual.failures import Failed

if TYPE_CHECKING:
    from tests.chaos.virtual.board import Board, VirtualPowerCycle
    from tests.chaos.virtual.world import VirtualWorld

NOISE_MS = 12  # shorter contacts do not count
SURE_MS = 150
TIMINGS = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "debounce_ms", "stuck_ms")


def check_from_outside(world: VirtualWorld) -> bool:
    """Raise Failed with what the checker finds; return False if it cannot judge this world.

    It cannot if a revision of settings was given twice, if flash failed (then two boots may have one number), or if
    power went so soon after a press that not all of its events were stored.
    """
    rules = _rules(world)
    power_cycles = [cycle for board in world.boards for cycle in board.power_cycles]
    if rules is None or any(cycle.flash_failed or _ended_in_a_press(cycle) for cycle in power_cycles):
        return False
    observations = outside.Observations(
        power_cycles=tuple(_power_cycle(board, cycle) for board in world.boards for cycle in board.power_cycles),
        rules=rules,
        counters=dict(map(_counters, world.boards)),
        forgotten=_forgotten(world),
        overflowed=frozenset(board.hardware_id for board in world.boards if board.may_overflow()),
    )
    connection = sqlite3.connect(":memory:")
    connection.deserialize(world.database.serialize("main"))
    try:
        wrong = check(connection, observations, world.bridge_ms())
    finally:
        connection.close()
    if wrong:
        raise Failed(f"seen from outside: {wrong[:3]}")
    return True


def _ended_in_a_press(cycle: VirtualPowerCycle) -> bool:
    ended_ms = cycle.ended_ms
    return ended_ms is not None and any(press.at_ms + press.held_ms + SURE_MS >= ended_ms for press in cycle.presses)


def _power_cycle(board: Board, cycle: VirtualPowerCycle) -> outside.ObservedPowerCycle:
    ended_ms = None if cycle.ended_ms is None else cycle.ended_ms - cycle.began_ms
    presses = tuple(
        outside.ObservedPress(
            BUTTONS[press.button],
            press.at_ms - cycle.began_ms,
            press.held_ms,
        )
        for press in cycle.presses
        if press.held_ms >= NOISE_MS
    )
    return outside.ObservedPowerCycle(
        *(board.site_id, board.console_id, board.hardware_id, cycle.boot, ended_ms, presses),
        thanks=tuple(outside.Thanks(BUTTONS[button], at_ms) for button, at_ms in cycle.thanked),
        stores_events=not cycle.flash_failed,
        offset_ms=0,
    )


def _rules(world: VirtualWorld) -> dict[tuple[str, str], dict[int, outside.PressRules]] | None:
    """Return the settings by console and revision; None if two settings had the same revision."""
    found: dict[tuple[str, str], dict[int, outside.PressRules]] = {}
    for topic, payload in world.bridge.settings_published:
        _, _, site_id, console_id, _ = topic.split("/")
        settings = json.loads(payload)
        rules = outside.PressRules(
            *(settings[name] for name in TIMINGS), (settings["question"]["id"], settings["question"]["revision"])
        )
        if found.setdefault((site_id, console_id), {}).setdefault(settings["revision"], rules) != rules:
            return None
    return found


def _counters(board: Board) -> tuple[outside.EpochName, outside.Counters]:
    app: Any = board.cycle.app if board.cycle else None
    presses = dict(zip(BUTTONS, app.outbox.presses, strict=True))
    return (board.site_id, board.console_id, app.outbox.epoch), outside.Counters(app.outbox.next, presses)


def _forgotten(world: VirtualWorld) -> dict[outside.EpochName, int]:
    highest: dict[outside.EpochName, int] = {}
    for console, epoch, seq in world.forgotten:
        name = (world.boards[0].site_id, console, epoch)
        highest[name] = max(highest.get(name, 0), seq)
    return highest
