"""Write files that hold secrets: readable only by their owner from the first byte, complete or absent, and synced."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.system import BINARY, HAS_MODES, make_private, sync, user_id

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 0o600
OPEN = 0o644

Owner = tuple[int, int]
"""(user id, group id); both 0 where the system has no such numbers."""


def is_open_to_others(path: Path) -> bool:
    """Return whether anybody but its owner may read, write or run this file, if its mode tells. Raises OSError."""
    return HAS_MODES and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def write(path: Path, data: bytes, owner: Owner | None = None, mode: int = SECRET) -> None:
    """Write `data` to `path` in one step, replacing any file there; give it to `owner` if root writes it.

    Raises TrivoxError.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, SECRET), "wb") as file:
            if owner is not None:
                give_to(owner, file.fileno())
            if HAS_MODES:
                os.fchmod(file.fileno(), mode)  # type: ignore[attr-defined, unused-ignore]
            elif mode == SECRET:
                make_private(new)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync(path.parent)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): check its folder and permissions.") from error


def create(path: Path, data: bytes) -> None:
    """Write `data` to a new file. Raises OSError, also if there is one of this name already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, SECRET)
    try:
        with os.fdopen(descriptor, "wb") as file:
            make_private(path)
            file.write(data)
    except BaseException:
        path.unlink()
        raise


def make_folder(path: Path, owner: Owner | None = None) -> None:
    """Make a folder that only its owner may look into; an existing one stays as it is. Raises TrivoxError."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700)
        try:
            make_private(path)
        except OSError:
            path.rmdir()
            raise
        if owner is not None:
            give_to(owner, path)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be made ({error.strerror}): check its folder and permissions.") from error


def folder_beside(database: Path, ending: str) -> Path:
    """Return the folder that is named after a database and lies beside it, not beside a link to it.

    Raises TrivoxError if there is one beside the link, whose files would be passed over.
    """
    real = database.resolve()
    folder, beside_link = real.with_name(real.name + ending), database.with_name(database.name + ending)
    if beside_link.exists() and beside_link.resolve() != folder:
        raise TrivoxError(
            f"{beside_link} lies beside a link, and its files belong beside the database: move them to {folder}, and "
            "remove that folder."
        )
    return folder


def owner_of(database: Path) -> Owner:
    """Return who owns a database, or its folder if there is no database yet."""
    status = (database if database.exists() else database.parent).stat()
    return status.st_uid, status.st_gid


def give_to(owner: Owner, file: Path | int) -> None:
    """Give a file or folder to `owner` if this process may do that, which only root may. Raises OSError."""
    if is_root():
        os.chown(file, *owner)  # type: ignore[attr-defined, unused-ignore]


def give_to_owner_of(database: Path, file: Path | int) -> None:
    """Give a file or folder to the owner of a database if this process may do that. Raises OSError."""
    give_to(owner_of(database), file)


def is_root() -> bool:
    """Return whether this process runs as root, which may give files to other users."""
    return user_id() == 0
