"""All messages of the real firmware, over MQTT and the serial line, obey the schemas, and the bridge accepts them."""

import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import serial

from bridge.wire import contract
from simulator.console.console import Console
from tests.schema import schemas
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.words import hmac_of

FROM_CONSOLES = ("events", "status", "health", "reply")
SETTINGS: dict[str, Any] = {
    "revision": 3,
    "question": {"id": "office", "revision": 2, "kind": "office", "text": {"en": "Did you like our office?"}},
    "survey_window_ms": 60_000,  # so that no press comes too late, however busy this machine is
    "long_press_ms": 1500,
    "reopen_guard_ms": 0,
    "debounce_ms": 20,
    "stuck_ms": 4000,
    "heartbeat_ms": 1000,
    "ask_every": 5,
    "prompt": "tone",
}


class JudgingListener:
    """Judges a console's messages by the schemas, and acknowledges them; `send` sends messages to the console."""

    def __init__(self) -> None:
        self.send: Callable[[str, str, bool], None] = lambda *_: None
        self.heard: list[tuple[str, Any]] = []
        self.wrong: list[str] = []
        self.key: str | None = None  # that the console signs with
        self._said = (0, 0)
        self._judges = {leaf: schemas.validator(leaf) for leaf in (*FROM_CONSOLES, "ack", "settings", "command")}
        self._lock = threading.Lock()

    def tell(self, leaf: str, payload: Any, *, retain: bool = False) -> None:
        self._judges[leaf].validate(payload)
        self.send(leaf, json.dumps(payload), retain)

    def take(self, leaf: str, text: bytes) -> None:
        payload = json.loads(text)
        errors = [f"{leaf}: {error.json_path} {error.message}" for error in self._judges[leaf].iter_errors(payload)]
        if leaf == "events":
            errors += self._judge_as_bridge(text)
        elif self.key is not None and payload.get("state") != "offline":
            errors += self._judge_proof(leaf, text.decode(), payload)
        with self._lock:
            self.heard.append((leaf, payload))
            self.wrong += errors
        if leaf == "events":
            through = payload["base"] + len(payload["events"]) - 1
            self.tell("ack", {"epoch": payload["epoch"], "through": through, "at_ms": int(time.time() * 1000)})

    def _judge_proof(self, leaf: str, text: str, word: dict[str, Any]) -> list[str]:
        """Judge a signed word: its MAC is the last member, and it is later than the one before."""
        unsigned = text[: text.rindex(', "mac"')] + "}"
        earlier, self._said = self._said, (word["boot"], word["up_ms"])
        is_right = hmac_of(leaf, unsigned, str(self.key)) == word.pop("mac") and json.loads(unsigned) == word
        return [] if is_right and self._said > earlier else [f"{leaf}: not proved: {text}"]

    @staticmethod
    def _judge_as_bridge(text: bytes) -> list[str]:
        try:
            batch = contract.read_batch(text)
            for number, event in enumerate(batch.events, batch.base):
                contract.parse_event(event, number)
        except (contract.Unreadable, contract.Impossible) as error:
            return [f"bridge: {error}"]
        return []

    def events(self) -> list[dict[str, Any]]:
        with self._lock:
            batches = [payload for leaf, payload in self.heard if leaf == "events"]
        numbered = {batch["base"] + place: event for batch in batches for place, event in enumerate(batch["events"])}
        return [numbered[number] for number in sorted(numbered)]

    def events_of(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events() if event["type"] == event_type]

    def payloads(self, leaf: str) -> list[Any]:
        with self._lock:
            return [payload for name, payload in self.heard if name == leaf]

    def wait_event(self, event_type: str, **fields: Any) -> dict[str, Any]:
        wanted = {"type": event_type, **fields}
        return wait_until(f"{wanted}", lambda: next((e for e in self.events() if wanted.items() <= e.items()), None))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as started:
        yield started


@pytest.fixture
def by_mqtt(broker: Mosquitto) -> Iterator[JudgingListener]:
    listener = JudgingListener()
    prefix = "trivox/v1/demo/till-1/"
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)

    def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        listener.take(message.topic.removeprefix(prefix), message.payload)

    client.on_message = on_message
    client.connect("127.0.0.1", broker.port)
    client.subscribe([(prefix + leaf, 1) for leaf in FROM_CONSOLES])
    client.loop_start()
    listener.send = lambda leaf, text, retain: client.publish(prefix + leaf, text, qos=1, retain=retain)
    yield listener
    client.disconnect()
    client.loop_stop()


