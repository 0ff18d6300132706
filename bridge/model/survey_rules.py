"""The rules that make a survey or a force majeure of events, in whatever order those arrived."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from bridge.model.dating import clamp
from bridge.model.local_time import DAY_MS
from bridge.model.periods import EVER
from bridge.model.survey import LONG_SURVEY_MS, ForceMajeureRow, StoredEvent, SurveyRow
from bridge.wire.contract import ANSWERS, ForceMajeureDeclared, SurveyClosed, SurveyOpened, read_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.model.epoch import Epoch

LOST_AFTER_MS = DAY_MS  # a survey without a close for so long is lost


class DecidingEvents(Struct, gc=False):
    """The events that decide a survey, with their dates: its opening, and the close with the lowest number."""

    opening: SurveyOpened | None = None
    opened_at_ms: int = 0
    closing: SurveyClosed | None = None
    closed_at_ms: int = 0
    closing_seq: int = EVER

    @classmethod
    def of_stored(cls, opening: StoredEvent | None, closing: StoredEvent | None) -> DecidingEvents:
        """Read the deciding events from the store's rows."""
        deciding = cls()
        if opening is not None:
            deciding.opening, deciding.opened_at_ms = read_event(opening.raw, SurveyOpened), opening.dated_at_ms
        if closing is not None:
            deciding.closing, deciding.closed_at_ms = read_event(closing.raw, SurveyClosed), closing.dated_at_ms
        return deciding

    def note_opening(self, event: SurveyOpened, at_ms: int) -> None:
        """Take in the survey's opening."""
        self.opening, self.opened_at_ms = event, at_ms

    def note_close(self, seq: int, event: SurveyClosed, at_ms: int) -> None:
        """Take in a close: the one with the lowest number decides."""
        if seq < self.closing_seq:
            self.closing, self.closing_seq, self.closed_at_ms = event, seq, at_ms


def derive_survey(epoch: Epoch, survey: int, deciding: DecidingEvents, now_ms: int) -> SurveyRow:
    """Derive the survey that these events make, not yet marked as affected by force majeure.

    Raises ValueError where there is neither an opening nor a close.
    """
    opening, closing = deciding.opening, deciding.closing
    if opening is not None:
        boot, up_ms, at_ms = opening.boot, opening.up_ms, deciding.opened_at_ms
    elif closing is not None:
        boot, up_ms = closing.boot, closing.opened_up_ms
        at_ms = clamp(deciding.closed_at_ms - (closing.up_ms - up_ms))
    else:
        raise ValueError(survey)
    closed_at_ms: int | None
    outcome: str
    cause: str | None
    if closing is not None:
        closed_at_ms, outcome, cause = deciding.closed_at_ms, closing.outcome, closing.cause
        question_id, question_revision = closing.question_id, closing.question_revision
        response_ms = closing.response_ms if outcome in ANSWERS and isinstance(closing.response_ms, int) else None
        is_long = (
            closing.boot != boot or closing.up_ms - up_ms > LONG_SURVEY_MS or closed_at_ms - at_ms > LONG_SURVEY_MS
        )
    else:
        question_id, question_revision = opening.question_id, opening.question_revision  # type: ignore[union-attr]
        is_lost = now_ms - at_ms >= LOST_AFTER_MS or epoch.is_lost(survey)
        outcome, cause = ("error", "lost") if is_lost else ("open", None)
        closed_at_ms, response_ms, is_long = None, None, False
    console = epoch.console
    seller_id, checkout_point_id, hour = console.whereabouts_at(at_ms)
    ask_every = epoch.ask_every(survey)
    which = (epoch.key, survey, console.key, boot, up_ms, at_ms, closed_at_ms, question_id, question_revision)
    what = (outcome, cause, response_ms, 0, ask_every, seller_id, checkout_point_id, hour, int(is_long))
    return tuple.__new__(SurveyRow, which + what)  # there are many: a third of the time that SurveyRow(…) takes


def derive_force_majeure(epoch: Epoch, seq: int, stored: StoredEvent) -> ForceMajeureRow:
    """Derive the force majeure that this event declares."""
    event = read_event(stored.raw, ForceMajeureDeclared)
    console, at_ms = epoch.console, stored.dated_at_ms
    return ForceMajeureRow(
        *(epoch.key, seq, console.key, event.boot, event.up_ms, at_ms),
        *(event.survey, event.question_id, event.question_revision),
        *console.whereabouts_at(at_ms),
    )


