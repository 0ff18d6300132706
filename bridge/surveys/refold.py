"""Fold surveys again after a change to shifts, placements, time zones or the scope of force majeure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.periods import EVER
from bridge.store import surveys
from bridge.store.consoles import console_ids, find_console, site_ids
from bridge.surveys.fold import Fold

if TYPE_CHECKING:
    from bridge.store import Store


def refold_console(
    store: Store, site_id: str, console_id: str, from_ms: int | None = None, to_ms: int | None = None
) -> None:
    """Fold the surveys of a console again that were opened from `from_ms` to `to_ms` (included; None: no limit).

    Call it inside the transaction, after a change to the console's shifts, placements, settings or scope.
    """
    store.forget()
    console = find_console(store, site_id, console_id)
    if console is None:
        return
    low, high = -EVER if from_ms is None else from_ms, EVER if to_ms is None else to_ms
    fold = Fold(store)
    for row in surveys.force_majeures_dated(store, console.key, low, high):
        fold.mark_force_majeure(row.epoch_key, row.seq)
    fold.mark_all(surveys.surveys_opened(store, console.key, low, high))
    fold.finish()


def refold_site(store: Store, site_id: str) -> None:
    """Fold all surveys of a site again, after a change to its time zone or scope."""
    for console_id in console_ids(store, site_id):
        refold_console(store, site_id, console_id)


def refold_all(store: Store) -> None:
    """Fold all surveys again, after a change to the scope of all consoles."""
    for site_id in site_ids(store):
        refold_site(store, site_id)
