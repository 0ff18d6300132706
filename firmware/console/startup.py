"""Read what the console starts with: its configuration, board and reason. Needed once, then unloaded."""

import json
import os
import sys
import time

import machine
from micropython import const

from console import events, health, update_slots

_KEY_DIGITS = const(64)
_HOLD_MS = const(2000)
PURPOSES = ("self_test", "flashed")


def app_arguments():
    """Return the arguments of `App`, or None if the board is to be left to a technician.

    They are (board, config, folder, code of `booted.reset`, state of an update's trial, purpose of a technician's
    restart).
    """
    config, folder = read_config()
    marker = take_marker(folder + "/restart")
    if marker == "maintenance":
        return None
    board = board_named(config.get("board"))
    if is_held_for_repl(board):
        return None
    purpose = marker if marker in PURPOSES else None
    return board, config, folder, reset_kind(marker), update_slots.trial_state(folder), purpose


def is_held_for_repl(board):
    """Return whether *No* and the seller's button are held together from the start, which nobody does by chance."""
    pins = [
        machine.Pin(board.BUTTONS[button], machine.Pin.IN, machine.Pin.PULL_UP) for button in (events.NO, events.SELLER)
    ]
    for _ in range(_HOLD_MS // 50):
        if pins[0].value() or pins[1].value():
            return False
        time.sleep_ms(50)
    return True


def board_named(name):
    """Return the constants of a board, by its name or, without one, by the port."""
    if not name:
        name = {"linux": "unix", "rp2": "pico"}.get(sys.platform, sys.platform)
        if "Pico W" in getattr(sys.implementation, "_machine", ""):
            name = "pico_w"
    return __import__("boards." + name, None, None, ("NAME",))


def read_config():
    """Return (console.json as a dict, empty if it can't be used; the folder of the console's files).

    Our own image keeps a copy outside the filesystem, in `/rom`.
    """
    error, files = None, ""
    for folder in ("", "/flash", "/rom"):
        try:
            with open(folder + "/console.json") as file:
                config = json.load(file)
            if folder != "/rom":
                files = folder
            check_key(config.get("key"))
            return config, files
        except OSError as failed:
            error = error or failed
        except (ValueError, AttributeError) as failed:
            error = failed
    health.report("console.json", error)
    return {}, files


def check_key(key):
    """Raise ValueError if a console's key is not valid; the message does not show it."""
    if key is not None and not (
        isinstance(key, str) and len(key) == _KEY_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in key)
    ):
        raise ValueError("key is not 64 hexadecimal digits")


def take_marker(path):
    """Return what an intended restart left for this boot in the file `path`, or None; remove the file."""
    try:
        with open(path) as file:
            word = file.read()
        os.remove(path)
        return word
    except OSError:
        return None


def reset_kind(marker):
    """Return the code of `booted.reset`."""
    if marker:
        return events.SOFT
    cause = machine.reset_cause()
    for name, code in (
        ("PWRON_RESET", events.POWER_ON),
        ("HARD_RESET", events.HARD),
        ("WDT_RESET", events.WATCHDOG),
        ("SOFT_RESET", events.SOFT),
    ):
        if getattr(machine, name, None) == cause:
            return code
    return events.UNKNOWN
