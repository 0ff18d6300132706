"""Serve the local socket: receive commands, pass them to the writer, and answer."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import apsw
import msgspec

from bridge import log
from bridge.admin import commands
from bridge.errors import TrivoxError
from bridge.os_user import user_of
from bridge.service.control import ANSWER_LIMIT_S, CAN_ASK, MAX_REQUEST_BYTES, peer_of, socket_address
from bridge.service.open_connections import OpenConnections
from bridge.service.own_files import OwnFiles
from bridge.store.faults import NO_MEMORY
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Progress = Callable[[int, int], None]
    Perform = Callable[[commands.BridgeCommand, Progress, IO[bytes] | None, str], dict[str, Any]]
    Describe = Callable[[], dict[str, Any]]

MAX_CLIENTS = 32
REFUSE_S = 1.0
REFUSE_BYTES = 4_096
TOO_LITTLE_MEMORY = "The bridge's machine has too little memory for this: end what uses it up, then try again."
NO_MORE_FILES = "The bridge has too many files open to take another: restart it, and report this."
OWN_FILE = "That file belongs to the database that the bridge writes: give a file of recorded messages."
ACCEPT_AGAIN_S = 0.2
REQUEST_LIMIT_S = 60.0  # for a whole request to arrive
READ_BYTES = 256 * 1024
SIGN_OF_LIFE_S = 1.0


def serve_commands(database: Path, perform: Perform, describe: Describe) -> ControlServer | None:
    """Start the bridge's end of the local socket; return None, and log that, where the system has no such sockets."""
    if CAN_ASK:
        return ControlServer(database, perform, describe)
    log.warning("this system has no local sockets: end the bridge before you run a command that writes")
    return None


class ControlServer:
    """The bridge's end of the local socket, open until `close`; calls both functions in one thread per client."""

    def __init__(self, database: Path, perform: Perform, describe: Describe) -> None:
        """Start; `perform` carries out a command for a user, `describe` returns the bridge's condition at once."""
        self._database = database
        self._perform = perform
        self._describe = describe
        self._own_files = OwnFiles(database)
        self._connections = OpenConnections(MAX_CLIENTS)
        self._limiter = log.RateLimiter()
        self._is_closed = False
        with socket_address(database) as address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # type: ignore[attr-defined, unused-ignore]
            Path(address).unlink(missing_ok=True)  # left by a process that was killed: we hold the lock, so it is gone
            umask = os.umask(0o177)
            try:
                self._socket.bind(address)
            finally:
                os.umask(umask)
        self._socket.listen(MAX_CLIENTS)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def close(self) -> None:
        """Stop taking requests."""
        self._is_closed = True
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with (
            suppress(FileNotFoundError, TrivoxError),
            socket_address(self._database) as address,
        ):  # the folder may have been moved
            Path(address).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if self._is_closed:
                    return
                self._warn("commands wait, as no connection can be opened", error.strerror)
                time.sleep(ACCEPT_AGAIN_S)
                continue
            self._connections.admit(connection)
            try:
                threading.Thread(target=self._serve, args=(connection,), name="control-client", daemon=True).start()
            except (RuntimeError, MemoryError) as error:  # the machine has no memory or threads left
                self._connections.remove(connection)
                self._refuse(connection, error)

    def _warn(self, message: str, why: object) -> None:
        """Log what may go wrong many times a second while the machine lacks files or memory."""
        count = self._limiter.allow(message)
        if count is not None:
            log.warning(message, error=why, count=count if count > 1 else None)

    def _refuse(self, connection: socket.socket, why: Exception) -> None:
        with suppress(OSError, MemoryError), connection:
            self._warn("a command could not be served: this machine has too little memory", why)
            connection.settimeout(REFUSE_S)
            connection.recv(REFUSE_BYTES)  # else the client may not see the answer
            connection.sendall(_line(_error(TOO_LITTLE_MEMORY)))

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(ANSWER_LIMIT_S)
        try:
            with connection:
                for request in _requests(connection, self._own_files):
                    with self._connections.serving(connection) as has_place:
                        # A client that gave up waiting for us must not get its command done now.
                        if not has_place or _has_hung_up(connection):
                            break
                        connection.sendall(_line(self._answer(request, connection)))
        except OSError:
            pass  # the client has ended, or hangs; its command is carried out or rolled back as a whole
        finally:
            self._connections.remove(connection)

    def _answer(self, request: _Request, connection: socket.socket) -> dict[str, Any]:
        told_s = 0.0

        def progress(done: int, of: int) -> None:
            nonlocal told_s
            if time.monotonic() - told_s >= SIGN_OF_LIFE_S:
                told_s = time.monotonic()
                connection.sendall(_line({"progress": [done, of]}))

        try:
            command = msgspec.convert(json.loads(request.line), commands.AnyCommand)
        except (ValueError, RecursionError):
            return _error(
                "The running bridge does not know this command: use the `trivox` of the same version as the bridge."
            )
        if request.lost_file:
            return _error(NO_MORE_FILES)
        try:
            if isinstance(command, commands.DescribeBridge):
                return {"result": self._describe()}
            return {"result": self._perform(command, progress, request.file, user_of(*peer_of(connection)))}
        except (ConnectionError, TimeoutError):
            raise  # the client has ended, or hangs
        except Exception as error:  # noqa: BLE001 - the bridge goes on, and the client gets the error
            return _failure(error, command)


