"""Read a database where SQLite cannot make the index of its log: the folder may not be written, or its disk is full.

Then the database and its log are copied to a folder for temporary files. The copy is of one moment, as neither file
changed meanwhile. It is deleted as soon as it is open, so that nothing is left behind.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError
from bridge.store.faults import sidecar
from bridge.store.sqlite_file import connect
from bridge.store.write_ahead_log import is_single_file
from bridge.system import may_read, may_write

if TYPE_CHECKING:
    from collections.abc import Iterable

    Stamp = tuple[tuple[int, int, int, int] | None, ...]

ATTEMPTS = 50
SETTLED_S = 0.05  # a file that changed later may change again at what its clock calls the same time
COPY = "copy.db"


class CopiedFiles:
    """A database that was copied to be read, and its files as they were then."""

    def __init__(self, database: Path) -> None:
        """Copy the database and open the copy. Raises DatabaseError, and apsw.Error where it cannot be used."""
        self._files = (database, sidecar(database, "-wal"))
        try:
            with tempfile.TemporaryDirectory(prefix="trivox-") as folder:
                copy = Path(folder) / COPY
                self._stamp = self._copy(copy)
                self.connection = connect(copy, apsw.SQLITE_OPEN_READWRITE)
                self.connection.execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE").fetchall()
        except PermissionError as error:
            raise DatabaseError(
                f"You may not read {error.filename}, which belongs to the database {database}: let its owner `chmod "
                "g+r` it as well (files made from then on have the database's own rights), or run this as its owner."
            ) from error
        except OSError as error:
            raise DatabaseError(
                f"The database {database} cannot be read in its folder, which may not be written or is full, and its "
                f"files could not be copied to {tempfile.gettempdir()} ({error.filename}: {error.strerror}): run this "
                "as its owner, or make room."
            ) from error

    def is_current(self) -> bool:
        """Return whether the files are as they were when they were copied."""
        return self._stamp == _stamp(self._files)

    def _copy(self, copy: Path) -> Stamp:
        for _ in range(ATTEMPTS):
            before = _stamp(self._files)
            if _is_settled(before):
                for file, target in zip(self._files, (copy, sidecar(copy, "-wal")), strict=True):
                    target.unlink(missing_ok=True)
                    if file.exists():
                        shutil.copyfile(file, target)
                if before == _stamp(self._files):
                    return before
            time.sleep(SETTLED_S)
        raise DatabaseError(
            f"The database {self._files[0]} is being written, and you may not read the index that its writer keeps: "
            "run this as its owner, or have its owner make a copy with `trivox backup`."
        )


def can_read_in_place(database: Path) -> bool:
    """Return whether SQLite can read a database where it is, without a file that would have to be made first."""
    try:
        if is_single_file(database):
            return True
    except OSError:
        return True  # opening it says better what is wrong
    log, index = sidecar(database, "-wal"), sidecar(database, "-shm")
    if log.exists() and index.exists():
        return may_read(log) and may_read(index)
    return may_write(database) and may_write(log.parent)


def _stamp(files: Iterable[Path]) -> Stamp:
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: Path) -> tuple[int, int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_settled(stamp: Stamp) -> bool:
    now_ns = time.time_ns()
    return not any(part and 0 <= now_ns - part[2] < SETTLED_S * 1_000_000_000 for part in stamp)
