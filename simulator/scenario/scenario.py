"""A scenario in your hand: shops, consoles, sellers and customers, written to files or played live to a broker."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from simulator.scenario import file as scenario_file
from simulator.scenario import write_side_files
from simulator.scenario.file import ScenarioError, ScenarioFile
from simulator.scenario.live import Progress, broker_at, run_live
from simulator.scenario.live_console import Clock
from simulator.scenario.run_folder import Run
from simulator.scenario.site_day import Order
from simulator.scenario.sites import places, world
from simulator.scenario.write_files import fill

Speed = Literal["real", "fast"]
PREPARE_LIMIT_S = 3600


def _nobody(_events: int, _done: int) -> None:
    """Nobody wants to know how far it is."""


DAYS_MAX = 3660
FIRST, LAST = date(1971, 1, 1), date(9998, 1, 1)  # whose every instant is from 1970 to 9999 in every zone


class Scenario:
    """A scenario, checked whole. The same seed, first day and days make the same events to the byte.

    Attributes:
        name: of its file, without `.toml`.
        title: what it says of itself.
        order: its sites one by one, first day, days and seed.
    """

    def __init__(
        self,
        file: ScenarioFile,
        name: str,
        *,
        seed: int | None = None,
        first_day: date | None = None,
        days: int | None = None,
    ) -> None:
        where = places(file, name)
        self._file = file
        self.name = Path(name).name.removesuffix(".toml")
        self.title = file.title
        self.order = Order(
            where,
            world(file, where),
            first_day or file.first_day,
            file.days if days is None else days,
            file.seed if seed is None else seed,
        )
        first, count = self.order.first_day, self.order.days
        if not 1 <= count <= DAYS_MAX:
            raise ScenarioError(f"{name}, days: {count} is not from 1 to {DAYS_MAX}.")
        if not FIRST <= first <= LAST - timedelta(days=count):
            raise ScenarioError(f"{name}, first_day: {first} is not from {FIRST.year} to {LAST.year - 1}.")

    @classmethod
    def load(
        cls, name: str | Path, *, seed: int | None = None, first_day: date | None = None, days: int | None = None
    ) -> Self:
        """One of the shipped scenarios, or a TOML file; raises ScenarioError with one sentence."""
        file = scenario_file.find(name)
        return cls(scenario_file.load(file), str(file), seed=seed, first_day=first_day, days=days)

    @classmethod
    def of(cls, tables: Mapping[str, Any], name: str = "scenario") -> Self:
        """A scenario of tables as a TOML file has them; raises ScenarioError, in whose sentence `name` stands."""
        return cls(scenario_file.read(dict(tables), name), name)

    @staticmethod
    def shipped() -> list[str]:
        """The names of those that come with the simulator."""
        return scenario_file.shipped()

    @property
    def consoles(self) -> list[str]:
        """All consoles, as SITE/CONSOLE."""
        return [f"{post.site_id}/{post.console_id}" for place in self.order.places for post in place.posts]

    def write(
        self, folder: str | Path, *, database: Path | None = None, jobs: int = 1, progress: Progress = _nobody
    ) -> Run:
        """Write all of it into a new folder, by so many processes; prepare the database, if any.

        More `jobs` than one start this program's main module again: its script must do nothing when it is imported
        (`if __name__ == "__main__":`). `progress` is told of (events, days of sites done). Raises ScenarioError.
        """
        target = new_folder(folder)
        events = 0

        def tell(made: int, done: int) -> None:
            nonlocal events
            events = made
            progress(made, done)

        totals = fill(self.order, target, jobs, tell)
        self._prepare(target, self.order, database)
        write_side_files.expected(target / "expected.json", self.title, self.order, totals, events)
        return Run(target)

    def play(
        self,
        broker: str,
        folder: str | Path,
        *,
        speed: Speed = "fast",
        database: Path | None = None,
        clock: Callable[[], Clock] = Clock,
        progress: Progress = _nobody,
    ) -> Run:
        """Play it live to `mqtt://HOST:PORT`, each console by a connection of its own, until all is acknowledged.

        By the clock (`speed` real) it begins now, today; Ctrl-C ends it, and what was begun takes its course. The
        diary, and what was truly run of it, is in the new folder. A database is prepared before. `clock` makes the
        clock to go by, a faster one for tests; `progress` is told of (events acknowledged, consoles done). Raises
        ScenarioError, and LiveError where nobody acknowledges.
        """
        where = broker_at(broker)
        target = new_folder(folder)
        order = self._from(clock().now_ms()) if speed == "real" else self.order
        self._prepare(target, order, database)
        time = clock() if speed == "real" else None
        totals, events = run_live(order, where, target / "diary.ndjson", time, progress)
        write_side_files.expected(target / "expected.json", self.title, order, totals, events)
        return Run(target)

    def _from(self, now_ms: int) -> Order:
        """The same from today on, wherever it is which day."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        todays = [now.astimezone(place.zone).date() for place in self.order.places]
        return self.order._replace(first_day=min(todays), days=self.order.days + (max(todays) - min(todays)).days)

    def _prepare(self, folder: Path, order: Order, database: Path | None) -> None:
        write_side_files.preparation(folder, self._file, order)
        if database is None:
            return
        words = [str(folder / "prepare.sh"), str(database)]
        trivox = str(Path(sys.executable).with_name("trivox"))
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=PREPARE_LIMIT_S,
            check=False,
            env={**os.environ, "TRIVOX": trivox},
        )
        if done.returncode:
            raise ScenarioError(f"{database} could not be prepared: {' '.join(done.stderr.split())}")


def new_folder(folder: str | Path) -> Path:
    """Make this folder, which must be new or empty; raises ScenarioError."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as error:
        raise ScenarioError(f"{path} cannot be a folder for the run ({error.strerror}): name another one.") from error
    if not is_empty:
        raise ScenarioError(f"{path} is not empty: name a new folder.")
    return path


def folder_named(name: str, where: Path) -> Path:
    """A folder of this name that is not there yet, with a number behind if need be."""
    number = 1
    path = where / name
    while path.exists():
        number += 1
        path = where / f"{name}-{number}"
    return path
