"""Files with secrets: for one user's eyes alone from their first byte on, whole or not there, and on the disk."""

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
"""(user, group)."""


def is_open_to_others(path: Path) -> bool:
    """Whether anybody but its owner may do anything with this file. Raises OSError."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def write(path: Path, data: bytes, owner: Owner | None = None, mode: int = SECRET) -> None:
    """Put `data` in the place of the file at `path`, given to `owner` where root writes. Raises TrivoxError."""
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
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): check its folder and rights.") from error


def folder(path: Path, owner: Owner | None = None) -> None:
    """Make a folder that its owner alone may look into; one that is there stays. Raises TrivoxError."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700)
        if owner is not None and is_root():
            os.chown(path, *owner)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be made ({error.strerror}): check its folder and rights.") from error


def owner_of(database: Path) -> tuple[int, int]:
    """(user, group) of a database, or of its folder where there is none yet."""
    found = (database if database.exists() else database.parent).stat()
    return found.st_uid, found.st_gid


def is_root() -> bool:
    """Whether this process may give files away."""
    return os.geteuid() == 0


def sync(path: Path) -> None:
    """Bring a file, or a folder's entries, to disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
