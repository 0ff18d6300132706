"""The project's own image of MicroPython: flash that can't be mounted costs a console neither its work nor its name."""

import json
from pathlib import Path

import pytest
from failing_flash import answer, wait_for_blinks
from line_end import LineEnd
from mpremote.romfs import VfsRomWriter  # type: ignore[import-untyped]

from simulator import Console
from tests.support.programs import wait_until

FIRMWARE = Path(__file__).parents[2] / "firmware"
ON_A_PICO = """
import flash_guard
flash_guard.mount()
from boards import pico
from console import app, startup
startup.board_named = lambda name: pico  # a board knows by itself what it is
app.run()
"""
BLOCK_SIZE = 4096
COUNTS_SIZE = 24  # at the end of the flash's file
IDENTITY = {"site_id": "demo", "console_id": "till-1", "board": "pico", "key": "5c" * 32}
DAMAGE = {"erased": b"\xff" * 2 * BLOCK_SIZE, "other data": bytes(range(256)) * 32}


def rom_with(content: bytes) -> bytes:
    """Return the read-only filesystem with this `console.json`, as `trivox console flash` leaves it."""
    writer = VfsRomWriter()
    writer.mkfile("console.json", content)
    return bytes(writer.finalise()).ljust(BLOCK_SIZE, b"\xff") + bytes(COUNTS_SIZE)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_console_without_its_filesystem_works_under_its_name(damage: bytes, tmp_path: Path) -> None:
    console = Console(tmp_path / "console", board="pico", own_image=True)
    with console:
        console.wait_output("hello\t")
    (console.folder / "rom.bin").write_bytes(rom_with(json.dumps(IDENTITY).encode()))
    content = damage + console.flash.read_bytes()[len(damage) :]
    console.flash.write_bytes(content)
    with console:
        line = LineEnd(console.serial_port)
        wait_until("it says who it is", lambda: line.last("hello"))
        assert line.last("hello") == {"site_id": "demo", "console_id": "till-1", "hardware_id": console.hardware_id}
        answer(console, "no")

        def closed() -> bool:
            batch = line.last("events")
            return any(event["type"] == "survey_closed" for event in (batch or {"events": ()})["events"])

        wait_until("the answer", closed)
        assert line.last("events")["mac"]
        wait_until("the fault", lambda: "flash" in (line.last("health") or {"faults": ()})["faults"])
        assert line.last("health")["faults"] == ["flash", "clock"]
        wait_for_blinks(console)
        line.close()
    assert console.flash.read_bytes() == content
    assert not console.resets


@pytest.mark.parametrize("rom", [b"", b'{"site_id": "demo", "console_'], ids=["none", "torn"])
def test_a_console_that_does_not_know_its_name_takes_presses(rom: bytes, tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    for path in FIRMWARE.iterdir():
        (firmware / path.name).symlink_to(path)
    (firmware / "main.py").unlink()
    (firmware / "main.py").write_text(ON_A_PICO)
    console = Console(tmp_path / "console", board="pico", own_image=True, firmware=firmware)
    with console:
        console.wait_output("hello\t")
    (console.folder / "rom.bin").write_bytes(rom_with(rom) if rom else b"\xff" * BLOCK_SIZE + bytes(COUNTS_SIZE))
    console.flash.write_bytes(bytes(2 * BLOCK_SIZE) + console.flash.read_bytes()[2 * BLOCK_SIZE :])
    with console:
        answer(console, "no")
        wait_for_blinks(console)
        assert "console.json: " in console.runs()[-1].output
    assert not console.resets


def test_a_file_beside_the_events_goes_before_its_copy(tmp_path: Path) -> None:
    console = Console(tmp_path / "console", board="pico", own_image=True)
    console.folder.mkdir(parents=True)
    (console.folder / "rom.bin").write_bytes(rom_with(json.dumps({**IDENTITY, "console_id": "earlier"}).encode()))
    with console:
        line = LineEnd(console.serial_port)
        wait_until("it says who it is", lambda: line.last("hello"))
        assert line.last("hello")["console_id"] == "till-1"
        line.close()
