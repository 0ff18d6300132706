"""Run a real mosquitto that tests start, kill and start again."""

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
READS_AS_ROOT = ("user root",) if os.geteuid() == 0 else ()  # else it could not read files that only root may read


class MosquittoProcess:
    """A mosquitto with a configuration file of the caller's, which has a listener on `port` of loopback."""

    def __init__(self, config: Path, log: Path, port: int, folder: Path | None = None) -> None:
        self.port = port
        self.log = log
        self._config = config
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, in `folder` if one was given; return once it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=log, stderr=log, cwd=self._folder)
        try:
            wait_until("mosquitto listens", self._listens)
        except BaseException:
            self.stop()
            raise

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal, if it runs."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def reload(self) -> None:
        """Have it read its files again, as `systemctl reload` does."""
        os.kill(self.pid, signal.SIGHUP)

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def output(self) -> str:
        """Return everything that it has logged, over all starts."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.output()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Mosquitto(MosquittoProcess):
    """A mosquitto on a free port of loopback, with the limits that the README advises; each start is on that port.

    With an `account` (user, password) it lets nobody else in. With `certificates`, a folder that holds ca.pem,
    server.pem and server.key, it also speaks TLS, on `tls_port`. If `persistent`, it remembers its sessions and
    queues over a restart.
    """

    def __init__(
        self,
        folder: Path,
        *,
        account: tuple[str, str] | None = None,
        certificates: Path | None = None,
        persistent: bool = False,
    ) -> None:
        config = folder / "mosquitto.conf"
        super().__init__(config, folder / "mosquitto.txt", free_port())
        self.tls_port = free_port()
        self._account = account
        self._persistence_file = folder / "mosquitto.db"
        lines = [*LIMITS, f"allow_anonymous {'false' if account else 'true'}"]
        if account:
            passwords = folder / "passwords"
            subprocess.run([PASSWD, "-b", "-c", passwords, *account], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if persistent:
            lines += ["persistence true", f"persistence_location {folder}/"]
        lines += [*READS_AS_ROOT, f"listener {self.port} 127.0.0.1"]
        if certificates:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {certificates / 'ca.pem'}"]
            lines += [f"certfile {certificates / 'server.pem'}", f"keyfile {certificates / 'server.key'}"]
        config.write_text("\n".join(lines) + "\n")

    def url(self, password: str | None = None) -> str:
        """Return where it listens, with the account and its password, or with another `password`."""
        return f"mqtt://{self._login(password)}127.0.0.1:{self.port}"

    def tls_url(self) -> str:
        """Return where it listens with TLS, with the account."""
        return f"mqtts://{self._login(None)}127.0.0.1:{self.tls_port}"

    def wipe(self) -> None:
        """Delete its sessions and queues; call this while it does not run."""
        self._persistence_file.unlink(missing_ok=True)

    def _login(self, password: str | None) -> str:
        if self._account is None:
            return ""
        user, right = self._account
        return f"{user}:{password or right}@"
