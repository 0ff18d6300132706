"""What people do about alarms: acknowledge them, close them, comment on them. Each is kept, with who and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import UsageError
from bridge.model.history import HistoryChange
from bridge.store import alarms as table
from bridge.store.history import record_change

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import AcknowledgeAlarm, CloseAlarm, CommentAlarm
    from bridge.store import Store
    from bridge.store.alarms import AlarmRow

MAX_COMMENT = 1_000
ALARMS_MAX = 2**53


def acknowledge_alarm(store: Store, command: AcknowledgeAlarm) -> dict[str, Any]:
    """Acknowledge an alarm, inside the transaction; return who has done so `before`, or None. Raises UsageError."""
    alarm, comment = _known(store, command.alarm_id), _checked(command.comment)
    if alarm.state == "closed":
        raise UsageError(f"Alarm {alarm.alarm_id} is closed already: say more with `trivox alarms comment`.")
    before = next((note.who for note in table.notes(store, alarm.alarm_id) if note.action == "acknowledged"), None)
    if before is None:
        table.acknowledge(store, alarm.alarm_id)
    _note(store, alarm, "acknowledged", comment, "acknowledged")
    return {"before": before}


def close_alarm(store: Store, command: CloseAlarm) -> dict[str, Any]:
    """Close an alarm, inside the transaction. Raises UsageError."""
    alarm, comment = _known(store, command.alarm_id), _checked(command.comment)
    if alarm.state == "closed":
        raise UsageError(f"Alarm {alarm.alarm_id} is closed already: say more with `trivox alarms comment`.")
    table.close(store, alarm.alarm_id, "by_hand")
    _note(store, alarm, "closed", comment, "closed")
    return {}


def comment_on_alarm(store: Store, command: CommentAlarm) -> dict[str, Any]:
    """Keep a comment on an alarm, inside the transaction. Raises UsageError."""
    alarm, comment = _known(store, command.alarm_id), _checked(command.comment)
    if comment is None:
        raise UsageError("The comment is empty: give its text.")
    _note(store, alarm, "commented", comment, alarm.state)
    return {}


def _known(store: Store, alarm_id: int) -> AlarmRow:
    alarm = table.find_alarm(store, alarm_id) if 0 < alarm_id < ALARMS_MAX else None
    if alarm is None:
        raise UsageError(f"There is no alarm {alarm_id}: see `trivox alarms --all`.")
    return alarm


def _checked(comment: str | None) -> str | None:
    """Return a comment without the space around it; None if there is none. Raises UsageError."""
    text = (comment or "").strip()
    if len(text) > MAX_COMMENT:
        raise UsageError(f"The comment has {len(text)} characters: give at most {MAX_COMMENT:,}.")
    return text or None


def _note(store: Store, alarm: AlarmRow, action: str, comment: str | None, state: str) -> None:
    table.note(store, alarm.alarm_id, action, comment)
    before, after = {"state": alarm.state, "comment": None}, {"state": state, "comment": comment}
    record_change(store, HistoryChange("alarm", alarm.place.site_id, str(alarm.alarm_id), before, after))
