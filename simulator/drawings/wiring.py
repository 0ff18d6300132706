"""Draw how the parts of a console are wired to its board, from the pin table that the firmware itself uses.

`python -m simulator.drawings.wiring` writes `firmware/boards/*.svg`. Distances `d` are measured outwards from the
board's edge, so that both sides are drawn by the same rules; all numbers are pixels.
"""

import runpy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from simulator.drawings.board_headers import HEADERS, Header

BOARDS = Path(__file__).parents[2] / "firmware" / "boards"

BUTTONS = {"yes": "Yes", "no": "No", "cant_say": "Can't say", "seller": "Seller"}
COLOURS = {
    "yes": ("#2b8a3e", "Yes"),
    "no": ("#d6336c", "No"),
    "cant_say": ("#c77700", "Can't say"),
    "seller": ("#1c7ed6", "Seller"),
    "sound": ("#7048e8", "Sound"),
    "power": ("#e03131", "5 V"),
    "ground": ("#495057", "Ground"),
}
PAPER, INK, FAINT = "#fdfcf9", "#212529", "#868e96"

PITCH = 34  # between pins
BOARD_WIDTH = 210
PARTS, PART_WIDTH = 130, 200  # where the parts begin, and how far they reach
RAIL = PARTS + PART_WIDTH + 24
COLUMN = RAIL + 30
FREE_COLUMN = 50  # a side without parts
TRACK, TRACK_GAP = 26, 13  # where wires turn
TOP, BOTTOM = 84, 110
GAP = 10  # between parts


def text(x: float, y: float, words: str, *, size: int = 12, colour: str = INK, anchor: str = "middle") -> str:
    """Draw a line of text; `y` is its baseline."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'


def line(points: Sequence[tuple[float, float]], colour: str, width: float = 2.2) -> str:
    """Draw a wire through these points."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def box(x: float, y: float, width: float, height: float, *, fill: str = "none", stroke: str = FAINT) -> str:
    """Draw a rectangle with round corners."""
    shape = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"'
    return f'<rect {shape} fill="{fill}" stroke="{stroke}"/>'


def dot(x: float, y: float, radius: float, *, fill: str, stroke: str = "none") -> str:
    """Draw a filled circle."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{stroke}" stroke-width="2"/>'


@dataclass(frozen=True)
class Side:
    """One side of the board, which turns distances from its edge into places on the paper."""

    edge: float
    sign: int

    def x(self, d: float) -> float:
        """Return the x of the distance `d` from the board's edge."""
        return self.edge + self.sign * d

    def wire(self, points: Sequence[tuple[float, float]], colour: str) -> str:
        """Draw a wire through points given as (d, y)."""
        return line([(self.x(d), y) for d, y in points], colour)

    def box(self, d: float, y: float, width: float, height: float, *, fill: str = "none", stroke: str = FAINT) -> str:
        """Draw a rectangle that begins at `d` and extends outwards."""
        return box(min(self.x(d), self.x(d + width)), y, width, height, fill=fill, stroke=stroke)

    def text(self, d: float, y: float, words: str, *, size: int = 12, colour: str = INK) -> str:
        """Draw text centred at `d`."""
        return text(self.x(d), y, words, size=size, colour=colour)


@dataclass(frozen=True)
class WiringPart:
    """A part beside the board: the printed names of its pins, its size, and a function that draws it from top `y`."""

    colour: str
    pins: tuple[str, ...]
    height: float
    terminals: tuple[float, ...]  # from its top, one for each pin
    draw: Callable[[Side, float], Iterator[str]]


def resistor(side: Side, d: float, y: float, words: str, colour: str) -> Iterator[str]:
    """Draw a resistor, 44 long, in a wire at height `y`."""
    yield side.box(d, y - 9, 44, 18, fill=PAPER, stroke=colour)
    yield side.text(d + 22, y + 4, words, size=11)


def switch(name: str) -> WiringPart:
    """Return a button's switch, which closes to ground."""
    colour = COLOURS[name][0]

    def draw(side: Side, y: float) -> Iterator[str]:
        yield side.text(PARTS + 100, y + 15, f"{BUTTONS[name]}: button")
        level = y + 34
        yield side.wire([(PARTS, level), (PARTS + 80, level)], colour)
        yield side.wire([(PARTS + 82, level - 2), (PARTS + 118, level - 13)], INK)
        yield side.wire([(PARTS + 120, level), (RAIL, level)], COLOURS["ground"][0])
        for d in (PARTS + 80, PARTS + 120):
            yield dot(side.x(d), level, 4, fill=PAPER, stroke=INK)
        yield dot(side.x(RAIL), level, 4, fill=COLOURS["ground"][0])

    return WiringPart(colour, (), 48, (34,), draw)


