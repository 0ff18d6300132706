"""A scenario as its TOML file says it: checked whole, each mistake told with its table and key.

`simulator.scenario.sites` makes of it the sites, consoles and sellers one by one.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from simulator.errors import SimulatorError
from simulator.people.hands import MARGIN_MS, Rules

SHIPPED = Path(__file__).parents[1] / "scenarios"

_ID, _CLOCK = r"^[a-z0-9][a-z0-9_-]{0,24}\Z", r"^([01][0-9]|2[0-4]):[0-5][0-9]\Z"  # $ lets a line feed follow
_PATTERNS = {
    _ID: "an id of at most 25 lower-case letters, digits, - and _",
    _CLOCK: "a time such as 09:30",
}

Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=10_000)]
Id = Annotated[str, Meta(pattern=_ID)]
Clock = Annotated[str, Meta(pattern=_CLOCK)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Copies = Annotated[int, Meta(ge=1, le=20_000)]


class ScenarioError(SimulatorError):
    """The scenario cannot be used; the sentence names file, table and key."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file: what it does not know is a mistake."""


class Settings(Table, frozen=True):
    """What consoles and reports are set to, for all."""

    survey_window_ms: Annotated[int, Meta(ge=200, le=600_000)] = 20_000
    long_press_ms: Annotated[int, Meta(ge=200, le=10_000)] = 1500
    reopen_guard_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1000
    stuck_ms: Annotated[int, Meta(ge=1000, le=600_000)] = 30_000
    force_majeure_scope_s: Annotated[int, Meta(ge=0, le=86_400)] = 600
    force_majeure_level_max: Share = 0.10

    def __post_init__(self) -> None:
        """Refuse what each setting allows, but not all of them together."""
        self.rules()
        if self.stuck_ms < self.long_press_ms + 2 * MARGIN_MS:
            raise ValueError(
                f"stuck_ms ({self.stuck_ms}) must be at least {2 * MARGIN_MS} ms longer than long_press_ms "
                f"({self.long_press_ms}); else who declares force majeure sticks the button"
            )

    def rules(self, ask_every: int = 1) -> Rules:
        """The timings as people know them."""
        return Rules(
            survey_window_ms=self.survey_window_ms,
            long_press_ms=self.long_press_ms,
            reopen_guard_ms=self.reopen_guard_ms,
            force_majeure_scope_s=self.force_majeure_scope_s,
            ask_every=ask_every,
        )


class Question(Table, frozen=True):
    """A key question; `staff`, `office` and `loyalty` are known to every bridge."""

    kind: Literal["personnel", "office", "loyalty"]
    silent_weight: Share = 0.5
    text: Annotated[str, Meta(min_length=1, max_length=300)] | None = None


class Customers(Table, frozen=True):
    """What asked customers want (weights), and the oddities of a checkout point (shares of customers)."""

    yes: Rate = 0.20
    no: Rate = 0.06
    cant_say: Rate = 0.04
    silent: Rate = 0.70
    bought: Share = 0.9
    company: Share = 0.2  # those who bring one more visitor
    superseding: Share = 0.3  # of the silents: the next one is asked before the window ends
    late_answer: Share = 0.02
    stray: Share = 0.02
    unhappy_hours: tuple[Annotated[int, Meta(ge=0, le=23)], ...] = ()
    unhappy_factor: Rate = 1.0  # by which *no* weighs more in those hours


class Temperament(Table, frozen=True):
    """What a seller is like: shares of the customers to whom it happens."""

    asks: Share = 1.0  # else he forgets to
    asks_unhappy: Share = 1.0  # of those who would say no
    presses_yes: Share = 0.0  # of the silents: he presses yes himself
    force_majeure: Share = 0.0  # between customers, for a reason
    force_majeure_after_no: Share = 0.0
    force_majeure_during: Share = 0.0
    presses_twice: Share = 0.02  # inside the guard


class Faults(Table, frozen=True):
    """What fails, a console and day on the average."""

    power_cuts_per_day: Rate = 0.0
    stuck_buttons_per_day: Rate = 0.0
    outages_per_day: Rate = 0.0  # the way to the broker
    outage_minutes: tuple[Rate, Rate] = (1.0, 30.0)
    lost_acks: Annotated[float, Meta(ge=0, le=0.9)] = 0.0  # of the batches: the console sends again what the bridge has
    late_clock: Share = 0.0  # of the boots: the time is known only minutes later
    boots_at_opening: Share = 0.0  # of the days: somebody switches the console off at night

    def __post_init__(self) -> None:
        """Refuse minutes that end before they begin."""
        least, most = self.outage_minutes
        if least > most:
            raise ValueError(f"outage_minutes goes from {least:g} down to {most:g}; write the shorter first")


