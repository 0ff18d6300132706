"""Model flash with LittleFS: a file changes at once, when it is closed; power may go before or after a change.

`VirtualFlash` stands in for `open` and `os` of the firmware. It also watches the outbox's files: which events have a
copy in flash, and which lose the last one before the bridge has them.
"""

from __future__ import annotations

import errno
import struct
from binascii import crc32, hexlify
from typing import TYPE_CHECKING, Any, Self

from tests.chaos.virtual.failures import Failed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

Name = tuple[str, int]  # epoch, number
HEADER_SIZE = 44
RECORD_SIZE = 6


class VirtualPowerCut(BaseException):
    """Power went during an operation."""


class VirtualFlash:
    """The files of one board; `room` is how many bytes fit, `may_lose(name)` whether a last copy may be deleted."""

    def __init__(self, chance: random.Random, room: int, may_lose: Callable[[Name], bool]) -> None:
        self.files: dict[str, bytes] = {}
        self.folders = {""}
        self.room = room
        self.fails = False  # each change fails
        self.dead = False  # no power
        self.copies: dict[Name, int] = {}
        self.dropped: set[Name] = set()  # whose last copy was deleted although no bridge had them
        self.was_full = False
        self.changes = 0
        self._cut_in = 0
        self._cut_after = False
        self._chance = chance
        self._may_lose = may_lose
        self._removed: list[Name] = []

    def cut_in(self, changes: int, *, after: bool) -> None:
        """Cut the power at that change from now (0: never), before or after it takes effect."""
        self._cut_in, self._cut_after = changes, after

    # What the firmware calls.

    def open(self, path: str, mode: str = "r") -> Any:
        self._powered()
        if mode in {"r", "rb"}:
            if path not in self.files:
                raise OSError(errno.ENOENT, "virtual")
            return _Reading(self.files[path], as_text=mode == "r")
        if mode not in {"w", "wb", "ab"}:
            raise Failed(f"open mode {mode}")
        if path.rpartition("/")[0] not in self.folders:
            raise OSError(errno.ENOENT, "virtual")
        return _VirtualWriting(self, path, mode)

    def listdir(self, folder: str) -> list[str]:
        self._powered()
        if folder not in self.folders:
            raise OSError(errno.ENOENT, "virtual")
        return [path[len(folder) + 1 :] for path in self.files if path.startswith(folder + "/")]

    def mkdir(self, folder: str) -> None:
        self._change(lambda: self.folders.add(folder), 0)

    def remove(self, path: str) -> None:
        if path not in self.files:
            raise OSError(errno.ENOENT, "virtual")
        self._change(lambda: self._put(path, None), 0)

    def rename(self, old: str, new: str) -> None:
        if old not in self.files:
            raise OSError(errno.ENOENT, "virtual")
        self._change(lambda: self._move(old, new), 0)

    def urandom(self, count: int) -> bytes:
        return self._chance.randbytes(count)

    # Changes.

    def closed(self, path: str, mode: str, data: bytes) -> None:
        """Apply the change of a file that was written and is now closed."""
        content = self.files.get(path, b"") + data if mode == "ab" else data
        growth = len(content) - len(self.files.get(path, b""))
        self._change(lambda: self._put(path, content), growth)

    def _powered(self) -> None:
        if self.dead:
            raise VirtualPowerCut

    def _change(self, act: Callable[[], Any], growth: int) -> None:
        self._powered()
        self.changes += 1
        self._cut_in -= 1
        if self._cut_in == 0 and not self._cut_after:
            self.dead = True
            raise VirtualPowerCut
        if self.fails:
            raise OSError(errno.EIO, "virtual")
        if growth > 0 and sum(map(len, self.files.values())) + growth > self.room:
            self.was_full = True
            raise OSError(errno.ENOSPC, "virtual")
        act()
        if self._cut_in == 0:
            self.dead = True
            raise VirtualPowerCut

    def _put(self, path: str, content: bytes | None) -> None:
        self._count(path, -1)
        if content is None:
            del self.files[path]
        else:
            self.files[path] = content
            self._count(path, 1)
        self._settle()

    def _move(self, old: str, new: str) -> None:
        self._count(old, -1)  # a segment that grows gets another name
        content = self.files.pop(old)
        self._count(new, -1)
        self.files[new] = content
        self._count(new, 1)
        self._settle()

    # Which events have copies.

    def _count(self, path: str, sign: int) -> None:
        content = self.files.get(path)
        if content is None or "/outbox/" not in path:
            return
        copies = self.copies
        for name in names_in(path.rpartition("/")[2], content):
            copies[name] = copies.get(name, 0) + sign
            if sign < 0:
                self._removed.append(name)

    def _settle(self) -> None:
        for name in self._removed:
            if self.copies.get(name) == 0:
                del self.copies[name]
                if not self._may_lose(name):
                    self.dropped.add(name)
        self._removed.clear()


def names_in(name: str, content: bytes) -> Iterator[Name]:
    """Yield the events, as (epoch, number), in a file of the outbox; an unfinished file (`new`) counts as empty."""
    if name == "new":
        return
    if name.startswith("s"):
        _, epoch, base = name.split("-")
        seq, at = int(base, 16), 0
    else:
        if len(content) < HEADER_SIZE or struct.unpack_from("<I", content, 40)[0] != crc32(content[:40]):
            return
        epoch = hexlify(content[:4]).decode()
        seq, at = struct.unpack_from("<I", content, 8)[0], HEADER_SIZE
    while at + RECORD_SIZE <= len(content):
        length, check = struct.unpack_from("<HI", content, at)
        at += RECORD_SIZE + (length & 0xFFF)
        if crc32(content[at - (length & 0xFFF) : at], seq) == check:
            yield epoch, seq
        seq += 1


class _Reading:
    def __init__(self, content: bytes, *, as_text: bool) -> None:
        self._content = content
        self._at = 0
        self._as_text = as_text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def seek(self, offset: int) -> None:
        self._at = offset

    def read(self, size: int = -1) -> Any:
        end = len(self._content) if size < 0 else self._at + size
        data = self._content[self._at : end]
        self._at += len(data)
        return data.decode() if self._as_text else data


class _VirtualWriting:
    def __init__(self, flash: VirtualFlash, path: str, mode: str) -> None:
        self._flash = flash
        self._path = path
        self._mode = mode
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes | str) -> None:
        self._data += data.encode() if isinstance(data, str) else bytes(data)

    def close(self) -> None:
        self._flash.closed(self._path, self._mode, self._data)
