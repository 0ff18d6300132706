"""Load a scenario of sites, consoles, sellers and customers; write it to files, or play it live to a broker."""

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from simulator.scenario import file as scenario_file
from simulator.scenario import write_side_files
from simulator.scenario.file import ScenarioError, ScenarioFile
from simulator.scenario.live import Progress, reachable_broker, run_live
from simulator.scenario.live_console import LiveClock
from simulator.scenario.run_folder import Run
from simulator.scenario.site_day import ScenarioPlan
from simulator.scenario.sites import planned_sites, report_setup
from simulator.scenario.write_files import write_files
from simulator.scenario.write_truth import write_truth_files

Speed = Literal["real", "fast"]
PREPARE_LIMIT_S = 3600
DAYS_MAX = 3660
FIRST, LAST = date(1971, 1, 1), date(9998, 1, 1)  # all their instants are from 1970 to 9999 in every time zone


def _no_progress(_events: int, _done: int) -> None:
    """Show no progress."""


class Scenario:
    """A checked scenario. The same seed, first day and number of days give the same events, byte for byte.

    Attributes:
        name: the name of its file, without `.toml`.
        title: its title.
        plan: its sites, first day, number of days and seed.
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
        sites = planned_sites(file, name)
        self._file = file
        self.name = Path(name).name.removesuffix(".toml")
        self.title = file.title
        self.plan = ScenarioPlan(
            sites,
            report_setup(file, sites),
            first_day or file.first_day,
            file.days if days is None else days,
            file.seed if seed is None else seed,
        )
        first, count = self.plan.first_day, self.plan.days
        if not 1 <= count <= DAYS_MAX:
            raise ScenarioError(f"{name}, days: {count} is not between 1 and {DAYS_MAX}.")
        if not FIRST <= first <= LAST - timedelta(days=count):
            raise ScenarioError(f"{name}, first_day: {first} is not in the years {FIRST.year} to {LAST.year - 1}.")

    @classmethod
    def load(
        cls, name: str | Path, *, seed: int | None = None, first_day: date | None = None, days: int | None = None
    ) -> Self:
        """Load a shipped scenario by its name, or a TOML file; raises ScenarioError with one sentence."""
        file = scenario_file.find(name)
        return cls(scenario_file.load(file), str(file), seed=seed, first_day=first_day, days=days)

    @classmethod
    def of(cls, tables: Mapping[str, Any], name: str = "scenario") -> Self:
        """Make a scenario of tables as in a TOML file; raises ScenarioError, which names the scenario as `name`."""
        return cls(scenario_file.read(dict(tables), name), name)

    @staticmethod
    def shipped() -> list[str]:
        """Return the names of the scenarios that come with the simulator."""
        return scenario_file.shipped()

    @property
    def consoles(self) -> list[str]:
        """All consoles, each as SITE/CONSOLE."""
        return [f"{post.site_id}/{post.console_id}" for site in self.plan.sites for post in site.posts]

    def write(
        self, folder: str | Path, *, database: Path | None = None, jobs: int = 1, progress: Progress = _no_progress
    ) -> Run:
        """Write the scenario's files into a new folder, with `jobs` processes; prepare the database, if any.

        With more than one job, each process imports this program's main module again, so a script must do nothing when
        it is imported (`if __name__ == "__main__":`). Calls `progress(events, site days done)`. Raises ScenarioError.
        """
        target = new_folder(folder)
        events = 0

        def count(written: int, done: int) -> None:
            nonlocal events
            events = written
            progress(written, done)

        truth = write_files(self.plan, target, jobs, count)
        self._prepare(target, self.plan, database)
        write_truth_files(target, self.title, self.plan, truth, events)
        return Run(target)

    def play(
        self,
        broker: str,
        folder: str | Path,
        *,
        speed: Speed = "fast",
        database: Path | None = None,
        clock: Callable[[], LiveClock] = LiveClock,
        progress: Progress = _no_progress,
    ) -> Run:
        """Play it live to `mqtt://HOST:PORT`, each console over its own connection, until all is acknowledged.

        With `speed="real"` it goes by the clock and begins now, today; Ctrl-C ends it after finishing what has begun.
        The new folder gets the diary and the expected reports of the part that was played. The database, if any, is
        prepared first. `clock` makes the clock to go by; tests use a faster one. Calls `progress(events acknowledged,
        consoles done)`. Raises ScenarioError, and LiveError if there is no broker or nothing is acknowledged.
        """
        address = reachable_broker(broker)
        target = new_folder(folder)
        plan = self._plan_from(clock().now_ms()) if speed == "real" else self.plan
        self._prepare(target, plan, database)
        live_clock = clock() if speed == "real" else None
        truth, events = run_live(plan, address, target / "diary.ndjson", live_clock, progress)
        write_truth_files(target, self.title, plan, truth, events)
        return Run(target)

    def _plan_from(self, now_ms: int) -> ScenarioPlan:
        """Return the plan beginning today: at the earliest local date of any site, with all its days at every site."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        todays = [now.astimezone(site.zone).date() for site in self.plan.sites]
        return self.plan._replace(first_day=min(todays), days=self.plan.days + (max(todays) - min(todays)).days)

    def _prepare(self, folder: Path, plan: ScenarioPlan, database: Path | None) -> None:
        write_side_files.write_preparation(folder, self._file, plan)
        if database is None:
            return
        words = [str(folder / "prepare.sh"), str(database)]
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", errors="replace", timeout=PREPARE_LIMIT_S, check=False
        )
        if done.returncode:
            raise ScenarioError(f"{database} could not be prepared: {' '.join(done.stderr.split())}")


def new_folder(folder: str | Path) -> Path:
    """Make this folder, which must be new or empty, and return it; raises ScenarioError."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as error:
        raise ScenarioError(f"{path} cannot be the run's folder ({error.strerror}): give another one.") from error
    if not is_empty:
        raise ScenarioError(f"{path} is not empty: give a new folder.")
    return path


def folder_named(name: str, where: Path) -> Path:
    """Return the path of a folder in `where` that does not exist yet: of this name, with a number added if needed."""
    number = 1
    path = where / name
    while path.exists():
        number += 1
        path = where / f"{name}-{number}"
    return path
