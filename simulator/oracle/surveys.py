"""The oracle: from the true diary to the exact KPIs that any honest bridge must report.

It shares no code with the bridge and reads no database. Where the diary leaves room for doubt (a press too near a
boundary), it says so instead of guessing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from simulator.errors import SimulatorError
from simulator.oracle.facts import Count, Declared, ForceMajeure, Question, Survey, World
from simulator.oracle.kpis import ANSWERS, Row, Totals
from simulator.people.diary import Entry, Press
from simulator.people.hands import MARGIN_MS, Rules

__all__ = [
    "Count",
    "Declared",
    "ForceMajeure",
    "Question",
    "Row",
    "Survey",
    "UncertainError",
    "World",
    "declarations",
    "expected",
    "strays",
    "surveys",
    "transactions",
    "visitors",
]

DOUBT_MS = 100  # how near to a boundary a press may be and still be certain
BY_CUSTOMER, BY_SELLER = "answer", "answer_by_seller"

Console = tuple[str, str]  # site and console


class UncertainError(SimulatorError):
    """The diary leaves it open what truly happened: people were held up too near to a boundary."""


# From presses to surveys ------------------------------------------------------------------------------------------


def surveys(diary: Iterable[Entry], rules: Rules) -> list[Survey]:
    """Every survey with its outcome and whether force majeure touched it; raises UncertainError."""
    entries = sorted(diary, key=lambda entry: entry.at_ms)
    shifts = _Shifts(entries)
    declared: dict[Console, list[int]] = {}
    for one in declarations(entries):
        declared.setdefault((one.site_id, one.console_id), []).append(one.at_ms)
    for moments in declared.values():
        moments.sort()
    truths: list[Survey] = []
    for entry, following in _with_following(entries):
        if entry.kind != "customer" or entry.ends == "not_asked":
            continue
        if entry.ends == "unfinished":
            raise UncertainError("the diary ends in the middle of a survey; let people finish")
        outcome, closed_ms = _outcome(entry, following, rules)
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
                seller_id=shifts.seller_at(entry, ask.at_ms),
                affected=_affected(ask, closed_ms, declared.get((entry.site_id, entry.console_id), ()), rules),
            )
        )
    return truths


def declarations(diary: Iterable[Entry]) -> list[Declared]:
    """Every force majeure that was declared."""
    entries = list(diary)
    shifts = _Shifts(entries)
    return [
        Declared(
            site_id=entry.site_id,
            console_id=entry.console_id,
            at_ms=press.at_ms,
            question_id=entry.question_id,
            question_revision=entry.question_revision,
            seller_id=shifts.seller_at(entry, press.at_ms),
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
            elif press.why in {BY_CUSTOMER, BY_SELLER, "power_cut"}:
                answered[console] = press.why != "power_cut"
            elif press.why in {"late_answer", "stray"}:
                reasons.append((press.button, "already_answered" if answered.get(console) else "no_survey"))
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _certainly(fact: bool, doubt: str) -> None:  # noqa: FBT001
    if not fact:
        raise UncertainError(f"the diary is not certain: {doubt}; run it again on a machine that is less busy")


def _with_following(entries: Sequence[Entry]) -> list[tuple[Entry, Press | None]]:
    """Each entry with the seller's press that opens the next survey at the same console."""
    pairs: list[tuple[Entry, Press | None]] = []
    asks: dict[Console, Press] = {}
    for entry in reversed(entries):
        console = entry.site_id, entry.console_id
        pairs.append((entry, asks.get(console)))
        if entry.presses and entry.presses[0].why == "ask":
            asks[console] = entry.presses[0]
    pairs.reverse()
    return pairs


def _outcome(entry: Entry, following: Press | None, rules: Rules) -> tuple[str, tuple[int, int]]:
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
    answers = [press for press in entry.presses if press.why in {BY_CUSTOMER, BY_SELLER}]
    if answers:
        answer = answers[0]
        _certainly(answer.why == BY_SELLER or answer.button == entry.wanted, "another button was pressed than wanted")
        _certainly(answer.latest_ms < ends_ms[0] - DOUBT_MS, "an answer came near the window's end")
        return answer.button, (answer.at_ms, answer.latest_ms)
    _certainly(not [press for press in entry.presses if press.button in ANSWERS], "a silent customer pressed")
    if following is not None and following.at_ms < ends_ms[1] + DOUBT_MS:
        _certainly(following.latest_ms < ends_ms[0] - DOUBT_MS, "the next survey opened near the window's end")
        _certainly(following.at_ms > ask.latest_ms + rules.reopen_guard_ms + DOUBT_MS, "it opened near the guard")
        return "silent", (following.at_ms, following.latest_ms)
    return "silent", ends_ms


def _affected(ask: Press, closed_ms: tuple[int, int], here: Sequence[int], rules: Rules) -> bool:
    """Whether one was declared during the survey or at most the scope before its opening, on the same console."""
    from_ms = ask.at_ms - rules.force_majeure_scope_s * 1000
    near = here[bisect_left(here, from_ms - DOUBT_MS) : bisect_right(here, closed_ms[1] + DOUBT_MS)]
    boundaries_ms = (from_ms, ask.at_ms, *closed_ms)
    clear = [at_ms for at_ms in near if all(abs(at_ms - boundary_ms) > DOUBT_MS for boundary_ms in boundaries_ms)]
    affected = any(from_ms <= at_ms <= closed_ms[1] for at_ms in clear)
    _certainly(affected or len(clear) == len(near), "a force majeure came near a survey's boundary")
    return affected


class _Shifts:
    """Who stood where when, as the diary tells it."""

    def __init__(self, diary: Iterable[Entry]) -> None:
        shifts = sorted((entry for entry in diary if entry.kind == "shift"), key=lambda entry: entry.at_ms)
        self._shifts: dict[Console, tuple[list[int], list[Entry]]] = {}
        for entry in shifts:
            starts, entries = self._shifts.setdefault((entry.site_id, entry.console_id), ([], []))
            starts.append(entry.at_ms)
            entries.append(entry)

    def seller_at(self, entry: Entry, at_ms: int) -> str | None:
        """The seller on shift at this entry's console."""
        starts, entries = self._shifts.get((entry.site_id, entry.console_id), ([], []))
        index = bisect_right(starts, at_ms) - 1
        return entries[index].seller_id if index >= 0 and at_ms < entries[index].until_ms else None


def transactions(diary: Sequence[Entry]) -> list[Count]:
    """What the tills will have counted: one for each customer who bought, with the seller on shift."""
    shifts = _Shifts(diary)
    return [
        Count(
            kind="transactions",
            site_id=entry.site_id,
            at_ms=entry.at_ms,
            count=1,
            console_id=entry.console_id,
            seller_id=shifts.seller_at(entry, entry.at_ms),
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


def expected(
    diary: Sequence[Entry],
    world: World,
    by: Sequence[str],
    counts: Iterable[Count] = (),
    force_majeure: ForceMajeure = "default",
) -> list[Row]:
    """A row per group, question and revision, as a report in JSON must have it, less intervals and notes."""
    totals = Totals(world, [by])
    totals.add(surveys(diary, world.rules), declarations(diary), counts)
    totals.merge()
    return totals.rows(by, force_majeure)
