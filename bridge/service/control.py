"""Carry out commands in the one process that may write the database: here under its lock, or over its local socket.

A request is a command as a line of JSON, such as `{"command":"SetSite","site_id":…,"timezone":…}`; an open file may
come with it. The answer is any number of lines `{"progress":[done,of]}`, then `{"result":…}` or
`{"error":…,"exit_status":…,"lines":[…]}`. While a command waits or works, such a line comes every second or so, with
`of` 0 where progress is not known: a bridge that says nothing for long hangs, and the client gives up. A connection
carries requests one after another.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import struct
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from bridge.admin.commands import DescribeBridge
from bridge.errors import TrivoxError, WriterBusyError
from bridge.model.history import Origin
from bridge.os_user import current_user
from bridge.privileges import acting_as_caller, acting_for, is_root
from bridge.service.answers import STOPPED, Result, read_answer, read_condition
from bridge.store import open_store
from bridge.store.connection import require
from bridge.store.lock import Lock, take_lock
from bridge.store.open_files import FilesChangedError
from bridge.store.rescue import rescue
from bridge.system import user_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.admin.commands import BridgeCommand
    from bridge.store import Store

    Progress = Callable[[int, int], None]

WAIT_S = 10.0  # how long to wait for another command that writes, or for a bridge that is starting
POLL_S = 0.05
ANSWER_LIMIT_S = 30.0  # a bridge that works gives a sign of life more often
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_NAME_BYTES = 60  # longer names do not fit into a socket's address
MAX_ADDRESS_BYTES = 100
OPEN_FOLDERS = Path("/proc/self/fd")
CAN_ASK = hasattr(socket, "AF_UNIX")
"""Whether commands can be handed to a running bridge; not on Windows, where Python has no local sockets."""
CANNOT_ASK = "A bridge or another command has {database} open, and takes no commands here: end it, then try again."
COMMAND_WRITES = "Another trivox command is writing {database}: try again when it has finished."

_CREDENTIALS = struct.Struct("3i")  # pid, user id, group id


class HiddenBridgeError(TrivoxError):
    """This user may not see whether a bridge is writing: the socket, which may be left there, is another user's."""


def take_lock_to_serve(database: Path) -> Lock:
    """Take the writer's lock for a bridge; wait while a command holds it, but not for another bridge.

    Raises WriterBusyError.
    """
    end_s = time.monotonic() + WAIT_S
    while (lock := take_lock(database)) is None:
        connection = _connect(database)
        if connection is not None:
            connection.close()
            raise WriterBusyError(f"Another bridge is writing {database}: stop it first, or use another database.")
        if time.monotonic() > end_s:
            raise WriterBusyError((COMMAND_WRITES if CAN_ASK else CANNOT_ASK).format(database=database))
        time.sleep(POLL_S)
    return lock


@contextmanager
def socket_address(database: Path) -> Iterator[str]:
    """Give a short address for the writer's socket, which lies beside the database, however long the path is.

    Meanwhile root acts as the database's owner.
    """
    with acting_for(database):
        path = database.resolve()
        name = path.name
        if len(os.fsencode(name)) > MAX_NAME_BYTES:
            name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        if not OPEN_FOLDERS.is_dir():  # macOS
            yield _whole_address(path.with_name(f"{name}.sock"))
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)  # type: ignore[attr-defined, unused-ignore]
        try:
            yield f"{OPEN_FOLDERS}/{folder}/{name}.sock"
        finally:
            os.close(folder)


def _whole_address(path: Path) -> str:
    if len(os.fsencode(path)) > MAX_ADDRESS_BYTES:
        raise TrivoxError(f"The path of {path.parent} is too long for the bridge's socket: choose a shorter folder.")
    return str(path)


@contextmanager
def _address_for_caller(address: str) -> Iterator[str]:
    """Give an address for the same socket, where root connects as root, so that the bridge learns whom it serves.

    What the database's owner may have put there instead of a socket of its own, such as a link to another program's,
    is still asked with no more than the owner's rights.
    """
    if not (is_root() and OPEN_FOLDERS.is_dir()):
        yield address
        return
    node = os.open(address, os.O_PATH | os.O_NOFOLLOW)  # type: ignore[attr-defined, unused-ignore]
    try:
        status = os.fstat(node)
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != user_id():
            yield address
            return
        with acting_as_caller():
            yield f"{OPEN_FOLDERS}/{node}"
    finally:
        os.close(node)


