"""Derive from the true diary the surveys, force majeures and counts that any honest bridge must find.

This oracle shares no code with the bridge and reads no database. If the diary leaves room for doubt (a press too near a
boundary), it raises UncertainError instead of guessing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from simulator.errors import SimulatorError
from simulator.oracle.facts import TrueCount, TrueForceMajeure, TrueSurvey
from simulator.oracle.kpis import ANSWERS
from simulator.people.diary import DiaryEntry, Press
from simulator.people.shop_plan import MARGIN_MS, Rules

DOUBT_MS = 100  # a press nearer to a boundary than this is not certain
BY_CUSTOMER, BY_SELLER = "answer", "answer_by_seller"

ConsoleKey = tuple[str, str]  # site and console


class UncertainError(SimulatorError):
    """The diary does not say for certain what truly happened: somebody was held up too near a boundary."""


# From presses to surveys ------------------------------------------------------------------------------------------


def surveys(diary: Iterable[DiaryEntry], rules: Rules) -> list[TrueSurvey]:
    """Return every survey with its outcome and whether force majeure affected it; raises UncertainError."""
    entries = sorted(diary, key=lambda entry: entry.at_ms)
    shifts = _Shifts(entries)
    declared_at: dict[ConsoleKey, list[int]] = {}
    for declaration in declarations(entries):
        declared_at.setdefault((declaration.site_id, declaration.console_id), []).append(declaration.at_ms)
    for instants in declared_at.values():
        instants.sort()
    true_surveys: list[TrueSurvey] = []
    for entry, following in _with_following(entries):
        if not entry.opens_survey:
            continue
        if entry.ends == "unfinished":
            raise UncertainError("The diary ends in the middle of a survey; let people finish.")
        outcome, closed_ms = _outcome(entry, following, rules)
        ask = entry.presses[0]
        true_surveys.append(
            TrueSurvey(
                site_id=entry.site_id,
                console_id=entry.console_id,
                opened_at_ms=ask.at_ms,
                question_id=entry.question_id,
                question_revision=entry.question_revision,
                outcome=outcome,
                ask_every=entry.ask_every,
                seller_id=shifts.seller_at(entry, ask.at_ms),
                affected=_affected(ask, closed_ms, declared_at.get((entry.site_id, entry.console_id), ()), rules),
            )
        )
    return true_surveys


def declarations(diary: Iterable[DiaryEntry]) -> list[TrueForceMajeure]:
    """Return every force majeure that was declared."""
    entries = list(diary)
    shifts = _Shifts(entries)
    return [
        TrueForceMajeure(
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


def strays(diary: Iterable[DiaryEntry], rules: Rules) -> dict[tuple[str, str], int]:
    """Return the number of stray presses by (button, reason); after an answer, the reason is `already_answered`."""
    counts: dict[tuple[str, str], int] = {}
    answered: dict[tuple[str, str], bool] = {}
    for entry in sorted(diary, key=lambda entry: entry.at_ms):
        console = (entry.site_id, entry.console_id)
        reasons: list[tuple[str, str]] = []
        for press in entry.presses:
            if press.why == "ask":
                _require(press.until_ms - press.at_ms < rules.long_press_ms - DOUBT_MS, "a short press was too long")
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


def _require(is_certain: bool, doubt: str) -> None:  # noqa: FBT001
    if not is_certain:
        raise UncertainError(f"The diary is not certain: {doubt}; run it again on a machine that is less busy.")


def _with_following(entries: Sequence[DiaryEntry]) -> list[tuple[DiaryEntry, Press | None]]:
    """Return each entry with the seller's press that opens the next survey at the same console."""
    pairs: list[tuple[DiaryEntry, Press | None]] = []
    asks: dict[ConsoleKey, Press] = {}
    for entry in reversed(entries):
        console = entry.site_id, entry.console_id
        pairs.append((entry, asks.get(console)))
        if entry.presses and entry.presses[0].why == "ask":
            asks[console] = entry.presses[0]
    pairs.reverse()
    return pairs


