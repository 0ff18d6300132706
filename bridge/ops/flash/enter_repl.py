"""Open a board's REPL, whatever the board is doing: waiting, serving as a console, or refusing to be stopped.

A console's watchdog survives Ctrl-C, so a board that was serving is restarted with a note to stay at its prompt. A
board without radio is asked by a message, as its line belongs to the bridge. If it does not obey that, because it does
not know the time, two held buttons have the same effect (`firmware/console/startup.py`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import Iterator

from bridge.ops.flash.board_info import RESTART_FILE, BoardInfo, read_board_info
from bridge.ops.flash.console_output import ConsoleOutput
from bridge.ops.flash.errors import BoardGoneError, FlashingError
from bridge.ops.flash.filesystem import ensure_filesystem
from bridge.ops.flash.ports import Port, find_again
from bridge.ops.flash.repl import Repl

RETURN_LIMIT_S = 30.0
LISTEN_S = 15.0  # a console on a serial line says hello every 10 s
EXPIRES_MS = 60_000
PAUSE_S = 0.3

RESTART_AT_PROMPT = f"""
import machine, os
with open("/slots.json.new", "w") as file:
    file.write(SLOTS)
os.rename("/slots.json.new", "/slots.json")
with open("{RESTART_FILE}", "w") as file:
    file.write("maintenance")
machine.reset()
"""
REMOVE_RESTART_FILE = f"""
import os
try:
    os.remove("{RESTART_FILE}")
except OSError:
    pass
"""

RESUME = f"""
import machine, sys, time
if WAS_SERVING or "console.app" in sys.modules:
    try:
        with open("{RESTART_FILE}", "w") as file:
            file.write("restart")
    except OSError:
        pass
    time.sleep_ms(100)  # until the host has heard that it is understood
    machine.reset()
"""


def open_repl(port: Port, *, may_wipe: bool) -> tuple[Repl, BoardInfo]:
    """Stop the board at `port`, and return its REPL and what it is. Raises FlashingError.

    `may_wipe` says whether a filesystem that can't be mounted may be replaced. Whoever gets the REPL hands the board
    back with `handing_back`; `serving` of the board says whether it was in service.
    """
    repl, was_serving = _interrupt(port)
    with handing_back(repl, was_serving=was_serving):
        board = ensure_filesystem(repl, read_board_info(repl), may_wipe=may_wipe)
        was_serving = was_serving or board.serving
        if not board.serving and "trial" not in board.slots:
            repl.run(REMOVE_RESTART_FILE)
            return repl, dataclasses.replace(board, serving=was_serving)
        slots = {"slot": board.slot}  # without the trial, which would start its watchdog
        repl.restart(RESTART_AT_PROMPT.replace("SLOTS", repr(json.dumps(slots))))
    has_lost_files = board.lost_files
    repl = _wait_for_prompt(port)
    with handing_back(repl, was_serving=was_serving):
        board = dataclasses.replace(read_board_info(repl), lost_files=has_lost_files, serving=was_serving)
        repl.run(REMOVE_RESTART_FILE)
    return repl, board


@contextlib.contextmanager
def handing_back(repl: Repl, *, was_serving: bool) -> Iterator[None]:
    """Close the port if an error ends the context; a board that was in service goes on serving."""
    try:
        yield
    except BaseException as error:
        if not resume(repl, was_serving=was_serving) and not isinstance(error, BoardGoneError):
            raise FlashingError(f"{error} The board is still stopped: unplug it and plug it in again.") from error
        raise


def resume(repl: Repl, *, was_serving: bool) -> bool:
    """Restart a board that was serving, which would else stay at its prompt, and close the port.

    Return whether the board has understood.
    """
    return repl.restart(RESUME.replace("WAS_SERVING", repr(was_serving)))


def _interrupt(port: Port) -> tuple[Repl, bool]:
    """Return the REPL of the board, and whether the board was serving, as far as is known by now."""
    repl = Repl(port.path)
    try:
        if repl.enter():
            return repl, False
    except BaseException:
        repl.close()
        raise
    repl.close()
    if not _request_maintenance(port):
        raise FlashingError(
            f"Nothing on {port.path} answers: check that it is the board's port and that the cable carries data. A new "
            "board needs MicroPython: give --base. To stop a Pico in service, hold No and the seller's button while "
            "you plug it in."
        )
    return _wait_for_prompt(port), True


def _wait_for_prompt(port: Port) -> Repl:
    """Wait for the prompt of a board that is restarting."""
    end_s = time.monotonic() + RETURN_LIMIT_S
    while True:
        time.sleep(PAUSE_S)
        repl = None
        try:
            repl = Repl(find_again(port).path)
            if repl.enter():
                return repl
        except BoardGoneError:
            if time.monotonic() > end_s:
                raise
        if repl is not None:
            repl.close()
        if time.monotonic() > end_s:
            raise FlashingError(
                f"The board on {port.path} did not come back: pull its cable out, run this again, and hold No and the "
                "seller's button while you plug it in."
            )


def _request_maintenance(port: Port) -> bool:
    """Ask a console that sends messages over this line to restart at its prompt. Return whether it agreed."""
    output = ConsoleOutput(port)
    end_s = time.monotonic() + LISTEN_S
    try:
        while time.monotonic() < end_s:
            line = output.next_line(end_s - time.monotonic())
            if line is None:
                return False
            if line.leaf == "hello":
                expires_at_ms = int(time.time() * 1000) + EXPIRES_MS
                command = {"id": secrets.token_hex(4), "command": "maintenance", "expires_at_ms": expires_at_ms}
                output.send("command", command)
            elif line.leaf == "reply":
                if line.payload.get("ok"):
                    return True
                raise FlashingError(
                    f"The console on {port.path} is serving and refuses to stop "
                    f"({line.payload.get('reason')}): hold No and the seller's button while you plug it in."
                )
    finally:
        output.close()
    return False