class LocalWriter:
    """Carries out commands in this process, which holds the lock."""

    def __init__(self, store: Store) -> None:
        from bridge.service import operations  # noqa: PLC0415 - asking a running bridge does not need it
        from bridge.service.outcome import TransactionOutcome  # noqa: PLC0415 - see above
        from bridge.service.subscribers import subscribers  # noqa: PLC0415 - see above

        self._store = store
        self._operations = operations
        listeners = subscribers(store)

        def execution(progress: Progress | None = None, file: IO[bytes] | None = None) -> operations.Execution:
            return operations.Execution(TransactionOutcome(listeners), progress, file)

        self._execution = execution
        with store.transaction(_now_ms()):
            operations.catch_up(store, execution())

    def perform(
        self, command: BridgeCommand, progress: Progress | None = None, file: IO[bytes] | None = None
    ) -> dict[str, Any]:
        """Carry out a command in a transaction of its own; return its result. Raises TrivoxError."""
        with self._store.transaction(_now_ms(), Origin(current_user(), command.words)):
            return self._operations.execute(self._store, command, self._execution(progress, file))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class RemoteWriter:
    """Hands commands to the process that holds the lock."""

    def __init__(self, connection: socket.socket, answers: IO[bytes]) -> None:
        """Use a connection whose timeout is the longest wait for a sign of life."""
        self._connection = connection
        self._answers = answers

    def perform(
        self, command: BridgeCommand, progress: Progress | None = None, file: IO[bytes] | None = None
    ) -> dict[str, Any]:
        """Send a command, and with it an open file, and wait for its result. Raises TrivoxError."""
        # `json` also encodes text that is not valid UTF-8, which a terminal may give.
        request = json.dumps(msgspec.to_builtins(command)).encode() + b"\n"
        try:
            sent = 0 if file is None else socket.send_fds(self._connection, [request], [file.fileno()])  # type: ignore[attr-defined, unused-ignore]
            self._connection.sendall(request[sent:])
            while (result := self._next(progress)) is None:
                pass
        except TimeoutError as error:
            raise TrivoxError(self._no_answer(command)) from error
        except OSError as error:
            raise TrivoxError(STOPPED) from error
        return result

    def _next(self, progress: Progress | None) -> Result | None:
        """Read an answer; return the result if it is that. Raises TrivoxError if the command failed."""
        answer = read_answer(self._answers)
        if answer.error is not None:
            error = TrivoxError(answer.error)
            error.exit_status = answer.exit_status
            error.lines = answer.lines
            raise error
        if answer.result is not None:
            return Result(answer.result)
        if progress is not None and answer.progress is not None and answer.progress[1]:
            progress(*answer.progress)
        return None

    def _no_answer(self, command: BridgeCommand) -> str:
        waited_s = self._connection.gettimeout()
        pid, _ = peer_of(self._connection)
        sentence = (
            f"The bridge{f' (pid {pid})' if pid else ''} has not answered for {waited_s:g} s: it is stopped, or its "
            "disk hangs; let it go on, or end it and start it again."
        )
        if isinstance(command, DescribeBridge):
            return sentence
        return (
            f"{sentence} It then either carries this command out as a whole or drops it: see which, or give it again."
        )


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Return the process at the other end and its user, as the kernel knows them: (pid, user id).

    Where the kernel does not tell, the pid is 0 and the user is ours, as nobody else can open the socket.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, user_id() or 0
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(pid), int(uid)


@contextmanager
def open_writer(database: Path, *, makes_database: bool = False) -> Iterator[LocalWriter | RemoteWriter]:
    """Open a writer: this process if it gets the lock, else the process that holds it.

    Raises TrivoxError, also where there is no database, unless this `makes_database`; then no file is left behind.
    """
    if not (makes_database or database.exists() or _is_served(database)):
        require(database)
    end_s = time.monotonic() + WAIT_S
    while True:
        lock = take_lock(database)
        if lock is not None:
            try:
                with _open_store(database, makes_new=makes_database) as store:
                    yield LocalWriter(store)
            finally:
                lock.release()
            return
        connection = _connect(database)
        if connection is not None:
            connection.settimeout(ANSWER_LIMIT_S)
            with connection, connection.makefile("rb") as answers:
                yield RemoteWriter(connection, answers)
            return
        if time.monotonic() > end_s:
            raise WriterBusyError((COMMAND_WRITES if CAN_ASK else CANNOT_ASK).format(database=database))
        time.sleep(POLL_S)


@contextmanager
def _open_store(database: Path, *, makes_new: bool) -> Iterator[Store]:
    store = open_store(database, writing=True, makes_new=makes_new)
    try:
        yield store
    except FilesChangedError as error:
        raise rescue(store, error, datetime.now(UTC), anywhere=True) from error
    finally:
        store.close()


def _connect(database: Path) -> socket.socket | None:
    if not CAN_ASK:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # type: ignore[attr-defined, unused-ignore]
    # With a timeout of Python's, connecting would not wait for a bridge with many clients, but fail at once.
    limit = struct.pack("@ll", int(WAIT_S), int(WAIT_S % 1 * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    try:
        with socket_address(database) as address, _address_for_caller(address) as own_address:
            connection.connect(own_address)
    except PermissionError as error:
        connection.close()
        raise HiddenBridgeError(
            f"A bridge of another user may be writing {database}, which cannot be seen from here: run this command as "
            "that user."
        ) from error
    except (FileNotFoundError, ConnectionError):  # whoever has the lock does not serve it, or not yet
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise TrivoxError(
            f"The bridge that writes {database} cannot be asked ({error.strerror}): try again."
        ) from error
    return connection


def _is_served(database: Path) -> bool:
    """Return whether a bridge runs: it knows best what became of a database that is not at its place."""
    connection = _connect(database)
    if connection is not None:
        connection.close()
    return connection is not None


def describe_bridge(database: Path) -> dict[str, Any] | None:
    """Ask the running bridge for its condition; return None if no bridge is running. Raises TrivoxError."""
    if not CAN_ASK and database.exists():
        lock = take_lock(database)
        if lock is None:
            raise WriterBusyError(CANNOT_ASK.format(database=database))
        lock.release()
    connection = _connect(database)
    if connection is None:
        return None
    connection.settimeout(WAIT_S)
    with connection, connection.makefile("rb") as answers:
        return read_condition(RemoteWriter(connection, answers).perform(DescribeBridge()))


def perform(database: Path, command: BridgeCommand) -> dict[str, Any]:
    """Carry out a command, here under the writer's lock or in the bridge that holds it; return its result.

    Raises TrivoxError with the command's own sentence and exit status if it fails.
    """
    with open_writer(database, makes_database=command.new or command.makes_database) as writer:
        return writer.perform(command)
