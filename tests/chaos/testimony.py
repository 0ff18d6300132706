"""Makes of what was recorded at the boards what a witness would say: lives, presses, thanks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from simulator.console.observations import Change, Round, Run
from tests.chaos.witness import ANSWERS, Life, Press, Testimony, Thanks
from tests.chaos.world import Till, World

BOOT = re.compile(r"^boot: (\d+),", re.MULTILINE)
BOOT_OF_PICO = re.compile(r'^health\t\{.*?"boot": (\d+)', re.MULTILINE)
KEPT_S = 1.0  # a press is sure if its board's main loop ran on so long after it
THANKS_MS = 1200  # a lamp that is alone lit for so long gives thanks: a press is felt for 300 ms
STOOD_S = 0.1  # a board tells of no shorter stop of its main loop
JUMP_MS = 60_000
LEFT_MS = 1 << 40  # a button that nobody released


def testimony(world: World) -> Testimony:
    """All that is known of this world, once it is quiet."""
    lives = tuple(life for till in world.everyone() for life in _lives(world, till))
    overflowed = frozenset(till.console.hardware_id for till in world.everyone() if till.overflowed)
    rules = world.listener.rules()
    if world.bridge.forgotten:  # revisions of questions may have been given out again, unheard
        rules = {
            name: {revision: replace(those, question=None) for revision, those in revisions.items()}
            for name, revisions in rules.items()
        }
    return Testimony(lives, rules, world.listener.counters(), dict(world.bridge.forgotten), overflowed)


def _lives(world: World, till: Till) -> Iterator[Life]:
    runs = till.console.runs()
    boots = _boots_of_pico(runs) if till.console.board == "pico" else [_last(BOOT, run.output) for run in runs]
    return (_life(world, till, run, boot) for run, boot in zip(runs, boots, strict=True))


def _last(spelt: re.Pattern[str], output: str) -> int | None:
    said = spelt.findall(output)
    return int(said[-1]) if said else None


def _boots_of_pico(runs: list[Run]) -> list[int | None]:
    """A board without radio tells its boot only in its health, which may be too late for a short life.

    So of the lives between two that told the longest that started have the numbers between. What is read as no more
    than the number before was still under way when that life ended.
    """
    lasted_s = [(run.first_round is not None, (run.ended_at_s or float("inf")) - run.began_at_s) for run in runs]
    boots: list[int | None] = []
    silent: list[int] = []  # since the last that told
    known = 0
    for place, run in enumerate(runs):
        boot = _last(BOOT_OF_PICO, run.output)
        boots.append(boot if boot is not None and boot > known else None)
        if boots[-1] is None:
            silent.append(place)
            continue
        between = range(known + 1, boots[-1])
        longest = sorted(silent, key=lasted_s.__getitem__, reverse=True)[: len(between)]
        for one, number in zip(sorted(longest), between, strict=False):
            boots[one] = number
        known, silent = boots[-1], []
    return boots


def _life(world: World, till: Till, run: Run, boot: int | None) -> Life:
    console = till.console
    return Life(
        console.site_id,
        console.console_id,
        console.hardware_id,
        boot,
        ended_ms(run),
        tuple(presses(run, is_late=till.is_late)),
        tuple(thanks(run)),
        awake_ms=run.first_round.ticks_ms if run.first_round else None,
        stops=tuple((stop.ticks_ms - stop.stood_ms, stop.ticks_ms) for stop in run.stood),
        jumps=tuple(_jumps(run)),
        true_ms=_true_ms(world, run),
    )


def _jumps(run: Run) -> Iterator[int]:
    for before, after in pairwise(run.changes):
        if after.ticks_ms - before.ticks_ms - (after.at_s - before.at_s) * 1000 > JUMP_MS:
            yield before.ticks_ms


def _true_ms(world: World, run: Run) -> int | None:
    """The time by this machine when the board's clock stood at 0; None once a clock was made wrong."""
    if (run.ended_at_s or float("inf")) > world.right_until_s or not run.changes:
        return None
    first = run.changes[0]
    return round((time.time() - time.monotonic() + first.at_s) * 1000) - first.ticks_ms


def ended_ms(run: Run) -> int | None:
    """When the board's main loop last came round before power went: what happened later it may not have seen."""
    if run.ended_at_s is None:
        return None
    return run.last_round.ticks_ms if run.last_round else 0


