"""The projects for Wokwi match the firmware's pin tables, and use the names in Wokwi's documentation."""

import json
import re
import runpy
import tomllib
from typing import Any

import pytest

from simulator.drawings import wokwi

README = (wokwi.FOLDER / "README.md").read_text(encoding="utf-8")
NAMES = ["yes", "no", "cant_say", "seller"]

# From docs.wokwi.com/parts, and wokwi-boards/boards/esp32-devkit-c-v4/board.json.
PINS = {
    "board-esp32-devkit-c-v4": {
        *(
            "3V3",
            "EN",
            "VP",
            "VN",
            "34",
            "35",
            "32",
            "33",
            "25",
            "26",
            "27",
            "14",
            "12",
            "GND.1",
            "13",
            "D2",
            "D3",
            "CMD",
        ),
        *("5V", "GND.2", "23", "22", "TX", "RX", "21", "GND.3", "19", "18", "5", "17", "16", "4", "0", "2", "15", "D1"),
        *("D0", "CLK"),
    },
    "board-pi-pico-w": {
        *(f"GP{number}" for number in (*range(23), 26, 27, 28)),
        *(f"GND.{number}" for number in range(1, 9)),
        *("VSYS", "VBUS", "3V3"),
    },
    "wokwi-pushbutton": {"1.l", "1.r", "2.l", "2.r"},
    "wokwi-led": {"A", "C"},
    "wokwi-resistor": {"1", "2"},
    "wokwi-buzzer": {"1", "2"},
}
ATTRIBUTES = {
    "wokwi-pushbutton": {"color", "label", "key"},
    "wokwi-led": {"color", "label"},
    "wokwi-resistor": {"value"},
}


def read(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((wokwi.FOLDER / name / "diagram.json").read_text(encoding="utf-8"))
    return made


def joined(name: str) -> set[frozenset[str]]:
    """Return every pair of pins that a wire joins."""
    return {frozenset(connection[:2]) for connection in read(name)["connections"]}


def test_there_is_a_project_of_each_board_with_a_radio() -> None:
    tables = {path.stem: runpy.run_path(str(path)) for path in wokwi.FOLDER.parent.glob("*.py")}
    radios = {name for name, table in tables.items() if table.get("RADIO") and name != "unix"}
    assert radios == set(wokwi.BOARDS) == {path.name for path in wokwi.FOLDER.iterdir() if path.is_dir()}


@pytest.mark.parametrize("path", wokwi.files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_file_is_what_the_pin_table_says(path: Any) -> None:
    assert path.read_text(encoding="utf-8") == wokwi.files()[path], "run: .venv/bin/python -m simulator.drawings.wokwi"


@pytest.mark.parametrize("name", wokwi.BOARDS)
def test_each_pin_of_the_firmware_has_a_part(name: str) -> None:
    table = runpy.run_path(str(wokwi.FOLDER.parent / f"{name}.py"))
    prefix = {"esp32": "board:", "pico_w": "board:GP"}[name]
    wires = joined(name)
    for button, pin in zip(NAMES, table["BUTTONS"], strict=True):
        assert {f"{prefix}{pin}", f"{button}_button:1.l"} in wires
        assert {f"{button}_button:2.l", "board:GND.1"} in wires
    for lamp, pin in zip(NAMES, table["LAMPS"], strict=True):
        assert {f"{prefix}{pin}", f"{lamp}_resistor:1"} in wires
        assert {f"{lamp}_resistor:2", f"{lamp}_lamp:A"} in wires
        assert {f"{lamp}_lamp:C", "board:GND.1"} in wires
    assert {f"{prefix}{table['SOUNDER']}", "sounder:2"} in wires
    assert {"sounder:1", "board:GND.1"} in wires
    serial = 2 if name == "esp32" else 0
    assert len(wires) == len(read(name)["connections"]) == 4 * 5 + 2 + serial


@pytest.mark.parametrize("name", wokwi.BOARDS)
def test_parts_and_pins_are_known_to_wokwi(name: str) -> None:
    made = read(name)
    assert (made["version"], made["editor"]) == (1, "wokwi")
    types = {part["id"]: part["type"] for part in made["parts"]}
    assert len(types) == len(made["parts"]) == 14
    for part in made["parts"]:
        assert set(part) == {"id", "type", "left", "top", "attrs"}
        assert set(part["attrs"]) == ATTRIBUTES.get(part["type"], set())
        assert all(isinstance(value, str) for value in part["attrs"].values())
    for start, end, _, way in made["connections"]:
        assert way == []
        for place in (start, end):
            part_id, _, pin = place.partition(":")
            assert pin in ({"RX", "TX"} if part_id == "$serialMonitor" else PINS[types[part_id]]), place


@pytest.mark.parametrize("name", wokwi.BOARDS)
def test_no_part_covers_another_and_no_key_presses_two(name: str) -> None:
    made = read(name)["parts"]
    places = [(part["left"], part["top"]) for part in made]
    assert len(set(places)) == len(places)
    keys = [part["attrs"]["key"] for part in made if part["type"] == "wokwi-pushbutton"]
    assert sorted(keys) == ["c", "n", "s", "y"]


@pytest.mark.parametrize("name", wokwi.BOARDS)
def test_the_readme_says_what_the_project_needs(name: str) -> None:
    wanted = tomllib.loads((wokwi.FOLDER / name / "wokwi.toml").read_text(encoding="utf-8"))["wokwi"]
    assert f"`{wanted['firmware']}`" in README
    assert f"rfc2217://localhost:{wanted['rfc2217ServerPort']} " in README


def test_the_console_json_of_the_readme_is_complete() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    told = json.loads(block)
    assert set(told) == {"site_id", "console_id", "board", "wifi", "broker", "ntp_host"}
    assert told["wifi"] == {"ssid": "Wokwi-GUEST", "password": ""}
    assert told["board"] in wokwi.BOARDS
