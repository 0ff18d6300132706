"""Run a small busy shop: simulated consoles with the real firmware, each with its people in a thread."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from simulator.console.console import Console
from simulator.errors import SimulatorError
from simulator.people.diary import Diary
from simulator.people.hands import HostClock, People, Post
from simulator.people.shop_plan import Rules, ShopTraffic, plan

SITE = "demo"
QUESTIONS = ("staff", "office", "loyalty")  # the consoles' key questions, in turn
ROUND = 100  # surveys that are planned together
END_LIMIT_S = 15.0

# All timings are short, so that the live table shows something new every second.
RULES = Rules(survey_window_ms=4000, long_press_ms=1000, reopen_guard_ms=1000, force_majeure_scope_s=20)
TRAFFIC = ShopTraffic(
    yes=0.45, no=0.12, cant_say=0.08, silent=0.35, superseding=0.6, force_majeure=0.02, force_majeure_during=0.01
)


@dataclass(frozen=True)
class DemoPost:
    """A checkout point of the shop: the console's id and its key question."""

    console_id: str
    question_id: str


def demo_posts(count: int) -> list[DemoPost]:
    """Return the shop's checkout points, with the consoles till-1, till-2 and so on."""
    return [DemoPost(f"till-{number + 1}", QUESTIONS[number % len(QUESTIONS)]) for number in range(count)]


class DemoShop:
    """Consoles and their people, whose behaviour is drawn from a seed.

    `folder` holds the consoles' flash and a diary for each; a shop that is opened there again goes on from that flash.
    `broker` is `mqtt://user:password@host:port`.
    """

    def __init__(self, folder: Path, count: int, broker: str, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._stop = Event()
        self._failures: list[BaseException] = []
        self._posts = demo_posts(count)
        self._consoles = [
            Console(folder / demo_post.console_id, site_id=SITE, console_id=demo_post.console_id, broker=broker)
            for demo_post in self._posts
        ]
        self._threads: list[Thread] = []

    def open(self) -> None:
        """Switch the consoles on, one after another, and let people in."""
        for console, demo_post in zip(self._consoles, self._posts, strict=True):
            console.power_on()
            thread = Thread(target=self._serve, args=(console, demo_post), name=demo_post.console_id, daemon=True)
            self._threads.append(thread)
            thread.start()

    def check(self) -> None:
        """Raise SimulatorError if a console failed while people used it."""
        for failure in self._failures:
            raise SimulatorError(f"A simulated console failed: {failure} (see {self._folder})") from failure

    def close(self) -> None:
        """Send everybody home and switch the consoles off."""
        self._stop.set()
        for thread in self._threads:
            thread.join(END_LIMIT_S)
        for console in self._consoles:
            console.power_off()

    def _serve(self, console: Console, demo_post: DemoPost) -> None:
        diary = Diary(self._folder / f"{demo_post.console_id}-diary.ndjson")
        post = Post(console, SITE, demo_post.console_id, RULES, demo_post.question_id)
        people = People(post, diary, HostClock(self._stop))
        number = 0
        try:
            while people.perform(plan(f"{self._seed}/{demo_post.console_id}/{number}", RULES, ROUND, TRAFFIC)):
                number += 1
        except Exception as failure:  # noqa: BLE001  # `check` reports it to the user, whatever it is
            self._failures.append(failure)
