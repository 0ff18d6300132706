"""Flash that fails slowly, in service and from the start: the console works from RAM and says so; it never restarts."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from broker import SETTINGS, LoginBroker, StandInBridge
from failing_flash import answer, wait_for_blinks

from simulator import Console
from simulator.console.micropython import command
from tests.support.programs import wait_until
from tests.support.versions import other_version, put_in_slot

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
KINDS: dict[str, dict[str, Any]] = {
    "nothing is erased or programmed": {"failing": ("erase", "program")},
    "nothing is programmed": {"failing": ("program",)},
    "programs are refused": {"failing": ("program",), "code": -5},
    "erases are refused": {"failing": ("erase",), "code": -5},
    "programs are slow": {"failing": (), "times_ms": {"program": 700}},
    "erases are slow": {"failing": (), "times_ms": {"erase": 600}},
}
PRESSES_MAX = 40


def press_until_flash_fails(console: Console) -> None:
    """Press a button until the console finds out; not every event needs an erase."""
    for _ in range(PRESSES_MAX):
        if "flash: " in console.runs()[-1].output:
            return
        console.press("yes")
        console.wait_lamp("yes", on=False)
        console.come_round()
    raise AssertionError(console.output())


def failed_epoch(bridge: StandInBridge) -> str | None:
    """Return the epoch of the last health, if that says that flash has failed."""
    health = bridge.last("health") or {"faults": ()}
    return health["epoch"] if "flash" in health["faults"] else None


def answer_from_ram(console: Console, bridge: StandInBridge, button: str, earlier: set[str]) -> str:
    """Answer a survey; wait until it comes under an epoch that is none of the earlier ones, and return that."""
    wait_until("the fault is told", lambda: failed_epoch(bridge) not in {None, *earlier})
    epoch = failed_epoch(bridge)
    assert epoch
    answer(console, button)
    wait_until("the answer", lambda: closes(bridge).get(epoch) == [button])
    return epoch


def closes(bridge: StandInBridge) -> dict[str, list[str]]:
    """Return the outcomes of the closed surveys by their epoch."""
    found: dict[str, list[str]] = {}
    for (epoch, _), event in sorted(bridge.events.items()):
        if event["type"] == "survey_closed":
            found.setdefault(epoch, []).append(event["outcome"])
    return found


@pytest.mark.parametrize("kind", KINDS.values(), ids=[name.replace(" ", "-") for name in KINDS])
def test_presses_go_on_from_ram_when_flash_fails_slowly(
    kind: dict[str, Any], broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console", board="pico_w", broker=broker.url())
    with console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        console.wear_out(*kind["failing"], times_ms=kind.get("times_ms"), code=kind.get("code", 0))
        press_until_flash_fails(console)
        second = answer_from_ram(console, bridge, "no", {first})
    with console:  # from the start
        press_until_flash_fails(console)
        answer_from_ram(console, bridge, "yes", {first, second})
    assert not console.resets


def test_flash_that_is_slow_to_read_is_left_alone(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    console = Console(tmp_path / "console", board="pico_w", broker=broker.url())
    with console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        console.wear_out(times_ms={"read": 15})
        press_until_flash_fails(console)
        second = answer_from_ram(console, bridge, "no", {first})
    with console:
        answer_from_ram(console, bridge, "yes", {first, second})
        wait_for_blinks(console)
    assert not console.resets


@pytest.mark.parametrize(("board", "read_ms"), [("esp32", 3), ("pico_w", 15), ("esp32", 60)])
def test_no_press_is_lost_when_reading_turns_slow(
    board: str, read_ms: int, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    """In service, with modules from this flash: in some call LittleFS would read it thousands of times."""
    console = Console(tmp_path / "console", board=board, installed=True, broker=broker.url())
    with console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        answer(console, "yes")
        wait_until("the answer", lambda: closes(bridge) == {first: ["yes"]})
        console.wear_out(times_ms={"read": read_ms})
        for button in ("yes", "no", "yes"):
            answer(console, button)
        wait_until("the fault is told", lambda: failed_epoch(bridge) not in {None, first})
        second = failed_epoch(bridge)
        wait_until("all answers", lambda: closes(bridge) == {first: ["yes"], second: ["yes", "no", "yes"]})
        wait_for_blinks(console)
    assert not console.resets


def test_reading_that_turns_slow_is_told_before_anybody_presses(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console", board="esp32", broker=broker.url())
    with console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        console.wear_out(times_ms={"read": 3})
        wait_until("the fault is told", lambda: failed_epoch(bridge) not in {None, first})
        wait_for_blinks(console)
        bridge.publish("settings", SETTINGS)
        answer(console, "no")
        wait_until("the answer", lambda: list(closes(bridge).values()) == [["no"]])
    assert not console.resets


@pytest.mark.parametrize("script", ["bad_blocks.py program", "bad_blocks.py erase", "bad_blocks.py both"])
def test_a_bad_block_is_no_fault(script: str, tmp_path: Path) -> None:
    run_script(script, tmp_path)


@pytest.mark.parametrize("prog_size", [256, 32])
def test_reading_that_turns_slow_in_an_erase_ends_the_call(prog_size: int, tmp_path: Path) -> None:
    run_script(f"slow_reads.py {prog_size}", tmp_path)


def run_script(script: str, tmp_path: Path) -> None:
    """Run a MicroPython script of this folder, with the firmware and a flash."""
    name, *arguments = script.split()
    words = [*command("amd64"), HERE / name, *arguments]
    folders = [".frozen", FIRMWARE, FIRMWARE.parent / "simulator/board"]
    run = subprocess.run(
        [str(word) for word in words],
        cwd=tmp_path,
        env={"MICROPYPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_trial_that_can_not_be_counted_does_not_hold_the_start_up(
    compiled_firmware: Path, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    """The restart's marker, a trial's count of boots: all that is written before the buttons work."""
    root = other_version(compiled_firmware, tmp_path / "root", "1.0.0")
    put_in_slot(other_version(compiled_firmware, tmp_path / "new", "9.9.9"), root, "b")
    (root / "slots.json").write_text('{"slot": "", "trial": "b", "boots": 0, "version": "9.9.9", "id": "u1"}')
    (root / "restart").write_text("restart")
    console = Console(tmp_path / "console", board="pico_w", firmware=root, installed=True, broker=broker.url())
    console.wear_out("program", "erase")
    with console:
        answer(console, "no")
        wait_until("the answer", lambda: ["no"] in closes(bridge).values())
        wait_until("the fault is told", lambda: failed_epoch(bridge))
        wait_for_blinks(console)
    assert not console.resets
    assert [event["firmware"] for event in bridge.of("booted")] == ["1.0.0"]
