"""Turn what the simulated boards recorded into observations: power cycles, presses, thanks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from simulator.console.observations import Change, ConsoleRun, Round
from tests.chaos.observations import ANSWERS, Observations, ObservedPowerCycle, ObservedPress, Thanks
from tests.chaos.world import ChaosTill, ChaosWorld

BOOT = re.compile(r"^boot: (\d+),", re.MULTILINE)
BOOT_OF_PICO = re.compile(r'^health\t\{.*?"boot": (\d+)', re.MULTILINE)
DURABLE_AFTER_S = 1.0  # a press is sure if its board's main loop ran on this long after it
THANKS_MS = 1200  # a single lamp that is lit for this long gives thanks: at a mere press it is lit for 300 ms
STOOD_S = 0.1  # a board reports no shorter stop of its main loop
JUMP_MS = 60_000
LEFT_MS = 1 << 40  # a button that nobody released


def observe(world: ChaosWorld) -> Observations:
    """Return everything observed in this world, once it is quiet."""
    power_cycles = tuple(cycle for till in world.everyone() for cycle in _power_cycles(world, till))
    overflowed = frozenset(till.console.hardware_id for till in world.everyone() if till.overflowed)
    rules = world.listener.rules()
    if world.bridge.forgotten:  # it may have given revisions of questions again, unheard
        rules = {
            name: {revision: replace(other, question=None) for revision, other in revisions.items()}
            for name, revisions in rules.items()
        }
    return Observations(power_cycles, rules, world.listener.counters(), dict(world.bridge.forgotten), overflowed)


def _power_cycles(world: ChaosWorld, till: ChaosTill) -> Iterator[ObservedPowerCycle]:
    runs = till.console.runs()
    boots = _boots_of_pico(runs) if till.console.board == "pico" else [_last(BOOT, run.output) for run in runs]
    return (_power_cycle(world, till, run, boot) for run, boot in zip(runs, boots, strict=True))


def _last(pattern: re.Pattern[str], output: str) -> int | None:
    numbers = pattern.findall(output)
    return int(numbers[-1]) if numbers else None


def _boots_of_pico(runs: list[ConsoleRun]) -> list[int | None]:
    """Find the boots of a board without radio, which reports its boot only in its health: too late for a short run.

    The numbers between two that are known belong to the longest runs between them in which the firmware started. A
    number that is not above the one before was still on its way when that run ended.
    """
    lasted_s = [(run.first_round is not None, (run.ended_at_s or float("inf")) - run.began_at_s) for run in runs]
    boots: list[int | None] = []
    silent: list[int] = []  # runs since the last whose boot is known
    known = 0
    for place, run in enumerate(runs):
        boot = _last(BOOT_OF_PICO, run.output)
        boots.append(boot if boot is not None and boot > known else None)
        if boots[-1] is None:
            silent.append(place)
            continue
        between = range(known + 1, boots[-1])
        longest = sorted(silent, key=lasted_s.__getitem__, reverse=True)[: len(between)]
        for position, number in zip(sorted(longest), between, strict=False):
            boots[position] = number
        known, silent = boots[-1], []
    return boots


def _power_cycle(world: ChaosWorld, till: ChaosTill, run: ConsoleRun, boot: int | None) -> ObservedPowerCycle:
    console = till.console
    return ObservedPowerCycle(
        console.site_id,
        console.console_id,
        console.hardware_id,
        boot,
        ended_ms(run),
        tuple(presses(run, has_late_interrupts=till.has_late_interrupts)),
        tuple(thanks(run)),
        awake_ms=run.first_round.ticks_ms if run.first_round else None,
        stops=tuple((stop.ticks_ms - stop.stood_ms, stop.ticks_ms) for stop in run.stood),
        jumps=tuple(_jumps(run)),
        true_ms=_true_ms(world, run),
    )


def _jumps(run: ConsoleRun) -> Iterator[int]:
    for before, after in pairwise(run.changes):
        if after.ticks_ms - before.ticks_ms - (after.at_s - before.at_s) * 1000 > JUMP_MS:
            yield before.ticks_ms


def _true_ms(world: ChaosWorld, run: ConsoleRun) -> int | None:
    """Return this machine's time when the board's clock was 0; None once a clock was made wrong."""
    if (run.ended_at_s or float("inf")) > world.right_until_s or not run.changes:
        return None
    first = run.changes[0]
    return round((time.time() - time.monotonic() + first.at_s) * 1000) - first.ticks_ms


def ended_ms(run: ConsoleRun) -> int | None:
    """Return when the main loop last came round before power went: it may not have seen what happened later."""
    if run.ended_at_s is None:
        return None
    return run.last_round.ticks_ms if run.last_round else 0


def presses(run: ConsoleRun, *, has_late_interrupts: bool) -> Iterator[ObservedPress]:
    """Yield all presses; `has_late_interrupts` if the board's interrupts wait while its main loop stands still."""
    held = set(run.held)
    contacts: dict[str, Change] = {}
    broken: dict[str, Change] = {}  # the last release of each button
    buttons = [change for change in run.changes if change.kind == "button"]
    for place, change in enumerate(buttons):
        if change.on:
            contacts.setdefault(change.name, change)
            continue
        contact = contacts.pop(change.name, None)
        if change.name in held:
            held.remove(change.name)
            yield ObservedPress(change.name, 0, change.ticks_ms, sure=False, from_start=True)
        elif contact is not None:
            before = broken.get(change.name)
            can_be_missed = has_late_interrupts and before is not None and _are_one(run, before, contact)
            other_held_ms = {_caught_ms(run, change), change.ticks_ms}
            if has_late_interrupts:
                other_held_ms |= set(_may_be_released_ms(run, buttons[place:]))
            yield ObservedPress(
                change.name,
                contact.ticks_ms,
                _caught_ms(run, change) - contact.ticks_ms,
                sure=_is_sure(run, contact, change) and not can_be_missed,
                late_ms=_caught_ms(run, contact) - contact.ticks_ms,
                other_held_ms=tuple(sorted({max(1, at_ms - contact.ticks_ms) for at_ms in other_held_ms})),
            )
        broken[change.name] = change
    for name in held:
        yield ObservedPress(name, 0, LEFT_MS, sure=False, from_start=True)
    for name, contact in contacts.items():
        if name not in held:
            late_ms = _caught_ms(run, contact) - contact.ticks_ms
            yield ObservedPress(name, contact.ticks_ms, LEFT_MS, sure=False, late_ms=late_ms)


