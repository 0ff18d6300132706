"""MicroPython itself on a board: the file is checked, then written the way its maker intends."""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.errors import TrivoxError
from bridge.ops.flash import ports
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.micropython_image import RP2040, read_micropython_image, write_by_esptool, write_to_volume
from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import NOWHERE, TILL, UNTESTED, flash
from tests.support.esp32_rom import Esp32Rom

INFO = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
ESP_IMAGE = b"\xe9\x04\x02\x20" + b"MicroPython v1.26.0 on 2026-01-01; Generic ESP32 module with ESP32".ljust(
    99_996, b"\x5a"
)
IMAGE = b"MicroPython v1.26.0 on 2026-01-01; Raspberry Pi Pico W with RP2040".ljust(600, b"\0")


def uf2(image: bytes, family: int = RP2040) -> bytes:
    """Return a UF2 file that puts `image` into flash."""
    pieces = [image[at : at + 256].ljust(256, b"\0") for at in range(0, len(image), 256)]
    blocks = (
        struct.pack(
            "<8I476sI",
            0x0A324655,
            0x9E5D5157,
            0x2000,
            0x10000000 + 256 * n,
            256,
            n,
            len(pieces),
            family,
            piece,
            0x0AB16F30,
        )
        for n, piece in enumerate(pieces)
    )
    return b"".join(blocks)


def written(folder: Path, name: str, data: bytes) -> tuple[Path, str]:
    path = folder / name
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "RPI-RP2"
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(INFO)
    return folder


def test_micropython_is_copied_to_the_boot_volume(tmp_path: Path, volume: Path) -> None:
    path, digest = written(tmp_path, "pico_w.uf2", uf2(IMAGE))
    micropython = read_micropython_image(path, digest)
    assert micropython.image.rstrip(b"\0") == IMAGE.rstrip(b"\0")
    write_to_volume(micropython, volume)
    assert (volume / "pico_w.uf2").read_bytes() == path.read_bytes()


def test_the_hash_may_be_in_a_file_beside_it(tmp_path: Path) -> None:
    path, digest = written(tmp_path, "pico_w.uf2", uf2(IMAGE))
    (tmp_path / "pico_w.uf2.sha256").write_text(f"{digest}  pico_w.uf2\n")
    assert read_micropython_image(path, None).family == "rp2"


