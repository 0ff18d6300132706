"""Decide who is told of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames, find_nearest
from bridge.errors import UsageError
from bridge.model.alarm_recipient import AlarmRecipient
from bridge.model.history import HistoryChange
from bridge.store import alarm_recipients as table
from bridge.store.history import record_change
from bridge.text import printable, valid_id

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import RemoveAlarmRecipient, SetAlarmRecipient
    from bridge.store import Store


def set_alarm_recipient(store: Store, command: SetAlarmRecipient) -> dict[str, Any]:
    """Define or change a recipient, inside the transaction; return whether it `is_new`. Raises UsageError."""
    recipient = AlarmRecipient(**{name: getattr(command, name) for name in AlarmRecipient._fields})
    if not valid_id(recipient.recipient_id):
        raise UsageError(
            f"{printable(recipient.recipient_id)!r} is not a valid name of a recipient: use a-z, 0-9, _ and -, at most "
            "32 characters, starting with a letter or digit."
        )
    recipient.check()
    if recipient.site_id:
        KnownNames(store).check_site(recipient.site_id)
    before = table.recipients(store).get(recipient.recipient_id)
    table.set_recipient(store, recipient)
    record_change(store, _change(recipient.recipient_id, before, recipient))
    return {"is_new": before is None}


def remove_alarm_recipient(store: Store, command: RemoveAlarmRecipient) -> dict[str, Any]:
    """Remove a recipient, inside the transaction. Raises UsageError."""
    recipient = find_recipient(store, command.recipient_id)
    table.remove_recipient(store, recipient.recipient_id)
    record_change(store, _change(recipient.recipient_id, recipient, None))
    return {}


def find_recipient(store: Store, recipient_id: str) -> AlarmRecipient:
    """Return a recipient. Raises UsageError if there is none of that name."""
    known = table.recipients(store)
    if recipient_id in known:
        return known[recipient_id]
    nearest = find_nearest(recipient_id, known)
    advice = f"did you mean {nearest}?" if nearest else "see `trivox alarm-recipient list`."
    raise UsageError(f"There is no alarm recipient {printable(recipient_id)}: {advice}")


def _change(recipient_id: str, before: AlarmRecipient | None, after: AlarmRecipient | None) -> HistoryChange:
    return HistoryChange("alarm_recipient", "", recipient_id, _state(before), _state(after))


def _state(recipient: AlarmRecipient | None) -> dict[str, Any] | None:
    """Return the fields of a recipient that say anything."""
    return None if recipient is None else {name: value for name, value in recipient._asdict().items() if value}
