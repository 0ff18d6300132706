"""Run `trivox` on a disk that cannot be read beyond a point of the database, while a file `fails` lies beside it.

That file may hold another point: at 0 nothing can be read. SQLite lets programs replace its system calls; what else
reads the database fails in the same way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path
from typing import Any

import apsw

GOOD_BYTES = 40_960
SWITCH = "fails"

libc = ctypes.CDLL(None, use_errno=True)
PREAD = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
libc.pread64.argtypes = PREAD._argtypes_  # type: ignore[attr-defined]
libc.pread64.restype = ctypes.c_ssize_t
real_pread = os.pread


def fails(descriptor: int, position: int) -> bool:
    file = Path(f"/proc/self/fd/{descriptor}").readlink()
    switch = file.with_name(SWITCH)
    return file.suffix == ".db" and switch.exists() and position >= int(switch.read_text() or GOOD_BYTES)


@PREAD
def failing_pread64(descriptor: int, buffer: Any, size: int, position: int) -> int:
    if fails(descriptor, position):
        ctypes.set_errno(errno.EIO)
        return -1
    return int(libc.pread64(descriptor, buffer, size, position))


def failing_pread(descriptor: int, size: int, position: int) -> bytes:
    if fails(descriptor, position):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return real_pread(descriptor, size, position)


if __name__ == "__main__":
    from bridge.cli.main import main

    vfs = apsw.VFS("failing", base="unix")
    vfs.xSetSystemCall("pread64", ctypes.cast(failing_pread64, ctypes.c_void_p).value)
    os.pread = failing_pread
    del sys.argv[0]  # the rest is the command as it is run otherwise, beginning with `trivox`
    main()
