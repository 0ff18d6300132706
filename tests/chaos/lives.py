"""Every press that a board must have kept is stored once, as what it means; no event is stored that nobody made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.chaos.boards import Board, boards_of, by_boot
from tests.chaos.facts import check_facts
from tests.chaos.matching import SLACK_MS, Told, tell
from tests.chaos.meaning import Meaning, Story, Survey, story
from tests.chaos.table import Epoch, Event
from tests.chaos.witness import EpochName, Life, Press, Rules, Testimony

KEPT_MS = 1000  # the main loop ran on so long after something: it is kept
STOOD_MS = 1000  # who stands still for so long may give no thanks in time
EARLY_MS = 50  # the board's clock is known so well
THANKS_MS = 3000  # so long after the contact thanks may come, should flash take its time


def check_lives(epochs: dict[EpochName, Epoch], testimony: Testimony) -> Iterator[str]:
    """What is wrong with what the table tells of all lives."""
    boards = boards_of(epochs, testimony)
    events: dict[tuple[Board, int], list[Event]] = defaultdict(list)
    for name, epoch in epochs.items():
        for event in epoch.events.values():
            events[boards.get(name) or by_boot(name, event.boot, testimony), event.boot].append(event)
    gaps = {name: _gaps(epoch) for name, epoch in epochs.items()}
    missing: Counter[Gap] = Counter()
    pressed: Counter[tuple[EpochName, str]] = Counter()
    torn = {name for name in gaps if gaps[name]}
    before: dict[Board, Rules] = {}  # what was in force at the end of a board's last life
    for life in testimony.lives:
        if life.boot is None:
            continue
        board = (life.site_id, life.console_id, life.hardware_id)
        told = tell(life, sorted(events.pop((board, life.boot), []), key=lambda event: event.up_ms))
        yield from _strangers(told)
        room = [gap for name in gaps if boards.get(name) == board for gap in gaps[name]]
        yield from _lost(told, room, missing, pressed)
        rules = testimony.rules.get(board[:2], {})
        yield from _meanings(told, room, rules, before.get(board, Rules()), torn)
        before.update((board, applied) for _, applied in _applied(told, rules))
        yield from _thanks(told, room)
        if not any(gap.after[0] <= life.boot <= gap.before[0] for gap in room):  # else what is missing may have said so
            yield from check_facts(told.name, life, told.events, told.offset_ms)
    for (board, boot), those in events.items():
        yield f"{'/'.join(board)}: {len(those)} events of boot {boot}, which never was"
    yield from _counters(epochs, testimony, pressed)


# Presses and their events ---------------------------------------------------------------------------------------


def _strangers(told: Told) -> Iterator[str]:
    """Each event of a press has a press of its own, and no press has two."""
    known = {id(event) for event in told.by_press.values()}
    for event in told.events:
        if event.button and id(event) not in known:
            yield f"{told.name}: {_spelt(event)} is there twice, or nobody pressed {event.button} then"
    numbers = Counter((event.epoch, event.seq) for event in told.events)
    yield from (f"{told.name}: number {seq} is there {count} times" for (_, seq), count in numbers.items() if count > 1)


@dataclass(frozen=True)
class Gap:
    """Numbers that are missing; what is known of when they were given out, as (boot, up_ms)."""

    epoch: EpochName
    low: int
    high: int
    after: tuple[int, int]
    before: tuple[int, int]


def _gaps(epoch: Epoch) -> list[Gap]:
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


def _moment(epoch: Epoch, seq: int, otherwise: int) -> tuple[int, int]:
    event = epoch.events.get(seq)
    return (event.boot, event.up_ms) if event else (otherwise, otherwise)


def _lost(told: Told, gaps: list[Gap], missing: Counter[Gap], pressed: Counter[tuple[EpochName, str]]) -> Iterator[str]:
    """A sure press without an event lies in a gap of numbers, which has room for it."""
    boot = told.life.boot or 0
    for index, press in enumerate(told.life.presses):
        if index in told.by_press or not press.sure:
            continue
        moment = (boot, press.contact_ms + told.offset_ms)
        room = [gap for gap in gaps if _is_between(moment, gap, press.late_ms) and missing[gap] <= gap.high - gap.low]
        if room:
            told.lost.append(index)
            missing[room[0]] += 1
            pressed[room[0].epoch, press.button] += 1
        elif told.life.keeps:
            yield f"{told.name}: {press.button} was pressed at {moment[1]} ms, and nothing is stored or counted as lost"


def _is_between(moment: tuple[int, int], gap: Gap, late_ms: int = 0) -> bool:
    """May something that was late by so much at most have been given a number of the gap?"""
    after, before = (gap.after[0], gap.after[1] - SLACK_MS - late_ms), (gap.before[0], gap.before[1] + SLACK_MS)
    return after <= moment <= before


# What they mean ---------------------------------------------------------------------------------------------------


def _meanings(
    told: Told, gaps: list[Gap], rules: dict[int, Rules], before: Rules, torn: set[EpochName]
) -> Iterator[str]:
    """What is stored of this life is what the contract makes of its presses.

    Where the board stood still at a release, the press may have been longer or shorter for it. Settings may have been
    in force since the start, if power went before the last life told of them. Where numbers of it are missing, settings
    may have come in them, and presses that were not sure. Then one of the stories that this leaves open has to fit.
    """
    applied = _applied(told, rules)
    inside = [gap for gap in gaps if gap.after[0] <= (told.life.boot or 0) <= gap.before[0]]
    found = list(_compared(told, told.lost, applied, before, torn))
    for index, press in enumerate(told.life.presses):
        for held_ms in press.perhaps_ms if found else ():
            other = told.with_press(index, replace(press, held_ms=held_ms))
            better = list(_compared(other, told.lost, applied, before, torn))
            if len(better) < len(found):
                told, found = other, better
    if found and (kept := _kept_before(told, rules)):
        found = min([found, list(_compared(told, told.lost, applied, kept, torn))], key=len)
    if found and inside:
        ends = [gap.before[1] - 1 for gap in inside if gap.before[0] == told.life.boot]
        others = sorted({replace(other, question=None) for other in (*rules.values(), before)}, key=repr)
        stories = [
            list(_compared(told, lost, sorted([*applied, *((end, other) for end in ends)], key=_up_ms), other, torn))
            for other in others
            for lost in (told.lost, [*told.lost, *_perhaps_lost(told, inside)])
        ]
        found = min([found, *stories], key=len)
    yield from found


def _kept_before(told: Told, rules: dict[int, Rules]) -> Rules | None:
    """The settings that a start found in flash: it tells of them right after itself."""
    in_order = sorted(told.events, key=lambda event: event.seq)
    for first, second in pairwise(in_order):
        if (first.type, second.type) == ("booted", "settings_applied"):
            return rules.get(second.said["revision"])
    return None


def _up_ms(applied: tuple[int, Rules]) -> int:
    return applied[0]


def _perhaps_lost(told: Told, gaps: list[Gap]) -> list[int]:
    """Presses that were not sure, and may have been among the missing."""
    boot, shift_ms = told.life.boot or 0, told.offset_ms
    return [
        index
        for index, press in enumerate(told.life.presses)
        if index not in told.by_press and index not in told.lost
        if any(_is_between((boot, press.contact_ms + shift_ms), gap, press.late_ms) for gap in gaps)
    ]


def _compared(
    told: Told, lost: list[int], applied: list[tuple[int, Rules]], before: Rules, torn: set[EpochName]
) -> Iterator[str]:
    """Each stored event says what its press means, and each survey is closed as it ended."""
    indices = sorted(
        [*told.by_press, *lost],
        key=lambda index: (_at_ms(told, index), told.by_press[index].seq if index in told.by_press else 0),
    )
    true = story([_taken(told, index) for index in indices], applied, _forgets(told), before)
    for place, index in enumerate(indices):
        event = told.by_press.get(index)
        if event is not None:
            yield from _same(told, event, place, true, told.life.presses[index])
            yield from _declared(told, event, true.meanings.get(place), indices)
    openings = {indices[survey.opened_by]: survey for survey in true.surveys}
    yield from _closes(told, openings, torn)
    yield from _stuck(told, true, torn)


def _taken(told: Told, index: int) -> Press:
    """The press as the firmware stamped it; it ended when it ended."""
    press, at_ms = told.life.presses[index], _at_ms(told, index)
    return replace(press, contact_ms=at_ms, held_ms=max(1, press.contact_ms + told.offset_ms + press.held_ms - at_ms))


def _at_ms(told: Told, index: int) -> int:
    event = told.by_press.get(index)
    return event.up_ms if event else told.life.presses[index].contact_ms + told.offset_ms


def _applied(told: Told, rules: dict[int, Rules]) -> list[tuple[int, Rules]]:
    return [
        (event.up_ms, rules[event.said["revision"]])
        for event in told.events
        if event.type == "settings_applied" and event.said["revision"] in rules
    ]


def _forgets(told: Told) -> list[int]:
    """When an epoch began in the midst of this life."""
    begun: dict[EpochName, int] = {}
    for event in told.events:
        begun.setdefault(event.epoch, event.up_ms)
    return sorted(begun.values())[1:]


def _same(told: Told, event: Event, place: int, true: Story, press: Press) -> Iterator[str]:
    meaning = true.meanings.get(place)
    if meaning is None:
        yield f"{told.name}: {_spelt(event)} is stored, and its press had no meaning yet when power went"
        return
    if event.type != meaning.type:
        yield f"{told.name}: {_spelt(event)} is stored, and by the contract {press} is {meaning.type} {meaning.detail}"
    elif event.type == "stray_pressed" and event.said["reason"] != meaning.detail:
        yield f"{told.name}: {_spelt(event)} is stray because of {event.said['reason']}, and truly of {meaning.detail}"
    elif (
        event.type == "survey_opened"
        and meaning.survey
        and _question(event) != (asked := _asked(event, meaning.survey))
    ):
        yield f"{told.name}: {_spelt(event)} asks {_question(event)}, and {asked} was in force"


def _declared(told: Told, event: Event, meaning: Meaning | None, indices: list[int]) -> Iterator[str]:
    """A force majeure names the survey that was open, by the number of its opening."""
    if meaning is None or event.type != "force_majeure_declared" or meaning.type != event.type:
        return
    opening = told.by_press.get(indices[meaning.survey.opened_by]) if meaning.survey else None
    true = opening.seq if opening else None
    if event.said["survey"] != true and (opening is not None or meaning.survey is None):
        yield f"{told.name}: {_spelt(event)} names survey {event.said['survey']}, and {true} was open"


def _stuck(told: Told, true: Story, torn: set[EpochName]) -> Iterator[str]:
    """A button that was held for too long is told once, at its time; no other is."""
    stored = [(event.said["button"], event.up_ms) for event in told.events if event.type == "button_stuck"]
    yield from (
        f"{told.name}: {button} is told stuck at {at} ms, and was not" for button, at in {*stored} - {*true.stuck}
    )
    for button, at_ms in {*true.stuck} - {*stored}:
        if told.life.keeps and _is_kept(told, at_ms) and not {event.epoch for event in told.events} & torn:
            yield f"{told.name}: {button} was stuck at {at_ms} ms, and nothing tells of it"


def _question(event: Event) -> tuple[str, int]:
    return event.said["question_id"], event.said["question_revision"]


def _asked(event: Event, survey: Survey) -> tuple[str, int]:
    return survey.rules.question or _question(event)


def _closes(told: Told, openings: dict[int, Survey], torn: set[EpochName]) -> Iterator[str]:
    closes: dict[tuple[EpochName, int], list[Event]] = defaultdict(list)
    for event in told.events:
        if event.type == "survey_closed":
            closes[event.epoch, event.said["survey"]].append(event)
    for index, survey in openings.items():
        opening = told.by_press.get(index)
        if opening is not None:
            yield from _closed(told, opening, survey, closes.pop((opening.epoch, opening.seq), []), torn)
    for (epoch, _), events in closes.items():
        if epoch not in torn:
            yield f"{told.name}: {_spelt(events[0])} is stored, and no survey {events[0].said['survey']} was opened"


def _closed(told: Told, opening: Event, survey: Survey, closes: list[Event], torn: set[EpochName]) -> Iterator[str]:
    name = f"{told.name}: survey {opening.seq} of epoch {opening.epoch[2]}"
    if len(closes) > 1:
        yield f"{name} is closed {len(closes)} times"
    if not closes:
        sure = survey.closed_ms is not None and told.life.keeps and _is_kept(told, survey.closed_ms)
        if sure and opening.epoch not in torn:
            yield f"{name} ended as {survey.outcome} ({survey.cause}) at {survey.closed_ms} ms, and no close is stored"
        return
    said = closes[0].said
    if (said["outcome"], said["cause"]) != (survey.outcome, survey.cause):
        yield f"{name} is closed as {said['outcome']} ({said['cause']}), truly as {survey.outcome} ({survey.cause})"
    elif said["opened_up_ms"] != opening.up_ms or _question(closes[0]) != _question(opening):
        yield f"{name} is closed by {_spelt(closes[0])}, which does not repeat its opening"
    elif said["cause"] != "fault" and survey.rules.question and closes[0].up_ms != survey.closed_ms:
        yield f"{name} ended at {survey.closed_ms} ms, and its close says {closes[0].up_ms}"
    elif said["cause"] == "answered" and said["response_ms"] != closes[0].up_ms - opening.up_ms:
        yield f"{name} was answered after {closes[0].up_ms - opening.up_ms} ms, and says {said['response_ms']}"


def _is_kept(told: Told, at_ms: int) -> bool:
    """Whether power stayed on long enough after it, and the board ran meanwhile."""
    life = told.life
    if life.ended_ms is None:
        return True
    from_ms = at_ms - told.offset_ms
    return from_ms + life.stood_ms(from_ms, life.ended_ms) + KEPT_MS < life.ended_ms


def _thanks(told: Told, gaps: list[Gap]) -> Iterator[str]:
    """Who was thanked is stored, or was once, and is counted as lost."""
    for thanks in told.life.thanks:
        at_ms = thanks.at_ms + told.offset_ms
        answers = [event for event in told.events if event.type == "survey_closed" and event.button == thanks.button]
        is_stored = any(_follows(told, event, thanks.at_ms) for event in answers)
        is_lost = any(_is_between((told.life.boot or 0, at_ms), gap) for gap in gaps)
        if told.life.keeps and not is_stored and not is_lost:
            yield f"{told.name}: {thanks.button} was thanked for at {at_ms} ms, and no such answer is stored"
    thanked = {(thanks.button, thanks.at_ms) for thanks in told.life.thanks}
    for index, event in told.by_press.items():
        press = told.life.presses[index]
        is_due = event.type == "survey_closed" and press.sure and _has_quiet_after(told.life, press)
        if is_due and not any(button == press.button and _follows(told, event, at) for button, at in thanked):
            yield f"{told.name}: {_spelt(event)} was not thanked for"


def _follows(told: Told, answer: Event, at_ms: int) -> bool:
    """Do thanks at this time of the board's clock come soon after the answer, as far as the board ran meanwhile?"""
    answered_ms = answer.up_ms - told.offset_ms
    return -EARLY_MS <= at_ms - answered_ms - told.life.stood_ms(answered_ms, at_ms) <= THANKS_MS


def _has_quiet_after(life: Life, press: Press) -> bool:
    """Nobody pressed again while thanks were due, and the board ran on."""
    until_ms = press.contact_ms + THANKS_MS
    others = [other for other in life.presses if press.contact_ms < other.contact_ms < until_ms]
    stood = life.stood_ms(press.contact_ms, until_ms) > STOOD_MS
    jumped = [at_ms for at_ms in life.jumps if press.contact_ms <= at_ms < until_ms]
    return not others and not stood and not jumped and (life.ended_ms is None or life.ended_ms > until_ms + KEPT_MS)


def _counters(
    epochs: dict[EpochName, Epoch],
    testimony: Testimony,
    pressed: Counter[tuple[EpochName, str]],
) -> Iterator[str]:
    """The board's own count of presses is what is stored and what is lost."""
    for name, counters in testimony.counters.items():
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


def _spelt(event: Event) -> str:
    return f"number {event.seq} of epoch {event.epoch[2]} ({event.type} {event.button or ''} at {event.up_ms} ms)"