class Reach(NamedTuple):
    """The span in which a force majeure affects a survey, by both clocks; bounds are included."""

    from_boot: int
    from_up_ms: int
    from_ms: int
    to_boot: int
    to_up_ms: int
    to_ms: int

    @classmethod
    def of(cls, row: SurveyRow, deciding: DecidingEvents, scope_ms: int) -> Reach:
        """Reach from the scope before the opening up to the close, or to the opening where there is no close."""
        start = row.boot, row.opened_up_ms - scope_ms, row.opened_at_ms - scope_ms
        if deciding.closing is None:
            return cls(*start, row.boot, row.opened_up_ms, row.opened_at_ms)
        return cls(*start, deciding.closing.boot, deciding.closing.up_ms, deciding.closed_at_ms)

    def holds(self, epoch_key: int, row: ForceMajeureRow) -> bool:
        """Return whether a force majeure lies within: by `up_ms` in the same boot, else by date."""
        same = row.epoch_key == epoch_key
        if same and row.boot == self.from_boot:
            is_after = row.up_ms >= self.from_up_ms
        else:
            is_after = row.dated_at_ms >= self.from_ms
        if same and row.boot == self.to_boot:
            return is_after and row.up_ms <= self.to_up_ms
        return is_after and row.dated_at_ms <= self.to_ms


def is_affected(
    row: SurveyRow,
    deciding: DecidingEvents,
    nearby: NearbyForceMajeures | None,
    scope_ms: int,
    is_named: Callable[[int, int], bool],
) -> bool:
    """Return whether force majeure affects a survey.

    One does that lies within the survey's reach. Without a close the reach ends at the opening, and one that names the
    survey affects it too: `is_named` takes (epoch_key, survey).
    """
    if nearby is not None and nearby.affect(row, deciding, scope_ms):
        return True
    return deciding.closing is None and is_named(row.epoch_key, row.survey)


class NearbyBounds(NamedTuple):
    """The span in which force majeures may affect some surveys of one epoch; bounds are included."""

    from_ms: int
    to_ms: int
    boots: frozenset[int]
    from_up_ms: int
    to_up_ms: int

    @classmethod
    def of(cls, derived: list[tuple[SurveyRow, DecidingEvents]], scope_ms: int) -> NearbyBounds:
        """Bound them around these surveys, of which there is at least one."""
        rows, closings = [row for row, _ in derived], [deciding.closing for _, deciding in derived if deciding.closing]
        boots = frozenset({row.boot for row in rows} | {closing.boot for closing in closings})
        from_up_ms, to_up_ms = -EVER, EVER
        if len(boots) == 1:  # else a survey may have been closed in another boot than it was opened in
            from_up_ms = min([row.opened_up_ms for row in rows]) - scope_ms
            to_up_ms = max([row.opened_up_ms for row in rows] + [closing.up_ms for closing in closings])
        return cls(
            min([row.opened_at_ms for row in rows]) - scope_ms,
            max([row.closed_at_ms or row.opened_at_ms for row in rows]),
            boots,
            from_up_ms,
            to_up_ms,
        )


class NearbyForceMajeures:
    """The force majeures that may affect some surveys of one epoch."""

    def __init__(self, epoch_key: int, dated: list[ForceMajeureRow], of_boot: dict[int, list[ForceMajeureRow]]) -> None:
        """Take those of the console by date, and those of the epoch by boot, as `NearbyBounds` bounds them."""
        self._epoch_key = epoch_key
        self._dated = sorted(dated, key=lambda row: row.dated_at_ms)
        self._dates = [row.dated_at_ms for row in self._dated]
        self._of_boot: dict[int, tuple[list[int], list[ForceMajeureRow]]] = {}
        for boot, rows in of_boot.items():
            rows.sort(key=lambda row: row.up_ms)
            self._of_boot[boot] = [row.up_ms for row in rows], rows

    def affect(self, row: SurveyRow, deciding: DecidingEvents, scope_ms: int) -> bool:
        """Return whether any of them lies within the survey's reach."""
        reach = Reach.of(row, deciding, scope_ms)
        if self._dated:
            start, end = bisect_left(self._dates, reach.from_ms), bisect_right(self._dates, reach.to_ms)
            if any(reach.holds(self._epoch_key, near) for near in self._dated[start:end]):
                return True
        if self._of_boot:
            if reach.from_boot == reach.to_boot:
                return self._affect_in_boot(reach, reach.from_boot, reach.from_up_ms, reach.to_up_ms)
            return self._affect_in_boot(reach, reach.from_boot, reach.from_up_ms, EVER) or self._affect_in_boot(
                reach, reach.to_boot, -EVER, reach.to_up_ms
            )
        return False

    def _affect_in_boot(self, reach: Reach, boot: int, low_up_ms: int, high_up_ms: int) -> bool:
        ups, rows = self._of_boot.get(boot, ([], []))
        start, end = bisect_left(ups, low_up_ms), bisect_right(ups, high_up_ms)
        return any(reach.holds(self._epoch_key, row) for row in rows[start:end])
