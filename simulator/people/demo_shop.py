"""A small busy shop: simulated consoles of the real firmware, each with people around it in a thread of its own."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from simulator.console.console import Console
from simulator.errors import SimulatorError
from simulator.people.diary import Diary
from simulator.people.hands import HostWatch, People, Place, Rules, Temperament, plan

SITE = "demo"
QUESTIONS = ("staff", "office", "loyalty")  # the consoles' key questions, in turn
ROUND = 100  # surveys that are planned at once
END_LIMIT_S = 15.0

# Everything short, so that a look at the table shows something every second.
RULES = Rules(survey_window_ms=4000, long_press_ms=1000, reopen_guard_ms=1000, force_majeure_scope_s=20)
TEMPERAMENT = Temperament(
    yes=0.45, no=0.12, cant_say=0.08, silent=0.35, superseding=0.6, force_majeure=0.02, force_majeure_during=0.01
)


@dataclass(frozen=True)
class Till:
    """Where a console of the shop stands: its id and its key question."""

    console_id: str
    question_id: str


def tills(count: int) -> list[Till]:
    """The shop's consoles: till-1, till-2 and so on."""
    return [Till(f"till-{number + 1}", QUESTIONS[number % len(QUESTIONS)]) for number in range(count)]


class Shop:
    """Consoles in `folder` (a shop opened again there goes on from their flash) and seeded people.

    `broker` is `mqtt://user:password@host:port`. The diary is kept beside the consoles, one file a console.
    """

    def __init__(self, folder: Path, count: int, broker: str, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._stop = Event()
        self._failures: list[BaseException] = []
        self._tills = tills(count)
        self._consoles = [
            Console(folder / till.console_id, site_id=SITE, console_id=till.console_id, broker=broker)
            for till in self._tills
        ]
        self._threads: list[Thread] = []

    def open(self) -> None:
        """Power the consoles on, one after the other, and let people in."""
        for console, till in zip(self._consoles, self._tills, strict=True):
            console.power_on()
            thread = Thread(target=self._serve, args=(console, till), name=till.console_id, daemon=True)
            self._threads.append(thread)
            thread.start()

    def check(self) -> None:
        """Raise SimulatorError when a console failed its people."""
        for failure in self._failures:
            raise SimulatorError(f"A simulated console failed: {failure} (see {self._folder})") from failure

    def close(self) -> None:
        """Send everybody home and cut the power."""
        self._stop.set()
        for thread in self._threads:
            thread.join(END_LIMIT_S)
        for console in self._consoles:
            console.power_off()

    def _serve(self, console: Console, till: Till) -> None:
        diary = Diary(self._folder / f"{till.console_id}-diary.ndjson")
        place = Place(console, SITE, till.console_id, RULES, till.question_id)
        people = People(place, diary, HostWatch(self._stop))
        number = 0
        try:
            while people.perform(plan(f"{self._seed}/{till.console_id}/{number}", RULES, ROUND, TEMPERAMENT)):
                number += 1
        except Exception as failure:  # noqa: BLE001  # whatever it is, `check` tells it to the user
            self._failures.append(failure)
