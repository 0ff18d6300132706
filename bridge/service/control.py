"""One process writes the database: the lock that says so, and the local socket that takes work to it.

A request is a line of JSON, `{"operation":…,"args":…}`; the answer is any number of `{"progress":[done,of]}`, then
`{"result":…}` or `{"error":…,"exit_status":…}`. A connection carries one request after another.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from bridge.errors import TrivoxError, WriterBusyError
from bridge.owner import is_root, owner_of
from bridge.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.store import Store

    Progress = Callable[[int, int], None]

WAIT_S = 10.0  # how long to wait for another command that writes, or for a bridge that is starting
POLL_S = 0.05
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_NAME_BYTES = 60  # longer names do not fit into a socket's address


class Lock:
    """The writer's lock, held until `release` or the end of the process."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def release(self) -> None:
        """Let others write."""
        self._file.close()


def take_lock(database: Path) -> Lock | None:
    """The writer's lock, or None while another process holds it."""
    database = database.resolve()
    path = database.with_name(f"{database.name}.lock")
    if not path.parent.is_dir():
        raise TrivoxError(f"There is no folder {path.parent}: make it first, or give another --database.")
    try:
        file = path.open("ab")
        if is_root():
            os.fchown(file.fileno(), *owner_of(database))
    except OSError as error:
        raise TrivoxError(
            f"{path} cannot be made ({error.strerror}): check that the folder is there and yours."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return Lock(file)


def take_lock_to_serve(database: Path) -> Lock:
    """The writer's lock for a bridge: a command that holds it is waited for, another bridge is not.

    Raises WriterBusyError.
    """
    end_s = time.monotonic() + WAIT_S
    while (lock := take_lock(database)) is None:
        connection = _connect(database)
        if connection is not None:
            connection.close()
            raise WriterBusyError(f"Another bridge writes {database}: end it first, or use another database.")
        if time.monotonic() > end_s:
            raise WriterBusyError(f"Another trivox command is writing {database}: try again when it has ended.")
        time.sleep(POLL_S)
    return lock


@contextmanager
def socket_address(database: Path) -> Iterator[str]:
    """A short address of the writer's socket beside the database, however long its path is."""
    path = database.resolve()
    name = path.name
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{name}.sock"
    finally:
        os.close(folder)


class Here:
    """Writes in this process, which holds the lock."""

    def __init__(self, store: Store) -> None:
        from bridge.surveys.recorded import execute  # noqa: PLC0415 - who only reads, or asks a bridge, starts faster without

        self._execute = execute
        self._store = store

    def perform(self, operation: str, args: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
        """Do an operation in a transaction of its own."""
        now_ms = time.time_ns() // 1_000_000
        with self._store.transaction(now_ms):
            return self._execute(self._store, operation, args, now_ms, progress)


class There:
    """Hands operations to the process that holds the lock."""

    def __init__(self, connection: socket.socket, answers: IO[bytes]) -> None:
        self._connection = connection
        self._answers = answers

    def perform(self, operation: str, args: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
        """Have an operation done, and wait for its result."""
        try:
            self._connection.sendall(json.dumps({"operation": operation, "args": args}, default=_text).encode() + b"\n")
            for line in self._answers:
                answer = json.loads(line)
                if "progress" in answer:
                    if progress is not None:
                        progress(*answer["progress"])
                    continue
                return self._result(answer)
        except OSError as error:
            raise TrivoxError("The bridge ended before the work was done: start it and try again.") from error
        raise TrivoxError("The bridge ended before the work was done: start it and try again.")

    @staticmethod
    def _result(answer: dict[str, Any]) -> dict[str, Any]:
        if "error" in answer:
            error = TrivoxError(answer["error"])
            error.exit_status = answer["exit_status"]
            raise error
        result: dict[str, Any] = answer["result"]
        return result


def _text(line: bytes) -> str:
    """A recorded line as JSON can hold it, whatever its bytes are."""
    return line.decode("utf-8", "surrogateescape")


@contextmanager
def writer(database: Path) -> Iterator[Here | There]:
    """Whoever may write: this process under the lock, or the one that holds it. Raises TrivoxError."""
    end_s = time.monotonic() + WAIT_S
    while True:
        lock = take_lock(database)
        if lock is not None:
            try:
                with _opened(database) as store:
                    yield Here(store)
            finally:
                lock.release()
            return
        connection = _connect(database)
        if connection is not None:
            with connection, connection.makefile("rb") as answers:
                yield There(connection, answers)
            return
        if time.monotonic() > end_s:
            raise WriterBusyError(f"Another trivox command is writing {database}: try again when it has ended.")
        time.sleep(POLL_S)


@contextmanager
def _opened(database: Path) -> Iterator[Store]:
    store = open_store(database, writing=True)
    try:
        yield store
    finally:
        store.close()


def _connect(database: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(database) as address:
            connection.connect(address)
    except PermissionError as error:
        connection.close()
        raise TrivoxError(f"{database} is written by another user's bridge: run this command as that user.") from error
    except OSError:
        connection.close()
        return None
    return connection


def ask_bridge(database: Path, operation: str) -> dict[str, Any] | None:
    """What the running bridge answers, or None where none runs. Raises TrivoxError."""
    connection = _connect(database)
    if connection is None:
        return None
    connection.settimeout(WAIT_S)
    with connection, connection.makefile("rb") as answers:
        return There(connection, answers).perform(operation, {})


def perform(database: Path, operation: str, args: dict[str, Any]) -> dict[str, Any]:
    """Do a writing operation, here under the writer's lock or in the bridge that holds it; its result.

    Raises what the operation raises, as TrivoxError with the same sentence and exit status.
    """
    with writer(database) as who:
        return who.perform(operation, args)
