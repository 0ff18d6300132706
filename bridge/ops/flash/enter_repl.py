"""The way to a board's prompt, whatever it is doing: waiting, serving as a console, or refusing to be stopped.

A console's watchdog outlives Ctrl-C: a board that was serving is restarted with the word to leave the prompt to its
technician. A board without radio is asked by a message, as its line is the bridge's; where it does not obey that,
since it knows no time, two held buttons do the same (`firmware/console/startup.py`).
"""

from __future__ import annotations

import json
import secrets
import time

from bridge.ops.flash.board_info import RESTART, BoardInfo, look_at
from bridge.ops.flash.console_output import Output
from bridge.ops.flash.errors import BoardGoneError, FlashError
from bridge.ops.flash.ports import Port, again
from bridge.ops.flash.repl import Repl

RETURN_LIMIT_S = 30.0
LISTEN_S = 15.0  # a console on a serial line says hello every 10 s
EXPIRES_MS = 60_000
PAUSE_S = 0.3

LEAVE_PROMPT = f"""
import machine, os
with open("/slots.json.new", "w") as file:
    file.write(SLOTS)
os.rename("/slots.json.new", "/slots.json")
with open("{RESTART}", "w") as file:
    file.write("maintenance")
machine.reset()
"""
TAKE_WORD = f"""
import os
try:
    os.remove("{RESTART}")
except OSError:
    pass
"""


def reach(port: Port) -> tuple[Repl, BoardInfo]:
    """The prompt of the board at `port`, which serves no longer, and what it says of itself."""
    repl = _prompt(port)
    try:
        board = look_at(repl)
        if board.serving or "trial" in board.slots:
            slots = {"slot": board.slot}  # a trial would start its watchdog: it is over
            repl.restart(LEAVE_PROMPT.replace("SLOTS", repr(json.dumps(slots))))
            repl = _returned(port)
            board = look_at(repl)
        repl.run(TAKE_WORD)
    except BaseException:
        repl.close()
        raise
    return repl, board


def _prompt(port: Port) -> Repl:
    repl = Repl(port.path)
    try:
        if repl.enter():
            return repl
    except BaseException:
        repl.close()
        raise
    repl.close()
    if not _asked_by_message(port):
        raise FlashError(
            f"Nothing on {port.path} answers: see that it is the board's port and the cable carries data; put "
            "MicroPython on a new board with --base; a Pico in service gives way if No and the seller's button are "
            "held while it is plugged in."
        )
    return _returned(port)


def _returned(port: Port) -> Repl:
    """The prompt of a board that is just restarting."""
    end_s = time.monotonic() + RETURN_LIMIT_S
    while True:
        time.sleep(PAUSE_S)
        repl = None
        try:
            repl = Repl(again(port).path)
            if repl.enter():
                return repl
        except BoardGoneError:
            if time.monotonic() > end_s:
                raise
        if repl is not None:
            repl.close()
        if time.monotonic() > end_s:
            raise FlashError(f"The board on {port.path} did not come back: pull its cable out, and run this again.")


def _asked_by_message(port: Port) -> bool:
    """Ask a console that speaks over this line to leave its prompt; whether it will."""
    output = Output(port)
    end_s = time.monotonic() + LISTEN_S
    try:
        while time.monotonic() < end_s:
            said = output.next(end_s - time.monotonic())
            if said is None:
                return False
            if said.leaf == "hello":
                expires_at_ms = int(time.time() * 1000) + EXPIRES_MS
                command = {"id": secrets.token_hex(4), "command": "maintenance", "expires_at_ms": expires_at_ms}
                output.send("command", command)
            elif said.leaf == "reply":
                if said.payload.get("ok"):
                    return True
                raise FlashError(
                    f"The console on {port.path} serves and does not let itself be stopped "
                    f"({said.payload.get('reason')}): hold No and the seller's button while you plug it in."
                )
    finally:
        output.close()
    return False
