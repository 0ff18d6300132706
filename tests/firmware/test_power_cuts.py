"""Power cuts at every program and erase of a workload; and flash that can't be mounted is left as it is."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from broker import LoginBroker, StandInBridge

from simulator.console.console import Console
from simulator.console.micropython import command
from tests.support.programs import wait_until
from tests.support.seeds import seeded

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
SHARDS = 8  # each run checks one of them
SLOTS = {32: 32, 256: 8}
BLOCK_SIZE = 4096

CONFIGURED = """
import json
from console import app, startup
with open({path!r}) as file:
    config = json.load(file)
startup.read_config = lambda: (config, "/flash")
app.run()
"""


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS) if os.environ.get("TRIVOX_EVERY_CUT") else ["drawn"])
@pytest.mark.parametrize("prog_size", [32, 256])
def test_power_goes_at_every_operation_and_nothing_stored_is_lost(
    prog_size: int, shard: int | str, tmp_path: Path
) -> None:
    """Checks every eighth operation, the first drawn by the seed; all of them with `make flash-cuts`."""
    chance = seeded(f"power cuts {prog_size}")
    chosen = chance.randrange(SHARDS) if shard == "drawn" else shard
    seed = chance.randrange(1 << 24)
    words = [*command("amd64"), "-X", "heapsize=24m", HERE / "power_cuts.py", prog_size, chosen, SHARDS, seed]
    run = subprocess.run(
        [str(word) for word in words],
        cwd=tmp_path,
        env={"MICROPYPATH": os.pathsep.join([".frozen", str(FIRMWARE)])},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert run.returncode == 0, f"seed {seed}: {run.stdout}{run.stderr}"
    done = json.loads(run.stdout)
    assert done["cuts"] >= 3 * (done["programs"] + done["erases"]) // SHARDS - 4
    assert done["programs"] > 200
    assert done["erases"] > 20
    assert done["turns"] > 2 * SLOTS[prog_size]


def test_nothing_in_the_firmware_formats() -> None:
    sources = [path for path in FIRMWARE.rglob("*.py") if "mkfs" in path.read_text(encoding="utf-8")]
    assert sources == []


def asked(console: Console, button: str) -> None:
    console.press("seller")
    console.wait_lamp("cant_say")
    console.press(button)
    console.wait_lamp("cant_say", on=False)
    console.wait_lamp(button)


@pytest.mark.parametrize("damage", [bytes(2 * BLOCK_SIZE), b"\xff" * 2 * BLOCK_SIZE], ids=["zeros", "erased"])
def test_flash_that_can_not_be_mounted_is_left_as_it_is(
    damage: bytes, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    for path in FIRMWARE.iterdir():
        (firmware / path.name).symlink_to(path)
    console = Console(tmp_path / "console", broker=broker.url(), firmware=firmware)
    with console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        # As on a console whose configuration is not on this flash, but frozen or on another one.
        (tmp_path / "console.json").write_bytes(console.flash_file("console.json") or b"")
    (firmware / "main.py").unlink()
    (firmware / "main.py").write_text(CONFIGURED.format(path=str(tmp_path / "console.json")))
    damaged = damage + console.flash.read_bytes()[len(damage) :]
    console.flash.write_bytes(damaged)
    with console:
        wait_until("it is up again", lambda: len(bridge.of("booted")) == 2)
        for button in ("yes", "no"):
            asked(console, button)
        wait_until("both answers", lambda: len(bridge.of("survey_closed")) == 2)
        wait_until("the fault is reported", lambda: "flash" in (bridge.last("health") or {"faults": ()})["faults"])
        assert first not in {epoch for (epoch, _), event in bridge.events.items() if event["type"] == "survey_closed"}
    assert console.flash.read_bytes() == damaged
