"""Copy the folders beside a database, its keys and its firmware, to where its copy lies, and back.

They have the copy's name with the same endings, so that every command finds them beside the copy too. The bridge's own
name at the broker stays behind: a copy that is put into use beside the original must not take its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.keyring import SESSION
from bridge.privileges import acting_for

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = ("-keys", "-firmware")
MAX_FILE_BYTES = 4 * 1024 * 1024  # more than a bundle has


def side_folders(database: Path) -> list[Path]:
    """Return the places of the folders beside a database, or beside a copy of one. Raises TrivoxError."""
    with acting_for(database):
        return [private_files.folder_beside(database, suffix) for suffix in SUFFIXES]


def beside(database: Path, copy: Path) -> list[tuple[Path, Path]]:
    """Return the folders that are beside a database, each with its place beside `copy`. Raises TrivoxError."""
    pairs = zip(side_folders(database), side_folders(copy), strict=True)
    return [(source, target) for source, target in pairs if _is_folder(source)]


def copy_folder(source: Path, target: Path) -> bool:
    """Copy a folder to a new one, if anything is in it; return whether it was. Raises TrivoxError."""
    files = _read_folder(source)
    if files:
        private_files.write_folder(target, files)
    return bool(files)


def put_back_folders(copy: Path, database: Path) -> tuple[list[Path], list[Path]]:
    """Copy the folders beside `copy` to a database that has none; return those, and those that were there and stay.

    Who was enrolled or revoked since the copy was made stays so. Raises TrivoxError.
    """
    put_back, kept = [], []
    for source, target in beside(copy, database):
        if not _is_folder(target):
            copy_folder(source, target)
            put_back.append(target)
        elif _read_folder(target):
            kept.append(target)
        else:
            _copy_into(source, target)
            put_back.append(target)
    return put_back, kept


def _copy_into(source: Path, target: Path) -> None:
    for name, data in _read_folder(source).items():
        private_files.make_folder((target / name).parent)
        private_files.write(target / name, data)


def _is_folder(folder: Path) -> bool:
    with acting_for(folder):
        return folder.is_dir()


def _read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder and of its subfolders, by their paths in it. Raises TrivoxError."""
    files: dict[str, bytes] = {}
    try:
        with acting_for(folder):
            for path in sorted(folder.iterdir()):
                for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                    if file.name != SESSION:
                        files[str(file.relative_to(folder))] = private_files.read(file, MAX_FILE_BYTES)
    except OSError as error:
        raise TrivoxError(
            f"{error.filename} cannot be copied ({error.strerror}): run this as its owner; if it is no file of ours, "
            "remove it."
        ) from error
    return files
