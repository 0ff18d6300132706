"""Notice when a database's path no longer names the files that are open, as after `mv`, `rm` or `umount`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from bridge.errors import DatabaseError
from bridge.store.descriptors import Identity, identity_of
from bridge.store.faults import sidecar, unreadable
from bridge.store.log_index import LogIndex
from bridge.store.write_ahead_log import has_frames, is_own_log

if TYPE_CHECKING:
    from pathlib import Path


LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM)


class FilesChangedError(DatabaseError):
    """A database's path names other files than those that are open; `is_overwritten`: their content is another's.

    With `is_log_lost` that content was in a log which is overwritten, too.
    """

    def __init__(self, sentence: str, *, is_overwritten: bool = False, is_log_lost: bool = False) -> None:
        super().__init__(sentence)
        self.is_overwritten = is_overwritten
        self.is_log_lost = is_log_lost


class OpenFiles:
    """The files of a database that this process has just opened for writing."""

    def __init__(self, database: Path) -> None:
        self.database = database.absolute()  # not resolved: a link may be pointed elsewhere
        self.log = sidecar(self.database, "-wal")
        self._names = {
            self.database: "",
            self.log: f"its log {self.log}",
            (index := sidecar(self.database, "-shm")): f"its index {index}",
        }
        self._opened = {path: identity_of(path.stat()) for path in self._names}
        self._checked = self._stamp()
        self._index = LogIndex(self.database)

    @property
    def identity(self) -> Identity:
        """Return the identity of the database file that is open."""
        return self._opened[self.database]

    @property
    def log_identity(self) -> Identity:
        """Return the identity of the log that is open."""
        return self._opened[self.log]

    def check(self) -> None:
        """Raise FilesChangedError if the path names other files now, or another program has overwritten them.

        Raises UnreadableError where the disk does not tell.
        """
        if (change := self.change()) is not None:
            raise change

    def change(self) -> FilesChangedError | None:
        """Return what has become of the files, in a sentence; None if they are as they were.

        Raises UnreadableError where the disk does not tell.
        """
        for path, name in self._names.items():
            try:
                is_same = identity_of(path.stat()) == self._opened[path]
            except FileNotFoundError:
                return self._error(f"{name or 'it'} was moved, deleted or unmounted")
            except OSError as error:
                return self._unreached(name, error)
            if not is_same:
                return self._error(f"{name or 'it'} was replaced by another file")
        try:
            return self._overwritten()
        except OSError as error:
            return self._unreached("", error)

    def _unreached(self, name: str, error: OSError) -> FilesChangedError:
        """Return the change if the path leads nowhere now. Raises UnreadableError for other errors, which may pass."""
        if error.errno not in LEADS_NOWHERE:
            raise unreadable(self.database, error.strerror or str(error)) from error
        return self._error(f"{name or 'it'} cannot be reached any more ({error.strerror})")

    def _overwritten(self) -> FilesChangedError | None:
        if not self._index.is_log_whole():
            return self.set_back(f"its log {self.log} was overwritten")
        stamp = self._stamp()
        if stamp == self._checked:
            return None
        if not is_own_log(self.database):
            return self._error("it was overwritten", is_overwritten=True)
        if has_frames(self.log):  # an empty log belongs to anything: then the next commit will show it
            self._checked = stamp
        return None

    def _stamp(self) -> tuple[int, int]:
        """Return what changes whenever somebody writes to the database file, which SQLite does only now and then."""
        status = self.database.stat()
        return status.st_mtime_ns, status.st_size

    def set_back(self, what: str) -> FilesChangedError:
        """Make the error for files whose newest content another program has overwritten."""
        return self._error(what, is_overwritten=True, is_log_lost=True)

    def _error(self, what: str, *, is_overwritten: bool = False, is_log_lost: bool = False) -> FilesChangedError:
        return FilesChangedError(
            f"The database {self.database} is not the one in use any more ({what}); nothing was acknowledged since.",
            is_overwritten=is_overwritten,
            is_log_lost=is_log_lost,
        )