def test_an_unexpected_file_is_refused(tmp_path: Path) -> None:
    path, digest = written(tmp_path, "pico_w.uf2", uf2(IMAGE))
    path.write_bytes(path.read_bytes() + b"x")
    for words in (("--base", str(path), "--base-sha256", digest), ("--base", str(path))):
        done = flash(tmp_path, *TILL, *words)
        assert done.returncode == 1
        assert hashlib.sha256(path.read_bytes()).hexdigest() in done.stderr
    assert "is not the expected file" in flash(tmp_path, *TILL, "--base", str(path), "--base-sha256", digest).stderr


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("cut.uf2", uf2(IMAGE)[:-512], "not a complete UF2 file"),
        ("short.uf2", uf2(IMAGE)[:-1], "not a complete UF2 file"),
        ("empty.uf2", b"", "not a complete UF2 file"),
        ("other.uf2", uf2(IMAGE, family=0xE48BFF59), "another chip than the RP2040"),
        ("text.bin", b"hello", "is not MicroPython"),
        ("whole.bin", b"\xe9" + bytes(0x200000), "overwrite the console's files"),
    ],
)
def test_what_is_not_micropython_is_refused(tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    path, digest = written(tmp_path, name, data)
    with pytest.raises(TrivoxError, match=sentence):
        read_micropython_image(path, digest)


def test_every_damaged_byte_of_a_block_header_is_detected(tmp_path: Path) -> None:
    whole = uf2(IMAGE)
    for offset in (*range(12), *range(20, 32), *range(508, 512)):  # all but address, size and content
        data = bytearray(whole)
        data[512 + offset] ^= 0xFF
        path, digest = written(tmp_path, "damaged.uf2", bytes(data))
        with pytest.raises(TrivoxError):
            read_micropython_image(path, digest)


def test_another_volume_is_left_alone(tmp_path: Path, volume: Path) -> None:
    path, digest = written(tmp_path, "pico_w.uf2", uf2(IMAGE))
    (volume / "INFO_UF2.TXT").write_text(INFO.replace("RPI-RP2", "RPI-RP2350"))
    with pytest.raises(FlashingError, match="another board than a Pico"):
        write_to_volume(read_micropython_image(path, digest), volume)
    assert [file.name for file in volume.iterdir()] == ["INFO_UF2.TXT"]


def test_boot_volumes_are_found_among_mounts(tmp_path: Path, volume: Path) -> None:
    spaced = volume.rename(tmp_path / "RPI RP2")
    mounts = tmp_path / "mounts"
    name = str(spaced).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 {name} vfat rw 0 0\n/dev/sdc1 /no/such vfat rw 0 0\n")
    assert spaced in ports.find_boot_volumes(mounts)


def test_micropython_for_another_board_is_refused(tmp_path: Path, plugged: Callable[..., BareBoard]) -> None:
    path, digest = written(tmp_path, "pico.uf2", uf2(IMAGE.replace(b"Pico W", b"Pico")))
    at = ("--port", plugged("pico_w").port, *NOWHERE)
    done = flash(tmp_path, *TILL, *at, "--base", str(path), "--base-sha256", digest)
    assert done.returncode == 1
    assert "pico.uf2 is not for a Raspberry Pi Pico W with RP2040" in done.stderr


@pytest.mark.parametrize("erase", [False, True])
def test_esptool_writes_it_to_an_esp32(tmp_path: Path, erase: bool) -> None:  # noqa: FBT001 - a parameter of the test
    path, digest = written(tmp_path, "esp32.bin", ESP_IMAGE)
    percents: list[int] = []
    with Esp32Rom() as rom:
        write_by_esptool(read_micropython_image(path, digest), rom.port, percents.append, erase=erase)
    assert rom.flash[0x1000 : 0x1000 + len(ESP_IMAGE)] == ESP_IMAGE
    assert rom.flash[0x200000] == (0xFF if erase else 0)  # where the console's files are
    assert percents[-1] == 100


@pytest.mark.long
def test_a_fresh_esp32_gets_micropython_and_becomes_a_console(
    tmp_path: Path, plugged: Callable[..., BareBoard]
) -> None:
    path, digest = written(tmp_path, "esp32.bin", ESP_IMAGE)
    board, port = plugged("esp32"), tmp_path / "port"

    def starts_micropython() -> None:
        (tmp_path / "next").symlink_to(board.port)
        (tmp_path / "next").replace(port)

    with Esp32Rom(checked=starts_micropython) as rom:
        port.symlink_to(rom.port)
        at = ("--port", str(port), *NOWHERE, UNTESTED)
        done = flash(tmp_path, *TILL, *at, "--base", str(path), "--base-sha256", digest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no MicroPython answers; writing esp32.bin" in done.stdout
    assert "sofia-1/till-1\nesp32\n" in done.stdout


def test_the_real_esptool_takes_these_arguments_and_says_what_is_wrong(tmp_path: Path) -> None:
    path, digest = written(tmp_path, "esp32.bin", b"\xe9" + IMAGE)
    master, slave = os.openpty()  # a port on which nothing answers
    try:
        with pytest.raises(
            FlashingError, match=r"esptool could not write esp32\.bin .*hold the board's BOOT button"
        ) as raised:
            write_by_esptool(read_micropython_image(path, digest), os.ttyname(slave), lambda _: None, erase=False)
    finally:
        os.close(master)
        os.close(slave)
    assert "usage" not in str(raised.value).lower()