def _caught_ms(run: ConsoleRun, change: Change) -> int:
    """Return when the change's interrupt had run, or if it had none, by when the main loop must have seen it."""
    if change.caught_ms is not None:
        return change.caught_ms
    return max([change.ticks_ms, *(stop.ticks_ms for stop in _stops_at(run, change))])


def _stops_at(run: ConsoleRun, change: Change) -> list[Round]:
    """Return the stops of the main loop in which the change happened."""
    return [stop for stop in run.stood if stop.at_s - stop.stood_ms / 1000 - STOOD_S <= change.at_s <= stop.at_s]


def _are_one(run: ConsoleRun, released: Change, contact: Change) -> bool:
    """Return whether a board with late interrupts may have missed both this release and the contact after it."""
    in_one_stop = any(released.at_s >= stop.at_s - stop.stood_ms / 1000 - STOOD_S for stop in _stops_at(run, contact))
    return in_one_stop or contact.at_s - released.at_s <= STOOD_S


def _may_be_released_ms(run: ConsoleRun, changes: list[Change]) -> Iterator[int]:
    """Yield the times at which a board with late interrupts may see the first of these changes, a release.

    If its main loop stood still, it may take the release for earlier; if another contact followed, it may miss it.
    """
    yield from (stop.ticks_ms - stop.stood_ms for stop in _stops_at(run, changes[0]))
    mine = [change for change in changes if change.name == changes[0].name]
    for released, contact, again in zip(mine[::2], mine[1::2], mine[2::2], strict=False):
        if not _are_one(run, released, contact):
            return
        yield _caught_ms(run, again)


def _is_sure(run: ConsoleRun, contact: Change, release: Change) -> bool:
    """Return whether the firmware had started before the press, and ran on long enough to store it."""
    if run.first_round is None or run.last_round is None or contact.at_s < run.first_round.at_s:
        return False
    return run.ended_at_s is None or _ran_s(run, release.at_s, run.last_round.at_s) >= DURABLE_AFTER_S


def _ran_s(run: ConsoleRun, from_s: float, to_s: float) -> float:
    """Return for how many of these seconds the main loop ran."""
    stood = sum(max(0.0, min(to_s, stop.at_s) - max(from_s, stop.at_s - stop.stood_ms / 1000)) for stop in run.stood)
    return to_s - from_s - stood


def thanks(run: ConsoleRun) -> Iterator[Thanks]:
    """Yield when a single answer's lamp was lit for long after one press, while the board ran."""
    lit: dict[str, bool] = dict.fromkeys(ANSWERS, False)
    single, since = "", None
    for change in run.changes:
        if change.kind != "lamp" or change.name not in lit:
            continue
        if since and change.ticks_ms - since.ticks_ms >= THANKS_MS and _is_thanks(run, single, since, change):
            yield Thanks(single, since.ticks_ms)
        lit[change.name] = change.on
        on = [name for name, is_on in lit.items() if is_on]
        single, since = (on[0], change) if len(on) == 1 else ("", None)


def _is_thanks(run: ConsoleRun, name: str, lit: Change, dark: Change) -> bool:
    """Return whether a lit lamp is thanks: it also stays lit if the board stands still or is pressed repeatedly."""
    contacts = [
        change
        for change in run.changes
        if change.kind == "button" and change.on and change.name == name
        if lit.ticks_ms < change.ticks_ms < lit.ticks_ms + THANKS_MS
    ]
    return not contacts and _ran_s(run, lit.at_s, dark.at_s) * 1000 >= THANKS_MS