def lamp(name: str) -> WiringPart:
    """Return a button's lamp: a resistor, and an LED to ground."""
    colour = COLOURS[name][0]

    def draw(side: Side, y: float) -> Iterator[str]:
        yield side.text(PARTS + 100, y + 15, f"{BUTTONS[name]}: lamp")
        level = y + 36
        yield side.wire([(PARTS, level), (PARTS + 110, level)], colour)
        yield from resistor(side, PARTS + 30, level, "220 Ω", colour)
        yield side.wire([(PARTS + 128, level), (RAIL, level)], COLOURS["ground"][0])
        corners = [(PARTS + 110, level - 9), (PARTS + 110, level + 9), (PARTS + 127, level)]
        points = " ".join(f"{side.x(d):g},{at:g}" for d, at in corners)
        yield f'<polygon points="{points}" fill="{colour}"/>'
        yield side.wire([(PARTS + 128, level - 9), (PARTS + 128, level + 9)], INK)
        for start in (132, 140):  # rays of light
            yield line([(side.x(PARTS + start), level - 7), (side.x(PARTS + start + 7), level - 15)], colour, 1.5)
        yield dot(side.x(RAIL), level, 4, fill=COLOURS["ground"][0])

    return WiringPart(colour, (), 52, (36,), draw)


def sounder() -> WiringPart:
    """Return the piezo, to ground."""
    colour = COLOURS["sound"][0]

    def draw(side: Side, y: float) -> Iterator[str]:
        yield side.text(PARTS + 100, y + 14, "Piezo (passive)")
        level = y + 38
        yield side.wire([(PARTS, level), (PARTS + 105, level)], colour)
        yield side.wire([(PARTS + 135, level), (RAIL, level)], COLOURS["ground"][0])
        yield dot(side.x(PARTS + 120), level, 16, fill="#f1e3c0", stroke=INK)
        yield dot(side.x(PARTS + 120), level, 9, fill="#dcdcdc", stroke=FAINT)
        yield dot(side.x(RAIL), level, 4, fill=COLOURS["ground"][0])

    return WiringPart(colour, (), 62, (38,), draw)


def player() -> WiringPart:
    """Return the DFPlayer Mini with its speaker; its third terminal takes 5 V."""
    colour = COLOURS["sound"][0]

    def draw(side: Side, y: float) -> Iterator[str]:
        yield side.text(PARTS + 100, y + 17, "DFPlayer Mini")
        yield side.wire([(PARTS, y + 46), (PARTS + 62, y + 46)], colour)
        yield from resistor(side, PARTS + 9, y + 46, "1 kΩ", colour)
        yield side.wire([(PARTS, y + 76), (PARTS + 62, y + 76)], colour)
        yield side.wire([(PARTS, y + 106), (PARTS + 62, y + 106)], COLOURS["power"][0])
        yield side.wire([(PARTS + 146, y + 46), (RAIL, y + 46)], COLOURS["ground"][0])
        yield dot(side.x(RAIL), y + 46, 4, fill=COLOURS["ground"][0])
        yield side.box(PARTS + 62, y + 28, 84, 96, fill="#24324a", stroke=INK)
        for words, d, level in (("RX", 78, 46), ("TX", 78, 76), ("VCC", 82, 106), ("GND", 128, 46), ("SPK", 129, 91)):
            yield side.text(PARTS + d, y + level + 4, words, size=11, colour="#ffffff")
        for level in (82, 100):
            yield side.wire([(PARTS + 146, y + level), (PARTS + 168, y + level)], INK)
        yield side.box(PARTS + 168, y + 80, 9, 22, fill="#ced4da", stroke=INK)
        cone = [(177, 80), (189, 70), (189, 112), (177, 102)]
        points = " ".join(f"{side.x(PARTS + d):g},{y + level:g}" for d, level in cone)
        yield f'<polygon points="{points}" fill="#ced4da" stroke="{INK}"/>'
        yield side.text(PARTS + 176, y + 124, "8 Ω", size=11)

    return WiringPart(colour, (), 134, (46, 76), draw)


