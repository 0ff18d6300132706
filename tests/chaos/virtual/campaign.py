"""Many seeds, on several processes, with progress; and one seed told at length."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLLECT_EVERY = 25
CHUNK = 5


class Outcome(NamedTuple):
    """How a seed ended; `failure` None: well."""

    seed: int
    failure: str | None
    events: int
    from_outside: bool


def run_seed(
    seed: int, trace: Callable[..., None] | None = None, plant: Callable[[World], None] | None = None
) -> Outcome:
    """Run one world to its end."""
    world = World(seed, trace, plant)
    failure = None
    try:
        world.run()
    except Failed as error:
        failure = str(error)
    except Exception:  # noqa: BLE001 - whatever firmware or bridge raise is a failure of this seed
        failure = traceback.format_exc()
    kept = sum(len(board.ledger.kept) for board in world.boards)
    return Outcome(seed, failure, kept, world.seen_from_outside)


def tell(seed: int) -> Outcome:
    """Run one world and print what happens."""

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
    gc.disable()  # a world is one heap of cycles: collecting now and then is a fifth quicker


def outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    """The outcomes of these seeds, as they come."""
    if jobs == 1:
        yield from map(_run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _prepare) as pool:
        yield from pool.imap_unordered(_run, seeds, CHUNK)


def campaign(seeds: range, jobs: int, minutes: float | None) -> list[Outcome]:
    """Run the seeds until they or the minutes are over; the outcomes that are failures."""
    began_s = told_s = time.monotonic()
    failed: list[Outcome] = []
    events = outside = 0
    for done, outcome in enumerate(outcomes(seeds, jobs), 1):
        events += outcome.events
        outside += outcome.from_outside
        if outcome.failure is not None:
            failed.append(outcome)
            sys.stdout.write(f"seed {outcome.seed} FAILS: {outcome.failure.strip()}\n")
        now_s = time.monotonic()
        if now_s - told_s >= 10 or done == len(seeds):
            told_s = now_s
            rate = done / (now_s - began_s) * 60
            sys.stdout.write(
                f"{done} seeds, {rate:.0f} a minute, {events} events, {outside} judged from outside too,"
                f" {len(failed)} failed\n"
            )
            sys.stdout.flush()
        if minutes is not None and now_s - began_s > minutes * 60:
            break
    return failed
