"""Run many seeds in several processes, with progress; or run one seed and print everything that happens."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.world import VirtualWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLLECT_EVERY = 25
CHUNK = 5


class Outcome(NamedTuple):
    """The result of a seed; `failure` is None if nothing was wrong."""

    seed: int
    failure: str | None
    events: int
    from_outside: bool


def run_seed(
    seed: int, trace: Callable[..., None] | None = None, plant: Callable[[VirtualWorld], None] | None = None
) -> Outcome:
    """Run one world to its end; return its outcome."""
    world = VirtualWorld(seed, trace, plant)
    failure = None
    try:
        world.run()
    except Failed as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - whatever firmware or bridge raises is a failure of this seed
        failure = traceback.format_exc()
    stored = sum(len(board.ledger.stored) for board in world.boards)
    return Outcome(seed, failure, stored, world.seen_from_outside)


def trace_seed(seed: int) -> Outcome:
    """Run one world and print everything that happens."""

    def trace(now_ms: int, who: str, *what: object) -> None:
        sys.stdout.write(f"{now_ms:8d} {who:16s} {' '.join(map(str, what))}\n")

    outcome = run_seed(seed, trace)
    sys.stdout.write(f"seed {seed}: {outcome.failure or 'all is well'}\n")
    return outcome


def _run(seed: int) -> Outcome:
    if seed % COLLECT_EVERY == 0:
        gc.collect()
    return run_seed(seed)


def _prepare() -> None:
    gc.disable()  # a world is full of reference cycles: collecting now and then is a fifth faster


def outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of these seeds as they finish."""
    if jobs == 1:
        yield from map(_run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _prepare) as pool:
        yield from pool.imap_unordered(_run, seeds, CHUNK)


def campaign(seeds: range, jobs: int, minutes: float | None) -> list[Outcome]:
    """Run the seeds until they or the minutes are over; return the outcomes that are failures."""
    began_s = printed_s = time.monotonic()
    failed: list[Outcome] = []
    events = outside = 0
    for done, outcome in enumerate(outcomes(seeds, jobs), 1):
        events += outcome.events
        outside += outcome.from_outside
        if outcome.failure is not None:
            failed.append(outcome)
            sys.stdout.write(f"seed {outcome.seed} FAILS: {outcome.failure.strip()}\n")
        now_s = time.monotonic()
        if now_s - printed_s >= 10 or done == len(seeds):
            printed_s = now_s
            rate = done / (now_s - began_s) * 60
            sys.stdout.write(
                f"{done} seeds, {rate:.0f} a minute, {events} events, {outside} also checked from outside,"
                f" {len(failed)} failed\n"
            )
            sys.stdout.flush()
        if minutes is not None and now_s - began_s > minutes * 60:
            break
    return failed
