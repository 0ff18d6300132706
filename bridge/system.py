"""Do what Linux, macOS and Windows do in different ways: locks, permissions, reading at a position, syncing, clocks.

A choice is made by what Python offers on this system, not by the system's name.
"""

from __future__ import annotations

import errno
import getpass
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

fcntl: Any
pwd: Any
termios: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import pwd
except ImportError:  # Windows
    pwd = None
try:
    import termios
except ImportError:  # Windows
    termios = None

TERMINAL_ERRORS: tuple[type[Exception], ...] = () if termios is None else (termios.error,)
"""What is raised where a terminal's or port's settings are touched, beside OSError."""

BINARY: int = getattr(os, "O_BINARY", 0)
"""A flag for `os.open`: without it Windows changes line ends."""
HAS_MODES = hasattr(os, "geteuid")
"""Whether files have an owner and a mode such as 0600; on Windows they have access lists, which `stat` hides."""
OWNER_RIGHTS = "*S-1-3-4"  # what Windows calls a file's owner, in any language

_DESCRIPTORS = next((folder for folder in map(Path, ("/proc/self/fd", "/dev/fd")) if folder.is_dir()), None)


# -- permissions -----------------------------------------------------------------------------------------------------


def user_id() -> int | None:
    """Return the id of the user that this process runs as; None where users have no numbers."""
    return os.geteuid() if HAS_MODES else None  # type: ignore[attr-defined, unused-ignore]


def name_of_user(number: int | None) -> str:
    """Return the name of the user with this id, else the id; that of the present user where users have no numbers."""
    if pwd is None or number is None:
        return getpass.getuser()
    try:
        return str(pwd.getpwuid(number).pw_name)
    except KeyError:
        return str(number)


def user_record(number: int) -> Any:
    """Return what the system knows about the user with this id; None if there is none."""
    try:
        return pwd.getpwuid(number)
    except (AttributeError, KeyError):
        return None


def find_user(name: str) -> tuple[int, int] | None:
    """Return the user id and group id of a user; None if there is no such user."""
    try:
        user = pwd.getpwnam(name)
    except (AttributeError, KeyError):
        return None
    return user.pw_uid, user.pw_gid


def may_write(path: Path) -> bool:
    """Return whether the user that this process acts as may write a file, or change what is in a folder."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def may_read(path: Path) -> bool:
    """Return whether the user that this process acts as may read a file."""
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def make_private(path: Path) -> None:
    """Let only the owner of a file or folder that was just made use it, where creating it with a mode did not.

    Raises OSError.
    """
    if HAS_MODES:
        return
    flags = "(OI)(CI)" if path.is_dir() else ""  # what is made in the folder inherits them
    words = ["icacls", str(path), "/inheritance:r", "/grant:r", f"{OWNER_RIGHTS}:{flags}F"]
    try:
        done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except FileNotFoundError as error:
        raise PermissionError(errno.EPERM, "without the program icacls others can't be kept from it") from error
    if done.returncode:
        answer = " ".join((done.stdout + done.stderr).split())
        raise PermissionError(errno.EPERM, f"icacls could not keep others from it: {answer}")


# -- files -----------------------------------------------------------------------------------------------------------


def read_at(descriptor: int, size: int, position: int) -> bytes:
    """Read from a position. Where that is done in two steps, no two threads may read by the same descriptor."""
    if hasattr(os, "pread"):
        return bytes(os.pread(descriptor, size, position))
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, size)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder where that is possible, to the disk. Raises OSError."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(path, os.O_RDONLY)
    elif path.is_dir():
        return  # Windows keeps the entries of folders in a journal
    else:
        descriptor = os.open(path, os.O_RDWR | BINARY)  # Windows flushes only what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; return False where another process has locked it. Raises OSError."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt  # noqa: PLC0415 - only where there is no fcntl

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    except (BlockingIOError, PermissionError):
        return False
    return True


def open_descriptors() -> list[int]:
    """Return the descriptors of this process; none on Windows, where closing one drops no locks of another."""
    return [] if _DESCRIPTORS is None else [int(name) for name in os.listdir(_DESCRIPTORS)]  # noqa: PTH208 - names


def path_of_descriptor(descriptor: int) -> Path | None:
    """Return the path that leads to an open file now; None if the system does not tell. Raises OSError."""
    if hasattr(fcntl, "F_GETPATH"):  # macOS
        path: bytes = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))
        return Path(os.fsdecode(path.rstrip(b"\0")))
    return None if _DESCRIPTORS is None else (_DESCRIPTORS / str(descriptor)).readlink()


def is_read_only(folder: Path) -> bool:
    """Return whether the folder's disk is mounted so that nothing can be written; False if that can't be told."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)  # type: ignore[attr-defined, unused-ignore]
    except (AttributeError, OSError):
        return False


# -- clocks ----------------------------------------------------------------------------------------------------------


def elapsed_ms() -> int:
    """Return the milliseconds since some moment; nobody sets this clock, and it goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))  # macOS: the latter goes on as well
    elapsed_ns: int = time.monotonic_ns() if clock is None else getattr(time, "clock_gettime_ns")(clock)  # noqa: B009
    return elapsed_ns // 1_000_000


def make_thread_clock() -> Callable[[], float]:
    """Return a function that tells, to any thread, for how many seconds this thread has used the processor.

    It raises OSError once this thread has ended. Where the system does not tell, it goes on as if the thread worked.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)  # type: ignore[attr-defined, unused-ignore]
