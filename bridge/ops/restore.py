"""Put a copy in the place of a database that is damaged or lost. Nothing is thrown away.

Nobody may write the database meanwhile. The old one gets another name together with its log, which SQLite would
otherwise apply to the copy. A log whose database is not there is taken in if it belongs to the copy; else it is kept
under another name, for a later restore. Whenever the power fails, either the old database or the copy is there, whole.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import DatabaseError, WriterBusyError
from bridge.ops.side_folders import put_back_folders
from bridge.private_files import SECRET
from bridge.privileges import acting_as_caller, acting_for
from bridge.service.control import describe_bridge
from bridge.store.backup import copy_to, drop_strangers, read_copy, read_joined
from bridge.store.connection import newest_version
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar
from bridge.store.lock import take_lock
from bridge.store.sqlite_file import acting_for_owner, check_kinds
from bridge.store.write_ahead_log import KEPT, absent, belongs, has_frames, is_own_log, kept_logs, rescued_copies
from bridge.system import HAS_MODES, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    import apsw


class Restored(NamedTuple):
    """The places of the old database and of a log of another one, the log that was taken in, and more.

    `left_out` is what no Trivox has made; `folders` came back, and `kept_folders` stay as they were.
    """

    old_database: Path | None
    taken_log: Path | None
    kept_log: Path | None
    left_out: list[str]
    folders: list[Path]
    kept_folders: list[Path]


def restore(copy: Path, database: Path, now: datetime) -> Restored:
    """Put `copy` in the database's place. Raises TrivoxError."""
    newest_version()  # this program's own files are read before it acts as another user
    with acting_for_owner(database):
        database = database.resolve()
        check_kinds(database)
        lock = take_lock(database)
        if lock is None:
            raise WriterBusyError(_why_busy(database))
        try:
            return _replace(copy.absolute(), database, now)
        finally:
            lock.release()


def _why_busy(database: Path) -> str:
    vitals = describe_bridge(database) if database.exists() else None
    if not database.exists() or (vitals is not None and vitals["write_error"] == "not_saved"):
        return (
            f"The program that writes {database} now holds the only copy, as that was moved, deleted or replaced: read "
            "its log, and let it save the copy before it ends; then restore that one."
        )
    return f"A bridge or another command is writing {database}: end it, then restore."


def _replace(copy: Path, database: Path, now: datetime) -> Restored:
    # Under the lock one name is enough: a file left by a killed restore is replaced.
    partial, scratch = (database.with_name(f"{database.name}.{word}") for word in ("part", "joined"))
    lost_logs = list(_logs_without_database(database))
    source, taken = _read(copy, lost_logs, scratch)
    try:
        _begin(partial, database)
        copy_to(source, copy, partial)
        left_out = drop_strangers(partial)
        sync(partial)
        folders, kept_folders = put_back_folders(copy, database)
        own_log = sidecar(database, "-wal")
        kept = _keep(own_log, database, now) if own_log in lost_logs else None
        aside = _set_aside(database, now)
        sync(database.parent)
        partial.replace(database)  # until the old log is gone, the copy beside it is refused
        for suffix in SIDECAR_SUFFIXES:
            sidecar(database, suffix).unlink(missing_ok=True)
        sync(database.parent)
        if taken is not None:
            (kept if kept and taken == own_log else taken).unlink()
        if copy in rescued_copies(database):  # else the next start would ask for it again
            copy.unlink()
    finally:
        source.close()
        _clear(partial)
        _clear(scratch)
    return Restored(aside, taken, None if taken == own_log else kept, left_out, folders, kept_folders)


def _read(copy: Path, lost_logs: list[Path], scratch: Path) -> tuple[apsw.Connection, Path | None]:
    """Open the copy to be read, together with the one of the lost logs that belongs to it, which is returned too."""
    _clear(scratch)
    with acting_for(copy):
        is_alone = copy.is_file() and not has_frames(sidecar(copy, "-wal"))
    for log in lost_logs if is_alone else ():
        if _belongs(copy, log):
            return read_joined(copy, log, scratch), log
    with acting_for(copy):
        return read_copy(copy), None


def _belongs(copy: Path, log: Path) -> bool:
    """Return whether a log belongs to a copy, which another user than the log's may own."""
    with acting_as_caller():
        return belongs(copy, log)


def _logs_without_database(database: Path) -> Iterator[Path]:
    """Yield the log in the database's place if it is another's, and those that were kept by earlier restores."""
    log = sidecar(database, "-wal")
    with suppress(DatabaseError):  # a damaged one, whose log goes where it goes
        if has_frames(log) and (absent(database) or not is_own_log(database)):
            yield log
    yield from kept_logs(database)


def _keep(log: Path, database: Path, now: datetime) -> Path:
    kept = _free_name(database, f"{database.name}{KEPT}{now:%Y%m%dT%H%M%SZ}")
    return log.rename(sidecar(kept, "-wal"))


def _begin(partial: Path, database: Path) -> None:
    try:
        _create(partial, database)
    except OSError as error:
        raise DatabaseError(
            f"Nothing can be written to {database.parent} ({error.strerror}): see whose folder that is, and whether "
            "--database is a link that leads there by mistake; then restore again."
        ) from error


def _create(partial: Path, database: Path) -> None:
    """Create the new file, empty, with the owner and the permissions of the old database."""
    _clear(partial)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET)
    try:
        if database.exists() and HAS_MODES:
            old = database.stat()
            with suppress(PermissionError):  # the database is another user's; the copy then belongs to this user
                os.fchown(descriptor, old.st_uid, old.st_gid)  # type: ignore[attr-defined, unused-ignore]
            os.fchmod(descriptor, old.st_mode & 0o777)  # type: ignore[attr-defined, unused-ignore]
    finally:
        os.close(descriptor)


def _clear(partial: Path) -> None:
    for path in (partial, *(sidecar(partial, suffix) for suffix in SIDECAR_SUFFIXES)):
        path.unlink(missing_ok=True)


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Give the database and its log a second name that is free. The first name goes when the copy takes it."""
    if not database.exists():
        return None
    aside = _free_name(database, f"{database.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-journal"):
        if sidecar(database, suffix).exists():
            _link_or_copy(sidecar(database, suffix), sidecar(aside, suffix))
    _link_or_copy(database, aside)
    return aside


def _free_name(database: Path, stem: str) -> Path:
    path, number = database.with_name(stem), 1
    while any(file.exists() for file in (path, *(sidecar(path, suffix) for suffix in SIDECAR_SUFFIXES))):
        number += 1
        path = database.with_name(f"{stem}-{number}")
    return path


def _link_or_copy(path: Path, new_name: Path) -> None:
    try:
        os.link(path, new_name)
    except OSError:
        shutil.copy2(path, new_name)  # a filesystem without links