def presses(run: Run, *, is_late: bool) -> Iterator[Press]:
    """All presses; `is_late`: the board's interrupts wait while its main loop stands still."""
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
            yield Press(change.name, 0, change.ticks_ms, sure=False, from_start=True)
        elif contact is not None:
            before = broken.get(change.name)
            can_be_missed = is_late and before is not None and _are_one(run, before, contact)
            perhaps_ms = {_caught_ms(run, change), change.ticks_ms}
            if is_late:
                perhaps_ms |= set(_may_be_released_ms(run, buttons[place:]))
            yield Press(
                change.name,
                contact.ticks_ms,
                _caught_ms(run, change) - contact.ticks_ms,
                sure=_is_sure(run, contact, change) and not can_be_missed,
                late_ms=_caught_ms(run, contact) - contact.ticks_ms,
                perhaps_ms=tuple(sorted({max(1, at_ms - contact.ticks_ms) for at_ms in perhaps_ms})),
            )
        broken[change.name] = change
    for name in held:
        yield Press(name, 0, LEFT_MS, sure=False, from_start=True)
    for name, contact in contacts.items():
        if name not in held:
            late_ms = _caught_ms(run, contact) - contact.ticks_ms
            yield Press(name, contact.ticks_ms, LEFT_MS, sure=False, late_ms=late_ms)


def _caught_ms(run: Run, change: Change) -> int:
    """When its interrupt had run, or the main loop may have seen it at last if there was none."""
    if change.caught_ms is not None:
        return change.caught_ms
    return max([change.ticks_ms, *(stop.ticks_ms for stop in _stops_at(run, change))])


def _stops_at(run: Run, change: Change) -> list[Round]:
    """The stops of the main loop in which it happened."""
    return [stop for stop in run.stood if stop.at_s - stop.stood_ms / 1000 - STOOD_S <= change.at_s <= stop.at_s]


def _are_one(run: Run, released: Change, contact: Change) -> bool:
    """May a board with late interrupts have seen neither this release nor the contact after it?"""
    in_one_stop = any(released.at_s >= stop.at_s - stop.stood_ms / 1000 - STOOD_S for stop in _stops_at(run, contact))
    return in_one_stop or contact.at_s - released.at_s <= STOOD_S


def _may_be_released_ms(run: Run, changes: list[Change]) -> Iterator[int]:
    """When a board with late interrupts may take the first of these changes, a release, to have been.

    If its main loop stood still, that is before it did; and it does not see the release if another contact follows.
    """
    yield from (stop.ticks_ms - stop.stood_ms for stop in _stops_at(run, changes[0]))
    mine = [change for change in changes if change.name == changes[0].name]
    for released, contact, again in zip(mine[::2], mine[1::2], mine[2::2], strict=False):
        if not _are_one(run, released, contact):
            return
        yield _caught_ms(run, again)


def _is_sure(run: Run, contact: Change, release: Change) -> bool:
    """Had the firmware started by then, and did it run on long enough to keep it?"""
    if run.first_round is None or run.last_round is None or contact.at_s < run.first_round.at_s:
        return False
    return run.ended_at_s is None or _ran_s(run, release.at_s, run.last_round.at_s) >= KEPT_S


def _ran_s(run: Run, from_s: float, to_s: float) -> float:
    """How long its main loop ran in this time, less while it stood still."""
    stood = sum(max(0.0, min(to_s, stop.at_s) - max(from_s, stop.at_s - stop.stood_ms / 1000)) for stop in run.stood)
    return to_s - from_s - stood


def thanks(run: Run) -> Iterator[Thanks]:
    """Times at which one answer's lamp alone was lit for long after one press, while the board ran."""
    lit: dict[str, bool] = dict.fromkeys(ANSWERS, False)
    alone, since = "", None
    for change in run.changes:
        if change.kind != "lamp" or change.name not in lit:
            continue
        if since and change.ticks_ms - since.ticks_ms >= THANKS_MS and _is_thanks(run, alone, since, change):
            yield Thanks(alone, since.ticks_ms)
        lit[change.name] = change.on
        on = [name for name, is_on in lit.items() if is_on]
        alone, since = (on[0], change) if len(on) == 1 else ("", None)


def _is_thanks(run: Run, name: str, lit: Change, dark: Change) -> bool:
    """A board that stood still, or was pressed again and again, keeps a lamp lit without giving thanks."""
    contacts = [
        change
        for change in run.changes
        if change.kind == "button" and change.on and change.name == name
        if lit.ticks_ms < change.ticks_ms < lit.ticks_ms + THANKS_MS
    ]
    return not contacts and _ran_s(run, lit.at_s, dark.at_s) * 1000 >= THANKS_MS
