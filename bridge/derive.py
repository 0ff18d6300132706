"""What a survey and a force majeure are, given the facts: the rules, without any order of arrival."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from bridge.contract import ANSWERS, ForceMajeureDeclared, SurveyClosed, SurveyOpened, read_event
from bridge.dating import DAY_MS, clamp, hour_of
from bridge.store import surveys
from bridge.store.surveys import HOUR_MS, ForceMajeureRow, Stored, SurveyRow

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.store.events import Epoch

EVER = 2**62


class Facts:
    """The events that decide a survey, with their dates: its opening, and the close with the lowest number."""

    __slots__ = ("closed_at_ms", "closing", "closing_seq", "opened_at_ms", "opening")

    def __init__(self) -> None:
        self.opening: SurveyOpened | None = None
        self.opened_at_ms = 0
        self.closing: SurveyClosed | None = None
        self.closed_at_ms = 0
        self.closing_seq = EVER

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
    console = epoch.console
    if closing is not None:
        end = facts.closed_at_ms, closing.question_id, closing.question_revision, closing.outcome, closing.cause
        response_ms = closing.response_ms if closing.outcome in ANSWERS else None
        is_long = closing.boot != boot or max(closing.up_ms - up_ms, facts.closed_at_ms - at_ms) > HOUR_MS
    else:
        question = opening.question_id, opening.question_revision  # type: ignore[union-attr]
        is_lost = now_ms - at_ms >= DAY_MS or epoch.is_lost(survey)
        end = None, *question, *(("error", "lost") if is_lost else ("open", None))
        response_ms, is_long = None, False
    return SurveyRow(
        *(epoch.key, survey, console.key, boot, up_ms, at_ms),
        *end,
        response_ms if isinstance(response_ms, int) else None,
        0,
        _ask_every(epoch, survey),
        console.seller_at(at_ms),
        console.checkout_point_at(at_ms),
        hour_of(at_ms, console.timezone),
        int(is_long),
    )


def _ask_every(epoch: Epoch, survey: int) -> int | None:
    """`ask_every` of the last settings applied before the opening in its epoch."""
    index = bisect_left(epoch.applied, (survey, 0)) - 1
    return epoch.console.ask_every(epoch.applied[index][1]) if index >= 0 else None


def derive_force_majeure(epoch: Epoch, seq: int, stored: Stored) -> ForceMajeureRow:
    """The force majeure that this event declares."""
    event = read_event(stored.raw, ForceMajeureDeclared)
    console, at_ms = epoch.console, stored.dated_at_ms
    return ForceMajeureRow(
        *(epoch.key, seq, console.key, event.boot, event.up_ms, at_ms),
        *(event.survey, event.question_id, event.question_revision),
        *(console.seller_at(at_ms), console.checkout_point_at(at_ms), hour_of(at_ms, console.timezone)),
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


class Neighbours:
    """The force majeures that may touch some surveys of one epoch."""

    def __init__(self, store: Store, epoch: Epoch, reaches: list[Reach]) -> None:
        self._store = store
        self._epoch_key = epoch.key
        low, high = min(reach.from_ms for reach in reaches), max(reach.to_ms for reach in reaches)
        dated = surveys.force_majeures_dated(store, epoch.console.key, low, high)
        self._dated = sorted(dated, key=lambda row: row.dated_at_ms)
        self._dates = [row.dated_at_ms for row in self._dated]
        self._of_boot: dict[int, tuple[list[int], list[ForceMajeureRow]]] = {}
        for boot, (low_up, high_up) in _bounds_by_boot(reaches).items():
            rows = surveys.force_majeures_of_boot(store, epoch.key, boot, low_up, high_up)
            rows.sort(key=lambda row: row.up_ms)
            if rows:
                self._of_boot[boot] = [row.up_ms for row in rows], rows

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

    def mark(self, row: SurveyRow, facts: Facts, reach: Reach) -> SurveyRow:
        """The survey with `affected` as it is."""
        affected = self.touch(reach) or (
            facts.closing is None and surveys.is_named_by_force_majeure(self._store, row.epoch_key, row.survey)
        )
        return row._replace(affected=1) if affected else row


def _bounds_by_boot(reaches: list[Reach]) -> dict[int, tuple[int, int]]:
    """(lowest, highest) `up_ms` that matters, for each boot."""
    bounds: dict[int, tuple[int, int]] = {}
    for reach in reaches:
        if reach.from_boot == reach.to_boot:
            low, high = bounds.get(reach.from_boot, (EVER, -EVER))
            bounds[reach.from_boot] = min(low, reach.from_up_ms), max(high, reach.to_up_ms)
        else:
            bounds[reach.from_boot] = bounds[reach.to_boot] = (-EVER, EVER)
    return bounds
