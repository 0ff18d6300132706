"""What a board says of itself, asked by a program that it runs: which it is, what lies on it, who it has been."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bridge.ops.flash.errors import BoardRefusedError, FlashError
from bridge.ops.flash.repl import Repl
from bridge.wire.contract import valid_id

OLDEST = (1, 25)
SLOTS = ("a", "b")
RESTART = "/restart"

SURVEY = """
import json, machine, os, sys
from binascii import hexlify
def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None
try:
    names = os.listdir("/")
except OSError:
    names = None
print(json.dumps({
    "platform": sys.platform, "machine": getattr(sys.implementation, "_machine", ""),
    "version": list(sys.implementation.version[:3]), "base": sys.version,
    "hardware_id": hexlify(machine.unique_id()).decode(),
    "names": names, "console": read("/console.json"), "slots": read("/slots.json"),
    "serving": "console.app" in sys.modules}))
"""

# What waits in the outbox, by the firmware that keeps it: its files are nobody else's. Counts as a restart.
WAITING = """
import sys
slot = SLOT
if slot:
    sys.path.insert(0, slot)
from boards import BOARD as board
from console import events
from console.outbox import Outbox
outbox = Outbox("/outbox", events.encode, events.decode, board.PROG_SIZE)
outbox.open()
epoch, first, end = outbox.delivery()
print(end - first + (outbox.next - outbox.first if epoch != outbox.epoch else 0))
"""


@dataclass
class BoardInfo:
    """A board as it lay there when it was asked.

    `machine` and `base` are MicroPython's words for the board and for itself, `names` what the filesystem holds, None
    where there is none.
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

    @property
    def identity(self) -> tuple[str, str] | None:
        """Which console it is by its `console.json`."""
        site_id, console_id = ((self.console or {}).get(key) for key in ("site_id", "console_id"))
        if isinstance(site_id, str) and isinstance(console_id, str) and valid_id(site_id) and valid_id(console_id):
            return site_id, console_id
        return None

    @property
    def slot(self) -> str:
        """The slot of the version in force; "" is the one beside `main.py`, or none."""
        slot = self.slots.get("slot")
        return slot if slot in SLOTS else ""


def look_at(repl: Repl) -> BoardInfo:
    """Ask the board at the prompt; BoardError if it is none for a console."""
    said = repl.ask(SURVEY)
    kind = _kind(said["platform"], said["machine"])
    version = ".".join(str(number) for number in said["version"])
    if kind is None:
        raise FlashError(
            f"On {repl.path} is {said['machine'] or said['platform']}, on which no console runs: take an ESP32, a "
            "Raspberry Pi Pico W or a Pico."
        )
    if tuple(said["version"]) < OLDEST:
        raise FlashError(f"MicroPython {version} on {repl.path} is too old: give a base of 1.25 or newer with --base.")
    config, slots = (said[key] if isinstance(said[key], dict) else None for key in ("console", "slots"))
    base = said["base"].partition("; ")[2]
    return BoardInfo(
        kind, said["machine"], said["hardware_id"], version, base, said["names"], config, slots or {}, said["serving"]
    )


def waiting(repl: Repl, board: BoardInfo) -> int | None:
    """How many events wait in its outbox for the bridge; None if its own firmware can't tell."""
    if "outbox" not in (board.names or ()):
        return 0
    try:
        return int(repl.run(WAITING.replace("SLOT", repr(board.slot)).replace("BOARD", board.kind)))
    except (BoardRefusedError, ValueError):
        return None


def _kind(platform: str, machine: str) -> str | None:
    """The name in `firmware/boards` of a board by what MicroPython calls it."""
    if platform == "rp2" and machine.endswith("RP2040") and "Pico" in machine:
        return "pico_w" if "Pico W" in machine else "pico"
    if platform == "esp32" and re.search(r"\bESP32\b", machine):
        return "esp32"
    return None
