"""One run: the world, its people and the plan of faults, until all is quiet; then the checker has the word."""

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
from tests.chaos.crowd import Crowd
from tests.chaos.faults import FAULTS, calm
from tests.chaos.plan import Fault, make_plan
from tests.chaos.standstill import standstills
from tests.chaos.table import contents, epochs, figures
from tests.chaos.testimony import testimony
from tests.chaos.witness import EpochName
from tests.chaos.world import World, trivox

QUIET_LIMIT_S = 150.0
QUIET_MOST_S = 1200.0
QUIET_S = 6.0  # by then no survey is open, and a button that somebody left held is stuck
LOOK_S = 0.5
AT_ONCE = 64  # faults that may last at the same time
DERIVED = ("survey", "force_majeure", "rollup_hour", "rollup_day")

Say = Callable[[str], None]


@dataclass
class Result:
    """What a run came to. `findings` is empty if nothing was lost, double or wrong."""

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
) -> Result:
    """Let a plan happen in `folder`. Of a plan with `kinds` only those faults happen."""
    plan = [one for one in make_plan(seed, minutes, consoles, picos) if not kinds or one.kind.name in kinds]
    result = Result(seed)
    with World(folder, consoles, picos) as world:
        crowd = Crowd(world.everyone(), seed)
        crowd.come()
        _Plan(world, plan, result.faults, say).happen()
        say("the plan is done: all faults end, people go home")
        crowd.go_home()
        calm(world)
        result.findings += quiet(world, say)
        result.findings += _broken(world)
        result.findings += _doctor(world)
        for till in world.everyone():
            result.findings += standstills(till.console.console_id, till.console.runs(), till.stops)
        seen = testimony(world)
        (folder / "testimony.txt").write_text(pformat(seen, width=200), "utf-8")
        world.bridge.kill()
        world.gateway.kill()
        result.findings += [*world.bridge.deaths, *world.bridge.unkept, *world.gateway.deaths]
        with closing(sqlite3.connect(world.bridge.database)) as connection:
            result.findings += check(connection, seen, time.time_ns() // 1_000_000)
            result.figures = figures(connection)
        result.figures["presses"] = sum(len(life.presses) for life in seen.lives)
        result.figures["thanks"] = sum(len(life.thanks) for life in seen.lives)
        result.figures["starts"] = len(seen.lives)
        result.findings += _rebuilt(world)
    return result


class _Plan:
    """Faults that happen at their times, each in a thread of its own for as long as it lasts."""

    def __init__(self, world: World, plan: list[Fault], done: Counter[str], say: Say) -> None:
        self._world = world
        self._plan = plan
        self._done = done
        self._say = say
        self._aborted = threading.Event()

    def happen(self) -> None:
        """All of it; raises what a fault could not do."""
        began_s = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            happening: list[Future[None]] = []
            try:
                for fault in self._plan:
                    self._aborted.wait(max(0.0, began_s + fault.at_s - time.monotonic()))
                    self._say(_told(fault))
                    self._done[fault.kind.name] += 1
                    happening.append(pool.submit(self._happens, fault))
                    self._raise([one for one in happening if one.done()])
            except BaseException:
                self._aborted.set()
                raise
        self._raise(happening)

    def _happens(self, fault: Fault) -> None:
        effect = FAULTS[fault.kind.name](self._world, fault)
        next(effect)
        self._aborted.wait(fault.lasts_s)
        next(effect, None)

    def _raise(self, ended: list[Future[None]]) -> None:
        for one in ended:
            one.result()


def _told(fault: Fault) -> str:
    where = "" if fault.kind.where == "shop" else f" till-{fault.console + 1}"
    lasts = f" for {fault.lasts_s:.1f} s" if fault.lasts_s else ""
    return f"{fault.at_s:7.1f} s  {fault.kind.name}{where}{lasts}"


# The end ----------------------------------------------------------------------------------------------------------


def quiet(world: World, say: Say) -> list[str]:
    """Wait until no board has anything that waits, the bridge has it all, and nothing more comes of what was pressed.

    What is missing, if nothing moves on.
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
        if now_s - began_s > QUIET_MOST_S:
            return [f"after {QUIET_MOST_S:.0f} s something still happens: {sentence}" for sentence in waiting or ["?"]]
        if now_s - moved_s > QUIET_LIMIT_S:
            return [f"nothing moves on for {QUIET_LIMIT_S:.0f} s: {sentence}" for sentence in waiting]
        time.sleep(LOOK_S)


def _waiting(world: World, since_s: float) -> list[str]:
    throughs = world.bridge.throughs()
    health = world.listener.health()
    waiting = []
    for till in world.everyone() if world.twin_seen else world.tills:
        said = health.get(till.console.hardware_id)
        name = f"{till.console.console_id} ({till.console.hardware_id})"
        if said is None or said.at_s < since_s:
            waiting.append(f"{name} is not heard")
            continue
        outbox = said.health["outbox"]
        if outbox["first"] < outbox["next"]:
            waiting.append(f"{name} still holds numbers {outbox['first']} to {outbox['next'] - 1}")
        elif throughs.get(said.epoch) != outbox["next"] - 1:
            waiting.append(f"{name} has sent {outbox['next'] - 1} events, stored are {throughs.get(said.epoch)}")
    return waiting


def _broken(world: World) -> list[str]:
    """Boards whose firmware broke a rule or ended."""
    broken = []
    for till in world.everyone():
        try:
            till.console.check()
        except FirmwareError as error:
            broken.append(str(error))
    return broken


def _doctor(world: World) -> list[str]:
    """What `trivox doctor` must say: every loss, to the event, and two boards that share an id."""
    said = trivox("doctor", "--database", str(world.bridge.database)).stdout
    told = {name: int(count) for name, count in re.findall(r"Console (\S+) lost (\d+) events?", said)}
    with closing(sqlite3.connect(world.bridge.database)) as connection:
        lost: Counter[str] = Counter()
        for epoch in epochs(connection).values():
            lost["/".join(epoch.name[:2])] += len(epoch.missing())
    found = []
    if +lost != told:
        found.append(f"doctor tells of these losses: {told}, and these numbers are missing: {dict(+lost)}")
    if world.twin_seen and "Two boards" not in said:
        found.append(f"doctor does not tell that two boards have the id till-1: {said}")
    return found


def _rebuilt(world: World) -> list[str]:
    """A copy, made anew from its raw events, holds the same."""
    copy = world.folder / "rebuilt.db"
    for words in (
        ("backup", str(copy), "--database", str(world.bridge.database)),
        ("rebuild", "--database", str(copy)),
    ):
        done = trivox(*words)
        if done.returncode:
            return [f"trivox {words[0]} could not: {done.stderr}"]
    before, after = (_rows(path) for path in (world.bridge.database, copy))
    return [f"a rebuild gives another {name}" for name in DERIVED if before[name] != after[name]]


def _rows(database: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(database)) as connection:
        return contents(connection, *DERIVED)