def _failure(error: Exception, command: commands.AnyCommand) -> dict[str, Any]:
    if isinstance(error, TrivoxError):
        return _error(str(error), error.exit_status, error.lines)
    if isinstance(error, NO_MEMORY):
        return _error(TOO_LITTLE_MEMORY)
    if isinstance(error, apsw.Error):
        return _error(f"The database could not be written ({error}): run `trivox doctor`.")
    if isinstance(error, OSError):
        return _error(f"The bridge could not do this ({error.strerror}): look at its log, and try again.")
    log.error("a command failed: report this", trace=True, command=type(command).__name__)
    return _error(f"The bridge failed on this command ({printable(repr(error))}): look at its log, and report this.")


class _Request(NamedTuple):
    """A line that a client sent, and the open file that came with it, if any."""

    line: bytes
    file: IO[bytes] | None
    lost_file: bool  # one came, but this process could not open it


def _requests(connection: socket.socket, own_files: OwnFiles) -> Iterator[_Request]:
    """Yield each request of the client; end where it ends, goes too far, or takes too long for one request."""
    data = bytearray()
    file: IO[bytes] | None = None
    lost_file = False
    end_s = time.monotonic() + REQUEST_LIMIT_S
    try:
        while len(data) < MAX_REQUEST_BYTES and time.monotonic() < end_s:
            piece, descriptors, flags, _ = socket.recv_fds(connection, READ_BYTES, own_files.files_taken)  # type: ignore[attr-defined, unused-ignore]
            lost_file |= bool(flags & socket.MSG_CTRUNC)
            for descriptor in descriptors:
                if own_files.keep(descriptor):
                    connection.sendall(_line(_error(OWN_FILE)))
                    return
                file = _replace(file, descriptor)
            if not piece:
                return
            data += piece
            if not piece.endswith(b"\n"):
                continue
            yield _Request(bytes(data), file, lost_file)
            data.clear()
            file, lost_file = _replace(file, None), False
            end_s = time.monotonic() + REQUEST_LIMIT_S
    finally:
        _replace(file, None)


def _replace(file: IO[bytes] | None, descriptor: int | None) -> IO[bytes] | None:
    """Close a request's file, and open the next."""
    if file is not None:
        file.close()
    if descriptor is None:
        return None
    try:
        return os.fdopen(descriptor, "rb")
    except OSError:  # a folder: the command will say that its file is missing
        os.close(descriptor)
        return None


def _has_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()  # type: ignore[attr-defined, unused-ignore]
    poll.register(connection, 0)
    return any(happened & select.POLLHUP for _, happened in poll.poll(0))  # type: ignore[attr-defined, unused-ignore]


def _error(sentence: str, exit_status: int = 1, lines: Sequence[str] = ()) -> dict[str, Any]:
    return {"error": sentence, "exit_status": exit_status, "lines": list(lines)}


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"
