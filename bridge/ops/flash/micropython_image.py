"""Check a file with MicroPython (the base of the firmware), and write it to a board the way its maker intends."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import TrivoxError
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.ports import INFO_FILE

# UF2: blocks of 512 bytes, each with its address, its number and up to 476 bytes of content.
BLOCK = struct.Struct("<8I476sI")
MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
HAS_FAMILY = 0x2000
RP2040 = 0xE48BFF56
FATAL_PREFIX = "A fatal error occurred: "  # of esptool's own error, which general advice follows
BOARD_ID = "RPI-RP2"

ESP_MAGIC = 0xE9
ESP_AT = 0x1000  # where an ESP32's boot loader looks
ESP_FILES_AT = 0x200000  # where the console's files begin
VOLUME_LIMIT_S = 30.0
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")


@dataclass(frozen=True)
class MicroPythonImage:
    """A checked file: `family` is the kind of chip (`rp2` or `esp32`), `image` what will be in the flash."""

    path: Path
    family: str
    image: bytes

    def is_on(self, board: BoardInfo) -> bool:
        """Return whether the board runs exactly this build."""
        return board.base.encode() in self.image

    def check_for(self, board: BoardInfo) -> None:
        """Raise FlashingError if this is for another board."""
        if board.machine.encode() not in self.image:
            raise FlashingError(f"{self.path.name} is not for a {board.machine}: give the MicroPython for that board.")


def read_micropython_image(path: Path, digest: str | None) -> MicroPythonImage:
    """Read MicroPython from a file. Raises TrivoxError if it can't be used.

    Its SHA-256 must be `digest`, or the one in PATH.sha256 if that is None.
    """
    try:
        data = path.read_bytes()
        hash_file = path.with_name(path.name + ".sha256")
        expected = digest or None
        if expected is None and hash_file.exists():
            expected = (hash_file.read_text(encoding="utf-8").split() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        raise TrivoxError(f"{path} cannot be read ({error}): check its name and permissions.") from error
    actual = hashlib.sha256(data).hexdigest()
    if expected is None:
        raise TrivoxError(
            f"The expected SHA-256 of {path} is not known: compare its {actual} with the one published where you got "
            "the file, and give that with --base-sha256."
        )
    if not expected:
        raise TrivoxError(f"{hash_file} is empty: put the SHA-256 published for {path.name} into it.")
    if expected.lower() != actual:
        raise TrivoxError(
            f"{path} is not the expected file: its SHA-256 is {actual}, not {expected}. Download it again."
        )
    if path.suffix == ".uf2":
        return MicroPythonImage(path, "rp2", _uf2_image(path, data))
    if data[:1] != bytes((ESP_MAGIC,)):
        raise TrivoxError(
            f"{path} is not MicroPython: give the .uf2 for a Pico or the .bin for an ESP32 from micropython.org."
        )
    if ESP_AT + len(data) > ESP_FILES_AT:
        raise TrivoxError(f"{path} would overwrite the console's files: give a .bin that holds only MicroPython.")
    return MicroPythonImage(path, "esp32", data)


def _uf2_image(path: Path, data: bytes) -> bytes:
    """Return the content of the blocks in order. Raises TrivoxError unless all are whole and for an RP2040."""
    count, excess = divmod(len(data), BLOCK.size)
    image = bytearray()
    for number in range(count):
        first, second, flags, _, size, index, blocks, family, content, last = BLOCK.unpack_from(
            data, number * BLOCK.size
        )
        if (first, second, last) != MAGIC or (index, blocks) != (number, count) or size > len(content):
            excess = 1
            break
        if flags != HAS_FAMILY or family != RP2040:  # exactly this flag: others mark blocks that are not for the flash
            raise TrivoxError(f"{path} is for another chip than the RP2040: give the MicroPython for a Pico or Pico W.")
        image += content[:size]
    if excess or not count:
        raise TrivoxError(f"{path} is not a complete UF2 file: download it again.")
    return bytes(image)


def write_to_volume(micropython: MicroPythonImage, volume: Path) -> None:
    """Copy MicroPython to the boot volume of an RP2040, which then starts it. Raises FlashingError."""
    info = (volume / INFO_FILE).read_text(encoding="utf-8", errors="replace")
    if f"Board-ID: {BOARD_ID}" not in info.splitlines():
        raise FlashingError(f"{volume} belongs to another board than a Pico: unplug that board.")
    if micropython.family != "rp2":
        raise FlashingError(
            f"The board at {volume} is a Pico, but {micropython.path.name} is for an ESP32: give --base FILE.uf2."
        )
    data = micropython.path.read_bytes()
    try:
        with (volume / micropython.path.name).open("wb", buffering=0) as file:
            if file.write(data) != len(data):
                raise FlashingError(
                    f"{volume} did not take all of {micropython.path.name}: unplug the board, and plug it in "
                    "with BOOTSEL held."
                )
            os.fsync(file.fileno())
    except PermissionError as error:
        raise FlashingError(
            f"You may not write to {volume}: mount it as yourself, or copy {micropython.path} there by hand."
        ) from error
    except OSError as error:
        end_s = time.monotonic() + VOLUME_LIMIT_S
        # The volume goes as soon as the board has everything, even during our last write.
        while (volume / INFO_FILE).exists():
            if time.monotonic() > end_s:
                raise FlashingError(
                    f"{volume} did not take {micropython.path.name} ({error.strerror}): unplug the board, and plug it "
                    "in with BOOTSEL held."
                ) from error
            time.sleep(0.2)


def write_by_esptool(micropython: MicroPythonImage, port: str, report: Callable[[int], None], *, erase: bool) -> None:
    """Write MicroPython to an ESP32 with esptool. `report` is called with per cent done. Raises FlashingError.

    `erase` erases the whole flash first.
    """
    if micropython.family != "esp32":
        raise FlashingError(
            f"The board on {port} is an ESP32, but {micropython.path.name} is for a Pico: give --base FILE.bin."
        )
    options = ["--erase-all"] if erase else []
    command = [*ESPTOOL, "--chip", "esp32", "--port", port, "--baud", "460800", "write-flash", *options]
    with subprocess.Popen(
        [*command, hex(ESP_AT), str(micropython.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as esptool:
        assert esptool.stdout is not None  # noqa: S101 - for the type checker
        last = ""
        for line in esptool.stdout:
            if FATAL_PREFIX in line or FATAL_PREFIX not in last:
                last = line.strip() or last
            percent = _PERCENT.search(line)
            if percent:
                report(int(float(percent[1])))
    if esptool.returncode:
        why = last.removeprefix(FATAL_PREFIX)
        raise FlashingError(
            f"esptool could not write {micropython.path.name} to {port} ({why}): hold the board's BOOT button while it "
            "writes, and check that the cable carries data."
        )


ESPTOOL = (sys.executable, "-m", "esptool")
