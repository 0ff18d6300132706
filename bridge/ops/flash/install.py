"""Puts the firmware and a console's own files on a board, so that it starts whole whenever the cable is pulled.

A version is written into the slot that does not run, checked, and put in force by exchanging `/slots.json`. The files
at the root (`boot.py`, `main.py`, `slots.mpy`) and the console's own are each exchanged as a whole, `main.py` last:
until then a new board starts nothing, and one from before there were slots starts what it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bridge.ops.flash.board_info import SLOTS, BoardInfo
from bridge.ops.flash.errors import FlashError
from bridge.ops.flash.repl import Repl

LAST = "main.py"
STATE = "slots.json"
_NO_FILES = {STATE, "package.json"}

Report = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done and of how much."""

HASHES = """
import hashlib, json, os
from binascii import hexlify
found = {}
def look(folder, name):
    for entry in os.ilistdir(folder + name):
        path = name + ("/" if name else "") + entry[0]
        if entry[1] & 0x4000:
            look(folder, path)
        else:
            digest = hashlib.sha256()
            with open(folder + path, "rb") as file:
                while True:
                    piece = file.read(512)
                    if not piece:
                        break
                    digest.update(piece)
            found[path] = hexlify(digest.digest()).decode()
for name in NAMES:
    try:
        look(FOLDER, name)
    except OSError:
        pass
print(json.dumps(found))
"""
DIGEST = """
import hashlib
from binascii import hexlify
try:
    with open(PATH, "rb") as file:
        print(hexlify(hashlib.sha256(file.read()).digest()).decode())
except OSError:
    print("-")
"""
PREPARE = """
import os
def remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
def make(path):
    try:
        os.mkdir(path)
    except OSError:
        pass
for path in GONE:
    remove(path)
for path in FOLDERS:
    make(path)
for old, new in COPIES:
    with open(old, "rb") as source, open(new, "wb") as copy:
        while True:
            piece = source.read(512)
            if not piece:
                break
            copy.write(piece)
"""
EXCHANGE = """
import os
os.rename(NEW, PATH)
"""
REMOVE = """
import os
def empty(path):
    for entry in os.ilistdir(path):
        if entry[1] & 0x4000:
            empty(path + "/" + entry[0])
        else:
            os.remove(path + "/" + entry[0])
    os.rmdir(path)
for path in PATHS:
    try:
        os.remove(path) if not os.stat(path)[0] & 0x4000 else empty(path)
    except OSError:
        pass
"""


class FirmwareImage:
    """A compiled version in `folder`: `files` by their paths in a slot, and those `at_root`."""

    def __init__(self, folder: Path) -> None:
        all_files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.files = {name: path.read_bytes() for name, path in all_files.items() if "/" in name}
        self.at_root = {
            name: path.read_bytes() for name, path in all_files.items() if "/" not in name and name not in _NO_FILES
        }
        self.folders = sorted({name.rpartition("/")[0] for name in self.files})
        self.hashes = {name: _digest(data) for name, data in self.files.items()}


def install(repl: Repl, board: BoardInfo, firmware: FirmwareImage, report: Report) -> bool:
    """Put this version in force at the next start; False if it was so already."""
    slots = {slot: _hashes(repl, slot, firmware.folders) for slot in sorted({board.slot, *SLOTS})}
    slot = board.slot
    changed = slots[slot] != firmware.hashes
    if changed:
        slot = SLOTS[1] if board.slot == SLOTS[0] else SLOTS[0]
        _fill(repl, slot, slots[slot], (board.slot, slots[board.slot]), firmware, report)
    first = [name for name in firmware.at_root if name != LAST]
    for name in first:
        changed = replace(repl, f"/{name}", firmware.at_root[name]) or changed
    repl.run(_program(REMOVE, PATHS=[f"/{Path(name).stem}.py" for name in first if name.endswith(".mpy")]))
    if slot != board.slot or board.slots != {"slot": slot}:
        replace(repl, f"/{STATE}", json.dumps({"slot": slot}).encode())
    return replace(repl, f"/{LAST}", firmware.at_root[LAST]) or changed


def replace(repl: Repl, path: str, data: bytes) -> bool:
    """Exchange a file as a whole, or make it; False if it is the same already."""
    if repl.run(_program(DIGEST, PATH=path)).strip() == _digest(data):
        return False
    new = f"{path}.new"
    repl.write_file(new, data)
    if repl.run(_program(DIGEST, PATH=new)).strip() != _digest(data):
        raise _unlike(repl, path)
    repl.run(_program(EXCHANGE, NEW=new, PATH=path))
    return True


def wipe(repl: Repl) -> None:
    """Remove what belonged to an earlier console: its events and its settings."""
    repl.run(_program(REMOVE, PATHS=["/outbox", "/settings.json"]))


def _fill(
    repl: Repl,
    slot: str,
    there: dict[str, str],
    in_force: tuple[str, dict[str, str]],
    firmware: FirmwareImage,
    report: Report,
) -> None:
    """Make a slot hold just this version, by as little cable as may be."""
    other, others = in_force
    gone = [f"/{slot}/{name}" for name in there if name not in firmware.files]
    missing = [name for name, digest in firmware.hashes.items() if there.get(name) != digest]
    copies = [name for name in missing if others.get(name) == firmware.hashes[name]]
    folders = [f"/{slot}", *(f"/{slot}/{folder}" for folder in firmware.folders)]
    pairs = [(f"{'/' + other if other else ''}/{name}", f"/{slot}/{name}") for name in copies]
    repl.run(_program(PREPARE, GONE=gone, FOLDERS=folders, COPIES=pairs), limit_s=60)
    _write(repl, slot, {name: firmware.files[name] for name in missing if name not in copies}, report)
    report("checking", 1, 1)
    if _hashes(repl, slot, firmware.folders) != firmware.hashes:
        raise _unlike(repl, f"/{slot}")


def _write(repl: Repl, slot: str, files: dict[str, bytes], report: Report) -> None:
    total, done = sum(map(len, files.values())), 0

    def written(of_file: int, _: int) -> None:
        report("copying", done + of_file, total)

    for name, data in files.items():
        written(0, 0)
        repl.write_file(f"/{slot}/{name}", data, written)
        done += len(data)


def _hashes(repl: Repl, slot: str, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = repl.ask(_program(HASHES, FOLDER=f"/{slot}/" if slot else "/", NAMES=names), limit_s=60)
    return found


def _program(source: str, **values: Any) -> str:
    """The program with these words in the place of its names."""
    return "".join(f"{name} = {value!r}\n" for name, value in values.items()) + source


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unlike(repl: Repl, path: str) -> FlashError:
    return FlashError(
        f"What was written to {path} of the board on {repl.path} reads otherwise: run this again; if it stays so, "
        "exchange the board."
    )


def console_files(config: Mapping[str, Any], ca: bytes | None) -> dict[str, bytes]:
    """The console's own files, by their paths; `console.json` last, which speaks of the others."""
    files = {"/ca.der": ca} if ca is not None else {}
    return {**files, "/console.json": json.dumps(config, indent=1, sort_keys=True).encode()}
