"""Set targets of key questions' figures from a day on, and remove them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bridge.admin.known_names import KnownNames
from bridge.errors import TrivoxError, UsageError
from bridge.model.history import HistoryChange
from bridge.model.local_time import day_starts_ms, local
from bridge.model.periods import EVER
from bridge.model.target import AT_MOST, RANGES, Target, TargetScope
from bridge.store import places, settings
from bridge.store import targets as table
from bridge.store.history import record_change
from bridge.text import printable

if TYPE_CHECKING:
    from datetime import date

    from bridge.admin.commands import RemoveTarget, SetTarget, TargetOf
    from bridge.model.target import TargetFigure
    from bridge.store import Store

INDEX_OF_KIND: dict[str, TargetFigure] = {
    "personnel": "dissatisfaction_index",
    "office": "dissatisfaction_index",
    "loyalty": "emotional_loyalty_index",
}


def set_target(store: Store, command: SetTarget) -> dict[str, Any]:
    """Set a target from a day on, in the place of one from the same day. Raises UsageError.

    Returns its `figure`, the `target` in words, its `scope`, the day `from`, and whether that day is `past`.
    """
    figure, scope, from_day = _read(store, command.of, command.from_day)
    low, high = RANGES[figure]
    if not (math.isfinite(command.value) and low <= command.value <= high):
        raise UsageError(
            f"A target of the {_spelled(figure)} is a number from {low:g} to {high:g}, a share, not percent."
        )
    target = Target(
        command.of.question_id, figure, scope, from_day, command.value + 0.0, store.now_ms, store.origin.who
    )
    before = next((old for old in _of_scope(store, target) if old.from_day == from_day), None)
    _record(store, target, before, target)
    if before is None or before.value != target.value:
        table.keep_target(store, target)
    return _result(store, target)


def remove_target(store: Store, command: RemoveTarget) -> dict[str, Any]:
    """Have no target of a scope from a day on; those set for later days go too. Raises TrivoxError if there is none.

    Returns the same as `set_target`, of the target that holds no more.
    """
    figure, scope, from_day = _read(store, command.of, command.from_day)
    end = Target(command.of.question_id, figure, scope, from_day, None, store.now_ms, store.origin.who)
    found = _of_scope(store, end)
    before = [old for old in found if old.from_day < from_day]
    later = [old for old in found if old.from_day >= from_day]
    in_force = before[-1] if before and before[-1].value is not None else None
    ended = [old for old in later if old.value is not None]
    if not (in_force or ended):
        raise TrivoxError(
            f"There is no target of the {_spelled(figure)} of {printable(end.question_id)} for {printable(str(scope))} "
            f"from {from_day} on: see `trivox target list`."
        )
    for old in later:
        _record(store, old, old if old.value is not None else None, None)
        table.delete_target(store, old)
    if in_force:
        _record(store, end, in_force, None)
        table.keep_target(store, end)
    return _result(store, in_force or ended[0], from_day)


def drop_targets(store: Store, **of: str) -> None:
    """Drop all targets of a site, checkout point, seller or key question that is removed; `of` has its ids."""
    for target in table.every_target(store):
        ids = target.scope._asdict() | {"question_id": target.question_id}
        if all(ids[name] == value for name, value in of.items()):
            _record(store, target, target if target.value is not None else None, None)
            table.delete_target(store, target)


def _of_scope(store: Store, target: Target) -> list[Target]:
    return table.in_force(store).of_scope(target.question_id, target.figure, target.scope)


def _read(store: Store, of: TargetOf, from_day: date | None) -> tuple[TargetFigure, TargetScope, date]:
    """Check what a target is of; return its figure, whom it is for, and from which day on. Raises UsageError."""
    names = KnownNames(store)
    names.check_question(of.question_id)
    scope = _scope(names, of)
    figure = _figure(store, of)
    timezones = places.timezones(store)
    known = {timezones[scope.site_id]} if scope.site_id else set(timezones.values())
    today = local(store.now_ms, known.pop() if len(known) == 1 else "UTC").date()
    return figure, scope, from_day or today


def _scope(names: KnownNames, of: TargetOf) -> TargetScope:
    if of.seller_id is not None:
        if of.site_id is not None or of.checkout_point_id is not None:
            raise UsageError("A target is for a seller, wherever he works, or for a place: give --seller or --site.")
        names.check_seller(of.seller_id)
    elif of.checkout_point_id is not None:
        if of.site_id is None:
            raise UsageError("--checkout-point needs its site: give SITE/POINT, or --site too.")
        names.check_checkout_point(of.site_id, of.checkout_point_id)
    elif of.site_id is not None:
        names.check_site(of.site_id)
    return TargetScope(of.site_id or "", of.checkout_point_id or "", of.seller_id or "")


def _figure(store: Store, of: TargetOf) -> TargetFigure:
    revision = settings.newest_revision(store, of.question_id)
    index = INDEX_OF_KIND.get(revision.kind) if revision else None
    if of.figure == "response_rate":
        return "response_rate"
    if index is None:
        raise UsageError(
            f"Nobody has defined key question {printable(of.question_id)}, so it has no index: define it with `trivox "
            "question set`."
        )
    if of.figure not in {None, "index", index}:
        if of.figure in AT_MOST:
            raise UsageError(f"Key question {of.question_id} has the {_spelled(index)}, not the {_spelled(of.figure)}.")
        raise UsageError(f"{printable(of.figure or '')!r} can have no target: give index or response_rate.")
    return index


def _spelled(figure: str) -> str:
    return figure.replace("_", " ")


def _record(store: Store, target: Target, before: Target | None, after: Target | None) -> None:
    """Record a change; it corrects no figure, and comparisons say if a target was set after its day."""
    timezone = places.timezone(store, target.scope.site_id) or "UTC"
    whose = target.scope.seller_id or target.scope.checkout_point_id
    name = f"{target.question_id} {target.figure}{f' of {whose}' if whose else ''}"
    from_ms = day_starts_ms(target.from_day, timezone)
    change = HistoryChange(
        "target", target.scope.site_id, name, _state(before), _state(after), from_ms, EVER, corrects=False
    )
    record_change(store, change)


def _state(target: Target | None) -> dict[str, Any] | None:
    return None if target is None else {"value": target.value, "from": target.from_day.isoformat()}


def _result(store: Store, target: Target, from_day: date | None = None) -> dict[str, Any]:
    timezone = places.timezone(store, target.scope.site_id) or "UTC"
    day = from_day or target.from_day
    return {
        "figure": _spelled(target.figure),
        "target": target.in_words,
        "scope": str(target.scope),
        "from": day.isoformat(),
        "past": day < local(store.now_ms, timezone).date(),
    }