def _outcome(entry: DiaryEntry, following: Press | None, rules: Rules) -> tuple[str, tuple[int, int]]:
    """Return the outcome, and the earliest and latest instant of the close; raises UncertainError."""
    ask = entry.presses[0]
    _require(ask.until_ms - ask.at_ms < rules.long_press_ms - DOUBT_MS, "a short press was too long")
    ends_ms = (ask.at_ms + rules.survey_window_ms, ask.latest_ms + rules.survey_window_ms)
    for press in entry.presses:
        if press.why == "again":
            _require(
                press.latest_ms < ask.at_ms + rules.reopen_guard_ms - DOUBT_MS,
                "a press came too near the guard's end",
            )
    if entry.ends == "cut_off":
        cut = entry.presses[-1]
        _require(ask.until_ms + MARGIN_MS < cut.at_ms < ends_ms[0], "the power was cut too near a press")
        return "error", (cut.at_ms, cut.until_ms)
    answers = [press for press in entry.presses if press.why in {BY_CUSTOMER, BY_SELLER}]
    if answers:
        answer = answers[0]
        _require(answer.why == BY_SELLER or answer.button == entry.wanted, "the answer is not what the customer wanted")
        _require(answer.latest_ms < ends_ms[0] - DOUBT_MS, "an answer came too near the window's end")
        return answer.button, (answer.at_ms, answer.latest_ms)
    _require(not [press for press in entry.presses if press.button in ANSWERS], "a silent customer pressed")
    if following is not None and following.at_ms < ends_ms[1] + DOUBT_MS:
        _require(following.latest_ms < ends_ms[0] - DOUBT_MS, "the next survey opened near the window's end")
        _require(
            following.at_ms > ask.latest_ms + rules.reopen_guard_ms + DOUBT_MS,
            "the next survey opened near the guard's end",
        )
        return "silent", (following.at_ms, following.latest_ms)
    return "silent", ends_ms


def _affected(ask: Press, closed_ms: tuple[int, int], declared_at: Sequence[int], rules: Rules) -> bool:
    """Return whether a force majeure was declared at this console during the survey or within the scope before it.

    `declared_at` are the console's force majeures, `closed_ms` the earliest and latest instant of the close.
    """
    from_ms = ask.at_ms - rules.force_majeure_scope_s * 1000
    first, end = bisect_left(declared_at, from_ms - DOUBT_MS), bisect_right(declared_at, closed_ms[1] + DOUBT_MS)
    near = declared_at[first:end]
    boundaries_ms = (from_ms, ask.at_ms, *closed_ms)
    certain = [at_ms for at_ms in near if all(abs(at_ms - boundary_ms) > DOUBT_MS for boundary_ms in boundaries_ms)]
    affected = any(from_ms <= at_ms <= closed_ms[1] for at_ms in certain)
    _require(affected or len(certain) == len(near), "a force majeure came too near a survey's beginning or end")
    return affected


class _Shifts:
    """The shifts in a diary, by console, as they are recorded: a rewritten one takes the place of the true one."""

    def __init__(self, diary: Iterable[DiaryEntry]) -> None:
        shifts = sorted((entry for entry in diary if entry.is_shift), key=lambda entry: entry.at_ms)
        self._shifts: dict[tuple[str, ConsoleKey], tuple[list[int], list[DiaryEntry]]] = {}
        for entry in shifts:
            starts, entries = self._shifts.setdefault((entry.kind, (entry.site_id, entry.console_id)), ([], []))
            starts.append(entry.at_ms)
            entries.append(entry)

    def seller_at(self, entry: DiaryEntry, at_ms: int) -> str | None:
        """Return the seller on shift at this entry's console, or None."""
        console = entry.site_id, entry.console_id
        return self._seller_at("rewritten_shift", console, at_ms) or self._seller_at("shift", console, at_ms)

    def _seller_at(self, kind: str, console: ConsoleKey, at_ms: int) -> str | None:
        starts, entries = self._shifts.get((kind, console), ([], []))
        index = bisect_right(starts, at_ms) - 1
        return entries[index].seller_id if index >= 0 and at_ms < entries[index].until_ms else None


def transactions(diary: Sequence[DiaryEntry]) -> list[TrueCount]:
    """Return what the tills count: 1 for each customer who bought, with the seller on shift."""
    shifts = _Shifts(diary)
    return [
        TrueCount(
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


def visitors(diary: Sequence[DiaryEntry]) -> list[TrueCount]:
    """Return what the people counters at the doors count, without console and seller."""
    return [
        TrueCount("visitors", entry.site_id, entry.at_ms, entry.visitors)
        for entry in diary
        if entry.kind == "customer" and entry.visitors
    ]


# From surveys to KPIs ---------------------------------------------------------------------------------------------
