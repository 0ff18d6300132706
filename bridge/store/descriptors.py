"""Read files that SQLite may have open in this process.

Closing any descriptor of a file drops all of a process's locks on it, SQLite's too. So a file that is open already is
read by the descriptor that is there.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.system import BINARY, open_descriptors, path_of_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Identity = tuple[int, int]
"""(device, inode): no other file has it while this one is open."""


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells a file from all others."""
    return status.st_dev, status.st_ino


def find_open(file: Identity) -> int | None:
    """Return a descriptor by which this process has a file open; None if it has not."""
    for descriptor in open_descriptors():
        try:
            if identity_of(os.fstat(descriptor)) == file:
                return descriptor
        except OSError:
            continue  # the one by which the list was read
    return None


def current_path(file: Identity) -> Path | None:
    """Return where a file that this process has open lies now; None if it was deleted, or no name leads to it."""
    descriptor = find_open(file)
    if descriptor is None:
        return None
    try:
        path = path_of_descriptor(descriptor)
        return path if path is not None and identity_of(path.stat()) == file else None
    except OSError:
        return None


@contextmanager
def open_to_read(path: Path) -> Iterator[int]:
    """Give a descriptor to read a file by, at positions. Raises OSError."""
    descriptor = find_open(identity_of(path.stat()))
    if descriptor is not None:
        yield descriptor
        return
    descriptor = os.open(path, os.O_RDONLY | BINARY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
