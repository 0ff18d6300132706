"""Make a board's filesystem where none can be mounted, and keep a copy of `console.json` outside it.

Only a board with the project's own image of MicroPython (`firmware/image`) needs or offers this.
"""

from __future__ import annotations

import dataclasses

from mpremote.romfs import VfsRomWriter  # type: ignore[import-untyped]

from bridge.ops.flash.board_info import BoardInfo, read_board_info
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.install import program
from bridge.ops.flash.repl import Repl

PAGE_BYTES = 256
COPY_LIMIT_BYTES = 4096
SAME, NO_PLACE = "same", "none"

IS_BLANK = """
import flash_guard
device, _ = flash_guard.port_device()
erased, block = b"\\xff" * 4096, bytearray(4096)
blank = True
for number in range(device.ioctl(4, 0)):
    device.readblocks(number, block, 0)
    if block != erased:
        blank = False
        break
print(blank)
"""
FORMAT = """
import flash_guard, vfs
device, prog_size = flash_guard.port_device()
vfs.VfsLfs2.mkfs(device, progsize=prog_size)
flash_guard.guard = None
flash_guard.mount()
"""
COMPARE_COPY = """
import vfs
try:
    device = vfs.rom_ioctl(2, 0)
    copy = bytearray(len(DATA))
    device.readblocks(0, copy, 0)
    print("same" if copy == DATA else "other")
except AttributeError:
    print("none")
"""
WRITE_COPY = """
import vfs
device = vfs.rom_ioctl(2, 0)
device.ioctl(6, 0)
for at in range(len(DATA) - PAGE, -1, -PAGE):
    device.writeblocks(0, DATA[at : at + PAGE], at)
"""


def ensure_filesystem(repl: Repl, board: BoardInfo, *, may_wipe: bool) -> BoardInfo:
    """Make a filesystem if the board has none that it can mount; return what the board is then.

    What lies in a filesystem that can't be mounted is lost only if that is allowed. Raises FlashingError if it is not.
    """
    if not board.has_own_image:
        return board
    is_blank = repl.run(IS_BLANK).strip() == "True"
    if not is_blank and not may_wipe:
        raise FlashingError(
            f"The filesystem of the board on {repl.path} can't be mounted, and events may wait in it: give --wipe to "
            "lose them and to make a new one."
        )
    repl.run(FORMAT)
    return dataclasses.replace(read_board_info(repl), lost_files=not is_blank)


def write_copy(repl: Repl, console_json: bytes) -> None:
    """Keep a copy of `console.json` where the firmware finds it without the filesystem, if the board has such a place.

    It is a read-only filesystem of MicroPython (ROMFS), which boards with the project's own image mount at `/rom`.
    Raises FlashingError if it can't be written.
    """
    writer = VfsRomWriter()
    writer.mkfile("console.json", console_json)
    image = bytes(writer.finalise())
    image += b"\xff" * (-len(image) % PAGE_BYTES)
    if _compare(repl, image) in {SAME, NO_PLACE}:
        return
    if len(image) > COPY_LIMIT_BYTES:
        raise FlashingError(f"console.json is too long for its copy ({len(image)} bytes): shorten names and passwords.")
    # The first page makes it a filesystem, and is written last: power may go at any moment.
    repl.run(program(WRITE_COPY, DATA=image, PAGE=PAGE_BYTES))
    if _compare(repl, image) != SAME:
        raise FlashingError(f"The flash of the board on {repl.path} cannot be written: replace the board.")


def _compare(repl: Repl, image: bytes) -> str:
    return repl.run(program(COMPARE_COPY, DATA=image)).strip()
