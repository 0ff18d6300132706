"""MicroPython itself, the base: a file that somebody gives, checked, and put on a board by its maker's own way."""

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
from bridge.ops.flash.errors import FlashError
from bridge.ops.flash.ports import INFO

# UF2: blocks of 512 bytes, each with its place, its number and up to 476 bytes of what is to be there.
BLOCK = struct.Struct("<8I476sI")
MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
HAS_FAMILY = 0x2000
RP2040 = 0xE48BFF56
FATAL = "A fatal error occurred: "  # what esptool says before general advice
BOARD_ID = "RPI-RP2"

ESP_MAGIC = 0xE9
ESP_AT = 0x1000  # where an ESP32's own loader looks
ESP_FILES_AT = 0x200000  # there the console's files begin
VOLUME_LIMIT_S = 30.0
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")


@dataclass(frozen=True)
class Base:
    """A checked file: `family` is what it is for (`rp2` or `esp32`), `image` what will be in the flash."""

    path: Path
    family: str
    image: bytes

    def is_on(self, board: BoardInfo) -> bool:
        """Whether the board runs just this."""
        return board.base.encode() in self.image

    def check_for(self, board: BoardInfo) -> None:
        """Raise BoardError if it is for another board."""
        if board.machine.encode() not in self.image:
            raise FlashError(f"{self.path.name} is not for a {board.machine}: give the base for that board.")


def read_base(path: Path, digest: str | None) -> Base:
    """The base in a file whose SHA-256 is `digest`, or else stands in `PATH.sha256`. Raises TrivoxError."""
    try:
        data = path.read_bytes()
        beside = path.with_name(path.name + ".sha256")
        said = digest or (beside.read_text(encoding="utf-8").split() or [""])[0] if digest or beside.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise TrivoxError(f"{path} cannot be read ({error}): check its name and rights.") from error
    found = hashlib.sha256(data).hexdigest()
    if said is None:
        raise TrivoxError(
            f"Nobody says that {path} is what it should be: compare its SHA-256 {found} with that of where it is from, "
            "and give it with --base-sha256."
        )
    if not said:
        raise TrivoxError(f"{beside} is empty: put the SHA-256 of where {path.name} is from into it.")
    if said.lower() != found:
        raise TrivoxError(f"{path} is not the file that was meant: its SHA-256 is {found}, not {said}. Get it anew.")
    if path.suffix == ".uf2":
        return Base(path, "rp2", _uf2_image(path, data))
    if data[:1] != bytes((ESP_MAGIC,)):
        raise TrivoxError(f"{path} is no base: give the .uf2 of a Pico, or the .bin of an ESP32, of micropython.org.")
    if ESP_AT + len(data) > ESP_FILES_AT:
        raise TrivoxError(f"{path} would reach over the console's files: give the .bin of MicroPython alone.")
    return Base(path, "esp32", data)


def _uf2_image(path: Path, data: bytes) -> bytes:
    """What the blocks hold, in their order; TrivoxError unless each is whole, and for an RP2040."""
    count, rest = divmod(len(data), BLOCK.size)
    image = bytearray()
    for number in range(count):
        first, second, flags, _, size, place, blocks, family, content, last = BLOCK.unpack_from(
            data, number * BLOCK.size
        )
        if (first, second, last) != MAGIC or (place, blocks) != (number, count) or size > len(content):
            rest = 1
            break
        if flags != HAS_FAMILY or family != RP2040:  # that alone: what is not for the flash is none of ours
            raise TrivoxError(f"{path} is for another chip than the RP2040: give the base of a Pico or Pico W.")
        image += content[:size]
    if rest or not count:
        raise TrivoxError(f"{path} is no whole UF2 file: get it anew.")
    return bytes(image)


def write_to_volume(base: Base, volume: Path) -> None:
    """Copy it to the boot volume of an RP2040, which then restarts into it. Raises BoardError."""
    info = (volume / INFO).read_text(encoding="utf-8", errors="replace")
    if f"Board-ID: {BOARD_ID}" not in info.splitlines():
        raise FlashError(f"{volume} is of another board than a Pico: take that board away.")
    if base.family != "rp2":
        raise FlashError(f"At {volume} is a Pico, and {base.path.name} is for an ESP32: give --base FILE.uf2.")
    data = base.path.read_bytes()
    try:
        with (volume / base.path.name).open("wb", buffering=0) as file:
            if file.write(data) != len(data):
                raise FlashError(
                    f"{volume} did not take all of {base.path.name}: plug the board in anew, BOOTSEL held."
                )
            os.fsync(file.fileno())
    except PermissionError as error:
        raise FlashError(
            f"You may not write to {volume}: mount it as yourself, or copy {base.path} there by hand."
        ) from error
    except OSError as error:
        end_s = time.monotonic() + VOLUME_LIMIT_S
        while (volume / INFO).exists():  # it goes as soon as the board has all, in the midst of our last words
            if time.monotonic() > end_s:
                raise FlashError(
                    f"{volume} did not take {base.path.name} ({error.strerror}): plug it in anew."
                ) from error
            time.sleep(0.2)


def write_by_esptool(base: Base, port: str, report: Callable[[int], None], *, erase: bool) -> None:
    """Write it to an ESP32 with esptool, if wanted after erasing all; told are per cents. Raises BoardError."""
    if base.family != "esp32":
        raise FlashError(f"On {port} is an ESP32, and {base.path.name} is for a Pico: give --base FILE.bin.")
    options = ["--erase-all"] if erase else []
    words = [*ESPTOOL, "--chip", "esp32", "--port", port, "--baud", "460800", "write-flash", *options]
    with subprocess.Popen(
        [*words, hex(ESP_AT), str(base.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as esptool:
        assert esptool.stdout is not None  # noqa: S101 - for the types
        last = ""
        for line in esptool.stdout:
            if FATAL in line or FATAL not in last:
                last = line.strip() or last
            found = _PERCENT.search(line)
            if found:
                report(int(float(found[1])))
    if esptool.returncode:
        why = last.removeprefix(FATAL)
        raise FlashError(
            f"esptool could not write {base.path.name} to {port} ({why}): hold the board's BOOT button meanwhile, and "
            "see that the cable carries data."
        )


ESPTOOL = (sys.executable, "-m", "esptool")
