"""Which version a board runs from its own flash: by its slots, on trial, and after a failed trial."""

import json
from pathlib import Path
from typing import Any

import pytest
from broker import LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.support.programs import wait_until
from tests.support.versions import CRASHES, HANGS, IS_DEAF, Changes, other_version, put_in_slot

TRIAL_MS = 300_000  # how long a boot on trial may take to reach the bridge
TRIAL = {"slot": "", "trial": "b", "boots": 0, "version": "9.9.9", "id": "u1"}


def root_with(compiled_firmware: Path, folder: Path, state: Any, changes: Changes | None = None) -> Path:
    """Make the filesystem of a board: the firmware at its root, another version in slot b, and this `slots.json`."""
    root = other_version(compiled_firmware, folder / "root", "1.0.0")
    put_in_slot(other_version(compiled_firmware, folder / "new", "9.9.9", changes), root, "b")
    (root / "slots.json").write_text(state if isinstance(state, str) else json.dumps(state))
    return root


def firmwares(bridge: StandInBridge) -> list[str]:
    """Return the version of each boot that the bridge knows, in order."""
    return [event["firmware"] for event in bridge.of("booted")]


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        ({"slot": "b"}, "9.9.9"),
        ({"slot": ""}, "1.0.0"),
        ('{"slot": "b', "1.0.0"),
        ("[]", "1.0.0"),
        ({"slot": "a"}, "1.0.0"),
        ({"slot": "", "trial": "b", "boots": "none"}, "1.0.0"),
    ],
)
@pytest.mark.parametrize("board", ["unix", "pico_w"])
def test_the_file_says_what_runs(
    board: str,
    state: Any,
    runs: str,
    compiled_firmware: Path,
    broker: LoginBroker,
    bridge: StandInBridge,
    tmp_path: Path,
) -> None:
    root = root_with(compiled_firmware, tmp_path, state)
    with Console(tmp_path / "c", board=board, firmware=root, installed=True, broker=broker.url()):
        wait_until("it has booted", lambda: firmwares(bridge))
    assert firmwares(bridge) == [runs]


def test_a_trial_is_confirmed_by_the_bridges_first_ack(
    compiled_firmware: Path, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    root = root_with(compiled_firmware, tmp_path, TRIAL)
    bridge.acknowledges = False
    with Console(tmp_path / "c", firmware=root, installed=True, broker=broker.url()) as console:
        wait_until("the new version speaks", lambda: firmwares(bridge) == ["9.9.9"])
        console.press("yes")
        wait_until("the press is sent", lambda: bridge.of("stray_pressed"))
        assert bridge.last("reply") is None
        bridge.acknowledge(bridge.last("health")["epoch"], 0)
        wait_until("it is confirmed", lambda: bridge.last("reply") == {"id": "u1", "ok": True})
    for boots in range(2, 6):  # more boots than a trial has
        with Console(tmp_path / "c", installed=True, broker=broker.url()):
            wait_until("it speaks again", lambda: len(firmwares(bridge)) == boots)  # noqa: B023 - called at once
    assert set(firmwares(bridge)) == {"9.9.9"}


@pytest.mark.long
@pytest.mark.parametrize("changes", [CRASHES, HANGS], ids=["crashes", "hangs"])
@pytest.mark.parametrize("board", ["unix", "esp32", "pico_w"])
def test_after_three_boots_of_a_broken_version_the_old_one_runs_and_says_so(
    board: str, changes: Changes, compiled_firmware: Path, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    root = root_with(compiled_firmware, tmp_path, TRIAL, changes)
    with Console(tmp_path / "c", board=board, firmware=root, installed=True, broker=broker.url()) as console:
        wait_until("the old one is back", lambda: firmwares(bridge), 120)
        reply = wait_until("it reports the failed trial", lambda: bridge.last("reply"))
        assert console.resets == (["watchdog"] if changes is HANGS else ["hard"]) * 3
    assert (reply["id"], reply["ok"]) == ("u1", False)
    assert "9.9.9" in reply["reason"]
    assert "1.0.0 runs again" in reply["reason"]
    assert firmwares(bridge) == ["1.0.0"]
    assert "update" in bridge.last("health")["faults"]


def test_a_version_that_does_not_reach_the_bridge_is_given_up(
    compiled_firmware: Path, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    root = root_with(compiled_firmware, tmp_path, TRIAL, IS_DEAF)
    with Console(tmp_path / "c", firmware=root, installed=True, broker=broker.url()) as console:
        for boot in range(1, 4):
            console.press("yes")
            console.step(TRIAL_MS)
            wait_until("it has given up", lambda: len(console.resets) == boot, 60)  # noqa: B023 - called at once
        wait_until("the old one tells", lambda: "1.0.0" in firmwares(bridge), 60)
        assert firmwares(bridge) == ["9.9.9"] * 3 + ["1.0.0"]
        wait_until("all presses came", lambda: len(bridge.of("stray_pressed")) == 3)
        wait_until("it says so", lambda: "update" in bridge.last("health")["faults"])
