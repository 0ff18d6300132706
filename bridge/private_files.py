"""Read and write files that are nobody else's business: readable only by their owner from the first byte on.

A file is written as a whole or not at all, and synced. No link is followed at its name, and nothing but a file is
opened there. Where root runs this, it acts as the user to whom the folder belongs.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.privileges import acting_for, is_acting_as_root
from bridge.system import BINARY, HAS_MODES, make_private, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.privileges import Owner

SECRET = 0o600
OPEN = 0o644
FOLDER = 0o700
UMASK = 0o077
_TOKEN_BYTES = 6
_PLAIN = BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # no link; opening a pipe does not wait
_NO_FILE = "it is not a file"
_WHAT_IT_IS = {errno.ELOOP: "it is a link, and links are not followed here", errno.ENXIO: _NO_FILE}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY


def is_open_to_others(path: Path) -> bool:
    """Return whether anybody but its owner may read, write or run this file, if its mode tells. Raises OSError."""
    return HAS_MODES and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def is_taken(path: Path) -> bool:
    """Return whether anything has this name, a link that leads nowhere too. Raises OSError."""
    with acting_for(path.parent):
        return os.path.lexists(path)


@contextmanager
def umask() -> Iterator[None]:
    """Make all new files and folders of this process its user's alone."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def open_plain(path: Path, flags: int) -> int:
    """Open a file, which is made private if it is new; return its descriptor.

    Raises OSError, with a reason that people can read, where there is a link or no file, or one with a second name.
    """
    try:
        descriptor = os.open(path, flags | _PLAIN, SECRET)
    except OSError as error:
        if error.errno in _WHAT_IT_IS:
            raise OSError(error.errno, _WHAT_IT_IS[error.errno], str(path)) from error
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (flags & os.O_CREAT and status.st_nlink > 1):
        os.close(descriptor)
        what = "it has a second name elsewhere" if stat.S_ISREG(status.st_mode) else _NO_FILE
        raise OSError(errno.EINVAL, what, str(path))
    return descriptor


def read(path: Path, max_bytes: int) -> bytes:
    """Read a file of at most so many bytes. Raises OSError."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, "it is too large", str(path))
    return data


def write(path: Path, data: bytes, owner: Owner | None = None, mode: int = SECRET) -> None:
    """Write `data` to `path` in one step, replacing any file there; give it to `owner` if root's folder is written.

    Raises TrivoxError.
    """
    with prepared(path, data, owner, mode):
        pass


@contextmanager
def prepared(path: Path, data: bytes, owner: Owner | None = None, mode: int = SECRET) -> Iterator[None]:
    """Write `data` beside `path`, where it is put, as by `write`, only once the passage within has ended well.

    Raises TrivoxError, where it cannot be written before that passage begins.
    """
    new = path.with_name(f"{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.new")  # nobody can guess it
    try:
        with _writing(path):
            _refuse_others(path)
            _write_new(new, data, owner, mode)
        yield
        with _writing(path):
            _refuse_others(path)
            new.replace(path)
            sync(path.parent)
    finally:
        with suppress(OSError, TrivoxError), acting_for(path.parent):
            new.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        with acting_for(path.parent):
            yield
    except OSError as error:
        raise _cannot("written", path, error) from error


def _write_new(path: Path, data: bytes, owner: Owner | None, mode: int) -> None:
    with os.fdopen(os.open(path, _NEW, SECRET), "wb") as file:
        _give(file.fileno(), owner)
        if HAS_MODES:
            os.fchmod(file.fileno(), mode)  # type: ignore[attr-defined, unused-ignore]
        elif mode == SECRET:
            make_private(path)
        _fill(file, data)


def create(path: Path, data: bytes) -> None:
    """Write `data` to a new file that only its owner may read. Raises FileExistsError, and OSError."""
    with acting_for(path.parent):
        descriptor = os.open(path, _NEW, SECRET)
        try:
            with os.fdopen(descriptor, "wb") as file:
                make_private(path)
                _fill(file, data)
        except BaseException:
            path.unlink()
            raise
        sync(path.parent)


@contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read it, and to write at its end. Raises OSError."""
    with acting_for(path.parent):
        descriptor = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    with os.fdopen(descriptor, "a+b") as file:
        yield file


def make_folder(path: Path, owner: Owner | None = None) -> None:
    """Make a folder that only its owner may look into; an existing one stays as it is. Raises TrivoxError."""
    if path.is_dir():
        return
    try:
        if not path.parent.exists():
            make_folder(path.parent, owner)
        with acting_for(path.parent):
            path.mkdir(mode=FOLDER)
            try:
                make_private(path)
            except OSError:
                path.rmdir()
                raise
            _give_folder(path, owner)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_dir():
            return  # another thread or program has just made it
        raise _cannot("made", path, error) from error


def folder_beside(database: Path, ending: str) -> Path:
    """Return the folder that is named after a database and lies beside it, not beside a link to it.

    Raises TrivoxError if it is a link itself, or if there is one beside the link, whose files would be passed over.
    """
    real = database.resolve()
    folder, beside_link = real.with_name(real.name + ending), database.with_name(database.name + ending)
    if folder.is_symlink():
        raise TrivoxError(
            f"{folder} is a link, and links are not followed here: remove the link, and move the folder that it leads "
            "to, if there is one, into its place."
        )
    if beside_link.exists() and beside_link.resolve() != folder:
        raise TrivoxError(
            f"{beside_link} lies beside a link, and its files belong beside the database: move them to {folder}, and "
            "remove that folder."
        )
    return folder


def write_folder(path: Path, files: dict[str, bytes]) -> None:
    """Write a new folder of files, named by their paths in it, in one step. Raises TrivoxError."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.new")
    try:
        with acting_for(path.parent):
            _fill_folder(new, files)
            for folder in (new, *(place for place in new.glob("*") if place.is_dir())):
                sync(folder)
            new.rename(path)
            sync(path.parent)
    except OSError as error:
        with suppress(OSError), acting_for(path.parent):
            shutil.rmtree(new)
        raise _cannot("written", path, error) from error


def _fill_folder(folder: Path, files: dict[str, bytes]) -> None:
    for place in sorted({folder, *((folder / name).parent for name in files)}):
        place.mkdir(mode=FOLDER)
        make_private(place)
    for name, data in files.items():
        with os.fdopen(os.open(folder / name, _NEW, SECRET), "wb") as file:
            _fill(file, data)


def _refuse_others(path: Path) -> None:
    """Raise OSError where something lies at `path` that is no file, and that replacing it would destroy."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(errno.EINVAL, "a link or something else that is not a file is there", str(path))


def _fill(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _give(descriptor: int, owner: Owner | None) -> None:
    """Give what was just made to its owner, if it is root that has made it."""
    if owner is not None and is_acting_as_root():
        os.fchown(descriptor, *owner)  # type: ignore[attr-defined, unused-ignore]


def _give_folder(path: Path, owner: Owner | None) -> None:
    if owner is None or not is_acting_as_root():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)  # type: ignore[attr-defined, unused-ignore]
    try:
        _give(descriptor, owner)
    finally:
        os.close(descriptor)


def _cannot(done: str, path: Path, error: OSError) -> TrivoxError:
    return TrivoxError(f"{path} cannot be {done} ({error.strerror}): check its folder and permissions.")
