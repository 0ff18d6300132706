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
from typing import IO, TYPE_CHECKING, Any

import apsw
import msgspec

from bridge import log
from bridge.admin import commands
from bridge.errors import TrivoxError
from bridge.service.control import ANSWER_LIMIT_S, MAX_REQUEST_BYTES, socket_address
from bridge.store.faults import NO_MEMORY
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[int, int], None]
    Perform = Callable[[commands.BridgeCommand, Progress, IO[bytes] | None], dict[str, Any]]
    Describe = Callable[[], dict[str, Any]]

MAX_CLIENTS = 32
REFUSE_S = 1.0
REFUSE_BYTES = 4_096
TOO_LITTLE_MEMORY = "The bridge's machine has too little memory for this: end what uses it up, then try again."
READ_BYTES = 256 * 1024
SIGN_OF_LIFE_S = 1.0


class ControlServer:
    """The bridge's end of the local socket, open until `close`; calls both functions in one thread per client."""

    def __init__(self, database: Path, perform: Perform, describe: Describe) -> None:
        """Start; `perform` carries out a command that writes, `describe` returns the bridge's condition at once."""
        self._database = database
        self._perform = perform
        self._describe = describe
        self._slots = threading.BoundedSemaphore(MAX_CLIENTS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_address(database) as address:
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
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with suppress(FileNotFoundError), socket_address(self._database) as address:  # the folder may have been moved
            Path(address).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                threading.Thread(target=self._serve, args=(connection,), name="control-client", daemon=True).start()
            except (RuntimeError, MemoryError) as error:  # the machine has no memory or threads left
                self._refuse(connection, error)
                self._slots.release()

    @staticmethod
    def _refuse(connection: socket.socket, why: Exception) -> None:
        with suppress(OSError, MemoryError), connection:
            log.warning("a command could not be served: this machine has too little memory", error=why)
            connection.settimeout(REFUSE_S)
            connection.recv(REFUSE_BYTES)  # else the client may not see the answer
            connection.sendall(_line(_error(TOO_LITTLE_MEMORY)))

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(ANSWER_LIMIT_S)
        try:
            with connection:
                for line, file in _requests(connection):
                    if _has_hung_up(connection):  # it gave up waiting for us, and must not get its command done now
                        break
                    connection.sendall(_line(self._answer(line, file, connection)))
        except OSError:
            pass  # the client has ended, or hangs; its command is carried out or rolled back as a whole
        finally:
            self._slots.release()

    def _answer(self, line: bytes, file: IO[bytes] | None, connection: socket.socket) -> dict[str, Any]:
        told_s = 0.0

        def progress(done: int, of: int) -> None:
            nonlocal told_s
            if time.monotonic() - told_s >= SIGN_OF_LIFE_S:
                told_s = time.monotonic()
                connection.sendall(_line({"progress": [done, of]}))

        try:
            command = msgspec.convert(json.loads(line), commands.AnyCommand)
        except (ValueError, RecursionError):
            return _error(
                "The running bridge does not know this command: use the `trivox` of the same version as the bridge."
            )
        try:
            if isinstance(command, commands.DescribeBridge):
                return {"result": self._describe()}
            return {"result": self._perform(command, progress, file)}
        except (ConnectionError, TimeoutError):
            raise  # the client has ended, or hangs
        except Exception as error:  # noqa: BLE001 - the bridge goes on, and the client gets the error
            return _failure(error, command)


def _failure(error: Exception, command: commands.AnyCommand) -> dict[str, Any]:
    if isinstance(error, TrivoxError):
        return _error(str(error), error.exit_status)
    if isinstance(error, NO_MEMORY):
        return _error(TOO_LITTLE_MEMORY)
    if isinstance(error, apsw.Error):
        return _error(f"The database could not be written ({error}): run `trivox doctor`.")
    log.error("a command failed: report this", trace=True, command=type(command).__name__)
    return _error(f"The bridge failed on this command ({printable(repr(error))}): look at its log, and report this.")


def _requests(connection: socket.socket) -> Iterator[tuple[bytes, IO[bytes] | None]]:
    """Yield each line that the client sends, and the open file that came with it; end where it ends or goes too far."""
    data = bytearray()
    files: list[IO[bytes]] = []
    try:
        while len(data) < MAX_REQUEST_BYTES:
            piece, descriptors, _, _ = socket.recv_fds(connection, READ_BYTES, 1)
            for descriptor in descriptors:
                try:
                    files.append(os.fdopen(descriptor, "rb"))
                except OSError:  # a folder: the command will say that its file is missing
                    os.close(descriptor)
            if not piece:
                return
            data += piece
            if not piece.endswith(b"\n"):
                continue
            yield bytes(data), files[-1] if files else None
            data.clear()
            while files:
                files.pop().close()
    finally:
        for file in files:
            file.close()


def _has_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return any(happened & select.POLLHUP for _, happened in poll.poll(0))


def _error(sentence: str, exit_status: int = 1) -> dict[str, Any]:
    return {"error": sentence, "exit_status": exit_status}


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"
