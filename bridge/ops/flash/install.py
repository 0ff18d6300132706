"""Install the firmware and a console's own files, so that the board starts whole whenever its cable is pulled.

A version is written into the slot that does not run, checked, and activated by replacing `/slots.json`. The files at
the root (`boot.py`, `main.py`, `slots.mpy`) and the console's own are each replaced as a whole, `main.py` last: until
then a new board starts nothing, and one with firmware from before there were slots starts what it had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bridge.ops.flash.board_info import SLOTS, BoardInfo
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.repl import Repl

LAST_FILE = "main.py"
SLOTS_FILE = "slots.json"
CONSOLE_FILE = "/console.json"
_NOT_INSTALLED = {SLOTS_FILE, "package.json"}

ReportProgress = Callable[[str, int, int], None]
"""Called with what is under way, how much of it is done, and of how much."""

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
    """The compiled firmware in `folder`: its `files` by their paths in a slot, and those `at_root`."""

    def __init__(self, folder: Path) -> None:
        all_files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.files = {name: path.read_bytes() for name, path in all_files.items() if "/" in name}
        self.at_root = {
            name: path.read_bytes()
            for name, path in all_files.items()
            if "/" not in name and name not in _NOT_INSTALLED
        }
        self.folders = sorted({name.rpartition("/")[0] for name in self.files})
        self.hashes = {name: _digest(data) for name, data in self.files.items()}


def install(repl: Repl, board: BoardInfo, firmware: FirmwareImage, report: ReportProgress) -> None:
    """Install this version for the next start, sending only files that the board does not have."""
    slots = {slot: _read_hashes(repl, slot, firmware.folders) for slot in sorted({board.slot, *SLOTS})}
    slot = board.slot
    if slots[slot] != firmware.hashes:
        slot = SLOTS[1] if board.slot == SLOTS[0] else SLOTS[0]
        _fill(repl, slot, slots[slot], (board.slot, slots[board.slot]), firmware, report)
    root_files = [name for name in firmware.at_root if name != LAST_FILE]
    for name in root_files:
        replace_file(repl, f"/{name}", firmware.at_root[name])
    repl.run(program(REMOVE, PATHS=[f"/{Path(name).stem}.py" for name in root_files if name.endswith(".mpy")]))
    if slot != board.slot or board.slots != {"slot": slot}:
        replace_file(repl, f"/{SLOTS_FILE}", json.dumps({"slot": slot}).encode())
    replace_file(repl, f"/{LAST_FILE}", firmware.at_root[LAST_FILE])


def replace_file(repl: Repl, path: str, data: bytes) -> None:
    """Replace a file as a whole, or create it, unless it has that content already."""
    if repl.run(program(DIGEST, PATH=path)).strip() == _digest(data):
        return
    new = f"{path}.new"
    repl.write_file(new, data)
    if repl.run(program(DIGEST, PATH=new)).strip() != _digest(data):
        raise _mismatch(repl, path)
    repl.run(program(EXCHANGE, NEW=new, PATH=path))


def wipe(repl: Repl) -> None:
    """Remove what belongs to an earlier console: its events and its settings."""
    repl.run(program(REMOVE, PATHS=["/outbox", "/settings.json"]))


def _fill(
    repl: Repl,
    slot: str,
    present: dict[str, str],
    active: tuple[str, dict[str, str]],
    firmware: FirmwareImage,
    report: ReportProgress,
) -> None:
    """Make a slot hold exactly this version, sending as little as possible over the cable.

    `present` are the hashes of the files in the slot; `active` is the active slot with its hashes, to copy from.
    """
    active_slot, active_hashes = active
    obsolete = [f"/{slot}/{name}" for name in present if name not in firmware.files]
    missing = [name for name, digest in firmware.hashes.items() if present.get(name) != digest]
    copies = [name for name in missing if active_hashes.get(name) == firmware.hashes[name]]
    folders = [f"/{slot}", *(f"/{slot}/{folder}" for folder in firmware.folders)]
    pairs = [(f"{'/' + active_slot if active_slot else ''}/{name}", f"/{slot}/{name}") for name in copies]
    repl.run(program(PREPARE, GONE=obsolete, FOLDERS=folders, COPIES=pairs), limit_s=60)
    _copy_files(repl, slot, {name: firmware.files[name] for name in missing if name not in copies}, report)
    report("checking", 1, 1)
    if _read_hashes(repl, slot, firmware.folders) != firmware.hashes:
        raise _mismatch(repl, f"/{slot}")


def _copy_files(repl: Repl, slot: str, files: dict[str, bytes], report: ReportProgress) -> None:
    total, done = sum(map(len, files.values())), 0

    def report_written(file_bytes: int, _: int) -> None:
        report("copying", done + file_bytes, total)

    for name, data in files.items():
        report_written(0, 0)
        repl.write_file(f"/{slot}/{name}", data, report_written)
        done += len(data)


def _read_hashes(repl: Repl, slot: str, names: list[str]) -> dict[str, str]:
    hashes: dict[str, str] = repl.ask(program(HASHES, FOLDER=f"/{slot}/" if slot else "/", NAMES=names), limit_s=60)
    return hashes


def program(source: str, **values: Any) -> str:
    """Return the program, preceded by assignments of these values."""
    return "".join(f"{name} = {value!r}\n" for name, value in values.items()) + source


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _mismatch(repl: Repl, path: str) -> FlashingError:
    return FlashingError(
        f"{path} on the board at {repl.path} differs from what was written: run this again; if that does not help, "
        "replace the board."
    )


def console_files(config: Mapping[str, Any], ca: bytes | None) -> dict[str, bytes]:
    """Return the console's own files by their paths; `console.json`, which refers to the others, comes last."""
    files = {"/ca.der": ca} if ca is not None else {}
    return {**files, CONSOLE_FILE: json.dumps(config, indent=1, sort_keys=True).encode()}
