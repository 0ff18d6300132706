"""Simulate an ESP32 in its ROM loader, behind a pty, with the part of the serial protocol that esptool needs to write.

It accepts the stub that esptool loads, reports that it runs, and plays it from then on. Only `flash` is real: writes
go there, and checksums are computed from it.
"""

import hashlib
import os
import select
import struct
import threading
import tty
import zlib
from collections.abc import Callable
from typing import Self

SIZE = 4 << 20
HEAD = struct.Struct("<BBHI")  # which way, command, length, value
END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"
SYNC, READ_REG, MEM_END = 0x08, 0x0A, 0x06
BEGIN, DATA = 0x02, 0x03
ERASE_FLASH, DEFLATED_BEGIN, DEFLATED_DATA, MD5 = 0xD0, 0x10, 0x11, 0x13
IS_ROM = 0x20120707  # what a ROM answers to a sync; a stub answers 0
REGISTERS = {
    0x40001000: 0x00F01D83,  # this is an ESP32
    0x3FF40014: 347,  # the UART's divider: a crystal of 40 MHz
    0x3FF42080: 0x164020,  # a flash of 4 MB
}


class Esp32Rom:
    """A board in its loader at `port`, as a context manager; `checked` is called when esptool verifies its writes."""

    def __init__(self, checked: Callable[[], object] = lambda: None) -> None:
        self.flash = bytearray(b"\0" * SIZE)  # as if written before, so that erasing shows
        self._checked = checked
        self._is_stub = False
        self._at = 0
        self._inflating = zlib.decompressobj()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._commands: dict[int, Callable[[bytes], tuple[int, bytes]]] = {
            SYNC: lambda _: (IS_ROM, b""),
            READ_REG: lambda data: (REGISTERS.get(int.from_bytes(data[:4], "little"), 0), b""),
            ERASE_FLASH: self._erase,
            BEGIN: self._begin,
            DATA: lambda data: self._write(data[16:]),
            DEFLATED_BEGIN: self._begin,
            DEFLATED_DATA: lambda data: self._write(self._inflating.decompress(data[16:])),
            MD5: self._digest,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop[1], b"!")
        self._thread.join()
        for end in (*self._stop, self._master, self._slave):
            os.close(end)

    def _erase(self, _: bytes) -> tuple[int, bytes]:
        self.flash[:] = b"\xff" * SIZE
        return 0, b""

    def _begin(self, data: bytes) -> tuple[int, bytes]:
        size, _, _, self._at = struct.unpack("<4I", data[:16])
        end = -(-(self._at + size) // 4096) * 4096
        self.flash[self._at : end] = b"\xff" * (end - self._at)
        self._inflating = zlib.decompressobj()
        return 0, b""

    def _write(self, piece: bytes) -> tuple[int, bytes]:
        self.flash[self._at : self._at + len(piece)] = piece
        self._at += len(piece)
        return 0, b""

    def _digest(self, data: bytes) -> tuple[int, bytes]:
        self._checked()
        at, size = struct.unpack("<2I", data[:8])
        return 0, hashlib.md5(self.flash[at : at + size]).digest()  # noqa: S324 - the protocol's

    def _serve(self) -> None:
        rest = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop[0]], [], [])
            if self._stop[0] in ready:
                return
            *frames, rest = (rest + os.read(self._master, 65536)).split(END)
            for frame in filter(None, frames):
                self._obey(frame.replace(ESCAPED_END, END).replace(ESCAPED_ESCAPE, ESCAPE))

    def _obey(self, frame: bytes) -> None:
        if len(frame) < HEAD.size:
            return
        way, command, length, _ = HEAD.unpack_from(frame)
        if way != 0 or len(frame) != HEAD.size + length:
            return
        value, data = self._commands.get(command, lambda _: (0, b""))(frame[HEAD.size :])
        status = bytes(2 if self._is_stub else 4)
        for _ in range(8 if command == SYNC else 1):  # a ROM repeats its answer to a sync
            self._say(HEAD.pack(1, command, len(data + status), value) + data + status)
        if command == MEM_END and not self._is_stub:
            self._is_stub = True
            self._say(b"OHAI")

    def _say(self, frame: bytes) -> None:
        os.write(self._master, END + frame.replace(ESCAPE, ESCAPED_ESCAPE).replace(END, ESCAPED_END) + END)
