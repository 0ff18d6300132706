"""Write files that hold secrets: readable only by their owner from the first byte, complete or absent, and synced."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 0o600
OPEN = 0o644

Owner = tuple[int, int]
"""(user id, group id)."""


def is_open_to_others(path: Path) -> bool:
    """Return whether anybody but its owner may read, write or run this file. Raises OSError."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def write(path: Path, data: bytes, owner: Owner | None = None, mode: int = SECRET) -> None:
    """Write `data` to `path` in one step, replacing any file there; give it to `owner` if root writes it.

    Raises TrivoxError.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET), "wb") as file:
            if owner is not None and is_root():
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync(path.parent)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): check its folder and permissions.") from error


def make_folder(path: Path, owner: Owner | None = None) -> None:
    """Make a folder that only its owner may look into; an existing one stays as it is. Raises TrivoxError."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700)
        if owner is not None and is_root():
            os.chown(path, *owner)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be made ({error.strerror}): check its folder and permissions.") from error


def owner_of(database: Path) -> Owner:
    """Return who owns a database, or its folder if there is no database yet."""
    status = (database if database.exists() else database.parent).stat()
    return status.st_uid, status.st_gid


def is_root() -> bool:
    """Return whether this process runs as root, which may give files to other users."""
    return os.geteuid() == 0


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
