"""The oracle: from the true diary to the exact KPIs that any honest bridge must report.

Its formulas are those of the field's method, written anew: it shares no code with the bridge and reads no database.
Where the diary leaves room for doubt (a press too near a boundary), it says so instead of guessing. Intervals are left
out: their coverage is proved elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from simulator.diary import Entry, Press
from simulator.errors import SimulatorError
from simulator.people import MARGIN_MS, Rules

DOUBT_MS = 100  # how near to a boundary a press may be and still be certain
FEW = 30  # below this many surveys no index is shown
ANSWERS = ("yes", "no", "cant_say")

ForceMajeure = Literal["default", "with", "without", "only"]
Row = dict[str, Any]


class UncertainError(SimulatorError):
    """The diary leaves it open what truly happened: people were held up too near to a boundary."""


@dataclass(frozen=True)
class Question:
    """What the reports know of a key question: its kind and the weight of the silents."""

    kind: Literal["personnel", "office", "loyalty"]
    silent_weight: float = 0.5


@dataclass(frozen=True)
class Count:
    """A figure of transactions or visitors; None where it tells no console or no seller."""

    kind: Literal["transactions", "visitors"]
    site_id: str
    at_ms: int
    count: int
    console_id: str | None = None
    seller_id: str | None = None


@dataclass(frozen=True)
class Survey:
    """A survey as it truly was."""

    site_id: str
    console_id: str
    opened_at_ms: int
    question_id: str
    question_revision: int
    outcome: str
    ask_every: int
    seller_id: str | None
    affected: bool = False


@dataclass(frozen=True)
class Declared:
    """A force majeure as it was truly declared."""

    site_id: str
    console_id: str
    at_ms: int
    question_id: str
    question_revision: int
    seller_id: str | None


@dataclass(frozen=True)
class World:
    """What the reports are told besides the presses."""

    rules: Rules
    questions: Mapping[str, Question]
    zones: Mapping[str, str] = field(default_factory=dict)  # site to time zone, else UTC
    checkout_points: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (site, console) to point
    force_majeure_level_max: float = 0.10


# From presses to surveys ------------------------------------------------------------------------------------------


def surveys(diary: Iterable[Entry], rules: Rules) -> list[Survey]:
    """Every survey with its outcome and whether force majeure touched it; raises UncertainError."""
    entries = sorted(diary, key=lambda entry: entry.at_ms)
    declared = declarations(entries)
    truths: list[Survey] = []
    for entry in entries:
        if entry.kind != "customer" or entry.ends == "not_asked":
            continue
        if entry.ends == "unfinished":
            raise UncertainError("the diary ends in the middle of a survey; let people finish")
        asks = _later_asks(entry, entries)
        outcome, closed_ms = _outcome(entry, asks, rules)
        ask = entry.presses[0]
        truths.append(
            Survey(
                site_id=entry.site_id,
                console_id=entry.console_id,
                opened_at_ms=ask.at_ms,
                question_id=entry.question_id,
                question_revision=entry.question_revision,
                outcome=outcome,
                ask_every=entry.ask_every,
                seller_id=_on_shift(entries, entry.site_id, entry.console_id, ask.at_ms),
                affected=_affected(entry, ask, closed_ms, declared, rules),
            )
        )
    return truths


def declarations(diary: Iterable[Entry]) -> list[Declared]:
    """Every force majeure that was declared."""
    entries = list(diary)
    return [
        Declared(
            site_id=entry.site_id,
            console_id=entry.console_id,
            at_ms=press.at_ms,
            question_id=entry.question_id,
            question_revision=entry.question_revision,
            seller_id=_on_shift(entries, entry.site_id, entry.console_id, press.at_ms),
        )
        for entry in entries
        for press in entry.presses
        if press.why == "force_majeure"
    ]


def strays(diary: Iterable[Entry], rules: Rules) -> dict[tuple[str, str], int]:
    """How many presses came to nothing, by (button, reason). A stray answer is `already_answered` after an answer."""
    counts: dict[tuple[str, str], int] = {}
    answered: dict[tuple[str, str], bool] = {}
    for entry in sorted(diary, key=lambda entry: entry.at_ms):
        console = (entry.site_id, entry.console_id)
        reasons: list[tuple[str, str]] = []
        for press in entry.presses:
            if press.why == "ask":
                _certainly(press.until_ms - press.at_ms < rules.long_press_ms - DOUBT_MS, "a short press was held long")
                answered[console] = False
            elif press.why == "again":
                reasons.append((press.button, "guard"))
            elif press.why in {"answer", "power_cut"}:
                answered[console] = press.why == "answer"
            elif press.why in {"late_answer", "stray"}:
                reasons.append((press.button, "already_answered" if answered.get(console) else "no_survey"))
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _certainly(fact: bool, doubt: str) -> None:  # noqa: FBT001
    if not fact:
        raise UncertainError(f"the diary is not certain: {doubt}; run it again on a machine that is less busy")


def _later_asks(entry: Entry, entries: Sequence[Entry]) -> list[Press]:
    return [
        later.presses[0]
        for later in entries
        if (later.site_id, later.console_id) == (entry.site_id, entry.console_id)
        and later.at_ms > entry.at_ms
        and later.presses
        and later.presses[0].why == "ask"
    ]


def _outcome(entry: Entry, later_asks: Sequence[Press], rules: Rules) -> tuple[str, tuple[int, int]]:
    """The outcome, and the earliest and latest instant of the close. Checks that there is no doubt about it."""
    ask = entry.presses[0]
    _certainly(ask.until_ms - ask.at_ms < rules.long_press_ms - DOUBT_MS, "a short press was held long")
    ends_ms = (ask.at_ms + rules.survey_window_ms, ask.latest_ms + rules.survey_window_ms)
    for press in entry.presses:
        if press.why == "again":
            _certainly(press.latest_ms < ask.at_ms + rules.reopen_guard_ms - DOUBT_MS, "a press came near the guard")
    if entry.ends == "cut_off":
        cut = entry.presses[-1]
        _certainly(ask.until_ms + MARGIN_MS < cut.at_ms < ends_ms[0], "the power went too near to a press")
        return "error", (cut.at_ms, cut.until_ms)
    answers = [press for press in entry.presses if press.why == "answer"]
    if answers:
        answer = answers[0]
        _certainly(answer.button == entry.wanted, "another button was pressed than wanted")
        _certainly(answer.latest_ms < ends_ms[0] - DOUBT_MS, "an answer came near the window's end")
        return answer.button, (answer.at_ms, answer.latest_ms)
    _certainly(not [press for press in entry.presses if press.button in ANSWERS], "a silent customer pressed")
    following = min(later_asks, key=lambda press: press.at_ms, default=None)
    if following is not None and following.at_ms < ends_ms[1] + DOUBT_MS:
        _certainly(following.latest_ms < ends_ms[0] - DOUBT_MS, "the next survey opened near the window's end")
        _certainly(following.at_ms > ask.latest_ms + rules.reopen_guard_ms + DOUBT_MS, "it opened near the guard")
        return "silent", (following.at_ms, following.latest_ms)
    return "silent", ends_ms


def _affected(entry: Entry, ask: Press, closed_ms: tuple[int, int], declared: Iterable[Declared], rules: Rules) -> bool:
    """Whether one was declared during the survey or at most the scope before its opening, on the same console."""
    reach_ms = rules.force_majeure_scope_s * 1000
    here = [one.at_ms for one in declared if (one.site_id, one.console_id) == (entry.site_id, entry.console_id)]
    boundaries_ms = (ask.at_ms - reach_ms, ask.at_ms, *closed_ms)
    clear = [at_ms for at_ms in here if all(abs(at_ms - boundary_ms) > DOUBT_MS for boundary_ms in boundaries_ms)]
    affected = any(ask.at_ms - reach_ms <= at_ms <= closed_ms[1] for at_ms in clear)
    _certainly(affected or len(clear) == len(here), "a force majeure came near a survey's boundary")
    return affected


def _on_shift(diary: Iterable[Entry], site_id: str, console_id: str, at_ms: int) -> str | None:
    for entry in diary:
        at_console = entry.kind == "shift" and (entry.site_id, entry.console_id) == (site_id, console_id)
        if at_console and entry.at_ms <= at_ms < entry.until_ms:
            return entry.seller_id
    return None


def transactions(diary: Sequence[Entry]) -> list[Count]:
    """What the tills will have counted: one for each customer who bought, with the seller on shift."""
    return [
        Count(
            kind="transactions",
            site_id=entry.site_id,
            at_ms=entry.at_ms,
            count=1,
            console_id=entry.console_id,
            seller_id=_on_shift(diary, entry.site_id, entry.console_id, entry.at_ms),
        )
        for entry in diary
        if entry.kind == "customer" and entry.bought
    ]


def visitors(diary: Sequence[Entry]) -> list[Count]:
    """What the people counters at the doors will have counted: nobody's console, nobody's seller."""
    return [
        Count("visitors", entry.site_id, entry.at_ms, entry.visitors)
        for entry in diary
        if entry.kind == "customer" and entry.visitors
    ]


# From surveys to KPIs ---------------------------------------------------------------------------------------------

Column = Callable[[World, Any], Row]


def _local(world: World, fact: Any) -> datetime:
    zone = ZoneInfo(world.zones.get(fact.site_id, "UTC"))
    at_ms = fact.opened_at_ms if isinstance(fact, Survey) else fact.at_ms
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def _checkout_point(world: World, fact: Any) -> Row:
    point = world.checkout_points.get((fact.site_id, fact.console_id))
    return {"site_id": fact.site_id, "checkout_point_id": point}


COLUMNS: dict[str, Column] = {
    "site": lambda _, fact: {"site_id": fact.site_id},
    "console": lambda _, fact: {"site_id": fact.site_id, "console_id": fact.console_id},
    "checkout_point": _checkout_point,
    "seller": lambda _, fact: {"seller_id": fact.seller_id},
    "question": lambda *_: {},  # rows are by question anyway
    "hour": lambda world, fact: {
        "hour": _local(world, fact).replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
    },
    "day": lambda world, fact: {"day": _local(world, fact).date().isoformat()},
    "week": lambda world, fact: {"week": _local(world, fact).strftime("%G-W%V")},
    "month": lambda world, fact: {"month": _local(world, fact).strftime("%Y-%m")},
}


def expected(
    diary: Sequence[Entry],
    world: World,
    by: Sequence[str],
    counts: Iterable[Count] = (),
    force_majeure: ForceMajeure = "default",
) -> list[Row]:
    """A row per group, question and revision, as a report in JSON must have it, less intervals and notes."""

    def group(fact: Any) -> tuple[tuple[str, Any], ...]:
        row: Row = {}
        for name in by:
            row |= COLUMNS[name](world, fact)
        return tuple(row.items())

    facts: list[Survey | Declared] = [*surveys(diary, world.rules), *declarations(diary)]
    keys = {(group(fact), fact.question_id, fact.question_revision) for fact in facts}
    figures = list(counts)
    rows: list[Row] = []
    for columns, question_id, revision in sorted(keys, key=str):
        mine = [
            fact
            for fact in facts
            if (group(fact), fact.question_id, fact.question_revision) == (columns, question_id, revision)
        ]
        question = world.questions[question_id]
        row = dict(columns) | {"question_id": question_id, "question_revision": revision, "kind": question.kind}
        rows.append(row | _figures(mine, [f for f in figures if group(f) == columns], question, world, force_majeure))
    return rows


def _figures(
    facts: Iterable[Survey | Declared],
    counts: Iterable[Count],
    question: Question,
    world: World,
    force_majeure: ForceMajeure,
) -> Row:
    facts = list(facts)
    opened = [fact for fact in facts if isinstance(fact, Survey)]
    every = [survey for survey in opened if survey.outcome != "error"]
    kept = [survey for survey in every if _kept(survey, question, force_majeure)]
    errors = sum(survey.outcome == "error" and _kept(survey, question, force_majeure) for survey in opened)
    declared = len(facts) - len(opened)
    row: Row = {"surveys": len(kept)}
    for outcome in (*ANSWERS, "silent"):
        row[outcome] = sum(survey.outcome == outcome for survey in kept)
    row |= {"error": errors, "force_majeures": declared}
    for kind in ("transactions", "visitors"):
        figures = [count.count for count in counts if count.kind == kind]
        row[kind] = sum(figures) if figures else None
    asked = sum(survey.ask_every for survey in every)
    level = _ratio(declared, len(every))
    loyalty = question.kind == "loyalty"
    row["dissatisfaction_index"] = None if loyalty else _index(row, question.silent_weight, _dissatisfaction)
    row["emotional_loyalty_index"] = _index(row, question.silent_weight, _loyalty) if loyalty else None
    row["response_rate"] = _ratio(row["yes"] + row["no"] + row["cant_say"], row["surveys"])
    row["exact_conversion"] = _ratio(asked, row["transactions"] if every else None)
    row["visitor_coverage"] = _ratio(asked, row["visitors"] if every else None)
    row["force_majeure_level"] = level
    row["assessable"] = declared == 0 or (level is not None and level["value"] <= world.force_majeure_level_max)
    return row


def _kept(survey: Survey, question: Question, force_majeure: ForceMajeure) -> bool:
    if force_majeure == "default":
        force_majeure = "without" if question.kind == "personnel" else "with"
    return force_majeure == "with" or survey.affected == (force_majeure == "only")


def _ratio(part: int, whole: int | None) -> Row | None:
    return {"value": part / whole} if whole else None


def _dissatisfaction(row: Row, weight: float) -> float:
    return float((row["no"] + weight * row["silent"]) / row["surveys"])


def _loyalty(row: Row, weight: float) -> float:
    return float((row["yes"] - row["no"] - weight * row["silent"]) / row["surveys"])


def _index(row: Row, weight: float, formula: Callable[[Row, float], float]) -> Row | None:
    if row["surveys"] < FEW:
        return None
    return {"value": formula(row, weight), "at_k0": formula(row, 0), "at_k1": formula(row, 1)}
