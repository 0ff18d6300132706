"""Read what a board is, what is on it and which console it has been, with a program that it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.repl import Repl
from bridge.text import valid_id

OLDEST_MICROPYTHON = (1, 25)
SLOTS = ("a", "b")
RESTART_FILE = "/restart"

NO_DEVICE = 19  # the error at the root if nothing is mounted there

BOARD_QUERY = f"""
import json, machine, os, sys
from binascii import hexlify
def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None
try:
    os.stat("/console.json")
    names = os.listdir("/")
except OSError as error:
    names = None if error.errno == {NO_DEVICE} else os.listdir("/")
try:
    import flash_guard
    guarded = True
except ImportError:
    guarded = False
print(json.dumps({{
    "platform": sys.platform, "machine": getattr(sys.implementation, "_machine", ""),
    "version": list(sys.implementation.version[:3]), "base": sys.version,
    "hardware_id": hexlify(machine.unique_id()).decode(),
    "names": names, "guarded": guarded, "console": read("/console.json"), "slots": read("/slots.json"),
    "serving": "console.app" in sys.modules}}))
"""


@dataclass
class BoardInfo:
    """A board as it was when it was queried.

    `machine` and `base` are MicroPython's names for the board and for its own build. `names` are the files at the root
    of the filesystem, or None if there is no filesystem. `guarded` says whether `firmware/flash_guard.py` is there.
    `lost_files` is set if a filesystem that could not be mounted was replaced.
    """

    kind: str
    machine: str
    hardware_id: str
    micropython: str
    base: str
    names: list[str] | None
    console: dict[str, Any] | None
    slots: dict[str, Any] = field(default_factory=dict)
    serving: bool = False
    guarded: bool = False
    lost_files: bool = False

    @property
    def has_own_image(self) -> bool:
        """Return whether, without a filesystem, the board's MicroPython is an image with the firmware frozen in."""
        return self.names is None and self.guarded

    @property
    def identity(self) -> tuple[str, str] | None:
        """Return the site and console in its `console.json`, or None if there are none."""
        site_id, console_id = ((self.console or {}).get(key) for key in ("site_id", "console_id"))
        if isinstance(site_id, str) and isinstance(console_id, str) and valid_id(site_id) and valid_id(console_id):
            return site_id, console_id
        return None

    @property
    def slot(self) -> str:
        """Return the slot of the active firmware; "" means the version beside `main.py`, or none."""
        slot = self.slots.get("slot")
        return slot if slot in SLOTS else ""


def read_board_info(repl: Repl) -> BoardInfo:
    """Query the board at its prompt. Raises FlashingError if no console runs on such a board."""
    answer = repl.ask(BOARD_QUERY)
    kind = _kind(answer["platform"], answer["machine"])
    version = ".".join(str(number) for number in answer["version"])
    if kind is None:
        raise FlashingError(
            f"The board on {repl.path} ({answer['machine'] or answer['platform']}) cannot be a console: use an "
            "ESP32, a Raspberry Pi Pico W or a Pico."
        )
    if tuple(answer["version"]) < OLDEST_MICROPYTHON:
        raise FlashingError(
            f"MicroPython {version} on {repl.path} is too old: give MicroPython 1.25 or newer with --base."
        )
    config, slots = (answer[key] if isinstance(answer[key], dict) else None for key in ("console", "slots"))
    base = answer["base"].partition("; ")[2]
    return BoardInfo(
        kind,
        answer["machine"],
        answer["hardware_id"],
        version,
        base,
        answer["names"],
        config,
        slots or {},
        answer["serving"],
        answer["guarded"],
    )


def _kind(platform: str, machine: str) -> str | None:
    """Return a board's name in `firmware/boards`, by what MicroPython calls it, or None if it has none."""
    if platform == "rp2" and machine.endswith("RP2040") and "Pico" in machine:
        return "pico_w" if "Pico W" in machine else "pico"
    if platform == "esp32" and re.search(r"\bESP32\b", machine):
        return "esp32"
    return None
