"""Recognise the database's own files among those that a client passes to the bridge.

Closing any descriptor of a file drops all of a process's locks on it. So such a descriptor stays open.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.store.descriptors import identity_of
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar

if TYPE_CHECKING:
    from pathlib import Path

MAX_KEPT = 8  # beyond it no files are taken any more


class OwnFiles:
    """The files of the database that this process writes."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._kept: list[int] = []

    @property
    def files_taken(self) -> int:
        """How many files may come with a part of a request: one, or none any more."""
        return int(len(self._kept) < MAX_KEPT)

    def keep(self, descriptor: int) -> bool:
        """Return whether a client has passed one of these files, which is then kept open."""
        is_own = self._is_own(descriptor)
        if is_own:
            self._kept.append(descriptor)
        return is_own

    def _is_own(self, descriptor: int) -> bool:
        passed = identity_of(os.fstat(descriptor))
        for path in (self._database, *(sidecar(self._database, suffix) for suffix in SIDECAR_SUFFIXES)):
            with suppress(OSError):  # such a file is not there now
                if identity_of(path.stat()) == passed:
                    return True
        return False
