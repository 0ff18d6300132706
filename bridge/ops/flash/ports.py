"""Find boards: serial ports, and the volumes of RP2040 boards that were plugged in with BOOTSEL held."""

from __future__ import annotations

import errno
import os
from glob import glob
from pathlib import Path
from typing import NamedTuple

from serial.tools import list_ports  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.ops.flash.errors import BoardGoneError, FlashingError

# USB vendor ids of the boards' makers, and of the makers of their USB-to-serial chips.
MAKERS = {0x2E8A: "Raspberry Pi", 0x303A: "Espressif", 0x10C4: "Silicon Labs", 0x1A86: "WCH", 0x0403: "FTDI"}
MOUNTS = Path("/proc/mounts")
VOLUMES = Path("/Volumes")  # on a Mac
INFO_FILE = "INFO_UF2.TXT"


class Port(NamedTuple):
    """A serial port; with `serial_number`, if USB reports one, the board is found again under another path."""

    path: str
    serial_number: str | None = None


def find_ports(patterns: list[str]) -> list[Port]:
    """Return the ports that match these names or patterns; without any, the ports of known makers."""
    if patterns:
        paths = {path for pattern in patterns for path in glob(pattern)}  # noqa: PTH207 - patterns have roots
        return [Port(path) for path in sorted(paths)]
    return [Port(port.device, port.serial_number) for port in sorted(list_ports.comports()) if port.vid in MAKERS]


def find_again(port: Port) -> Port:
    """Return where the board from `port` is now: its path may have changed with a restart."""
    if port.serial_number:
        for other in list_ports.comports():
            if other.serial_number == port.serial_number:
                return Port(other.device, other.serial_number)
    return port


def find_boot_volumes(mounts: Path = MOUNTS) -> list[Path]:
    """Return the mounted volumes of boards that wait for a UF2 file."""
    folders = list(VOLUMES.glob("*"))
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
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except PermissionError as error:
        raise FlashingError(
            f"You may not open {path}: run `sudo usermod -aG dialout $USER`, log out and in again, and try once more."
        ) from error
    except FileNotFoundError as error:
        raise BoardGoneError(
            f"There is no port {path}: check that the cable is plugged in, and that it is not a charging cable."
        ) from error
    except OSError as error:
        sentence = f"{path} cannot be opened ({error.strerror}): pull the cable out and plug it in again."
        raise (BoardGoneError if error.errno in {errno.ENXIO, errno.EIO, errno.ENODEV} else FlashingError)(
            sentence
        ) from error
    try:
        if not os.isatty(descriptor):
            raise FlashingError(f"{path} is not a serial port: give the board's, such as /dev/ttyACM0 or /dev/ttyUSB0.")
    finally:
        os.close(descriptor)