def parts_of(board: dict[str, Any], header: Header) -> list[WiringPart]:
    """Return all parts of a console, with their pins according to the firmware's board module."""

    def on(part: WiringPart, *numbers: int) -> WiringPart:
        return WiringPart(
            part.colour, tuple(f"{header.prefix}{n}" for n in numbers), part.height, part.terminals, part.draw
        )

    _, transmit, receive = board["PLAYER"]
    return [
        *(on(switch(name), pin) for name, pin in zip(BUTTONS, board["BUTTONS"], strict=True)),
        *(on(lamp(name), pin) for name, pin in zip(BUTTONS, board["LAMPS"], strict=True)),
        on(sounder(), board["SOUNDER"]),
        on(player(), transmit, receive),
    ]


def ground() -> WiringPart:
    """Return the wire between a board's ground pin and the ground rail."""
    colour = COLOURS["ground"][0]

    def draw(side: Side, y: float) -> Iterator[str]:
        yield side.wire([(PARTS, y + 8), (RAIL, y + 8)], colour)
        yield dot(side.x(RAIL), y + 8, 4, fill=colour)

    return WiringPart(colour, ("GND",), 16, (8,), draw)


def turns(wires: Sequence[tuple[float, float]]) -> list[float]:
    """Return the distance at which each wire turns so that no two cross; a wire is (pin's y, terminal's y)."""
    tracks: list[float] = []
    for rising, run in groupby(wires, key=lambda wire: wire[1] <= wire[0]):
        places = [TRACK + TRACK_GAP * place for place in range(len(list(run)))]
        tracks += places if rising else reversed(places)
    return tracks


