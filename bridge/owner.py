"""Whose files are: what root makes beside a database belongs to the database's owner, who must use it afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def owner_of(database: Path) -> tuple[int, int]:
    """(user, group) of a database, or of its folder where there is none yet."""
    found = (database if database.exists() else database.parent).stat()
    return found.st_uid, found.st_gid


def is_root() -> bool:
    """Whether this process may give files away."""
    return os.geteuid() == 0
