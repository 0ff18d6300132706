"""Decide who is told of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames, find_nearest
from bridge.errors import UsageError
from bridge.model.alarm_target import AlarmTarget
from bridge.model.history import HistoryChange
from bridge.store import alarm_targets as table
from bridge.store.history import record_change
from bridge.text import printable, valid_id

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import RemoveAlarmTarget, SetAlarmTarget
    from bridge.store import Store


def set_alarm_target(store: Store, command: SetAlarmTarget) -> dict[str, Any]:
    """Define or change a target, inside the transaction; return whether it `is_new`. Raises UsageError."""
    target = AlarmTarget(**{name: getattr(command, name) for name in AlarmTarget._fields})
    if not valid_id(target.target_id):
        raise UsageError(
            f"{printable(target.target_id)!r} is not a valid name of a target: use a-z, 0-9, _ and -, at most 32 "
            "characters, starting with a letter or digit."
        )
    target.check()
    if target.site_id:
        KnownNames(store).check_site(target.site_id)
    before = table.targets(store).get(target.target_id)
    table.set_target(store, target)
    record_change(store, _change(target.target_id, before, target))
    return {"is_new": before is None}


def remove_alarm_target(store: Store, command: RemoveAlarmTarget) -> dict[str, Any]:
    """Remove a target, inside the transaction. Raises UsageError."""
    target = find_target(store, command.target_id)
    table.remove_target(store, target.target_id)
    record_change(store, _change(target.target_id, target, None))
    return {}


def find_target(store: Store, target_id: str) -> AlarmTarget:
    """Return a target. Raises UsageError if there is none of that name."""
    known = table.targets(store)
    if target_id in known:
        return known[target_id]
    nearest = find_nearest(target_id, known)
    advice = f"did you mean {nearest}?" if nearest else "see `trivox alarm-target list`."
    raise UsageError(f"There is no alarm target {printable(target_id)}: {advice}")


def _change(target_id: str, before: AlarmTarget | None, after: AlarmTarget | None) -> HistoryChange:
    return HistoryChange("alarm_target", "", target_id, _state(before), _state(after))


def _state(target: AlarmTarget | None) -> dict[str, Any] | None:
    """Return the fields of a target that say anything."""
    return None if target is None else {name: value for name, value in target._asdict().items() if value}
