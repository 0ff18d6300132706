"""Run programs on a board through MicroPython's raw REPL, with mpremote; every wait has a limit."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import serial  # type: ignore[import-untyped]  # pyserial brings no types
from mpremote.transport import TransportError, TransportExecError  # type: ignore[import-untyped]
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

from bridge.ops.flash.errors import BoardGoneError, BoardRefusedError, FlashingError
from bridge.ops.flash.ports import check_access
from bridge.serial_port import PORT_ERRORS

LIMIT_S = 20.0
CHUNK_BYTES = 1024  # of a file at a time; four times as much as text, for which the smallest board has room
PROMPT = b"raw REPL; CTRL-B to exit\r\n"
NO_SPACE = 28

Progress = Callable[[int, int], None]


class Repl:
    """The connection to one board, kept open exclusively until `close`. Its methods raise FlashingError."""

    def __init__(self, path: str) -> None:
        check_access(path)
        self.path = path
        try:
            self._transport = SerialTransport(path, timeout=LIMIT_S)
        except TransportError as error:
            check_access(path)  # the board may have gone meanwhile
            raise FlashingError(
                f"Another program has {path} open: end it (Thonny, a terminal, trivox gateway), and try again."
            ) from error
        except PORT_ERRORS as error:
            raise self._gone() from error
        self.serial: serial.Serial = self._transport.serial
        self.serial.write_timeout = LIMIT_S

    def close(self) -> None:
        """Close the port, even if its board has gone."""
        with contextlib.suppress(*PORT_ERRORS):
            self._transport.close()
        with contextlib.suppress(*PORT_ERRORS):
            self.serial.close()

    def enter(self, limit_s: float = 2.0) -> bool:
        """Stop the running program, and get the prompt. Return False if no prompt comes."""
        with self._translated_errors():
            self.serial.write(b"\r\x03\x03")
            time.sleep(0.1)  # a stopped program may still print; a board that starts hears only the end of this anyway
            self.serial.reset_input_buffer()
            self.serial.write(b"\r\x01")
            answer: bytes = self._transport.read_until(1, PROMPT, timeout=limit_s, timeout_overall=2 * limit_s)
        self._transport.in_raw_repl = answer.endswith(PROMPT)
        return bool(self._transport.in_raw_repl)

    def run(self, source: str, limit_s: float = LIMIT_S) -> str:
        """Run a program, and return what it prints. Raises BoardRefusedError if it fails."""
        with self._translated_errors():
            output, failure = self._transport.exec_raw(source, timeout=limit_s)
        if failure:
            traceback = failure.decode("utf-8", "replace")
            last = traceback.strip().splitlines()[-1]
            raise BoardRefusedError(f"The board on {self.path} could not do that ({last}): run this again.", traceback)
        return str(output.decode("utf-8", "replace"))

    def ask(self, source: str, limit_s: float = LIMIT_S) -> Any:
        """Run a program that prints JSON, and return the decoded value."""
        answer = self.run(source, limit_s)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise BoardGoneError(
                f"The board on {self.path} sends garbled answers: plug the cable into another socket, and run "
                "this again."
            ) from error

    def write_file(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file in place; write it under another name and rename it to replace a file as a whole."""
        try:
            with self._translated_errors():
                self._transport.fs_writefile(path, data, chunk_size=CHUNK_BYTES, progress_callback=progress)
        except TransportExecError as error:
            raise BoardRefusedError(
                f"The board on {self.path} could not write {path}: run this again.", str(error)
            ) from error
        except BoardFileError as error:
            if error.errno == NO_SPACE:
                raise FlashingError(
                    f"The flash of the board on {self.path} is full: give --wipe to empty its outbox."
                ) from error
            raise FlashingError(
                f"The flash of the board on {self.path} cannot be written: replace the board."
            ) from error

    def restart(self, source: str) -> bool:
        """Run a program that ends in the board's restart, and close the port. Return whether the board has taken it."""
        is_taken = False
        with contextlib.suppress(BoardGoneError), self._translated_errors():  # it may be gone before it has confirmed
            self._transport.exec_raw_no_follow(source)
            is_taken = True
        self.close()
        return is_taken

    @contextlib.contextmanager
    def _translated_errors(self) -> Any:
        """Turn what mpremote and pyserial raise for a pulled cable or a silent board into BoardGoneError."""
        try:
            yield
        except TransportExecError:
            raise
        except (TransportError, *PORT_ERRORS) as error:
            if isinstance(error, OSError) and (error.strerror or "").startswith("/"):
                raise BoardFileError(error.errno or 0) from error  # mpremote's way to report a file on the board
            raise self._gone() from error

    def _gone(self) -> BoardGoneError:
        return BoardGoneError(
            f"The board on {self.path} is gone: plug the cable in again, and run this again; it continues where it "
            "stopped."
        )


class BoardFileError(Exception):
    """A file operation failed on the board itself."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
