"""Errors that end a command: each is one plain sentence that says what is wrong and what to do."""


class TrivoxError(Exception):
    """Base of all; `str()` is the sentence for the user, `exit_status` what the command ends with."""

    exit_status = 1


class UsageError(TrivoxError):
    """The user asked for something that makes no sense."""

    exit_status = 2


class DatabaseError(TrivoxError):
    """The database cannot be used as it is."""


class NoRoomError(DatabaseError):
    """The database's disk takes no more."""


class WriterBusyError(TrivoxError):
    """Another process writes this database."""


class UnreachableError(TrivoxError):
    """Something on the network or on this machine did not answer."""
