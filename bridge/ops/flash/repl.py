"""MicroPython's raw REPL on a serial port, by mpremote, every wait with a limit; what goes wrong is a BoardError."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import serial  # type: ignore[import-untyped]  # pyserial brings no types
from mpremote.transport import TransportError, TransportExecError  # type: ignore[import-untyped]
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

from bridge.ops.flash.errors import BoardGoneError, BoardRefusedError, FlashError
from bridge.ops.flash.ports import check_access
from bridge.serial_port import PORT_ERRORS

LIMIT_S = 20.0
CHUNK_BYTES = 1024  # of a file at once: as text four times as much, for which the smallest board has room
PROMPT = b"raw REPL; CTRL-B to exit\r\n"
NO_SPACE = 28

Progress = Callable[[int, int], None]


class Repl:
    """The line to one board, which this object alone has open until `close`."""

    def __init__(self, path: str) -> None:
        check_access(path)
        self.path = path
        try:
            self._transport = SerialTransport(path, timeout=LIMIT_S)
        except TransportError as error:
            check_access(path)  # it may have gone since
            raise FlashError(
                f"Another program has {path} open: end it (Thonny, a terminal, trivox gateway), and try again."
            ) from error
        except PORT_ERRORS as error:
            raise self._gone() from error
        self.serial: serial.Serial = self._transport.serial
        self.serial.write_timeout = LIMIT_S

    def close(self) -> None:
        """Let go of the port, also where its board has gone."""
        with contextlib.suppress(*PORT_ERRORS):
            self._transport.close()
        with contextlib.suppress(*PORT_ERRORS):
            self.serial.close()

    def enter(self, limit_s: float = 2.0) -> bool:
        """Stop what runs, and get the prompt; False if nothing answers so."""
        with self._line():
            self.serial.write(b"\r\x03\x03")
            time.sleep(0.1)  # what is stopped may still say so; a board that starts hears only the end of this anyway
            self.serial.reset_input_buffer()
            self.serial.write(b"\r\x01")
            said: bytes = self._transport.read_until(1, PROMPT, timeout=limit_s, timeout_overall=2 * limit_s)
        self._transport.in_raw_repl = said.endswith(PROMPT)
        return bool(self._transport.in_raw_repl)

    def run(self, source: str, limit_s: float = LIMIT_S) -> str:
        """What this program writes."""
        with self._line():
            output, failure = self._transport.exec_raw(source, timeout=limit_s)
        if failure:
            traceback = failure.decode("utf-8", "replace")
            last = traceback.strip().splitlines()[-1]
            raise BoardRefusedError(f"The board on {self.path} could not do that ({last}): run this again.", traceback)
        return str(output.decode("utf-8", "replace"))

    def ask(self, source: str, limit_s: float = LIMIT_S) -> Any:
        """What this program writes, which is JSON."""
        said = self.run(source, limit_s)
        try:
            return json.loads(said)
        except ValueError as error:
            raise BoardGoneError(
                f"The board on {self.path} speaks unclearly: put the cable in another socket, and run this again."
            ) from error

    def write_file(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file; it is not in place of another before it is whole only if the caller sees to it."""
        try:
            with self._line():
                self._transport.fs_writefile(path, data, chunk_size=CHUNK_BYTES, progress_callback=progress)
        except TransportExecError as error:
            raise BoardRefusedError(
                f"The board on {self.path} could not write {path}: run this again.", str(error)
            ) from error
        except BoardFileError as error:
            if error.errno == NO_SPACE:
                raise FlashError(
                    f"The flash of the board on {self.path} is full: --wipe empties its outbox."
                ) from error
            raise FlashError(f"The flash of the board on {self.path} cannot be written: exchange the board.") from error

    def restart(self, source: str) -> None:
        """Have the board run a program that ends in its restart, and let go of the port."""
        with contextlib.suppress(BoardGoneError), self._line():  # it may be gone before it says that it understood
            self._transport.exec_raw_no_follow(source)
        self.close()

    @contextlib.contextmanager
    def _line(self) -> Any:
        """What mpremote and pyserial raise when a cable is pulled, or when a board falls silent, is BoardGoneError."""
        try:
            yield
        except TransportExecError:
            raise
        except (TransportError, *PORT_ERRORS) as error:
            if isinstance(error, OSError) and (error.strerror or "").startswith("/"):
                raise BoardFileError(error.errno or 0) from error  # so mpremote tells of a file on the board
            raise self._gone() from error

    def _gone(self) -> BoardGoneError:
        return BoardGoneError(
            f"The board on {self.path} is gone: put the cable in again, and run this again; it goes on where it was."
        )


class BoardFileError(Exception):
    """A file operation failed on the board itself."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
