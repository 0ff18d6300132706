"""Fold events into surveys and force majeures, and have the rollups follow every change to them.

The result depends only on the set of events, not on their order of arrival. Every change takes the same way: mark the
surveys that it may affect, derive them again from the stored events, compare them with what was stored, and add the
difference to the rollups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.dating import date_event
from bridge.model.survey_rules import (
    LOST_AFTER_MS,
    DecidingEvents,
    NearbyBounds,
    NearbyForceMajeures,
    derive_force_majeure,
    derive_survey,
    is_affected,
)
from bridge.store import events, surveys
from bridge.store.rollups import Deltas
from bridge.surveys.facts import ForceMajeuresChanged, SurveysChanged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model.epoch import Boot, Epoch
    from bridge.model.survey import ForceMajeureRow, SurveyRow
    from bridge.store import Store
    from bridge.surveys.facts import Emit

CHUNK = 2_000  # surveys derived at a time, to bound memory
MARKED_AT_ONCE = 100  # surveys whose force majeures are looked up at a time: most hundreds have none nearby


class Fold:
    """Collects what one transaction has to derive again: mark it, then `finish`."""

    def __init__(self, store: Store, emit: Emit = lambda _: None) -> None:
        self._store = store
        self._emit = emit
        self._deltas = Deltas()
        self._surveys: dict[int, set[int]] = {}
        self._force_majeures: dict[int, set[int]] = {}
        self._fresh: dict[int, dict[int, DecidingEvents]] = {}
        self._changed: list[SurveyRow] = []

    def mark(self, epoch_key: int, survey: int) -> None:
        """Mark a survey that may have changed."""
        marked = self._surveys.get(epoch_key)
        if marked is None:
            marked = self._surveys[epoch_key] = set()
        marked.add(survey)

    def mark_all(self, keys: Iterable[tuple[int, int]]) -> None:
        """Mark surveys, as (epoch_key, survey), that may have changed."""
        for epoch_key, survey in keys:
            self.mark(epoch_key, survey)

    def mark_force_majeure(self, epoch_key: int, seq: int) -> None:
        """Mark a force majeure that is new or may have changed."""
        self._force_majeures.setdefault(epoch_key, set()).add(seq)

    def mark_lost(self, epoch: Epoch) -> None:
        """Mark the open surveys of an epoch that may be lost, now that events came or `through` rose."""
        for survey in epoch.open:
            if survey < epoch.last_opener:
                self.mark(epoch.key, survey)

    def fresh(self, epoch_key: int) -> dict[int, DecidingEvents]:
        """Return the deciding events of surveys that begin in this transaction, by number; the caller fills them in."""
        return self._fresh.setdefault(epoch_key, {})

    def redate(self, epoch: Epoch, number: int, boot: Boot) -> None:
        """Date the events of a boot again, if the offset that they are dated by has changed."""
        if boot.basis == boot.dated_by:
            return
        boot.dated_by = boot.basis
        if not boot.may_be_undated:
            return
        dates = []
        for seq, kind, up_ms, old_ms, old_by, survey in events.undated_events(self._store, epoch.key, number):
            at_ms, by = date_event(None, up_ms, boot.clock_offset_ms, boot.arrival_offset_ms)
            if (at_ms, by) == (old_ms, old_by):
                continue
            dates.append((at_ms, by, seq))
            if kind == "force_majeure_declared":
                self.mark_force_majeure(epoch.key, seq)
            elif survey is not None or kind == "survey_opened":
                named = seq if survey is None else survey
                self.mark(epoch.key, named)
                self.fresh(epoch.key).pop(named, None)
        events.redate_events(self._store, epoch.key, dates)

    def finish(self) -> None:
        """Derive what was marked, store it, and update the rollups."""
        self._fold_marked_force_majeures()
        for epoch_key in sorted(self._surveys.keys() | self._fresh.keys()):
            epoch = events.epoch_by_key(self._store, epoch_key)
            marked_surveys = sorted(self._surveys.get(epoch_key, set()) | self.fresh(epoch_key).keys())
            for start in range(0, len(marked_surveys), CHUNK):
                self._fold_surveys(epoch, marked_surveys[start : start + CHUNK])
                if len(self._changed) >= CHUNK:
                    self._flush()
        self._flush()
        self._deltas.save(self._store)
        self._surveys.clear()
        self._fresh.clear()

    def _flush(self) -> None:
        surveys.save_surveys(self._store, self._changed)
        self._changed.clear()

    def finish_force_majeures(self) -> None:
        """Derive only the force majeures: a rebuild derives all of them before the surveys that they affect."""
        self._fold_marked_force_majeures()
        self._deltas.save(self._store)

    def _fold_marked_force_majeures(self) -> None:
        for epoch_key, marked in self._force_majeures.items():
            self._fold_force_majeures(events.epoch_by_key(self._store, epoch_key), sorted(marked))
        self._force_majeures.clear()

    def _fold_force_majeures(self, epoch: Epoch, marked: list[int]) -> None:
        console = epoch.console
        changes: list[tuple[ForceMajeureRow | None, ForceMajeureRow]] = []
        for seq in marked:
            old = surveys.force_majeure_row(self._store, epoch.key, seq)
            event = surveys.declaration(self._store, epoch.key, seq)
            new = derive_force_majeure(epoch, seq, event) if event else None
            if new == old:
                continue
            for row, sign in ((old, -1), (new, 1)):
                if row is not None:
                    self._deltas.add_force_majeure(console.site_id, console.console_id, row, sign)
                    self._mark_affected_by(row, console.scope_ms)
            if new is not None:
                changes.append((old, new))
        surveys.save_force_majeures(self._store, [new for _, new in changes])
        if changes:
            self._emit(ForceMajeuresChanged(console.name, changes))

    def _mark_affected_by(self, row: ForceMajeureRow, scope_ms: int) -> None:
        self.mark_all(surveys.surveys_near(self._store, row, scope_ms))

    def _fold_surveys(self, epoch: Epoch, marked: list[int]) -> None:
        fresh, now_ms = self.fresh(epoch.key), self._store.now_ms
        stored_rows: list[SurveyRow | None] = []
        derived: list[tuple[SurveyRow, DecidingEvents]] = []
        for survey in marked:
            deciding, old = fresh.get(survey), None
            if deciding is None:
                old = surveys.survey_row(self._store, epoch.key, survey)
                deciding = DecidingEvents.of_stored(
                    surveys.opening(self._store, epoch.key, survey), surveys.closing(self._store, epoch.key, survey)
                )
            if deciding.opening is not None or deciding.closing is not None:
                stored_rows.append(old)
                derived.append((derive_survey(epoch, survey, deciding, now_ms), deciding))
        if derived:
            self._save_surveys(epoch, stored_rows, self._mark_affected(epoch, derived))

    def _mark_affected(self, epoch: Epoch, derived: list[tuple[SurveyRow, DecidingEvents]]) -> list[SurveyRow]:
        """Return these surveys of one epoch, each with `affected` set if a force majeure affects it."""
        scope_ms = epoch.console.scope_ms
        marked = []
        for start in range(0, len(derived), MARKED_AT_ONCE):
            some = derived[start : start + MARKED_AT_ONCE]
            near = self._nearby(epoch, NearbyBounds.of(some, scope_ms))
            if near is None and all(deciding.closing for _, deciding in some):  # nothing can affect these
                marked += [row for row, _ in some]
                continue
            for row, deciding in some:
                affected = is_affected(row, deciding, near, scope_ms, self._is_named)
                marked.append(row._replace(affected=1) if affected else row)
        return marked

    def _is_named(self, epoch_key: int, survey: int) -> bool:
        return surveys.is_named_by_force_majeure(self._store, epoch_key, survey)

    def _nearby(self, epoch: Epoch, bounds: NearbyBounds) -> NearbyForceMajeures | None:
        """Find the force majeures within these bounds; None if there are none, which is usual."""
        dated = surveys.force_majeures_dated(self._store, epoch.console.key, bounds.from_ms, bounds.to_ms)
        of_boot = {
            boot: found
            for boot in bounds.boots
            if (
                found := surveys.force_majeures_of_boot(
                    self._store, epoch.key, boot, bounds.from_up_ms, bounds.to_up_ms
                )
            )
        }
        return NearbyForceMajeures(epoch.key, dated, of_boot) if dated or of_boot else None

    def _save_surveys(self, epoch: Epoch, stored_rows: list[SurveyRow | None], derived_rows: list[SurveyRow]) -> None:
        site_id, console_id = epoch.console.name
        changes = [(old, new) for old, new in zip(stored_rows, derived_rows, strict=True) if old != new]
        after = [new for _, new in changes]
        epoch.open.difference_update([new.survey for new in after])
        epoch.open.update([new.survey for new in after if new.outcome == "open"])
        self._changed += after
        self._deltas.add_surveys(site_id, console_id, [old for old, _ in changes if old is not None], -1)
        self._deltas.add_surveys(site_id, console_id, after, 1)
        if changes:
            self._emit(SurveysChanged(epoch.console.name, changes))


def sweep(store: Store, emit: Emit = lambda _: None) -> int:
    """Close surveys as lost that have been open for 24 h; return how many were looked at."""
    fold = Fold(store, emit)
    keys = surveys.open_since(store, store.now_ms - LOST_AFTER_MS)
    fold.mark_all(keys)
    fold.finish()
    return len(keys)