def go_through_all(console: Console, listener: JudgingListener) -> None:
    """Make the console send every kind of event and message."""
    listener.wait_event("clock_set")
    listener.tell("settings", SETTINGS, retain=True)
    listener.wait_event("settings_applied", revision=3)
    console.press("yes")
    listener.wait_event("stray_pressed", reason="no_survey")
    for button in ("yes", "no", "cant_say"):
        console.press("seller")
        console.wait_lamp(button, timeout_s=60)
        console.press(button)
        listener.wait_event("survey_closed", outcome=button)
    console.press("yes")
    listener.wait_event("stray_pressed", reason="already_answered")
    opened = len(listener.events_of("survey_opened"))
    console.press("seller")
    wait_until("another survey", lambda: len(listener.events_of("survey_opened")) > opened)
    console.press("seller")
    listener.wait_event("survey_closed", cause="superseded")
    console.press("seller", 2000)
    listener.wait_event("force_majeure_declared")
    listener.tell("settings", {**SETTINGS, "revision": 4, "survey_window_ms": 300}, retain=True)
    listener.wait_event("settings_applied", revision=4)
    console.press("seller")
    listener.wait_event("survey_closed", cause="expired")
    console.hold("no")
    listener.wait_event("button_stuck", button="no")
    console.press("seller")
    listener.wait_event("survey_closed", cause="fault")
    console.release("no")
    listener.wait_event("button_freed", button="no")
    command(listener, "identify", "c-1", in_ms=60_000)
    command(listener, "restart", "c-2", in_ms=-60_000)
    listener.tell("command", {"id": "c-3", "command": "self_test", "expires_at_ms": later(60_000)})
    for button in ("yes", "no", "cant_say", "seller"):
        wait_until(f"only {button} is lit", partial(only_lit, console, button))
        console.press(button)
    assert listener.wait_event("self_tested")["passed"]
    wait_until("its reply", lambda: any(reply["id"] == "c-3" for reply in listener.payloads("reply")))


def only_lit(console: Console, button: str) -> bool:
    return [name for name, lit in console.lamps().items() if lit] == [button]


def later(in_ms: int) -> int:
    return int(time.time() * 1000) + in_ms


def command(listener: JudgingListener, name: str, command_id: str, in_ms: int) -> None:
    listener.tell("command", {"id": command_id, "command": name, "expires_at_ms": later(in_ms)})
    reply = wait_until(
        "a reply", lambda: next((reply for reply in listener.payloads("reply") if reply["id"] == command_id), None)
    )
    assert reply["ok"] == (in_ms > 0)


def judge_all(listener: JudgingListener) -> None:
    assert not listener.wrong
    assert {event["type"] for event in listener.events()} == set(schemas.event_types())
    assert listener.payloads("health")


def test_every_message_over_mqtt_is_valid(by_mqtt: JudgingListener, broker: Mosquitto, tmp_path: Path) -> None:
    by_mqtt.key = "5a" * 32
    with Console(tmp_path / "console", broker=broker.url(), key=by_mqtt.key) as console:
        go_through_all(console, by_mqtt)
    wait_until("the last will", lambda: by_mqtt.payloads("status")[-1]["state"] == "offline")
    judge_all(by_mqtt)
    assert by_mqtt.payloads("status")[0]["state"] == "online"


class SerialHost:
    """The host's end of the serial line: it checks schema and checksum of each line, both ways."""

    def __init__(self, port: str, listener: JudgingListener) -> None:
        self.hello: list[Any] = []
        self._line = serial.Serial(port, timeout=0.2)
        self._listener = listener
        self._judge = schemas.validator("serial_line")
        self._hello = schemas.validator("hello")
        self._closing = self._heard = False
        listener.send = self._send
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _send(self, leaf: str, text: str, _retain: bool) -> None:  # noqa: FBT001 - as MQTT does
        body = f"{leaf}\t{text}"
        line = f"{body}\t{zlib.crc32(body.encode()):08x}"
        self._judge.validate(line)
        self._line.write(line.encode() + b"\n")

    def _read(self) -> None:
        data = b""
        while not self._closing:
            data += self._line.read(self._line.in_waiting or 1)
            *lines, data = data.split(b"\n")
            for line in lines:
                self._take(line.decode().removesuffix("\r"))

    def _take(self, line: str) -> None:
        body, _, crc = line.rpartition("\t")
        if not self._judge.is_valid(line) or f"{zlib.crc32(body.encode()):08x}" != crc:
            if "\t" in line and self._heard:  # the first may be the end of a line that began before the port was open
                self._listener.wrong.append(f"line: {line!r}")
            self._heard = True
            return
        self._heard = True
        leaf, _, payload = body.partition("\t")
        if leaf == "hello":
            self._hello.validate(json.loads(payload))
            self.hello.append(json.loads(payload))
        else:
            self._listener.take(leaf, payload.encode())

    def close(self) -> None:
        self._closing = True
        self._thread.join(10)
        self._line.close()


def test_every_line_over_serial_is_valid(tmp_path: Path) -> None:
    listener = JudgingListener()
    with Console(tmp_path / "console", board="pico") as console:
        host = SerialHost(console.serial_port, listener)
        try:
            wait_until("the console says who it is", lambda: host.hello)
            go_through_all(console, listener)
        finally:
            host.close()
    judge_all(listener)
    assert host.hello[0] == {"site_id": "demo", "console_id": "till-1", "hardware_id": console.hardware_id}
