"""Keep what was committed to a database that was moved, deleted or replaced while this process had it open."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError, TrivoxError
from bridge.privileges import acting_for
from bridge.store.backup import copy_to, make_file
from bridge.store.descriptors import current_path, identity_of
from bridge.store.faults import SIDECAR_SUFFIXES, UnsavedError, sidecar
from bridge.store.write_ahead_log import RESCUED, has_frames
from bridge.system import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bridge.store.connection import Store
    from bridge.store.open_files import FilesChangedError, OpenFiles


def rescue(store: Store, error: FilesChangedError, now: datetime, *, anywhere: bool = False) -> DatabaseError:
    """Make what was committed whole where it lies now, or save it under another name; return the error that says so.

    The log is moved into the file by the descriptors that are still open. Raises UnsavedError where nothing leads to
    the file any more and it could not be saved beside the database's path (or `anywhere`): then this process holds the
    only copy.
    """
    files = store.files
    if files is None:
        return error
    store.keep_log()
    if error.is_overwritten and (error.is_log_lost or not has_frames(files.log)):
        return DatabaseError(
            f"{error} What was stored lately is not in it any more: start the bridge again, which goes on from what is "
            "in the database; consoles send again what they hold."
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
    saved = _save(store, error, [_beside(files.database, now), *(_elsewhere(files.database, now) if anywhere else ())])
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


def _beside(database: Path, now: datetime) -> Path:
    """Return the name for a copy in the database's own folder."""
    return database.with_name(f"{database.name}{RESCUED}{now:%Y%m%dT%H%M%SZ}")


def _elsewhere(database: Path, now: datetime) -> Iterator[Path]:
    """Yield names for a copy in other folders, which tell the database's whole path; the best folder first.

    A service has a folder for its state. It is offered no other, as those for temporary files may be its own, and are
    then deleted when it ends.
    """
    name = _beside(database, now).as_posix().strip("/").replace("/", "-")
    if states := os.environ.get("STATE_DIRECTORY"):  # systemd names the folders of a service, with colons between
        yield Path(states.partition(":")[0]) / name
        return
    yield next(folder for folder in database.parent.parents if folder.is_dir()) / name
    yield Path("/var/tmp") / name  # noqa: S108 - the file is created anew, for its owner alone
    yield Path(tempfile.gettempdir()) / name


def _save(store: Store, change: FilesChangedError, names: list[Path]) -> Path:
    """Save the database under the first of the names that can be used. Raises UnsavedError."""
    failures = []
    for saved in names:
        partial = saved.with_name(f"{saved.name}.part")
        try:
            with acting_for(saved.parent):
                make_file(partial)
                copy_to(store.connection, store.path, partial)
                sync(partial)
                partial.rename(saved)
                sync(saved.parent)
        except (TrivoxError, OSError, apsw.Error) as error:
            with suppress(OSError, TrivoxError), acting_for(saved.parent):
                for file in (partial, *(sidecar(partial, suffix) for suffix in SIDECAR_SUFFIXES)):
                    file.unlink(missing_ok=True)
            failures.append(f"{saved.parent} ({error})")
        else:
            return saved
    raise UnsavedError(
        f"{change} Now this program holds the only copy: it could not be saved in {', nor in '.join(failures)}. Make "
        "that possible, and do not kill this program before."
    )
