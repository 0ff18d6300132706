"""Keep what was committed to a database that was moved, deleted or replaced while this process had it open."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError
from bridge.private_files import sync
from bridge.store.backup import copy_to, make_file
from bridge.store.descriptors import current_path, identity_of
from bridge.store.faults import SIDECAR_SUFFIXES, UnsavedError, sidecar
from bridge.store.write_ahead_log import RESCUED, has_frames

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from bridge.store.connection import Store
    from bridge.store.open_files import FilesChangedError, OpenFiles


def rescue(store: Store, error: FilesChangedError, now: datetime) -> DatabaseError:
    """Make what was committed whole where it lies now, or save it under another name; return the error that says so.

    The log is moved into the file by the descriptors that are still open. Raises UnsavedError where nothing leads to
    the file any more and it could not be saved: then this process holds the only copy.
    """
    files = store.files
    if files is None:
        return error
    store.keep_log()
    if error.is_overwritten and not has_frames(files.log):
        return DatabaseError(
            f"{error} What was stored lately was in that log: start the bridge again, which goes on from what is in "
            "the database; consoles send again what they hold."
        )
    if error.is_overwritten:
        return DatabaseError(
            f"{error} What was stored lately is in its log {files.log}: run `trivox restore COPY` with the database or "
            "a copy, which keeps the log, and takes it in if it belongs to COPY."
        )
    place = current_path(files.identity)
    if place is not None and not _has_other_log(place, files) and _empty_log(store.connection):
        if place == files.database.resolve():
            return DatabaseError(f"{error} All that was stored is in it: start the bridge again.")
        return DatabaseError(
            f"{error} All that was stored is in {place}: put it back, or name it by --database; then start the bridge."
        )
    saved = _save(store, files, now)
    _empty_log(store.connection)
    return DatabaseError(f"{error} All that was stored is saved as {saved}: put it back with `trivox restore {saved}`.")


def _has_other_log(place: Path, files: OpenFiles) -> bool:
    """Return whether another program has already begun a log of its own for the file, which it would not expect."""
    try:
        return identity_of(sidecar(place, "-wal").stat()) != files.log_identity
    except OSError:
        return False


def _empty_log(connection: apsw.Connection) -> bool:
    """Move the log into the file; return whether nothing is left in it."""
    try:
        ((is_busy, in_log, moved),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except apsw.Error:
        return False
    return not is_busy or in_log == moved


def _save(store: Store, files: OpenFiles, now: datetime) -> Path:
    saved = files.database.with_name(f"{files.database.name}{RESCUED}{now:%Y%m%dT%H%M%SZ}")
    partial = saved.with_name(f"{saved.name}.part")
    try:
        make_file(partial)
        copy_to(store.connection, files.database, partial)
        sync(partial)
        partial.rename(saved)
        sync(saved.parent)
    except (DatabaseError, OSError, apsw.Error) as error:
        with suppress(OSError):
            for file in (partial, *(sidecar(partial, suffix) for suffix in SIDECAR_SUFFIXES)):
                file.unlink(missing_ok=True)
        raise UnsavedError(
            f"The database {files.database} was deleted, and this program holds the only copy: it could not be saved "
            f"in {saved.parent} ({error}). Make that possible, and do not end this program before."
        ) from error
    return saved
