"""One process writes the database: the lock that says so, and the local socket that takes work to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def perform(database: Path, operation: str, args: dict[str, Any]) -> dict[str, Any]:
    """Do a writing operation, here under the writer's lock or in the bridge that holds it; its result.

    Raises what the operation raises, as TrivoxError with the same sentence and exit status.
    """
    raise NotImplementedError
