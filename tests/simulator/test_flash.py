"""The NOR flash is as strict as the chip, and outlives its process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.board.flash import ERASE, Cut, Flash, FlashRuleError, PowerCut

SIZE = 4 * 4096


@pytest.fixture
def flash(tmp_path: Path) -> Any:
    made = Flash(str(tmp_path / "flash.bin"), SIZE, 256)
    yield made
    made.close()


def read(flash: Flash, block: int, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    flash.readblocks(block, buffer, offset)
    return bytes(buffer)


def test_a_new_flash_is_erased(flash: Flash) -> None:
    assert [flash.ioctl(request, 0) for request in (1, 2, 3, 4, 5)] == [0, 0, 0, 4, 4096]
    assert read(flash, 0, 0, SIZE) == b"\xff" * SIZE


def test_programming_clears_bits_only(flash: Flash) -> None:
    flash.writeblocks(1, b"\x0f" * 256, 512)
    flash.writeblocks(1, b"\x03" * 256, 512)
    with pytest.raises(FlashRuleError, match="without an erase: block 1, offset 512"):
        flash.writeblocks(1, b"\x04" * 256, 512)
    assert read(flash, 1, 512, 256) == b"\x03" * 256
    assert flash.ioctl(ERASE, 1) == 0
    assert read(flash, 1, 0, 4096) == b"\xff" * 4096


@pytest.mark.parametrize(
    ("block", "length", "offset"),
    [(0, 255, 0), (0, 256, 1), (0, 0, 0), (4, 256, 0), (3, 512, 4096 - 256), (-1, 256, 0)],
)
def test_programs_are_whole_pages_of_the_flash(flash: Flash, block: int, length: int, offset: int) -> None:
    with pytest.raises(FlashRuleError):
        flash.writeblocks(block, bytes(length), offset)
    assert flash.counts()["programs"] == 0


@pytest.mark.parametrize("block", [-1, 4])
def test_access_outside_the_flash_is_an_error(flash: Flash, block: int) -> None:
    with pytest.raises(FlashRuleError):
        flash.ioctl(ERASE, block)
    with pytest.raises(FlashRuleError):
        read(flash, block, 0, 1)


def test_other_requests_and_sizes_are_errors(flash: Flash, tmp_path: Path) -> None:
    with pytest.raises(FlashRuleError):
        flash.ioctl(7, 0)
    with pytest.raises(FlashRuleError):
        Flash(str(tmp_path / "odd.bin"), 5000, 256)
    with pytest.raises(FlashRuleError):
        Flash(str(tmp_path / "odd.bin"), SIZE, 100)
    flash.close()
    with pytest.raises(FlashRuleError, match="not a flash of this size"):
        Flash(str(tmp_path / "flash.bin"), 2 * SIZE, 256)


def test_content_and_counts_persist(tmp_path: Path) -> None:
    path = str(tmp_path / "flash.bin")
    flash = Flash(path, SIZE, 256)
    read(flash, 0, 0, 10)
    flash.writeblocks(3, b"\x55" * 512, 1024)
    flash.ioctl(ERASE, 0)
    flash.close()
    again = Flash(path, SIZE, 256)
    assert again.counts() == {"reads": 1, "programs": 1, "erases": 1}
    assert read(again, 3, 1024, 512) == b"\x55" * 512
    again.close()


@pytest.mark.parametrize(("first", "end"), [(0, 0), (0, 100), (0, 256), (100, 256)])
def test_a_power_cut_during_a_program(first: int, end: int, tmp_path: Path) -> None:
    path = str(tmp_path / "flash.bin")
    asked: list[tuple[str, int, int]] = []

    def fault(kind: str, number: int, length: int) -> tuple[int, int] | None:
        asked.append((kind, number, length))
        return (first, end) if number == 3 else None

    flash = Flash(path, SIZE, 256, fault)
    flash.writeblocks(0, bytes(256), 0)
    flash.ioctl(ERASE, 0)
    with pytest.raises(PowerCut):
        flash.writeblocks(0, b"\x55" * 256, 0)
    assert asked == [("program", 1, 256), ("erase", 2, 4096), ("program", 3, 256)]
    flash.writeblocks(1, bytes(256), 0)
    flash.ioctl(ERASE, 0)
    assert not flash.powered
    flash.close()
    again = Flash(path, SIZE, 256)
    assert read(again, 0, 0, 256) == b"\xff" * first + b"\x55" * (end - first) + b"\xff" * (256 - end)
    assert read(again, 1, 0, 256) == b"\xff" * 256
    again.close()


def test_a_power_cut_during_an_erase(tmp_path: Path) -> None:
    path = str(tmp_path / "flash.bin")
    flash = Flash(path, SIZE, 256, lambda kind, *_: (0, 1000) if kind == "erase" else None)
    flash.writeblocks(2, bytes(4096), 0)
    with pytest.raises(PowerCut):
        flash.ioctl(ERASE, 2)
    flash.close()
    again = Flash(path, SIZE, 256)
    assert read(again, 2, 0, 4096) == b"\xff" * 1000 + bytes(3096)
    again.close()


@pytest.mark.parametrize(
    ("kind", "share", "kept"),
    [
        ("program", 0, (0, 0)),
        ("program", 0.25, (0, 256)),
        ("program", 1, (0, 1024)),
        ("program", -0.25, (24, 32)),
        ("erase", -0.25, (768, 1024)),
    ],
)
def test_a_cut_does_a_share_of_its_operation(kind: str, share: float, kept: tuple[int, int]) -> None:
    cut = Cut(3, share, 32)
    assert [cut(kind, number, 1024) for number in (1, 2, 3)] == [None, None, kept]
