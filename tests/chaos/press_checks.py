"""Check that each press is stored once and with the right meaning, and that each stored event comes from a press.

Only a press after which power stayed on long enough must be stored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.chaos.boards import Board, board_by_boot, boards_of
from tests.chaos.boot_checks import check_boot
from tests.chaos.database import EventRow, StoredEpoch
from tests.chaos.matching import SLACK_MS, MatchedCycle, match_events
from tests.chaos.observations import EpochName, Observations, ObservedPowerCycle, ObservedPress, PressRules
from tests.chaos.press_oracle import Expected, ExpectedEvent, ExpectedSurvey, expect

DURABLE_AFTER_MS = 1000  # once the main loop ran on this long after something, it must be in flash
STOOD_MS = 1000  # a board that stands still for longer may give thanks too late
EARLY_MS = 50  # how exactly the board's clock is known
THANKS_MS = 3000  # thanks may come this long after the contact, as flash may be slow


def check_presses(epochs: dict[EpochName, StoredEpoch], observations: Observations) -> Iterator[str]:
    """Yield what is wrong with the stored events of all power cycles."""
    boards = boards_of(epochs, observations)
    events: dict[tuple[Board, int], list[EventRow]] = defaultdict(list)
    for name, epoch in epochs.items():
        for event in epoch.events.values():
            events[boards.get(name) or board_by_boot(name, event.boot, observations), event.boot].append(event)
    gaps = {name: _gaps(epoch) for name, epoch in epochs.items()}
    missing: Counter[Gap] = Counter()
    pressed: Counter[tuple[EpochName, str]] = Counter()
    incomplete = {name for name in gaps if gaps[name]}
    rules_before: dict[Board, PressRules] = {}  # in force at the end of a board's last power cycle
    for cycle in observations.power_cycles:
        if cycle.boot is None:
            continue
        board = (cycle.site_id, cycle.console_id, cycle.hardware_id)
        matched = match_events(cycle, sorted(events.pop((board, cycle.boot), []), key=lambda event: event.up_ms))
        yield from _unexplained_events(matched)
        board_gaps = [gap for name in gaps if boards.get(name) == board for gap in gaps[name]]
        yield from _lost_presses(matched, board_gaps, missing, pressed)
        rules = observations.rules.get(board[:2], {})
        yield from _wrong_events(matched, board_gaps, rules, rules_before.get(board, PressRules()), incomplete)
        rules_before.update((board, applied) for _, applied in _applied(matched, rules))
        yield from _thanks(matched, board_gaps)
        if not any(gap.after[0] <= cycle.boot <= gap.before[0] for gap in board_gaps):  # else the report may be missing
            yield from check_boot(matched.name, cycle, matched.events, matched.offset_ms)
    for (board, boot), unexplained in events.items():
        yield f"{'/'.join(board)}: {len(unexplained)} events of boot {boot}, which never was"
    yield from _counters(epochs, observations, pressed)


# Presses and their events ---------------------------------------------------------------------------------------


def _unexplained_events(matched: MatchedCycle) -> Iterator[str]:
    """Check that each event of a press has a press of its own, and that no press has two events."""
    known = {id(event) for event in matched.by_press.values()}
    for event in matched.events:
        if event.button and id(event) not in known:
            yield f"{matched.name}: {_describe(event)} is there twice, or nobody pressed {event.button} then"
    numbers = Counter((event.epoch, event.seq) for event in matched.events)
    yield from (
        f"{matched.name}: number {seq} is there {count} times" for (_, seq), count in numbers.items() if count > 1
    )


@dataclass(frozen=True)
class Gap:
    """A range of missing numbers, which were given out between `after` and `before`, as (boot, up_ms)."""

    epoch: EpochName
    low: int
    high: int
    after: tuple[int, int]
    before: tuple[int, int]


def _gaps(epoch: StoredEpoch) -> list[Gap]:
    gaps: list[Gap] = []
    missing = epoch.missing()
    for seq in missing:
        if gaps and gaps[-1].high == seq - 1:
            gaps[-1] = replace(gaps[-1], high=seq)
        else:
            gaps.append(Gap(epoch.name, seq, seq, (0, 0), (0, 0)))
    return [
        replace(gap, after=_moment(epoch, gap.low - 1, 0), before=_moment(epoch, gap.high + 1, 1 << 60)) for gap in gaps
    ]


def _moment(epoch: StoredEpoch, seq: int, default: int) -> tuple[int, int]:
    event = epoch.events.get(seq)
    return (event.boot, event.up_ms) if event else (default, default)


def _lost_presses(
    matched: MatchedCycle, gaps: list[Gap], missing: Counter[Gap], pressed: Counter[tuple[EpochName, str]]
) -> Iterator[str]:
    """Check that each sure press without an event falls into a gap of numbers that has room for it."""
    boot = matched.cycle.boot or 0
    for index, press in enumerate(matched.cycle.presses):
        if index in matched.by_press or not press.sure:
            continue
        moment = (boot, press.contact_ms + matched.offset_ms)
        board_gaps = [
            gap for gap in gaps if _is_between(moment, gap, press.late_ms) and missing[gap] <= gap.high - gap.low
        ]
        if board_gaps:
            matched.lost.append(index)
            missing[board_gaps[0]] += 1
            pressed[board_gaps[0].epoch, press.button] += 1
        elif matched.cycle.stores_events:
            what = f"{press.button} was pressed at {moment[1]} ms"
            yield (
                f"{matched.name}: {what}, and is neither stored nor counted as lost; "
                f"it was held for {press.held_ms} ms and seen {press.late_ms} ms late"
            )


def _is_between(moment: tuple[int, int], gap: Gap, late_ms: int = 0) -> bool:
    """Return whether something that was at most `late_ms` late may have been given a number of the gap."""
    after, before = (gap.after[0], gap.after[1] - SLACK_MS - late_ms), (gap.before[0], gap.before[1] + SLACK_MS)
    return after <= moment <= before


# What presses mean ------------------------------------------------------------------------------------------------


def _wrong_events(
    matched: MatchedCycle, gaps: list[Gap], rules: dict[int, PressRules], before: PressRules, incomplete: set[EpochName]
) -> Iterator[str]:
    """Check that the stored events of a power cycle are what its presses mean.

    If the board stood still at a release, it may have seen a longer or shorter press. Settings may have been in force
    since the start, if power went before they were reported. If numbers are missing, settings and presses that were
    not sure may be among them. Then one of the readings that are possible must fit.
    """
    wrong = _best_reading(matched, gaps, rules, before, incomplete)
    for index, press in enumerate(matched.cycle.presses):
        for held_ms in press.other_held_ms if wrong else ():  # last, for there may be very many
            other = matched.with_press(index, replace(press, held_ms=held_ms))
            fewer = _best_reading(other, gaps, rules, before, incomplete)
            if len(fewer) < len(wrong):
                matched, wrong = other, fewer
    yield from wrong


def _best_reading(
    matched: MatchedCycle, gaps: list[Gap], rules: dict[int, PressRules], before: PressRules, incomplete: set[EpochName]
) -> list[str]:
    """Return what is wrong in the reading that fits best, given how long each button was held."""
    applied = _applied(matched, rules)
    inside = [gap for gap in gaps if gap.after[0] <= (matched.cycle.boot or 0) <= gap.before[0]]
    wrong = list(_differences(matched, matched.lost, applied, before, incomplete))
    if wrong and (from_flash := _rules_in_flash(matched, rules)):
        wrong = min([wrong, list(_differences(matched, matched.lost, applied, from_flash, incomplete))], key=len)
    if wrong and inside:
        ends = [gap.before[1] - 1 for gap in inside if gap.before[0] == matched.cycle.boot]
        others = sorted({replace(other, question=None) for other in (*rules.values(), before)}, key=repr)
        readings = [
            list(
                _differences(
                    matched, lost, sorted([*applied, *((end, other) for end in ends)], key=_up_ms), other, incomplete
                )
            )
            for other in others
            for lost in (matched.lost, [*matched.lost, *_possibly_lost(matched, inside)])
        ]
        wrong = min([wrong, *readings], key=len)
    return wrong


def _rules_in_flash(matched: MatchedCycle, rules: dict[int, PressRules]) -> PressRules | None:
    """Return the settings that a start found in flash: they are reported right after the start itself."""
    in_order = sorted(matched.events, key=lambda event: event.seq)
    for first, second in pairwise(in_order):
        if (first.type, second.type) == ("booted", "settings_applied"):
            return rules.get(second.payload["revision"])
    return None


def _up_ms(applied: tuple[int, PressRules]) -> int:
    return applied[0]


def _possibly_lost(matched: MatchedCycle, gaps: list[Gap]) -> list[int]:
    """Return the presses that were not sure and may be among the missing numbers."""
    boot, shift_ms = matched.cycle.boot or 0, matched.offset_ms
    return [
        index
        for index, press in enumerate(matched.cycle.presses)
        if index not in matched.by_press and index not in matched.lost
        if any(_is_between((boot, press.contact_ms + shift_ms), gap, press.late_ms) for gap in gaps)
    ]


def _differences(
    matched: MatchedCycle,
    lost: list[int],
    applied: list[tuple[int, PressRules]],
    before: PressRules,
    incomplete: set[EpochName],
) -> Iterator[str]:
    """Check that each stored event says what its press means, and that each survey is closed as it ended."""
    indices = sorted(
        [*matched.by_press, *lost],
        key=lambda index: (_at_ms(matched, index), matched.by_press[index].seq if index in matched.by_press else 0),
    )
    expected = expect([_as_stamped(matched, index) for index in indices], applied, _epoch_starts(matched), before)
    for place, index in enumerate(indices):
        event = matched.by_press.get(index)
        if event is not None:
            yield from _check_event(matched, event, place, expected, matched.cycle.presses[index])
            yield from _check_force_majeure(matched, event, expected.events.get(place), indices)
    openings = {indices[survey.opened_by]: survey for survey in expected.surveys}
    yield from _closes(matched, openings, incomplete)
    yield from _stuck(matched, expected, incomplete)


def _as_stamped(matched: MatchedCycle, index: int) -> ObservedPress:
    """Return the press with its contact as the firmware stamped it; its release stays where it was."""
    press, at_ms = matched.cycle.presses[index], _at_ms(matched, index)
    return replace(
        press, contact_ms=at_ms, held_ms=max(1, press.contact_ms + matched.offset_ms + press.held_ms - at_ms)
    )


def _at_ms(matched: MatchedCycle, index: int) -> int:
    event = matched.by_press.get(index)
    return event.up_ms if event else matched.cycle.presses[index].contact_ms + matched.offset_ms


def _applied(matched: MatchedCycle, rules: dict[int, PressRules]) -> list[tuple[int, PressRules]]:
    return [
        (event.up_ms, rules[event.payload["revision"]])
        for event in matched.events
        if event.type == "settings_applied" and event.payload["revision"] in rules
    ]


def _epoch_starts(matched: MatchedCycle) -> list[int]:
    """Return when further epochs began during this power cycle."""
    begun: dict[EpochName, int] = {}
    for event in matched.events:
        begun.setdefault(event.epoch, event.up_ms)
    return sorted(begun.values())[1:]


def _check_event(
    matched: MatchedCycle, event: EventRow, place: int, expected: Expected, press: ObservedPress
) -> Iterator[str]:
    wanted = expected.events.get(place)
    if wanted is None:
        yield f"{matched.name}: {_describe(event)} is stored, and its press had no wanted yet when power went"
        return
    if event.type != wanted.type:
        yield f"{matched.name}: {_describe(event)} is stored, and by the rules {press} is {wanted.type} {wanted.detail}"
    elif event.type == "stray_pressed" and event.payload["reason"] != wanted.detail:
        reason = event.payload["reason"]
        yield f"{matched.name}: {_describe(event)} has the reason {reason}, and should have {wanted.detail}"
    elif (
        event.type == "survey_opened"
        and wanted.survey
        and _question(event) != (asked := _question_in_force(event, wanted.survey))
    ):
        yield f"{matched.name}: {_describe(event)} asks {_question(event)}, and {asked} was in force"


def _check_force_majeure(
    matched: MatchedCycle, event: EventRow, wanted: ExpectedEvent | None, indices: list[int]
) -> Iterator[str]:
    """Check that a force majeure names the survey that was open, by the number of its opening."""
    if wanted is None or event.type != "force_majeure_declared" or wanted.type != event.type:
        return
    opening = matched.by_press.get(indices[wanted.survey.opened_by]) if wanted.survey else None
    expected = opening.seq if opening else None
    if event.payload["survey"] != expected and (opening is not None or wanted.survey is None):
        yield f"{matched.name}: {_describe(event)} names survey {event.payload['survey']}, and {expected} was open"


def _stuck(matched: MatchedCycle, expected: Expected, incomplete: set[EpochName]) -> Iterator[str]:
    """Check that each button that was held too long is reported once and at its time, and no other."""
    stored = [(event.payload["button"], event.up_ms) for event in matched.events if event.type == "button_stuck"]
    yield from (
        f"{matched.name}: {button} is reported stuck at {at} ms, and was not"
        for button, at in {*stored} - {*expected.stuck}
    )
    for button, at_ms in {*expected.stuck} - {*stored}:
        if (
            matched.cycle.stores_events
            and _must_be_stored(matched, at_ms)
            and not {event.epoch for event in matched.events} & incomplete
        ):
            yield f"{matched.name}: {button} was stuck at {at_ms} ms, and nothing reports it"


def _question(event: EventRow) -> tuple[str, int]:
    return event.payload["question_id"], event.payload["question_revision"]


def _question_in_force(event: EventRow, survey: ExpectedSurvey) -> tuple[str, int]:
    return survey.rules.question or _question(event)


def _closes(matched: MatchedCycle, openings: dict[int, ExpectedSurvey], incomplete: set[EpochName]) -> Iterator[str]:
    closes: dict[tuple[EpochName, int], list[EventRow]] = defaultdict(list)
    for event in matched.events:
        if event.type == "survey_closed":
            closes[event.epoch, event.payload["survey"]].append(event)
    for index, survey in openings.items():
        opening = matched.by_press.get(index)
        if opening is not None:
            yield from _check_close(matched, opening, survey, closes.pop((opening.epoch, opening.seq), []), incomplete)
    for (epoch, _), events in closes.items():
        if epoch not in incomplete:
            survey_number = events[0].payload["survey"]
            yield f"{matched.name}: {_describe(events[0])} is stored, and no survey {survey_number} was opened"


def _check_close(
    matched: MatchedCycle,
    opening: EventRow,
    survey: ExpectedSurvey,
    closes: list[EventRow],
    incomplete: set[EpochName],
) -> Iterator[str]:
    name = f"{matched.name}: survey {opening.seq} of epoch {opening.epoch[2]}"
    if len(closes) > 1:
        yield f"{name} is closed {len(closes)} times"
    if not closes:
        sure = (
            survey.closed_ms is not None and matched.cycle.stores_events and _must_be_stored(matched, survey.closed_ms)
        )
        if sure and opening.epoch not in incomplete:
            yield f"{name} ended as {survey.outcome} ({survey.cause}) at {survey.closed_ms} ms, and no close is stored"
        return
    close = closes[0].payload
    if (close["outcome"], close["cause"]) != (survey.outcome, survey.cause):
        yield f"{name} is closed as {close['outcome']} ({close['cause']}), ended as {survey.outcome} ({survey.cause})"
    elif close["opened_up_ms"] != opening.up_ms or _question(closes[0]) != _question(opening):
        yield f"{name} is closed by {_describe(closes[0])}, which does not repeat its opening"
    elif close["cause"] != "fault" and survey.rules.question and closes[0].up_ms != survey.closed_ms:
        yield f"{name} ended at {survey.closed_ms} ms, and its close says {closes[0].up_ms}"
    elif close["cause"] == "answered" and close["response_ms"] != closes[0].up_ms - opening.up_ms:
        yield f"{name} was answered after {closes[0].up_ms - opening.up_ms} ms, and says {close['response_ms']}"


def _must_be_stored(matched: MatchedCycle, at_ms: int | None) -> bool:
    """Return whether power stayed on long enough after this time, with the board running; False for None."""
    cycle = matched.cycle
    if at_ms is None:
        return False
    if cycle.ended_ms is None:
        return True
    from_ms = at_ms - matched.offset_ms
    return from_ms + cycle.stood_ms(from_ms, cycle.ended_ms) + DURABLE_AFTER_MS < cycle.ended_ms


def _thanks(matched: MatchedCycle, gaps: list[Gap]) -> Iterator[str]:
    """Check that each answer with thanks is stored or counted as lost, and that each stored answer had thanks."""
    for thanks in matched.cycle.thanks:
        at_ms = thanks.at_ms + matched.offset_ms
        answers = [event for event in matched.events if event.type == "survey_closed" and event.button == thanks.button]
        is_stored = any(_follows(matched, event, thanks.at_ms) for event in answers)
        is_lost = any(_is_between((matched.cycle.boot or 0, at_ms), gap) for gap in gaps)
        if matched.cycle.stores_events and not is_stored and not is_lost:
            yield f"{matched.name}: {thanks.button} was thanked for at {at_ms} ms, and no such answer is stored"
    thanked = {(thanks.button, thanks.at_ms) for thanks in matched.cycle.thanks}
    for index, event in matched.by_press.items():
        press = matched.cycle.presses[index]
        is_due = event.type == "survey_closed" and press.sure and _has_quiet_after(matched.cycle, press)
        if is_due and not any(button == press.button and _follows(matched, event, at) for button, at in thanked):
            yield f"{matched.name}: {_describe(event)} was not thanked for"


def _follows(matched: MatchedCycle, answer: EventRow, at_ms: int) -> bool:
    """Return whether thanks at this time come soon after the answer, apart from time that the board stood still."""
    answered_ms = answer.up_ms - matched.offset_ms
    return -EARLY_MS <= at_ms - answered_ms - matched.cycle.stood_ms(answered_ms, at_ms) <= THANKS_MS


def _has_quiet_after(cycle: ObservedPowerCycle, press: ObservedPress) -> bool:
    """Return whether nobody pressed again while thanks were due, and the board ran on."""
    until_ms = press.contact_ms + THANKS_MS
    others = [other for other in cycle.presses if press.contact_ms < other.contact_ms < until_ms]
    stood = cycle.stood_ms(press.contact_ms, until_ms) > STOOD_MS
    jumped = [at_ms for at_ms in cycle.jumps if press.contact_ms <= at_ms < until_ms]
    return (
        not others
        and not stood
        and not jumped
        and (cycle.ended_ms is None or cycle.ended_ms > until_ms + DURABLE_AFTER_MS)
    )


def _counters(
    epochs: dict[EpochName, StoredEpoch],
    observations: Observations,
    pressed: Counter[tuple[EpochName, str]],
) -> Iterator[str]:
    """Check that the board's own count of presses is the sum of what is stored and what is lost."""
    for name, counters in observations.counters.items():
        if name not in epochs:
            if counters.next > 1:
                yield f"{'/'.join(name)}: the board numbered {counters.next - 1} events, and the epoch is not known"
            continue
        gone = len(epochs[name].missing())
        stored = Counter(event.button for event in epochs[name].events.values() if event.button)
        for button, count in counters.presses.items():
            least = stored[button] + pressed[name, button]
            most = stored[button] + (gone or 0)
            if not least <= count <= max(least, most):
                yield f"{'/'.join(name)}: the board counted {count} presses of {button}, stored are {stored[button]}"


def _describe(event: EventRow) -> str:
    return f"number {event.seq} of epoch {event.epoch[2]} ({event.type} {event.button or ''} at {event.up_ms} ms)"
