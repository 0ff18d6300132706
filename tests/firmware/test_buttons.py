"""Presses on simulated boards, whose interrupts run as on each port, also while the main loop is blocked."""

import time
from pathlib import Path
from typing import Any

import pytest
from broker import SETTINGS, LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.support.programs import wait_until

ENDS_MS = (75, 82, 90, 97)
BOARDS = [("esp32", "i386"), ("pico_w", "i386"), ("unix", "amd64")]


def presses(bridge: StandInBridge, count: int) -> list[tuple[str, str]]:
    """Return the events of the answer buttons' presses, once there are `count`."""

    def seen() -> Any:
        seen_presses = [("answered", event["outcome"]) for event in bridge.of("survey_closed")]
        seen_presses += [("stray", event["button"]) for event in bridge.of("stray_pressed")]
        return seen_presses if len(seen_presses) >= count else None

    return wait_until(f"{count} presses", seen)


def press_across_the_ends_of_stalls(console: Console) -> None:
    """Press so that some presses end a moment after a stall, before the contact has held for `debounce_ms`."""
    for ms in ENDS_MS:
        console.come_round()
        console.stall(ms)
        console.press("no", 90)
        console.step(1000)  # the release has settled


@pytest.mark.parametrize(("board", "architecture"), BOARDS)
def test_presses_during_a_stall_are_not_lost(
    board: str, architecture: Any, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", board=board, architecture=architecture, broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        console.press("seller")
        console.wait_lamp("yes")
        console.stall(2000)
        console.press("no", 80)
        assert presses(bridge, 1) == [("answered", "no")]
        press_across_the_ends_of_stalls(console)
        assert presses(bridge, 1 + len(ENDS_MS)) == [("answered", "no"), *[("stray", "no")] * len(ENDS_MS)]


@pytest.mark.parametrize("board", ["pico_w"])
def test_a_press_during_a_flash_erase_is_not_lost(
    board: str, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", board=board, broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        console.press("seller")
        console.wait_lamp("yes")
        console.stall(400, interrupts=False)
        console.press("no", 80)
        assert presses(bridge, 1) == [("answered", "no")]


@pytest.mark.parametrize(("board", "architecture"), BOARDS)
def test_a_press_that_bounces_is_one_press(
    board: str, architecture: Any, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    patient = {**SETTINGS, "debounce_ms": 200, "stuck_ms": 30_000}  # room for bounces on a busy machine
    bridge.publish("settings", patient, retain=True)
    with Console(tmp_path / "console", board=board, architecture=architecture, broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("settings_applied"))
        for count in (1, 2, 3):
            console.bounce("no", held_ms=800, times=6)
            console.step(1000)  # the release has settled
            assert presses(bridge, count) == [("stray", "no")] * count
            console.wait_lamp("no", on=False)
        health = {"yes": 0, "no": 3, "cant_say": 0, "seller": 0}
        console.step(61000)
        wait_until("presses are counted", lambda: bridge.last("health")["presses"] == health)


def test_a_press_is_shown_at_its_contact_and_thanked_for_when_it_is_safe(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        console.press("seller")
        console.wait_lamp("no")
        before = time.monotonic()
        console.hold("no")
        console.wait_lamp("yes", on=False)
        assert presses(bridge, 1) == [("answered", "no")]
        console.release("no")
        console.wait_lamp("no", on=False)
        tones = [sound.hertz for sound in console.sounds() if sound.hertz and sound.at_s > before]
        assert tones[-1] == 2093


def test_the_sellers_lamp_shows_that_there_is_no_network(tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker="mqtt://127.0.0.1:9") as console:
        wait_until("it has tried", lambda: "link:" in console.output())
        console.step(11000)
        console.wait_lamp("seller")
        console.wait_lamp("seller", on=False)
        console.wait_lamp("seller")
        lamps = {change.name for change in console.changes() if change.kind == "lamp"}
        assert lamps == {"seller"}


def test_a_stall_that_hides_the_release_makes_no_force_majeure(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", board="esp32", broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        console.hold("seller")
        console.wait_lamp("seller")
        console.stall(2000)
        console.release("seller")
        wait_until("a survey is open", lambda: bridge.of("survey_opened"))
        assert not bridge.of("force_majeure_declared")
