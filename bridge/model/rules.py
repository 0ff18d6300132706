"""What a survey and a force majeure are, given the facts: the rules, without any order of arrival."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from bridge.model.dating import DAY_MS, clamp
from bridge.store import surveys
from bridge.store.surveys import HOUR_MS, ForceMajeureRow, Stored, SurveyRow
from bridge.wire.contract import ANSWERS, ForceMajeureDeclared, SurveyClosed, SurveyOpened, read_event

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.store.events import Epoch

EVER = 2**62
AT_ONCE = 100  # surveys whose force majeures are looked for at once: near most hundreds there are none


class Facts(Struct, gc=False):
    """The events that decide a survey, with their dates: its opening, and the close with the lowest number."""

    opening: SurveyOpened | None = None
    opened_at_ms: int = 0
    closing: SurveyClosed | None = None
    closed_at_ms: int = 0
    closing_seq: int = EVER

    @classmethod
    def read(cls, store: Store, epoch_key: int, survey: int) -> Facts:
        """The facts as stored."""
        facts = cls()
        opening = surveys.opening(store, epoch_key, survey)
        if opening is not None:
            facts.opening, facts.opened_at_ms = read_event(opening.raw, SurveyOpened), opening.dated_at_ms
        closing = surveys.closing(store, epoch_key, survey)
        if closing is not None:
            facts.closing, facts.closed_at_ms = read_event(closing.raw, SurveyClosed), closing.dated_at_ms
        return facts

    def note_opening(self, event: SurveyOpened, at_ms: int) -> None:
        """The survey's opening."""
        self.opening, self.opened_at_ms = event, at_ms

    def note_close(self, seq: int, event: SurveyClosed, at_ms: int) -> None:
        """One more close: the lowest number decides."""
        if seq < self.closing_seq:
            self.closing, self.closing_seq, self.closed_at_ms = event, seq, at_ms


def derive_survey(epoch: Epoch, survey: int, facts: Facts, now_ms: int) -> SurveyRow:
    """The survey that these facts make, force majeure left aside; there is an opening or a close."""
    opening, closing = facts.opening, facts.closing
    if opening is not None:
        boot, up_ms, at_ms = opening.boot, opening.up_ms, facts.opened_at_ms
    elif closing is not None:
        boot, up_ms = closing.boot, closing.opened_up_ms
        at_ms = clamp(facts.closed_at_ms - (closing.up_ms - up_ms))
    else:
        raise ValueError(survey)
    closed_at_ms: int | None
    outcome: str
    cause: str | None
    if closing is not None:
        closed_at_ms, outcome, cause = facts.closed_at_ms, closing.outcome, closing.cause
        question_id, question_revision = closing.question_id, closing.question_revision
        response_ms = closing.response_ms if outcome in ANSWERS and isinstance(closing.response_ms, int) else None
        is_long = closing.boot != boot or closing.up_ms - up_ms > HOUR_MS or closed_at_ms - at_ms > HOUR_MS
    else:
        question_id, question_revision = opening.question_id, opening.question_revision  # type: ignore[union-attr]
        is_lost = now_ms - at_ms >= DAY_MS or epoch.is_lost(survey)
        outcome, cause = ("error", "lost") if is_lost else ("open", None)
        closed_at_ms, response_ms, is_long = None, None, False
    console = epoch.console
    seller_id, checkout_point_id, hour = console.stand_at(at_ms)
    ask_every = _ask_every(epoch, survey)
    which = (epoch.key, survey, console.key, boot, up_ms, at_ms, closed_at_ms, question_id, question_revision)
    what = (outcome, cause, response_ms, 0, ask_every, seller_id, checkout_point_id, hour, int(is_long))
    return tuple.__new__(SurveyRow, which + what)  # there are many: a third of the time that SurveyRow(…) takes


def _ask_every(epoch: Epoch, survey: int) -> int | None:
    """`ask_every` of the last settings applied before the opening in its epoch."""
    applied = epoch.applied
    index = len(applied) - 1
    if index >= 0 and applied[index][0] >= survey:  # seldom: it is an older survey
        index = bisect_left(applied, (survey, 0)) - 1
    return epoch.console.ask_every(applied[index][1]) if index >= 0 else None


def derive_force_majeure(epoch: Epoch, seq: int, stored: Stored) -> ForceMajeureRow:
    """The force majeure that this event declares."""
    event = read_event(stored.raw, ForceMajeureDeclared)
    console, at_ms = epoch.console, stored.dated_at_ms
    return ForceMajeureRow(
        *(epoch.key, seq, console.key, event.boot, event.up_ms, at_ms),
        *(event.survey, event.question_id, event.question_revision),
        *console.stand_at(at_ms),
    )


