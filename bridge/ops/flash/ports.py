"""Find boards: serial ports, and the volumes of RP2040 boards that were plugged in with BOOTSEL held."""

from __future__ import annotations

import errno
import os
from fnmatch import fnmatch
from glob import glob
from pathlib import Path
from string import ascii_uppercase
from typing import NamedTuple

import serial  # type: ignore[import-untyped]  # pyserial brings no types
from serial.tools import list_ports  # type: ignore[import-untyped]

from bridge.ops.flash.errors import BoardGoneError, FlashingError
from bridge.serial_port import PORT_ERRORS, error_number

# USB vendor ids of the boards' makers, and of the makers of their USB-to-serial chips.
MAKERS = {0x2E8A: "Raspberry Pi", 0x303A: "Espressif", 0x10C4: "Silicon Labs", 0x1A86: "WCH", 0x0403: "FTDI"}
MOUNTS = Path("/proc/mounts")
VOLUMES = Path("/Volumes")  # on a Mac
DRIVES = [Path(f"{letter}:/") for letter in ascii_uppercase] if os.name == "nt" else []  # on Windows
INFO_FILE = "INFO_UF2.TXT"
OPEN_QUIETLY = os.O_RDWR | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)  # does not raise DTR


class Port(NamedTuple):
    """A serial port; with `serial_number`, if USB reports one, the board is found again under another path."""

    path: str
    serial_number: str | None = None


def find_ports(patterns: list[str]) -> list[Port]:
    """Return the ports that match these names or patterns; without any, the ports of known makers."""
    if patterns:
        return [Port(path) for path in sorted({path for pattern in patterns for path in _matching(pattern)})]
    return [Port(port.device, port.serial_number) for port in sorted(list_ports.comports()) if port.vid in MAKERS]


def _matching(pattern: str) -> list[str]:
    """Return the ports that match, as files or in the system's list; on Windows COM5 is there too, and is com5."""
    listed = [port.device for port in list_ports.comports() if fnmatch(port.device.casefold(), pattern.casefold())]
    known = {path.casefold() for path in listed}
    return [*listed, *(path for path in glob(pattern) if path.casefold() not in known)]  # noqa: PTH207 - it has a root


def find_again(port: Port) -> Port:
    """Return where the board from `port` is now: its path may have changed with a restart."""
    if port.serial_number:
        for other in list_ports.comports():
            if other.serial_number == port.serial_number:
                return Port(other.device, other.serial_number)
    return port


def find_boot_volumes(mounts: Path = MOUNTS) -> list[Path]:
    """Return the mounted volumes of boards that wait for a UF2 file."""
    folders = [*VOLUMES.glob("*"), *DRIVES]
    if mounts.exists():
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
        folders += [
            Path(line.split()[1].encode().decode("unicode_escape")) for line in lines
        ]  # a space is written \\040
    return sorted({folder for folder in folders if _is_boot_volume(folder)})


def _is_boot_volume(folder: Path) -> bool:
    try:
        return (folder / INFO_FILE).is_file()
    except OSError:
        return False  # another user's mount


def check_access(path: str) -> None:
    """Raise FlashingError, saying what to do, if the port cannot be opened as a serial port."""
    try:
        _open_and_close(path)
    except PORT_ERRORS as error:
        number = error_number(error)
        why = os.strerror(number) if number else str(error)
        if number in {errno.EACCES, errno.EPERM}:
            raise FlashingError(
                f"You may not open {path}: run `sudo usermod -aG dialout $USER`, log out and in again, and try once "
                "more."
            ) from error
        if number == errno.EBUSY:
            raise FlashingError(
                f"Another program has {path} open: end it (Thonny, a terminal, trivox gateway), and try again."
            ) from error
        if number == errno.ENOENT:
            raise BoardGoneError(
                f"There is no port {path}: check that the cable is plugged in, and that it is not a charging cable."
            ) from error
        if number == errno.ENOTTY:
            raise FlashingError(
                f"{path} is not a serial port: give the board's, such as /dev/ttyACM0, /dev/ttyUSB0 or COM5."
            ) from error
        is_gone = number in {errno.ENXIO, errno.EIO, errno.ENODEV}
        raise (BoardGoneError if is_gone else FlashingError)(
            f"{path} cannot be opened ({why}): pull the cable out and plug it in again."
        ) from error


def _open_and_close(path: str) -> None:
    if not hasattr(os, "O_NOCTTY"):
        serial.Serial(path).close()
        return
    descriptor = os.open(path, OPEN_QUIETLY)
    try:
        if not os.isatty(descriptor):
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    finally:
        os.close(descriptor)
