"""The drawings of the wiring match the firmware's pin tables."""

import re
import runpy
import xml.etree.ElementTree as ET

import pytest

from simulator.drawings import wiring
from simulator.drawings.board_headers import HEADERS

README = (wiring.BOARDS / "README.md").read_text(encoding="utf-8")
NAMES = ["Yes button", "No button", "Can't say button", "Seller button"]
LAMPS = ["Yes lamp", "No lamp", "Can't say lamp", "Seller lamp"]


def pins_of(name: str) -> dict[str, int]:
    board = runpy.run_path(str(wiring.BOARDS / f"{name}.py"))
    named = dict(zip(NAMES + LAMPS, [*board["BUTTONS"], *board["LAMPS"]], strict=True))
    return named | {"Piezo": board["SOUNDER"], "DFPlayer RX": board["PLAYER"][1], "DFPlayer TX": board["PLAYER"][2]}


def test_each_board_with_pins_has_a_drawing() -> None:
    boards = {path.stem for path in wiring.BOARDS.glob("*.py")} - {"__init__", "unix"}
    assert boards == set(HEADERS)


@pytest.mark.parametrize("name", HEADERS)
def test_the_drawing_is_what_the_pin_table_says(name: str) -> None:
    drawn = wiring.Drawing(name).svg
    kept = (wiring.BOARDS / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == drawn, "run: .venv/bin/python -m simulator.drawings.wiring"
    ET.fromstring(kept)  # noqa: S314 - our own file


@pytest.mark.parametrize("name", HEADERS)
def test_every_pin_in_use_is_on_the_board_once_and_drawn(name: str) -> None:
    header = HEADERS[name]
    printed = [*header.left, *header.right]
    used = [f"{header.prefix}{number}" for number in pins_of(name).values()]
    assert len(used) == len(set(used)) == 11
    drawing = wiring.Drawing(name)
    for pin in used:
        assert printed.count(pin) == 1
        assert any(pin == wired for _, wired in drawing.wired)


@pytest.mark.parametrize("wires", [[(0, -9), (30, 10), (60, 62), (90, 95)], [(0, 4), (30, 31), (60, 52), (90, 70)]])
def test_wires_in_order_do_not_cross(wires: list[tuple[float, float]]) -> None:
    tracks = wiring.turns(wires)
    for one, (start, end) in enumerate(wires):
        for other, (_, _) in enumerate(wires):
            if one == other:
                continue
            low, high = sorted(wires[other])
            assert not (low < start < high and tracks[other] < tracks[one]), "its way out of the board is crossed"
            assert not (low < end < high and tracks[other] > tracks[one]), "its way to the part is crossed"


@pytest.mark.parametrize("name", HEADERS)
def test_the_readme_shows_the_drawing_and_the_pins(name: str) -> None:
    section = re.split(r"^## ", README, flags=re.MULTILINE)
    here = next(part for part in section if part.partition("\n")[0] == HEADERS[name].title)
    assert f"({name}.svg)" in here
    told = dict(re.findall(r"^\| ([\w' ]+) \| (\w+) \|", here, re.MULTILINE))
    assert {part: told[part] for part in pins_of(name)} == {
        part: f"{HEADERS[name].prefix}{number}" for part, number in pins_of(name).items()
    }
