"""Make the projects that open a console in the simulator Wokwi, from the pin table that the firmware itself uses.

`python -m simulator.drawings.wokwi` writes `firmware/boards/wokwi/*/`. The format of `diagram.json`, and the names of
parts and their pins, are described at https://docs.wokwi.com; positions are in its pixels.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.console.pinmap import FIRMWARE, PinMap, pin_map

FOLDER = FIRMWARE / "boards" / "wokwi"
LAMP_OHM = 220
SERIAL_PORT = 4000  # where Wokwi for VS Code offers the board's serial line

COLUMN, FIRST = 120, 190  # a button, its lamp and its resistor form a column to the right of the board
LAMP_TOP, RESISTOR_TOP, BUTTON_TOP = 0, 80, 140
LOOKS = {
    "yes": ("Yes", "green"),
    "no": ("No", "red"),
    "cant_say": ("Can't say", "orange"),
    "seller": ("Seller", "blue"),
}

Connection = list[Any]


@dataclass(frozen=True)
class WokwiBoard:
    """A board's names in Wokwi: its type, its pins, and the file of its MicroPython."""

    type: str
    prefix: str  # before a pin's number
    ground: str
    serial: tuple[str, str] | None  # transmit and receive; None if the serial line is the USB socket
    image: str


BOARDS = {
    "esp32": WokwiBoard("board-esp32-devkit-c-v4", "", "GND.1", ("TX", "RX"), "micropython.bin"),
    "pico_w": WokwiBoard("board-pi-pico-w", "GP", "GND.1", None, "micropython.uf2"),
}


def parts(board: WokwiBoard) -> Iterator[dict[str, Any]]:
    """Yield the board, four buttons with their lamps, and the sounder."""
    yield {"id": "board", "type": board.type, "left": 0, "top": 0, "attrs": {}}
    for place, (name, (label, colour)) in enumerate(LOOKS.items()):
        left = FIRST + COLUMN * place
        lamp = {"color": colour, "label": label}
        button = {"color": colour, "label": label, "key": name[0]}
        yield {"id": f"{name}_lamp", "type": "wokwi-led", "left": left, "top": LAMP_TOP, "attrs": lamp}
        resistor = {"id": f"{name}_resistor", "type": "wokwi-resistor", "left": left, "top": RESISTOR_TOP}
        yield resistor | {"attrs": {"value": str(LAMP_OHM)}}
        yield {"id": f"{name}_button", "type": "wokwi-pushbutton", "left": left, "top": BUTTON_TOP, "attrs": button}
    yield {"id": "sounder", "type": "wokwi-buzzer", "left": FIRST + COLUMN * len(LOOKS), "top": LAMP_TOP, "attrs": {}}


def connections(board: WokwiBoard, pins: PinMap) -> Iterator[Connection]:
    """Yield every wire: from, to, colour (empty: hidden), and an empty list, as its route is left to Wokwi."""
    ground = f"board:{board.ground}"
    for name, (_, colour) in LOOKS.items():
        yield [f"board:{board.prefix}{pins.buttons[name]}", f"{name}_button:1.l", colour, []]
        yield [f"{name}_button:2.l", ground, "black", []]
        yield [f"board:{board.prefix}{pins.lamps[name]}", f"{name}_resistor:1", colour, []]
        yield [f"{name}_resistor:2", f"{name}_lamp:A", colour, []]
        yield [f"{name}_lamp:C", ground, "black", []]
    yield [f"board:{board.prefix}{pins.sounder}", "sounder:2", "purple", []]
    yield ["sounder:1", ground, "black", []]
    if board.serial:
        transmit, receive = board.serial
        yield [f"board:{transmit}", "$serialMonitor:RX", "", []]
        yield [f"board:{receive}", "$serialMonitor:TX", "", []]


def diagram(name: str) -> str:
    """Return the text of `diagram.json` of the board called `name`: one part or wire per line."""
    board = BOARDS[name]
    lists = {"parts": parts(board), "connections": connections(board, pin_map(name, FIRMWARE))}
    head = [
        f'  "{key}": {json.dumps(value)}' for key, value in (("version", 1), ("author", "Trivox"), ("editor", "wokwi"))
    ]
    lines = {key: ",\n".join(f"    {json.dumps(item)}" for item in items) for key, items in lists.items()}
    return "{\n" + ",\n".join([*head, *(f'  "{key}": [\n{text}\n  ]' for key, text in lines.items())]) + "\n}\n"


def project(name: str) -> str:
    """Return the text of `wokwi.toml`, with which Wokwi for VS Code finds MicroPython and offers the serial line."""
    lines = ("[wokwi]", "version = 1", f'firmware = "{BOARDS[name].image}"', f"rfc2217ServerPort = {SERIAL_PORT}")
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Return the text of all files, by path."""
    diagrams = {FOLDER / name / "diagram.json": diagram(name) for name in BOARDS}
    return diagrams | {FOLDER / name / "wokwi.toml": project(name) for name in BOARDS}


def main() -> int:
    """Write all files; return the exit status."""
    argparse.ArgumentParser(prog="python -m simulator.drawings.wokwi", description=__doc__).parse_args()
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