class Shift(Table, frozen=True):
    """From when to when a seller works, by the site's clock."""

    start: Clock
    end: Clock
    days: tuple[Weekday, ...] = WEEKDAYS


class Seller(Table, frozen=True):
    """A seller at a checkout point."""

    id: Id
    shifts: Annotated[tuple[Shift, ...], Meta(min_length=1)]
    temperament: str = "honest"
    name: str = ""


class CheckoutPoint(Table, frozen=True):
    """Places of one kind at a site, each with a console of its own."""

    id: Id
    sellers: Annotated[tuple[Seller, ...], Meta(min_length=1)]
    count: Copies = 1
    question: str = "staff"
    ask_every: Annotated[int, Meta(ge=1, le=1000)] = 1


class Site(Table, frozen=True):
    """Sites of one kind: who comes at what hour, and where they are served."""

    id: Id
    checkout_points: Annotated[tuple[CheckoutPoint, ...], Meta(min_length=1)]
    visitors: Annotated[tuple[Rate, ...], Meta(min_length=24, max_length=24)]  # who are served, by hour of the day
    weekdays: Annotated[tuple[Rate, ...], Meta(min_length=7, max_length=7)] = (1.0,) * 7
    count: Copies = 1
    timezone: str = "UTC"
    customers: str = "usual"
    faults: str = "none"
    tills: bool = True
    door: bool = True  # a people counter


class ScenarioFile(Table, frozen=True):
    """The whole file."""

    title: str
    first_day: date
    days: Annotated[int, Meta(ge=1, le=3660)]
    site: Annotated[tuple[Site, ...], Meta(min_length=1)]
    seed: int = 1
    settings: Settings = Settings()
    questions: dict[Id, Question] = {}
    customers: dict[Id, Customers] = {}
    temperaments: dict[Id, Temperament] = {}
    faults: dict[Id, Faults] = {}


_NAMED: dict[str, Any] = {
    "questions": dict[Id, Question],
    "customers": dict[Id, Customers],
    "temperaments": dict[Id, Temperament],
    "faults": dict[Id, Faults],
}


def shipped() -> list[str]:
    """The names of the scenarios that come with the simulator."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def find(name: str | Path) -> Path:
    """The file of a scenario: a path, or the name of a shipped one. Raises ScenarioError."""
    file = Path(name)
    if file.is_file():
        return file
    inside = SHIPPED / f"{name}.toml"
    if file.name == str(name) and inside.is_file():
        return inside
    raise ScenarioError(f"There is no scenario {name}: give a TOML file, or one of {', '.join(shipped())}.")


def load(file: Path) -> ScenarioFile:
    """Read a scenario and check it whole; raises ScenarioError with one sentence."""
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise ScenarioError(f"{file} is no TOML: {error}.") from error
    except OSError as error:
        raise ScenarioError(f"{file} cannot be read: {error.strerror}.") from error
    return read(tables, str(file))


def read(tables: dict[str, Any], name: str) -> ScenarioFile:
    """The scenario of these tables; `name` is for the sentence of the ScenarioError."""
    try:
        return msgspec.convert(tables, ScenarioFile)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")  # `$.site[0].id`, or `key` in `$.faults`
        where = path.removeprefix("key` in `").strip("`$.") or "the top"
        if "[...]" in where:
            where = where.replace("[...]", f".{_culprit(tables, where.partition('[')[0])}", 1)
        for pattern, words in _PATTERNS.items():
            problem = problem.replace(f"`str` matching regex {pattern!r}", words)
        raise ScenarioError(f"{name}, {where}: {problem[:1].lower()}{problem[1:]}.") from error


def _culprit(tables: dict[str, Any], table: str) -> str:
    """Which of the named tables is not as it must be."""
    for name, values in tables[table].items():
        try:
            msgspec.convert({name: values}, _NAMED[table])
        except msgspec.ValidationError:
            return str(name)
    return "…"
