"""A real mosquitto, and a stand-in for the bridge, for tests of the link."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
USER, PASSWORD = "bench", "secret"
PREFIX = "trivox/v1/demo/till-1/"


def wait_until(what: str, condition: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """Poll until the condition holds; its value."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"after {limit_s} s still not: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> Path:
    """An authority (the answer: its PEM file) and, signed by it, server.pem and server.key for 127.0.0.1."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for words in (
        ["req", "-x509", *curve, "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
        [
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            str(names),
            "-out",
            "server.pem",
        ],
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem"


class Broker:
    """A mosquitto on a port of its own that asks for user and password; with TLS too if `certificates` are given."""

    def __init__(self, folder: Path, certificates: Path | None = None) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self._log = folder / "mosquitto.txt"
        passwords = folder / "passwords"
        subprocess.run(
            [shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd", "-b", "-c", passwords, USER, PASSWORD],
            check=True,
            capture_output=True,
        )
        lines = ["allow_anonymous false", f"password_file {passwords}", f"listener {self.port} 127.0.0.1"]
        if certificates:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {certificates / 'ca.pem'}"]
            lines += [f"certfile {certificates / 'server.pem'}", f"keyfile {certificates / 'server.key'}"]
        if os.geteuid() == 0:
            lines.append("user root")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, password: str = PASSWORD) -> str:
        return f"mqtt://{USER}:{password}@127.0.0.1:{self.port}"

    def tls_url(self) -> str:
        return f"mqtts://{USER}:{PASSWORD}@127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stdout=log, stderr=log)
        wait_until("mosquitto listens", self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


class Bridge:
    """What consoles hear of a bridge: an `ack` a batch. `events` is all that it holds: (epoch, number) to event.

    With `acknowledges` False it says nothing. `batches` are all `events` messages as they came.
    """

    def __init__(self, broker: Broker) -> None:
        self.events: dict[tuple[str, int], dict[str, Any]] = {}
        self.batches: list[dict[str, Any]] = []
        self.messages: list[tuple[str, Any]] = []
        self.acknowledges = True
        self.at_ms: int | None = None
        self._lock = threading.Lock()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(PREFIX + "#", qos=1)
        self._client.on_message = self._took
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, leaf: str, payload: Any, *, retain: bool = False) -> None:
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        self._client.publish(PREFIX + leaf, text, qos=1, retain=retain)

    def acknowledge(self, epoch: str, through: int) -> None:
        self.publish("ack", {"epoch": epoch, "through": through, "at_ms": self.at_ms or int(time.time() * 1000)})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Events of that type, in order."""
        with self._lock:
            return [event for _, event in sorted(self.events.items()) if event["type"] == kind]

    def last(self, leaf: str) -> Any:
        with self._lock:
            return next((payload for name, payload in reversed(self.messages) if name == leaf), None)

    def _took(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(PREFIX)
        if leaf in {"ack", "settings", "command"}:
            return
        payload = json.loads(message.payload)
        with self._lock:
            self.messages.append((leaf, payload))
            if leaf != "events":
                return
            self.batches.append(payload)
            epoch = payload["epoch"]
            for number, event in enumerate(payload["events"], payload["base"]):
                assert self.events.setdefault((epoch, number), event) == event
            through = payload["first"] - 1
            while (epoch, through + 1) in self.events:
                through += 1
        if self.acknowledges:
            self.acknowledge(epoch, through)
