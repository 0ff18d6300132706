"""Make a copy of a database, with the folders beside it, while the bridge writes; keep only the newest dated ones."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import DatabaseError, UsageError
from bridge.ops.side_folders import SUFFIXES, copy_beside, side_folders
from bridge.private_files import is_taken
from bridge.privileges import acting_for
from bridge.store import open_store
from bridge.store.backup import copy_to, make_file
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar
from bridge.system import sync

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

DATE = "%Y-%m-%dT%H%M%SZ"
PARTS = rf"(?:{'|'.join(SUFFIXES)})(?:\.[0-9a-f]+\.new)?|\.\d+\.part(?:-journal|-wal|-shm)?"  # beside a copy
DATE_PATTERN = r"\d{4}-\d\d-\d\dT\d{6}Z"


class Backup(NamedTuple):
    """The copy with its size in bytes, the folders beside it, and a sentence for each thing that is not in them."""

    file: Path
    size: int
    folders: list[Path]
    missing: list[str]


def back_up(database: Path, file: Path) -> Backup:
    """Copy a database to `file`, which must not exist yet. Raises TrivoxError."""
    _refuse_taken(file)
    store = open_store(database, takes_older=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    folders: list[Path] = []
    missing: list[str] = []
    try:
        with store.snapshot():
            store.one("SELECT 1 FROM sqlite_schema")  # opens the files as their owner
            with acting_for(file.parent):
                make_file(partial)
                copy_to(store.connection, database, partial)
                sync(partial)
        for suffix in SUFFIXES:
            copied = copy_beside(database, file, suffix)
            folders += [copied.folder] if copied.folder else []
            missing += copied.missing
        with acting_for(file.parent):
            size = partial.stat().st_size
            partial.rename(file)
            sync(file.parent)
    except BaseException:
        _remove([*folders, partial])
        raise
    finally:
        store.close()
    return Backup(file, size, folders, missing)


def refuse_folder(file: Path, database: Path) -> None:
    """Raise UsageError where a folder is given instead of the copy's name."""
    with acting_for(file.parent):
        is_folder = file.is_dir()
    if is_folder:
        raise UsageError(f"{file} is a folder: name a file in it, such as {file / database.name}.")


def dated(file: Path, now: datetime) -> Path:
    """Return the name of the copy that is made now: the date stands before the ending."""
    return file.with_name(f"{file.stem}-{now.strftime(DATE)}{file.suffix}")


def remove_older(file: Path, made: Path, keep: int) -> list[Path]:
    """Remove the dated copies of `file` but `made` and the newest others, `keep` in all; return what was removed."""
    with acting_for(file.parent):
        name = re.compile(rf"({re.escape(file.stem)}-{DATE_PATTERN}{re.escape(file.suffix)})({PARTS})?")
        parts: dict[Path, list[Path]] = defaultdict(list)  # by copy
        for path in sorted(file.parent.iterdir()):
            if (match := name.fullmatch(path.name)) and (match[2] or path.is_file()):
                parts[path.with_name(match[1])].append(path)
        copies = [copy for copy in parts if copy in parts[copy] and copy.name != made.name]
        kept = [*copies[len(copies) - keep + 1 :], made] if keep <= len(copies) else [*copies, made]
        oldest = min(copy.name for copy in kept)
        gone = [copy for copy in parts if copy.name not in {copy.name for copy in kept}]
        gone = [copy for copy in gone if copy in copies or copy.name < oldest]  # a newer one may be in the making
        _remove([path for copy in gone for path in parts[copy]])
    return gone


def _refuse_taken(file: Path) -> None:
    with acting_for(file.parent):
        if not file.absolute().parent.is_dir():
            raise DatabaseError(f"There is no folder {file.absolute().parent}: create it first.")
        sidecars = [sidecar(file, suffix) for suffix in SIDECAR_SUFFIXES]
    for taken in (file, *sidecars, *side_folders(file)):
        if is_taken(taken):
            raise DatabaseError(f"{taken} is there already: give another name, or move it away.")


def _remove(paths: list[Path]) -> None:
    """Remove files and folders; a link is removed, never followed. Raises OSError."""
    for path in paths:
        with acting_for(path.parent):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
