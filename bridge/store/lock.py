"""The writer's lock: one process writes a database."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.private_files import open_plain
from bridge.store.sqlite_file import acting_for_owner
from bridge.system import try_lock

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """The writer's lock, held until `release` or the end of the process."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def release(self) -> None:
        """Let others write."""
        self._file.close()


def lock_place(database: Path) -> str:
    """Return what names the file of the lock on this machine, wherever its path leads; empty if there is none yet."""
    try:
        status = _lock_path(database).stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"


def _lock_path(database: Path) -> Path:
    database = database.resolve()
    return database.with_name(f"{database.name}.lock")


def _open_lock(path: Path) -> IO[bytes]:
    if not path.parent.is_dir():
        raise TrivoxError(f"There is no folder {path.parent}: create it first, or give another --database.")
    try:
        return os.fdopen(open_plain(path, os.O_WRONLY | os.O_CREAT), "wb")
    except OSError as error:
        advice = "find out who put it there, and remove it" if path.is_symlink() else "check the folder and its rights"
        raise TrivoxError(f"{path} cannot be made ({error.strerror}): {advice}.") from error


def take_lock(database: Path) -> Lock | None:
    """Take the writer's lock; return None while another process holds it. Raises TrivoxError."""
    with acting_for_owner(database):
        file = _open_lock(_lock_path(database))
    if not try_lock(file):
        file.close()
        return None
    return Lock(file)
