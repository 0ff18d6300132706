"""Makes of what was recorded at the boards what a witness would say: lives, presses, thanks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from simulator.record import Change, Run
from tests.chaos.witness import ANSWERS, Life, Press, Testimony, Thanks
from tests.chaos.world import Till, World

BOOT = re.compile(r"^boot: (\d+),", re.MULTILINE)
BOOT_OF_PICO = re.compile(r'^health\t\{.*?"boot": (\d+)', re.MULTILINE)
KEPT_S = 2.5  # a press is sure if its board ran on so long after it was decided
AWAKE_S = 8.0  # … and had run so long before, or had moved a lamp
THANKS_MS = 1200  # a lamp that is alone lit for so long gives thanks: a press is felt for 300 ms
SOON_S = 0.4  # after another press of the same button: both may fall into one stall of the main loop
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

    So of the lives between two that told the longest have the numbers between. What is read as no more than the number
    before was still under way when that life ended.
    """
    lasted_s = [(run.ended_at_s or float("inf")) - run.began_at_s for run in runs]
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
        _ended_ms(run),
        tuple(_presses(till, run)),
        tuple(_thanks(till, run)),
        stops=tuple(_stops(till, run)),
        jumps=tuple(_jumps(run)),
        true_ms=_true_ms(world, run),
        late_ms=Life.late_ms + run.late_ms,
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


def _ended_ms(run: Run) -> int | None:
    return None if run.ended_at_s is None else _ticks_ms(run, run.ended_at_s)


def _stops(till: Till, run: Run) -> Iterator[tuple[int, int]]:
    for from_s, to_s in till.stops:
        if run.began_at_s <= from_s and (run.ended_at_s is None or from_s < run.ended_at_s):
            yield _ticks_ms(run, from_s), _ticks_ms(run, min(to_s, run.ended_at_s or to_s))


def _ticks_ms(run: Run, at_s: float) -> int:
    """A moment on the board's clock, reckoned from its last change before."""
    before = [change for change in run.changes if change.at_s <= at_s]
    if not before:
        return round((at_s - run.began_at_s) * 1000)
    return before[-1].ticks_ms + round((at_s - before[-1].at_s) * 1000)


def _presses(till: Till, run: Run) -> Iterator[Press]:
    held = set(run.held)
    contacts: dict[str, Change] = {}
    released_s: dict[str, float] = {}
    for change in run.changes:
        if change.kind != "button":
            continue
        if change.on:
            contacts.setdefault(change.name, change)
            continue
        contact = contacts.pop(change.name, None)
        if change.name in held:
            held.remove(change.name)
            yield Press(change.name, 0, change.ticks_ms, sure=False, from_start=True)
        elif contact is not None:
            is_soon = contact.at_s - released_s.get(change.name, 0.0) < SOON_S
            yield _press(till, run, contact, change, can_be_missed=till.is_late and is_soon)
        released_s[change.name] = change.at_s
    for name in held:
        yield Press(name, 0, LEFT_MS, sure=False, from_start=True)
    for name, contact in contacts.items():
        if name not in held:
            yield Press(name, contact.ticks_ms, LEFT_MS, sure=False)


def _press(till: Till, run: Run, contact: Change, release: Change, *, can_be_missed: bool) -> Press:
    has_shown = any(change.kind == "lamp" and change.at_s < contact.at_s for change in run.changes)
    is_awake = has_shown or _ran_s(till, run.began_at_s, contact.at_s) >= AWAKE_S
    is_kept = run.ended_at_s is None or _ran_s(till, release.at_s, run.ended_at_s) >= KEPT_S
    is_sure = is_awake and is_kept and not can_be_missed
    return Press(contact.name, contact.ticks_ms, release.ticks_ms - contact.ticks_ms, sure=is_sure)


def _ran_s(till: Till, from_s: float, to_s: float) -> float:
    """How long its process ran in this time, less while it was stopped."""
    stopped = sum(max(0.0, min(to_s, end_s) - max(from_s, start_s)) for start_s, end_s in till.stops)
    return to_s - from_s - stopped


def _thanks(till: Till, run: Run) -> Iterator[Thanks]:
    """Times at which one answer's lamp alone was lit for long after one press, while the board ran."""
    lit: dict[str, bool] = dict.fromkeys(ANSWERS, False)
    alone, since = "", None
    for change in run.changes:
        if change.kind != "lamp" or change.name not in lit:
            continue
        if since and change.ticks_ms - since.ticks_ms >= THANKS_MS and _is_thanks(till, run, alone, since, change):
            yield Thanks(alone, since.ticks_ms)
        lit[change.name] = change.on
        on = [name for name, is_on in lit.items() if is_on]
        alone, since = (on[0], change) if len(on) == 1 else ("", None)


def _is_thanks(till: Till, run: Run, name: str, lit: Change, dark: Change) -> bool:
    """A board that stood still, or was pressed again and again, keeps a lamp lit without giving thanks."""
    contacts = [
        change
        for change in run.changes
        if change.kind == "button" and change.on and change.name == name
        if lit.ticks_ms < change.ticks_ms < lit.ticks_ms + THANKS_MS
    ]
    return not contacts and _ran_s(till, lit.at_s, dark.at_s) * 1000 >= THANKS_MS
