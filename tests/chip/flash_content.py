"""Change what is in an emulated board's flash while the board is off."""

from __future__ import annotations

import subprocess
from pathlib import Path

from simulator.console.micropython import command

FIRMWARE = Path(__file__).parents[2] / "firmware"
STAND_INS = Path(__file__).parents[2] / "simulator" / "board"
FILES_AT = 0xA0000  # where MicroPython's filesystem begins on a Pico
COUNTS_BYTES = 24  # which the stand-in for flash keeps behind the blocks

FILL = """
import sys
import vfs
sys.path.append(%r)
from flash import Flash
sys.path.pop()
from console import events
from console.outbox import Outbox
vfs.mount(vfs.VfsLfs2(Flash("filesystem.bin", %d), progsize=256), "/board")
outbox = Outbox("/board/outbox", events.encode, events.decode, 256)
outbox.open()
if outbox.doubt:
    outbox.trust()
for number in range(%d):
    shared = {"boot": outbox.boot, "at_ms": None, "question_id": "staff", "question_revision": 1}
    up_ms = 10_000 * number
    opened = outbox.append(dict(shared, type="survey_opened", up_ms=up_ms))
    closed = dict(shared, type="survey_closed", up_ms=up_ms + 3000, survey=opened, opened_up_ms=up_ms)
    closed.update(outcome="yes", cause="answered", response_ms=3000)
    outbox.append(closed)
"""


def add_surveys(flash: Path, count: int) -> None:
    """Add answered surveys, two events each, to the outbox of the console in this flash; the real firmware does it."""
    content = bytearray(flash.read_bytes())
    folder = flash.parent
    filesystem = folder / "filesystem.bin"
    filesystem.write_bytes(content[FILES_AT:] + bytes(COUNTS_BYTES))
    script = folder / "fill.py"
    script.write_text(FILL % (str(STAND_INS), len(content) - FILES_AT, count))
    path = {"MICROPYPATH": f".frozen:{FIRMWARE}"}
    subprocess.run([*command("i386"), script], cwd=folder, env=path, check=True)
    content[FILES_AT:] = filesystem.read_bytes()[:-COUNTS_BYTES]
    flash.write_bytes(content)


def destroy_filesystem(flash: Path) -> None:
    """Overwrite both superblocks, so that nothing can mount the filesystem."""
    content = bytearray(flash.read_bytes())
    content[FILES_AT : FILES_AT + 2 * 4096] = bytes(2 * 4096)
    flash.write_bytes(content)
