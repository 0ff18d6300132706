"""Make one run: the world, its people and the plan of faults, until everything is quiet; then check what is stored."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from pprint import pformat
from typing import Any

from simulator.errors import FirmwareError
from tests.chaos.checker import check
from tests.chaos.crowd import ChaosCrowd
from tests.chaos.database import ROLLUPS, contents, epochs, figures
from tests.chaos.faults import FAULTS, heal
from tests.chaos.observations import EpochName
from tests.chaos.observe import observe
from tests.chaos.plan import PlannedFault, make_plan
from tests.chaos.programs import trivox
from tests.chaos.standstill import standstills
from tests.chaos.world import ChaosWorld

QUIET_LIMIT_S = 150.0
QUIET_MAX_S = 1200.0
QUIET_S = 6.0  # by then no survey is open, and a button that is still held counts as stuck
POLL_S = 0.5
CONCURRENT_FAULTS_MAX = 64
DERIVED = ("survey", "force_majeure", *ROLLUPS)

Say = Callable[[str], None]


@dataclass
class ChaosResult:
    """The result of a run; `findings` is empty if nothing was lost, double or wrong."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    figures: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def run(
    folder: Path,
    seed: int,
    minutes: float,
    consoles: int,
    say: Say,
    kinds: frozenset[str] = frozenset(),
    picos: int = 0,
) -> ChaosResult:
    """Carry out a plan in `folder`, or only its faults of these `kinds`."""
    plan = [fault for fault in make_plan(seed, minutes, consoles, picos) if not kinds or fault.kind.name in kinds]
    result = ChaosResult(seed)
    with ChaosWorld(folder, consoles, picos) as world:
        crowd = ChaosCrowd(world.everyone(), seed)
        crowd.come()
        _PlanRunner(world, plan, result.faults, say).run()
        say("the plan is done: all faults end, people go home")
        crowd.go_home()
        heal(world)
        result.findings += wait_until_quiet(world, say)
        result.findings += _check_firmware(world)
        result.findings += _check_doctor(world)
        for till in world.everyone():
            result.findings += standstills(till.console.console_id, till.console.runs(), till.stops)
        seen = observe(world)
        (folder / "observations.txt").write_text(pformat(seen, width=200), "utf-8")
        world.bridge.kill()
        world.gateway.kill()
        result.findings += [*world.bridge.deaths, *world.bridge.unstored, *world.gateway.deaths]
        with closing(sqlite3.connect(world.bridge.database)) as connection:
            result.findings += check(connection, seen, time.time_ns() // 1_000_000)
            result.figures = figures(connection)
        result.figures["presses"] = sum(len(cycle.presses) for cycle in seen.power_cycles)
        result.figures["thanks"] = sum(len(cycle.thanks) for cycle in seen.power_cycles)
        result.figures["starts"] = len(seen.power_cycles)
        result.findings += _check_rebuild(world)
    return result


class _PlanRunner:
    """Runs each fault of a plan at its time, in a thread of its own for as long as it lasts; counts them in `done`."""

    def __init__(self, world: ChaosWorld, plan: list[PlannedFault], done: Counter[str], say: Say) -> None:
        self._world = world
        self._plan = plan
        self._done = done
        self._say = say
        self._aborted = threading.Event()

    def run(self) -> None:
        """Run the whole plan; raise the error of a fault that failed."""
        began_s = time.monotonic()
        with ThreadPoolExecutor(CONCURRENT_FAULTS_MAX) as pool:
            running: list[Future[None]] = []
            try:
                for fault in self._plan:
                    self._aborted.wait(max(0.0, began_s + fault.at_s - time.monotonic()))
                    self._say(_line(fault))
                    self._done[fault.kind.name] += 1
                    running.append(pool.submit(self._run_fault, fault))
                    self._raise([future for future in running if future.done()])
            except BaseException:
                self._aborted.set()
                raise
        self._raise(running)

    def _run_fault(self, fault: PlannedFault) -> None:
        effect = FAULTS[fault.kind.name](self._world, fault)
        next(effect)
        self._aborted.wait(fault.lasts_s)
        next(effect, None)

    def _raise(self, ended: list[Future[None]]) -> None:
        for future in ended:
            future.result()


def _line(fault: PlannedFault) -> str:
    where = "" if fault.kind.where == "shop" else f" till-{fault.console + 1}"
    lasts = f" for {fault.lasts_s:.1f} s" if fault.lasts_s else ""
    return f"{fault.at_s:7.1f} s  {fault.kind.name}{where}{lasts}"


# The end ----------------------------------------------------------------------------------------------------------


def wait_until_quiet(world: ChaosWorld, say: Say) -> list[str]:
    """Wait until no board has events waiting, the bridge has all of them, and no press gives any more.

    Returns what is missing, if there is no progress.
    """
    began_s = moved_s = time.monotonic()
    world.bridge.compare()
    before: tuple[list[str], dict[EpochName, int]] = ([], {})
    while True:
        state = _waiting(world, began_s), world.bridge.throughs()
        now_s = time.monotonic()
        if state != before:
            before, moved_s = state, now_s
        waiting = state[0]
        if not waiting and now_s - moved_s > QUIET_S:
            say(f"quiet after {moved_s - began_s:.1f} s")
            return []
        if now_s - began_s > QUIET_MAX_S:
            return [f"after {QUIET_MAX_S:.0f} s something still happens: {sentence}" for sentence in waiting or ["?"]]
        if now_s - moved_s > QUIET_LIMIT_S:
            return [f"no progress for {QUIET_LIMIT_S:.0f} s: {sentence}" for sentence in waiting]
        time.sleep(POLL_S)


def _waiting(world: ChaosWorld, since_s: float) -> list[str]:
    throughs = world.bridge.throughs()
    health = world.listener.health()
    waiting = []
    for till in world.everyone() if world.twin_seen else world.tills:
        report = health.get(till.console.hardware_id)
        name = f"{till.console.console_id} ({till.console.hardware_id})"
        if report is None or report.at_s < since_s:
            waiting.append(f"{name} has not reported its health")
            continue
        outbox = report.health["outbox"]
        if outbox["first"] < outbox["next"]:
            waiting.append(f"{name} still holds numbers {outbox['first']} to {outbox['next'] - 1}")
        elif throughs.get(report.epoch) != outbox["next"] - 1:
            waiting.append(f"{name} has sent {outbox['next'] - 1} events, stored are {throughs.get(report.epoch)}")
    return waiting


def _check_firmware(world: ChaosWorld) -> list[str]:
    """Find the boards whose firmware broke a rule or ended."""
    broken = []
    for till in world.everyone():
        try:
            till.console.check()
        except FirmwareError as error:
            broken.append(str(error))
    return broken


def _check_doctor(world: ChaosWorld) -> list[str]:
    """Check that `trivox doctor` reports every loss, to the event, and two boards that share an id."""
    output = trivox("doctor", "--database", str(world.bridge.database)).stdout
    reported = {name: int(count) for name, count in re.findall(r"Console (\S+) lost (\d+) events?", output)}
    with closing(sqlite3.connect(world.bridge.database)) as connection:
        lost: Counter[str] = Counter()
        for epoch in epochs(connection).values():
            lost["/".join(epoch.name[:2])] += len(epoch.missing())
    findings = []
    if +lost != reported:
        findings.append(f"doctor reports these losses: {reported}, and these numbers are missing: {dict(+lost)}")
    if world.twin_seen and "Two boards" not in output:
        findings.append(f"doctor does not report that two boards have the id till-1: {output}")
    return findings


def _check_rebuild(world: ChaosWorld) -> list[str]:
    """Check that a copy, rebuilt from its raw events, holds the same."""
    copy = world.folder / "rebuilt.db"
    for words in (
        ("backup", str(copy), "--database", str(world.bridge.database)),
        ("rebuild", "--database", str(copy)),
    ):
        done = trivox(*words)
        if done.returncode:
            return [f"trivox {words[0]} failed: {done.stderr}"]
    before, after = (_rows(path) for path in (world.bridge.database, copy))
    return [f"a rebuild gives another {name}" for name in DERIVED if before[name] != after[name]]


def _rows(database: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(database)) as connection:
        return contents(connection, *DERIVED)