class Reach(NamedTuple):
    """From when to when a force majeure touches a survey, by both clocks; bounds are included."""

    from_boot: int
    from_up_ms: int
    from_ms: int
    to_boot: int
    to_up_ms: int
    to_ms: int

    @classmethod
    def of(cls, row: SurveyRow, facts: Facts, scope_ms: int) -> Reach:
        """From the scope before the opening up to the close, or to the opening where there is none."""
        start = row.boot, row.opened_up_ms - scope_ms, row.opened_at_ms - scope_ms
        if facts.closing is None:
            return cls(*start, row.boot, row.opened_up_ms, row.opened_at_ms)
        return cls(*start, facts.closing.boot, facts.closing.up_ms, facts.closed_at_ms)

    def holds(self, epoch_key: int, row: ForceMajeureRow) -> bool:
        """Whether this force majeure lies within: by `up_ms` in the same boot, else by date."""
        same = row.epoch_key == epoch_key
        if same and row.boot == self.from_boot:
            is_after = row.up_ms >= self.from_up_ms
        else:
            is_after = row.dated_at_ms >= self.from_ms
        if same and row.boot == self.to_boot:
            return is_after and row.up_ms <= self.to_up_ms
        return is_after and row.dated_at_ms <= self.to_ms


def mark_affected(store: Store, epoch: Epoch, derived: list[tuple[SurveyRow, Facts]]) -> list[SurveyRow]:
    """These surveys of one epoch, with `affected` as it is."""
    scope_ms = epoch.console.scope_ms
    marked = []
    for start in range(0, len(derived), AT_ONCE):
        some = derived[start : start + AT_ONCE]
        near = Neighbours.of(store, epoch, some)
        for row, facts in some:
            affected = near is not None and near.touch(Reach.of(row, facts, scope_ms))
            if not affected and facts.closing is None:
                affected = surveys.is_named_by_force_majeure(store, row.epoch_key, row.survey)
            marked.append(row._replace(affected=1) if affected else row)
    return marked


class Neighbours:
    """The force majeures that may touch some surveys of one epoch."""

    def __init__(self, epoch_key: int, dated: list[ForceMajeureRow], of_boot: dict[int, list[ForceMajeureRow]]) -> None:
        self._epoch_key = epoch_key
        self._dated = sorted(dated, key=lambda row: row.dated_at_ms)
        self._dates = [row.dated_at_ms for row in self._dated]
        self._of_boot: dict[int, tuple[list[int], list[ForceMajeureRow]]] = {}
        for boot, rows in of_boot.items():
            rows.sort(key=lambda row: row.up_ms)
            self._of_boot[boot] = [row.up_ms for row in rows], rows

    @classmethod
    def of(cls, store: Store, epoch: Epoch, derived: list[tuple[SurveyRow, Facts]]) -> Neighbours | None:
        """What lies near these surveys; None, as mostly, where nothing does."""
        rows, closings = [row for row, _ in derived], [facts.closing for _, facts in derived if facts.closing]
        from_ms = min([row.opened_at_ms for row in rows]) - epoch.console.scope_ms
        to_ms = max([row.closed_at_ms or row.opened_at_ms for row in rows])
        dated = surveys.force_majeures_dated(store, epoch.console.key, from_ms, to_ms)
        boots = {row.boot for row in rows} | {closing.boot for closing in closings}
        low_up_ms, high_up_ms = -EVER, EVER
        if len(boots) == 1:  # else a survey may have been closed in another boot than it was opened in
            low_up_ms = min([row.opened_up_ms for row in rows]) - epoch.console.scope_ms
            high_up_ms = max([row.opened_up_ms for row in rows] + [closing.up_ms for closing in closings])
        of_boot = {
            boot: found
            for boot in boots
            if (found := surveys.force_majeures_of_boot(store, epoch.key, boot, low_up_ms, high_up_ms))
        }
        return cls(epoch.key, dated, of_boot) if dated or of_boot else None

    def touch(self, reach: Reach) -> bool:
        """Whether any of them lies within this reach."""
        if self._dated:
            start, end = bisect_left(self._dates, reach.from_ms), bisect_right(self._dates, reach.to_ms)
            if any(reach.holds(self._epoch_key, row) for row in self._dated[start:end]):
                return True
        if self._of_boot:
            if reach.from_boot == reach.to_boot:
                return self._touch_in_boot(reach, reach.from_boot, reach.from_up_ms, reach.to_up_ms)
            return self._touch_in_boot(reach, reach.from_boot, reach.from_up_ms, EVER) or self._touch_in_boot(
                reach, reach.to_boot, -EVER, reach.to_up_ms
            )
        return False

    def _touch_in_boot(self, reach: Reach, boot: int, low_up_ms: int, high_up_ms: int) -> bool:
        ups, rows = self._of_boot.get(boot, ([], []))
        start, end = bisect_left(ups, low_up_ms), bisect_right(ups, high_up_ms)
        return any(reach.holds(self._epoch_key, row) for row in rows[start:end])