class Drawing:
    """The drawing of one board with its parts; `svg` is the whole file."""

    def __init__(self, name: str) -> None:
        """Draw the board called `name` in `firmware/boards`."""
        self.header = HEADERS[name]
        parts = parts_of(runpy.run_path(str(BOARDS / f"{name}.py")), self.header)
        on_left, on_right = (self._stack(parts, pins) for pins in (self.header.left, self.header.right))
        left = COLUMN if on_left else FREE_COLUMN
        self.width = left + BOARD_WIDTH + (COLUMN if on_right else FREE_COLUMN)
        board_height = PITCH * len(self.header.left)
        tallest = max(sum(part.height + GAP for part in stack) for stack in (on_left, on_right))
        self.inner = max(board_height, tallest)
        self.board_top = TOP + (self.inner - board_height) / 2
        self.height = TOP + self.inner + BOTTOM
        self.sides = {"left": Side(left, -1), "right": Side(left + BOARD_WIDTH, 1)}
        self.drawn: list[str] = []
        self.power_terminal: tuple[Side, float] | None = None  # where the player takes its 5 V
        self.wired: set[tuple[str, str]] = set()  # side, and what is printed at the pin
        for side, stack in zip(self.sides, (on_left, on_right), strict=True):
            self._draw_side(side, stack)
        self._draw_power()
        self._draw_board()
        self._draw_words()

    @property
    def svg(self) -> str:
        """The content of the SVG file."""
        size = f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" height="{self.height:g}"'
        font = 'font-family="DejaVu Sans, Verdana, Helvetica, sans-serif"'
        paper = box(1, 1, self.width - 2, self.height - 2, fill=PAPER, stroke="#dee2e6")
        start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">'
        title = f"<title>Wiring of a console with {escape(self.header.title)}</title>"
        return "\n".join([start, title, paper, *self.drawn, "</svg>", ""])

    @staticmethod
    def _stack(parts: list[WiringPart], pins: tuple[str, ...]) -> list[WiringPart]:
        """Return the parts on one side in the order of their pins, with that side's ground wire."""
        on_side = [part for part in parts if part.pins[0] in pins]
        return sorted([*on_side, ground()], key=lambda part: pins.index(part.pins[0])) if on_side else []

    def _pin_y(self, side: str, name: str) -> float:
        pins: tuple[str, ...] = getattr(self.header, side)
        return self.board_top + PITCH * (pins.index(name) + 0.5)

    def _draw_side(self, side_name: str, stack: list[WiringPart]) -> None:
        side = self.sides[side_name]
        y = TOP + (self.inner - sum(part.height + GAP for part in stack)) / 2
        wires, colours, grounds = [], [], []
        for part in stack:
            if part.height > ground().height:
                self.drawn.append(side.box(PARTS, y, PART_WIDTH, part.height, fill="#f3f1ea", stroke="#dcd8cc"))
            self.drawn += part.draw(side, y)
            grounds.append(y + part.terminals[0])
            for pin, terminal in zip(part.pins, part.terminals, strict=True):
                wires.append((self._pin_y(side_name, pin), y + terminal))
                colours.append(part.colour)
                self.wired.add((side_name, pin))
            if len(part.pins) > 1:
                self.power_terminal = side, y + 106
            y += part.height + GAP
        for (start, end), turn, colour in zip(wires, turns(wires), colours, strict=True):
            self.drawn.append(side.wire([(0, start), (turn, start), (turn, end), (PARTS, end)], colour))
        if grounds:
            self.drawn.append(side.wire([(RAIL, grounds[0]), (RAIL, grounds[-1])], COLOURS["ground"][0]))

    def _draw_power(self) -> None:
        """Draw the 5 V wire from its pin, round the board's lower end, to the player on the other side."""
        if self.power_terminal is None:
            raise ValueError("the board has no player")
        side, terminal = self.power_terminal
        other = next(name for name, candidate in self.sides.items() if candidate != side)
        self.wired.add((other, self.header.power))
        pin = self._pin_y(other, self.header.power)
        bottom = TOP + self.inner + 26
        out = self.sides[other].x(24)
        near = side.x(PARTS - 14)
        points = [(self.sides[other].x(0), pin), (out, pin), (out, bottom), (near, bottom), (near, terminal)]
        self.drawn.append(line([*points, (side.x(PARTS), terminal)], COLOURS["power"][0]))

    def _draw_board(self) -> None:
        left, height = self.sides["left"].edge, PITCH * len(self.header.left)
        self.drawn.append(box(left, self.board_top, BOARD_WIDTH, height, fill=self.header.colour, stroke=INK))
        middle = left + BOARD_WIDTH / 2
        usb = self.board_top - 12 if self.header.usb_on_top else self.board_top + height - 26
        self.drawn += [
            box(middle - 26, usb, 52, 38, fill="#ced4da", stroke=INK),
            text(middle, usb + 24, "USB", size=11),
            box(middle - 34, self.board_top + height / 2 - 34, 68, 68, fill="#101214", stroke=FAINT),
        ]
        words = self.header.chip.split("-")
        first = self.board_top + height / 2 + 4 - 8 * (len(words) - 1)
        self.drawn += [text(middle, first + 16 * n, word, size=11, colour="#e9ecef") for n, word in enumerate(words)]
        for side_name, side in self.sides.items():
            pins: tuple[str, ...] = getattr(self.header, side_name)
            for place, pin in enumerate(pins):
                self._draw_pin(side, place, pin, wired=(side_name, pin) in self.wired and pins.index(pin) == place)

    def _draw_pin(self, side: Side, place: int, name: str, *, wired: bool) -> None:
        y = self.board_top + PITCH * (place + 0.5)
        self.drawn.append(dot(side.x(0), y, 6, fill="#f2c14e" if wired else "#8d8a80", stroke=INK))
        anchor = "start" if side.sign < 0 else "end"
        colour = "#ffffff" if wired else "#9aa5a0"
        words = name
        if self.header.numbered:
            number = place + 1 if side.sign < 0 else 2 * len(self.header.left) - place
            words = f"{number} {name}" if side.sign < 0 else f"{name} {number}"
        self.drawn.append(text(side.x(-13), y + 4, words, size=12 if wired else 10, colour=colour, anchor=anchor))

    def _draw_words(self) -> None:
        self.drawn += [
            text(24, 36, self.header.title, size=20, anchor="start"),
            text(
                24, 58, "Switch and lamp of one colour sit in the same button.", size=12, colour=FAINT, anchor="start"
            ),
        ]
        x, y = 24.0, self.height - 56
        for colour, words in COLOURS.values():
            self.drawn += [line([(x, y), (x + 26, y)], colour, 4), text(x + 33, y + 4, words, anchor="start")]
            x += 50 + 8 * len(words)
        note = "Crossing wires touch only where there is a dot. The board is powered through USB."
        self.drawn.append(text(24, self.height - 24, note, size=12, colour=FAINT, anchor="start"))


def main() -> None:
    """Write the drawings into the folder of the pin tables."""
    for name in HEADERS:
        (BOARDS / f"{name}.svg").write_text(Drawing(name).svg, encoding="utf-8")


if __name__ == "__main__":
    main()
