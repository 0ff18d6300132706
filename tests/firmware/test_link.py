"""The real firmware, a real mosquitto, and a stand-in for the bridge."""

import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from broker import SETTINGS, LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.support.certificates import make_certificates
from tests.support.programs import wait_until


def answer(console: Console, button: str = "yes") -> None:
    """Answer a survey and wait for the thanks."""
    console.press("seller", 60)
    console.wait_lamp("yes")
    console.press(button, 60)
    other = "no" if button == "yes" else "yes"
    console.wait_lamp(other, on=False)


def wait_events(bridge: StandInBridge, kind: str, count: int = 1, limit_s: float = 30.0) -> list[dict[str, Any]]:
    """Wait for at least `count` events of the type; return them."""
    return wait_until(f"{count} {kind}", lambda: bridge.of(kind) if len(bridge.of(kind)) >= count else None, limit_s)


@pytest.mark.parametrize(("board", "architecture"), [("unix", "amd64"), ("esp32", "i386"), ("pico_w", "i386")])
def test_events_are_delivered_and_deleted(
    board: str, architecture: Any, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    bridge.publish("settings", SETTINGS, retain=True)
    with Console(tmp_path / "console", board=board, architecture=architecture, broker=broker.url()) as console:
        wait_events(bridge, "settings_applied")
        answer(console)
        closed = wait_events(bridge, "survey_closed")[0]
        assert (closed["outcome"], closed["cause"], closed["question_id"]) == ("yes", "answered", "office")
        assert closed["response_ms"] == closed["up_ms"] - closed["opened_up_ms"]
        opened = next(number for (_, number), event in bridge.events.items() if event["type"] == "survey_opened")
        assert closed["survey"] == opened
        wait_until("the prompt plays", lambda: [sound.track for sound in console.sounds() if sound.track] == [7])
        health = wait_until("the outbox is empty", lambda: emptied(bridge))
        assert health["presses"] == {"yes": 1, "no": 0, "cant_say": 0, "seller": 1}
        assert health["settings_revision"] == SETTINGS["revision"]
        assert health["board"] == board
        assert bridge.last("status") == {
            "state": "online",
            "epoch": health["epoch"],
            "hardware_id": console.hardware_id,
        }
    wait_until("the will", lambda: bridge.last("status")["state"] == "offline")


def emptied(bridge: StandInBridge) -> Any:
    health = bridge.last("health")
    return health if health and health["outbox"]["first"] == health["outbox"]["next"] > 1 else None


def test_the_bridges_time_is_taken(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", board="esp32", broker=broker.url()):
        clock_set = wait_events(bridge, "clock_set")[0]
    assert (clock_set["source"], clock_set["step_ms"]) == ("bridge", None)
    assert abs(clock_set["at_ms"] - time.time() * 1000) < 60000


def test_what_is_not_acknowledged_is_sent_again(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    bridge.acknowledges = False
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        answer(console)
        wait_events(bridge, "survey_closed")
        console.wifi(False)
        wait_until("it is offline", lambda: bridge.last("status")["state"] == "offline")
        before = len(bridge.batches)
        answer(console, "no")
        bridge.acknowledges = True
        console.wifi(True)
        wait_events(bridge, "survey_closed", 2)
        again = bridge.batches[before]
        assert again["base"] == again["first"] == 1


def test_an_acknowledgement_that_goes_back_brings_the_events_again(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        answer(console)
        wait_events(bridge, "survey_closed")
        wait_until("all is acknowledged", lambda: emptied(bridge) or console.step(61_000))
        epoch, last = max(bridge.events)
        bridge.acknowledges = False
        before = len(bridge.batches)
        bridge.acknowledge(epoch, 1)  # as if it was restored from a backup
        wait_until("it is sent again", lambda: bridge.batches[before:])
        again = bridge.batches[before]
        assert (again["first"], again["base"]) == (1, 2)  # the first is still held
        assert len(again["events"]) == min(last - 1, 32)


def test_a_bridge_that_does_not_answer_gets_everything_again(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    bridge.acknowledges = False
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        before = len(bridge.batches)
        console.step(11000)
        wait_until("it is sent again", lambda: any(batch["base"] == 1 for batch in bridge.batches[before:]))


def test_the_console_comes_back_after_the_broker_was_killed(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        answer(console)
        wait_events(bridge, "survey_closed")
        broker.stop(signal.SIGKILL)
        answer(console, "no")
        broker.start()
        wait_events(bridge, "survey_closed", 2)


def test_a_broker_that_hangs_does_not_delay_surveys(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        peers: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: peers.append(server.accept()[0]))
        accepting.start()
        with Console(tmp_path / "console", broker=f"mqtt://127.0.0.1:{server.getsockname()[1]}") as console:
            accepting.join(30)
            for button in ("yes", "no", "cant_say"):
                answer(console, button)
                console.wait_lamp(button, on=False)
        for peer in peers:
            peer.close()


def test_a_link_that_hangs_is_detected(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        console.hang(True)
        answer(console)
        console.step(25000)
        console.hang(False)
        wait_events(bridge, "survey_closed")


def test_tls_with_user_and_password(tmp_path: Path) -> None:
    authority = make_certificates(tmp_path)
    broker = LoginBroker(tmp_path, tmp_path)
    broker.start()
    bridge = StandInBridge(broker)
    try:
        with Console(tmp_path / "console", architecture="i386", broker=broker.tls_url(), ca=authority) as console:
            wait_events(bridge, "booted")
            answer(console)
            wait_events(bridge, "survey_closed")
    finally:
        bridge.close()
        broker.stop()


@pytest.mark.parametrize("key", ["5a" * 31, "zz" * 32])
def test_an_invalid_key_is_reported_and_nothing_is_sent(key: str, broker: LoginBroker, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url(), key=key) as console:
        wait_until("it says why", lambda: "key is not 64 hexadecimal digits" in console.output())
        answer(console)
        assert key not in console.output()
    with Console(tmp_path / "console", broker=broker.url(), key="5a" * 32):
        bridge = StandInBridge(broker)
        closed = wait_events(bridge, "survey_closed")  # the console stored it meanwhile in its flash
        bridge.close()
    assert len(closed) == 1
    assert all(len(batch["mac"]) == 64 for batch in bridge.batches)


def test_a_wrong_password_leaves_the_buttons_alone(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url("wrong")) as console:
        wait_until("it is refused", lambda: "refused" in console.output())
        answer(console)
    assert not bridge.batches


def test_invalid_settings_are_a_fault(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()):
        wait_events(bridge, "booted")
        bridge.publish("settings", SETTINGS | {"debounce_ms": -1})
        wait_until("the fault", lambda: "settings" in bridge.last("health")["faults"])
        bridge.publish("settings", b"x" * 9000)  # too long for a console: skipped
        bridge.publish("settings", SETTINGS)
        wait_events(bridge, "settings_applied")
        wait_until("no fault", lambda: "settings" not in bridge.last("health")["faults"])


def test_settings_in_use_are_reported_at_each_start(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    bridge.publish("settings", SETTINGS, retain=True)
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "settings_applied")
        console.power_off()
        console.power_on()
        applied = wait_events(bridge, "settings_applied", 2)
    assert [(event["boot"], event["revision"]) for event in applied] == [(1, 3), (2, 3)]


@pytest.mark.parametrize("at_ms", [-5000, 1, 2**63, 10**30])
def test_an_impossible_time_is_not_taken(
    at_ms: int, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    bridge.at_ms = at_ms
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "booted")
        for count in (1, 2):
            answer(console)
            assert wait_events(bridge, "survey_closed", count)[-1]["at_ms"] is None
        wait_until("all is acknowledged", lambda: len(bridge.batches) > 2)
        assert not bridge.of("clock_set")


@pytest.mark.parametrize(
    "payload",
    [
        '{"revision":3,"question":{"id":"office","revision":2,"kind":"office","text":{1:"Q?"}}}',
        b"\x80\xff",
        "[" * 4000,
        "x" * 20_000,
    ],
    ids=["a number for a language", "not UTF-8", "nested", "too long"],
)
def test_unreadable_settings_are_a_fault_and_end_no_session(
    payload: Any, broker: LoginBroker, bridge: StandInBridge, compiled_firmware: Path, tmp_path: Path
) -> None:
    bridge.publish("settings", payload, retain=True)
    firmware = compiled_firmware  # as on a board, which could not compile the modules that are loaded then
    with Console(
        tmp_path / "console", architecture="i386", heap_kb=192, firmware=firmware, broker=broker.url()
    ) as console:
        wait_until("the fault is reported", lambda: "settings" in (bridge.last("health") or {"faults": []})["faults"])
        answer(console)
        wait_events(bridge, "survey_closed")
        bridge.publish("settings", SETTINGS, retain=True)
        wait_events(bridge, "settings_applied")
        wait_until("the fault is gone", lambda: "settings" not in bridge.last("health")["faults"])
        assert [name for name, payload in bridge.messages if name == "status"] == ["status"]
