"""Read a scenario's TOML file and check all of it; an error names the table and the key.

`simulator.scenario.sites` expands the tables into sites, checkout points and sellers.
"""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from simulator.errors import SimulatorError
from simulator.people.shop_plan import MARGIN_MS, Rules

SHIPPED = Path(__file__).with_name("shipped")

_ID = r"^[a-z0-9][a-z0-9_-]{0,24}\Z"  # \Z, since $ would allow a line feed at the end
_CLOCK = r"^([01][0-9]|2[0-4]):[0-5][0-9]\Z"
_TYPES = {  # in place of the names that msgspec's errors give to types
    "int": "a whole number",
    "float": "a decimal number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date",
}
_EXPECTED = (  # in place of msgspec's words where something else was expected, applied in this order
    (f"`str` matching regex {re.escape(repr(_ID))}", "an id of at most 25 lower-case letters, digits, - and _"),
    (f"`str` matching regex {re.escape(repr(_CLOCK))}", "a time such as 09:30"),
    (r"`float`(?= [<>])", "a number"),
    (r"`(\w+)(?: \| null)?`", lambda match: _TYPES.get(match[1], match[1])),
    (r" of length >= ", " of at least "),
    (r" of length <= ", " of at most "),
    (r" of length ", " of exactly "),
    (r" >= (.+)", r", \1 or more"),
    (r" <= ", ", at most "),
    (r", got ", ", not "),
    (r"^Expected", "write"),
)
_OTHERS = (  # in place of msgspec's other sentences; these may quote the file
    (r"Object contains unknown field (.*)", r"there is no key \1 here; correct or remove it"),
    (r"Object missing required field (.*)", r"the key \1 is missing; add it"),
    (r"Invalid enum value (.*)", r"\1 is none of the values allowed here"),
    (r"Invalid RFC3339 encoded date", "write a date such as 2026-11-02"),
)

Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=10_000)]
Delay = Annotated[float, Meta(ge=0.2, le=600)]  # the seller's button is up again by then
Id = Annotated[str, Meta(pattern=_ID)]
ClockTime = Annotated[str, Meta(pattern=_CLOCK)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Copies = Annotated[int, Meta(ge=1, le=20_000)]


class ScenarioError(SimulatorError):
    """The scenario cannot be used; the sentence names the file, the table and the key."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; an unknown key is an error."""


class SettingsTable(Table, frozen=True):
    """Settings of all consoles and of the reports."""

    survey_window_ms: Annotated[int, Meta(ge=200, le=600_000)] = 20_000
    long_press_ms: Annotated[int, Meta(ge=200, le=10_000)] = 1500
    reopen_guard_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1000
    stuck_ms: Annotated[int, Meta(ge=1000, le=600_000)] = 30_000
    force_majeure_scope_s: Annotated[int, Meta(ge=0, le=86_400)] = 600
    force_majeure_level_max: Share = 0.10

    def __post_init__(self) -> None:
        """Refuse settings that contradict one another; the range of each is checked already."""
        self.rules()
        if self.stuck_ms < self.long_press_ms + 2 * MARGIN_MS:
            raise ValueError(
                f"stuck_ms ({self.stuck_ms}) must be at least {2 * MARGIN_MS} ms longer than long_press_ms "
                f"({self.long_press_ms}); otherwise a long press for force majeure counts as a stuck button"
            )

    def rules(self, ask_every: int = 1) -> Rules:
        """Return the timings that people keep to."""
        return Rules(
            survey_window_ms=self.survey_window_ms,
            long_press_ms=self.long_press_ms,
            reopen_guard_ms=self.reopen_guard_ms,
            force_majeure_scope_s=self.force_majeure_scope_s,
            ask_every=ask_every,
        )


class QuestionTable(Table, frozen=True):
    """A key question; every bridge has `staff`, `office` and `loyalty` already."""

    kind: Literal["personnel", "office", "loyalty"]
    silent_weight: Share = 0.5
    text: Annotated[str, Meta(min_length=1, max_length=300)] | None = None


class CustomerHabits(Table, frozen=True):
    """The wishes of customers who are asked (weights), and the share of customers with whom odd things happen."""

    yes: Rate = 0.20
    no: Rate = 0.06
    cant_say: Rate = 0.04
    silent: Rate = 0.70
    bought: Share = 0.9
    company: Share = 0.2  # these bring one more visitor
    superseding: Share = 0.3  # of the silents: the next customer is asked before the window ends
    late_answer: Share = 0.02
    stray: Share = 0.02
    unhappy_hours: tuple[Annotated[int, Meta(ge=0, le=23)], ...] = ()
    unhappy_factor: Rate = 1.0  # the weight of *no* is multiplied by it in those hours


class SellerHabits(Table, frozen=True):
    """The habits of a seller: for each, the share of customers with whom it shows.

    Those in CHEATS are cheats; a run's truth.json says how often each was done, of how many opportunities.
    """

    asks: Share = 1.0  # he forgets to ask the others
    force_majeure: Share = 0.0  # between customers, for a reason
    force_majeure_during: Share = 0.0  # while a customer decides, for a reason
    presses_twice: Share = 0.02  # within the guard time
    # How sellers of this temperament differ from one another, though all are honest. The first two are the standard
    # deviations of shares, the others those of a factor's logarithm; each seller draws once.
    asks_spread: Share = 0.0  # of `asks`
    asks_by_hour_spread: Share = 0.0  # … in each hour of the day
    no_spread: Share = 0.0  # of the weight of *no* among his customers
    hours_spread: Share = 0.0  # of the customers of each hour of the day
    reaction_spread: Share = 0.0  # of the time that his customers take to answer
    mishaps_spread: Share = 0.0  # of who buys nothing, presses unasked or again; of his force majeures, double presses
    # Cheats:
    asks_unhappy: Share = 1.0  # of the customers who would answer no
    asks_in_unhappy_hours: Share = 1.0  # of the customers of these hours
    presses_yes: Share = 0.0  # of the silents: he presses yes himself
    presses_yes_after_s: tuple[Delay, Delay] = (0.3, 0.5)  # from the moment he asks, here and for ghosts
    ghosts: Share = 0.0  # of the customers: he asks nobody after them, and presses yes himself
    force_majeure_after_no: Share = 0.0
    force_majeure_while_unhappy: Share = 0.0  # of those who answer no: before they do
    pulls_plug: Share = 0.0  # of those who would answer no: before they do
    rewrites_shifts: Share = 0.0  # of his shifts: their unhappy hours, or all if none are, are a colleague's later on

    def __post_init__(self) -> None:
        """Refuse a range whose first number is the larger one."""
        _refuse_falling("presses_yes_after_s", *self.presses_yes_after_s)

    @property
    def cheats(self) -> dict[str, float]:
        """The share of the opportunities that he uses, by cheat; only those that he does at all."""
        shares = {name: round(abs(getattr(self, name) - honest), 9) for name, honest in CHEATS.items()}
        return {name: share for name, share in shares.items() if share}


CHEATS = {
    "asks_unhappy": 1.0,
    "asks_in_unhappy_hours": 1.0,
    "presses_yes": 0.0,
    "ghosts": 0.0,
    "force_majeure_after_no": 0.0,
    "force_majeure_while_unhappy": 0.0,
    "pulls_plug": 0.0,
    "rewrites_shifts": 0.0,
}
"""The honest value of each habit by which a seller cheats."""


class FaultRates(Table, frozen=True):
    """The rates of faults: the average for one console and day, unless noted."""

    power_cuts_per_day: Rate = 0.0
    stuck_buttons_per_day: Rate = 0.0
    outages_per_day: Rate = 0.0  # of the network to the broker
    outage_minutes: tuple[Rate, Rate] = (1.0, 30.0)
    lost_acks: Annotated[float, Meta(ge=0, le=0.9)] = 0.0  # share of batches; the console sends them again
    late_clock: Share = 0.0  # share of boots after which the time is known only minutes later
    boots_at_opening: Share = 0.0  # share of days: somebody switched the console off for the night

    def __post_init__(self) -> None:
        """Refuse a range whose first number is the larger one."""
        _refuse_falling("outage_minutes", *self.outage_minutes)


def _refuse_falling(name: str, first: float, last: float) -> None:
    if first > last:
        raise ValueError(f"{name} goes from {first:g} down to {last:g}; put the smaller number first")


class ShiftTable(Table, frozen=True):
    """The working hours of a seller, by the site's clock."""

    start: ClockTime
    end: ClockTime
    days: tuple[Weekday, ...] = WEEKDAYS


class SellerTable(Table, frozen=True):
    """A seller at a checkout point."""

    id: Id
    shifts: Annotated[tuple[ShiftTable, ...], Meta(min_length=1)]
    temperament: str = "honest"
    name: str = ""


class CheckoutPointTable(Table, frozen=True):
    """Checkout points of one kind at a site, each with its own console."""

    id: Id
    sellers: Annotated[tuple[SellerTable, ...], Meta(min_length=1)]
    count: Copies = 1
    question: str = "staff"
    ask_every: Annotated[int, Meta(ge=1, le=1000)] = 1


class SiteTable(Table, frozen=True):
    """Sites of one kind: how many customers come in each hour, and where they are served."""

    id: Id
    checkout_points: Annotated[tuple[CheckoutPointTable, ...], Meta(min_length=1)]
    visitors: Annotated[tuple[Rate, ...], Meta(min_length=24, max_length=24)]  # customers served, by hour of the day
    weekdays: Annotated[tuple[Rate, ...], Meta(min_length=7, max_length=7)] = (1.0,) * 7
    count: Copies = 1
    timezone: str = "UTC"
    customers: str = "usual"
    faults: str = "none"
    tills: bool = True
    each_sale: bool = False  # the tills send each sale by itself, instead of a count for each hour
    door: bool = True  # has a people counter


class ScenarioFile(Table, frozen=True):
    """The whole file."""

    title: str
    first_day: date
    days: Annotated[int, Meta(ge=1, le=3660)]
    site: Annotated[tuple[SiteTable, ...], Meta(min_length=1)]
    seed: int = 1
    settings: SettingsTable = SettingsTable()
    questions: dict[Id, QuestionTable] = {}
    customers: dict[Id, CustomerHabits] = {}
    temperaments: dict[Id, SellerHabits] = {}
    faults: dict[Id, FaultRates] = {}


_NAMED: dict[str, Any] = {
    "questions": dict[Id, QuestionTable],
    "customers": dict[Id, CustomerHabits],
    "temperaments": dict[Id, SellerHabits],
    "faults": dict[Id, FaultRates],
}


def shipped() -> list[str]:
    """Return the names of the scenarios that come with the simulator."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def find(name: str | Path) -> Path:
    """Return the file of a scenario, given a path or the name of a shipped one; raises ScenarioError."""
    file = Path(name)
    if file.is_file():
        return file
    shipped_file = SHIPPED / f"{name}.toml"
    if file.name == str(name) and shipped_file.is_file():
        return shipped_file
    raise ScenarioError(f"There is no scenario {name}: give a TOML file, or one of {', '.join(shipped())}.")


def load(file: Path) -> ScenarioFile:
    """Read a scenario and check all of it; raises ScenarioError with one sentence."""
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise ScenarioError(f"{file} is not valid TOML: {error}.") from error
    except OSError as error:
        raise ScenarioError(f"{file} cannot be read: {error.strerror}.") from error
    return read(tables, str(file))


def read(tables: dict[str, Any], name: str) -> ScenarioFile:
    """Return the scenario of these tables; raises ScenarioError, which names the file as `name`."""
    try:
        return msgspec.convert(tables, ScenarioFile)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")  # `$.site[0].id`, or `key` in `$.faults`
        where = path.removeprefix("key` in `").strip("`$.") or "the top"
        if "[...]" in where:
            where = where.replace("[...]", f".{_invalid_name(tables, where.partition('[')[0])}", 1)
        raise ScenarioError(f"{name}, {where}: {_in_plain_words(problem)}.") from error


def _in_plain_words(problem: str) -> str:
    """Return msgspec's sentence on a value, without its place, in words for the file's author."""
    for pattern, words in _EXPECTED if problem.startswith("Expected") else _OTHERS:
        problem = re.sub(pattern, words, problem)
    return problem[:1].lower() + problem[1:]


def _invalid_name(tables: dict[str, Any], table: str) -> str:
    """Return the name of the first invalid table among `[table.NAME]`, which msgspec does not say."""
    for name, values in tables[table].items():
        try:
            msgspec.convert({name: values}, _NAMED[table])
        except msgspec.ValidationError:
            return str(name)
    return "…"
