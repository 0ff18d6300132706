"""Read and store targets."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from bridge.model.target import Target, Targets, TargetScope

if TYPE_CHECKING:
    from bridge.store.connection import Store

_SCOPE = "question_id = ? AND figure = ? AND site_id = ? AND checkout_point_id = ? AND seller_id = ?"


def in_force(store: Store) -> Targets:
    """Return all targets, each in force from its day on: `at` and `spans` say which of them is, for whom and when."""
    return Targets(every_target(store))


def every_target(store: Store) -> list[Target]:
    """Return all targets, by question, figure, scope and day; one whose value is None ends those before."""
    rows = store.all(
        "SELECT question_id, figure, site_id, checkout_point_id, seller_id, from_day, value, set_at_ms, set_by"
        " FROM target ORDER BY 1, 2, 3, 4, 5, 6"
    )
    return [
        Target(question_id, figure, TargetScope(*scope), date.fromisoformat(from_day), *rest)
        for question_id, figure, *scope, from_day, value, set_at_ms, set_by in rows
        for rest in ((value, set_at_ms, set_by),)
    ]


def keep_target(store: Store, target: Target) -> None:
    """Store a target, in the place of the one from the same day on."""
    store.run(
        "INSERT OR REPLACE INTO target (question_id, figure, site_id, checkout_point_id, seller_id, from_day, value,"
        " set_at_ms, set_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*_key(target), target.from_day.isoformat(), target.value, target.set_at_ms, target.set_by),
    )


def delete_target(store: Store, target: Target) -> None:
    """Delete a target; the one before it goes on."""
    store.run(f"DELETE FROM target WHERE {_SCOPE} AND from_day = ?", (*_key(target), target.from_day.isoformat()))  # noqa: S608 - no outside text


def _key(target: Target) -> tuple[str, ...]:
    return target.question_id, target.figure, *target.scope
