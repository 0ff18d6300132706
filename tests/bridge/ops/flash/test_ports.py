"""Boards are found by the makers of their USB chips, under whatever path they come back."""

import os
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from bridge.ops.flash import ports
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.ports import Port


def port_info(path: str, vid: int | None, serial_number: str | None = None) -> ListPortInfo:
    info = ListPortInfo(path)
    info.vid, info.serial_number = vid, serial_number
    return info


def plug(monkeypatch: pytest.MonkeyPatch, *found: ListPortInfo) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: list(found))


def test_boards_are_distinguished_from_other_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    modem, own = port_info("/dev/ttyACM0", 0x12D1), port_info("/dev/ttyS0", None)
    pico, esp32 = port_info("/dev/ttyACM1", 0x2E8A, "E66058388372"), port_info("/dev/ttyUSB0", 0x10C4, "0001")
    plug(monkeypatch, modem, own, esp32, pico)
    assert ports.find_ports([]) == [Port("/dev/ttyACM1", "E66058388372"), Port("/dev/ttyUSB0", "0001")]


def test_a_board_that_comes_back_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, port_info("/dev/ttyACM0", 0x2E8A, "other"), port_info("/dev/ttyACM2", 0x2E8A, "E660"))
    assert ports.find_again(Port("/dev/ttyACM1", "E660")) == Port("/dev/ttyACM2", "E660")
    assert ports.find_again(Port("/dev/ttyUSB0")) == Port("/dev/ttyUSB0")  # the chip of an ESP32 stays


def test_patterns_take_precedence_over_makers(tmp_path: Path) -> None:
    for name in ("usb-1", "usb-2", "else"):
        (tmp_path / name).touch()
    assert ports.find_ports([str(tmp_path / "usb-*"), str(tmp_path / "usb-2")]) == [
        Port(str(tmp_path / "usb-1")),
        Port(str(tmp_path / "usb-2")),
    ]


def test_a_port_that_may_not_be_opened_says_which_permission_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path, flags)

    monkeypatch.setattr(os, "open", refuse)  # root, as which tests may run, is refused nothing
    with pytest.raises(FlashingError, match=r"usermod -aG dialout .*log out and in again"):
        ports.check_access("/dev/ttyUSB0")
