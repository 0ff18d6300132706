"""Run a shop for failure tests: a real mosquitto, the real `trivox bridge`, and consoles that follow the protocol.

A console here keeps its events until an `ack` covers them, and sends again from there whenever a test says so.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import facts, forked
from tests.support.bridge import READY
from tests.support.mosquitto import Mosquitto
from tests.support.programs import TRIVOX, free_port, wait_until
from tests.support.service import Service

EPOCH = "0000000a"
START_MS = 1_763_780_000_000
QUESTION = {"question_id": "staff", "question_revision": 1}
END_S = 120.0
LOG_FACT = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def event(seq: int) -> dict[str, Any]:
    """Make an event: odd numbers open a survey, the next number closes it."""
    up_ms = seq * 10_000
    common = {"boot": 1, "up_ms": up_ms, "at_ms": START_MS + up_ms}
    if seq % 2:
        return {**common, "type": "survey_opened", **QUESTION}
    closed = {"survey": seq - 1, "opened_up_ms": up_ms - 10_000, "outcome": "yes", "cause": "answered"}
    return {**common, "type": "survey_closed", **QUESTION, **closed, "response_ms": 3_000}


def batch(base: int, count: int, first: int = 1, epoch: str = EPOCH) -> bytes:
    events = [event(seq) for seq in range(base, base + count)]
    return json.dumps({"epoch": epoch, "first": first, "base": base, "events": events}).encode()


def log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def parse_line(line: str) -> dict[str, str]:
    """Parse a line of the log into its facts."""
    return {name: value.strip('"') for name, value in LOG_FACT.findall(line)}


class RealShop:
    """A real broker and bridge; `folder` holds their files, `data` the database."""

    def __init__(self, folder: Path, data: Path | None = None, *, account: tuple[str, str] | None = None) -> None:
        self.folder = folder
        self.database = (data or folder) / "a.db"
        self.log = folder / "bridge.log"
        self.broker = Mosquitto(folder, account=account, persistent=True)
        self.account = account
        self.metrics_port = free_port()
        self.bridge = Service(log=self.log, ready=READY)
        self.acks: list[tuple[str, dict[str, Any]]] = []
        self.settings: list[dict[str, Any]] = []
        self.confirmed: set[int] = set()
        self.published: list[int] = []
        self._guard = threading.Lock()
        self.client = self._make_client()

    def _make_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id="consoles")
        client.max_inflight_messages_set(0)
        if self.account:
            client.username_pw_set(*self.account)
        client.on_connect = lambda *_: client.subscribe([("trivox/v1/+/+/ack", 1), ("trivox/v1/+/+/settings", 1)])
        client.on_message = lambda *given: self._on_message(given[2])
        client.on_publish = lambda *given: self.confirmed.add(given[2])
        client.reconnect_delay_set(1, 1)
        return client

    def __enter__(self) -> Self:
        self.broker.start()
        self.client.connect("127.0.0.1", self.broker.port)
        self.client.loop_start()
        wait_until("the consoles are connected", self.client.is_connected)
        return self

    def __exit__(self, *args: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_message = self.client.on_publish = None
        del self.client  # paho closes its sockets when the last reference to the client goes
        self.bridge.__exit__(*args)
        self.broker.stop()

    def _on_message(self, message: Any) -> None:
        with self._guard:
            if message.topic.endswith("/ack"):
                self.acks.append((message.topic.split("/")[3], json.loads(message.payload)))
            elif message.payload:
                self.settings.append(json.loads(message.payload))

    # -- the bridge ----------------------------------------------------------------------------------------------

    def start_bridge(self, *options: str, connected: bool = True, under: tuple[str, ...] = ()) -> None:
        """Start the bridge, `under` another program if one is given; wait until it is connected, if it is to be."""
        program = (*under, TRIVOX) if under else ()
        self.bridge.environment = self.environment()
        self.bridge.start(*self.command(*options), program=program, wait=connected)

    def command(self, *options: str) -> list[str]:
        where = ["--broker", f"mqtt://127.0.0.1:{self.broker.port}", "--database", str(self.database)]
        return ["bridge", *where, "--metrics-port", str(self.metrics_port), *options]

    def environment(self) -> dict[str, str]:
        user, password = self.account or ("", "")
        return {**os.environ, "TRIVOX_MQTT_USER": user, "TRIVOX_MQTT_PASSWORD": password}

    def stop_bridge(self, how: int = signal.SIGTERM) -> int:
        return self.bridge.end(how)

    def limit_files(self, size: int) -> None:
        """Let no file of the bridge grow beyond `size` bytes, which acts like a full disk on any machine."""
        if self.bridge.is_running:
            resource.prlimit(self.bridge.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def limit_memory(self, *, is_full: bool) -> None:
        """Let the bridge have no more memory than it has now, or as much as it wants again."""
        pages = int(Path(f"/proc/{self.bridge.pid}/statm").read_text("ascii").split()[0])
        size = pages * resource.getpagesize() if is_full else resource.RLIM_INFINITY
        resource.prlimit(self.bridge.pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))

    def trivox(self, *words: str) -> subprocess.CompletedProcess[str]:
        return forked.run(*words, "--database", str(self.database), environment=self.environment())

    def lines(self, words: str) -> list[dict[str, str]]:
        """Return the parsed lines of the log that contain `words`."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [parse_line(line) for line in lines if words in line]

    def wait_logged(self, words: str) -> dict[str, str]:
        """Wait until the log contains `words`; return the last such line."""
        matching: list[dict[str, str]] = wait_until(f"the log says {words}", lambda: self.lines(words), END_S)
        return matching[-1]

    def metrics(self) -> dict[str, float]:
        """Read all metrics, by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in samples}

    def wait_metric(self, name: str, value: float) -> None:
        wait_until(f"{name} is {value}", lambda: self.metrics().get(name) == value, END_S)

    # -- consoles ------------------------------------------------------------------------------------------------

    def send(self, payload: bytes, console: str = "c1", leaf: str = "events", qos: int = 1) -> int:
        """Publish a message; return its packet identifier, which is in `confirmed` once the broker has it."""
        info = self.client.publish(f"trivox/v1/s1/{console}/{leaf}", payload, qos=qos)
        self.published.append(info.mid)
        return info.mid

    def send_events(self, base: int, count: int, console: str = "c1", first: int = 1) -> None:
        for at in range(base, base + count, 32):
            self.send(batch(at, min(32, base + count - at), first), console)

    def through(self, console: str = "c1") -> int:
        return self.throughs().get(console, 0)

    def throughs(self) -> dict[str, int]:
        """Return the highest number acknowledged for each console."""
        highest: dict[str, int] = {}
        with self._guard:
            for console, ack in self.acks:
                highest[console] = max(highest.get(console, 0), ack["through"])
        return highest

    def wait_acknowledged(self, through: int, console: str = "c1") -> None:
        wait_until(f"{console} is acknowledged through {through}", lambda: self.through(console) >= through, 120)

    def keep_sending(self, base: int, count: int, console: str = "c1", limit_s: float = 120.0) -> None:
        """Send again from `through` + 1 until everything is acknowledged, as a console does."""
        end_s, sent_s = time.monotonic() + limit_s, 0.0
        while (through := self.through(console)) < base + count - 1:
            assert time.monotonic() < end_s, f"{console} is acknowledged only through {through}"
            if time.monotonic() - sent_s > 1:
                start = max(base, through + 1)
                self.send_events(start, base + count - start, console)
                sent_s = time.monotonic()
            time.sleep(0.02)

    def stored(self) -> int:
        return facts.stored(self.database)
