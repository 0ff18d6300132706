"""Errors that end a command. The text of each is one plain sentence: what is wrong, then what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class TrivoxError(Exception):
    """Base of all errors: `str()` is the sentence for the user, `exit_status` the status the command ends with.

    Where a file has several wrong lines, the sentence heads a line for each of them, in `lines`.
    """

    exit_status = 1
    lines: Sequence[str] = ()


class UsageError(TrivoxError):
    """The user asked for something that makes no sense."""

    exit_status = 2


class DatabaseError(TrivoxError):
    """The database cannot be used as it is."""


class MissingDatabaseError(DatabaseError):
    """There is no database of that name."""

    exit_status = 2


class NoRoomError(DatabaseError):
    """The disk that holds the database is full."""


class WriterBusyError(TrivoxError):
    """Another process is writing this database."""
