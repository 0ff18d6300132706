"""A scenario run to its end: to files, or live against a broker."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console as Screen
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from simulator import beside
from simulator import scenario as scenarios
from simulator.filling import Order, fill
from simulator.live import run_live
from simulator.scenario import Scenario, ScenarioError
from simulator.sites import places, world
from simulator.totals import Totals

Speed = Literal["real", "fast"]


def order_of(
    file: Path, *, seed: int | None = None, first_day: date | None = None, days: int | None = None
) -> tuple[Scenario, Order]:
    """A scenario, checked, and what it orders, some of which the command line may choose; raises ScenarioError."""
    scenario = scenarios.load(file)
    where = places(scenario, str(file))
    order = Order(
        where,
        world(scenario, where),
        first_day or scenario.first_day,
        days or scenario.days,
        scenario.seed if seed is None else seed,
    )
    return scenario, order


def run_scenario(
    file: Path,
    *,
    seed: int | None = None,
    to: Path | None = None,
    broker: str | None = None,
    speed: Speed = "fast",
    first_day: date | None = None,
    days: int | None = None,
    jobs: int | None = None,
) -> str:
    """Run a scenario into the folder `to`, or live against `broker`; a sentence on what was done."""
    if broker is not None and speed == "real":
        if to is not None:
            raise ScenarioError("A run by the clock begins in the midst of a day: leave --out away, or --speed fast.")
        first_day = first_day or datetime.now(UTC).date()
    scenario, order = order_of(file, seed=seed, first_day=first_day, days=days)
    if to is None and broker is None:
        raise ScenarioError("Say where it goes: --out FOLDER for files, or --broker mqtt://HOST:PORT.")
    done = ""
    if to is not None:
        done = _fill(scenario, order, to, jobs or os.cpu_count() or 1)
    return done if broker is None else _live(order, broker, speed)


def _live(order: Order, broker: str, speed: Speed) -> str:
    with progress_bar() as bar:
        task = bar.add_task("live", total=sum(len(place.posts) for place in order.places), events=0)

        def progress(events: int, ended: int) -> None:
            bar.update(task, completed=ended, events=events)

        events, consoles, took_s = run_live(order, broker, speed, progress)
    return f"{events} events of {consoles} consoles were acknowledged in {took_s:.1f} s."


def _fill(scenario: Scenario, order: Order, folder: Path, jobs: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ScenarioError(f"{folder} is not empty: give --out a new folder.")
    done = 0
    pieces = order.days * len(order.places)
    with progress_bar() as bar:
        task = bar.add_task("filling", total=pieces, events=0)

        def progress(events: int, piece: int) -> None:
            nonlocal done
            done = events
            bar.update(task, completed=piece, events=events)

        totals: Totals = fill(order, folder, jobs, progress)
    beside.shifts(folder / "shifts.csv", order)
    beside.script(folder / "prepare.sh", scenario, order)
    beside.expected(folder / "expected.json", scenario, order, totals)
    return (
        f"{done} events are in {folder}. Take them in with `{folder}/prepare.sh DATABASE` and `trivox ingest "
        f"{folder}/messages.ndjson --database DATABASE`; compare reports with {folder}/expected.json."
    )


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error, where that is a terminal; the task needs a field `events`."""
    screen = Screen(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        yield bar
