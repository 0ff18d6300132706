"""A secured shop: the files of `trivox console enroll` and `trivox broker-config`, with a real mosquitto and bridge."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.bridge.shop import EPOCH, batch
from tests.support import forked, words
from tests.support.bridge import READY
from tests.support.mosquitto import READS_AS_ROOT, MosquittoProcess
from tests.support.programs import free_port, wait_until
from tests.support.service import Service

SITE, DATABASE = "shop", "shop.db"
END_S = 120.0


@cache
def enrolled() -> Path:
    """Return the folder with database and keys that all shops begin with, so that no test has to enrol again."""
    folder = Path(tempfile.mkdtemp(prefix="trivox-enrolled-"))
    atexit.register(shutil.rmtree, folder)
    for kind, *names in (
        ("console", f"{SITE}/till-1", f"{SITE}/till-2"),
        ("source", f"{SITE}/door"),
        ("viewer", "boss", "aide"),
    ):
        run(folder / DATABASE, kind, "enroll", *names).check_returncode()
    return folder


def run(database: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a database."""
    environment = {**os.environ, "TRIVOX_DATABASE": str(database)}
    return forked.run(*words, environment=environment)


class SecuredShop:
    """A shop in `folder`: consoles till-1 and till-2, the people counter door, the viewers boss and aide."""

    def __init__(self, folder: Path, *, is_forked: bool = True, takes_unsigned: bool = False) -> None:
        self.folder = folder
        self._without = {"--signed-only"} if takes_unsigned else set()
        self._is_forked = is_forked
        self.database = folder / DATABASE
        self.keys = folder / f"{DATABASE}-keys"
        self.files = folder / "broker"
        self.port, self.bridge_port = free_port(), free_port()
        self.broker_log, self.bridge_log = folder / "mosquitto.log", folder / "bridge.log"
        self._state = folder / "state"
        self._broker = MosquittoProcess(folder / "mosquitto.conf", self.broker_log, self.port, self._state)
        self._bridge = Service(log=self.bridge_log, ready=READY)
        made = enrolled()
        shutil.copy2(made / self.database.name, self.database)
        shutil.copytree(made / self.keys.name, self.keys)
        ports = ("--port", str(self.port), "--bridge-port", str(self.bridge_port))
        self.configure("--host", "broker.example", *ports)

    def __enter__(self) -> Self:
        self.start_broker()
        self.start_bridge()
        return self

    def __exit__(self, *args: object) -> None:
        self._bridge.__exit__(*args)
        self._broker.stop()

    # -- commands --------------------------------------------------------------------------------------------------

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this database."""
        return run(self.database, *words)

    def do(self, *words: str) -> str:
        """Run a command that has to succeed, and return its output."""
        result = self.run(*words)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def configure(self, *words: str) -> str:
        return self.do("broker-config", "--out", str(self.files), *words)

    # -- programs --------------------------------------------------------------------------------------------------

    def start_broker(self) -> None:
        """Start mosquitto as its systemd unit does, except that root, who may run the tests, reads its files."""
        lines = [(self.files / "mosquitto.conf").read_text(), *READS_AS_ROOT, ""]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines))
        self._state.mkdir(exist_ok=True)
        self._broker.start()

    def stop_broker(self) -> None:
        self._broker.stop(signal.SIGTERM)

    def reload_broker(self) -> None:
        self._broker.reload()

    def start_bridge(self, *options: str) -> None:
        """Start the bridge with the command of its systemd unit; if not forked, by the program that the unit names.

        A shop that takes unsigned events leaves out --signed-only, as units that an earlier version wrote do.
        """
        unit = (self.files / "systemd" / "trivox-bridge.service").read_text()
        command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).partition("=")[2].split()
        command = [word for word in command if word not in self._without]
        self._bridge.start(
            *command[1:], *options, "--metrics-port", "0", program=() if self._is_forked else command[:1]
        )

    def stop_bridge(self) -> None:
        self._bridge.end()

    def pids(self) -> list[int]:
        return [process.pid for process in (self._broker, self._bridge) if process.is_running]

    # -- logs and credentials ---------------------------------------------------------------------------------------

    def broker_said(self) -> str:
        return self._broker.output()

    def bridge_said(self) -> str:
        return self._bridge.output()

    def wait_broker_says(self, *words: str) -> None:
        """Wait until one line of the broker's log has all these words."""
        wait_until(
            f"the broker says {words}",
            lambda: any(all(word in line for word in words) for line in self.broker_said().splitlines()),
        )

    def credentials(self, name: str) -> dict[str, str]:
        """Return the credentials of a console, or of the account with that file name."""
        path = self.keys / (name if "." in name else f"{name}.json")
        credentials: dict[str, str] = json.loads(path.read_text())
        return credentials

    def signed(self, name: str, base: int, count: int = 2, epoch: str = EPOCH) -> bytes:
        """Return a batch with the MAC of that console."""
        events = json.loads(batch(base, count))["events"]
        return words.batch(self.credentials(name)["key"], base, *events, epoch=epoch).encode()

    # -- at the broker -----------------------------------------------------------------------------------------------

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.files / "ca.pem"))

    def client(self, user: str | None, password: str | None, client_id: str, port: int = 0) -> BrokerClient:
        """Return a client that tries to log in, at everybody's port if none is given."""
        return BrokerClient(self, user, password, client_id, port or self.port)

    def known(self, name: str, client_id: str = "") -> BrokerClient:
        """Return a client with the credentials of `name`, logged in where such clients are let in."""
        credentials = self.credentials(name)
        port = self.bridge_port if name == "bridge.account" else self.port
        client_id = client_id or f"test-{name.replace('/', '-')}"
        client = self.client(credentials["user"], credentials["password"], client_id, port)
        wait_until(f"{name} is let in", client.connected.is_set)
        return client


class BrokerClient:
    """A client of the broker over TLS; the messages it received are in `heard`, as (topic, payload)."""

    def __init__(self, shop: SecuredShop, user: str | None, password: str | None, client_id: str, port: int) -> None:
        self.client_id = client_id
        self.user = user
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
        self._client.on_connect = lambda *arguments: (self.refused if arguments[3].is_failure else self.connected).set()
        self._client.on_disconnect = lambda *_: self.gone.set()
        self._client.on_message = lambda *arguments: self.heard.append(
            (arguments[2].topic, bytes(arguments[2].payload))
        )
        self._client.on_subscribe = lambda *arguments: self.granted.extend(not code.is_failure for code in arguments[3])
        self._client.connect("127.0.0.1", port)
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
        """Publish without waiting."""
        self._client.publish(topic, payload, qos=1)

    def listen(self, topic: str) -> bool:
        """Subscribe, and return whether that was granted."""
        before = len(self.granted)
        self._client.subscribe(topic, qos=1)
        wait_until("an answer to the subscription", lambda: len(self.granted) > before)
        return self.granted[-1]
