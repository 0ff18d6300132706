"""What an outsider saw of a virtual world, for the checker that the runs with real processes use too."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.chaos import witness
from tests.chaos.checker import check
from tests.chaos.virtual.board import BUTTONS
from tests.chaos.virtual.failures import Failed

if TYPE_CHECKING:
    from tests.chaos.virtual.board import Board, Life
    from tests.chaos.virtual.world import World

NOISE_MS = 12  # shorter contacts are none
SURE_MS = 150
TIMINGS = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "debounce_ms", "stuck_ms")


def check_from_outside(world: World) -> bool:
    """Raise Failed with what the common checker finds; False if it can't judge this world.

    It can't where a revision of settings was given twice, where flash failed (then two lives may have one number), or
    where power went so soon after a press that not all of what the press brings was kept.
    """
    rules = _rules(world)
    lives = [life for board in world.boards for life in board.lives]
    if rules is None or any(life.flash_failed or _ended_in_a_press(life) for life in lives):
        return False
    testimony = witness.Testimony(
        lives=tuple(_life(board, life) for board in world.boards for life in board.lives),
        rules=rules,
        counters=dict(map(_counters, world.boards)),
        forgotten=_forgotten(world),
        overflowed=frozenset(board.hardware_id for board in world.boards if board.may_overflow()),
    )
    connection = sqlite3.connect(":memory:")
    connection.deserialize(world.database.serialize("main"))
    try:
        wrong = check(connection, testimony, world.bridge_ms())
    finally:
        connection.close()
    if wrong:
        raise Failed(f"seen from outside: {wrong[:3]}")
    return True


def _ended_in_a_press(life: Life) -> bool:
    ended_ms = life.ended_ms
    return ended_ms is not None and any(press.at_ms + press.held_ms + SURE_MS >= ended_ms for press in life.presses)


def _life(board: Board, life: Life) -> witness.Life:
    ended_ms = None if life.ended_ms is None else life.ended_ms - life.began_ms
    presses = tuple(
        witness.Press(
            BUTTONS[press.button],
            press.at_ms - life.began_ms,
            press.held_ms,
        )
        for press in life.presses
        if press.held_ms >= NOISE_MS
    )
    return witness.Life(
        *(board.site_id, board.console_id, board.hardware_id, life.boot, ended_ms, presses),
        thanks=tuple(witness.Thanks(BUTTONS[button], at_ms) for button, at_ms in life.thanked),
        keeps=not life.flash_failed,
        offset_ms=0,
    )


def _rules(world: World) -> dict[tuple[str, str], dict[int, witness.Rules]] | None:
    """By console and revision; None if two settings had one revision."""
    found: dict[tuple[str, str], dict[int, witness.Rules]] = {}
    for topic, payload in world.bridge.settings_told:
        _, _, site_id, console_id, _ = topic.split("/")
        settings = json.loads(payload)
        rules = witness.Rules(
            *(settings[name] for name in TIMINGS), (settings["question"]["id"], settings["question"]["revision"])
        )
        if found.setdefault((site_id, console_id), {}).setdefault(settings["revision"], rules) != rules:
            return None
    return found


def _counters(board: Board) -> tuple[witness.EpochName, witness.Counters]:
    app: Any = board.life.app if board.life else None
    presses = dict(zip(BUTTONS, app.outbox.presses, strict=True))
    return (board.site_id, board.console_id, app.outbox.epoch), witness.Counters(app.outbox.next, presses)


def _forgotten(world: World) -> dict[witness.EpochName, int]:
    highest: dict[witness.EpochName, int] = {}
    for console, epoch, seq in world.forgotten:
        name = (world.boards[0].site_id, console, epoch)
        highest[name] = max(highest.get(name, 0), seq)
    return highest
