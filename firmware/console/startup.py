"""What the console finds when it starts. It is needed once, and let go of then."""

import json
import os
import sys
import time

import machine
from micropython import const

from console import events, health, update_slots

_KEY_DIGITS = const(64)
_HOLD_MS = const(2000)
WISHES = ("self_test", "flashed")


def found():
    """What `App` is made of, or None: the board is its technician's.

    That is (board, config, folder, code of `booted.reset`, news of an update, what a technician at its line wants).
    """
    config, folder = read_config()
    marker = take_marker(folder + "/restart")
    if marker == "maintenance":
        return None
    board = board_named(config.get("board"))
    if is_held_open(board):
        return None
    return board, config, folder, reset_kind(marker), update_slots.news(folder), marker if marker in WISHES else None


def is_held_open(board):
    """True if *No* and the seller's button are held down together from the start: nobody does that by chance."""
    pins = [
        machine.Pin(board.BUTTONS[button], machine.Pin.IN, machine.Pin.PULL_UP) for button in (events.NO, events.SELLER)
    ]
    for _ in range(_HOLD_MS // 50):
        if pins[0].value() or pins[1].value():
            return False
        time.sleep_ms(50)
    return True


def board_named(name):
    """The constants of a board, by its name or else by what the port tells."""
    if not name:
        name = {"linux": "unix", "rp2": "pico"}.get(sys.platform, sys.platform)
        if "Pico W" in getattr(sys.implementation, "_machine", ""):
            name = "pico_w"
    return __import__("boards." + name, None, None, ("NAME",))


def read_config():
    """(console.json as a dict, empty if it can't be used; the folder that it lies in)."""
    error = None
    for folder in ("", "/flash"):
        try:
            with open(folder + "/console.json") as file:
                config = json.load(file)
            check_key(config.get("key"))
            return config, folder
        except OSError as failed:
            error = failed
        except (ValueError, AttributeError) as failed:  # it is there: so is the flash
            health.report("console.json", failed)
            return {}, folder
    health.report("console.json", error)
    return {}, ""


def check_key(key):
    """Raises ValueError if a console's key is none; the message does not tell it."""
    if key is not None and not (
        isinstance(key, str) and len(key) == _KEY_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in key)
    ):
        raise ValueError("key is not 64 hexadecimal digits")


def take_marker(path):
    """What a wanted restart has written for this boot, or None."""
    try:
        with open(path) as file:
            word = file.read()
        os.remove(path)
        return word
    except OSError:
        return None


def reset_kind(marker):
    """The code of `booted.reset`."""
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
