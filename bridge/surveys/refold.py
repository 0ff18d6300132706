"""Fold surveys again after a change to shifts, placements, time zones or the scope of force majeure.

What is due is staged as part of the change: `admin/imports.py` carries it out in steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.periods import EVER
from bridge.store import imports, surveys
from bridge.store.consoles import console_ids, find_console, site_ids
from bridge.surveys.facts import SurveysChanged
from bridge.surveys.fold import Fold

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from bridge.model.survey import SurveyRow
    from bridge.store import Store
    from bridge.surveys.facts import Fact

SURVEYS_AT_ONCE = 1_000
DAY_LENGTH = len("2026-11-22")  # at the beginning of an hour
MOVES = ("seller_id", "checkout_point_id", "day", "hour", "affected")


def stage_refold_of_console(store: Store, site_id: str, console_id: str, from_ms: int) -> None:
    """Stage that the surveys of a console that were opened from an instant on are to be folded again."""
    imports.stage_refold(store, site_id, console_id, from_ms, EVER)


def stage_refold_of_site(store: Store, site_id: str, from_ms: int = -EVER, to_ms: int = EVER) -> None:
    """Stage that all surveys of a site in a period are to be folded again, and its counts assigned."""
    for console_id in ("", *console_ids(store, site_id)):
        imports.stage_refold(store, site_id, console_id, from_ms, to_ms)


def stage_refold_of_all(store: Store) -> None:
    """Stage that all surveys are to be folded again."""
    for site_id in site_ids(store):
        stage_refold_of_site(store, site_id)


def _get(row: SurveyRow | None, name: str) -> object:
    if row is None:
        return None
    return row.hour[:DAY_LENGTH] if name == "day" else getattr(row, name)


def refold_steps(
    store: Store, site_id: str, console_id: str, from_ms: int, to_ms: int, moved: Counter[str]
) -> Iterator[None]:
    """Fold the surveys of a console again that were opened from `from_ms` to `to_ms`, both included, in steps.

    Each step may be a transaction of its own. `moved` counts surveys by which of MOVES was known and has changed.
    """

    def emit(fact: Fact) -> None:
        if isinstance(fact, SurveysChanged):
            for old, new in fact.changes:
                moved.update(name for name in MOVES if _get(old, name) not in {None, _get(new, name)})

    store.forget()
    console = find_console(store, site_id, console_id)
    if console is None:
        return
    fold = Fold(store, emit)
    for row in surveys.force_majeures_dated(store, console.key, from_ms, to_ms):
        fold.mark_force_majeure(row.epoch_key, row.seq)
    marked = surveys.surveys_opened(store, console.key, from_ms, to_ms)
    fold.finish()
    for start in range(0, len(marked), SURVEYS_AT_ONCE):
        fold = Fold(store, emit)
        fold.mark_all(marked[start : start + SURVEYS_AT_ONCE])
        fold.finish()
        yield
