"""Where boards are seen: serial ports, and the volumes of RP2040 boards that were plugged in with BOOTSEL held."""

from __future__ import annotations

import errno
import os
from glob import glob
from pathlib import Path
from typing import NamedTuple

from serial.tools import list_ports  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.ops.flash.errors import BoardGoneError, FlashError

# Makers of the boards, and of the chips that make a serial port of their USB.
MAKERS = {0x2E8A: "Raspberry Pi", 0x303A: "Espressif", 0x10C4: "Silicon Labs", 0x1A86: "WCH", 0x0403: "FTDI"}
MOUNTS = Path("/proc/mounts")
VOLUMES = Path("/Volumes")  # of a Mac
INFO = "INFO_UF2.TXT"


class Port(NamedTuple):
    """A serial port; `serial_number`, where USB tells one, finds the board again under another path."""

    path: str
    serial_number: str | None = None


def seen(patterns: list[str]) -> list[Port]:
    """The ports that these names or patterns fit; without any, those that may be boards by their makers."""
    if patterns:
        found = {path for pattern in patterns for path in glob(pattern)}  # noqa: PTH207 - patterns have roots
        return [Port(path) for path in sorted(found)]
    return [Port(port.device, port.serial_number) for port in sorted(list_ports.comports()) if port.vid in MAKERS]


def again(port: Port) -> Port:
    """Where a board is now that was at `port`: its path may have changed over a restart."""
    if port.serial_number:
        for other in list_ports.comports():
            if other.serial_number == port.serial_number:
                return Port(other.device, other.serial_number)
    return port


def boot_volumes(mounts: Path = MOUNTS) -> list[Path]:
    """The mounted volumes of boards that wait for a UF2 file."""
    places = list(VOLUMES.glob("*"))
    if mounts.exists():
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
        places += [Path(line.split()[1].encode().decode("unicode_escape")) for line in lines]  # a space is \\040
    return sorted({place for place in places if _has_info(place)})


def _has_info(place: Path) -> bool:
    try:
        return (place / INFO).is_file()
    except OSError:
        return False  # others' mounts may not be looked into


def check_access(path: str) -> None:
    """Raise BoardError with what to do if the port cannot be opened as a serial port."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except PermissionError as error:
        raise FlashError(
            f"You may not open {path}: run `sudo usermod -aG dialout $USER`, log out and in again, and try once more."
        ) from error
    except FileNotFoundError as error:
        raise BoardGoneError(
            f"There is no port {path}: see that the cable is in, and that it is no charging cable."
        ) from error
    except OSError as error:
        sentence = f"{path} does not open ({error.strerror}): pull the cable out and put it in again."
        raise (BoardGoneError if error.errno in {errno.ENXIO, errno.EIO, errno.ENODEV} else FlashError)(
            sentence
        ) from error
    try:
        if not os.isatty(descriptor):
            raise FlashError(f"{path} is no serial port: give that of the board, such as /dev/ttyACM0 or /dev/ttyUSB0.")
    finally:
        os.close(descriptor)
