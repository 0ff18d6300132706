"""Errors that end a command. The text of each is one plain sentence: what is wrong, then what to do."""


class TrivoxError(Exception):
    """Base of all errors: `str()` is the sentence for the user, `exit_status` the status the command ends with."""

    exit_status = 1


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
