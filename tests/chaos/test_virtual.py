"""Run a few virtual worlds and seeds that found bugs, and plant bugs to see that they are found."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.store.rollups import Deltas
from bridge.surveys.ingest import Intake
from tests.chaos.virtual.campaign import run_seed
from tests.chaos.virtual.console_mqtt import VirtualMqtt
from tests.support.seeds import SHIFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.virtual.world import VirtualWorld

ROOT = Path(__file__).parents[2]
SEEDS = range(10 * SHIFT, 10 * SHIFT + 10)  # `make chaos` runs hundreds


@pytest.mark.parametrize("seeds", [SEEDS[:5], SEEDS[5:]], ids=str)
def test_everything_is_stored_once_whatever_happens(seeds: range) -> None:
    for seed in seeds:
        say(seed)
        outcome = run_seed(seed)
        assert outcome.failure is None, f"python -m tests.chaos.virtual --seed {seed}: {outcome.failure}"


def say(seed: int) -> None:
    sys.stdout.write(f"world {seed} (TRIVOX_SEED={SHIFT})\n")


def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    def digest(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.chaos.virtual", "--seed", "20"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        assert b"all is well" in done.stdout
        return hashlib.sha256(done.stdout).hexdigest()

    assert digest("1") == digest("2")


# Planted bugs: each must be found within a few seeds.


def deletes_on_puback(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """The console takes the broker's acknowledgement for the bridge's."""
    original = VirtualMqtt._take

    async def take(self: VirtualMqtt, packet: Any) -> None:
        await original(self, packet)
        delivery = self._cycle.app.link._delivery
        if packet[0] == "puback" and delivery is not None:
            delivery.outbox.acknowledge(delivery._epoch, delivery._next - 1)

    patch.setattr(VirtualMqtt, "_take", take)


def acknowledges_one_too_far(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """The outbox deletes one event more than the bridge has."""

    def plant(load: Any) -> None:
        outbox = load("outbox").Outbox
        original = outbox.acknowledge
        outbox.acknowledge = lambda self, epoch, through: original(self, epoch, min(through + 1, self._next() - 1))

    in_firmware(world, plant)


def reports_the_acknowledged_number_as_the_first_held(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """A bridge put back to an older state took all of it for lost, and its acknowledgement never went back."""

    def plant(load: Any) -> None:
        load("outbox").Outbox.held = lambda self: self._through[self._sending] + 1

    in_firmware(world, plant)


def sends_doubtful_events_though_flash_fails(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """At the next start they moved to a new epoch, and were stored twice."""

    def plant(load: Any) -> None:
        def trust(self: Any) -> None:
            self.doubt = 0
            try:
                self._begin()
            except OSError as error:
                self.fault = error

        load("outbox").Outbox.trust = trust

    in_firmware(world, plant)


def gives_thanks_for_events_in_ram(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """The last event waits in RAM for the next, to save flash."""

    def plant(load: Any) -> None:
        records = load("outbox_files")
        original, waiting = records.write, {}

        def write(path: str, mode: str, data: bytes) -> None:
            if mode == "ab" and path not in waiting:
                waiting[path] = data
            else:
                original(path, mode, waiting.pop(path, b"") + data if mode == "ab" else data)

        records.write = write

    in_firmware(world, plant)


def forgets_numbers_at_start(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """The console counts on from the header of the newest slot, not from what the slot holds."""

    def plant(load: Any) -> None:
        recovery = load("outbox_recovery")
        original = recovery._take

        def take(outbox: Any, headers: Any) -> Any:
            certain = original(outbox, headers)
            if headers:
                outbox.next = max(headers[-1][2], 2)
            return certain

        recovery._take = take

    in_firmware(world, plant)


def acknowledges_before_the_commit(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """The bridge acknowledges what it has not committed yet."""
    world.bridge.acks_before_commit = True


def stores_a_duplicate_twice(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """A repeated batch is stored again, under higher numbers."""

    original, taken = Intake.take, set()

    def take(self: Intake, topic: str, payload: bytes, arrived_at_ms: int, **more: bool) -> None:
        batch_fields = json.loads(payload) if topic.endswith("/events") else {}
        batch = (topic, batch_fields.get("epoch"), batch_fields.get("base"))
        if batch in taken:
            payload = json.dumps({**batch_fields, "base": batch_fields["base"] + 1000}).encode()
        elif batch_fields:
            taken.add(batch)
        original(self, topic, payload, arrived_at_ms, **more)

    patch.setattr(Intake, "take", take)


def forgets_a_rollup(world: VirtualWorld, patch: pytest.MonkeyPatch) -> None:
    """A survey that changes is counted again, and its old figure stays."""
    original = Deltas.add_surveys

    def add_surveys(self: Deltas, site_id: str, console_id: str, rows: list[Any], sign: int) -> None:
        if sign > 0:
            original(self, site_id, console_id, rows, sign)

    patch.setattr(Deltas, "add_surveys", add_surveys)


def in_firmware(world: VirtualWorld, plant: Callable[[Any], None]) -> None:
    for board in world.boards:
        board.planted.append(plant)


PLANTED = {  # with a part of the failure's sentence
    deletes_on_puback: "is lost",
    acknowledges_one_too_far: "is lost",
    gives_thanks_for_events_in_ram: "is not in flash when append returns",
    forgets_numbers_at_start: "was given twice",
    acknowledges_before_the_commit: "acknowledged before it is committed",
    stores_a_duplicate_twice: "never stored by a console",
    forgets_a_rollup: "is not what a rebuild makes",
}
FOUND_WITHIN = 20  # seeds


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Any) -> None:
    failures = []
    for seed in range(FOUND_WITHIN):
        failures.append(failure_with(bug, seed) or "")
        if PLANTED[bug] in failures[-1]:
            return
    pytest.fail(f"not found within {FOUND_WITHIN} seeds: {failures}")


# Bugs that the firmware once had, each with the seed that shows it. After a change of the worlds, find a new seed for
# each: one with which `failure_with` returns a failure.
FIXED = {
    reports_the_acknowledged_number_as_the_first_held: 3,
    sends_doubtful_events_though_flash_fails: 100,
}


@pytest.mark.parametrize("bug", FIXED, ids=lambda bug: bug.__name__)
def test_a_fixed_bug_stays_fixed(bug: Any) -> None:
    seed = FIXED[bug]
    outcome = run_seed(seed)
    assert outcome.failure is None, f"python -m tests.chaos.virtual --seed {seed}: {outcome.failure}"
    failure = failure_with(bug, seed)
    assert failure is not None, f"seed {seed} does not show it any more"
    assert "Traceback" not in failure, f"the bug could not be planted: {failure}"


def failure_with(bug: Any, seed: int) -> str | None:
    with pytest.MonkeyPatch.context() as patch:
        return run_seed(seed, plant=lambda world: bug(world, patch)).failure
