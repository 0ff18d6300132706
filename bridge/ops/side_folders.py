"""Copy the folders beside a database, its keys, firmware and logins of archives, to where its copy lies, and back.

They have the copy's name with the same endings, so that every command finds them beside the copy too. The bridge's own
name at the broker stays behind: a copy that is put into use beside the original must not take its place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.keyring import SESSION
from bridge.privileges import acting_for

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = ("-keys", "-firmware", "-cameras")
MAX_FILE_BYTES = 4 * 1024 * 1024  # more than a bundle has


def side_folders(database: Path) -> list[Path]:
    """Return the places of the folders beside a database, or beside a copy of one. Raises TrivoxError."""
    return [_folder(database, suffix) for suffix in SUFFIXES]


def _folder(database: Path, suffix: str) -> Path:
    with acting_for(database):
        return private_files.folder_beside(database, suffix)


class CopiedFolder(NamedTuple):
    """The folder that was made, if there was anything to copy, and a sentence for each thing that is not in it."""

    folder: Path | None
    missing: list[str]


class _Contents(NamedTuple):
    """The files of a folder by their paths in it, and a sentence for each that could not be read."""

    files: dict[str, bytes]
    unread: list[str]


def copy_beside(database: Path, copy: Path, suffix: str) -> CopiedFolder:
    """Copy what can be read of the folder with this ending to beside `copy`."""
    try:
        source, target = _folder(database, suffix), _folder(copy, suffix)
        files, unread = _read_folder(source)
        if files:
            private_files.write_folder(target, files)
    except TrivoxError as error:
        return CopiedFolder(None, [str(error)])
    return CopiedFolder(target if files else None, unread)


def put_back_folders(copy: Path, database: Path) -> tuple[list[Path], list[Path]]:
    """Copy the folders beside `copy` to a database that has none; return those, and those that were there and stay.

    Who was enrolled or revoked since the copy was made stays so. Raises TrivoxError.
    """
    put_back, kept = [], []
    for source, target in zip(side_folders(copy), side_folders(database), strict=True):
        if not _is_there(source):
            continue
        files = _read_whole(source)
        if not _is_there(target):
            if files:
                private_files.write_folder(target, files)
            put_back.append(target)
        elif _read_whole(target):
            kept.append(target)
        else:
            _fill(target, files)
            put_back.append(target)
    return put_back, kept


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        private_files.make_folder((folder / name).parent)
        private_files.write(folder / name, data)


def _is_there(folder: Path) -> bool:
    with acting_for(folder):
        return os.path.lexists(folder)


def _read_whole(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their paths in it. Raises TrivoxError if one can't be read."""
    files, unread = _read_folder(folder)
    if unread:
        raise TrivoxError(unread[0])
    return files


def _read_folder(folder: Path) -> _Contents:
    """Read the files of a folder and of its subfolders; one that is not there has none."""
    contents = _Contents({}, [])
    with acting_for(folder):
        for path in _names_in(folder, contents) if os.path.lexists(folder) else ():
            for file in _names_in(path, contents) if path.is_dir() and not path.is_symlink() else [path]:
                _read_into(contents, file, str(file.relative_to(folder)))
    return contents


def _names_in(folder: Path, contents: _Contents) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        contents.unread.append(_unread(folder, error))
        return []


def _read_into(contents: _Contents, file: Path, name: str) -> None:
    if file.name == SESSION:
        return
    try:
        contents.files[name] = private_files.read(file, MAX_FILE_BYTES)
    except FileNotFoundError:
        return  # it was removed meanwhile
    except OSError as error:
        contents.unread.append(_unread(file, error))


def _unread(path: Path, error: OSError) -> str:
    return f"{path} cannot be copied ({error.strerror}): run this as its owner; if it is no file of ours, remove it."
