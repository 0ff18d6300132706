"""Commands of the bridge, also while a survey is open."""

import time
from pathlib import Path
from typing import Any

from broker import SETTINGS, LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.firmware.test_link import answer, wait_events
from tests.firmware.test_usb_serial import LineEnd
from tests.support.programs import wait_until


def order(bridge: StandInBridge, number: int, command: str, left_ms: int = 60_000) -> dict[str, Any]:
    """Send a command; return the reply."""
    send(bridge, number, command, left_ms)

    def replied() -> Any:
        replies = {payload["id"]: payload for leaf, payload in list(bridge.messages) if leaf == "reply"}
        return replies.get(str(number))

    return wait_until(f"the reply to {command}", replied)


def send(bridge: StandInBridge, number: int, command: str, left_ms: int = 60_000) -> None:
    bridge.publish("command", request(number, command, left_ms))


def request(number: int, command: str, left_ms: int = 60_000) -> dict[str, Any]:
    return {"id": str(number), "command": command, "expires_at_ms": int(time.time() * 1000) + left_ms}


def press_all(console: Console) -> None:
    for button in ("yes", "no", "cant_say", "seller"):
        console.wait_lamp(button)
        console.press(button)


def open_survey(console: Console, bridge: StandInBridge) -> None:
    before = len(bridge.of("survey_opened"))
    console.press("seller", 60)
    wait_events(bridge, "survey_opened", before + 1)


def closes(bridge: StandInBridge) -> list[tuple[str, str]]:
    return [(event["outcome"], event["cause"]) for event in bridge.of("survey_closed")]


def test_commands(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        assert order(bridge, 1, "identify")["ok"]
        console.wait_lamp("seller")
        assert order(bridge, 2, "identify", -1000) == {"id": "2", "ok": False, "reason": "expired"}
        assert not order(bridge, 3, "maintenance")["ok"]
        assert not order(bridge, 4, "dance")["ok"]
        assert order(bridge, 5, "restart")["ok"]
        assert [event["reset"] for event in wait_events(bridge, "booted", 2)] == ["power_on", "soft"]


def test_a_self_test_opens_no_survey(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        send(bridge, 1, "self_test")
        press_all(console)
        tested = wait_events(bridge, "self_tested")[0]
        assert tested["passed"]
        assert tested["buttons"] == tested["lamps"] == ["yes", "no", "cant_say", "seller"]
        assert wait_until("the reply", lambda: bridge.last("reply")) == {"id": "1", "ok": True}
        assert not bridge.of("survey_opened")
        assert not bridge.of("stray_pressed")


def test_a_self_test_closes_the_open_survey_first(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        open_survey(console, bridge)
        send(bridge, 1, "self_test")
        wait_events(bridge, "survey_closed")
        for number, command in enumerate(("self_test", "restart"), 2):
            assert order(bridge, number, command) == {"id": str(number), "ok": False, "reason": "busy"}
        press_all(console)
        assert wait_events(bridge, "self_tested")[0]["passed"]
        console.press("yes", 60)  # nobody is asked any more
        wait_events(bridge, "stray_pressed")
        answer(console, "no")
        wait_events(bridge, "survey_closed", 2)
        assert closes(bridge) == [("error", "fault"), ("no", "answered")]
        assert [event["reason"] for event in bridge.of("stray_pressed")] == ["no_survey"]


def test_an_answer_counts_while_the_console_is_identified(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        open_survey(console, bridge)
        assert order(bridge, 1, "identify")["ok"]
        console.wait_lamp("no", on=False)  # it blinks
        before = len(console.changes())
        console.press("yes", 60)
        wait_events(bridge, "survey_closed")
        console.wait_lamp("yes")
        console.wait_lamp("yes", on=False)  # thanks are over, and so is the blinking
        after = [change for change in console.changes()[before:] if change.kind == "lamp"]
        assert closes(bridge) == [("yes", "answered")]
        pressed = next(place for place, change in enumerate(after) if change.name == "yes" and change.on)
        assert [change.name for change in after[pressed + 1 :] if change.on] == []


def test_a_restart_waits_for_the_open_survey(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        open_survey(console, bridge)
        assert order(bridge, 1, "restart")["ok"]
        assert order(bridge, 2, "self_test") == {"id": "2", "ok": False, "reason": "busy"}
        console.step(5000)
        console.press("no", 60)
        wait_events(bridge, "survey_closed")
        console.wait_lamp("no")
        before = len(console.changes())
        assert [event["reset"] for event in wait_events(bridge, "booted", 2)] == ["power_on", "soft"]
        assert closes(bridge) == [("no", "answered")]
        kinds = [(change.kind, change.name, change.on) for change in console.changes()[before:]]
        assert kinds[0] == ("lamp", "no", False)  # thanks end by themselves, before the restart


def test_nothing_else_changes_an_open_survey(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    patient = {**SETTINGS, "survey_window_ms": 120_000}
    bridge.publish("settings", patient, retain=True)
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_events(bridge, "clock_set")
        wait_events(bridge, "settings_applied")
        open_survey(console, bridge)
        assert not order(bridge, 1, "dance")["ok"]
        assert not order(bridge, 2, "self_test", -1000)["ok"]
        loyalty = {**patient["question"], "id": "loyalty", "kind": "loyalty"}
        bridge.publish("settings", {**patient, "revision": 4, "question": loyalty})
        wait_events(bridge, "settings_applied", 2)
        console.press("seller", 1200)
        wait_events(bridge, "force_majeure_declared")
        console.wifi(False)
        console.wifi(True)
        console.press("cant_say", 60)
        (closed,) = wait_events(bridge, "survey_closed")
        assert (closed["outcome"], closed["cause"], closed["question_id"]) == ("cant_say", "answered", "office")
        assert bridge.of("force_majeure_declared")[0]["survey"] == closed["survey"]
        open_survey(console, bridge)
        assert bridge.of("survey_opened")[1]["question_id"] == "loyalty"


def test_maintenance_closes_the_open_survey_first(tmp_path: Path) -> None:
    with Console(tmp_path / "console", board="pico") as console:
        gateway = LineEnd(console.serial_port)
        wait_until("the first batch", lambda: gateway.last("events"))
        gateway.acknowledge()
        wait_until("it knows the time", lambda: sent(gateway, "clock_set"))
        console.press("seller", 60)
        wait_until("a survey is open", lambda: sent(gateway, "survey_opened"))
        gateway.send("command", request(1, "maintenance"))
        assert wait_until("the reply", lambda: gateway.last("reply")) == {"id": "1", "ok": True}
        (closed,) = wait_until("the close", lambda: sent(gateway, "survey_closed"))
        assert (closed["outcome"], closed["cause"]) == ("error", "fault")
        wait_until("it restarts", lambda: console.resets)
        gateway.close()


def sent(gateway: LineEnd, kind: str) -> list[dict[str, Any]]:
    gateway.last("events")
    batches = [payload["events"] for leaf, payload in gateway.messages if leaf == "events"]
    return [event for batch in batches for event in batch if event["type"] == kind]
