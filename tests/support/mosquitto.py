"""A real mosquitto, to be started and killed."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.support.programs import free_port, wait_until

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
PASSWD = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
LIMITS = ("max_inflight_messages 1000", "max_queued_messages 1000000", "set_tcp_nodelay true")


class Mosquitto:
    """A mosquitto on a free port of loopback, with the limits that the README advises; each start is on that port.

    With an `account` (user, password) it lets nobody else in. With `certificates`, a folder that holds ca.pem,
    server.pem and server.key, it speaks TLS too, on `tls_port`. If `persistent`, it remembers over a restart.
    """

    def __init__(
        self,
        folder: Path,
        *,
        account: tuple[str, str] | None = None,
        certificates: Path | None = None,
        persistent: bool = False,
    ) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.log = folder / "mosquitto.txt"
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        lines = [*LIMITS, f"allow_anonymous {'false' if account else 'true'}"]
        if account:
            passwords = folder / "passwords"
            subprocess.run([PASSWD, "-b", "-c", passwords, *account], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if persistent:
            lines += ["persistence true", f"persistence_location {folder}/"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it could not read what only root may
        lines.append(f"listener {self.port} 127.0.0.1")
        if certificates:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {certificates / 'ca.pem'}"]
            lines += [f"certfile {certificates / 'server.pem'}", f"keyfile {certificates / 'server.key'}"]
        self._memory = folder / "mosquitto.db"
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, password: str | None = None) -> str:
        """Where it listens, and the account with this password or else the right one."""
        return f"mqtt://{self._login(password)}127.0.0.1:{self.port}"

    def tls_url(self) -> str:
        return f"mqtts://{self._login(None)}127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=log, stderr=log)
        try:
            wait_until("mosquitto listens", self._listens)
        except BaseException:
            self.stop()
            raise

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Forget all; to be called while it does not run."""
        self._memory.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def _login(self, password: str | None) -> str:
        if self._account is None:
            return ""
        user, right = self._account
        return f"{user}:{password or right}@"

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
