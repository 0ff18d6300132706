"""Run one power-on of a simulated board: the MicroPython process, and the pipes to and from its stand-ins."""

import itertools
import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from simulator.errors import ConsoleError, ConsoleGoneError

BOARD = Path(__file__).resolve().parents[1] / "board"
REPLY_LIMIT_S = 30.0
_FRAME_LIMIT = 65535
_SIGALRM = 14  # Windows lacks the name, and loads this module only to show a command's help
_RESETS = {71: "hard", 72: "soft", 74: "power_cut", -_SIGALRM: "watchdog"}


class BoardProcess:
    """The MicroPython process of one run, started by making this object.

    Args:
        words: the command that starts MicroPython.
        config: the board's configuration, sent to `board/wires.py`.
        serial: where standard output and errors go.
        typed: where standard input comes from.
        on_message: called by this object's thread with each message of the board.
        on_end: called by the same thread once the process has ended, with the reason.

    `ended` is that reason: hard, soft, watchdog, power_cut (during a flash operation) or lost; None while it runs.
    """

    def __init__(
        self,
        words: list[str],
        config: dict[str, Any],
        *,
        serial: IO[bytes] | int,
        typed: IO[bytes] | int,
        on_message: Callable[[list[Any]], None],
        on_end: Callable[["BoardProcess", str], None],
    ) -> None:
        incoming, self._to_board = os.pipe()
        from_board, outgoing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*words, str(BOARD / "run.py"), str(incoming), str(outgoing)],
                stdin=typed,
                stdout=serial,
                stderr=subprocess.STDOUT,
                pass_fds=(incoming, outgoing),
                start_new_session=True,
                env={"MICROPYPATH": f".frozen:{BOARD}", "TZ": "UTC", "HOME": "/nonexistent"},
            )
        except OSError as error:
            os.close(self._to_board)
            os.close(from_board)
            raise ConsoleError(f"MicroPython can't be started: {error}") from error
        finally:
            os.close(incoming)
            os.close(outgoing)
        self._on_message, self._on_end = on_message, on_end
        self._replies: dict[int, Any] = {}
        self._requests = itertools.count(1)
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._running = True
        self._ready = self._at_work = False
        self.ended: str | None = None
        self._send(config)
        self._thread = threading.Thread(target=self._listen, args=(from_board,), daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id, for sending it signals."""
        return self._process.pid

    def waited_ms(self) -> int:
        """Return how long the firmware's thread has waited for a processor; 0 where the system does not report it."""
        try:
            _, waited_ns, _ = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text("ascii").split()
        except OSError:  # it has ended, or the system does not report it
            return 0
        return int(waited_ns) // 1_000_000

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._running

    def wait_ready(self) -> None:
        """Wait until the stand-ins are loaded and the firmware begins; raises ConsoleError if it does not."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or not self._running, REPLY_LIMIT_S)
            if not self._ready:
                raise ConsoleError("The simulated board did not start; see its serial output for the reason.")

    def wait_at_work(self) -> None:
        """Wait until the firmware has started: it waits for something, or has ended; raises ConsoleError if late."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._at_work or not self._running, REPLY_LIMIT_S):
                raise ConsoleError("The firmware did not finish starting; its serial output may say why.")

    def ask(self, command: str, *arguments: Any, limit_s: float = REPLY_LIMIT_S) -> Any:
        """Send a command to the board's stand-ins, and return their reply.

        Raises ConsoleGoneError if the process ends first, ConsoleError if the command fails or is not answered in time.
        """
        request = next(self._requests)
        self._send([request, command, *arguments])
        with self._changed:
            self._changed.wait_for(lambda: request in self._replies or not self._running, limit_s)
            if request not in self._replies:
                if not self._running:
                    raise ConsoleGoneError(f"The console is gone ({command}).")
                raise ConsoleError(f"The console does not answer ({command}).")
            reply = self._replies.pop(request)
        if isinstance(reply, ConsoleError):
            raise reply
        return reply

    def kill(self) -> None:
        """Kill the process wherever it is; return once it has ended."""
        self._process.kill()
        self._thread.join(REPLY_LIMIT_S)

    def _send(self, message: Any) -> None:
        frame = json.dumps(message).encode()
        if len(frame) > _FRAME_LIMIT:
            raise ConsoleError(f"This command is too long for a console: {len(frame)} bytes of {_FRAME_LIMIT}.")
        with self._sending:
            try:
                os.write(self._to_board, len(frame).to_bytes(2, "little") + frame)
            except OSError as error:
                raise ConsoleGoneError("The console is gone.") from error

    def _listen(self, from_board: int) -> None:
        with os.fdopen(from_board, "rb") as lines:
            for line in lines:
                try:
                    message = json.loads(line)
                except ValueError:  # cut off by the end of the process
                    continue
                self._take(message)
        status = self._process.wait()
        with self._sending:
            os.close(self._to_board)
            self._to_board = -1
        self.ended = _RESETS.get(status, "lost")
        with self._changed:
            self._running = False
            self._changed.notify_all()
        self._on_end(self, self.ended)

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        if kind not in {"reply", "failed", "ready", "at_work"}:
            self._on_message(message)
            return
        with self._changed:
            if kind == "ready":
                self._ready = True
            elif kind == "at_work":
                self._at_work = True
            elif kind == "reply":
                self._replies[message[1]] = message[2]
            else:
                self._replies[message[1]] = ConsoleError(f"The console could not do that: {message[2]}")
            self._changed.notify_all()
