"""Say what keeps a database from being read or written: an error of SQLite, in a word for programs or a sentence."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError, NoRoomError, TrivoxError
from bridge.store.descriptors import open_to_read
from bridge.system import is_read_only, read_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED = (apsw.NotADBError, apsw.CorruptError)
SIDECAR_SUFFIXES = ("-wal", "-shm", "-journal")
NO_MEMORY = (MemoryError, apsw.NoMemError)
DISK_ERRORS = {
    getattr(errno, name)
    for name in ("EIO", "ENXIO", "ENODEV", "ESTALE", "ETIMEDOUT", "EBADMSG", "EUCLEAN")
    if hasattr(errno, name)  # each system has some of them
}
READ_BYTES = 1024 * 1024
CANNOT_READ = (
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
    apsw.SQLITE_IOERR_FSTAT,
    apsw.SQLITE_IOERR_ACCESS,
)


class UnreadableError(DatabaseError):
    """The disk does not give the database's bytes back; whether they are right nobody knows."""


class UnsavedError(TrivoxError):
    """A database that was deleted while it was in use could not be saved under another name."""


WRITE_ERRORS: dict[str, tuple[type[BaseException], ...]] = {
    "disk_full": (apsw.FullError,),
    "locked": (apsw.BusyError, apsw.LockedError, apsw.ProtocolError),
    "not_writable": (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError),
    "no_memory": NO_MEMORY,
    "io_error": (apsw.IOError, apsw.InterruptError, apsw.AbortError),
    "not_readable": (UnreadableError,),
    "not_saved": (UnsavedError,),
}
"""Errors that may pass, by a word for what keeps the database from being written."""


def write_error(error: BaseException) -> str | None:
    """Return what outside this program keeps it from writing, in a word; None if the error is of another kind."""
    return next((word for word, kinds in WRITE_ERRORS.items() if isinstance(error, kinds)), None)


def is_read_error(error: BaseException) -> bool:
    """Return whether SQLite could not read a file (it calls some such errors damage: see `damage_or_disk`)."""
    return isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in CANNOT_READ


def sidecar(path: Path, ending: str) -> Path:
    """Return the file that SQLite keeps beside a database under this ending; `path` may be a link to the database."""
    real = path.resolve()
    return real.with_name(real.name + ending)


def damage_or_disk(path: Path, why: object) -> DatabaseError:
    """Make the error for a database that SQLite calls damaged, which it also does where the disk cannot be read."""
    failure = _read_failure(path)
    return damaged(str(path), why) if failure is None else unreadable(path, failure.strerror or str(failure))


def damaged(name: str, why: object) -> DatabaseError:
    """Make the error for a damaged database."""
    return DatabaseError(
        f"The database {name} is damaged ({why}): end the bridge and put back a copy made by `trivox backup`, with "
        "`trivox restore COPY`; what the consoles still hold comes again by itself."
    )


def unreadable(path: Path, why: str = "disk I/O error") -> UnreadableError:
    """Make the error for a database whose disk fails."""
    return UnreadableError(
        f"The disk cannot read the database {path} ({why}): check the disk and its cable or card, and if it is broken, "
        "restore a copy made by `trivox backup` on another one; consoles keep their events meanwhile."
    )


@contextmanager
def readable(path: Path) -> Iterator[int]:
    """Give a descriptor to read a database by, at positions. Raises DatabaseError where that fails."""
    try:
        with open_to_read(path) as descriptor:
            yield descriptor
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise unreadable(path, error.strerror or str(error)) from error
        raise DatabaseError(
            f"The database {path} cannot be opened ({error.strerror}): check its path and permissions."
        ) from error


def cannot_use(path: Path, error: apsw.Error) -> DatabaseError:
    """Make the error for a database that SQLite cannot use, by what the system says about its file and disk."""
    if isinstance(error, DAMAGED):
        return damage_or_disk(path, error)
    if is_read_error(error):
        return unreadable(path)
    if isinstance(error, apsw.FullError | apsw.IOError):
        check = "" if isinstance(error, apsw.FullError) else ", and check the disk and its cable or card"
        return NoRoomError(
            f"The disk cannot write the database {path} ({error}): make room on its disk{check}; the consoles keep "
            "their events meanwhile."
        )
    if is_read_only(path.resolve().parent):
        return DatabaseError(
            f"The database {path} cannot be written, as its disk is mounted read-only: check the disk, then mount it "
            "for writing."
        )
    return DatabaseError(f"The database {path} cannot be opened ({error}): check its path and permissions.")


def _read_failure(path: Path) -> OSError | None:
    """Read a database's files to their ends; return the disk's error if one cannot be read."""
    try:
        for file in (path, sidecar(path, "-wal")):
            if file.is_file():
                with open_to_read(file) as descriptor:
                    _read_all(descriptor)
    except OSError as error:
        return error if error.errno in DISK_ERRORS else None
    return None


def _read_all(descriptor: int) -> None:
    position = 0
    while read := read_at(descriptor, READ_BYTES, position):
        position += len(read)
