"""MicroPython's own tools install and freeze exactly the files in the folder."""

import importlib
import json
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from console.version import VERSION

FIRMWARE = Path(__file__).parents[2] / "firmware"
BOARDS = ("esp32", "pico_w", "pico", "unix")


SLOTS = "slots.json"  # of a copy by hand: this copy runs, and not an earlier update


def on_the_board() -> set[str]:
    modules = {path.relative_to(FIRMWARE).as_posix() for path in FIRMWARE.rglob("*.py")}
    return {name for name in modules if name != "manifest.py" and not name.startswith("image/")} | {SLOTS}


def test_the_package_lists_every_file() -> None:
    package = json.loads((FIRMWARE / "package.json").read_text())
    assert {source for _, source in package["urls"]} == on_the_board()
    assert all(target == "/" + source for target, source in package["urls"])


def test_one_version() -> None:
    project = tomllib.loads((FIRMWARE.parent / "pyproject.toml").read_text())
    package = json.loads((FIRMWARE / "package.json").read_text())
    assert project["project"]["version"] == package["version"] == VERSION


def test_the_manifest_freezes_every_file() -> None:
    frozen: set[str] = set()

    def package(name: str) -> None:
        frozen.update(path.relative_to(FIRMWARE).as_posix() for path in (FIRMWARE / name).rglob("*.py"))

    names = {"include": lambda _: None, "package": package, "module": frozen.add}
    runpy.run_path(str(FIRMWARE / "manifest.py"), names)
    assert frozen == on_the_board() - {"boot.py", SLOTS}


def test_main_is_short() -> None:
    assert len((FIRMWARE / "main.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("name", BOARDS)
def test_each_pin_has_one_use(name: str) -> None:
    board: Any = importlib.import_module("boards." + name)
    pins = [*board.BUTTONS, *board.LAMPS, board.SOUNDER, *board.PLAYER[1:]]
    assert len(pins) == len(set(pins)) == 11
    assert name == board.NAME


@pytest.mark.parametrize("name", ["esp32", "pico_w", "pico"])
def test_the_readme_lists_every_pin(name: str) -> None:
    board: Any = importlib.import_module("boards." + name)
    section = next(
        text for text in (FIRMWARE / "boards/README.md").read_text().split("\n## ") if f"({name}.svg)" in text
    )
    prefix = "IO" if name == "esp32" else "GP"
    answers = ("Yes", "No", "Can't say", "Seller")
    parts = [f"{which} button" for which in answers] + [f"{which} lamp" for which in answers]
    parts += ["Piezo", "DFPlayer RX", "DFPlayer TX"]
    for part, pin in zip(parts, [*board.BUTTONS, *board.LAMPS, board.SOUNDER, *board.PLAYER[1:]], strict=True):
        assert f"| {part} | {prefix}{pin} |" in section
