"""Test the bridge as a program with a real mosquitto: restarts, kills, a second bridge, commands while it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import facts, forked, planted
from tests.support.forked import Forked
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_S = 60.0


class SessionWorld:
    """A broker, a bridge and a console's connection, which tests start and kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "a.db"
        self.broker = Mosquitto(folder)
        self.bridge: Forked | None = None
        self.log = folder / "bridge.log"
        self.acks: list[tuple[str, dict[str, Any]]] = []
        self.settings: list[dict[str, Any]] = []
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="test")
        self.client.on_message = lambda *given: self._on_message(given[2])
        self.client.on_connect = lambda *_: self.client.subscribe(
            [("trivox/v1/+/+/ack", 1), ("trivox/v1/+/+/settings", 1)]
        )
        self.client.reconnect_delay_set(1, 1)

    def _on_message(self, message: Any) -> None:
        if message.topic.endswith("/ack"):
            self.acks.append((message.topic.split("/")[3], json.loads(message.payload)))
        else:
            self.settings.append(json.loads(message.payload))

    def start_broker(self) -> None:
        self.broker.start()
        if not self.client.is_connected():
            self.client.connect("127.0.0.1", self.broker.port)
            self.client.loop_start()
        wait_until("the test is connected", self.client.is_connected)

    def start_bridge(self) -> None:
        words = ("--broker", self.broker.url(), "--database", str(self.database), "--metrics-port", "0")
        self.bridge = forked.start("bridge", *words, log=self.log)

    def wait_logged(self, words: str, times: int = 1) -> None:
        wait_until(words, lambda: self.log.exists() and self.log.read_text().count(words) >= times)

    def kill_bridge(self) -> None:
        assert self.bridge is not None
        assert self.bridge.poll() is None
        self.bridge.kill()
        self.bridge.wait()

    def publish(self, base: int, count: int = 1, console: str = "c1") -> None:
        events = [
            {"boot": 1, "up_ms": seq, "at_ms": 10**12 + seq, "type": "button_stuck", "button": "yes"}
            for seq in range(base, base + count)
        ]
        batch = {"epoch": "0000000a", "first": 1, "base": base, "events": events}
        self.client.publish(f"trivox/v1/s1/{console}/events", json.dumps(batch), qos=1)

    def through(self, console: str = "c1") -> int:
        return max((ack["through"] for name, ack in self.acks if name == console), default=0)

    def stored(self) -> int:
        return facts.stored(self.database)

    def trivox(self, *words: str) -> subprocess.CompletedProcess[str]:
        return forked.run(*words, "--database", str(self.database))

    def close(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()
        if self.bridge is not None and self.bridge.poll() is None:
            self.kill_bridge()
        self.broker.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SessionWorld]:
    world = SessionWorld(tmp_path)
    yield world
    world.close()


def test_it_waits_for_a_broker_acknowledges_after_commit_and_ends_cleanly(world: SessionWorld) -> None:
    world.start_bridge()
    world.wait_logged("no broker")
    world.start_broker()
    world.wait_logged("connected")
    world.publish(1, 5)
    wait_until("an ack", lambda: world.through() == 5)
    assert world.stored() == 5
    assert world.bridge is not None
    world.bridge.send_signal(signal.SIGTERM)
    assert world.bridge.wait(LIMIT_S) == 0
    assert sorted(path.name for path in world.folder.glob("a.db*")) == ["a.db", "a.db-keys", "a.db.lock"]


def test_it_follows_the_broker_through_a_restart_that_forgets_its_session(world: SessionWorld) -> None:
    world.start_broker()
    world.start_bridge()
    world.wait_logged("connected")
    world.broker.stop()
    world.wait_logged("is gone")
    world.start_broker()
    world.wait_logged("connected", 2)
    world.publish(1)
    wait_until("an ack after the restart", lambda: world.through() == 1)


def test_a_killed_bridge_costs_nothing(world: SessionWorld) -> None:
    world.start_broker()
    world.start_bridge()
    world.wait_logged("connected")
    for base in range(1, 2001):
        world.publish(base)
        if base == 1000:
            wait_until("some are stored", lambda: world.through() > 0)
            world.kill_bridge()
    world.start_bridge()
    wait_until("everything is acknowledged", lambda: world.through() == 2000)
    assert world.stored() == 2000


def test_a_second_bridge_is_refused_in_one_sentence(world: SessionWorld) -> None:
    world.start_broker()
    world.start_bridge()
    world.wait_logged("connected")
    second = world.trivox("bridge", "--broker", world.broker.url())
    assert second.returncode == 1
    assert second.stderr.startswith("trivox: Another bridge")
    assert second.stderr.count("\n") == 1


def test_what_waits_in_the_session_of_an_earlier_version_still_comes(world: SessionWorld) -> None:
    world.start_broker()
    assert world.trivox("site", "set", "s1", "--timezone", "UTC").returncode == 0
    planted.session_named(world.database, "0123456789abcdef")
    old = Client(CallbackAPIVersion.VERSION2, client_id="trivox-bridge-0123456789abcdef", clean_session=False)
    subscribed = threading.Event()
    old.on_connect = lambda *_: old.subscribe("trivox/v1/+/+/events", 1)
    old.on_subscribe = lambda *_: subscribed.set()
    old.connect("127.0.0.1", world.broker.port)
    old.loop_start()
    wait_until("the earlier version is there", subscribed.is_set)
    old.disconnect()
    old.loop_stop()
    world.publish(1, 5)
    world.start_bridge()
    wait_until("what waited comes", lambda: world.through() == 5)
    assert not facts.identity(world.database), "whoever reads the database does not learn the session's name"


def test_commands_are_carried_out_by_the_bridge(world: SessionWorld) -> None:
    world.start_broker()
    world.start_bridge()
    world.wait_logged("connected")
    world.publish(1)
    wait_until("the console is known", lambda: world.through() == 1)
    assert world.trivox("settings", "set", "ask_every=5", "--all").returncode == 0
    wait_until("settings are published", lambda: [one for one in world.settings if one["ask_every"] == 5])
    lines = [{"topic": "trivox/v1/s1/c2/events", "payload": "{", "received_at_ms": 1}] * 3
    recording = world.folder / "recorded.ndjson"
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ingested = world.trivox("ingest", str(recording))
    assert (ingested.returncode, ingested.stderr) == (0, "")
    assert "3 messages could not be read" in ingested.stdout
    assert world.trivox("rebuild").returncode == 0


def test_foreign_messages_stop_nothing(world: SessionWorld) -> None:
    world.start_broker()
    world.start_bridge()
    world.wait_logged("connected")
    world.client.publish("trivox/v1/S1/c1/events", b"x", qos=1)
    world.client.publish("trivox/v1/s1/c1/events", bytes(1_000_000), qos=1)
    world.client.publish("trivox/v1/s1/c1/health", b"", qos=0)
    world.publish(1)
    wait_until("an ack", lambda: world.through() == 1)


@pytest.mark.parametrize("url", ["localhost", "http://x", "mqtt://", "mqtt://u:p@host", "mqtt://host:99999"])
def test_an_invalid_broker_url_is_wrong_usage(world: SessionWorld, url: str) -> None:
    refused = world.trivox("bridge", "--broker", url)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_a_config_that_others_may_read_is_refused(world: SessionWorld) -> None:
    config = world.folder / "bridge.toml"
    config.write_text('user = "u"\npassword = "p"\n')
    config.chmod(0o644)
    refused = world.trivox("bridge", "--config", str(config))
    assert refused.returncode == 1
    assert "chmod 600" in refused.stderr
