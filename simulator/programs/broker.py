"""Run a broker for a test, on loopback only: mosquitto if this machine has it, otherwise the embedded broker."""

import os
import shutil
from pathlib import Path
from typing import Literal

from simulator.programs.children import free_port
from simulator.programs.program import Program, ProgramError, trivox

Kind = Literal["auto", "mosquitto", "embedded"]

TRIES = 3  # another program may take the free port before the broker does
SBIN = Path("/usr/sbin/mosquitto")  # not on every user's PATH
LIMITS = ("max_inflight_messages 1000", "max_queued_messages 1000000", "set_tcp_nodelay true")


class Broker:
    """A broker on a free port of 127.0.0.1 that lets every client in; nothing runs until `start`.

    It forgets everything when it ends, as a broker without persistence does.

    Args:
        folder: the folder for its configuration and log.
        kind: `mosquitto`, `embedded` (`trivox broker`), or `auto` (mosquitto if it is installed).
    """

    def __init__(self, folder: Path, kind: Kind = "auto") -> None:
        self._mosquitto = shutil.which("mosquitto") or (str(SBIN) if SBIN.exists() else None)
        if kind == "mosquitto" and not self._mosquitto:
            raise ProgramError("mosquitto is not here: apt-get install mosquitto, or use --trivox-broker=embedded.")
        self.kind: Kind = kind if kind != "auto" else "mosquitto" if self._mosquitto else "embedded"
        self.port = 0
        self._folder = folder
        self._program = Program("broker", folder / "broker.log")

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return "127.0.0.1"

    @property
    def url(self) -> str:
        """The address at which it listens, as `mqtt://HOST:PORT`."""
        return f"mqtt://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it, on the same port as before if it ran before; return once it listens.

        Raises ProgramError if it does not listen, for example because another program uses the port by now.
        """
        if self._program.running:
            return
        if self.port:
            self._start(self.port)
            return
        for tries_left in reversed(range(TRIES)):
            port = free_port(0)
            try:
                self._start(port)
            except ProgramError:
                if not tries_left:
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """End it; consoles and tills notice a lost connection."""
        self._program.stop()

    @property
    def pid(self) -> int:
        """The process id, for a test that stops the process itself; raises ProgramError if it was not started."""
        return self._program.pid

    def output(self) -> str:
        """Return everything that it printed."""
        return self._program.output()

    def _start(self, port: int) -> None:
        words, ready = self._mosquitto_command(port) if self.kind == "mosquitto" else self._embedded_command(port)
        try:
            self._program.start(words, ready)
        except ProgramError as error:
            raise ProgramError(
                f"The broker does not listen on {self.host}:{port}: {self._program.last_words()} - end the "
                "program that listens there."
            ) from error

    def _mosquitto_command(self, port: int) -> tuple[list[str], str]:
        lines = [*LIMITS, "allow_anonymous true", "log_dest stderr", f"listener {port} {self.host}"]
        if os.geteuid() == 0:
            lines.append("user root")  # otherwise it could not read files that only root may read
        config = self._folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n", "utf-8")
        return [str(self._mosquitto), "-c", str(config)], " running"

    @staticmethod
    def _embedded_command(port: int) -> tuple[list[str], str]:
        return [trivox(), "broker", "--port", str(port)], "listens on"
