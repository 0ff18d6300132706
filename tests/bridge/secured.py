"""A secured shop: what `trivox console enroll` and `trivox broker-config` wrote, run by a real mosquitto and bridge."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.support import forked
from tests.support.forked import Forked
from tests.support.mosquitto import MOSQUITTO
from tests.support.programs import free_port, wait_until

SITE, DATABASE = "shop", "shop.db"
END_S = 120.0


@cache
def enrolled() -> Path:
    """The folder with the database and keys that all these shops begin with: nobody is enrolled for each test."""
    folder = Path(tempfile.mkdtemp(prefix="trivox-enrolled-"))
    atexit.register(shutil.rmtree, folder)
    for kind, *names in (
        ("console", f"{SITE}/till-1", f"{SITE}/till-2"),
        ("source", f"{SITE}/door"),
        ("viewer", "boss"),
    ):
        run(folder / DATABASE, kind, "enroll", *names).check_returncode()
    return folder


def run(database: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on a database."""
    environment = {**os.environ, "TRIVOX_DATABASE": str(database)}
    return forked.run(*words, environment=environment)


class SecuredShop:
    """Consoles till-1 and till-2, the people counter door and the viewer boss, all enrolled; `folder` holds all."""

    def __init__(self, folder: Path, *, is_forked: bool = True) -> None:
        self.folder = folder
        self._is_forked = is_forked
        self.database = folder / DATABASE
        self.keys = folder / f"{DATABASE}-keys"
        self.files = folder / "broker"
        self.port = free_port()
        self.broker_log, self.bridge_log = folder / "mosquitto.log", folder / "bridge.log"
        self._broker: subprocess.Popen[bytes] | None = None
        self._bridge: Forked | subprocess.Popen[bytes] | None = None
        made = enrolled()
        shutil.copy2(made / self.database.name, self.database)
        shutil.copytree(made / self.keys.name, self.keys)
        self.configure("--host", "broker.example", "--port", str(self.port))

    def __enter__(self) -> Self:
        self.start_broker()
        self.start_bridge()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._bridge, self._broker):
            if process is not None:
                process.kill()
                process.wait()

    # -- commands --------------------------------------------------------------------------------------------------

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Any command, on this database."""
        return run(self.database, *words)

    def do(self, *words: str) -> str:
        """A command that has to end well; what it says."""
        result = self.run(*words)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def configure(self, *words: str) -> str:
        return self.do("broker-config", "--out", str(self.files), *words)

    # -- programs --------------------------------------------------------------------------------------------------

    def start_broker(self) -> None:
        """As the unit does it, save that root, who runs the tests, reads what mosquitto's user would."""
        settings = self.folder / "mosquitto.conf"
        root = "user root\n" if os.geteuid() == 0 else ""
        settings.write_text((self.files / "mosquitto.conf").read_text() + root)
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        with self.broker_log.open("ab") as log:
            self._broker = subprocess.Popen([MOSQUITTO, "-c", settings], stdout=log, stderr=log, cwd=state)
        wait_until("mosquitto listens", self._listens)

    def stop_broker(self) -> None:
        assert self._broker is not None
        self._broker.terminate()
        self._broker.wait()

    def reload_broker(self) -> None:
        """What `systemctl reload` does."""
        assert self._broker is not None
        self._broker.send_signal(signal.SIGHUP)

    def start_bridge(self) -> None:
        """With the words of its unit; where it is not forked, by the very program that the unit names."""
        unit = (self.files / "systemd" / "trivox-bridge.service").read_text()
        command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).partition("=")[2].split()
        command += ["--metrics-port", "0"]
        if self._is_forked:
            self._bridge = forked.start(*command[1:], log=self.bridge_log)
        else:
            with self.bridge_log.open("ab") as log:
                self._bridge = subprocess.Popen(command, stderr=log)
        wait_until("the bridge is connected", lambda: "connected to the broker" in self.bridge_said())

    def stop_bridge(self) -> None:
        assert self._bridge is not None
        self._bridge.terminate()
        self._bridge.wait()

    def _listens(self) -> bool:
        assert self._broker is not None
        assert self._broker.poll() is None, self.broker_said()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def pids(self) -> list[int]:
        return [process.pid for process in (self._broker, self._bridge) if process is not None]

    # -- what was said and kept --------------------------------------------------------------------------------------

    def broker_said(self) -> str:
        return self.broker_log.read_text(encoding="utf-8", errors="replace")

    def bridge_said(self) -> str:
        return self.bridge_log.read_text(encoding="utf-8") if self.bridge_log.exists() else ""

    def wait_broker_says(self, *words: str) -> None:
        """Until one line of the broker's log has all these words."""
        wait_until(
            f"the broker says {words}",
            lambda: any(all(word in line for word in words) for line in self.broker_said().splitlines()),
        )

    def credentials(self, name: str) -> dict[str, str]:
        """Those of a console, or of the account with that file name."""
        path = self.keys / (name if "." in name else f"{name}.json")
        found: dict[str, str] = json.loads(path.read_text())
        return found

    # -- at the broker -----------------------------------------------------------------------------------------------

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.files / "ca.pem"))

    def client(self, user: str | None, password: str | None, client_id: str) -> Somebody:
        """Somebody who tries to log in."""
        return Somebody(self, user, password, client_id)

    def known(self, name: str, client_id: str = "") -> Somebody:
        """Somebody with the credentials of `name`, logged in."""
        found = self.credentials(name)
        somebody = self.client(found["user"], found["password"], client_id or f"test-{name.replace('/', '-')}")
        wait_until(f"{name} is let in", somebody.connected.is_set)
        return somebody


class Somebody:
    """A client of the broker over TLS; what it hears is in `heard`, as (topic, payload)."""

    def __init__(self, shop: SecuredShop, user: str | None, password: str | None, client_id: str) -> None:
        self.client_id = client_id
        self.heard: list[tuple[str, bytes]] = []
        self.connected, self.refused, self.gone = threading.Event(), threading.Event(), threading.Event()
        self.granted: list[bool] = []
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.tls_set_context(shop.context())
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.on_connect = lambda *given: (self.refused if given[3].is_failure else self.connected).set()
        self._client.on_disconnect = lambda *_: self.gone.set()
        self._client.on_message = lambda *given: self.heard.append((given[2].topic, bytes(given[2].payload)))
        self._client.on_subscribe = lambda *given: self.granted.extend(not code.is_failure for code in given[3])
        self._client.connect("127.0.0.1", shop.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish with QoS 1; returns once the broker has acknowledged it, which it does to refused ones too."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(END_S)

    def throw(self, topic: str, payload: bytes) -> None:
        """Publish, and wait for nothing."""
        self._client.publish(topic, payload, qos=1)

    def listen(self, topic: str) -> bool:
        """Subscribe; whether it was granted."""
        before = len(self.granted)
        self._client.subscribe(topic, qos=1)
        wait_until("an answer to the subscription", lambda: len(self.granted) > before)
        return self.granted[-1]
